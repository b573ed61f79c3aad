"""Times and days as they stand in a query."""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from registry.usage import start_of

EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)
"""Days far outside overflow when windows are counted from them."""


def parse_moment(given: object) -> datetime:
    """Read a time with its offset, or a day: then the moment at which it begins in Vietnam. Raises ValueError."""
    if not isinstance(given, str):
        raise ValueError("a time or a day is expected")
    try:
        return start_of(date.fromisoformat(given)) if len(given) == len("2026-01-31") else _time(given)
    except OverflowError:
        raise ValueError("the time is out of range") from None


def _time(given: str) -> datetime:
    # An unescaped plus sign reaches us as a space.
    moment = datetime.fromisoformat(given.replace(" ", "+") if given.count(" ") == 1 else given)
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset, for example 2026-01-31T08:00:00+07:00")
    return moment.astimezone(UTC)


Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}
    ),
]
"""A time with its offset, or a day of Asia/Ho_Chi_Minh."""


def parse_day(given: object) -> date:
    """Read a day, written 2026-01-31. Raises ValueError."""
    if not isinstance(given, str) or len(given) != len("2026-01-31"):
        raise ValueError("a day is expected, for example 2026-01-31")
    day = date.fromisoformat(given)
    if not EARLIEST <= day <= LATEST:
        raise ValueError(f"a day from {EARLIEST} to {LATEST} is expected")
    return day


Day = Annotated[date, BeforeValidator(parse_day), WithJsonSchema({"type": "string", "format": "date"})]
"""A day of Asia/Ho_Chi_Minh."""
