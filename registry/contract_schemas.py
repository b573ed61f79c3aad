"""A body's JSON Schema with all that it refers to, as one that stands alone. Pure; nothing is ever fetched."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]  # Any: a JSON Schema, as it was written

SHARED: Final = "#/schemas/"
"""How schemas of a version refer to those that it shares."""
MOST_LEVELS: Final = 200

_ONE: Final = frozenset(
    {
        "additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
        "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_IDENTITY: Final = frozenset({"$anchor", "$dynamicAnchor", "$id", "$schema", "$vocabulary"})
"""What would give a part an address of its own, so that references inside it would lead elsewhere."""


class ReferenceWrong(ValueError):
    """A reference that leads to nothing here: where it stands (a JSON pointer), and what it says."""

    def __init__(self, pointer: str, reference: str) -> None:
        super().__init__(
            f"{pointer or '/'}: the reference {reference[:200]!r} leads to no schema of this version"
        )
        self.pointer = pointer
        self.reference = reference


def whole_schema(schema: object, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema that stands alone: what it reaches of `shared` is in its `$defs`, under the same names.

    References inside a part (`#`, `#/properties/x`) stay within that part, as they were meant. Neither argument is
    changed. Raises ReferenceWrong for a reference that leads nowhere, and for schemas without end.
    """
    found: dict[str, Any] = {}
    waiting: list[str] = []
    taken = schema.get("$defs", {}) if isinstance(schema, Mapping) else {}
    names = {name: _free(name, taken) for name in shared}

    def moved(reference: str, home: str, pointer: str) -> str:
        if reference.startswith(SHARED):
            name, slash, rest = reference.removeprefix(SHARED).partition("/")
            if name not in shared:
                raise ReferenceWrong(pointer, reference)
            if names[name] not in found:
                found[names[name]] = True
                waiting.append(name)
            return f"#/$defs/{names[name]}{slash}{rest}"
        if reference == "#" or reference.startswith("#/"):
            return home + reference.removeprefix("#")
        raise ReferenceWrong(pointer, reference)

    top = rewritten(schema, "#", moved)
    while waiting:
        name = waiting.pop()
        home = f"#/$defs/{names[name]}"
        found[names[name]] = rewritten(shared[name], home, moved, f"/schemas/{name}")
    whole: dict[str, Any] = dict(top) if isinstance(top, Mapping) else {"allOf": [top]}
    if found:
        whole["$defs"] = {**whole.get("$defs", {}), **found}
    return whole


def references(schema: object) -> Iterator[tuple[str, str]]:
    """Yield where each reference of a schema stands, and what it says."""
    if isinstance(schema, Mapping):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield "", reference
        for step, inner in parts(schema):
            for pointer, found in references(inner):
                yield f"/{step}{pointer}", found


def parts(schema: Schema) -> Iterator[tuple[str, Any]]:
    """Yield the schemas directly inside one, each with the way to it (a pointer without its first slash)."""
    for word, value in schema.items():
        if word in _ONE or (word == "items" and isinstance(value, list)):
            yield word, value
        elif word in _LISTS and isinstance(value, list):
            yield from ((f"{word}/{index}", inner) for index, inner in enumerate(value))
        elif word in _MAPS and isinstance(value, Mapping):
            yield from ((f"{word}/{escaped(name)}", inner) for name, inner in value.items())


def escaped(name: str) -> str:
    """Return a name as one step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


Moved = Callable[[str, str, str], str]
"""Gives a reference another text: what it says, where its part will stand (`#/…`), and where it stands itself."""


def rewritten(schema: object, home: str, moved: Moved, at: str = "", level: int = 0) -> Any:
    """Return a copy in which each reference is what `moved` makes of it, and nothing has an address of its own.

    Raises ReferenceWrong for schemas without end, and whatever `moved` raises.
    """
    if not isinstance(schema, Mapping):
        return schema
    if level > MOST_LEVELS:
        raise ReferenceWrong(at, "(nested without end)")
    copy: dict[str, Any] = {}
    for word, value in schema.items():
        inside = f"{at}/{word}"
        if word == "$ref" and isinstance(value, str):
            copy[word] = moved(value, home, inside)
        elif word in _ONE:
            copy[word] = rewritten(value, home, moved, inside, level + 1)
        elif word in _LISTS and isinstance(value, list):
            copy[word] = [
                rewritten(one, home, moved, f"{inside}/{index}", level + 1) for index, one in enumerate(value)
            ]
        elif word in _MAPS and isinstance(value, Mapping):
            copy[word] = {
                name: rewritten(one, home, moved, f"{inside}/{escaped(name)}", level + 1)
                for name, one in value.items()
            }
        elif word not in _IDENTITY:
            copy[word] = value
    return copy


def _free(name: str, taken: Mapping[str, Any]) -> str:
    while name in taken:
        name += "_"
    return name
