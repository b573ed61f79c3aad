"""Work on large messages where it blocks nobody: in a thread, and without the collector walking through their trees."""

import gc
from collections.abc import Callable
from threading import Lock
from typing import Final, TypeVar

from anyio import CapacityLimiter, to_thread

T = TypeVar("T")
LARGE_BYTES: Final = 64 * 1024


class Aside:
    """Does what may take long in a thread, a few at once.

    A collection that meets the hundred thousands of objects of one message stops every thread for as long as it takes.
    They hold no cycles, so that none is collected while they are there.
    """

    def __init__(self, threads: CapacityLimiter) -> None:
        self._threads = threads
        self._lock = Lock()
        self._under_way = 0

    async def do(self, size: int, work: Callable[[], T]) -> T:
        """Return what the work on a message of this size returns."""
        if size < LARGE_BYTES:
            return work()
        return await to_thread.run_sync(self._undisturbed, work, limiter=self._threads)

    def _undisturbed(self, work: Callable[[], T]) -> T:
        with self._lock:
            self._under_way += 1
            gc.disable()
        try:
            return work()
        finally:
            with self._lock:
                self._under_way -= 1
                if not self._under_way:
                    gc.enable()
