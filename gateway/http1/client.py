"""The client that connectors get: an address to its pool, a request over a connection, once or (rarely) twice."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Self

from connectors.contract import HTTPRequest, TLSIdentity
from connectors.errors import NotSent
from gateway.deadlines import Deadlines
from gateway.egress import Egress
from gateway.http1.connection import ClosedBefore, Connection
from gateway.http1.framing import Destination, Outgoing, check_characters, parse_address, target_of
from gateway.http1.limits import Certificate, Limits, Terms, Trust
from gateway.http1.pool import Pool
from gateway.http1.replies import Reply

IDLE_SECONDS = 4.0
"""Below the five seconds after which common servers close: a request that meets a closing connection may be lost."""

_MANY = 4096


class HTTP1Transport:
    """Sends requests over kept connections. One per worker; used from its event loop alone.

    A request is sent once more, over a fresh connection, when a kept one was closed before anything was sent,
    or before a byte of the answer came and the request is a GET, HEAD or OPTIONS without a stream.
    """

    def __init__(
        self,
        *,
        egress: Egress,
        deadlines: Deadlines,
        ca_file: Path | None = None,
        buffer_bytes: int = 64 * 1024,
        idle_seconds: float = IDLE_SECONDS,
        certificate: Certificate | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._terms = Terms(
            egress=egress,
            deadlines=deadlines,
            trust=Trust(ca_file=ca_file, certificate=certificate),
            buffer_bytes=buffer_bytes,
            idle_seconds=idle_seconds,
            limits=limits or Limits(),
        )
        self._pools: dict[Destination, Pool] = {}
        self._origins: dict[str, Pool] = {}
        self._narrowed: set[HTTP1Transport] = set()
        self._forget: Callable[[HTTP1Transport], None] = _do_nothing
        self._closed = False

    def narrowed(self, networks: Sequence[str]) -> "HTTP1Transport":
        """Return a client, with connections of its own, for those allowed addresses that lie in `networks`."""
        return self._apart(replace(self._terms, egress=self._terms.egress.narrowed(networks)))

    def with_tls(self, identity: TLSIdentity) -> "HTTP1Transport":
        """Return a client, with connections of its own, that shows and takes those certificates. Raises ValueError."""
        return self._apart(replace(self._terms, trust=self._terms.trust.of(identity)))

    def _apart(self, terms: Terms) -> "HTTP1Transport":
        client = HTTP1Transport(egress=terms.egress, deadlines=terms.deadlines)
        client._terms = terms
        client._forget = self._narrowed.discard
        self._narrowed.add(client)
        return client

    async def send(self, request: HTTPRequest) -> Reply:
        """Send and return the answer's head with its body; the promise stands in the contract."""
        url = request.url
        check_characters(url)
        slash = url.find("/", 8)
        pool = self._origins.get(url[:slash]) if slash > 0 else None
        if pool is None:
            pool, slash = self._pool_of(url)
        outgoing = Outgoing(request, target_of(url[slash:]), pool.after_target)
        connection = pool.find(monotonic())
        fresh = False
        while True:
            if connection is None:
                connection = await _opened(pool, request, fresh=fresh)
            reused = connection.reused
            exchange = connection.begin(outgoing, request.deadline)
            try:
                return await exchange
            except ClosedBefore as error:
                if not (reused and (outgoing.repeatable or not error.sent)):
                    raise error.for_caller() from error
                fresh, connection = True, None if error.sent else pool.find(monotonic())
            except BaseException:
                connection.give_up(exchange)
                raise

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        self._closed = True
        self._forget(self)
        for client in list(self._narrowed):
            await client.close()
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        self._origins.clear()
        # The event loop tells a connection that it is closed in its next round.
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _pool_of(self, url: str) -> tuple[Pool, int]:
        """Return the pool for an address not seen before, and where the address's target begins."""
        if self._closed:
            raise NotSent("closed")
        destination, end = parse_address(url)
        pool = self._pools.get(destination)
        if pool is None:
            pool = Pool(destination, self._terms)
            self._make_room()
            self._pools[destination] = pool
        self._origins[url[:end]] = pool
        return pool, end

    def _make_room(self) -> None:
        """Keep addresses that came from data from filling the memory."""
        if len(self._pools) < _MANY and len(self._origins) < _MANY:
            return
        self._origins.clear()
        self._pools = {where: pool for where, pool in self._pools.items() if not pool.is_unused}


async def _opened(pool: Pool, request: HTTPRequest, *, fresh: bool) -> Connection:
    seconds = min(request.connect_seconds, request.deadline - monotonic())
    if seconds <= 0:
        raise NotSent("connect-timeout")
    return await pool.open(seconds, fresh=fresh)


def _do_nothing(_: object) -> None:
    """Nothing."""
