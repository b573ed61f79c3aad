"""Settings of signed requests."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from connectors.contract import ConnectorSettings
from connectors.credentials import HeaderName, SecretName, Text

_PARTS = frozenset(
    {"method", "authority", "path", "query", "target", "url", "timestamp", "nonce", "body", "body-digest"}
)
_DERIVED = frozenset(
    {"@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query"}
)
_FIELD = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,100}")


def _check_part(text: str) -> str:
    kind, colon, rest = text.partition(":")
    if text in _PARTS or (kind == "text" and colon):
        return text
    if kind == "header" and _FIELD.fullmatch(rest):
        return text
    raise ValueError(f"one of {', '.join(sorted(_PARTS))}, header:NAME (lower case) or text:TEXT")


def _check_component(text: str) -> str:
    if text not in _DERIVED and not _FIELD.fullmatch(text):
        raise ValueError(f"a header's name (lower case) or one of {', '.join(sorted(_DERIVED))}")
    return text


Part = Annotated[str, StringConstraints(max_length=500), AfterValidator(_check_part)]
Component = Annotated[str, AfterValidator(_check_component)]
Separator = Annotated[str, StringConstraints(max_length=10)]


class HMACSignature(ConnectorSettings):
    """HMAC over declared parts of the request, in a header."""

    kind: Literal["hmac"] = Field(description="Says that it is this.")
    key: SecretName = Field(description="Reference to the shared secret, `secret:NAME`.")
    key_encoding: Literal["text", "hex", "base64"] = Field(
        "text", description="How the secret is written; the key is what it stands for."
    )
    digest: Literal["sha256", "sha384", "sha512"] = Field("sha256", description="The hash of HMAC.")
    parts: Annotated[tuple[Part, ...], Field(min_length=1, max_length=30)] = Field(
        description="What is signed, in order: `method`, `authority` (host and port), `path`, `query`, `target` "
        "(path and query), `url`, `timestamp`, `nonce`, `body`, `body-digest` (its hash in hex), `header:NAME`, "
        "`text:TEXT`. Path and query are as they are sent."
    )
    separator: Separator = Field("\n", description="What stands between the parts.")
    encoding: Literal["hex", "hex-upper", "base64"] = Field(
        "hex", description="How the signature is written."
    )
    header: HeaderName = Field(description="The header in which the signature is sent.")
    prefix: Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=200)] = Field(
        "", description="What stands before the signature in that header."
    )
    timestamp_header: HeaderName | None = Field(None, description="The header in which the time is sent.")
    timestamp_format: Literal["milliseconds", "seconds", "iso", "vxp"] = Field(
        "milliseconds",
        description="How the time is written: since 1970, as 2026-01-31T08:30:00Z, or as VXP's SDK does.",
    )
    nonce_header: HeaderName | None = Field(
        None, description="The header in which a random number, new for each request, is sent."
    )


class VXPSignature(ConnectorSettings):
    """The `XroadVnpt-` headers of the national document axis (VXP), signed with HMAC-SHA256."""

    kind: Literal["vxp"] = Field(description="Says that it is this.")
    system_id: Text = Field(description="The system's id, `XroadVnpt-systemid`.")
    key: SecretName = Field(description="Reference to the system's secret, `secret:NAME`.")
    parameters: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z-]{0,50}$")], Text | None] = (
        Field(
            default_factory=dict,
            max_length=30,
            description="Further signed parameters by their name without prefix, each with its value, or null to take it "
            "from the caller's header `XroadVnpt-NAME`.",
        )
    )


class MessageSignature(ConnectorSettings):
    """HTTP Message Signatures (RFC 9421), with Content-Digest (RFC 9530) where it is among the components."""

    kind: Literal["rfc9421"] = Field(description="Says that it is this.")
    algorithm: Literal[
        "ed25519",
        "ecdsa-p256-sha256",
        "ecdsa-p384-sha384",
        "rsa-pss-sha512",
        "rsa-v1_5-sha256",
        "hmac-sha256",
    ] = Field(description="The algorithm, by its registered name.")
    key: SecretName = Field(
        description="Reference to the private key in PEM, or to the shared secret in base64 (hmac-sha256)."
    )
    key_id: Text = Field(description="`keyid`: the name under which the provider knows the key.")
    components: Annotated[tuple[Component, ...], Field(min_length=1, max_length=30)] = Field(
        ("@method", "@target-uri", "content-digest"),
        description="What is signed, in order. A header that a request lacks makes the call unfit.",
    )
    label: Annotated[str, StringConstraints(pattern=r"^[a-z*][a-z0-9_*.-]{0,30}$")] = Field(
        "sig1", description="The signature's label in `Signature` and `Signature-Input`."
    )
    digest: Literal["sha-256", "sha-512"] = Field("sha-256", description="The hash of Content-Digest.")
    expires_seconds: int | None = Field(
        None,
        ge=1,
        le=86_400,
        description="After how many seconds the signature ends; no `expires` when null.",
    )
    nonce: bool = Field(default=False, description="Whether a `nonce` is added, new for each request.")
    tag: Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=100)] = Field(
        "", description="`tag`; left out when empty."
    )
    alg: bool = Field(
        default=True, description="Whether `alg` names the algorithm in the signature's parameters."
    )


SignatureSettings = Annotated[HMACSignature | VXPSignature | MessageSignature, Field(discriminator="kind")]
