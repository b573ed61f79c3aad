"""The part of a description by which a mock of its provider answers: operations by our names, answers, and their schemas."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from registry.descriptions.tree import Place, Tree

_NAMED: Final = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependentRequired"}
)
"""What holds schemas by names of the provider's, which may be keywords too."""
_VALUES: Final = frozenset({"default", "const", "enum", "example", "examples"})
_OF_EXAMPLES: Final = ("value", "x-mock-when")


@dataclass(frozen=True, slots=True)
class Taken:
    """An operation that was taken: our name for it, and where it stands."""

    name: str
    path: str
    method: str
    place: Place


def excerpt(tree: Tree, taken: Sequence[Taken]) -> dict[str, Any]:
    """Return an OpenAPI description of what these operations answer, without references that lead elsewhere or nowhere.

    Such a reference becomes the schema that allows anything, and is noted.
    """
    return _Excerpt(tree).made(taken)


class _Excerpt:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._names: dict[str, str] = {}
        self._used: set[str] = set()
        self._left: list[str] = []

    def made(self, taken: Sequence[Taken]) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for one in taken:
            responses = {
                code: self._response(place)
                for code, place in one.place.get("responses").each()
                if not code.startswith("x-")
            }
            described = {"operationId": one.name, "responses": responses}
            paths.setdefault(one.path, {})[one.method] = described
        schemas: dict[str, Any] = {}
        while self._left:
            reference = self._left.pop()
            found = self._tree.find(reference)
            schemas[self._names[reference]] = self._schema(found.value) if found is not None else {}
        is_old = str(self._tree.root.get("openapi").value).strip().startswith("3.0")
        return {
            "openapi": "3.0.3" if is_old else "3.1.0",
            "paths": paths,
            **({"components": {"schemas": schemas}} if schemas else {}),
        }

    def _response(self, stated: Place) -> dict[str, Any]:
        place = self._tree.follow(stated)
        content = {} if place is None else dict(place.get("content").each())
        return {"content": {name: self._media(media) for name, media in content.items()}} if content else {}

    def _media(self, media: Place) -> dict[str, Any]:
        made: dict[str, Any] = {}
        schema = media.get("schema")
        if isinstance(schema.value, Mapping):
            made["schema"] = self._schema(schema.value)
        if "example" in media.mapping:
            made["example"] = media.mapping["example"]
        followed = [(name, self._tree.follow(stated)) for name, stated in media.get("examples").each()]
        examples = {
            name: {key: place.mapping[key] for key in _OF_EXAMPLES if key in place.mapping}
            for name, place in followed
            if place is not None and "value" in place.mapping
        }
        return made | ({"examples": examples} if examples else {})

    def _schema(self, value: Any, *, named: bool = False) -> Any:  # Any: foreign JSON
        """Return a schema whose references stay within the excerpt; `named`: the keys are names, not keywords."""
        if isinstance(value, list):
            return [self._schema(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        if not named and "$ref" in value:
            return self._reference(value["$ref"])
        return {
            key: item
            if not named and key in _VALUES
            else self._schema(item, named=not named and key in _NAMED)
            for key, item in value.items()
            if named or key != "description"
        }

    def _reference(self, reference: Any) -> dict[str, Any]:  # Any: foreign JSON
        if self._tree.problem(reference):
            return {}
        if reference not in self._names:
            self._names[reference] = self._name(reference)
            self._left.append(reference)
        return {"$ref": f"#/components/schemas/{self._names[reference]}"}

    def _name(self, reference: str) -> str:
        plain = re.sub(r"[^A-Za-z0-9._\-]", "_", reference.rpartition("/")[2])[:100] or "_"
        name, number = plain, 1
        while name in self._used:
            number += 1
            name = f"{plain}-{number}"
        self._used.add(name)
        return name
