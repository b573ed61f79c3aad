"""REST providers: the message goes on as it is, to an address of the provider's, with our credentials."""

import asyncio
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from ipaddress import ip_address, ip_network
from typing import Annotated, ClassVar, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, StringConstraints, model_validator

from connectors.contract import (
    Busy,
    Call,
    Capabilities,
    CheckStep,
    ConnectorContext,
    ConnectorSettings,
    DescribedOperation,
    Done,
    HTTPClient,
    HTTPReply,
    HTTPRequest,
    OwnHTTPClient,
    Rejected,
    Result,
    Unknown,
    Unreachable,
)
from connectors.credentials import (
    URL,
    CredentialSettings,
    CredentialsRefused,
    HeaderName,
    HeaderValue,
    NoCredentials,
    authority_of,
    make_credentials,
)
from connectors.errors import BadAnswer, EgressDenied, NoAnswer, NotSent, SecretUnknown
from connectors.message import Headers, Message

REST_SECONDS = 10.0
"""How long an address that could not be reached is tried last."""

LONGEST_BUSY_SECONDS = 86_400.0

_UNAUTHORISED = 401
_PROXY_UNAUTHORISED = 407
_TOO_MANY = 429
_BUSY = frozenset({_TOO_MANY, 503})
_SERVER_ERROR = 500
_CREDENTIAL_STATUSES = frozenset({401, 403, 407})
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_ORDER: tuple[Literal["dns", "tcp", "tls", "credentials", "contract"], ...] = (
    "dns",
    "tcp",
    "tls",
    "credentials",
    "contract",
)


