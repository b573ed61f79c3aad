"""What a process holds, and what a piece of code does to the world outside it."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CODE = (".py", ".pyc", ".so", ".pyd", ".dll")
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "sqlite3.connect")


def held() -> tuple[int, int, int]:
    """Return how many tasks, threads and (where the system tells) descriptors there are."""
    folder = next((folder for folder in ("/proc/self/fd", "/dev/fd") if Path(folder).is_dir()), None)
    descriptors = sum(1 for _ in Path(folder).iterdir()) if folder else 0
    return len(asyncio.all_tasks()), threading.active_count(), descriptors


class _Watch:
    """An audit hook, which Python never takes off again; it costs a look at one attribute."""

    def __init__(self) -> None:
        self.thread: int | None = None
        self.seen: list[str] = []
        self.is_hooked = False

    def note(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.thread is None or threading.get_ident() != self.thread:
            return
        if (event.startswith("socket.") and event != "socket.__new__") or event in _STARTS:
            self.seen.append(event)
        elif event == "open" and isinstance(arguments[0], str) and not arguments[0].endswith(_CODE):
            self.seen.append(f"open {arguments[0]}")


_watch = _Watch()


@contextmanager
def watched_io() -> Iterator[list[str]]:
    """Note what this thread opens, resolves, connects and starts. Imports are let pass."""
    if not _watch.is_hooked:
        sys.addaudithook(_watch.note)
        _watch.is_hooked = True
    seen: list[str] = []
    _watch.seen = seen
    _watch.thread = threading.get_ident()
    try:
        yield seen
    finally:
        _watch.thread = None
