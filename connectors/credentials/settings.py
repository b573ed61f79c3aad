"""What an endpoint's settings say of how the node proves itself over HTTP."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

SECRET = "secret:"  # noqa: S105 (how a reference begins)

_NEVER_SET = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade"}
    | {"expect", "proxy-connection"}
)
_GRANTS_OWN = frozenset(
    {"grant_type", "client_id", "client_secret", "username", "password", "refresh_token", "scope"}
)


def _check_url(text: str) -> str:
    """Take an absolute HTTP address without user, query and fragment."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("not an address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an absolute http or https address")
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise ValueError("an address here has no user, query or fragment")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("an address is printable ASCII")
    return text


def _check_header_name(text: str) -> str:
    name = text.lower()
    if not re.fullmatch(r"[a-z0-9!#$%&'*+.^_`|~-]{1,100}", name):
        raise ValueError("not a header's name")
    if name in _NEVER_SET:
        raise ValueError("this header is the HTTP client's own")
    return name


def _check_form_name(text: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{1,100}", text) or text in _GRANTS_OWN:
        raise ValueError("not a form field that can be added")
    return text


URL = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_check_url)]
HeaderName = Annotated[str, AfterValidator(_check_header_name)]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=4000)]
SecretName = Annotated[str, StringConstraints(pattern=r"^secret:[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$")]
FormName = Annotated[str, AfterValidator(_check_form_name)]
Text = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoCredentials(_Settings):
    """The provider asks for none."""

    kind: Literal["none"] = Field("none", description="Says that there are none.")


class Basic(_Settings):
    """HTTP Basic."""

    kind: Literal["basic"] = Field(description="Says that it is this.")
    username: Annotated[str, StringConstraints(pattern=r"^[^:\x00-\x1f\x7f]*$", max_length=200)] = Field(
        description="Our name with the provider."
    )
    password: SecretName = Field(description="Reference to the password, `secret:NAME`.")


class Header(_Settings):
    """A fixed header, its value a secret: API keys, `Authorization` without a scheme."""

    kind: Literal["header"] = Field(description="Says that it is this.")
    name: HeaderName = Field(description="The header's name.")
    value: SecretName = Field(description="Reference to the whole value, `secret:NAME`.")


class _TokenRequest(_Settings):
    """What the grants have in common."""

    token_url: URL = Field(description="Address of the token endpoint.")
    style: Literal["basic", "basic-raw", "form"] = Field(
        "basic",
        description="How client and secret go: HTTP Basic (RFC 6749: form-encoded first; `basic-raw`: as they are, "
        "as some servers want it), or form fields.",
    )
    scope: Annotated[str, StringConstraints(max_length=500)] = Field(
        "", description="Scope to ask for; none when empty."
    )
    form: dict[FormName, Text] = Field(
        default_factory=dict,
        max_length=20,
        description="Further form fields of the token request; `secret:NAME` is replaced.",
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, description="Further headers of the token request; `secret:NAME` is replaced."
    )
    token_header: HeaderName = Field("authorization", description="The header in which the token is sent.")
    token_prefix: Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=30)] = Field(
        "Bearer ", description="What stands before the token in that header."
    )


class OAuth2(_TokenRequest):
    """OAuth 2.0 client credentials. The token is kept until shortly before it ends."""

    kind: Literal["oauth2"] = Field(description="Says that it is this.")
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="Our client id with the provider."
    )
    client_secret: SecretName = Field(description="Reference to the client's secret, `secret:NAME`.")


class OAuth2Password(_TokenRequest):
    """OAuth 2.0 password grant. The token is kept until shortly before it ends, then refreshed or asked for anew."""

    kind: Literal["oauth2-password"] = Field(description="Says that it is this.")
    username: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="Our user's name with the provider."
    )
    password: SecretName = Field(description="Reference to the user's password, `secret:NAME`.")
    client_id: Annotated[str, StringConstraints(max_length=200)] = Field(
        "", description="Our client id with the provider; empty where the server knows no clients."
    )
    client_secret: SecretName | None = Field(
        None, description="Reference to the client's secret; without one, the client id goes as a form field."
    )
    refresh: bool = Field(
        default=True,
        description="Whether a refresh token that the server gives is used before the password is.",
    )

    @model_validator(mode="after")
    def _check_client(self) -> "OAuth2Password":
        if self.client_secret is not None and not self.client_id:
            raise ValueError("a client secret needs a client id")
        return self


class FetchedToken(_Settings):
    """A token that a plain request fetches, as some provincial platforms give it; kept for as long as is said here."""

    kind: Literal["fetched-token"] = Field(description="Says that it is this.")
    token_url: URL = Field(description="Address that gives the token.")
    method: Literal["GET", "POST"] = Field("GET", description="How it is asked; without a body.")
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, description="Headers of the token request; `secret:NAME` is replaced."
    )
    token_at: Annotated[str, StringConstraints(pattern=r"^(/[^/~]{1,100}){1,10}$")] = Field(
        "/data/token", description="Where in its JSON answer the token stands, as a JSON pointer."
    )
    seconds: float = Field(300.0, ge=1, le=86_400, description="How long a token is used.")
    token_header: HeaderName = Field("authorization", description="The header in which the token is sent.")
    token_prefix: Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=30)] = Field(
        "Bearer ", description="What stands before the token in that header."
    )


class _Triple(_Settings):
    """The keys of a provincial platform, sent as base64 of compact JSON."""

    access_key: Text = Field(description="AccessKey; `secret:NAME` is replaced.")
    secret_key: SecretName = Field(description="Reference to the SecretKey, `secret:NAME`.")
    app_name: Text = Field(description="AppName; `secret:NAME` is replaced.")
    partner_code: Text | None = Field(
        "", description="PartnerCode; `secret:NAME` is replaced; the member is left out when null."
    )
    partner_code_cus: Text | None = Field(
        "", description="PartnerCodeCus; `secret:NAME` is replaced; the member is left out when null."
    )


class Triple(_Triple):
    """The keys alone, as TP.HCM's platform wants them: `Authorization: BASE64`, without a scheme."""

    kind: Literal["triple"] = Field(description="Says that it is this.")
    header: HeaderName = Field("authorization", description="The header in which they are sent.")


class LGSPAccessToken(_Triple):
    """The keys in `lgspaccesstoken`, with the calls and with the request for a token where there is one."""

    kind: Literal["lgspaccesstoken"] = Field(description="Says that it is this.")
    header: HeaderName = Field("lgspaccesstoken", description="The header in which the keys are sent.")
    token: Annotated[OAuth2 | OAuth2Password | FetchedToken, Field(discriminator="kind")] | None = Field(
        None, description="The token that is asked for with these keys and sent beside them; none when null."
    )


AnyCredentials = (
    NoCredentials | Basic | Header | OAuth2 | OAuth2Password | FetchedToken | Triple | LGSPAccessToken
)
CredentialSettings = Annotated[AnyCredentials, Field(discriminator="kind")]


def authority_of(url: str) -> str:
    """Return `host:port` of an address, the port spelled out."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{(parts.hostname or '').lower()}:{port}"
