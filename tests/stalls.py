"""How long the event loop is held up while something runs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def watched_loop() -> AsyncIterator[list[float]]:
    """Give the seconds between a task's turns, one for each turn since the block began."""
    gaps: list[float] = []

    async def watch() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.001)
            gaps.append(time.monotonic() - began)

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0.01)
    try:
        yield gaps
        await asyncio.sleep(0.01)  # a stall that is not over for the watcher counts, too
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
