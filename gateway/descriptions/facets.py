"""What XML Schema allows of texts: enumerations and lengths, by the name of the simple type."""

from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from connectors.builtin.soap.wsdl import XSD, Sources
from connectors.builtin.soap.xml import local

Facets = Mapping[str, Mapping[str, Any]]  # Any: values of JSON Schema keywords

_MOST_VALUES: Final = 1000
_MOST_DIGITS: Final = 9
_LENGTHS: Final = {
    "length": ("minLength", "maxLength"),
    "minLength": ("minLength",),
    "maxLength": ("maxLength",),
}


def facets_of(sources: Sources) -> Facets:
    """Return what each simple type restricts; an anonymous type has its element's name.

    Where two of one name differ, neither counts. What a type inherits is left to the type it restricts.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for document in sources.all():
        for schema in document.iter(f"{{{XSD}}}schema"):
            for one in schema.iter(f"{{{XSD}}}simpleType"):
                parent = one.getparent()
                name = one.get("name") or ("" if parent is None else parent.get("name", ""))
                restriction = one.find(f"{{{XSD}}}restriction")
                if restriction is not None:
                    place = f"{{{schema.get('targetNamespace', '')}}}{name}"
                    found.setdefault(place, []).append(_facets(restriction))
    return {name: several[0] for name, several in found.items() if all(one == several[0] for one in several)}


def _facets(restriction: etree._Element) -> dict[str, Any]:
    made: dict[str, Any] = {}
    values = []
    for facet in restriction.iterchildren("*"):
        name, value = local(facet.tag), facet.get("value", "")
        if name == "enumeration":
            values.append(value)
        elif value.isdecimal() and len(value) <= _MOST_DIGITS:
            made |= dict.fromkeys(_LENGTHS.get(name, ()), int(value))
    if values and len(values) <= _MOST_VALUES:
        made["enum"] = list(dict.fromkeys(values))
    return made
