"""Ids: UUIDv7 (RFC 9562), so that they sort by the time they were made."""

import threading
import time

from registry.randomness import Randomness

_SUB_MILLISECOND = 12
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62


class _Clock:
    """Hands out time stamps that never repeat or go back within a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def tick(self) -> int:
        """Return milliseconds since the epoch with 12 bits of fraction."""
        milliseconds, rest = divmod(time.time_ns(), 1_000_000)
        now = milliseconds << _SUB_MILLISECOND | (rest << _SUB_MILLISECOND) // 1_000_000
        with self._lock:
            self._last = now if now > self._last else self._last + 1
            return self._last


_clock = _Clock()
_randomness = Randomness()


def uuid7() -> str:
    """Return a new id, greater than every one made before in this process."""
    return _render(_clock.tick())


def uuid7_at(unix_ms: int) -> str:
    """Return a new id of that millisecond; ids of one millisecond are in no order."""
    fraction = int.from_bytes(_randomness.take(2)) >> 4
    return _render(unix_ms << _SUB_MILLISECOND | fraction)


def _render(stamp: int) -> str:
    """Lay out 60 bits of time (RFC 9562, section 6.2, method 3) and 62 random bits."""
    random = int.from_bytes(_randomness.take(8)) >> 2
    value = (stamp >> _SUB_MILLISECOND) << 80 | _VERSION_7 | (stamp & 0xFFF) << 64 | _VARIANT | random
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
