"""Months of the ledger: those of Asia/Ho_Chi_Minh, by the time at which a batch was sealed."""

import re
from datetime import UTC, datetime, timedelta, timezone

# Vietnam has had one offset since 1975 and no summer time.
ZONE = timezone(timedelta(hours=7))
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bounds(month: str) -> tuple[int, int]:
    """Return where a month (`2026-10`) begins and ends, in microseconds. Raises ValueError."""
    if not _MONTH.match(month) or month < "1970-02":
        raise ValueError(f"{month!r} is not a month: write it as 2026-10")
    year, number = int(month[:4]), int(month[5:])
    start = datetime(year, number, 1, tzinfo=ZONE)
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=ZONE)
    return _microseconds(start), _microseconds(end)


def month_of(at: int) -> str:
    """Return the month in which a time lies."""
    return f"{(_EPOCH + timedelta(microseconds=at)).astimezone(ZONE):%Y-%m}"


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)
