"""The HTTP client of the data plane, behind `connectors.contract.HTTPClient`. For now on aiohttp's client.

It takes aiohttp's pool, parser and request writer, and leaves out its session: no cookies, no redirects, no
decompression, no headers of its own but Host and the framing. What aiohttp raises stops here. The text of an
error is a code out of `REASONS`.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Self

from aiohttp import (
    ClientError,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientResponseError,
    ClientTimeout,
    ServerDisconnectedError,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_exceptions import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorSSLError,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.tracing import Trace
from multidict import CIMultiDict
from yarl import URL

from connectors.contract import HTTPReply, HTTPRequest, TLSIdentity
from connectors.errors import BadAnswer, ConnectorError, NoAnswer, NotSent
from connectors.message import Body, Headers
from gateway.deadlines import Deadlines
from gateway.egress import Egress, resolve
from gateway.tls import client_context, refusal

REASONS = {
    # NotSent
    "dns": "the name has no address",
    "refused": "the connection was refused",
    "unreachable": "no way to the address",
    "connect-timeout": "the connection was not made in time",
    "tls": "the certificate or the TLS handshake is not good",
    "tls-certificate-missing": "the other side asks for a client certificate",
    "tls-certificate-expired": "the other side says that our certificate has ended",
    "tls-certificate-refused": "the other side does not take our certificate",
    "egress-denied": "the node does not let calls go there",
    "address-invalid": "the address is not one",
    "header-invalid": "a header field cannot be sent",
    "closed": "the client is closed",
    # NoAnswer
    "timeout": "no whole answer in time",
    "cut": "the connection ended before the answer did",
    # BadAnswer
    "rubbish": "what came is not HTTP, or contradicts itself",
    "head-too-large": "the answer's head is too large",
}

IDLE_SECONDS = 4.0
"""Below the five seconds after which common servers close: a request that meets a closing connection may be lost."""

_KEPT_BACK = frozenset(
    {b"host", b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"te", b"trailer"}
    | {b"upgrade", b"expect", b"content-length"}
)
_NOT_PASSED_ON = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"te", b"trailer", b"upgrade"}
)
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_WRITTEN_AT_ONCE = 256 * 1024
_PIECE = 64 * 1024
_SWITCHING_PROTOCOLS = 101
_MAX_LINE = 8 * 1024
_MAX_FIELD = 16 * 1024
_MAX_FIELDS = 128
_MAX_DESTINATIONS = 4096


class AiohttpTransport:
    """Sends requests over kept connections. One per worker; used from its event loop alone."""

    def __init__(
        self,
        *,
        egress: Egress,
        deadlines: Deadlines,
        ca_file: Path | None = None,
        buffer_bytes: int = 64 * 1024,
        idle_seconds: float = IDLE_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._egress = egress
        self._deadlines = deadlines
        self._buffer_bytes = buffer_bytes
        self._idle_seconds = idle_seconds
        self._ca_file = ca_file
        self._tls = tls
        self._connector: _Connector | None = None
        self._allowed: set[tuple[str | None, int | None]] = set()
        self._timeouts: dict[float, ClientTimeout] = {}
        self._narrowed: set[AiohttpTransport] = set()
        self._forget: Callable[[AiohttpTransport], None] = _do_nothing
        self._closed = False

    def narrowed(self, networks: Sequence[str]) -> "AiohttpTransport":
        """Return a client, with connections of its own, for those allowed addresses that lie in `networks`."""
        return self._apart(self._egress.narrowed(networks), self._tls)

    def with_tls(self, identity: TLSIdentity) -> "AiohttpTransport":
        """Return a client, with connections of its own, that shows and takes those certificates. Raises ValueError."""
        return self._apart(self._egress, client_context(self._ca_file, identity))

    def _apart(self, egress: Egress, tls: ssl.SSLContext | None) -> "AiohttpTransport":
        client = AiohttpTransport(
            egress=egress,
            deadlines=self._deadlines,
            ca_file=self._ca_file,
            buffer_bytes=self._buffer_bytes,
            idle_seconds=self._idle_seconds,
            tls=tls,
        )
        self._narrowed.add(client)
        client._forget = self._narrowed.discard
        return client

    async def send(self, request: HTTPRequest) -> HTTPReply:
        """Send and return the answer's head with its body; the promise stands in the contract."""
        url = self._check(request.url)
        headers, upload, length = _outgoing(request)
        repeatable = upload is None and request.method in _REPEATABLE and not request.once
        must_be_fresh = False
        while True:
            sending = _request(request, url, headers, upload, length)
            connection = await self._connect(sending, request, must_be_fresh=must_be_fresh)
            try:
                return await self._exchange(sending, connection, request, upload)
            except _ClosedBefore:
                if not repeatable or sending.fresh:
                    raise NoAnswer("cut") from None
                must_be_fresh = True

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        self._closed = True
        self._forget(self)
        for client in list(self._narrowed):
            await client.close()
        connector, self._connector = self._connector, None
        if connector is not None:
            await connector.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _check(self, text: str) -> URL:
        if not text.isascii() or not text.isprintable() or " " in text:
            raise NotSent("address-invalid")
        try:
            url = URL(text, encoded=True)
            destination = (url.raw_host, url.port)
        except ValueError:
            raise NotSent("address-invalid") from None
        if destination not in self._allowed:
            if url.scheme not in ("http", "https") or not url.raw_host or not url.port:
                raise NotSent("address-invalid")
            self._egress.check_host(url.raw_host, url.port)
            if len(self._allowed) >= _MAX_DESTINATIONS:
                self._allowed.clear()
            self._allowed.add(destination)
        return url

    async def _connect(self, sending: "_Request", request: HTTPRequest, *, must_be_fresh: bool) -> Connection:
        connector = self._connector or self._start()
        seconds = min(request.connect_seconds, request.deadline - monotonic())
        if seconds <= 0:
            raise NotSent("connect-timeout")
        timeout = self._timeouts.get(seconds)
        if timeout is None:
            timeout = ClientTimeout(connect=seconds, ceil_threshold=3600)
            if seconds == request.connect_seconds:
                self._timeouts[seconds] = timeout
        while True:
            try:
                connection = await connector.connect(sending, [], timeout)
            except (ClientError, OSError, TimeoutError) as error:
                raise _not_sent(error, tls=sending.is_ssl()) from error
            protocol = connection.protocol
            # An idle connection on which something came unasked would give it to us as our answer.
            if sending.fresh or not (must_be_fresh or protocol is None or protocol.should_close):
                return connection
            connection.close()

    def _start(self) -> "_Connector":
        if self._closed:
            raise NotSent("closed")
        tls = self._tls or client_context(self._ca_file)
        self._connector = _Connector(tls=tls, egress=self._egress, idle_seconds=self._idle_seconds)
        return self._connector

    async def _exchange(
        self, sending: "_Request", connection: Connection, request: HTTPRequest, upload: "_Upload | None"
    ) -> "Reply":
        protocol = connection.protocol
        if protocol is None:
            raise _ClosedBefore
        response: ClientResponse | None = None
        began = False
        try:
            protocol.set_response_params(
                skip_payload=request.method == "HEAD",
                read_until_eof=True,
                auto_decompress=False,
                read_bufsize=_PIECE,
                max_line_size=_MAX_LINE,
                max_field_size=_MAX_FIELD,
                max_headers=_MAX_FIELDS,
            )
            with self._deadlines.until(request.deadline):
                response = await sending.send(connection)
                await response.start(connection)
                began = True
                return await self._reply(response, protocol, request.deadline)
        except BaseException as error:
            if response is not None:
                response.close()
            connection.close()
            if upload is not None and upload.error is not None:
                raise upload.error from None
            translated = _no_answer(error, began=began)
            if translated is None:
                raise
            raise translated from error

    async def _reply(self, response: ClientResponse, protocol: ResponseHandler, deadline: float) -> "Reply":
        if response.status == _SWITCHING_PROTOCOLS:
            raise BadAnswer("rubbish")
        content = response.content
        pieces: deque[bytes] = deque()
        size = 0
        while piece := await content.readany():
            pieces.append(piece)
            size += len(piece)
            if size > self._buffer_bytes:
                stream = ReplyStream(response, protocol, pieces, deadline, self._deadlines)
                return Reply(response, stream)
        _check_end(response, protocol)
        return Reply(response, pieces[0] if len(pieces) == 1 else b"".join(pieces))


