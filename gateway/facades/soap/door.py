"""The SOAP facade: an envelope becomes the one Request, and what comes of it an envelope again. It decides nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl

from anyio import to_thread

from connectors.builtin.soap.envelope import Version
from connectors.message import Headers
from gateway.exchange import Reason, Refusal, Reply, Request
from gateway.facades.native import Receive, Scope, Send, StreamCut, answer, pieces_of, request_of
from gateway.facades.soap.answers import Answer, told
from gateway.facades.soap.envelopes import (
    Envelope,
    EnvelopeRefused,
    check_media_type,
    joined,
    open_envelope,
    version_of,
)
from gateway.facades.soap.large import Aside
from gateway.limiter import AddressLimiter
from gateway.paths import normalise
from gateway.pipeline import Pipeline, tell
from gateway.proxies import Proxies
from gateway.snapshot import Snapshots
from gateway.soap.nodes import Unfit
from gateway.soap.offer import Asked, Offer, OfferedOperation
from gateway.soap.wsdl import MEDIA_TYPE, SEGMENT, address_of, render
from gateway.steps.identify import Identify
from gateway.steps.route import find_version
from gateway.steps.streams import is_cut
from gateway.steps.transform import threads
from gateway.views import ServiceView, Snapshot, VersionView

MOST_BYTES: Final = 16 * 1024 * 1024
"""The largest message in either direction: it has to be whole in memory."""
MOST_UNKNOWN_BYTES: Final = 256 * 1024
"""The largest envelope that is read before anybody knows who sends it: its token is in its header, not in HTTP's."""
TIMES_LARGER: Final = 3
MARGIN_BYTES: Final = 64 * 1024
"""What an envelope may be larger than the body that it becomes, which has a limit of its own."""

_OF_THE_ENVELOPE: Final = frozenset(
    b"accept accept-charset accept-encoding expect mime-version range soapaction te trailer transfer-encoding".split()
)
_PREFIXES: Final = (b"content-", b"if-")


