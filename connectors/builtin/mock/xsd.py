"""From the types of a WSDL to JSON Schemas that answers are invented by: no more than that needs, and within bounds."""

from collections.abc import Mapping
from typing import Any

from lxml import etree

from connectors.builtin.mock.facts import Schema
from connectors.builtin.soap.fields import TEXT_KEY, Anything, Complex, Field, Group, Simple, Type
from connectors.builtin.soap.wsdl import XSD, Sources
from connectors.builtin.soap.xml import local

MOST_DEPTH = 10
MOST_NODES = 1000
MOST_TWICE = 2
Facets = Mapping[str, Schema]

_KINDS = {
    "boolean": "boolean",
    "integer": "integer",
    "small": "integer",
    "decimal": "number",
    "double": "number",
}
_LIMITS = {
    "minInclusive": "minimum",
    "maxInclusive": "maximum",
    "minLength": "minLength",
    "maxLength": "maxLength",
}


class TooDeep(ValueError):
    """A type that holds itself in every case: no answer of it has an end."""


def facets_of(sources: Sources) -> Facets:
    """Return what simple types allow, by their names; zeep forgets it.

    An anonymous type has its element's name; where two of one name differ, neither counts.
    """
    found: dict[str, dict[str, Any]] = {}
    for document in sources.all():
        for schema in document.iter(f"{{{XSD}}}schema"):
            for declared in schema.iter(f"{{{XSD}}}simpleType"):
                parent = declared.getparent()
                name = declared.get("name") or ("" if parent is None else parent.get("name", ""))
                key, facets = f"{{{schema.get('targetNamespace', '')}}}{name}", _facets(declared)
                found[key] = facets if found.get(key, facets) == facets else {}
    return found


def _facets(declared: etree._Element) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for facet in declared.iterfind(f"{{{XSD}}}restriction/*"):
        name, value = local(facet.tag), facet.get("value", "")
        if name == "enumeration":
            made.setdefault("enum", []).append(value)
        elif name == "pattern":
            made["pattern"] = value
        elif name == "length" and value.isdecimal():
            made |= {"minLength": int(value), "maxLength": int(value)}
        elif name in _LIMITS and value.lstrip("-").isdecimal():
            made[_LIMITS[name]] = int(value)
    return made


class SchemaMaker:
    """Makes the schema of one message. `sparse` leaves out all that may be left out: what "nothing found" looks like."""

    def __init__(self, facets: Facets, *, sparse: bool) -> None:
        self._facets = facets
        self._sparse = sparse
        self._left = MOST_NODES

    def make(self, start: Type, above: tuple[int, ...] = ()) -> dict[str, Any]:
        """Return a type's schema. Raises TooDeep."""
        self._left -= 1
        if isinstance(start, Simple):
            return self._simple(start)
        if isinstance(start, Anything):
            return {"type": "string"}
        if above.count(id(start)) >= MOST_TWICE or len(above) > MOST_DEPTH:
            raise TooDeep("a type holds itself without an end")
        properties = {key: self._simple(kind) for key, (_, kind, _) in start.attributes.items()}
        if start.text is not None:
            properties[TEXT_KEY] = self._simple(start.text)
        if start.content is not None:
            properties |= self._group(start.content, (*above, id(start)))
        return {"type": "object", "properties": properties}

    def _group(self, group: Group, above: tuple[int, ...]) -> dict[str, Any]:
        if not self._is_wanted(group, above):
            return {}
        if not group.key:
            return self._parts(group, above)
        inner = self._parts(group, above)
        least = group.min or 1
        items = {"type": "object", "properties": inner}
        return {group.key: {"type": "array", "items": items, "minItems": least, "maxItems": max(least, 2)}}

    def _parts(self, group: Group, above: tuple[int, ...]) -> dict[str, Any]:
        """Return the members of a group; of a choice, those of its first branch."""
        made: dict[str, Any] = {}
        for part in group.parts[:1] if group.choice else group.parts:
            if isinstance(part, Group):
                made |= self._group(part, above)
            elif self._is_wanted(part, above):
                made |= self._field(part, above)
        return made

    def _field(self, field: Field, above: tuple[int, ...]) -> dict[str, Any]:
        try:
            inner = self.make(field.type, above)
        except TooDeep:
            if field.min:
                raise
            return {}
        if field.repeated:
            most = {} if field.max is None else {"maxItems": field.max}
            inner = {"type": "array", "items": inner, "minItems": field.min or 1, **most}
        return {field.key: inner}

    def _is_wanted(self, part: Field | Group, above: tuple[int, ...]) -> bool:
        """Say whether something that may be left out shall be there; all the rest has to."""
        return bool(part.min) or not (self._sparse or self._left <= 0 or len(above) >= MOST_DEPTH)

    def _simple(self, simple: Simple) -> dict[str, Any]:
        made: dict[str, Any] = {
            "type": _KINDS.get(simple.kind, "string"),
            **self._facets.get(simple.name, {}),
        }
        if simple.form:
            made["format"] = simple.form
        if "enum" in made and made["type"] != "string":
            made = {"type": "string", "enum": made["enum"]}
        return {"type": "array", "items": made, "maxItems": 2} if simple.is_list else made


def schema_for(element: Field, facets: Facets, *, sparse: bool) -> dict[str, Any]:
    """Return the schema of an element's content. Raises TooDeep."""
    maker = SchemaMaker(facets, sparse=sparse)
    return maker.make(element.type) if isinstance(element.type, Complex) else {"type": "string"}
