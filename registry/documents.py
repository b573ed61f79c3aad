"""Entities as JSON: the one place where outside documents become values, strictly, and back.

A document that does not fit raises Invalid; its flaws have a JSON pointer and one of the codes in
`registry.wording`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from registry.entities import ENTITIES, SPECS, Entity, Kind
from registry.errors import Flaw, Invalid
from registry.stores import Document

_MAX_DEPTH = 40
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but for tab and line ends, and halves of surrogate pairs."""

_CODES = {
    "unexpected_keyword_argument": "unknown-field",
    "extra_forbidden": "unknown-field",
    "missing": "missing",
    "missing_argument": "missing",
    "string_pattern_mismatch": "pattern",
    "string_too_short": "length",
    "string_too_long": "length",
    "too_short": "length",
    "too_long": "length",
    "greater_than": "range",
    "greater_than_equal": "range",
    "less_than": "range",
    "less_than_equal": "range",
    "finite_number": "range",
    "literal_error": "choice",
    "enum": "choice",
    "value_error": "value",
}
"""pydantic's words for what is wrong -> ours; what is not here is a wrong type."""

T = TypeVar("T")


def parse(kind: Kind, document: Mapping[str, Any], *, spec: bool = False) -> Entity:
    """Return the entity that the document stands for; with `spec`, only what a person may write.

    Raises:
        Invalid: every flaw of the document's form; rules between fields are not looked at here.
    """
    return parse_as(_type(kind, spec=spec), document)


def parse_as(target: type[T], document: object) -> T:
    """Return the document as a value of `target`, a dataclass of this package. Raises Invalid."""
    flaws = list(_bad_text(document, ""))
    if flaws:
        raise Invalid(flaws)
    try:
        text = orjson.dumps(document)
    except TypeError as error:
        raise Invalid([Flaw("", "wrong-type", "This is not JSON.")]) from error
    try:
        value: T = _adapter(target).validate_json(text, strict=True)
    except ValidationError as error:
        raise Invalid(_flaws(error.errors(include_url=False, include_context=False))) from None
    return value


def render(entity: Entity) -> Document:
    """Return the entity in JSON form, every field present."""
    document: Document = _adapter(type(entity)).dump_python(entity, mode="json")
    return document


def content_hash(document: Document) -> str:
    """Return the SHA-256 of the document in canonical form: the same content has the same hash."""
    return sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


def schema(kind: Kind, *, spec: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of a kind's documents."""
    return _adapter(_type(kind, spec=spec)).json_schema()


def schema_of(target: type[Any]) -> dict[str, Any]:
    """Return the JSON Schema of a dataclass, for the parameters of a step."""
    return _adapter(target).json_schema()


def pointer_of(parts: Sequence[str | int]) -> str:
    """Write a place as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _type(kind: Kind, *, spec: bool) -> type[Entity]:
    return SPECS[kind] if spec else ENTITIES[kind]


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)  # Any: a cache forgets types


def _flaws(errors: Sequence[ErrorDetails]) -> list[Flaw]:
    places = [tuple(part for part in error["loc"] if part != "[key]") for error in errors]
    deeper = {place[:length] for place in places for length in range(len(place))}
    return [
        Flaw(pointer_of(place), _code(error), _sentence(error))
        for place, error in zip(places, errors, strict=True)
        # A list with a bad item is also said to be too short: the item is what to mend.
        if not (error["type"] == "too_short" and place in deeper)
    ]


def _code(error: ErrorDetails) -> str:
    return _CODES.get(error["type"], "wrong-type")


def _sentence(error: ErrorDetails) -> str:
    """Say what is wrong without repeating what was given: it may be a secret."""
    if _code(error) == "unknown-field":
        return "There is no such field."
    return error["msg"].removeprefix("Value error, ").rstrip(".") + "."


def _bad_text(value: object, pointer: str, depth: int = 0) -> Iterator[Flaw]:
    """Find text that no database or log should be given, and nesting without end."""
    if depth > _MAX_DEPTH:
        yield Flaw(pointer, "too-deep", "This is nested too deeply.")
    elif isinstance(value, str):
        if _CONTROLS.search(value):
            yield Flaw(pointer, "control-character", "Control characters are not allowed here.")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                yield Flaw(pointer, "wrong-type", "Names of fields must be text.")
                continue
            if next(_bad_text(key, ""), None):
                yield Flaw(pointer, "control-character", "Control characters are not allowed in a name.")
                continue
            yield from _bad_text(item, pointer + pointer_of([key]), depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _bad_text(item, f"{pointer}/{index}", depth + 1)
