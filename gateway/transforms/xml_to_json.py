"""Kind `xml-to-json`: what a declared XML document says, as JSON."""

import re
from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from gateway.transforms.contract import Document, Unfit
from gateway.transforms.json_pointers import replace_at
from gateway.transforms.json_text import kept_number, parse_json, render_json
from gateway.transforms.safe_xml import ByteOrderMark, parse_xml, place_of, refuse_inclusion
from gateway.transforms.xml_shape import Node, Shape, Value, compile_shape, read_settings

NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_DIGITS: Final = re.compile(r"[+-]?(?P<whole>[0-9]*)(?P<fraction>\.[0-9]*)?", re.ASCII)
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


class XMLToJSON:
    """Reads XML by its shape."""

    def __init__(self, shape: Shape, at: str, byte_order_mark: ByteOrderMark) -> None:
        self._shape = shape
        self._at = at
        self._byte_order_mark = byte_order_mark

    def __call__(self, document: Document, *, hurry: bool = False) -> Document:
        """Return the document as JSON."""
        if self._at:
            made = replace_at(parse_json(document.body), self._at, self._from_text)
        else:
            made = read_xml(document.body, self._shape, self._byte_order_mark)
        return Document(render_json(made), "application/json", document.headers)

    def _from_text(self, text: object) -> object:
        if not isinstance(text, str):
            raise Unfit("unexpected", "Where the document's XML should stand is no text.")
        return read_text(text, self._shape)


def build(settings: Mapping[str, Any], *_context: object) -> XMLToJSON:
    """Make the transform from its settings. Raises BadSettings."""
    read = read_settings(settings)
    shape = compile_shape(read, drops_unknown=True, has_declaration=not read.at)
    return XMLToJSON(shape, read.at, read.byte_order_mark)


def read_xml(body: bytes, shape: Shape, byte_order_mark: ByteOrderMark = "refuse") -> dict[str, Any]:
    """Return the values of a document. Raises Unfit."""
    root = parse_xml(body, byte_order_mark)
    if root.tag != shape.root.tag:
        raise Unfit(
            "unexpected",
            "The document has another root element than declared.",
            place_of(root),
        )
    return _read(root, shape.root, shape)


def read_text(text: str, shape: Shape) -> dict[str, Any]:
    """Return the values of a document that stands in a text. An encoding that it declares there means nothing."""
    stripped = text.strip()
    if stripped.startswith("<?xml"):
        stripped = stripped.partition("?>")[2]
    try:
        return read_xml(stripped.encode(), shape, "drop")
    except UnicodeEncodeError as error:
        raise Unfit("encoding", "The document holds half of a surrogate pair.") from error


def _read(element: etree._Element, node: Node, shape: Shape) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in element:
        refuse_inclusion(child)
        known = node.elements.get(str(child.tag))
        if known is None:
            if not shape.drops_unknown:
                raise _unexpected(child, "An element is not declared")
            continue
        value = _value(child, known, shape)
        if known.is_list:
            found.setdefault(known.key, []).append(value)
        elif known.key in found:
            raise _unexpected(child, "An element that is declared to stand once stands twice")
        else:
            found[known.key] = value
        child.clear()  # frees it piece by piece: all at once would hold up other threads
    return _in_order(element, node, found)


def _in_order(element: etree._Element, node: Node, found: dict[str, Any]) -> dict[str, Any]:
    """Return what was found in the declared order, with attributes and text; a list is never absent."""
    made: dict[str, Any] = {}
    for attribute in node.attributes:
        if (text := element.get(attribute.tag)) is not None:
            made[attribute.key] = _typed(text, attribute.value, element)
    if node.own_text is not None:
        made[node.own_text.key] = _typed(element.text or "", node.own_text.value, element)
    for known in node.elements.values():
        if known.key in found:
            made[known.key] = found[known.key]
        elif known.is_list:
            made[known.key] = []
    for known in (*node.attributes, *node.elements.values()):
        if known.required and made.get(known.key) in (None, []):
            raise Unfit("missing", f"The field {known.key!r} is missing.", place_of(element))
    return made


def _value(element: etree._Element, node: Node, shape: Shape) -> Any:
    if element.get(NIL) in {"true", "1"}:
        return None
    if not node.is_leaf:
        return _read(element, node, shape)
    if len(element) and not shape.drops_unknown:
        raise _unexpected(element, "An element that is declared to hold a text holds elements")
    text = (element.text or "") + "".join(child.tail or "" for child in element)
    if node.holds is not None:
        return read_text(text, node.holds) if text.strip() else None
    return _typed(text, node.value, element)


def _typed(text: str, value: Value, element: etree._Element) -> object:
    if value == "text":
        return text
    text = text.strip()
    if not text:
        return None
    made = _BOOLEANS.get(text) if value == "boolean" else _number(text, value)
    if made is None:
        raise Unfit("value-unreadable", f"A value is no {value}.", place_of(element))
    return made


def _number(text: str, value: Value) -> int | float | str | None:
    """Return a number; one with a zero in front, as the numbers of citizens have, stays text. None: it is none."""
    found = _DIGITS.fullmatch(text)
    if found is None or not text.strip("+-.") or (value == "integer" and found["fraction"] is not None):
        return None
    if len(found["whole"]) > 1 and found["whole"].startswith("0"):
        return text
    kept = kept_number(text.removeprefix("+"))
    return text if kept is None else kept


def _unexpected(element: etree._Element, what: str) -> Unfit:
    name = etree.QName(element).localname
    return Unfit("unexpected", f"{what}: {name}.", place_of(element))
