"""Types of XML as JSON Schemas of what the `soap` connector takes and gives.

What is asked and what is answered differ: requests are read strictly (what is not declared is refused, numbers may be
given as numbers or text), answers come as they are (long numbers always as text).
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from connectors.builtin.soap.fields import TEXT_KEY, TYPE_KEY, Complex, Field, Group, Simple, Type
from gateway.descriptions.facets import XML_NAMES, Restriction
from registry.contract_schemas import SHARED
from registry.descriptions.names import schema_name, unique_schema
from registry.descriptions.notes import Notes
from registry.descriptions.schemas import MOST_SCHEMAS

Schema = dict[str, Any]  # Any: a JSON Schema
Way = Literal["asked", "answered"]

_DEEPEST: Final = 8
_KINDS: Final[dict[Way, dict[str, Any]]] = {
    "asked": {
        "boolean": "boolean", "small": ["integer", "string"], "integer": ["integer", "string"],
        "decimal": ["number", "string"], "double": ["number", "string"],
    },
    "answered": {"boolean": "boolean", "small": "integer", "double": ["number", "string"]},
}  # fmt: skip
"""JSON's types by the kind of a simple type; text where nothing stands. (`INF` and `NaN` stay text.)"""

_SINGLE: Final = frozenset(
    {"type", "format", "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
     "items", "minItems", "maxItems"}
)  # fmt: skip
"""Keywords that look at one type's values alone: null passes them when its type is allowed."""


class TypeWriter:
    """Writes the schemas of one description; named types once for each direction, so that they may hold themselves."""

    def __init__(self, notes: Notes, facets: Mapping[str, Restriction]) -> None:
        self.shared: dict[str, Schema] = {}
        self._notes = notes
        self._facets = facets
        self._names: dict[tuple[int, Way], str] = {}
        self._waiting: list[tuple[Complex, Way, str]] = []

    def asked(self, start: Type, name: str) -> Schema:
        """Return the schema of a request's JSON."""
        return self._whole(start, "asked", name)

    def answered(self, start: Type, name: str) -> Schema:
        """Return the schema of an answer's JSON."""
        return self._whole(start, "answered", name)

    def _whole(self, start: Type, way: Way, name: str) -> Schema:
        schema = self._type(start, way, name, 0, is_start=True)
        while self._waiting:
            inner, direction, known = self._waiting.pop()
            self.shared[known] = self._complex(inner, direction, known, 0)
        return schema

    def _type(self, start: Type, way: Way, name: str, level: int, *, is_start: bool = False) -> Schema:
        if isinstance(start, Simple):
            return self._simple(start, way)
        if not isinstance(start, Complex):
            if not is_start:
                self._notes.add(f"/types/{name}", "wsdl-type", "xs:anyType")
            return {}
        known = (id(start), way) in self._names
        if known or level > _DEEPEST or start.name:
            return self._shared(start, way, name)
        return self._complex(start, way, name, level)

    def _shared(self, start: Complex, way: Way, name: str) -> Schema:
        key = (id(start), way)
        if key not in self._names:
            if len(self._names) >= MOST_SCHEMAS:
                self._notes.add(f"/types/{name}", "too-many-schemas")
                return {}
            wanted = schema_name(start.name.rpartition(":")[2] or name) + (
                ".request" if way == "asked" else ""
            )
            self._names[key] = unique_schema(wanted, set(self._names.values()))
            self._waiting.append((start, way, self._names[key]))
        return {"$ref": SHARED + self._names[key]}

    def _complex(self, one: Complex, way: Way, name: str, level: int) -> Schema:
        properties: Schema = {}
        required: list[str] = []
        for key, (_, kind, is_required) in one.attributes.items():
            properties[key] = self._simple(kind, way)
            required += [key] if is_required else []
        if one.text is not None:
            properties[TEXT_KEY] = self._simple(one.text, way)
        elif one.content is not None:
            self._group(one.content, way, name, level, properties, required)
        made: Schema = {"type": "object", "properties": properties}
        if required:
            made["required"] = sorted(set(required))
        if one.derived:
            properties[TYPE_KEY] = {"type": "string", "enum": sorted(one.derived)}
            self._notes.add(f"/types/{name}", "wsdl-type", "xsi:type")
        elif way == "asked":
            made["additionalProperties"] = False
        if one.text is not None and way == "asked" and TEXT_KEY not in required:
            return {"anyOf": [made, self._simple(one.text, way)]}
        return made

    def _group(
        self, group: Group, way: Way, name: str, level: int, properties: Schema, required: list[str]
    ) -> None:
        """Put what a group holds among the members of its type."""
        inner = properties
        needed: list[str] = []
        if group.key:
            inner = {}
        for part in group.parts:
            if isinstance(part, Group):
                own: list[str] = []
                self._group(part, way, name, level, inner, own)
                needed += own
            else:
                inner[part.key] = self._field(part, way, name, level)
                needed += [part.key] if part.min and not (way == "asked" and part.nillable) else []
        if group.choice:
            self._notes.add(f"/types/{name}", "wsdl-type", "xs:choice")
            needed = []
        if not group.key:
            required += needed if group.min else []
            return
        item: Schema = {"type": "object", "properties": inner}
        if needed:
            item["required"] = sorted(set(needed))
        if way == "asked":
            item["additionalProperties"] = False
        properties[group.key] = _list_of(item, group.min, group.max)
        required += [group.key] if group.min else []

    def _field(self, one: Field, way: Way, name: str, level: int) -> Schema:
        inner = self._type(one.type, way, f"{name}_{one.key}", level + 1)
        nothing = one.nillable or (way == "asked" and not one.min)
        if one.repeated:
            listed = _list_of(_or_null(inner) if one.nillable else inner, one.min, one.max)
            return _or_null(listed) if way == "asked" and not one.min else listed
        return _or_null(inner) if nothing else inner

    def _simple(self, one: Simple, way: Way) -> Schema:
        made: Schema = {"type": _KINDS[way].get(one.kind, "string")}
        made |= self._restricted(one, way)
        if one.form:
            made["format"] = one.form
        return {"type": "array", "items": made} if one.is_list else made

    def _restricted(self, one: Simple, way: Way) -> Schema:
        """Return what a simple type restricts, as far as its value is what JSON Schema can look at."""
        own = self._facets.get(one.name)
        if own is None:
            return {}
        # The facets of a list are about the list, not about its items.
        is_text = one.kind == "text" and not one.is_list
        is_number = one.kind in _KINDS[way] and one.kind != "boolean" and not one.is_list
        made = dict(own.text) if is_text else dict(own.number) if is_number else {}
        left = own.left | (own.text.keys() | own.number.keys()) - made.keys()
        for facet in sorted(left):
            self._notes.add(
                f"/types/{one.name.rpartition('}')[2]}", "wsdl-facet", XML_NAMES.get(facet, facet)
            )
        return made


def _list_of(item: Schema, least: int, most: int | None) -> Schema:
    made: Schema = {"type": "array", "items": item}
    if least:
        made["minItems"] = least
    if most is not None:
        made["maxItems"] = most
    return made


def _or_null(schema: Schema) -> Schema:
    """Return the schema with null allowed."""
    if not schema:
        return schema
    if set(schema) <= _SINGLE:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return schema | {"type": [*types, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}
