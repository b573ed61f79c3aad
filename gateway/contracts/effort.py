"""Whether a schema's check takes time in proportion to the document, whatever the document. Pure.

Alternatives that lead to the same member (`anyOf` of two objects that both describe `x`) check it once for each of
them; in a schema that holds itself this doubles with every level, and a document of a few hundred bytes takes for
ever. Such a schema is not checked on the event loop, but where the check can be ended.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]  # Any: a JSON Schema
Here = Counter[int]
"""How often schemas, by their identity, are checked at one place of a document."""

LEVELS: Final = 24
MOST_CHECKS: Final = 20_000
"""So many schemas may be checked on the way from the top of a document down to one value at that depth."""

MOST_STEPS: Final = 1_000_000
"""So long it is thought about; what takes longer counts as unbounded."""

_IN_PLACE: Final = ("not", "if", "then", "else")
_IN_PLACE_LISTS: Final = ("allOf", "anyOf", "oneOf")
_OTHERS: Final = ("additionalProperties", "unevaluatedProperties", "propertyNames")
_ITEMS: Final = ("items", "contains", "unevaluatedItems")
_NAMED, _LISTED = "n:", "l:"


def is_bounded(schema: Schema) -> bool:
    """Say whether checking by a schema that stands alone takes a bounded number of steps for each value."""
    return _Effort(schema).checks() <= MOST_CHECKS


class _Effort:
    """Follows the worst document from the top down, level by level."""

    def __init__(self, schema: Schema) -> None:
        self._whole = schema
        self._places: dict[int, tuple[int, dict[str, list[Schema]]]] = {}
        self._costs: dict[tuple[int, int], int] = {}
        self._left = MOST_STEPS

    def checks(self) -> int:
        """Return how many schemas are checked in the worst case, or any number above the limit."""
        try:
            most = self._unless_shared()
            return self._cost(self._whole, LEVELS) if most is None else most
        except _Endless:
            return MOST_CHECKS + 1

    def _unless_shared(self) -> int | None:
        """Return the most for one level where no step leads to two schemas, as is usual; None where one does."""
        most, seen, waiting = 0, {id(self._whole)}, [self._whole]
        while waiting:
            here, below = self._place(waiting.pop())
            most = max(most, here)
            for targets in below.values():
                if len(targets) > 1:
                    return None
                fresh = [target for target in targets if id(target) not in seen]
                seen.update(map(id, fresh))
                waiting += fresh
        return most

    def _cost(self, schema: Schema, levels: int) -> int:
        key = id(schema), levels
        found = self._costs.get(key)
        if found is None:
            here, below = self._place(schema)
            self._spend(1 + sum(map(len, below.values())))
            deepest = 0
            if levels:
                deepest = max((self._sum(targets, levels - 1) for targets in below.values()), default=0)
            found = self._costs[key] = min(here + deepest, MOST_CHECKS + 1)
        return found

    def _sum(self, targets: list[Schema], levels: int) -> int:
        total = 0
        for target in targets:
            total += self._cost(target, levels)
            if total > MOST_CHECKS:
                raise _Endless
        return total

    def _place(self, schema: Schema) -> tuple[int, dict[str, list[Schema]]]:
        """Return how many schemas are checked at the same place, and which ones below it, by step."""
        found = self._places.get(id(schema))
        if found is None:
            count, below = 0, dict[str, list[Schema]]()
            for part in self._in_place(schema, ()):
                count += 1
                if count > MOST_CHECKS:
                    raise _Endless
                below = _joined(below, _below(part))
                self._spend(sum(map(len, below.values())))
            found = self._places[id(schema)] = count, below
        return found

    def _in_place(self, schema: object, on_the_way: tuple[int, ...]) -> Iterator[Schema]:
        if not isinstance(schema, Mapping) or id(schema) in on_the_way:
            return
        self._spend(1)
        yield schema
        way = (*on_the_way, id(schema))
        if "$ref" in schema or "$dynamicRef" in schema:
            yield from self._in_place(self._target(schema.get("$ref", schema.get("$dynamicRef"))), way)
        for word in _IN_PLACE:
            yield from self._in_place(schema.get(word), way)
        for word in _IN_PLACE_LISTS:
            for inner in schema.get(word) or ():
                yield from self._in_place(inner, way)
        for inner in (schema.get("dependentSchemas") or {}).values():
            yield from self._in_place(inner, way)

    def _target(self, reference: object) -> object:
        found: object = self._whole
        for step in str(reference).removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def _spend(self, effort: int) -> None:
        self._left -= effort
        if self._left < 0:
            raise _Endless


class _Endless(Exception):
    """It is more than may be."""


def _below(part: Schema) -> dict[str, list[Schema]]:
    """Return the schemas of a part's members and items, by step; an empty name stands for all others."""
    below: dict[str, list[Schema]] = {}
    everywhere = [
        inner for inner in (part.get("patternProperties") or {}).values() if isinstance(inner, Mapping)
    ]
    others = [*everywhere, *_schemas(part, _OTHERS)]
    for name, inner in (part.get("properties") or {}).items():
        below[_NAMED + name] = [*everywhere, *([inner] if isinstance(inner, Mapping) else [])]
    if others:
        below[_NAMED] = others
    items = [
        inner
        for inner in (*_schemas(part, _ITEMS), *(part.get("prefixItems") or ()))
        if isinstance(inner, Mapping)
    ]
    if items:
        below[_LISTED] = items
    return below


def _schemas(part: Schema, words: tuple[str, ...]) -> list[Schema]:
    return [part[word] for word in words if isinstance(part.get(word), Mapping)]


def _joined(one: dict[str, list[Schema]], other: dict[str, list[Schema]]) -> dict[str, list[Schema]]:
    """Return what two parts say together: a name that one of them does not know falls under its others."""
    if not one or not other:
        return one or other
    return {
        step: [*one.get(step, _rest(one, step)), *other.get(step, _rest(other, step))]
        for step in {**one, **other}
    }


def _rest(below: dict[str, list[Schema]], step: str) -> list[Schema]:
    return below.get(_NAMED, []) if step.startswith(_NAMED) else []
