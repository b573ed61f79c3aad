"""Parameters of a described operation."""

from collections.abc import Iterator
from typing import Any, Final, cast

from registry.descriptions.own import NODE
from registry.descriptions.paths import Template
from registry.descriptions.schemas import SchemaReader
from registry.descriptions.tree import Place, Tree
from registry.entities import Parameter

MOST: Final = 100
_LONGEST_NAME: Final = 100
_IGNORED: Final = frozenset({"accept", "content-type"})
"""OpenAPI says that these are no parameters, whatever stands there."""
_OURS: Final = frozenset(
    {"authorization", "cookie", "host", "content-length", "connection", "idempotency-key"}
)
_PLAIN_STYLES: Final = {"path": "simple", "query": "form", "header": "simple"}


class ParameterReader:
    """Reads the parameters of one description."""

    def __init__(self, tree: Tree, schemas: SchemaReader) -> None:
        self._tree = tree
        self._notes = tree.notes
        self._schemas = schemas

    def read(self, item: Place, operation: Place, template: Template) -> tuple[Parameter, ...]:
        """Return an operation's parameters, those of its path first, in the path's order."""
        declared = self._declared(item) | self._declared(operation)
        order = list(template.names)
        found: dict[tuple[str, str], Parameter] = {}
        for (at, name), place in declared.items():
            made = self._one(at, name, place, template)
            if made is not None and len(found) < MOST:
                found[at, name] = made
            elif made is not None:
                self._notes.add(place.pointer, "too-many-parameters", name)
        for name in order:
            if ("path", name) not in found:
                self._notes.add(operation.pointer, "parameter-undeclared", name)
                found["path", name] = _path_parameter(template.names[name])
        for segment in template.joined:
            name = next(part for part in _variables(template.path) if part not in template.names.values())
            found["path", segment] = _path_parameter(name)
        first = [found["path", name] for name in order]
        return (*first, *(one for (at, name), one in found.items() if not (at == "path" and name in order)))

    def _declared(self, place: Place) -> dict[tuple[str, str], Place]:
        found: dict[tuple[str, str], Place] = {}
        stated = place.get("parameters")
        for index, value in enumerate(stated.items):
            one = self._tree.follow(Place(value, f"{stated.pointer}/{index}"))
            at, name = (one.get("in").value, one.get("name").value) if one is not None else (None, None)
            if (
                one is None
                or not isinstance(at, str)
                or not isinstance(name, str)
                or not 0 < len(name) <= _LONGEST_NAME
            ):
                self._notes.add(f"{stated.pointer}/{index}", "parameter", str(name or "")[:50])
            else:
                found[at, name] = one
        return found

    def _one(self, at: str, name: str, place: Place, template: Template) -> Parameter | None:
        lowered = name.lower()
        if at == "cookie":
            self._notes.add(place.pointer, "cookie", name)
        elif at == "header" and (lowered in _OURS or lowered.startswith("lgsp-")):
            if place.mapping.get(NODE) is not True:
                self._notes.add(place.pointer, "header-ours", name)
        elif at == "path" and name not in template.names:
            if not any("{" + name + "}" in segment for segment in template.joined):
                self._notes.add(place.pointer, "parameter", name)
        elif at not in _PLAIN_STYLES:
            self._notes.add(place.pointer, "parameter", f"{name} in {at}")
        elif not (at == "header" and lowered in _IGNORED):
            described = place.get("description").value
            return Parameter(
                name=template.names[name] if at == "path" else name,
                at=cast(Any, at),
                required=at == "path" or (place.get("required").value is True and not _is_spread(place)),
                schema=self._schema(at, place),
                note=described.strip()[:2000] if isinstance(described, str) else "",
            )
        return None

    def _schema(self, at: str, place: Place) -> dict[str, Any]:  # Any: a JSON Schema
        """Return a parameter's schema; an open one where it is not written as plain text or a plain list."""
        style = place.mapping.get("style", _PLAIN_STYLES[at])
        schema = place.get("schema")
        if place.get("content").mapping or style != _PLAIN_STYLES[at] or not schema.is_there:
            if place.get("content").mapping or style != _PLAIN_STYLES[at]:
                self._notes.add(place.pointer, "parameter-style", str(place.mapping.get("style", "content")))
            return {}
        read = self._schemas.read(schema)
        if at == "query" and place.mapping.get("explode") is False and read.get("type") == "array":
            # Written as one text: what stands in it is no list for whoever looks at the query.
            self._notes.add(place.pointer, "parameter-style", "explode: false")
            return {"type": "string"}
        example = place.mapping.get("example")
        if (
            "example" in place.mapping
            and "examples" not in read
            and isinstance(example, str | int | float | bool)
        ):
            read = read | {"examples": [example]}
        return read


def _is_spread(place: Place) -> bool:
    """Whether an object's members go by names of their own, so that none goes by the parameter's."""
    return place.mapping.get("style") == "deepObject"


def _path_parameter(name: str) -> Parameter:
    return Parameter(name=name, at="path", required=True, schema={"type": "string"})


def _variables(path: str) -> Iterator[str]:
    for segment in path.split("/"):
        if segment.startswith("{"):
            yield segment.strip("{}*")
