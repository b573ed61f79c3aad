"""The connector contract: all that the author of a connector reads.

The life of a connector: found by `kind` in the entry-point group `lgsp.connectors`; `Settings` checked (frozen,
unknown keys refused, secrets by name); the constructor does no I/O; `open` is retried by the host with
back-off; `call` runs many times concurrently; `drain` waits for calls under way; `close` is idempotent and
works even when `open` failed. A call's deadline is kept by the host too, by cancelling it: cancellation must
free the connection.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from connectors.message import Body, Headers, Message

__all__ = [
    "Body",
    "Busy",
    "Call",
    "Capabilities",
    "CheckStep",
    "Clock",
    "Connector",
    "ConnectorContext",
    "ConnectorSettings",
    "DescribedOperation",
    "Done",
    "HTTPClient",
    "HTTPReply",
    "HTTPRequest",
    "Headers",
    "Logger",
    "Message",
    "Network",
    "OwnHTTPClient",
    "Rejected",
    "Result",
    "Secrets",
    "TLSIdentity",
    "Unknown",
    "Unreachable",
]


class ConnectorSettings(BaseModel):
    """The root of every connector's `Settings`: frozen, unknown keys refused. Secrets are `secret:NAME`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a connector can do; only these decide what the host may repeat or run side by side."""

    streaming: bool = False
    idempotence: Literal["native", "by_key", "none"] = "none"
    ordering: bool = False
    max_in_flight: int | None = None


@dataclass(slots=True, kw_only=True)
class Call:
    """One call: what the caller asked, made safe. `path` is what follows the version in the address.

    `path` and `query` are the normalised bytes that were authorised; `headers` hold no credentials, hop-by-hop
    or private fields of the caller's. `context` holds what the endpoint passes on, header name to value.
    `deadline` is in the host's monotonic clock, seconds. `read_only` says that a repetition does no harm, `writes`
    that the operation is declared to change something at the provider, `sandbox` that nothing here is in earnest.
    `template` is the operation's declared path, which names the variables in `path`.
    """

    exchange: str
    operation: str
    method: str
    path: str
    query: str
    message: Message
    deadline: float
    context: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    read_only: bool = True
    writes: bool = False
    sandbox: bool = False
    template: str = ""


@dataclass(slots=True, kw_only=True)
class Done:
    """An answer came. `status` is an HTTP status (connectors of other protocols translate), 200 to 599.

    A head that cannot be sent as it is (`connectors.heads`) makes the answer rubbish.
    """

    status: int
    reply: Message


@dataclass(slots=True, kw_only=True)
class Rejected:
    """The call was not carried out and repeating it as it is will not help. `reason` is a short, safe text.

    `credentials`: ours are refused; `too-large`: the caller's message is; `unfit POINTER: RULE`: it does not fit
    what the provider takes, said with the place and never the value.
    """

    reason: str


@dataclass(slots=True, kw_only=True)
class Busy:
    """The provider asks to come back, after so many seconds when it said so; the call was not carried out."""

    after: float | None = None


@dataclass(slots=True, kw_only=True)
class Unreachable:
    """Nothing was sent."""

    reason: str


@dataclass(slots=True, kw_only=True)
class Unknown:
    """Something was sent and no whole answer came; `rubbish` when what came was not an answer."""

    reason: str
    rubbish: bool = False


Result = Done | Rejected | Busy | Unreachable | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStep:
    """One step of a connection test. `skipped` (ok None) when an earlier one failed."""

    step: Literal["dns", "tcp", "tls", "credentials", "contract"]
    ok: bool | None
    detail: str = ""
    milliseconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedOperation:
    """An operation that a backend describes, with JSON Schemas where it has them."""

    name: str
    method: str
    path: str
    request_schema: Mapping[str, Any] | None = None
    reply_schema: Mapping[str, Any] | None = None


