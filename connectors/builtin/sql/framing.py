"""PostgreSQL's framing, looked at before asyncpg sees it: its parser never returns from some lengths that are none.

A server that sends such a length, broken or hostile, would hold up the event loop for ever.
"""

import asyncio
from collections.abc import Callable
from ssl import SSLContext
from typing import Any

from asyncpg.protocol import Protocol

_HEAD = 5
"""A message begins with a letter and its length, four bytes that count themselves."""
_LEAST = 4
_MOST = 1 << 30
"""PostgreSQL sends no message above 1 GiB."""


class Frames:
    """Follows the messages of a stream, in whatever pieces it comes."""

    __slots__ = ("_head", "_left")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    def take(self, piece: bytes) -> bool:
        """Take the next piece in; say whether every message in it has a length that can be one."""
        at, end = self._left, len(piece)
        if self._head:
            piece, at, end = self._head + piece, 0, len(self._head) + end
            self._head = b""
        while at + _HEAD <= end:
            length = int.from_bytes(piece[at + 1 : at + _HEAD], signed=True)
            if not _LEAST <= length <= _MOST:
                return False
            at += 1 + length
        if at < end:
            self._head, self._left = piece[at:], 0
        else:
            self._left = at - end
        return True


class Relay(asyncio.Protocol):
    """Hands on to asyncpg's protocol what is framed as it has to be, and ends the connection otherwise."""

    def __init__(self, inner: Protocol) -> None:
        self.inner = inner
        self._frames = Frames()
        self._transport: asyncio.BaseTransport | None = None
        self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection up."""
        self.attach(transport)
        self.inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand the end on."""
        self.inner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        """Hand on that the server says no more; asyncpg does not keep such a connection."""
        self.inner.eof_received()
        return None

    def pause_writing(self) -> None:
        """Hand on that the buffer is full."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand on that the buffer has room."""
        self.inner.resume_writing()

    def attach(self, transport: asyncio.BaseTransport) -> None:
        """Know what to end when it has to be ended."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand a piece on, or give the connection up."""
        if self._is_over:
            return
        if self._frames.take(data):
            self.inner.data_received(data)
            return
        self._is_over = True
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()


class GuardedLoop:
    """The running event loop, but for that it puts a `Relay` before each protocol of asyncpg's.

    It equals the loop that it stands for, so that asyncio finds that loop's current task by it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:  # Any: whatever the loop has
        return getattr(self._loop, name)

    def __hash__(self) -> int:
        return hash(self._loop)

    def __eq__(self, other: object) -> bool:
        return other is self._loop or other is self

    async def create_connection(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """Connect; the protocol returned is the one that was asked for."""
        transport, protocol = await self._loop.create_connection(lambda: _guarded(factory()), host, port)
        return transport, protocol.inner if isinstance(protocol, Relay) else protocol

    async def start_tls(
        self,
        transport: asyncio.Transport,
        protocol: asyncio.BaseProtocol,
        context: SSLContext,
        *,
        server_hostname: str,
    ) -> "_GuardedTransport":
        """Begin TLS on a connection."""
        secured = await self._loop.start_tls(transport, protocol, context, server_hostname=server_hostname)
        if secured is None:
            raise ConnectionError("closed in the TLS handshake")
        return _GuardedTransport(secured)


class _GuardedTransport:
    """A transport that takes no protocol of asyncpg's without a `Relay` before it."""

    def __init__(self, inner: asyncio.Transport) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:  # Any: whatever the transport has
        return getattr(self._inner, name)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        guarded = _guarded(protocol)
        if isinstance(guarded, Relay):
            guarded.attach(self._inner)
        self._inner.set_protocol(guarded)


def _guarded(protocol: asyncio.BaseProtocol) -> asyncio.BaseProtocol:
    return Relay(protocol) if isinstance(protocol, Protocol) else protocol
