"""The words of schemas, by what stands behind them, and what may stand there."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

ONE: Final = frozenset(
    {
        "additionalProperties", "contains", "contentSchema", "else", "if", "not", "propertyNames", "then",
        "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip
LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAPS: Final = frozenset({"dependentSchemas", "patternProperties", "properties"})
NUMBERS: Final = frozenset({"maximum", "minimum", "multipleOf"})
COUNTS: Final = frozenset(
    {
        "maxContains", "maxItems", "maxLength", "maxProperties", "minContains", "minItems", "minLength",
        "minProperties",
    }
)  # fmt: skip
BOOLEANS: Final = frozenset({"deprecated", "readOnly", "uniqueItems", "writeOnly"})
TEXTS: Final = frozenset(
    {"$comment", "contentEncoding", "contentMediaType", "description", "format", "title"}
)
VALUES: Final = frozenset({"const", "default"})
SILENT: Final = frozenset({"$defs", "$schema", "definitions", "externalDocs", "id", "nullable", "xml"})
"""What says nothing of a JSON value, is settled elsewhere, or is taken along by whoever refers to it."""

_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_MEANT: Final[Mapping[str, tuple[str, str]]] = {
    "bool": ("boolean", ""),
    "date": ("string", "date"),
    "date-time": ("string", "date-time"),
    "datetime": ("string", "date-time"),
    "decimal": ("number", ""),
    "double": ("number", "double"),
    "file": ("string", "binary"),
    "float": ("number", "float"),
    "guid": ("string", "uuid"),
    "int": ("integer", ""),
    "int32": ("integer", "int32"),
    "int64": ("integer", "int64"),
    "list": ("array", ""),
    "long": ("integer", "int64"),
    "map": ("object", ""),
    "text": ("string", ""),
    "uuid": ("string", "uuid"),
}
"""What people write for a type, and what they mean: a type, and perhaps a format."""


def is_number(value: Any) -> bool:  # Any: foreign JSON
    """Say whether a value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: Any) -> bool:  # Any: foreign JSON
    """Say whether a value is a number of things: 3, and 3.0, too."""
    return is_number(value) and 0 <= value <= 1 << 53 and value == int(value)


@lru_cache(maxsize=4096)
def is_pattern(pattern: str) -> bool:
    """Say whether a pattern can be run in time linear in the text, as contract checks do."""
    import jsonschema_rs  # noqa: PLC0415 (megabytes, for those who import)

    if len(pattern) > 5000:  # noqa: PLR2004  (longer ones are lists of words in disguise)
        return False
    try:
        jsonschema_rs.validator_for(
            {"pattern": pattern},
            pattern_options=jsonschema_rs.RegexOptions(size_limit=1_000_000, dfa_size_limit=1_000_000),
        )
    except (ValueError, jsonschema_rs.ValidationError):
        return False
    return True


def types_of(value: Any) -> tuple[list[str], str, bool]:  # Any: foreign JSON
    """Return the types that are meant, the format that goes with one, and whether they were written soundly."""
    written = value if isinstance(value, list) else [value]
    found: list[str] = []
    shape, sound = "", bool(written)
    for word in written:
        name = str(word).strip().lower()
        kind, more = (name, "") if name in _TYPES else _MEANT.get(name, ("", ""))
        sound = sound and word in _TYPES if isinstance(word, str) else False
        if not kind:  # any type, as soon as one of them is unknown
            return [], "", False
        shape = shape or more
        if kind not in found:
            found.append(kind)
    return found, shape, sound and len(found) == len(written)
