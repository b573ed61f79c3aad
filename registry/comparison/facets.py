"""Single words of two schemas: whether one allows more than the other."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, Final

import orjson

from registry.comparison.changes import Relation

Schema = Mapping[str, Any]  # Any: a JSON Schema

ALL_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_LOWER: Final = ("minLength", "minItems", "minProperties")
_UPPER: Final = ("maxLength", "maxItems", "maxProperties")
PLAIN: Final = frozenset(
    {
        "type", "enum", "const", "pattern", "format", "multipleOf", "uniqueItems", "minimum", "exclusiveMinimum", "maximum",
        "exclusiveMaximum", *_LOWER, *_UPPER,
    }
)  # fmt: skip
"""The words that are compared here."""
_OF: Final[Mapping[str, frozenset[str]]] = {
    "minLength": frozenset({"string"}), "maxLength": frozenset({"string"}), "pattern": frozenset({"string"}),
    "minItems": frozenset({"array"}), "maxItems": frozenset({"array"}), "uniqueItems": frozenset({"array"}),
    "minProperties": frozenset({"object"}), "maxProperties": frozenset({"object"}),
    "minimum": frozenset({"integer", "number"}), "maximum": frozenset({"integer", "number"}),
    "multipleOf": frozenset({"integer", "number"}),
}  # fmt: skip
"""What a limit is of: it means nothing where no such value is allowed."""


def types(schema: Schema) -> frozenset[str]:
    """Return the types that are allowed; a number may be an integer."""
    given = schema.get("type")
    found = ALL_TYPES if given is None else frozenset(given if isinstance(given, list) else [given])
    found = found | {"integer"} if "number" in found else found
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    return found & {_type_of(value) for value in listed} if isinstance(listed, list) else found


def _type_of(value: Any) -> str:  # Any: JSON
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "integer" if value == int(value) else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def differences(old: Schema, new: Schema) -> Iterator[tuple[str, Relation]]:
    """Yield the rule and the relation for each word that is not as it was."""
    both = types(old), types(new)
    if both[0] != both[1]:
        yield "type", _sets(*both)
    listed = values(old), values(new)
    if listed[0] != listed[1]:
        yield "enum", _sets(*listed)
    for word, relation in _limits(old, new):
        applies = _OF.get(word, ALL_TYPES)
        if applies & both[0] & both[1]:
            yield "limit", relation
    if old.get("pattern") != new.get("pattern") and "string" in both[0] & both[1]:
        yield "pattern", _patterns(old.get("pattern"), new.get("pattern"))
    if old.get("format") != new.get("format"):
        yield "format", "unknown"


def values(schema: Schema) -> frozenset[bytes] | None:
    """Return the values that are listed, each as JSON; None where all are allowed."""
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(listed, list):
        return None
    own = frozenset(_json(value) for value in listed)
    if "const" in schema and isinstance(schema.get("enum"), list):
        return own & frozenset(_json(value) for value in schema["enum"])
    return own


def _json(value: Any) -> bytes:  # Any: JSON
    if isinstance(value, float) and value.is_integer():
        value = int(value) if abs(value) < 1 << 53 else value  # 1.0 is 1 in JSON Schema
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _sets(old: frozenset[Any] | None, new: frozenset[Any] | None) -> Relation:
    if new is None or (old is not None and old <= new):
        return "wider"
    if old is None or new <= old:
        return "narrower"
    return "other"


def _limits(old: Schema, new: Schema) -> Iterator[tuple[str, Relation]]:
    for word in _LOWER:
        yield from _moved(word, old.get(word, 0), new.get(word, 0), lower=True)
    for word in _UPPER:
        yield from _moved(word, old.get(word, inf), new.get(word, inf), lower=False)
    yield from _moved("minimum", _least(old), _least(new), lower=True)
    yield from _moved("maximum", _most(old), _most(new), lower=False)
    if bool(old.get("uniqueItems")) != bool(new.get("uniqueItems")):
        yield "uniqueItems", "wider" if old.get("uniqueItems") else "narrower"
    steps = old.get("multipleOf"), new.get("multipleOf")
    if steps[0] != steps[1]:
        yield "multipleOf", _steps(*steps)


def _moved(word: str, before: Any, after: Any, *, lower: bool) -> Iterator[tuple[str, Relation]]:
    if before != after:
        yield word, "narrower" if (after > before) is lower else "wider"


def _least(schema: Schema) -> tuple[float, bool]:
    """Return the lowest number that is allowed, and whether only what is above it is."""
    return max((schema.get("minimum", -inf), False), (schema.get("exclusiveMinimum", -inf), True))


def _most(schema: Schema) -> tuple[float, bool]:
    """Return the highest number that is allowed, and whether it is allowed itself: more is more."""
    return min((schema.get("maximum", inf), True), (schema.get("exclusiveMaximum", inf), False))


def _steps(old: Any, new: Any) -> Relation:  # Any: numbers or None
    if new is None:
        return "wider"
    if old is None:
        return "narrower"
    if isinstance(old, int) and isinstance(new, int):
        if new % old == 0:
            return "narrower"
        return "wider" if old % new == 0 else "other"
    return "unknown"


def _patterns(old: str | None, new: str | None) -> Relation:
    if new is None:
        return "wider"
    if old is None:
        return "narrower"
    before, after = ({"type": "string", "pattern": pattern} for pattern in (old, new))
    if covers(after, before):
        return "wider"
    return "narrower" if covers(before, after) else "unknown"


def covers(one: Schema, other: Schema) -> bool:
    """Say whether one schema is proved to allow all that the other does. Both stand alone."""
    import jsonschema_rs  # noqa: PLC0415 (megabytes, for those who compare)

    try:
        found = jsonschema_rs.canonicalize(dict(one)).covers(jsonschema_rs.canonicalize(dict(other)))
        return str(found) == "yes"
    except (ValueError, RuntimeError):
        return False
