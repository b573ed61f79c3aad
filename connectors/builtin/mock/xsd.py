"""From the types of a WSDL to JSON Schemas that answers are invented by: no more than that needs, and within bounds."""

from collections.abc import Mapping, Sequence
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
_FREE = range(2**31)
_RANGES = {
    "byte": range(2**7), "unsignedByte": range(2**8), "short": range(2**15), "unsignedShort": range(2**16), "int": _FREE,
    "unsignedInt": _FREE, "positiveInteger": range(1, 2**31), "negativeInteger": range(-9, 0), "nonPositiveInteger": range(-9, 1),
}  # fmt: skip
_SAMPLES = {
    "gYear": ("2024",), "gYearMonth": ("2024-05",), "gMonthDay": ("--05-19",), "gMonth": ("--05",), "gDay": ("---19",),
    "duration": ("P1D",), "base64Binary": ("R2nhuqMgbOG6rXA=",), "hexBinary": ("00FF",), "anyURI": ("https://demo.invalid/1",),
    "language": ("vi",), "NMTOKEN": ("gia-lap",), "Name": ("gia-lap",), "NCName": ("gia-lap",), "ID": ("gia-lap",),
}  # fmt: skip
_BUILT_IN: Facets = {
    **{f"{{{XSD}}}{name}": {"minimum": of.start, "maximum": of.stop - 1} for name, of in _RANGES.items()},
    **{f"{{{XSD}}}{name}": {"enum": list(samples)} for name, samples in _SAMPLES.items()},
}
_LENGTHS = ("minLength", "maxLength")
_BOUNDS = {
    "minInclusive": ("minimum", 0),
    "minExclusive": ("minimum", 1),
    "maxInclusive": ("maximum", 0),
    "maxExclusive": ("maximum", -1),
}


class TooDeep(ValueError):
    """A type that holds itself in every case: no answer of it has an end."""


def facets_of(sources: Sources) -> Facets:
    """Return what simple types allow, by their names; zeep forgets it.

    An anonymous type has its element's name; where two of one name differ, neither counts.
    """
    declared: dict[str, list[etree._Element]] = {}
    for document in sources.all():
        for schema in document.iter(f"{{{XSD}}}schema"):
            for one in schema.iter(f"{{{XSD}}}simpleType"):
                parent = one.getparent()
                name = one.get("name") or ("" if parent is None else parent.get("name", ""))
                declared.setdefault(f"{{{schema.get('targetNamespace', '')}}}{name}", []).append(one)
    found = {name: [_whole(one, declared) for one in several] for name, several in declared.items()}
    own = {name: several[0] for name, several in found.items() if all(one == several[0] for one in several)}
    return {**_BUILT_IN, **own}


def _whole(
    declared: etree._Element, others: Mapping[str, Sequence[etree._Element]], depth: int = 0
) -> dict[str, Any]:
    """Return what a type allows, with what the type allows that it restricts."""
    restriction = declared.find(f"{{{XSD}}}restriction")
    if restriction is None or depth > MOST_DEPTH:
        return {}
    prefix, _, name = restriction.get("base", "").rpartition(":")
    base = f"{{{restriction.nsmap.get(prefix or None, '')}}}{name}"
    above = _whole(others[base][0], others, depth + 1) if base in others else _BUILT_IN.get(base, {})
    return {**above, **_facets(restriction)}


def _facets(restriction: etree._Element) -> dict[str, Any]:
    made: dict[str, Any] = {}
    digits = {"totalDigits": 15, "fractionDigits": 2}
    for facet in restriction.iterchildren("*"):
        name, value = local(facet.tag), facet.get("value", "")
        number = int(value) if value.lstrip("-").isdecimal() and len(value) < 16 else None  # noqa: PLR2004
        if name == "enumeration":
            made.setdefault("enum", []).append(value)
        elif name == "pattern":
            made["pattern"] = value
        elif name == "length" and number is not None:
            made |= dict.fromkeys(_LENGTHS, number)
        elif name in _LENGTHS and number is not None:
            made[name] = number
        elif name in _BOUNDS and number is not None:
            key, step = _BOUNDS[name]
            made[key] = number + step
        elif name in digits and number is not None:
            digits[name] = number
            made["multipleOf"] = 10 ** -min(digits["fractionDigits"], digits["totalDigits"], 2)
            made.setdefault(
                "maximum",
                10 ** (digits["totalDigits"] - min(digits["fractionDigits"], digits["totalDigits"])) - 1,
            )
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
