"""The calls of a connector that are under way: what `call`, `drain` and `close` have to agree on."""

import asyncio


class Calls:
    """Counts calls under way. Used from one event loop.

    `with calls:` stands around what `call` does, `begin` and `end` around an answer that is read after it has
    returned; `call` answers `Unreachable(reason="closed")` once `closed` is true.
    """

    __slots__ = ("_idle", "_running", "closed")

    def __init__(self) -> None:
        self.closed = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self) -> None:
        """Count one more."""
        self._running += 1
        self._idle.clear()

    def end(self) -> None:
        """Count one less."""
        self._running -= 1
        if not self._running:
            self._idle.set()

    def __enter__(self) -> None:
        self.begin()

    def __exit__(self, *_: object) -> None:
        self.end()

    def close(self) -> None:
        """Take no more calls; those under way go on. Idempotent."""
        self.closed = True

    async def drain(self) -> None:
        """Take no more calls, and return when none is under way."""
        self.closed = True
        await self._idle.wait()
