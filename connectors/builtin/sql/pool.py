"""Connections kept for the next call: the latest used first, no more than allowed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connectors.builtin.sql.driver import Session
from connectors.contract import Clock

IDLE_SECONDS = 60.0
LIFE_SECONDS = 1800.0


@dataclass(slots=True)
class Kept:
    """A connection with its times. `used` says that it has carried a statement before."""

    session: Session
    made: float
    since: float
    used: bool = False


class Pool:
    """Hands out connections; who took one gives it back or drops it, and neither waits."""

    def __init__(self, connect: Callable[[], Awaitable[Session]], *, size: int, clock: Clock) -> None:
        self._connect = connect
        self._clock = clock
        self._places = asyncio.Semaphore(size)
        self._idle: list[Kept] = []
        self._closed = False

    async def take(self) -> Kept:
        """Return a connection that nobody else has. Raises what connecting raises."""
        await self._places.acquire()
        try:
            kept = self._usable()
            if kept is None:
                session = await self._connect()
                now = self._clock.monotonic()
                kept = Kept(session, now, now)
            return kept
        except BaseException:
            self._places.release()
            raise

    def give(self, kept: Kept) -> None:
        """Take a connection back that the next call can use."""
        kept.since, kept.used = self._clock.monotonic(), True
        if self._closed:
            kept.session.abort()
        else:
            self._idle.append(kept)
        self._places.release()

    def drop(self, kept: Kept) -> None:
        """Take a connection back that nobody can use any more."""
        kept.session.abort()
        self._places.release()

    def _usable(self) -> Kept | None:
        now = self._clock.monotonic()
        # The longest idle stand first: those that idled too long leave before one is taken.
        while self._idle and now - self._idle[0].since > IDLE_SECONDS:
            self._idle.pop(0).session.abort()
        while self._idle:
            kept = self._idle.pop()
            if not kept.session.is_closed and now - kept.made <= LIFE_SECONDS:
                return kept
            kept.session.abort()
        return None

    async def close(self) -> None:
        """Close what is idle, and what comes back later as it comes. Idempotent."""
        self._closed = True
        idle, self._idle = self._idle, []
        for kept in idle:
            await kept.session.close()