class Reply:
    """An answer. `body` is whole, or a stream that holds its connection until its end or `close`."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, response: ClientResponse, body: Body) -> None:
        self.status = response.status
        hidden = _NOT_PASSED_ON | _named(response.headers.getall("Connection", ()))
        self.headers: Headers = [
            (lower, value) for name, value in response.raw_headers if (lower := name.lower()) not in hidden
        ]
        self.body = body

    async def close(self) -> None:
        """Give the connection up. Idempotent."""
        if isinstance(self.body, ReplyStream):
            await self.body.aclose()


class ReplyStream:
    """A body that is read once; a connection not read to its end is closed, never used again."""

    __slots__ = ("_deadline", "_deadlines", "_pieces", "_protocol", "_response")

    def __init__(
        self,
        response: ClientResponse,
        protocol: ResponseHandler,
        pieces: deque[bytes],
        deadline: float,
        deadlines: Deadlines,
    ) -> None:
        self._response: ClientResponse | None = response
        self._protocol = protocol
        self._pieces = pieces
        self._deadline = deadline
        self._deadlines = deadlines

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece. Raises NoAnswer or BadAnswer when there is none and the end was not reached."""
        if self._pieces:
            return self._pieces.popleft()
        if self._response is None:
            raise StopAsyncIteration
        try:
            with self._deadlines.until(self._deadline):
                piece = await self._response.content.readany()
            if not piece:
                _check_end(self._response, self._protocol)
        except BaseException as error:
            await self.aclose()
            translated = _no_answer(error, began=True)
            if translated is None:
                raise
            raise translated from error
        if not piece:
            self._response = None
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Give the connection up. Idempotent."""
        self._pieces.clear()
        response, self._response = self._response, None
        if response is not None:
            response.close()

    def __del__(self) -> None:
        if self._response is not None:
            self._response.close()


class _ClosedBefore(Exception):
    """The connection ended and not a byte of an answer had come."""


class _Request(ClientRequest):
    """aiohttp's request, writing no header that it was not given."""

    DEFAULT_HEADERS: dict[Any, str] = {}  # noqa: RUF012 (as aiohttp declares it)  # Any: multidict's istr
    _skip_auto_headers = CIMultiDict[None]({"Content-Type": None})
    fresh = False

    def update_auto_headers(self, skip_auto_headers: object) -> None:
        """Add nothing."""


