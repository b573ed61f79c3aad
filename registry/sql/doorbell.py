"""Hearing of a new revision at once, on PostgreSQL; a doorbell only, for everybody polls as well."""

import asyncio
import time
from types import TracebackType
from typing import Any, Self

import asyncpg

_RETRY_SECONDS = 5.0
_CONNECT_SECONDS = 3.0


class Doorbell:
    """Listens on a channel with a connection of its own, which it renews when it is lost."""

    def __init__(self, dsn: str, channel: str) -> None:
        self._dsn = dsn
        self._channel = channel
        self._rung = asyncio.Event()
        self._connection: Any = None  # Any: asyncpg ships no types
        self._tried = 0.0

    async def wait(self, timeout: float) -> None:  # noqa: ASYNC109  (the wait is the point)
        """Return when somebody rings, at the latest after `timeout` seconds."""
        started = time.monotonic()
        await self._listen()
        try:
            async with asyncio.timeout(max(0.0, timeout - (time.monotonic() - started))):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()

    async def close(self) -> None:
        """Stop listening. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _listen(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            return
        if time.monotonic() - self._tried < _RETRY_SECONDS and self._tried:
            return
        self._tried = time.monotonic()
        try:
            self._connection = await asyncpg.connect(self._dsn, timeout=_CONNECT_SECONDS)
            await self._connection.add_listener(self._channel, self._ring)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self.close()  # the poll goes on without the doorbell

    def _ring(self, *_: object) -> None:
        self._rung.set()
