"""Settings of the `soap` connector, checked when an endpoint is registered."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from connectors.builtin.soap.envelope import Version
from connectors.builtin.soap.security import SecuritySettings
from connectors.builtin.soap.wsdl import MAX_BYTES, Sources, WSDLRefused
from connectors.builtin.soap.xml import escape
from connectors.contract import ConnectorSettings
from connectors.credentials import URL, CredentialSettings, HeaderName, HeaderValue, NoCredentials

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Action = Annotated[str, StringConstraints(pattern=r"^[\x20-\x21\x23-\x7e]*$", max_length=500)]
_MEDIA_TYPE = r"^[a-z0-9.+-]+/[a-z0-9.+-]+(; ?[\x20-\x7e]+)?$"


def _check_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    for network in networks:
        ip_network(network)
    return networks


def _check_value(text: str) -> str:
    escape(text)
    return text


Networks = Annotated[
    tuple[Annotated[str, StringConstraints(max_length=50)], ...], AfterValidator(_check_networks)
]


class SOAPHeader(ConnectorSettings):
    """An element of the envelope's header, the same in every request, as services want that log in there."""

    namespace: Annotated[str, StringConstraints(max_length=500), AfterValidator(_check_value)] = Field(
        "", description="The element's namespace."
    )
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.\-]*$", max_length=100)] = Field(
        description="The element's name."
    )
    values: dict[
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.\-]*$", max_length=100)],
        Annotated[str, StringConstraints(max_length=4000), AfterValidator(_check_value)],
    ] = Field(
        default_factory=dict, description="Elements inside it, in this order; `secret:NAME` is replaced."
    )


class SOAPSettings(ConnectorSettings):
    """Settings of the `soap` connector."""

    url: URL = Field(description="Address that messages are posted to; that in the description is not used.")
    wsdl: Annotated[str, StringConstraints(max_length=MAX_BYTES)] = Field(
        "", description="The description (WSDL 1.1) as text. May be empty only with `passthrough: xml`."
    )
    schemas: dict[Annotated[str, StringConstraints(max_length=500)], str] = Field(
        default_factory=dict,
        max_length=500,
        description="What the description imports: location as written there, to text. Nothing is fetched.",
    )
    service: Name | None = Field(None, description="The service in the description; the first when not set.")
    port: Name | None = Field(
        None, description="The port of the service; the first that speaks SOAP when not set."
    )
    version: Version | None = Field(
        None, description="SOAP 1.1 or 1.2; that of the port when not set, and 1.1 without a description."
    )
    operations: dict[Name, Name] = Field(
        default_factory=dict,
        max_length=1000,
        description="Operation of the service here to operation in the description, where the names differ.",
    )
    actions: dict[Name, Action] = Field(
        default_factory=dict,
        max_length=1000,
        description="Operation of the service here to its SOAPAction, where the description does not say it right.",
    )
    passthrough: Literal["no", "xml"] = Field(
        "no",
        description="`xml`: callers send and get XML themselves, with an envelope or without one; nothing is translated.",
    )
    content_type: Annotated[str, StringConstraints(pattern=_MEDIA_TYPE, max_length=200)] | None = Field(
        None,
        description="Media type of requests where the provider wants another one than the version's own.",
    )
    empty_reply: Literal["rubbish", "nothing"] = Field(
        "rubbish",
        description="What an empty answer means where one with content is due: no answer, or that nothing was found (`{}`).",
    )
    attachments: bool = Field(
        default=False,
        description="Accept answers with attachments (MTOM); they come as base64 where they belong.",
    )
    soap_headers: tuple[SOAPHeader, ...] = Field(
        (), max_length=10, description="Elements of the envelope's header, the same in every request."
    )
    security: SecuritySettings | None = Field(None, description="WS-Security: `username-token` or `x509`.")
    credentials: CredentialSettings = Field(
        default_factory=NoCredentials,
        description="How the node proves itself over HTTP: none, basic, header or oauth2.",
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict,
        description="Fixed HTTP headers; a value `secret:NAME` is replaced by the secret.",
    )
    max_request_bytes: int = Field(
        4 * 1024 * 1024,
        ge=1024,
        le=64 * 1024 * 1024,
        description="Largest request; all of it is held in memory.",
    )
    max_reply_bytes: int = Field(
        16 * 1024 * 1024,
        ge=1024,
        le=64 * 1024 * 1024,
        description="Largest answer; all of it is held in memory.",
    )
    egress: Networks = Field(
        (), description="Networks that the address has to lie in; narrows what the node allows."
    )
    connect_seconds: float = Field(3.0, gt=0, le=30, description="Time to make a connection.")

    @model_validator(mode="after")
    def _check_description(self) -> "SOAPSettings":
        if not self.wsdl:
            if self.passthrough == "no":
                raise ValueError("wsdl: is needed, unless passthrough is xml")
            return self
        try:
            sources = Sources(self.wsdl, self.schemas)
        except WSDLRefused as error:
            raise ValueError(f"wsdl: {error}") from None
        unknown = sorted(set(self.operations.values()) - sources.offered())
        if unknown:
            raise ValueError(f"operations: the description has no operation {unknown[0][:100]!r}")
        return self