class _Protocol(ResponseHandler):
    """aiohttp's reader of answers, telling whoever reads a body at once that it turned out to be rubbish."""

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """End the answer under way with an error."""
        payload = self._payload
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(exc)
        if exc_cause is None:
            super().set_exception(exc)
        else:
            super().set_exception(exc, exc_cause)


class _Connector(TCPConnector):
    """aiohttp's pool, telling a request whether its connection is new."""

    def __init__(self, *, tls: ssl.SSLContext, egress: Egress, idle_seconds: float) -> None:
        super().__init__(ssl=tls, resolver=_Resolver(egress), limit=0, keepalive_timeout=idle_seconds)
        factory: Callable[..., ResponseHandler] = _Protocol
        self._factory = partial(factory, loop=asyncio.get_running_loop())

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 (aiohttp's signature)
    ) -> ResponseHandler:
        protocol = await super()._create_connection(req, traces, timeout)
        if isinstance(req, _Request):
            req.fresh = True
        return protocol


class _Resolver(AbstractResolver):
    """Gives aiohttp checked addresses only."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """Resolve a name. Raises EgressDenied when no address of it is allowed."""
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)
            for kind, address in await resolve(self._egress, host, port)
        ]

    async def close(self) -> None:
        """Nothing is held."""


class _Upload:
    """A streamed request body: counted against its declared length, and its own error kept apart."""

    def __init__(self, pieces: AsyncIterator[bytes], length: int | None) -> None:
        self._pieces = pieces
        self._left = length
        self.error: BaseException | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            if self._left:
                self.error = NoAnswer("cut")
                raise self.error from None
            raise
        except Exception as error:
            self.error = error
            raise
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                self.error = NoAnswer("cut")
                raise self.error
        return piece


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(view), _PIECE):
        yield bytes(view[start : start + _PIECE])


def _outgoing(request: HTTPRequest) -> tuple[list[tuple[str, str]], _Upload | None, int | None]:
    """Split a request into header fields, a stream or None, and the stream's length if it was declared."""
    length: int | None = None
    headers: list[tuple[str, str]] = []
    try:
        for name, value in request.headers:
            if name not in _KEPT_BACK:
                headers.append((name.decode("ascii"), value.decode()))
            elif name == b"content-length":
                length = int(value)
    except ValueError:
        raise NotSent("header-invalid") from None
    body = request.body
    if not isinstance(body, bytes):
        return headers, _Upload(body, length), length
    if len(body) > _WRITTEN_AT_ONCE:
        return headers, _Upload(_in_pieces(body), len(body)), len(body)
    return headers, None, None


