"""Checking what a caller gives beside the body: variables of the path, the query, headers."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

from connectors.message import Headers
from gateway.contracts.violations import BadContract, Violation
from registry.contract_schemas import SHARED
from registry.documents import pointer_of
from registry.entities import Operation, Parameter

if TYPE_CHECKING:
    from gateway.contracts.json_bodies import JSONCheck

MOST_NAMES: Final = 10
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,299})")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,299})(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,2})?")
_WORDS: Final = {"true": True, "false": False}
_NOT_OURS: Final = frozenset({"accept", "content-type", "authorization"})
"""Headers that descriptions must not declare (OpenAPI 3.1, 4.8.12.2), for something else is in charge of them."""


class ParameterCheck:
    """One parameter. Its text may stand for a number, a truth value or a list, if the schema takes it as one."""

    def __init__(self, declared: Parameter, shared: Mapping[str, Any], pointer: str) -> None:
        self.at = declared.at
        self.name = declared.name.lower() if declared.at == "header" else declared.name
        self.required = declared.required or declared.at == "path"
        self._shown = (declared.name,)
        self._check = _check_of(declared.schema, shared, f"{pointer}/schema") if declared.schema else None
        if self._check is not None and not self._check.is_bounded:
            raise BadContract(f"{pointer}/schema", "Checking by this schema may take for ever.")
        schemas = list(_alternatives(declared.schema, shared))
        is_object = any(_is_object(schema) for schema in schemas)
        self._is_open = self._check is None or is_object
        self._is_list = any("array" in _types(schema) for schema in schemas)
        # An object's members may stand in the query under names of their own (`style: deepObject`, `explode`).
        self._is_spread = is_object and declared.at == "query"

    def violations(self, values: Sequence[str]) -> Iterable[Violation]:
        """Return what is wrong with the values that were given, none or several."""
        if not values:
            is_missing = self.required and not self._is_spread
            return [Violation(self.at, pointer_of(self._shown), "required")] if is_missing else ()
        if self._is_open or self._check is None:
            return ()
        if len(values) > 1 and not self._is_list:
            return [Violation(self.at, pointer_of(self._shown), "repeated")]
        return self._wrong(self._check, self._readings(values))

    def _wrong(self, check: "JSONCheck", readings: Sequence[Any]) -> Iterable[Violation]:  # Any: JSON
        if any(check.passes(reading) for reading in readings):
            return ()
        found = [check.violations(reading, self.at, self._shown) for reading in readings]
        # A reading that the type takes says more than one that it does not.
        return next((told for told in found if all(one.rule != "type" for one in told)), found[-1])

    def _readings(self, values: Sequence[str]) -> list[Any]:  # Any: JSON
        alone = list(_readings(values[0])) if len(values) == 1 else []
        if not self._is_list:
            return alone
        # Blanks around a header's commas belong to no item (RFC 9110, 5.6.1).
        split = [item.strip(" \t") if self.at == "header" else item for item in values[0].split(",")]
        lists = [values] if len(values) > 1 else [values, split]
        return alone + [
            [next(iter(_readings(value)), value) if numbers else value for value in listed]
            for listed in lists
            for numbers in (True, False)
        ]


class Parameters:
    """All parameters of an operation."""

    def __init__(self, operation: Operation, shared: Mapping[str, Any], pointer: str) -> None:
        checks = [
            ParameterCheck(declared, shared, f"{pointer}/parameters/{number}")
            for number, declared in enumerate(operation.parameters)
            if declared.at != "header" or declared.name.lower() not in _NOT_OURS
        ]
        self._query = [check for check in checks if check.at == "query"]
        self._headers = [check for check in checks if check.at == "header"]
        self._path = [
            (check, place)
            for check in checks
            if check.at == "path" and (place := _variable(operation.path, check.name)) is not None
        ]

    def __bool__(self) -> bool:
        return bool(self._query or self._headers or self._path)

    def violations(self, path: str, query: str, headers: Headers) -> Iterator[Violation]:
        """Yield what is wrong; `path` is the part below the version."""
        segments = path.split("/")
        for check, (number, is_rest) in self._path:
            given = (
                "/".join(segments[number:]) if is_rest else segments[number] if number < len(segments) else ""
            )
            yield from check.violations([unquote(given)] if given else [])
        if self._query:
            pairs = parse_qsl(query, keep_blank_values=True)
            for check in self._query:
                yield from check.violations([value for name, value in pairs if name == check.name])
        for check in self._headers:
            name = check.name.encode("latin-1", "replace")
            yield from check.violations([_text(value) for known, value in headers if known == name])


def _variable(template: str, name: str) -> tuple[int, bool] | None:
    """Return which segment of a path a variable is, and whether it takes the rest of the path."""
    for number, segment in enumerate(template.split("/")):
        if segment in (f"{{{name}}}", f"{{{name}*}}"):
            return number, segment.endswith("*}")
    return None


def _readings(text: str) -> Iterator[Any]:  # Any: JSON
    """Yield what a text may stand for, the text itself last."""
    if text in _WORDS:
        yield _WORDS[text]
    elif _INTEGER.fullmatch(text):
        yield int(text)
    elif _NUMBER.fullmatch(text):
        yield float(text)
    yield text


def _meant(schema: Mapping[str, Any], shared: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema, or the shared one that it only names."""
    for _ in range(MOST_NAMES):
        name = str(schema.get("$ref", "")).removeprefix(SHARED)
        if name not in shared:
            break
        schema = shared[name]
    return schema


def _alternatives(schema: Mapping[str, Any], shared: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and those that it is combined from (`anyOf: [{type: array}, {type: "null"}]`), each once."""
    waiting, seen = [schema], set[int]()
    while waiting:
        meant = _meant(waiting.pop(), shared)
        if id(meant) in seen:
            continue
        seen.add(id(meant))
        yield meant
        for word in ("anyOf", "oneOf", "allOf"):
            waiting += [part for part in meant.get(word, ()) if isinstance(part, Mapping)]


def _types(schema: Mapping[str, Any]) -> set[str]:
    said = schema.get("type", ())
    return {said} if isinstance(said, str) else {str(each) for each in said}


def _is_object(schema: Mapping[str, Any]) -> bool:
    """Whether the value is an object, which descriptions spell in many ways: it is only asked to be there."""
    return "object" in _types(schema) or ("properties" in schema and "type" not in schema)


def _text(value: bytes) -> str:
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def _check_of(schema: Mapping[str, Any], shared: Mapping[str, Any], pointer: str) -> "JSONCheck":
    # Megabytes that a node without contracts does not pay for.
    from gateway.contracts.json_bodies import check_of  # noqa: PLC0415

    return check_of(schema, shared, pointer)
