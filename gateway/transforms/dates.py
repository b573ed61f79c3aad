"""Dates as Vietnam's systems write them, whole or only as far as they are known. Pure.

A form is a pattern of `yyyy yy MM dd HH mm ss fff` with anything else between them standing for itself, or `ms` or
`s` (since 1970), or `iso`. Several forms with a bar between are alternatives: the first that fits is read, and the
first for which enough is known is written, so that `yyyyMMdd|yyyyMM|yyyy` keeps "month and year" as it is.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal

MOST_FORMS: Final = 30
VIETNAM: Final = timezone(timedelta(hours=7))
Precision = Literal["year", "month", "day", "second"]

# Only forms that cannot be taken for one another: what is missing here (six digits, `ddMMyyyy`) must be named.
AUTO: Final = (
    "yyyy-MM-dd|yyyy-MM|yyyy|yyyyMMdd|yyyyMMddHHmmss|yyyyMMddHHmmssfff|yyyy-MM-dd HH:mm:ss|iso|yyyy/MM/dd|"
    "yyyy/MM/dd HH:mm:ss|yyyy/MM|dd/MM/yyyy|dd/MM/yyyy HH:mm:ss|dd/MM/yyyy HH:mm|MM/yyyy|dd-MM-yyyy|"
    "dd-MM-yyyy HH:mm:ss|dd.MM.yyyy|MM-yyyy"
)
_DIGITS: Final = str.maketrans("123456789", "0" * 9)
_LETTERS: Final = str.maketrans("yMdHmsf", "0" * 7)
_LONGEST: Final = 40
_PIVOT: Final = 70
_TOKENS: Final = {
    "yyyy": r"(?P<yyyy>[0-9]{4})", "yy": r"(?P<yy>[0-9]{2})", "MM": r"(?P<MM>[0-9]{2})", "dd": r"(?P<dd>[0-9]{2})",
    "HH": r"(?P<HH>[0-9]{2})", "mm": r"(?P<mm>[0-9]{2})", "ss": r"(?P<ss>[0-9]{2})", "fff": r"(?P<fff>[0-9]{3})",
}  # fmt: skip
# Day and month are often written without their zero where something stands between them.
_LOOSE: Final = {
    "MM": r"(?P<MM>[0-9]{1,2})", "dd": r"(?P<dd>[0-9]{1,2})", "HH": r"(?P<HH>[0-9]{1,2})"
}  # fmt: skip
_PARTS: Final = re.compile("yyyy|yy|MM|dd|HH|mm|ss|fff|'[^']*'|[^A-Za-z']|T|Z")
_ISO: Final = re.compile(
    r"(?P<yyyy>[0-9]{4})-(?P<MM>[0-9]{2})-(?P<dd>[0-9]{2})T(?P<HH>[0-9]{2}):(?P<mm>[0-9]{2})(?::(?P<ss>[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]{1,9}))?)?(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_NEEDS: Final = {"yyyy": 1, "yy": 1, "MM": 2, "dd": 3, "HH": 4, "mm": 4, "ss": 4, "fff": 4}
_DEPTHS: Final[tuple[Precision, ...]] = ("year", "month", "day", "second")


class DateUnreadable(ValueError):
    """A text is no date in the form it should have, or a date does not say what the form asks for."""


class FormUnknown(ValueError):
    """A form of date that does not exist."""


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A date known to a year, a month, a day or a second; in local time, with its offset where it has one."""

    year: int
    month: int | None = None
    day: int | None = None
    time: tuple[int, int, int, int] | None = None
    offset: timedelta | None = None

    @property
    def precision(self) -> Precision:
        """Return how far the date is known."""
        return _DEPTHS[self._depth - 1]

    @property
    def _depth(self) -> int:
        return 1 + (self.month is not None) + (self.day is not None) + (self.time is not None)

    def moment(self) -> datetime:
        """Return the moment; without an offset it is Vietnam's time. Raises DateUnreadable when only a day is known."""
        if self.month is None or self.day is None or self.time is None:
            raise DateUnreadable("The date has no time of day.")
        hour, minute, second, milli = self.time
        zone = VIETNAM if self.offset is None else timezone(self.offset)
        return datetime(self.year, self.month, self.day, hour, minute, second, milli * 1000, tzinfo=zone)

    def knows(self, needed: int) -> bool:
        """Say whether the date is known as far as `needed` levels."""
        return self._depth >= needed


def read_date(text: str, forms: str = AUTO) -> PartialDate:
    """Read a date in one of the forms. Raises DateUnreadable, or FormUnknown."""
    text = text.strip()
    if len(text) > _LONGEST:
        raise DateUnreadable("The text is too long for a date.")
    for form in _candidates(text, forms):
        if form in {"ms", "s"}:
            found = _since_epoch(text, form)
        else:
            match = _pattern(form).fullmatch(text)
            found = None if match is None else _from_parts(match.groupdict())
        if found is not None:
            return found
    raise DateUnreadable("The text is no date in the form that is declared.")


def write_date(value: PartialDate, forms: str) -> str:
    """Write a date in the first of the forms for which enough is known. Raises DateUnreadable, or FormUnknown."""
    local = _in_vietnam(value)
    for form in _alternatives(forms):
        if local.knows(_depth_of(form)):
            return _written(local, form)
    raise DateUnreadable(f"The date is known to the {value.precision} only.")