class RESTSettings(ConnectorSettings):
    """Settings of the `rest` connector."""

    url: URL = Field(description="Base address; the path below the service's version is added to it.")
    fallback_urls: tuple[URL, ...] = Field(
        (), max_length=8, description="Further base addresses, tried in order when nothing was sent."
    )
    credentials: CredentialSettings = Field(
        default_factory=NoCredentials,
        description="How the node proves itself: none, basic, header or oauth2.",
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, description="Fixed headers; a value `secret:NAME` is replaced by the secret."
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


class _Target:
    """One address of the provider."""

    __slots__ = ("authority", "base", "is_literal", "rests_until")

    def __init__(self, url: str) -> None:
        self.base = url.rstrip("/")
        self.authority = authority_of(url)
        self.is_literal = _is_literal(urlsplit(url).hostname or "")
        self.rests_until = 0.0


class RESTConnector:
    """Passes calls on over HTTP. Bodies above the node's limit are streamed both ways."""

    kind: ClassVar[str] = "rest"
    version: ClassVar[str] = "1"
    capabilities: ClassVar[Capabilities] = Capabilities(streaming=True, idempotence="none")
    Settings: ClassVar[type[ConnectorSettings]] = RESTSettings

    def __init__(self, settings: RESTSettings, context: ConnectorContext) -> None:
        self._settings = settings
        self._clock = context.clock
        self._log = context.log
        self._own_http: OwnHTTPClient | None = None
        if settings.egress:
            self._own_http = context.http.narrowed(settings.egress)
        self._http: HTTPClient = self._own_http or context.http
        self._targets = [_Target(url) for url in (settings.url, *settings.fallback_urls)]
        self._credentials = make_credentials(settings.credentials, settings.headers, self._http, context)
        self._ours = self._credentials.names
        self._asked = _allowed(settings.request_headers)
        self._answered = _allowed(settings.reply_headers)
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    async def open(self) -> None:
        """Nothing is taken up: connections are made when they are needed, and kept by the host's client."""

    async def call(self, call: Call) -> Result:
        """Pass a call on. May raise EgressDenied, SecretUnknown, and what the call's own body stream raises."""
        if self._closed:
            return Unreachable(reason="closed")
        self._running += 1
        self._idle.clear()
        try:
            reply = await self._reach(call, _target_of(call), self._outgoing(call))
            if reply.status in _BUSY and (busy := self._busy(reply)) is not None:
                await reply.close()
                return busy
            return self._read(reply)
        except EgressDenied:
            raise
        except NotSent as error:
            reason = str(error)
            return Rejected(reason=reason) if reason == "header-invalid" else Unreachable(reason=reason)
        except CredentialsRefused:
            return Rejected(reason="credentials")
        except NoAnswer as error:
            return Unknown(reason=str(error))
        except BadAnswer as error:
            return Unknown(reason=str(error), rubbish=True)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def _reach(self, call: Call, path: str, headers: Headers) -> HTTPReply:
        """Send to the first address that can be reached. Raises the last address's NotSent when none can."""
        failure: NotSent | None = None
        for target in self._in_order():
            try:
                return await self._send(call, target, path, headers)
            except NotSent as error:
                failure = error
                if not self._goes_on(error, target):
                    break
        raise failure or NotSent("unreachable")

    def _goes_on(self, error: NotSent, target: _Target) -> bool:
        """Say whether another address may do better where nothing was sent to this one."""
        reason = str(error)
        if reason == "header-invalid" or reason.startswith("token-"):
            return False
        target.rests_until = self._clock.monotonic() + REST_SECONDS
        return True

    def _in_order(self) -> Sequence[_Target]:
        if len(self._targets) == 1:
            return self._targets
        now = self._clock.monotonic()
        return sorted(self._targets, key=lambda target: target.rests_until > now)

    def _outgoing(self, call: Call) -> Headers:
        """Return the caller's headers that go on, and what the endpoint tells the provider of us."""
        message, told = call.message, call.context
        asked, ours = self._asked, self._ours
        if asked is None and not ours and not told:
            return message.headers
        hidden = ours.union(name.lower().encode() for name in told) if told else ours
        headers = [
            field
            for field in message.headers
            if field[0] not in hidden and (asked is None or field[0] in asked)
        ]
        headers.extend((name.lower().encode(), value.encode()) for name, value in told.items())
        return headers

    async def _send(self, call: Call, target: _Target, path: str, headers: Headers) -> HTTPReply:
        credentials = self._credentials
        body = call.message.body
        again = isinstance(body, bytes)
        while True:
            proof = credentials.constant
            if proof is None:
                proof = await credentials.headers(target.authority, call.deadline)
            reply = await self._http.send(
                HTTPRequest(
                    method=call.method,
                    url=target.base + path,
                    headers=headers + proof if proof else headers,
                    body=body,
                    deadline=call.deadline,
                    connect_seconds=self._settings.connect_seconds,
                )
            )
            if reply.status != _UNAUTHORISED or not credentials.discard(proof) or not again:
                return reply
            await reply.close()
            again = False

    def _busy(self, reply: HTTPReply) -> Busy | None:
        """Return that the provider wants to be left alone for a while, if that is what it says."""
        after = _retry_after(reply.headers, self._clock.time())
        return Busy(after=after) if after is not None or reply.status == _TOO_MANY else None

    def _read(self, reply: HTTPReply) -> Result:
        status, headers = reply.status, reply.headers
        answered = self._answered
        media_type = ""
        for name, value in headers:
            if name == b"content-type":
                media_type = value.decode("latin-1")
                break
        if answered is not None:
            headers = [field for field in headers if field[0] in answered]
        if status == _PROXY_UNAUTHORISED:
            status = _UNAUTHORISED
        return Done(status=status, reply=Message(reply.body, media_type, headers))

    async def check(self) -> Sequence[CheckStep]:
        """Test each address: the way there first, then the credentials, then whether it answers as HTTP does."""
        steps: list[CheckStep] = []
        for target in self._targets:
            steps += await self._check(target)
        return steps

    async def _check(self, target: _Target) -> list[CheckStep]:
        """Ask without credentials to learn about the way, then with them."""
        started = self._clock.monotonic()
        failed, detail, status = await self._probe(target, [])
        if failed in ("dns", "tcp", "tls"):
            return _steps(target, failed, detail)
        if not isinstance(self._settings.credentials, NoCredentials) or self._ours:
            failed, detail, status = await self._prove(target)
        if failed is None and status in _CREDENTIAL_STATUSES:
            failed, detail = "credentials", f"HTTP {status}"
        if failed is None and status >= _SERVER_ERROR:
            failed, detail = "contract", f"HTTP {status}"
        milliseconds = round((self._clock.monotonic() - started) * 1000, 1)
        return _steps(target, failed, detail or f"HTTP {status}", milliseconds)

    async def _prove(self, target: _Target) -> tuple[str | None, str, int]:
        try:
            deadline = self._clock.monotonic() + REST_SECONDS
            proof = await self._credentials.headers(target.authority, deadline)
        except (NotSent, SecretUnknown, CredentialsRefused) as error:
            return "credentials", str(error), 0
        return await self._probe(target, proof)

    async def _probe(self, target: _Target, headers: Headers) -> tuple[str | None, str, int]:
        """Ask once; return the step that failed, if one did, why, and the status."""
        request = HTTPRequest(
            method="GET",
            url=target.base + self._settings.check_path,
            headers=headers,
            deadline=self._clock.monotonic() + REST_SECONDS,
            connect_seconds=self._settings.connect_seconds,
        )
        try:
            reply = await self._http.send(request)
        except NotSent as error:
            return {"dns": "dns", "tls": "tls"}.get(str(error), "tcp"), str(error), 0
        except (NoAnswer, BadAnswer) as error:
            return "contract", str(error), 0
        await reply.close()
        return None, "", reply.status

    async def describe(self) -> Sequence[DescribedOperation]:
        """A REST provider says nothing by itself."""
        return ()

    async def drain(self) -> None:
        """Return when no call is under way."""
        self._closed = True
        await self._idle.wait()

    async def close(self) -> None:
        """Close what is our own. Idempotent."""
        self._closed = True
        if self._own_http is not None:
            await self._own_http.close()


def _allowed(names: Sequence[str] | None) -> frozenset[bytes] | None:
    return None if names is None else frozenset({b"content-type", *(name.encode() for name in names)})


def _target_of(call: Call) -> str:
    """Return path and query as they stand in a request line."""
    path = call.path if call.path[:1] in ("/", "") else "/" + call.path
    if call.query:
        path = f"{path}?{call.query}"
    if not path.isascii() or not path.isprintable() or " " in path:
        # Only a query gets here: what its sender forgot to escape, kept byte for byte.
        path = quote(path.encode("latin-1", "replace"), safe=_ASCII)
    return path


def _retry_after(headers: Headers, now: float) -> float | None:
    """Return the seconds that `Retry-After` names, as a number or a date; None without a usable one."""
    value = next((value for name, value in headers if name == b"retry-after"), b"").strip()
    if value.isdigit():
        return float(min(int(value), LONGEST_BUSY_SECONDS))
    try:
        at = parsedate_to_datetime(value.decode("latin-1"))
    except (ValueError, TypeError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at.timestamp() - now, 0.0), LONGEST_BUSY_SECONDS)


def _steps(
    target: _Target, failed: str | None, detail: str, milliseconds: float | None = None
) -> list[CheckStep]:
    """Spell a test out: what lies before the failed step went well, what lies behind it was not tried."""
    steps: list[CheckStep] = []
    reached = True
    for step in _ORDER:
        if not reached:
            steps.append(CheckStep(step=step, ok=None))
        elif step == failed:
            steps.append(CheckStep(step=step, ok=False, detail=f"{target.authority}: {detail}"))
            reached = False
        elif (step == "tls" and target.base.startswith("http:")) or (step == "dns" and target.is_literal):
            steps.append(CheckStep(step=step, ok=None, detail=f"{target.authority}: not needed"))
        else:
            last = step == _ORDER[-1]
            steps.append(
                CheckStep(
                    step=step,
                    ok=True,
                    detail=f"{target.authority}: {detail}" if last else target.authority,
                    milliseconds=milliseconds if last else None,
                )
            )
    return steps


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
