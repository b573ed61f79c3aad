"""What the guard's connections share: their limits, one watch over all deadlines, and a gentle way to close."""

import os
import socket
import struct
from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.limiter import Network
from gateway.notices import GUARD
from gateway.problems import notice, render


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLimits:
    """What a connection may do. `trusted` networks (our own proxies) have no limit per address."""

    connections: int = 4096
    connections_per_address: int = 1024
    headers: int = 100
    head_bytes: int = 32 * 1024
    header_bytes: int = 16 * 1024
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    keep_alive_seconds: float = 75.0
    pipelined: int = 32
    trusted: tuple[Network, ...] = ()


class RefusalCounter(Protocol):
    """Where refusals are counted."""

    def refused(self, reason: str) -> object: ...


class Watched(Protocol):
    """A connection with a deadline, in the event loop's time."""

    deadline: float

    def overdue(self) -> None: ...


class Answered(Protocol):
    """A connection that answers are written to."""

    transport: Transport

    def close_when_answered(self) -> None: ...


class Watch:
    """Looks after all connections of a process: how many there are, and who is late.

    One timer walks the connections a few times a second; setting a deadline is one assignment, so a request
    needs no timer of its own. Deadlines are kept to within a tick.
    """

    def __init__(self, limits: GuardLimits) -> None:
        self.connections: set[Watched] = set()
        self.addresses: Counter[str] = Counter()
        self.lingering = 0
        self.now = 0.0
        shortest = min(limits.head_seconds, limits.body_seconds, limits.keep_alive_seconds)
        self._tick_seconds = min(0.25, shortest / 4)
        self._timer: TimerHandle | None = None

    def add(self, connection: Watched, loop: AbstractEventLoop) -> None:
        """Take a connection up; whoever does discards it from `connections` when it is lost."""
        self.connections.add(connection)
        if self._timer is None:
            self.now = loop.time()
            self._timer = loop.call_later(self._tick_seconds, self._tick, loop)

    def _tick(self, loop: AbstractEventLoop) -> None:
        self.now = now = loop.time()
        for connection in [c for c in self.connections if c.deadline < now]:
            connection.overdue()
        self._timer = loop.call_later(self._tick_seconds, self._tick, loop) if self.connections else None


class Gate:
    """Stands before the transport for one connection's answers: closing waits for what is still coming in."""

    __slots__ = ("_connection", "is_closing", "write")

    def __init__(self, connection: Answered) -> None:
        self._connection = connection
        self.write = connection.transport.write
        self.is_closing = connection.transport.is_closing

    def close(self) -> None:
        """Close when the answer is out."""
        self._connection.close_when_answered()

    def abort(self) -> None:
        """Close at once, dropping what is not sent yet."""
        self._connection.transport.abort()

    def reset(self) -> None:
        """Close at once and so that the caller cannot take it for the answer's end (RST in place of FIN)."""
        transport = self._connection.transport
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


class GuardedCycle(RequestResponseCycle):
    """uvicorn's cycle of request and response, which never keeps a connection whose request is not at its end.

    An answer given before the body has come (413, 401, no `100 Continue`) closes the connection: what follows
    could be taken for the next request. A caller of HTTP/1.0 knows no chunks: an answer without a length ends with
    its connection (RFC 9112, 6.3 and 7.1).
    """

    _ends_with_connection = False

    def send(self, message: ASGISendEvent) -> Coroutine[Any, Any, None]:  # Any: what every coroutine has
        """Send an event of the answer."""
        if self.more_body and not self.response_started:
            self.keep_alive = False
        if self.scope["http_version"] == "1.0":
            self._without_chunks(message)
        return super().send(message)

    def _without_chunks(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", ())}
            if not names & {b"content-length", b"transfer-encoding"}:
                self.chunked_encoding, self.keep_alive, self._ends_with_connection = False, False, True
        elif message["type"] == "http.response.body" and self._ends_with_connection:
            # uvicorn counts down to the end of a declared length: each piece is the whole of it.
            self.expected_content_length = len(message.get("body", b""))


def _response(reason: str) -> bytes:
    status, headers, body = render(notice(reason))
    phrase = HTTPStatus(status).phrase.encode()
    lines = [b"HTTP/1.1 %d %s" % (status, phrase)]
    lines += [b"%s: %s" % field for field in (*headers, (b"content-length", b"%d" % len(body)))]
    return b"\r\n".join([*lines, b"connection: close", b"", body])


RESPONSES: Final = {reason: _response(reason) for reason in GUARD}
"""What is written for each reason of the guard, ready-made."""
