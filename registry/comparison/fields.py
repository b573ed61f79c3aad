"""What becomes of single fields of an answer: those that a grant names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from registry.comparison.changes import Change, Relation, judged
from registry.comparison.schemas import At, Pair, SchemaComparison
from registry.comparison.shapes import Shapes
from registry.contract_schemas import escaped
from registry.field_paths import FieldPath

_MOST_LISTS: Final = 10
_MOST_FORMS: Final = 1000
_NOTHING: Final = object()
_UNSURE: Final = object()
_ANY: Final = "any"
_UNKNOWN: Final = "unknown"
_DEPENDS: Final = frozenset({"not", "if"})
"""Words that may shut out a type without naming it."""


class Found(NamedTuple):
    """What a field is in one form of the object that holds it. `schema` may be NOTHING, or UNSURE."""

    schema: Any  # Any: a JSON Schema
    is_sure: bool
    """Whether it must be there."""
    step: str
    """From the holder's pointer to the field's."""


class FieldComparison:
    """Follows fields through the answers of one operation; each field once, however many grants name it."""

    def __init__(
        self, pair: Pair, operation: str, old: Any, new: Any, pointer: str
    ) -> None:  # Any: JSON Schemas
        self._pair = pair
        self._operation = operation
        self._start = old, new
        self._pointer = pointer
        self._known: dict[FieldPath, tuple[Change, ...]] = {}

    def compare(self, path: FieldPath) -> tuple[Change, ...]:
        """Return what has changed of a field, and of what is on the way to it."""
        if path not in self._known:
            self._known[path] = tuple(self._compare(path))
        return self._known[path]

    def _compare(self, path: FieldPath) -> Iterator[Change]:
        old, new = self._start
        at = At(self._pointer, ())
        for name in path.names:
            if self._is_same(old, new):
                return
            before, after = self._found(self._pair.old, old, name), self._found(self._pair.new, new, name)
            yield from self._holder(old, new, at)
            if not _schemas(before):
                return  # it was not described: nothing is lost
            at = at.below(next(one.step for one in before if one.schema is not _NOTHING), name)
            if _UNSURE in (*_schemas(before), *_schemas(after)):
                yield self._change("constraint", "unknown", at)
                return
            if not _schemas(after):
                yield self._change("property-removed", "other", at)
                return
            yield from self._presence(before, after, at)
            old, new = _one_of(_schemas(before)), _one_of(_schemas(after))
        changes = SchemaComparison(self._pair, self._operation, "reply").compare(old, new, at)
        yield from (one for one in changes if path.whole or one.field == at.field or one.rule == "too-large")

    def _found(self, shapes: Shapes, schema: Any, name: str) -> list[Found]:
        return list(_found(shapes, schema, name, "", [_MOST_FORMS]))

    def _is_same(self, old: Any, new: Any) -> bool:
        return bool(old == new) and not self._pair.old.reaches(old, self._pair.changed)

    def _holder(self, old: Any, new: Any, at: At) -> Iterator[Change]:
        """What holds a field may become something else: a list of such objects, or null."""
        before = set(_forms(self._pair.old, old, [_MOST_FORMS]))
        after = set(_forms(self._pair.new, new, [_MOST_FORMS]))
        if any(_UNKNOWN in form for form in before | after):
            yield self._change("constraint", "unknown", at)
        elif not all(_is_known(form, before) for form in after):
            yield self._change("type", "wider", at)

    def _presence(self, before: Sequence[Found], after: Sequence[Found], at: At) -> Iterator[Change]:
        if all(one.is_sure for one in before) and not all(one.is_sure for one in after):
            yield self._change("required-removed", "wider", at)
        elif _is_everywhere(before) and not _is_everywhere(after):
            yield self._change("variants", "unknown", at)

    def _change(self, rule: str, relation: Relation, at: At) -> Change:
        return Change(
            verdict=judged(relation, "reply"), rule=rule, way="reply", pointer=at.pointer,
            operation=self._operation, field=at.field,
        )  # fmt: skip


def _found(
    shapes: Shapes, schema: Any, name: str, step: str, left: list[int], depth: int = 0
) -> Iterator[Found]:
    """Yield what a field is in every form in which its object may come, lists walked through.

    `left` is how many schemas may still be looked at: forms may multiply.
    """
    left[0] -= 1
    shape = shapes.shape(schema)
    here = f"{step}properties/{escaped(name)}"
    if shape is None or depth > _MOST_LISTS or left[0] < 0:
        yield Found(_UNSURE, is_sure=False, step=here)
        return
    own = shape.members.get(name, shape.others if isinstance(shape.others, Mapping) else _NOTHING)
    is_sure = name in shape.required
    forms = list(_forms_of(shape.words))
    for inner_step, form in forms if left[0] >= 0 else []:
        for inner in _found(shapes, form, name, f"{step}{inner_step}/", left, depth + 1):
            is_own = inner.schema is _NOTHING
            yield Found(
                own if is_own else inner.schema, is_sure or inner.is_sure, here if is_own else inner.step
            )
    if forms:
        return
    if "object" in shape.types:
        yield Found(own, is_sure, here)
    if "array" in shape.types:
        for inner_step, one in _members(shape.words):
            if one is not True and one != {}:
                yield from _found(shapes, one, name, f"{step}{inner_step}/", left, depth + 1)


def _forms_of(words: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the schemas of which one must fit, with the way to each."""
    for word in ("anyOf", "oneOf"):
        yield from ((f"{word}/{index}", one) for index, one in enumerate(words.get(word, ())))


def _members(words: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the schemas of a list's members, with the way to each; where nothing is said of them, anything."""
    yield from ((f"prefixItems/{index}", one) for index, one in enumerate(words.get("prefixItems", ())))
    if words.get("items", True) is not False:
        yield "items", words.get("items", True)


def _schemas(found: Sequence[Found]) -> list[Any]:
    schemas: list[Any] = []
    for one in found:
        if one.schema is not _NOTHING and one.schema not in schemas:
            schemas.append(one.schema)
    return schemas


def _one_of(schemas: Sequence[Any]) -> Any:
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


def _is_everywhere(found: Sequence[Found]) -> bool:
    return all(one.schema is not _NOTHING for one in found)


def _forms(shapes: Shapes, schema: Any, left: list[int], depth: int = 0) -> Iterator[tuple[str, ...]]:
    """Yield what may come, as the types from outside inwards: an object, a list of objects."""
    left[0] -= 1
    shape = shapes.shape(schema)
    if shape is None or depth > _MOST_LISTS or left[0] < 0 or not _DEPENDS.isdisjoint(shape.words):
        yield (_UNKNOWN,)
        return
    forms = list(_forms_of(shape.words))
    if forms:
        inner = {form for _, one in forms for form in _forms(shapes, one, left, depth + 1)}
        yield from (form for form in inner if form[0] in shape.types or form[0] == _UNKNOWN)
        return
    yield from ((name,) for name in shape.types - {"array"})
    if "array" in shape.types:
        for _, one in _members(shape.words):
            inside = {(_ANY,)} if one is True or one == {} else set(_forms(shapes, one, left, depth + 1))
            yield from (("array", *form) for form in inside)


def _is_known(form: tuple[str, ...], known: set[tuple[str, ...]]) -> bool:
    """Say whether a form was possible before; where anything was, it was."""
    return form in known or any((*form[:depth], _ANY) in known for depth in range(len(form)))
