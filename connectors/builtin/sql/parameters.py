"""The values of a statement's parameters, read from a call and checked."""

import json
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from pydantic import ValidationError
from pydantic_core import SchemaValidator, core_schema

from connectors.builtin.sql.settings import Parameter, Statement
from connectors.contract import Call
from connectors.message import Body

Value = str | int | Decimal | bool | date | None

_ABSENT = object()
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LARGEST = 2**63 - 1
_MOST_FIELDS = 200


class ParameterWrong(Exception):
    """A call's value is not what was declared. `rule` is what it breaks; the value is not repeated."""

    def __init__(self, rule: str, parameter: str = "", *, status: int = 400) -> None:
        super().__init__(rule)
        self.rule = rule
        self.parameter = parameter
        self.status = status


class Reader:
    """Reads the values of one statement's parameters, by name."""

    def __init__(self, statement: Statement, max_body: int) -> None:
        self._parameters = [
            (name, it.at.partition(":"), it, _check_for(it)) for name, it in statement.parameters.items()
        ]
        kinds = {kind for _, (kind, _, _), _, _ in self._parameters}
        self._variables = _positions(statement.path) if "path" in kinds else None
        self._reads_query = "query" in kinds
        self._reads_json = "pointer" in kinds
        self._reads_body = self._reads_json or "body" in kinds
        self._max_body = max_body

    async def read(self, call: Call) -> dict[str, Value]:
        """Return the values. Raises ParameterWrong, and what the call's own body stream raises."""
        query = _query(call.query) if self._reads_query else {}
        path = self._path(call.path) if self._variables is not None else {}
        text = await self._text(call.message.body) if self._reads_body else ""
        document = _json(text) if self._reads_json else None
        values: dict[str, Value] = {}
        for name, (kind, _, rest), parameter, check in self._parameters:
            match kind:
                case "query":
                    found = query.get(rest, _ABSENT)
                case "path":
                    found = path.get(rest, _ABSENT)
                case "pointer":
                    found = _pointed(document, rest)
                case _:
                    found = text
            values[name] = _value(name, found, parameter, check)
        return values

    def _path(self, path: str) -> dict[str, str]:
        segments = path.strip("/").split("/")
        variables = self._variables or {}
        if len(segments) != variables.get("", 0):
            raise ParameterWrong("path")
        return {name: _decoded(segments[at]) for name, at in variables.items() if name}

    async def _text(self, body: Body) -> str:
        whole = body if isinstance(body, bytes) else await _collect(body, self._max_body)
        if len(whole) > self._max_body:
            raise ParameterWrong("size", status=413)
        try:
            return whole.decode()
        except ValueError:
            raise ParameterWrong("encoding") from None


def _value(name: str, found: object, parameter: Parameter, check: Callable[[object], Value]) -> Value:
    if found is _ABSENT or found is None:
        if parameter.default is None:
            if parameter.required:
                raise ParameterWrong("required", name)
            return None
        found = parameter.default
    try:
        return check(found)
    except ParameterWrong as error:
        raise ParameterWrong(error.rule, name) from None


def _check_for(parameter: Parameter) -> Callable[[object], Value]:
    match parameter.type:
        case "string":
            return _string_check(parameter)
        case "integer":
            return _bounded(parameter, _integer)
        case "decimal":
            return _bounded(parameter, _decimal)
        case "date":
            return _date
        case "boolean":
            return _boolean


def _string_check(parameter: Parameter) -> Callable[[object], Value]:
    # pydantic's own regular expressions: linear in the length of the text, whatever the pattern.
    pattern = f"^(?:{parameter.pattern})$" if parameter.pattern is not None else None
    valid = SchemaValidator(
        core_schema.str_schema(pattern=pattern, max_length=parameter.max_length, strict=True)
    ).validate_python
    form = parameter.normalise

    def check(found: object) -> Value:
        if not isinstance(found, str):
            raise ParameterWrong("type")
        if "\0" in found:
            raise ParameterWrong("encoding")
        try:
            text: str = valid(found if form == "none" else unicodedata.normalize(form, found))
        except ValidationError as error:
            kind = error.errors(include_url=False, include_input=False)[0]["type"]
            rule = {"string_too_long": "max_length", "string_pattern_mismatch": "pattern"}.get(
                kind, "encoding"
            )
            raise ParameterWrong(rule) from None
        return text

    return check


