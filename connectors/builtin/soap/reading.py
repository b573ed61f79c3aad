"""Reading XML as JSON by declared types. What a type does not declare is read as it stands."""

from typing import Any

from lxml import etree

from connectors.builtin.soap.fields import MAX_DEPTH, TEXT_KEY, TYPE_KEY, XSI, Complex, Simple, Type, Unfit
from connectors.builtin.soap.xml import local

NIL = f"{{{XSI}}}nil"
TYPE = f"{{{XSI}}}type"


def read(element: etree._Element, declared: Type, depth: int = 0) -> Any:  # Any: JSON
    """Return an element as JSON. What the type does not declare is read as it stands. Raises Unfit."""
    if depth > MAX_DEPTH:
        raise Unfit("depth")
    attributes = element.attrib
    if attributes and attributes.get(NIL) in ("true", "1"):
        return None
    if type(declared) is Simple:
        return declared.json_of(_text(element)) if not len(element) else _anything(element, depth)
    if not isinstance(declared, Complex):
        return _anything(element, depth)
    if attributes and TYPE in attributes:
        named = str(attributes[TYPE]).rpartition(":")[2]
        other = declared.derived.get(named)
        if other is not None:
            return {TYPE_KEY: named, **_read_complex(element, other, depth)}
    return _read_complex(element, declared, depth)


def _read_complex(element: etree._Element, declared: Complex, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    _read_attributes(element, declared, found)
    if declared.text is not None:
        found[TEXT_KEY] = declared.text.json_of(_text(element))
        return found
    readers = declared.readers
    places: dict[str, tuple[int, int]] = {}
    for child in element.iterchildren("*"):
        name = local(child.tag)
        known = readers.get(name)
        if known is None:
            _keep(found, name, _anything(child, depth + 1), repeated=False)
            continue
        of, group, place, branch = known
        value = read(child, of.type, depth + 1)
        if group is None:
            _keep(found, of.key, value, repeated=of.repeated)
            continue
        items = found.setdefault(group.key, [])
        last_place, last_branch = places.get(group.key, (-1, -1))
        again = place < last_place or (place == last_place and not of.repeated) or branch != last_branch
        if not items or again:
            items.append({})
        places[group.key] = (place, branch)
        _keep(items[-1], of.key, value, repeated=of.repeated)
    return found


def _read_attributes(element: etree._Element, declared: Complex, found: dict[str, Any]) -> None:
    for name, value in element.attrib.items():
        if isinstance(name, bytes) or isinstance(value, bytes) or name.startswith(f"{{{XSI}}}"):
            continue
        key = "@" + local(name)
        known = declared.attributes.get(key)
        found[key] = known[1].json_of(value) if known else value


def _anything(element: etree._Element, depth: int) -> Any:  # Any: JSON
    """Return an element without a declared type: text, or an object."""
    if depth > MAX_DEPTH:
        raise Unfit("depth")
    if not len(element) and not element.attrib:
        return _text(element)
    found: dict[str, Any] = {}
    _read_attributes(element, _NOTHING, found)
    if element.attrib.get(NIL) in ("true", "1"):
        return None
    for child in element.iterchildren("*"):
        _keep(found, local(child.tag), _anything(child, depth + 1), repeated=False)
    text = _text(element)
    if text.strip() or not found:
        if not found:
            return text
        found[TEXT_KEY] = text
    return found


_NOTHING = Complex()


def _keep(found: dict[str, Any], key: str, value: object, *, repeated: bool) -> None:
    """Put a value under its name: in a list where a list is declared, or where it stands there a second time."""
    if repeated:
        found.setdefault(key, []).append(value)
    elif key not in found:
        found[key] = value
    elif isinstance(found[key], list):
        found[key].append(value)
    else:
        found[key] = [found[key], value]


def _text(element: etree._Element) -> str:
    """Return all text directly inside an element; comments and references between its pieces do not hide any."""
    text = element.text or ""
    if len(element):
        text += "".join(child.tail or "" for child in element)
    return text
