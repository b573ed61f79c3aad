"""REST providers: the message goes on, as it is or as declared, to an address of the provider's, with our credentials."""

from collections.abc import Sequence
from typing import ClassVar

from connectors.builtin.rest.addresses import REST_SECONDS, Target, Targets, target_of
from connectors.builtin.rest.checking import Step, step_of, steps
from connectors.builtin.rest.errors import Unfit
from connectors.builtin.rest.identity import WORDS, IdentityClient
from connectors.builtin.rest.operations import Operation
from connectors.builtin.rest.pages import NOT_FOR_PAGES, NOT_OF_THE_WHOLE, Walk
from connectors.builtin.rest.query import FixedQuery
from connectors.builtin.rest.settings import RESTSettings
from connectors.builtin.rest.signature_settings import HMACSignature, SignatureSettings, VXPSignature
from connectors.builtin.rest.signing import HMACSigner, Signer, VXPSigner
from connectors.calls import Calls
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
    Unreachable,
)
from connectors.credentials import CredentialsRefused, NoCredentials, Sender, make_credentials
from connectors.errors import BadAnswer, ConnectorError, NoAnswer, NotSent, SecretUnknown
from connectors.message import Headers, Message
from connectors.over_http import result_of, retry_after

_UNAUTHORISED = 401
_PROXY_UNAUTHORISED = 407
_TOO_MANY = 429
_BUSY = frozenset({_TOO_MANY, 503})
_SERVER_ERROR = 500
_CREDENTIAL_STATUSES = frozenset({401, 403, 407})
_PAGES = range(200, 300)


