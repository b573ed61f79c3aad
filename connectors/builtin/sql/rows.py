"""Rows become JSON: members as declared, nothing that was not."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from connectors.builtin.sql.driver import Row
from connectors.builtin.sql.failures import StatementFailed
from connectors.builtin.sql.settings import Column, ColumnType

_SAFE = 2**53 - 1
_WHOLE = re.compile(r"-?[0-9]+")
_FRACTION = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?")


class RowWrong(Exception):
    """A value is not of the type that was declared for its column."""


class Shape:
    """The objects of an answer; made once for a statement."""

    def __init__(self, columns: Mapping[str, ColumnType | Column]) -> None:
        self._members = [
            (member, it.column or member, _CONVERTERS[it.type])
            if isinstance(it, Column)
            else (member, member, _CONVERTERS[it])
            for member, it in columns.items()
        ]

    def on(self, names: Sequence[str]) -> Callable[[Row], dict[str, object]]:
        """Return what makes an object of a row. Raises StatementFailed when a declared column is missing or there twice."""
        positions = {name: at for at, name in enumerate(names)}
        if any(names.count(column) != 1 for _, column, _ in self._members):
            raise StatementFailed("result")
        plan = [(member, positions[column], convert) for member, column, convert in self._members]

        def make(row: Row) -> dict[str, object]:
            return {member: None if row[at] is None else convert(row[at]) for member, at, convert in plan}

        return make


def document_of(row: Row) -> bytes:
    """Return the one column of a row, a text that is JSON already, as bytes. Raises RowWrong."""
    value = row[0]
    if isinstance(value, str):
        value = value.encode()
    if len(row) != 1 or not isinstance(value, bytes):
        raise RowWrong
    return value


def _string(value: Any) -> object:  # Any: what a driver makes of a value, here and below
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal | UUID) and not isinstance(value, bool):
        return str(value)
    raise RowWrong


def _integer(value: Any) -> object:
    number = _whole(value)
    if not -_SAFE <= number <= _SAFE:
        raise RowWrong
    return number


def _bigint(value: Any) -> object:
    return str(_whole(value))


def _whole(value: Any) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise RowWrong


def _decimal(value: Any) -> object:
    if isinstance(value, str) and _FRACTION.fullmatch(value):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RowWrong


def _number(value: Any) -> object:
    try:
        number = float(value)
    except (ValueError, TypeError):
        raise RowWrong from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise RowWrong
    return number


def _boolean(value: Any) -> object:
    if value in (True, 1, "1", b"\x01"):
        return True
    if value in (False, 0, "0", b"\x00"):
        return False
    raise RowWrong


def _date(value: Any) -> object:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and _DAY.fullmatch(value):
        # What MySQL writes for "no date".
        return None if value == "0000-00-00" else value
    raise RowWrong


def _datetime(value: Any) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return None if value.startswith("0000-00-00") else value.replace(" ", "T")
    raise RowWrong


def _json(value: Any) -> object:
    if not isinstance(value, str):
        raise RowWrong
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        raise RowWrong from None
    # As it stands in the database: its numbers may have more digits than ours.
    return orjson.Fragment(value)


_CONVERTERS: Mapping[ColumnType, Callable[[Any], object]] = {
    "string": _string,
    "integer": _integer,
    "bigint": _bigint,
    "decimal": _decimal,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "json": _json,
}
