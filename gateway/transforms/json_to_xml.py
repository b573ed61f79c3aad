"""Kind `json-to-xml`: what a JSON document says, as the declared XML."""

from collections.abc import Mapping
from typing import Any

from lxml import etree

from gateway.transforms.contract import Document, Unfit
from gateway.transforms.json_pointers import found_at, replace_at
from gateway.transforms.json_text import parse_json, render_json
from gateway.transforms.xml_shape import Node, Shape, compile_shape, read_settings
from gateway.transforms.xml_to_json import NIL


class JSONToXML:
    """Writes XML by its shape."""

    def __init__(self, shape: Shape, at: str, media_type: str) -> None:
        self._shape = shape
        self._at = at
        self._media_type = media_type

    def __call__(self, document: Document, *, hurry: bool = False) -> Document:
        """Return the document as XML, or with XML in it."""
        if self._at:
            # Numbers of the XML come with the digits that the sender wrote, those around it as they are.
            spelt = found_at(parse_json(document.body, "text"), self._at)
            values = parse_json(document.body)
            made = replace_at(values, self._at, lambda _: render_xml(spelt, self._shape).decode())
            return Document(render_json(made), "application/json", document.headers)
        # Numbers come as text, with the digits that the sender wrote.
        body = render_xml(parse_json(document.body, "text"), self._shape)
        return Document(body, self._media_type, document.headers)


def build(settings: Mapping[str, Any], *_context: object) -> JSONToXML:
    """Make the transform from its settings. Raises BadSettings."""
    read = read_settings(settings)
    shape = compile_shape(read, drops_unknown=False, has_declaration=not read.at)
    return JSONToXML(shape, read.at, read.media_type)


def render_xml(values: Any, shape: Shape) -> bytes:  # Any: foreign JSON
    """Return values as a document in UTF-8. Raises Unfit."""
    prefixes: Any = shape.prefixes  # Any: the stubs do not know that None is the empty prefix
    root = etree.Element(shape.root.tag, nsmap=prefixes)
    _write_fields(root, shape.root, values, shape)
    rendered = etree.tostring(root, encoding="UTF-8", xml_declaration=shape.has_declaration)
    for element in root:
        for inner in element:
            inner.clear()
        element.clear()
    return rendered


def _write_fields(element: etree._Element, node: Node, values: Any, shape: Shape) -> None:
    if not isinstance(values, dict):
        raise Unfit("unexpected", f"The field {node.key!r} must be an object.")
    rest = set(values)
    for attribute in node.attributes:
        rest.discard(attribute.key)
        if (value := _present(values, attribute)) is not None:
            _guarded(element.set, attribute.tag, _spelt(value, attribute))
    if node.own_text is not None:
        rest.discard(node.own_text.key)
        if (value := _present(values, node.own_text)) is not None:
            _set_text(element, _spelt(value, node.own_text), node.own_text)
    for known in node.elements.values():
        rest.discard(known.key)
        _write(element, known, _present(values, known), shape, is_null=known.key in values)
    if rest and not shape.drops_unknown:
        raise Unfit("unexpected", f"A field is not declared: {min(rest)!r}.")


def _present(values: dict[str, Any], node: Node) -> Any:  # Any: foreign JSON
    value = values.get(node.key)
    if node.required and (value is None or value == []):
        raise Unfit("missing", f"The field {node.key!r} is missing.")
    return value


def _write(parent: etree._Element, node: Node, value: Any, shape: Shape, *, is_null: bool) -> None:
    if node.is_list and value is not None:
        if not isinstance(value, list):
            raise Unfit("unexpected", f"The field {node.key!r} must be a list.")
        value.reverse()
        while value:  # frees it piece by piece: all at once would hold up other threads
            _write_one(parent, node, value.pop(), shape)
    elif value is not None or (is_null and node.nil):
        _write_one(parent, node, value, shape)


def _write_one(parent: etree._Element, node: Node, value: Any, shape: Shape) -> None:
    element = etree.SubElement(parent, node.tag)
    if value is None:
        if not node.nil:
            raise Unfit("unexpected", f"The field {node.key!r} holds null.")
        element.set(NIL, "true")
    elif node.holds is not None:
        _set_text(element, render_xml(value, node.holds).decode(), node)
    elif node.is_leaf:
        _set_text(element, _spelt(value, node), node)
    else:
        _write_fields(element, node, value, shape)


def _spelt(value: Any, node: Node) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        raise Unfit("unexpected", f"The field {node.key!r} must be one plain value.")
    return str(value)


def _set_text(element: etree._Element, text: str, node: Node) -> None:
    _guarded(_put_text, element, text, node)


def _put_text(element: etree._Element, text: str, node: Node) -> None:
    # A CDATA section cannot hold its own end.
    element.text = etree.CDATA(text) if node.cdata and "]]>" not in text else text


def _guarded(write: Any, *arguments: Any) -> None:
    """Write; the library refuses characters that XML cannot hold."""
    try:
        write(*arguments)
    except (ValueError, UnicodeEncodeError) as error:
        raise Unfit("unexpected", "A text holds a character that XML cannot hold.") from error