class SOAPFacade:
    """Answers below `/soap`: `GET …?wsdl` with the description, `POST` with an envelope."""

    def __init__(
        self,
        pipeline: Pipeline,
        identify: Identify,
        snapshots: Snapshots,
        limiter: AddressLimiter,
        proxies: Proxies,
        turned_away: Callable[[Reason], None],
        *,
        issuer: str,
    ) -> None:
        self._pipeline = pipeline
        self._identify = identify
        self._snapshots = snapshots
        self._limiter = limiter
        self._proxies = proxies
        self._turned_away = turned_away
        self._issuer = issuer
        self._threads = threads()
        self._aside = Aside(self._threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope, receive, self._proxies)
        if request.method == "POST":
            reply = await self._post(request, scope["raw_path"])
        else:
            reply = await self._get(request, scope["raw_path"])
        await answer(reply, request, send)

    def _path(self, request: Request, raw_path: bytes) -> str:
        """Return what follows `/soap`, normalised. Raises Refusal, also for an address that asks too often."""
        wait = self._limiter.spend(request.client_address)
        if wait > 0:
            raise Refusal(Reason.ADDRESS_LIMITED, retry_after=wait)
        return normalise(raw_path).removeprefix(f"/{SEGMENT}") or "/"

    async def _get(self, request: Request, raw_path: bytes) -> Reply:
        try:
            return await self._wsdl(request, self._path(request, raw_path))
        except Refusal as refusal:
            self._turned_away(refusal.reason)
            return tell(refusal, request, style="problem")

    async def _wsdl(self, request: Request, path: str) -> Reply:
        """Return the WSDL. Raises Refusal: who has no token learns of public offers only."""
        target = None
        try:
            target = find_offer(path, self._snapshots.current)
        except Refusal:
            self._admit(request)
            raise
        service, version, offer = target
        if not offer.is_public:
            self._admit(request)
        names = {name.lower() for name, _ in parse_qsl(request.query, keep_blank_values=True)}
        if request.method not in ("GET", "HEAD") or "wsdl" not in names:
            raise Refusal(Reason.METHOD_NOT_ALLOWED, allow="POST")
        text = await to_thread.run_sync(
            lambda: render(
                offer,
                service=service.name,
                title=service.name,
                address=address_of(self._issuer, service.name, version.number),
            ),
            limiter=self._threads,
        )
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-store")]
        return Reply(status=200, headers=headers, body=text.encode())

    def _admit(self, request: Request) -> None:
        snapshot = self._snapshots.current
        client, claims = self._identify.find(request, snapshot)
        self._identify.admit(client, claims, request.client_address, snapshot)

    async def _post(self, request: Request, raw_path: bytes) -> Reply:
        media_type = _field(request.headers, b"content-type")
        call = Translation(request, version_of(media_type))
        try:
            path = self._path(request, raw_path)
            try:
                await self._translate(call, path, media_type)
            except Refusal as refusal:
                call.refuse(refusal, path)
            reply = await self._pipeline.carry(call.asked)
        except Refusal as refusal:
            self._turned_away(refusal.reason)
            call.refused = refusal
            reply = tell(refusal, request, style="problem")
        return await self._answer(call, reply)

    async def _translate(self, call: "Translation", path: str, media_type: str) -> None:
        """Fill in what the envelope asks for. Raises Refusal; how far it got is in `call`."""
        snapshot, request = self._snapshots.current, call.request
        limit = MOST_UNKNOWN_BYTES
        if _field(request.headers, b"authorization"):
            self._identify.find(request, snapshot)
            limit = MOST_BYTES
        target = find_offer(path, snapshot) if limit == MOST_BYTES else None
        if target is not None:
            limit = min(limit, target[1].max_body_bytes * TIMES_LARGER + MARGIN_BYTES)
        check_media_type(media_type)
        if _field(request.headers, b"content-encoding").lower() not in ("", "identity"):
            raise EnvelopeRefused("content-encoding")
        message = await _read(request, limit)
        envelope = await self._aside.do(len(message), lambda: open_envelope(message))
        call.version = envelope.version
        call.asked.headers = joined(call.asked.headers, envelope.caller)
        # Only now is it known who asks, where the token came in the envelope.
        self._identify.find(call.asked, snapshot)
        service, version, offer = target or find_offer(path, snapshot)
        if envelope.refused is not None:
            raise envelope.refused
        call.offer = offer
        call.operation = operation_of(envelope, service, version, offer)
        await self._aside.do(len(message), lambda: call.take(envelope, service, version))

    async def _answer(self, call: "Translation", reply: Reply) -> Reply:
        """Return the envelope around what came of it."""
        try:
            body = await _whole(reply, call.request.gone)
        except Refusal as refusal:
            reply = told(refusal, call.request, reply)
            body = b""
        except asyncio.CancelledError:
            if not is_cut(call.asked):
                raise
            reply = told(Refusal(Reason.CUT_BY_REVOCATION, sent=True), call.request, reply)
            body = b""
        made = Answer(call.version, call.offer, call.operation, call.request)
        # The pipeline may have had another reason, such as an expired token.
        is_told = reply.problem is not None and reply.problem.code == Reason.ENVELOPE_UNREADABLE
        refused = call.refused if isinstance(call.refused, EnvelopeRefused) and is_told else None
        return await self._aside.do(len(body), lambda: made.around(reply, body, refused))


