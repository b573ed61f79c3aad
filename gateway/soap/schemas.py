"""JSON Schemas as types of XML: compiled once, and what XML Schema cannot say is noted, item by item."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.soap.names import element_name, unique
from gateway.soap.nodes import Kind, Leaf, Listed, Member, Node, Open, Structure

Schema = Mapping[str, Any]  # Any: a JSON Schema, as it was written
MOST_MEMBERS: Final = 50_000
MOST_LEVELS: Final = 60
_REFERENCE: Final = "#/schemas/"

_FORMATS: Final[Mapping[str, Kind]] = {
    "date": "date",
    "date-time": "dateTime",
    "time": "time",
    "byte": "base64Binary",
    "int32": "int",
    "int64": "long",
    "float": "double",
    "double": "double",
}
_OF_TEXT: Final = frozenset({"date", "dateTime", "time", "base64Binary"})
_BY_TYPE: Final[Mapping[str, Kind]] = {"boolean": "boolean", "integer": "integer", "number": "decimal"}


@dataclass(frozen=True, slots=True)
class Remark:
    """What of a schema is left open: where (a JSON pointer into the version) and why, by a stable word."""

    pointer: str
    why: str


@dataclass(slots=True)
class Shape:
    """What a schema says of a place: the type, whether it stands there several times, whether it may be null."""

    node: Node
    repeated: bool = False
    nillable: bool = False
    note: str = ""


class SchemaCompiler:
    """Compiles the schemas of one version; those with a name once, so that they may hold themselves.

    What `shape` returns is whole after `finish`.
    """

    def __init__(self, schemas: Mapping[str, Schema], namespace: str) -> None:
        self._schemas = schemas
        self._namespace = namespace
        self._left = MOST_MEMBERS
        self._levels = 0
        self._under_way: set[str] = set()
        self._structures: dict[str, Structure] = {}
        self._waiting: list[tuple[Structure, Schema, str]] = []
        self.types: dict[str, Structure] = {}
        """The named types, by their names in XML."""
        self.remarks: list[Remark] = []

    def shape(self, schema: object, at: str) -> Shape:
        """Return what a schema says; `at` is where it stands in the version."""
        if not isinstance(schema, Mapping):
            return self._open(at, "no-schema") if schema is not True else Shape(Open(), nillable=True)
        self._levels += 1
        try:
            if self._levels > MOST_LEVELS:
                return self._open(at, "too-deep")
            return self._shape(schema, at)
        finally:
            self._levels -= 1

    def _shape(self, schema: Schema, at: str) -> Shape:
        if "$ref" in schema:
            return self._referred(schema["$ref"], at)
        shape = self._alternatives(schema, at)
        if shape is None:
            types = _types(schema)
            nillable = "null" in types or schema.get("nullable") is True
            shape = self._typed(schema, [one for one in types if one != "null"], at)
            # A list that is null has no items: there is no element to be nil.
            shape.nillable = shape.nillable or (nillable and not shape.repeated)
        shape.note = shape.note or str(schema.get("description") or schema.get("title") or "")
        return shape

    def _open(self, at: str, why: str) -> Shape:
        self.remarks.append(Remark(at, why))
        return Shape(Open(), nillable=True)

    def _referred(self, reference: object, at: str) -> Shape:
        name = str(reference).removeprefix(_REFERENCE)
        if not str(reference).startswith(_REFERENCE) or name not in self._schemas:
            return self._open(at, "reference")
        known = self._structures.get(name)
        if known is not None:
            return Shape(known, nillable=_may_be_null(self._schemas[name]))
        if name in self._under_way:
            return self._open(at, "loop")  # a list of itself, or a name for itself: nothing that ends
        self._under_way.add(name)
        try:
            schema = self._schemas[name]
            if _is_object(schema):
                return self._named(name, schema)
            return self.shape(schema, f"/schemas/{name}")
        finally:
            self._under_way.discard(name)

    def _named(self, name: str, schema: Schema) -> Shape:
        """Return the type of an object with a name; its members, which may hold it, come in `finish`."""
        structure = Structure(self._namespace, unique(element_name(name), self.types))
        self.types[structure.name] = self._structures[name] = structure
        self._waiting.append((structure, schema, f"/schemas/{name}"))
        return Shape(structure, nillable=_may_be_null(schema))

    def finish(self) -> None:
        """Fill in the members of the named types, however long the chain in which they hold each other."""
        while self._waiting:
            self._fill(*self._waiting.pop())

    def _alternatives(self, schema: Schema, at: str) -> Shape | None:
        """Return what `oneOf`, `anyOf` and `allOf` come to; None when there is nothing of the kind."""
        for word in ("oneOf", "anyOf"):
            options = schema.get(word)
            if not isinstance(options, list):
                continue
            real = [(index, one) for index, one in enumerate(options) if not _is_null(one)]
            if len(real) != 1:
                return self._open(f"{at}/{word}", "alternatives")
            index, only = real[0]
            shape = self.shape(only, f"{at}/{word}/{index}")
            return Shape(
                shape.node,
                shape.repeated,
                shape.nillable or (len(options) > 1 and not shape.repeated),
                shape.note,
            )
        parts = schema.get("allOf")
        if isinstance(parts, list) and len(parts) == 1 and "properties" not in schema:
            return self.shape(parts[0], f"{at}/allOf/0")
        return None

    def _typed(self, schema: Schema, types: list[str], at: str) -> Shape:
        if _is_object(schema):
            structure = Structure(self._namespace)
            self._fill(structure, schema, at)
            return Shape(structure) if structure.members else self._open(at, "open-object")
        if len(types) > 1:
            plain = not {"object", "array"} & set(types)
            self.remarks.append(Remark(at, "alternatives"))
            return Shape(Leaf() if plain else Open())
        kind = types[0] if types else ""
        if kind == "array":
            return self._list(schema, at)
        if kind == "object":
            return self._open(at, "open-object")
        if not kind and "enum" not in schema and "const" not in schema and "format" not in schema:
            return self._open(at, "no-type")
        return Shape(self._leaf(schema, kind, at))

    def _leaf(self, schema: Schema, kind: str, at: str) -> Leaf:
        known = _FORMATS.get(str(schema.get("format")))
        wanted = _BY_TYPE.get(kind, "string")
        if known is not None and ((known in _OF_TEXT) == (wanted == "string")) and kind != "boolean":
            wanted = known if known != "double" or kind == "number" else wanted
        choices = [schema["const"]] if "const" in schema else _listed(schema.get("enum"))
        texts = tuple(one for one in choices if isinstance(one, str))
        if choices and (wanted != "string" or any(not isinstance(one, str | None) for one in choices)):
            self.remarks.append(Remark(f"{at}/enum", "choices"))
            texts = ()
        return Leaf(wanted, texts)

    def _list(self, schema: Schema, at: str) -> Shape:
        if "prefixItems" in schema:
            return self._open(f"{at}/prefixItems", "tuple")
        inner = self.shape(schema.get("items", True), f"{at}/items")
        if inner.repeated:
            item = Member("", "item", inner.node, repeated=True, nillable=inner.nillable)
            return Shape(Listed(item, self._namespace), repeated=True)
        return Shape(inner.node, repeated=True, nillable=inner.nillable, note=inner.note)

    def _fill(self, structure: Structure, schema: Schema, at: str) -> None:
        parts = list(self._parts(schema, at, set()))
        required = {str(name) for part, _ in parts for name in _listed(part.get("required"))}
        for part, where in parts:
            for key, inner in _mapping(part.get("properties")).items():
                if all(member.key != key for member in structure.members):
                    self._add(structure, key, inner, f"{where}/properties/{key}", required=key in required)
            if part.get("additionalProperties") not in (None, False) or part.get("patternProperties"):
                self.remarks.append(Remark(f"{where}/additionalProperties", "further-fields"))

    def _add(self, structure: Structure, key: str, schema: object, at: str, *, required: bool) -> None:
        self._left -= 1
        if self._left < 0:
            return
        if self._left == 0:
            self.remarks.append(Remark(at, "too-large"))
        shape = self.shape(schema, at)
        structure.add(
            Member(
                key,
                unique(element_name(key), {member.tag for member in structure.members}),
                shape.node,
                repeated=shape.repeated,
                required=required,
                nillable=shape.nillable,
                note=shape.note,
            )
        )

    def _parts(self, schema: Schema, at: str, seen: set[str]) -> Iterator[tuple[Schema, str]]:
        """Yield the schemas whose fields an object has: those of `allOf`, references followed once, and its own."""
        name = str(schema.get("$ref", "")).removeprefix(_REFERENCE)
        if name in self._schemas and name not in seen:
            seen.add(name)
            yield from self._parts(self._schemas[name], f"/schemas/{name}", seen)
        for index, part in enumerate(_listed(schema.get("allOf"))):
            if isinstance(part, Mapping):
                yield from self._parts(part, f"{at}/allOf/{index}", seen)
        yield schema, at


def _is_object(schema: Schema) -> bool:
    """Say whether a schema names fields, itself or in parts that all hold."""
    if isinstance(schema.get("properties"), Mapping) and schema["properties"]:
        return True
    parts = schema.get("allOf")
    return isinstance(parts, list) and len(parts) > 1


def _types(schema: Schema) -> list[str]:
    given = schema.get("type", [])
    return [str(one) for one in given] if isinstance(given, list) else [str(given)]


def _is_null(schema: object) -> bool:
    return isinstance(schema, Mapping) and (schema.get("type") == "null" or schema.get("enum") == [None])


def _may_be_null(schema: Schema) -> bool:
    return "null" in _types(schema) or schema.get("nullable") is True


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def mark_replied(start: Node) -> None:
    """Mark every structure that can be reached: replies hold it."""
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Listed):
            waiting.append(node.item.node)
        elif isinstance(node, Structure) and not node.replied:
            node.replied = True
            waiting += [member.node for member in node.members]