class RESTConnector:
    """Passes calls on over HTTP. Bodies above the node's limit are streamed both ways."""

    kind: ClassVar[str] = "rest"
    version: ClassVar[str] = "1"
    capabilities: ClassVar[Capabilities] = Capabilities(streaming=True, idempotence="none")
    Settings: ClassVar[type[ConnectorSettings]] = RESTSettings

    def __init__(self, settings: RESTSettings, context: ConnectorContext) -> None:
        self._settings = settings
        self._clock = context.clock
        self._own_http: OwnHTTPClient | None = None
        if settings.egress:
            self._own_http = context.http.narrowed(settings.egress)
        plain: HTTPClient = self._own_http or context.http
        self._identity = IdentityClient(settings.tls, plain, context) if settings.tls is not None else None
        self._http: Sender = self._identity or plain
        also_tokens = settings.tls is not None and settings.tls.also_tokens
        self._targets = Targets((settings.url, *settings.fallback_urls), context.clock)
        self._credentials = make_credentials(
            settings.credentials, settings.headers, self._http if also_tokens else plain, context
        )
        self._signer = _signer(settings.signature, context)
        self._query = FixedQuery(settings.query, context) if settings.query else None
        self._operations = {name: Operation(it) for name, it in settings.operations.items()}
        self._ours = self._credentials.names | (self._signer.names if self._signer is not None else set())
        self._asked = _allowed(settings.request_headers)
        self._answered = _allowed(settings.reply_headers)
        self._calls = Calls()

    async def open(self) -> None:
        """Nothing is taken up: connections are made when they are needed, and kept by the host's client."""

    async def call(self, call: Call) -> Result:
        """Pass a call on. May raise EgressDenied, SecretUnknown, and what the call's own body stream raises."""
        if self._calls.closed:
            return Unreachable(reason="closed")
        with self._calls:
            try:
                return await self._call(call)
            except Unfit as unfit:
                return Rejected(reason=f"unfit {unfit}")
            except ConnectorError as error:
                return result_of(error)

    async def _call(self, call: Call) -> Result:
        operation = self._operations.get(call.operation) if self._operations else None
        if operation is not None:
            call = operation.rewritten(call)
            if operation.pages is not None:
                return await self._walk(call, Walk(operation.pages, target_of(call)))
        target, reply = await self._reach(call, target_of(call), self._outgoing(call))
        return await self._busy(target, reply) if reply.status in _BUSY else self._read(target, reply)

    async def _walk(self, call: Call, walk: Walk) -> Result:
        """Ask for one page after the other; the first one that is none is the answer."""
        if not isinstance(call.message.body, bytes):
            raise Unfit("body: too large to be sent with each page")
        headers = [field for field in self._outgoing(call) if field[0] not in NOT_FOR_PAGES]
        target, reply = await self._reach(call, walk.target, headers)
        while reply.status in _PAGES:
            try:
                more = await walk.take(reply, target.base)
            finally:
                await reply.close()
            if not more:
                return self._read(target, reply, walk.whole())
            try:
                reply = await self._send(call, target, walk.target, headers)
            except (NotSent, SecretUnknown, CredentialsRefused) as error:
                # The pages before were sent and answered.
                raise NoAnswer("cut") from error
        return await self._busy(target, reply) if reply.status in _BUSY else self._read(target, reply)

    async def _reach(self, call: Call, path: str, headers: Headers) -> tuple[Target, HTTPReply]:
        """Send to the first address that can be reached. Raises the last address's NotSent when none can."""
        failure: NotSent | None = None
        for target in self._targets.in_order():
            try:
                return target, await self._send(call, target, path, headers)
            except NotSent as error:
                failure = error
                if not self._targets.goes_on(error, target):
                    break
        raise failure or NotSent("unreachable")

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

    async def _send(self, call: Call, target: Target, path: str, headers: Headers) -> HTTPReply:
        credentials = self._credentials
        body = call.message.body
        again = isinstance(body, bytes)
        if self._query is not None:
            path = self._query.added(path, target.authority)
        while True:
            proof = credentials.constant
            if proof is None:
                proof = await credentials.headers(target.authority, call.deadline)
            request = HTTPRequest(
                method=call.method,
                url=target.base + path,
                headers=headers + proof if proof else headers,
                body=body,
                deadline=call.deadline,
                connect_seconds=self._settings.connect_seconds,
                once=call.writes,
            )
            if self._signer is not None:
                self._signer.sign(request)
            reply = await self._http.send(request)
            if reply.status != _UNAUTHORISED or not credentials.discard(proof) or not again:
                return reply
            await reply.close()
            again = False

    async def _busy(self, target: Target, reply: HTTPReply) -> Result:
        """Return that the provider wants to be left alone for a while, if that is what it says."""
        after = retry_after(reply.headers, self._clock.time())
        if after is None and reply.status != _TOO_MANY:
            return self._read(target, reply)
        await reply.close()
        return Busy(after=after)

    def _read(self, target: Target, reply: HTTPReply, whole: bytes | None = None) -> Result:
        """Return an answer; `whole` is what was made of its pages."""
        status, headers = reply.status, reply.headers
        answered = self._answered
        media_type = ""
        for name, value in headers:
            if name == b"content-type":
                media_type = value.decode("latin-1")
                break
        if answered is not None:
            headers = [field for field in headers if field[0] in answered]
        if whole is not None:
            headers = [field for field in headers if field[0] not in NOT_OF_THE_WHOLE]
        if self._query is not None:
            headers = self._query.without_echo(headers, target.authority)
        if status == _PROXY_UNAUTHORISED:
            status = _UNAUTHORISED
        return Done(status=status, reply=Message(reply.body if whole is None else whole, media_type, headers))

    async def check(self) -> Sequence[CheckStep]:
        """Test each address: the way there first, then the credentials, then whether it answers as HTTP does."""
        found: list[CheckStep] = []
        for target in self._targets.all:
            found += await self._check(target)
        return found

    async def _check(self, target: Target) -> list[CheckStep]:
        """Ask without credentials to learn about the way, then with them."""
        started = self._clock.monotonic()
        failed, detail, status = await self._probe(target)
        if failed in ("dns", "tcp", "tls"):
            return steps(target, failed, detail)
        if not isinstance(self._settings.credentials, NoCredentials) or self._ours or self._query is not None:
            failed, detail, status = await self._probe(target, proving=True)
        if failed is None and status in _CREDENTIAL_STATUSES:
            failed, detail = "credentials", f"HTTP {status}"
        if failed is None and status >= _SERVER_ERROR:
            failed, detail = "contract", f"HTTP {status}"
        milliseconds = round((self._clock.monotonic() - started) * 1000, 1)
        return steps(target, failed, detail or f"HTTP {status}", milliseconds)

    async def _probe(self, target: Target, *, proving: bool = False) -> tuple[Step | None, str, int]:
        """Ask once; return the step that failed, if one did, why, and the status."""
        request = HTTPRequest(
            method="GET",
            url=target.base + self._settings.check_path,
            deadline=self._clock.monotonic() + REST_SECONDS,
            connect_seconds=self._settings.connect_seconds,
        )
        try:
            if proving:
                await self._prove(request, target)
        except (NotSent, SecretUnknown, CredentialsRefused, Unfit) as error:
            return "credentials", str(error), 0
        try:
            reply = await self._http.send(request)
        except NotSent as error:
            return step_of(str(error)), self._explained(str(error), target), 0
        except SecretUnknown as error:
            return "tls", str(error), 0
        except (NoAnswer, BadAnswer) as error:
            if str(error) == "cut" and target.base.startswith("https:"):
                return "tls", self._explained("cut", target), 0
            return "contract", str(error), 0
        await reply.close()
        return None, "", reply.status

    async def _prove(self, request: HTTPRequest, target: Target) -> None:
        request.headers = await self._credentials.headers(target.authority, request.deadline)
        if self._query is not None:
            path = self._query.added(self._settings.check_path, target.authority)
            request.url = target.base + path
        if self._signer is not None:
            self._signer.sign(request)

    def _explained(self, reason: str, target: Target) -> str:
        """Return a reason with what can be said of our certificate."""
        flaw = (
            self._identity.flaw(target.authority, self._clock.time()) if self._identity is not None else None
        )
        if reason == "cut":
            return f"cut after the TLS handshake: {flaw or 'perhaps our certificate, or its absence, is refused'}"
        words = ": ".join(word for word in (WORDS.get(reason), flaw) if word)
        return f"{reason}: {words}" if words else reason

    async def describe(self) -> Sequence[DescribedOperation]:
        """A REST provider says nothing by itself."""
        return ()

    async def drain(self) -> None:
        """Return when no call is under way."""
        await self._calls.drain()

    async def close(self) -> None:
        """Close what is our own. Idempotent."""
        self._calls.close()
        if self._identity is not None:
            await self._identity.close()
        if self._own_http is not None:
            await self._own_http.close()


def _signer(settings: SignatureSettings | None, context: ConnectorContext) -> Signer | None:
    match settings:
        case None:
            return None
        case HMACSignature():
            return HMACSigner(settings, context)
        case VXPSignature():
            return VXPSigner(settings, context)
        case _:
            # 8 MB that a node without such a provider does not pay for.
            from connectors.builtin.rest.message_signing import MessageSigner  # noqa: PLC0415

            return MessageSigner(settings, context)


def _allowed(names: Sequence[str] | None) -> frozenset[bytes] | None:
    return None if names is None else frozenset({b"content-type", *(name.encode() for name in names)})
