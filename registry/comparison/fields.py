"""What becomes of single fields of an answer: those that a grant names."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from registry.comparison.changes import Change, judged
from registry.comparison.schemas import At, Pair, SchemaComparison
from registry.comparison.shapes import Shape, Shapes
from registry.contract_schemas import escaped
from registry.field_paths import FieldPath

_MOST_LISTS: Final = 10
_NOTHING: Final = object()


class FieldComparison:
    """Follows fields through the answers of one operation."""

    def __init__(
        self, pair: Pair, operation: str, old: Any, new: Any, pointer: str
    ) -> None:  # Any: JSON Schemas
        self._pair = pair
        self._operation = operation
        self._start = old, new
        self._pointer = pointer

    def compare(self, path: FieldPath) -> Iterator[Change]:
        """Yield what has changed of a field, and of what is on the way to it."""
        old, new = self._start
        at = At(self._pointer, ())
        for name in path.names:
            before, old = _member(self._pair.old, old, name)
            after, new = _member(self._pair.new, new, name)
            if old is _NOTHING:
                return  # it was not described: nothing is lost
            at = at.below(f"properties/{escaped(name)}", name)
            if new is _NOTHING:
                yield self._change("property-removed", at)
                return
            if before is not None and after is not None and name in before.required - after.required:
                yield self._change("required-removed", at)
        changes = SchemaComparison(self._pair, self._operation, "reply").compare(old, new, at)
        yield from (one for one in changes if path.whole or one.field == at.field)

    def _change(self, rule: str, at: At) -> Change:
        verdict = judged("other", "reply")
        return Change(
            verdict=verdict,
            rule=rule,
            way="reply",
            pointer=at.pointer,
            operation=self._operation,
            field=at.field,
        )


def _member(shapes: Shapes, schema: Any, name: str) -> tuple[Shape | None, Any]:  # Any: a JSON Schema
    """Return the shape that has a field, lists walked through, and the field's schema; NOTHING where there is none."""
    for shape in _shapes(shapes, schema, 0):
        if name in shape.members:
            return shape, shape.members[name]
        if isinstance(shape.others, Mapping):
            return shape, shape.others
    return None, _NOTHING


def _shapes(shapes: Shapes, schema: Any, depth: int) -> Iterator[Shape]:
    shape = shapes.shape(schema)
    if shape is None or depth > _MOST_LISTS:
        return
    yield shape
    inner = [shape.words["items"]] if "items" in shape.words else []
    for word in ("prefixItems", "anyOf", "oneOf"):
        inner += shape.words.get(word, [])
    for one in inner:
        yield from _shapes(shapes, one, depth + 1)
