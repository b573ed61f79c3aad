"""Settings of the `rest` connector."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from connectors.builtin.rest.operation_settings import OperationSettings, ParameterName
from connectors.builtin.rest.signature_settings import SignatureSettings
from connectors.contract import ConnectorSettings
from connectors.credentials import (
    URL,
    CredentialSettings,
    HeaderName,
    HeaderValue,
    NoCredentials,
    SecretName,
    Text,
)

Operation = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$")]


class TLSSettings(ConnectorSettings):
    """Who the node is in TLS, and whom it believes, towards this provider alone."""

    certificate: SecretName | None = Field(
        None, description="Reference to our certificate and its chain in PEM, `secret:NAME`."
    )
    key: SecretName | None = Field(
        None,
        description="Reference to its key in PEM, unencrypted; null when the certificate's text holds it too.",
    )
    authority: Annotated[str, StringConstraints(max_length=100_000)] = Field(
        "",
        description="The provider's own certificate authority in PEM; empty for those that the node trusts.",
    )
    also_tokens: bool = Field(
        default=False,
        description="Whether the request for a token is made with this certificate and authority too.",
    )

    @model_validator(mode="after")
    def _check_pair(self) -> "TLSSettings":
        if self.key is not None and self.certificate is None:
            raise ValueError("a key needs its certificate")
        if self.certificate is None and not self.authority:
            raise ValueError("a certificate, an authority, or both")
        return self


class RESTSettings(ConnectorSettings):
    """Settings of the `rest` connector."""

    url: URL = Field(description="Base address; the path below the service's version is added to it.")
    fallback_urls: tuple[URL, ...] = Field(
        (), max_length=8, description="Further base addresses, tried in order when nothing was sent."
    )
    credentials: CredentialSettings = Field(
        default_factory=NoCredentials,
        description="How the node proves itself: none, basic, header, oauth2, oauth2-password, triple or "
        "lgspaccesstoken.",
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, description="Fixed headers; a value `secret:NAME` is replaced by the secret."
    )
    query: dict[ParameterName, Text] = Field(
        default_factory=dict,
        max_length=20,
        description="Fixed query parameters, such as keys; a value `secret:NAME` is replaced by the secret.",
    )
    signature: SignatureSettings | None = Field(
        None, description="How each request is signed: hmac, vxp or rfc9421; not at all when null."
    )
    tls: TLSSettings | None = Field(
        None,
        description="A client certificate and an authority of this endpoint's own; the node's when null.",
    )
    operations: dict[Operation, OperationSettings] = Field(
        default_factory=dict,
        max_length=500,
        description="Operations, by name, that the provider has under another method, path or query, or answers in pages: "
        "each an `OperationSettings`.",
    )
    request_headers: tuple[HeaderName, ...] | None = Field(
        None, description="Which of the caller's headers go on, beside its media type; all when not set."
    )
    reply_headers: tuple[HeaderName, ...] | None = Field(
        None,
        description="Which of the provider's headers come back, beside its media type; all when not set.",
    )
    egress: tuple[Annotated[str, StringConstraints(max_length=50)], ...] = Field(
        (), description="Networks that the addresses have to lie in; narrows what the node allows."
    )
    connect_seconds: float = Field(3.0, gt=0, le=30, description="Time to make a connection.")
    check_path: Annotated[str, StringConstraints(pattern=r"^/[\x21-\x7e]*$", max_length=500)] = Field(
        "/", description="Path that a connection test asks for with GET."
    )

    @model_validator(mode="after")
    def _check_egress(self) -> "RESTSettings":
        for network in self.egress:
            ip_network(network)
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> "RESTSettings":
        if self.tls is not None and not all(
            url.startswith("https:") for url in (self.url, *self.fallback_urls)
        ):
            raise ValueError("tls needs https addresses")
        return self
