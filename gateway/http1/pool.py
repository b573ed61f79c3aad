"""The connections to one destination: those that rest, those being made, and who waits for one."""

import asyncio
import socket
import ssl
from collections import deque
from ipaddress import IPv4Address, IPv6Address
from time import monotonic

from connectors.errors import NoAnswer, NotSent
from gateway.egress import resolve
from gateway.http1.connection import Connection
from gateway.http1.framing import Destination
from gateway.http1.limits import Terms
from gateway.tls import refusal


class Pool:
    """Gives out connections and takes them back; the one used last is used next, so that the others can go."""

    __slots__ = (
        "_closed",
        "_connections",
        "_destination",
        "_idle",
        "_literal",
        "_opening",
        "_terms",
        "_waiting",
        "after_target",
    )

    def __init__(self, destination: Destination, terms: Terms) -> None:
        """Check the destination. Raises EgressDenied when no call may go there."""
        self._destination = destination
        self._terms = terms
        self._literal: IPv4Address | IPv6Address | None = terms.egress.check_host(
            destination.host, destination.port
        )
        self._idle: list[Connection] = []
        self._connections: set[Connection] = set()
        self._opening = 0
        self._closed = False
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self.after_target = destination.after_target

    @property
    def is_unused(self) -> bool:
        """Whether there is nothing to keep."""
        return not self._connections and not self._opening and not self._waiting

    def find(self, now: float) -> Connection | None:
        """Return a connection that rests; one that is known to be closed is never given out."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.can_carry(now):
                return connection
            connection.abort()
        return None

    async def open(self, seconds: float, *, fresh: bool) -> Connection:
        """Make a connection, or wait for one while there are as many as may be; `fresh` takes only a new one.

        Raises:
            NotSent: there is none within so many seconds.
            EgressDenied: none of the destination's addresses is allowed.
        """
        until = monotonic() + seconds
        try:
            with self._terms.deadlines.until(until):
                if len(self._connections) + self._opening >= self._terms.limits.connections:
                    waited_for = await self._wait()
                    if waited_for is not None and not fresh:
                        return waited_for
                    if waited_for is not None:
                        waited_for.abort()
                        self._opening += 1
                else:
                    self._opening += 1
                return await self._make(until)
        except (OSError, TimeoutError) as error:
            raise _not_sent(error, secure=self._destination.scheme == "https") from error

    def give_back(self, connection: Connection) -> None:
        """Take a connection that can carry another exchange; whoever has waited longest gets it."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if len(self._idle) < self._terms.limits.idle_connections:
            self._idle.append(connection)
        else:
            connection.abort()

    def lost(self, connection: Connection) -> None:
        """Forget a connection that carries no more."""
        if connection in self._connections:
            self._connections.remove(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._make_room()

    def close(self) -> None:
        """Close all connections, and let nobody wait. One being made meanwhile is closed when it is there."""
        self._closed = True
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(NotSent("closed"))
        for connection in list(self._connections):
            connection.fail(NoAnswer("cut"))

    async def _wait(self) -> Connection | None:
        """Return a connection given back, or None: then a place is reserved for a new one."""
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._hand_on(waiter.result())
            raise

    def _hand_on(self, connection: Connection | None) -> None:
        """Give to somebody else what came for one who left meanwhile."""
        if connection is None:
            self._opening -= 1
            self._make_room()
        elif not connection.gone:
            self.give_back(connection)

    def _make_room(self) -> None:
        while self._waiting and len(self._connections) + self._opening < self._terms.limits.connections:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._opening += 1
                waiter.set_result(None)

    async def _make(self, until: float) -> Connection:
        """Connect. A place was reserved before; it becomes the connection's, or free again."""
        try:
            connection = await self._connect(until)
            if self._closed:
                connection.abort()
                raise NotSent("closed")
            if (
                not connection.gone
            ):  # a peer that hangs up at once may be gone before we know that it was there
                self._connections.add(connection)
        finally:
            self._opening -= 1
            if self._waiting:
                self._make_room()
        return connection

    async def _connect(self, until: float) -> Connection:
        destination = self._destination
        if self._literal is not None:
            return await self._connect_to(str(self._literal))
        found = await resolve(self._terms.egress, destination.host, destination.port)
        addresses = list(dict.fromkeys(address for _, address in found))
        for number, address in enumerate(addresses[:-1]):
            share = (until - monotonic()) / (len(addresses) - number)
            try:
                with self._terms.deadlines.until(monotonic() + share):
                    return await self._connect_to(address)
            except OSError:
                continue
        return await self._connect_to(addresses[-1])

    async def _connect_to(self, address: str) -> Connection:
        loop = asyncio.get_running_loop()
        destination, terms = self._destination, self._terms
        connection = Connection(self, terms, loop)
        secure = destination.scheme == "https"
        try:
            await loop.create_connection(
                lambda: connection,
                address,
                destination.port,
                ssl=terms.trust.context() if secure else None,
                server_hostname=destination.host.rstrip(".") if secure else None,
            )
        except BaseException:
            connection.abort()
            raise
        return connection


def _not_sent(error: OSError | TimeoutError, *, secure: bool) -> NotSent:
    match error:
        case socket.gaierror():
            return NotSent("dns")
        case ssl.SSLError():
            return NotSent(refusal(error) or "tls")
        case TimeoutError():
            return NotSent("connect-timeout")
        case ConnectionRefusedError():
            return NotSent("refused")
        case ConnectionError() if secure:
            return NotSent("tls")  # ended in the middle of the handshake
        case _:
            return NotSent("unreachable")