# --- what the host hands to a connector -----------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class HTTPRequest:
    """One HTTP request. `url` is absolute, without user info; `headers` hold no Host, length or framing.

    `once` says that it changes something, whatever its method, and must not be sent again by itself.
    """

    method: str
    url: str = field(repr=False)
    headers: Headers = field(default_factory=list, repr=False)
    body: Body = field(default=b"", repr=False)
    deadline: float
    connect_seconds: float = 5.0
    once: bool = False


class HTTPReply(Protocol):
    """An HTTP answer. `body` is whole (up to 64 KiB) or a stream; a stream that breaks raises NoAnswer."""

    status: int
    headers: Headers
    body: Body

    async def close(self) -> None:
        """Give the connection up; needed when a streamed body is not read to its end. Idempotent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSIdentity:
    """Who a client says it is in TLS, and whom it believes, in PEM.

    Without `certificate` it says nothing; without `authority` it believes whom the node believes.
    """

    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    authority: str = field(default="", repr=False)


class HTTPClient(Protocol):
    """The host's HTTP client: keep-alive, verified TLS, egress policy, no redirects, no decompression."""

    async def send(self, request: HTTPRequest) -> HTTPReply:
        """Send and return the answer's head with its body. Raises NotSent, EgressDenied, NoAnswer, BadAnswer."""
        ...

    def narrowed(self, networks: Sequence[str]) -> "OwnHTTPClient":
        """Return a client of the connector's own that reaches only those allowed addresses in `networks`."""
        ...

    def with_tls(self, identity: TLSIdentity) -> "OwnHTTPClient":
        """Return a client of the connector's own that shows and takes those certificates; it shares no connection.

        Raises ValueError when they are not PEM, or certificate and key do not belong together.
        """
        ...


class OwnHTTPClient(HTTPClient, Protocol):
    """A client that its connector closes."""

    async def close(self) -> None:
        """Close its connections. Idempotent."""
        ...


class Network(Protocol):
    """The way to a server that does not speak HTTP: where a connection may go, and whom it must meet there."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses that a connection may go to, best first. Raises EgressDenied, NotSent."""
        ...

    def tls(self, name: str, authority: str = "") -> ssl.SSLContext:
        """Return a context that takes a certificate for `name` only, whatever address was connected to.

        The certificate's authority is one that the node trusts, or the one in `authority` (PEM).
        """
        ...


class Clock(Protocol):
    """Time, so that tests can turn it."""

    def monotonic(self) -> float: ...

    def time(self) -> float: ...


class Secrets(Protocol):
    """The secrets of the organisation that the endpoint belongs to."""

    def get(self, name: str, *, host: str) -> str:
        """Return the secret bound to `name`, if it may go to `host`. Raises SecretUnknown."""
        ...


class Logger(Protocol):
    """A structured logger: an event `noun.verb` and fields; never a body or a secret."""

    def info(self, event: str, **fields: object) -> object: ...

    def warning(self, event: str, **fields: object) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorContext:
    """What a connector needs from its host."""

    http: HTTPClient
    network: Network
    clock: Clock
    secrets: Secrets
    log: Logger


class Connector(Protocol):
    """Speaks one protocol to providers."""

    kind: ClassVar[str]
    version: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    Settings: ClassVar[type[ConnectorSettings]]

    def __init__(
        self, settings: Any, context: ConnectorContext
    ) -> None:  # Any: each connector has its own Settings
        ...

    async def open(self) -> None:
        """Take up what lasts. Raises ConnectorError; the host tries again later."""
        ...

    async def call(self, call: Call) -> Result:
        """Carry one call. May raise EgressDenied, SecretUnknown, and what the call's own body stream raises."""
        ...

    async def check(self) -> Sequence[CheckStep]:
        """Test the connection, step by step, naming what is wrong."""
        ...

    async def describe(self) -> Sequence[DescribedOperation]:
        """Return what the backend says it can do; empty when it says nothing."""
        ...

    async def drain(self) -> None:
        """Return when no call is under way; take no new ones."""
        ...

    async def close(self) -> None:
        """Give everything back. Idempotent."""
        ...
