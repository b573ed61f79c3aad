"""The native facade: HTTP as it comes, with WSO2-style paths; a raw ASGI callable."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from time import perf_counter_ns
from typing import Any

from connectors.errors import ConnectorError
from connectors.message import Headers
from gateway.exchange import Reason, Refusal, Reply, Request
from gateway.limiter import AddressLimiter
from gateway.paths import normalise
from gateway.pipeline import Pipeline
from gateway.proxies import Proxies
from gateway.steps.streams import is_cut
from registry.errors import LedgerUnavailable

Scope = MutableMapping[str, Any]  # Any: the ASGI specification's own type
Event = MutableMapping[str, Any]  # Any: the same
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

NO_BODY = (204, 304)


class NativeFacade:
    """Takes a request off ASGI, has it carried, and writes the answer."""

    def __init__(
        self,
        pipeline: Pipeline,
        limiter: AddressLimiter,
        proxies: Proxies,
        turned_away: Callable[[Reason], None],
    ) -> None:
        self._pipeline = pipeline
        self._limiter = limiter
        self._proxies = proxies
        self._turned_away = turned_away

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope, receive, self._proxies)
        reply = await self.handle(request, scope["raw_path"])
        try:
            await answer(reply, request, send)
        except StreamCut:
            if not await hang_up(scope):
                raise
        except asyncio.CancelledError:
            if not is_cut(request) or not await hang_up(scope):
                raise

    async def handle(self, request: Request, raw_path: bytes) -> Reply:
        """Carry a request whose path is still as it came; the same for both doors, ASGI and the fast lane."""
        try:
            wait = self._limiter.spend(request.client_address)
            if wait > 0:
                raise Refusal(Reason.ADDRESS_LIMITED, retry_after=wait)
            request.path = normalise(raw_path)
            return await self._pipeline.carry(request)
        except Refusal as refusal:
            self._turned_away(refusal.reason)
            return self._pipeline.turned_away(refusal, request)

    def client_address(self, peer: str, headers: Headers) -> str:
        """Return the caller's address, behind proxies that we trust."""
        return self._proxies.client(peer, headers)


def request_of(scope: Scope, receive: Receive, proxies: Proxies) -> Request:
    """Return what ASGI hands over as a Request, its path yet to be normalised."""
    headers = scope["headers"]
    peer = scope["client"][0] if scope.get("client") else ""
    transport = scope.get("lgsp.transport")
    return Request(
        method=scope["method"],
        path="",
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        read=body_reader(receive),
        gone=transport.is_closing if transport is not None else _never,
        length=body_length(headers),
        client_address=proxies.client(peer, headers),
        received_ns=perf_counter_ns(),
    )


async def hang_up(scope: Scope) -> bool:
    """Close the connection, dropping what is not sent yet; False when it is not in our hands.

    An answer to HTTP/1.0 may be one that the connection's end ends: the caller is shown that this is none.
    """
    transport = scope.get("lgsp.transport")
    if transport is None:
        return False
    if scope["http_version"] == "1.0":
        transport.reset()
    else:
        transport.abort()
    await asyncio.sleep(0)  # the server learns of it before it looks for the end of the answer
    return True


def _never() -> bool:
    return False


def body_length(headers: Headers) -> int | None:
    """Return the declared length of a body: 0 without one, None when it is chunked."""
    length: int | None = 0
    for name, value in headers:
        if name == b"content-length":
            return int(value)
        if name == b"transfer-encoding":
            length = None
    return length


def body_reader(receive: Receive) -> Callable[[], Awaitable[bytes]]:
    """Return a function that gives the next piece of the body, b"" at its end."""
    ended = False

    async def read() -> bytes:
        nonlocal ended
        while not ended:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise Refusal(Reason.BODY_CUT)
            ended = not event.get("more_body", False)
            piece: bytes = event.get("body", b"")
            if piece:
                return piece
        return b""

    return read


async def answer(reply: Reply, request: Request, send: Send) -> None:
    """Write the answer; a stream that breaks cuts the connection, so that the caller sees a truncated message."""
    headers, body = reply.headers, reply.body
    if isinstance(body, bytes):
        bare = request.method == "HEAD" or reply.status in NO_BODY
        if not bare:
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if bare else body})
        return
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    async with aclosing(pieces_of(body, request.gone)) as pieces:
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    if not request.gone():
        await send({"type": "http.response.body", "body": b""})


async def pieces_of(body: AsyncIterator[bytes], gone: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
    """Yield a streamed answer's pieces until the caller has gone. Raises StreamCut when it breaks."""
    try:
        async for piece in body:
            if gone():
                return
            yield piece
    except (ConnectorError, LedgerUnavailable, Refusal) as error:
        raise StreamCut(type(error).__name__) from error
    finally:
        await body.aclose()  # type: ignore[attr-defined]  # the recorder's streams are generators


class StreamCut(Exception):
    """A streamed answer broke after it had begun; the server closes the connection without ending the message."""
