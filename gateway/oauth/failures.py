"""Counts failed sign-ins per client and address.

Only failures are counted and only failures are refused: whoever shows the right credentials gets in, however many
strangers, even behind the same address, have tried before.
"""

from collections import OrderedDict
from math import ceil

WINDOW_SECONDS = 60.0
MAX_KEYS = 10_000


class Failures:
    """Failed sign-ins of the last minute; remembers a bounded number of clients and addresses."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._windows: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def count(self, client: str, address: str, now: float) -> int | None:
        """Count a failure; return after how many seconds to try again once there are too many, else None.

        `client` is "" for every client that is not known, so that invented names take no room.
        """
        key = (client, address)
        began, failed = self._windows.pop(key, (now, 0))
        if not 0 <= now - began < WINDOW_SECONDS:
            began, failed = now, 0
        self._windows[key] = (began, failed + 1)
        if len(self._windows) > MAX_KEYS:
            self._windows.popitem(last=False)
        if failed < self._per_minute:
            return None
        return max(1, ceil(began + WINDOW_SECONDS - now))
