"""Two JSON Schemas of one body: every place at which more, less or something else is allowed than was.

A place is compared once, so that schemas may hold themselves. What nobody had described is not looked at: a new
optional field of a request is compatible, though somebody might have sent a field of that name for nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from registry.comparison.changes import Change, Relation, Way, judged
from registry.comparison.facets import PLAIN, covers, differences
from registry.comparison.shapes import Shape, Shapes
from registry.contract_schemas import escaped

_MOST_PLACES: Final = 50_000
_OBJECTS: Final = frozenset({"properties", "required", "additionalProperties"})
_LISTS: Final = frozenset({"items", "prefixItems"})
_UNIONS: Final = ("anyOf", "oneOf")
_REMARKS: Final = frozenset(
    {
        "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "discriminator",
        "contentEncoding", "contentMediaType", "contentSchema",
    }
)  # fmt: skip
KNOWN: Final = PLAIN | _OBJECTS | _LISTS | set(_UNIONS) | _REMARKS


@dataclass(frozen=True, slots=True)
class At:
    """Where we are: the pointer, and the names of fields on the way, lists walked through.

    `unsure`: inside `oneOf`, where nothing is sure to be good, for a value must not fit two forms.
    """

    pointer: str
    field: tuple[str, ...] = ()
    unsure: bool = False

    def below(self, step: str, name: str | None = None) -> "At":
        """Return the place below."""
        field = self.field if name is None else (*self.field, name)
        return At(f"{self.pointer}/{step}", field, self.unsure)


class Pair:
    """The shared schemas of two versions, and how much may still be looked at. `changed` are names of those that differ."""

    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self.old = Shapes(old)
        self.new = Shapes(new)
        self.changed = frozenset(name for name in {*old, *new} if old.get(name) != new.get(name))
        self.left = _MOST_PLACES


class SchemaComparison:
    """Compares the schemas of one operation in one direction; each pair of shared ones once."""

    def __init__(self, pair: Pair, operation: str, way: Way) -> None:
        self._pair = pair
        self._old = pair.old
        self._new = pair.new
        self._changed = pair.changed
        self._operation = operation
        self._way: Way = way
        self._seen: set[tuple[bytes, bytes, bool]] = set()
        self._waiting: list[tuple[Any, Any, At]] = []
        self._gave_up = False

    def compare(self, old: Any, new: Any, at: At) -> Iterator[Change]:  # Any: JSON Schemas
        """Yield what has changed between two schemas at a place."""
        yield from self._compare(old, new, at)
        while self._waiting:
            yield from self._taken(*self._waiting.pop(0))

    def _compare(self, old: Any, new: Any, at: At) -> Iterator[Change]:
        """Compare what stands here; what is referred to waits until later, for references may lead on and on."""
        if old == new and not (self._changed and self._reaches_changed(old)):
            return
        names = self._old.key_of(old), self._new.key_of(new)
        if not any(names):
            yield from self._taken(old, new, at)
        elif (*names, at.unsure) not in self._seen or not all(names):
            if all(names):
                self._seen.add((*names, at.unsure))
            self._waiting.append((old, new, at))

    def _taken(self, old: Any, new: Any, at: At) -> Iterator[Change]:
        self._pair.left -= 1
        if self._pair.left < 0:
            if not self._gave_up:
                self._gave_up = True
                yield self._change("too-large", "unknown", at)
            return
        found = list(self._looked_at(old, new, at))
        if any(one.verdict != "compatible" and one.rule != "format" for one in found):
            proved = self._proved(old, new)
            if proved != "unknown" and judged(proved, self._way) == "compatible":
                found = [one for one in found if one.rule == "format"]
                found.append(self._change("constraint", proved, at))
        yield from found

    def _looked_at(self, old: Any, new: Any, at: At) -> Iterator[Change]:
        before, after = self._old.shape(old), self._new.shape(new)
        if before is None or after is None:
            yield self._change("constraint", self._proved(old, new), at)
            return
        yield from self._words(before, after, at)
        yield from self._members(before, after, at)
        yield from self._items(before, after, at)
        yield from self._unions(before, after, at)
        yield from self._rest(before, after, at)

    def _words(self, old: Shape, new: Shape, at: At) -> Iterator[Change]:
        for rule, relation in differences(old.words, new.words):
            yield self._change(rule, relation, at)

    # --- objects ----------------------------------------------------------------------------------------

    def _members(self, old: Shape, new: Shape, at: At) -> Iterator[Change]:
        if "object" not in old.types & new.types:
            return
        for name in dict.fromkeys([*old.members, *new.members, *sorted(old.required | new.required)]):
            place = at.below(f"properties/{escaped(name)}", name)
            if name in old.members and name in new.members:
                yield from self._compare(old.members[name], new.members[name], place)
            elif name in old.members:
                yield from self._gone(name, old, new, place)
            elif name in new.members:
                yield from self._come(name, old, new, place)
            if name in new.required - old.required:
                yield self._change("required-added", "narrower", place)
            elif name in old.required - new.required and (name in new.members or name not in old.members):
                yield self._change("required-removed", "wider", place)
        yield from self._others(old, new, at)

    def _gone(self, name: str, old: Shape, new: Shape, place: At) -> Iterator[Change]:
        """A field that is described no more: of an answer it is missed; a request may hold it where others may stand."""
        if self._way == "reply":
            yield self._change("property-removed", "other", place)
        elif new.others is True:
            yield self._change("property-removed", "wider", place)
        elif new.others is False:
            yield self._change("property-removed", "narrower", place)
        else:
            yield from self._compare(old.members[name], new.others, place)

    def _come(self, name: str, old: Shape, new: Shape, place: At) -> Iterator[Change]:
        """A field that is new: in requests nobody sends it yet; of answers nobody has to look at it."""
        if isinstance(old.others, Mapping):
            yield from self._compare(old.others, new.members[name], place)
        elif self._way == "reply":
            yield self._change("property-added", "unknown" if old.others is False else "narrower", place)
        else:
            yield self._change("property-added", "wider", place)

    def _others(self, old: Shape, new: Shape, at: At) -> Iterator[Change]:
        before, after = old.others, new.others
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from self._compare(before, after, at.below("additionalProperties", "*"))
        elif before != after and not (before is True and after is True):
            closes = after is False or before is True
            relation: Relation = "narrower" if closes else "wider" if self._way == "request" else "unknown"
            yield self._change("properties-closed" if closes else "properties-opened", relation, at)

    # --- lists and unions -------------------------------------------------------------------------------

    def _items(self, old: Shape, new: Shape, at: At) -> Iterator[Change]:
        if "array" not in old.types & new.types:
            return
        tuples = old.words.get("prefixItems", []), new.words.get("prefixItems", [])
        if len(tuples[0]) != len(tuples[1]):
            yield self._change("constraint", "unknown", at.below("prefixItems"))
            return
        for index, (before, after) in enumerate(zip(*tuples, strict=True)):
            yield from self._compare(before, after, at.below(f"prefixItems/{index}"))
        yield from self._compare(
            old.words.get("items", True), new.words.get("items", True), at.below("items")
        )

    def _unions(self, old: Shape, new: Shape, at: At) -> Iterator[Change]:
        for word in _UNIONS:
            before, after = old.words.get(word), new.words.get(word)
            if before is None and after is None:
                continue
            if before == after and not any(self._reaches_changed(one) for one in before or ()):
                continue
            inside = at.below(word)
            if before is None or after is None:
                yield self._change("variants", "narrower" if before is None else "wider", inside)
            else:
                yield from self._variants(before, after, inside, is_exclusive=word == "oneOf")

    def _variants(
        self, old: Sequence[Any], new: Sequence[Any], at: At, *, is_exclusive: bool
    ) -> Iterator[Change]:
        """Compare forms by name or place."""
        pairs, gone, come = self._paired(old, new)
        said = False
        for index, before, after in pairs:
            for change in self._compare(
                before, after, replace(at, unsure=is_exclusive or at.unsure).below(str(index))
            ):
                said = True
                yield change
        if gone or come:
            relation: Relation = "other" if gone and come else "narrower" if gone else "wider"
            is_sure = not is_exclusive or judged(relation, self._way) == "breaking"
            yield self._change("variants", relation if is_sure else "unknown", at)
        elif not said and is_exclusive and list(old) != list(new):
            yield self._change("variants", "unknown", at)

    def _paired(
        self, old: Sequence[Any], new: Sequence[Any]
    ) -> tuple[list[tuple[int, Any, Any]], list[Any], list[Any]]:
        """Return the forms that belong together, those that are gone, and those that are new."""
        left = list(new)
        pairs: list[tuple[int, Any, Any]] = []
        gone: list[tuple[int, Any]] = []
        for index, one in enumerate(old):
            if one in left:
                left.remove(one)
                pairs.append((index, one, one))
            else:
                gone.append((index, one))
        if len(gone) == len(left) == 1:
            pairs.append((*gone[0], left[0]))
            return pairs, [], []
        return pairs, [one for _, one in gone], left

    # --- the rest ---------------------------------------------------------------------------------------

    def _rest(self, old: Shape, new: Shape, at: At) -> Iterator[Change]:
        """Words that are only told equal from unequal: no value of them is surely in or out."""
        before = {word: value for word, value in old.words.items() if word not in KNOWN}
        after = {word: value for word, value in new.words.items() if word not in KNOWN}
        if before == after and not self._reaches_changed(before):
            return
        relation: Relation = "unknown"
        if "patternProperties" not in {*before, *after}:
            relation = "wider" if not after else "narrower" if not before else "unknown"
        yield self._change("constraint", relation, at)

    def _proved(self, old: Any, new: Any) -> Relation:
        """Return what can be proved of two schemas that refer to nothing."""
        if old == new or self._old.refers(old) or self._new.refers(new):
            return "unknown"
        before, after = ({"allOf": [one]} for one in (old, new))
        if covers(after, before):
            return "wider"
        return "narrower" if covers(before, after) else "unknown"

    def _reaches_changed(self, schema: Any) -> bool:
        return bool(self._changed) and self._old.reaches(schema, self._changed)

    def _change(self, rule: str, relation: Relation, at: At) -> Change:
        verdict = judged(relation, self._way)
        return Change(
            verdict="unknown" if at.unsure and verdict == "compatible" else verdict, rule=rule, way=self._way, pointer=at.pointer,
            operation=self._operation, field=at.field,
        )  # fmt: skip
