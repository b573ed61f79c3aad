"""What XML Schema allows of simple values (lengths, enumerations, patterns, bounds), by the name of the simple type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from connectors.builtin.soap.wsdl import XSD, Sources
from connectors.builtin.soap.xml import local
from registry.descriptions.keywords import is_pattern
from registry.descriptions.notes import Notes

_MOST_VALUES: Final = 1000
_MOST_DIGITS: Final = 9
_DEEPEST: Final = 10
_LENGTHS: Final = {
    "length": ("minLength", "maxLength"),
    "minLength": ("minLength",),
    "maxLength": ("maxLength",),
}
_BOUNDS: Final = {
    "minInclusive": "minimum",
    "maxInclusive": "maximum",
    "minExclusive": "exclusiveMinimum",
    "maxExclusive": "exclusiveMaximum",
}
XML_NAMES: Final = {keyword: facet for facet, keyword in _BOUNDS.items()} | {"enum": "enumeration"}
"""How XML Schema calls the keywords of JSON Schema that have another name there."""

_SILENT: Final = frozenset({"annotation", "whiteSpace"})
_OF_XML_ALONE: Final = frozenset("iIcCpPwWsS")
"""Escapes of XML Schema's patterns that other dialects do not have, or take for other characters."""
_LARGEST: Final = 1 << 53


@dataclass(slots=True)
class Restriction:
    """What one simple type restricts, as keywords of JSON Schema."""

    text: dict[str, Any] = field(default_factory=dict)  # Any: values of JSON Schema keywords
    number: dict[str, int | float] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    """Facets that JSON Schema does not have in this form."""


def facets_of(sources: Sources) -> Mapping[str, Restriction]:
    """Return what each simple type restricts, with what it inherits; an anonymous type has its element's name.

    Where two of one name differ, neither counts.
    """
    found: dict[str, list[etree._Element]] = {}
    for document in sources.all():
        for schema in document.iter(f"{{{XSD}}}schema"):
            for one in schema.iter(f"{{{XSD}}}simpleType"):
                restriction = one.find(f"{{{XSD}}}restriction")
                if restriction is not None:
                    place = f"{{{schema.get('targetNamespace', '')}}}{_name_of(one)}"
                    found.setdefault(place, []).append(restriction)
    read = {name: [_with_bases(one, found) for one in several] for name, several in found.items()}
    return {name: several[0] for name, several in read.items() if all(one == several[0] for one in several)}


def _with_bases(
    restriction: etree._Element, found: Mapping[str, Sequence[etree._Element]], depth: int = 0
) -> Restriction:
    """Return what a type restricts, after what the types before it restrict."""
    own = _restriction(restriction)
    prefix, _, name = restriction.get("base", "").rpartition(":")
    bases = found.get(f"{{{restriction.nsmap.get(prefix or None, '')}}}{name}", ())
    if not bases or depth >= _DEEPEST:
        return own
    base = _with_bases(bases[0], found, depth + 1)
    left = own.left | base.left
    if "pattern" in own.text and "pattern" in base.text:  # both hold, and one can be said
        left.add("pattern")
    return Restriction(base.text | own.text, base.number | own.number, left)


def note_wildcards(sources: Sources, notes: Notes) -> None:
    """Note where a description allows elements and attributes that it does not name."""
    for document in sources.all():
        for word in ("any", "anyAttribute"):
            for one in document.iter(f"{{{XSD}}}{word}"):
                named = next((up for up in one.iterancestors() if up.get("name")), None)
                if named is not None:
                    notes.add(f"/types/{named.get('name')}", "wsdl-any", f"xs:{word}")


def pattern_of(written: str) -> str | None:
    """Return a pattern of XML Schema, which always means the whole value, as one of JSON Schema; None if there is none."""
    made: list[str] = []
    in_class = False
    letters = iter(written)
    for letter in letters:
        if letter == "\\":
            escaped = next(letters, "")
            if not escaped or escaped in _OF_XML_ALONE:
                return None
            made.append(f"\\{escaped}")
            continue
        if in_class and letter == "[":  # a class taken away from a class
            return None
        if letter == "[":
            in_class = True
        elif letter == "]":
            in_class = False
        # Outside a class both stand for themselves in XML Schema.
        made.append(f"\\{letter}" if letter in "^$" and not in_class else letter)
    anchored = f"^(?:{''.join(made)})$"
    return anchored if is_pattern(anchored) else None


def _name_of(one: etree._Element) -> str:
    parent = one.getparent()
    return str(one.get("name") or ("" if parent is None else parent.get("name", "")))


def _restriction(restriction: etree._Element) -> Restriction:
    made = Restriction()
    listed: dict[str, list[str]] = {"enumeration": [], "pattern": []}
    for facet in restriction.iterchildren("*"):
        name, value = local(facet.tag), facet.get("value", "")
        if name in listed:
            listed[name].append(value)
        elif name in _LENGTHS and value.isdecimal() and len(value) <= _MOST_DIGITS:
            made.text |= dict.fromkeys(_LENGTHS[name], int(value))
        elif name in _BOUNDS and (bound := _number(value)) is not None:
            made.number[_BOUNDS[name]] = bound
        elif name not in _SILENT:
            made.left.add(name)
    _enumerate(made, listed["enumeration"])
    _match(made, [pattern_of(one) for one in listed["pattern"]])
    return made


def _enumerate(made: Restriction, values: list[str]) -> None:
    if len(values) > _MOST_VALUES:
        made.left.add("enumeration")
    elif values:
        made.text["enum"] = list(dict.fromkeys(values))


def _match(made: Restriction, patterns: list[str | None]) -> None:
    """Let a text match one of the patterns, as those that stand together mean."""
    written = [one for one in patterns if one is not None]
    if len(written) < len(patterns):
        made.left.add("pattern")
    elif written:
        made.text["pattern"] = "|".join(written)


def _number(value: str) -> int | float | None:
    try:
        found = float(value)
    except ValueError:
        return None
    if not abs(found) <= _LARGEST:
        return None
    return int(found) if found == int(found) else found