def day_of(value: PartialDate) -> date:
    """Return the day in Vietnam of a date. Raises DateUnreadable when it is not known to the day."""
    local = _in_vietnam(value)
    if local.month is None or local.day is None:
        raise DateUnreadable(f"The date is known to the {value.precision} only.")
    return date(local.year, local.month, local.day)


def _candidates(text: str, forms: str) -> tuple[str, ...]:
    """Return the forms to try. What cannot be mistaken is known by its shape, which is quicker than trying all."""
    if forms in {"auto", AUTO}:
        known = _shapes().get(text.translate(_DIGITS))
        if known is not None:
            return (known,)
    return _alternatives(forms)


@lru_cache(maxsize=1)
def _shapes() -> dict[str, str]:
    """Return the automatic forms by shape: `00/00/0000` is `dd/MM/yyyy`."""
    return {form.translate(_LETTERS): form for form in AUTO.split("|") if form != "iso"}


@lru_cache(maxsize=256)
def _alternatives(forms: str) -> tuple[str, ...]:
    if forms.count("|") >= MOST_FORMS:
        raise FormUnknown(f"There are more than {MOST_FORMS} forms.")
    return tuple(form.strip() for form in (AUTO if forms == "auto" else forms).split("|"))


@lru_cache(maxsize=256)
def _parts(form: str) -> tuple[str, ...]:
    parts = tuple(_PARTS.findall(form))
    if "".join(parts) != form or not {"yyyy", "yy"} & set(parts) or len(form) > _LONGEST:
        raise FormUnknown(
            f"{form!r} is no form of date: use yyyy, yy, MM, dd, HH, mm, ss, fff, or ms, s, iso."
        )
    if len(set(parts) & set(_TOKENS)) != sum(part in _TOKENS for part in parts):
        raise FormUnknown(f"{form!r} names a part of the date twice.")
    return parts


@lru_cache(maxsize=256)
def _pattern(form: str) -> re.Pattern[str]:
    if form == "iso":
        return _ISO
    parts = _parts(form)
    loose = all(part not in _TOKENS or following not in _TOKENS for part, following in pairwise(parts))
    shapes = _TOKENS | _LOOSE if loose else _TOKENS
    return re.compile("".join(shapes.get(part) or re.escape(part.strip("'")) for part in parts))


def _depth_of(form: str) -> int:
    if form in {"ms", "s", "iso"}:
        return 4
    return max(_NEEDS.get(part, 1) for part in _parts(form))


def _from_parts(parts: dict[str, str | None]) -> PartialDate | None:
    """Return the date that the parts say; a month or day of 00 is one that is not known. None when there is none."""
    if (year := parts.get("yyyy")) is None:
        short = int(parts["yy"] or 0)
        year = str(short + (1900 if short >= _PIVOT else 2000))
    month, day = int(parts.get("MM") or 0) or None, int(parts.get("dd") or 0) or None
    if month is None and (day is not None or parts.get("HH") is not None):
        return None
    hours = parts.get("HH")
    time = None
    if hours is not None:
        milli = parts.get("fff") or ((parts.get("fraction") or "") + "000")[:3]
        time = (int(hours), int(parts.get("mm") or 0), int(parts.get("ss") or 0), int(milli))
    found = PartialDate(int(year), month, day, time, _offset(parts.get("zone")))
    return found if _exists(found) else None


def _exists(found: PartialDate) -> bool:
    if found.time is not None and found.day is None:
        return False
    try:
        date(found.year, found.month or 1, found.day or 1)
        if found.time is not None:
            found.moment().astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return True


def _offset(zone: str | None) -> timedelta | None:
    if zone is None:
        return None
    if zone == "Z":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    return (-1 if zone[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes)


def _since_epoch(text: str, unit: str) -> PartialDate | None:
    if not re.fullmatch("-?[0-9]{1,14}", text):
        return None
    milliseconds = int(text) * (1 if unit == "ms" else 1000)
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
        return _of_moment(moment.astimezone(VIETNAM))
    except OverflowError:
        return None


def _of_moment(moment: datetime) -> PartialDate:
    time = (moment.hour, moment.minute, moment.second, moment.microsecond // 1000)
    return PartialDate(moment.year, moment.month, moment.day, time, moment.utcoffset())


def _in_vietnam(value: PartialDate) -> PartialDate:
    return value if value.offset is None else _of_moment(value.moment().astimezone(VIETNAM))


def _written(value: PartialDate, form: str) -> str:
    if form in {"ms", "s"}:
        milliseconds = (value.moment() - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        return str(milliseconds if form == "ms" else milliseconds // 1000)
    if form == "iso":
        return value.moment().replace(microsecond=0).isoformat()
    hour, minute, second, milli = value.time or (0, 0, 0, 0)
    spelt = {
        "yyyy": f"{value.year:04}", "yy": f"{value.year % 100:02}", "MM": f"{value.month or 0:02}",
        "dd": f"{value.day or 0:02}", "HH": f"{hour:02}", "mm": f"{minute:02}", "ss": f"{second:02}",
        "fff": f"{milli:03}",
    }  # fmt: skip
    return "".join(spelt.get(part) or part.strip("'") for part in _parts(form))