class Translation:
    """One message on its way: the HTTP request, what it asks for, and how far its reading got."""

    def __init__(self, request: Request, version: Version) -> None:
        self.request = request
        self.version = version
        self.asked = replace(request, headers=plain_headers(request.headers), read=_nothing, length=0)
        self.offer: Offer | None = None
        self.operation: OfferedOperation | None = None
        self.refused: Refusal | None = None

    def take(self, envelope: Envelope, service: ServiceView, version: VersionView) -> None:
        """Take over what the envelope asks for. Raises Refusal."""
        # Its last reference goes here, where a large tree can be taken apart without blocking anybody.
        operation, content, envelope.content = self.operation, envelope.content, None
        if operation is None or content is None:
            raise Refusal(Reason.INTERNAL)
        try:
            asked = operation.asked(content)
            self._address(asked, operation, service, version)
        except Unfit as unfit:
            raise Refusal(Reason.MESSAGE_UNFIT, why=str(unfit)) from unfit
        except RecursionError as error:
            raise Refusal(Reason.MESSAGE_UNFIT, why="/: depth") from error
        headers = {name.lower() for name, _ in asked.headers}
        self.asked.headers = [
            *(field for field in self.asked.headers if field[0] not in headers),
            *((name.lower(), value) for name, value in asked.headers),
            (b"accept", b"application/json"),
        ]
        if asked.body:
            self.asked.headers.append((b"content-type", b"application/json"))
            self.asked.headers.append((b"content-length", b"%d" % len(asked.body)))
            self.asked.length = len(asked.body)
            self.asked.read = _once(asked.body)

    def _address(
        self, asked: Asked, operation: OfferedOperation, service: ServiceView, version: VersionView
    ) -> None:
        """Set method, path and query, if they lead to the operation that was named. Raises Unfit, Refusal."""
        path = normalise(asked.path.encode())
        found = version.operations.find(asked.method, path)
        if isinstance(found, frozenset) or found.name != operation.name:
            raise Unfit("path")
        self.asked.method, self.asked.query = asked.method, asked.query
        self.asked.path = f"/{service.name}/{version.number}{path}"

    def refuse(self, refusal: Refusal, path: str) -> None:
        """Have the pipeline tell and record a refusal. Raises it where nobody knows who asks."""
        self.refused = refusal
        if not _field(self.asked.headers, b"authorization"):
            raise refusal
        self.asked.unfit = refusal
        self.asked.path = f"{path.rstrip('/')}/"


def find_offer(path: str, snapshot: Snapshot) -> tuple[ServiceView, VersionView, Offer]:
    """Return what a path below `/soap` names. Raises Refusal when no such version is offered as SOAP."""
    name, _, rest = path[1:].partition("/")
    service = snapshot.services.get(name.lower())
    if service is None or service.broken is not None:
        raise Refusal(Reason.ROUTE_UNKNOWN)
    version, below = find_version(service, rest)
    if version.soap is None or version.broken is not None or below != "/":
        raise Refusal(Reason.ROUTE_UNKNOWN)
    return service, version, version.soap


def operation_of(
    envelope: Envelope, service: ServiceView, version: VersionView, offer: Offer
) -> OfferedOperation:
    """Return the operation that the element in the body names. Raises Refusal."""
    tag = "" if envelope.content is None else str(envelope.content.tag)
    uri, _, name = tag.removeprefix("{").rpartition("}")
    operation = offer.operations.get(name) if uri == offer.namespace else None
    if operation is None:
        raise Refusal(Reason.OPERATION_UNKNOWN, service=service.name, version=version.number)
    return operation


def plain_headers(headers: Headers) -> Headers:
    """Return a request's headers without those that speak of the envelope, or of its answer's form."""
    return [
        field for field in headers if field[0] not in _OF_THE_ENVELOPE and not field[0].startswith(_PREFIXES)
    ]


async def _read(request: Request, limit: int) -> bytes:
    """Return the whole message. Raises Refusal."""
    if request.length is not None and request.length > limit:
        raise Refusal(Reason.BODY_TOO_LARGE, limit_bytes=limit)
    pieces, size = [], 0
    while piece := await request.read():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise Refusal(Reason.BODY_TOO_LARGE, limit_bytes=limit)
    return b"".join(pieces)


async def _whole(reply: Reply, gone: Callable[[], bool]) -> bytes:
    """Return the whole of an answer. Raises Refusal when it is too large or breaks off."""
    if isinstance(reply.body, bytes):
        return reply.body
    pieces, size = [], 0
    try:
        async with aclosing(pieces_of(reply.body, gone)) as stream:
            async for piece in stream:
                pieces.append(piece)
                size += len(piece)
                if size > MOST_BYTES:
                    raise Refusal(Reason.REPLY_NOT_TRANSFORMED, sent=True, why="too-large")
    except StreamCut as error:
        raise Refusal(Reason.PROVIDER_CUT, sent=True) from error
    return b"".join(pieces)


def _once(body: bytes) -> Callable[[], Awaitable[bytes]]:
    left = [body]

    async def read() -> bytes:
        return left.pop() if left else b""

    return read


async def _nothing() -> bytes:
    return b""


def _field(headers: Headers, name: bytes) -> str:
    return next((value.decode("latin-1") for known, value in headers if known == name), "")