def _bounded(
    parameter: Parameter, convert: Callable[[object], int | Decimal]
) -> Callable[[object], int | Decimal]:
    least, most = parameter.minimum, parameter.maximum

    def check(found: object) -> int | Decimal:
        number = convert(found)
        if least is not None and number < least:
            raise ParameterWrong("minimum")
        if most is not None and number > most:
            raise ParameterWrong("maximum")
        return number

    return check


def _integer(found: object) -> int:
    if isinstance(found, str) and _INTEGER.fullmatch(found):
        found = int(found)
    if not isinstance(found, int) or isinstance(found, bool):
        raise ParameterWrong("type")
    if not -_LARGEST <= found <= _LARGEST:
        raise ParameterWrong("maximum")
    return found


def _decimal(found: object) -> Decimal:
    if isinstance(found, bool) or not isinstance(found, str | int | Decimal):
        raise ParameterWrong("type")
    text = found if isinstance(found, str) else format(found, "f")
    if not _DECIMAL.fullmatch(text):
        raise ParameterWrong("type")
    return Decimal(text)


def _date(found: object) -> date:
    if not isinstance(found, str) or not _DATE.fullmatch(found):
        raise ParameterWrong("type")
    try:
        return date.fromisoformat(found)
    except ValueError:
        raise ParameterWrong("type") from None


def _boolean(found: object) -> bool:
    if found is True or found == "true":
        return True
    if found is False or found == "false":
        return False
    raise ParameterWrong("type")


def _query(query: str) -> Mapping[str, object]:
    """Return a query's values; one that stands there twice is refused when it is asked for."""
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise ParameterWrong("encoding") from None
    values: dict[str, object] = {}
    for name, value in pairs:
        values[name] = value if name not in values else [value]
    return values


def _positions(path: str | None) -> dict[str, int]:
    """Return at which segment each variable of a path stands; the empty name holds how many segments there are."""
    segments = (path or "").strip("/").split("/")
    found = {segment[1:-1]: at for at, segment in enumerate(segments) if segment[:1] == "{"}
    return found | {"": len(segments)}


def _decoded(segment: str) -> str:
    try:
        return unquote_to_bytes(segment).decode()
    except ValueError:
        raise ParameterWrong("encoding") from None


async def _collect(body: AsyncIterator[bytes], limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in body:
        size += len(piece)
        if size > limit:
            raise ParameterWrong("size", status=413)
        pieces.append(piece)
    return b"".join(pieces)


def _json(text: str) -> Any:  # Any: foreign JSON
    try:
        return json.loads(
            text, parse_float=_decimal_of, parse_constant=_refuse, object_pairs_hook=_without_repetition
        )
    except (ValueError, RecursionError):
        raise ParameterWrong("json") from None


def _decimal_of(text: str) -> Decimal:
    if "e" in text.lower():
        raise ValueError("a number with an exponent")
    return Decimal(text)


def _refuse(text: str) -> None:
    raise ValueError(text)


def _without_repetition(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:  # Any: foreign JSON
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError("a member stands there twice")
        members[name] = value
    return members


def _pointed(document: Any, pointer: str) -> object:  # Any: foreign JSON
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and key in document:
            document = document[key]
        elif isinstance(document, Sequence) and not isinstance(document, str) and key.isdecimal():
            document = document[int(key)] if int(key) < len(document) else _ABSENT
        else:
            return _ABSENT
    return document
