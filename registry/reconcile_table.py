"""Reading a provider's own counts: a CSV or XLSX table with an hour, what was called, and how often.

Headers may be Vietnamese or English, in any order, with or without accents. Nothing is guessed silently: a row that
cannot be read is refused with its reasons, and it is said how many hours had no time zone and which was assumed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo

from registry.errors import Flaw, Invalid
from registry.inventory_tables import Row, read_rows
from registry.inventory_words import word
from registry.usage import HOUR_SECONDS

_NEEDED = "an hour (or a day and an hour) and a count (or successes and failures)"
_YEARS = range(2000, 2101)
_MOST = 10**12

_WORDS: Mapping[str, str] = {
    "hour": "giờ|thời gian|thời điểm|khung giờ|ngày giờ|từ|bắt đầu|time|from|start|timestamp|date time|hour (UTC)",
    "day": "ngày|date",
    "service": "dịch vụ|tên dịch vụ|mã dịch vụ|API|tên API|service name",
    "operation": "thao tác|chức năng|hàm|tên hàm|phương thức|tên thao tác|method|function|resource",
    "count": "số lượt|số lượng|lượt gọi|số lượt gọi|tổng|tổng số|tổng cộng|số giao dịch|số yêu cầu|total|calls"
    "|requests|transactions|hits|quantity",
    "success": "thành công|số thành công|lượt thành công|số lượt thành công|successes|successful|ok",
    "failure": "thất bại|lỗi|không thành công|số lỗi|số lượt lỗi|số thất bại|failed|failures|errors|error",
}
_HEADERS = {word(said): ours for ours, all_ in _WORDS.items() for said in (ours, *all_.split("|"))}
_SUMS = frozenset(
    word(said) for said in ("tổng", "tổng cộng", "tổng số", "cộng", "total", "sum", "grand total")
)

_DAY_FIRST = re.compile(r"(?P<day>\d{1,2})[/.\-](?P<month>\d{1,2})[/.\-](?P<year>\d{4})")
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?:(?:[:h]|\s*giờ\s*)(?P<minute>\d{2})?(?::\d{2})?)?\s*(?:[-–].*)?", re.IGNORECASE
)
_GROUPED = re.compile(r"\d{1,3}(?:[.,\u00a0 ]\d{3})+|\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """What one row says. `hour` is epoch seconds; `service` and `operation` are as written, "" when not said."""

    sheet: str
    row: int
    hour: int
    service: str
    operation: str
    count: int
    success: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A row that could not be taken, and why."""

    sheet: str
    row: int
    reasons: tuple[Flaw, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A file as read. `assumed` rows had hours without a time zone."""

    rows: Sequence[Theirs]
    refused: Sequence[Unread]
    assumed: int


def read_counts(content: bytes, *, zone: tzinfo) -> Counts:
    """Read the tables of a file. Raises Invalid when it cannot be read as a whole."""
    rows: list[Theirs] = []
    refused: list[Unread] = []
    assumed = 0
    for row in read_rows("counts", content, _headers, wanted=_NEEDED):
        if word(next(iter(row.cells.values()))) in _SUMS:
            continue
        try:
            taken, had_none = _taken(row, zone)
        except Invalid as error:
            refused.append(Unread(sheet=row.sheet, row=row.number, reasons=error.flaws))
            continue
        rows.append(taken)
        assumed += had_none
    return Counts(rows=rows, refused=refused, assumed=assumed)


def _headers(line: Sequence[str]) -> Mapping[int, str]:
    columns: dict[int, str] = {}
    for position, text in enumerate(line):
        ours = _HEADERS.get(word(text))
        if ours is not None and ours not in columns.values():
            columns[position] = ours
    names = set(columns.values())
    return (
        columns if names & {"hour", "day"} and ("count" in names or {"success", "failure"} <= names) else {}
    )


def _taken(row: Row, zone: tzinfo) -> tuple[Theirs, bool]:
    cells = row.cells
    moment = moment_of(cells.get("day", ""), cells.get("hour", ""))
    had_none = moment.tzinfo is None
    try:
        seconds = int((moment.replace(tzinfo=zone) if had_none else moment).astimezone(UTC).timestamp())
    except OverflowError:
        raise _flaw("hour", "range", "The time is out of range.") from None
    service, _, below = cells.get("service", "").partition("/")
    success = _number(cells, "success") if "success" in cells else None
    taken = Theirs(
        sheet=row.sheet,
        row=row.number,
        hour=seconds // HOUR_SECONDS * HOUR_SECONDS,
        service=service.strip(),
        operation=cells.get("operation", below).strip(),
        count=_number(cells, "count") if "count" in cells else (success or 0) + _number(cells, "failure"),
        success=success,
    )
    return taken, had_none


def _number(cells: Mapping[str, str], name: str) -> int:
    text = cells.get(name, "0")
    if _GROUPED.fullmatch(text) is None or int(digits := re.sub(r"\D", "", text)) > _MOST:
        raise _flaw(name, "value", "A whole number is expected.")
    return int(digits)


# --- times ----------------------------------------------------------------------------------------------


def moment_of(day: str, hour: str) -> datetime:
    """Read a time from a column with days and one with hours, or from either alone. Raises Invalid."""
    text = hour or day
    if not text:
        raise _flaw("hour", "missing", "The hour is missing.")
    clock = _CLOCK.fullmatch(text.strip())
    try:
        if clock is not None:
            return datetime.combine(_day_of(day), _time_of(clock))
        moment = _written(text.strip())
    except ValueError:
        raise _flaw(
            "hour", "value", "This is no time, such as 2026-11-25T08:00+07:00 or 25/11/2026 08:00."
        ) from None
    if moment.year not in _YEARS:
        raise _flaw("hour", "range", "The year is out of range.")
    return moment


def _written(text: str) -> datetime:
    """Read a day with or without a time, as ISO 8601 or day first; of a span its beginning."""
    text = re.split(r"\s+[-–]\s+|\s+(?:đến|to)\s+", text, maxsplit=1)[0]
    found = _DAY_FIRST.search(text)
    if found is None:
        return datetime.fromisoformat(text)
    clock = _CLOCK.fullmatch((text[: found.start()] + text[found.end() :]).strip(" ,T") or "0")
    if clock is None:
        raise ValueError("no time")
    return datetime.combine(_day_of(found.group()), _time_of(clock))


def _day_of(text: str) -> date:
    found = _DAY_FIRST.fullmatch(text.strip())
    if found is None:
        return datetime.fromisoformat(text.strip()).date()
    return date(int(found["year"]), int(found["month"]), int(found["day"]))


def _time_of(clock: re.Match[str]) -> time:
    return time(int(clock["hour"]), int(clock["minute"] or 0))


def _flaw(name: str, code: str, message: str) -> Invalid:
    return Invalid([Flaw(f"/{name}", code, message)])