def _request(
    request: HTTPRequest,
    url: URL,
    headers: list[tuple[str, str]],
    upload: _Upload | None,
    length: int | None,
) -> _Request:
    loop = asyncio.get_running_loop()
    if upload is None:
        return _Request(request.method, url, headers=headers, data=request.body or None, loop=loop)
    if length is None:
        return _Request(request.method, url, headers=headers, data=upload, chunked=True, loop=loop)
    framed = [*headers, ("content-length", str(length))]
    return _Request(request.method, url, headers=framed, data=upload, loop=loop)


def _not_sent(error: Exception, *, tls: bool) -> NotSent:
    cause = getattr(error, "os_error", error)
    match error:
        case ClientConnectorDNSError():
            return NotSent("dns")
        case ClientConnectorCertificateError() | ClientConnectorSSLError() | ssl.SSLError():
            return NotSent(refusal(cause) or "tls")
        case TimeoutError():
            return NotSent("connect-timeout")
        case OSError() if isinstance(cause, ConnectionRefusedError):
            return NotSent("refused")
        case OSError() if isinstance(cause, ConnectionError) and tls:
            return NotSent("tls")  # ended in the middle of the handshake
        case OSError():
            return NotSent("unreachable")
        case _:
            return NotSent("closed")


def _no_answer(error: BaseException, *, began: bool) -> ConnectorError | _ClosedBefore | None:
    """Translate what ended an exchange, before or after its answer began; None for what is not aiohttp's."""
    refused = _refusal(error)
    if refused is not None and not began:
        return NotSent(refused)
    match error:
        case ServerDisconnectedError() | ConnectionError() if not began:
            partial = isinstance(error, ServerDisconnectedError) and not isinstance(error.message, str)
            return NoAnswer("cut") if partial else _ClosedBefore()
        case ClientResponseError() | HttpProcessingError():
            return BadAnswer("head-too-large" if _is_too_large(error) else "rubbish")
        case TimeoutError():
            return NoAnswer("timeout")
        case ClientError() | OSError() | RuntimeError():
            return NoAnswer("cut")
        case ValueError() if not began:
            return NotSent("header-invalid")
    return None


def _refusal(error: BaseException) -> str | None:
    """Return what the other side said to our certificate, if that is behind an error."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__
    return refusal(cause)


def _is_too_large(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        # Too many fields have no class of their own.
        if isinstance(cause, LineTooLong) or "Too many headers" in str(getattr(cause, "message", "")):
            return True
        cause = cause.__cause__
    return False


def _check_end(response: ClientResponse, protocol: ResponseHandler) -> None:
    """Refuse an end that a reset made: a body of no known length ends with its connection, if cleanly."""
    if isinstance(protocol.exception(), ClientOSError) and not (
        "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    ):
        raise NoAnswer("cut")


def _named(connection: Iterable[str]) -> frozenset[bytes]:
    """Return the names of the fields that are for us alone, by what `Connection` says (RFC 9110, 7.6.1)."""
    return frozenset(name.strip().lower().encode() for field in connection for name in field.split(","))


def _do_nothing(_: object) -> None:
    """Nothing."""


__all__ = ["REASONS", "AiohttpTransport", "Reply", "ReplyStream"]
