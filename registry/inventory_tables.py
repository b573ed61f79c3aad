"""Reading tables that people keep: CSV or XLSX, with caps on what a small file can blow up to."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from typing import Any
from zipfile import BadZipFile, ZipFile

from registry.errors import Flaw, Invalid
from registry.inventory_words import HEADERS, word

_LONGEST_FILE = 20 * 1024 * 1024
_LONGEST_UNZIPPED = 200 * 1024 * 1024
_MOST_ENTRIES = 2000
_MOST_ROWS = 50_000
_MOST_COLUMNS = 200
_LONGEST_CELL = 2000
_HEADER_ROWS = 15
_INVENTORY = "systems need a name and an organisation or code, connections a source and a target"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: its sheet, its number in it (from 1) and its cells by our names of the columns."""

    sheet: str
    number: int
    cells: Mapping[str, str]


Headers = Callable[[Sequence[str]], Mapping[int, str]]
"""Says which columns of a line are ours, by position; none when the line is not one of headers."""


def read_rows(
    name: str, content: bytes, headers_of: Headers | None = None, *, wanted: str = _INVENTORY
) -> Iterator[Row]:
    """Yield the rows of every table in the file that has headers we know: those of inventories, or others.

    `wanted` says what headers are needed. Raises Invalid.
    """
    find = headers_of or _headers
    if len(content) > _LONGEST_FILE:
        raise _unreadable("length", f"The file is larger than {_LONGEST_FILE // 1024 // 1024} MB.")
    sheets: Iterable[tuple[str, Iterable[Sequence[str]]]] = (
        _xlsx(content) if content[:4] == b"PK\x03\x04" else [(_sheet_name(name), _csv(content))]
    )
    found = False
    for sheet, lines in sheets:
        headers: Mapping[int, str] = {}
        for number, line in enumerate(lines, start=1):
            if number > _MOST_ROWS:
                raise _unreadable("length", f"A table has more than {_MOST_ROWS} rows.")
            if headers:
                cells = _cells(headers, line)
                if cells:
                    yield Row(sheet, number, cells)
            elif number <= _HEADER_ROWS:
                headers = find(line)
                found = found or bool(headers)
    if not found:
        raise _unreadable("headers", f"No table with known headers was found: {wanted}.")


def _headers(line: Sequence[str]) -> Mapping[int, str]:
    """Return the columns by position, empty when the line is not one of headers."""
    columns: dict[int, str] = {}
    for position, text in enumerate(line):
        ours = HEADERS.get(word(text))
        if ours is not None and ours not in columns.values():
            columns[position] = ours
    names = set(columns.values())
    is_systems = "name_vi" in names and bool(names & {"organisation", "code"})
    return columns if is_systems or {"source", "target"} <= names else {}


def _cells(headers: Mapping[int, str], line: Sequence[str]) -> dict[str, str]:
    cells = {
        name: line[position].strip()[:_LONGEST_CELL]
        for position, name in headers.items()
        if position < len(line)
    }
    return {name: text for name, text in cells.items() if text} if any(cells.values()) else {}


def _csv(content: bytes) -> Iterator[Sequence[str]]:
    try:
        text = content.decode("utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable("encoding", "The file is not in UTF-8 (in Excel: save as “CSV UTF-8”).") from error
    if "\0" in text:
        raise _unreadable("encoding", "The file is neither CSV nor XLSX.")
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    except csv.Error as error:
        raise _unreadable("csv", f"The CSV file cannot be read: {error}.") from error


def _delimiter(text: str) -> str:
    """Return what the first lines are cut by: Excel writes semicolons where the comma is for decimals."""
    start = "\n".join(text.splitlines()[:_HEADER_ROWS])
    return max((";", ",", "\t"), key=start.count)


def _xlsx(content: bytes) -> Sequence[tuple[str, Sequence[Sequence[str]]]]:
    _check_size(content)
    # Imported here: it takes a quarter of a second, and few need it.
    from openpyxl import load_workbook  # noqa: PLC0415

    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        with closing(book):
            return [(sheet.title, _lines(sheet)) for sheet in book.worksheets]
    except Exception as error:
        # What a broken workbook raises is of every kind, and none of it is ours.
        raise _unreadable("xlsx", "The XLSX file cannot be read.") from error


def _lines(sheet: Any) -> Sequence[Sequence[str]]:  # Any: several classes of openpyxl
    # One row more than allowed, so that the excess is noticed; a row number can be made up, and many a sheet
    # has formats, but nothing else, down to its very last row.
    rows = sheet.iter_rows(max_row=_MOST_ROWS + 1, max_col=_MOST_COLUMNS, values_only=True)
    lines = [[_text(value) for value in row] for row in islice(rows, _MOST_ROWS + 1)]
    while lines and not any(lines[-1]):
        lines.pop()
    return lines


def _check_size(content: bytes) -> None:
    """Add up what the archive says it unzips to, before anything is unzipped."""
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (BadZipFile, ValueError, NotImplementedError) as error:
        raise _unreadable("xlsx", "The XLSX file cannot be read.") from error
    if len(entries) > _MOST_ENTRIES or sum(entry.file_size for entry in entries) > _LONGEST_UNZIPPED:
        raise _unreadable(
            "length", f"Unzipped, the file has more than {_LONGEST_UNZIPPED // 1024 // 1024} MB."
        )


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        # A day is kept as midnight; a time that says more is kept whole.
        whole_day = (value.hour, value.minute, value.second) == (0, 0, 0) and value.tzinfo is None
        return value.date().isoformat() if whole_day else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, time):
        return value.isoformat(timespec="minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _sheet_name(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1][:100] or "csv"


def _unreadable(code: str, message: str) -> Invalid:
    return Invalid([Flaw("", code, message)])
