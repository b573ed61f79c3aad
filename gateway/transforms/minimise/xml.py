"""Applying an allow-tree to XML: the answer is written anew from what is allowed."""

import re
from collections.abc import Iterator

from lxml import etree

from gateway.transforms.minimise.documents import Unreadable, read_xml
from gateway.transforms.minimise.trees import KNOWN_PREFIXES, XSI, Node
from gateway.transforms.minimise.values import GONE, is_document

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NIL, _TYPE = f"{{{XSI}}}nil", f"{{{XSI}}}type"
_TRUE = frozenset({"true", "1"})
_MOST_NAMESPACES = 1000
_MOST_ATTRIBUTES = 500
_NOTHING = Node()
_WHOLE = Node(whole=True, keeps=True)
_MARKS = re.compile(r'[&<>"\t\n\r]')
_SPELLED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_IN_TEXT = _SPELLED | {'"': '"', "\t": "\t", "\n": "\n"}

Declared = dict[str | None, str]
"""The namespaces in force at one place, by prefix."""


def limit_xml(body: bytes, charset: str, top: Node) -> bytes:
    """Return the document with what the tree allows, in UTF-8, order kept. Raises Unreadable.

    Of a root element that is not named, its name alone is left: an XML document has one.
    """
    root = read_xml(body, charset)
    return _Writer(root).written(root, top)


class _Writer:
    """Writes one document. Namespaces that the root declares are declared there, if anything needs them."""

    def __init__(self, root: etree._Element) -> None:
        self._at_root = _namespaces(root)
        self._needed: set[str | None] = set()
        self._parts: list[str] = []

    def written(self, root: etree._Element, top: Node) -> bytes:
        """Return the document."""
        parts, declared = self._parts, {**self._at_root, "xml": KNOWN_PREFIXES["xml"]}
        node = _WHOLE if top.whole else _node_of(root.tag, top.below)
        if node is None or not self._element(root, node, declared):
            self._begin(root, _NOTHING, declared)
            parts.append("/>")
        needed = [
            _declaration(prefix, uri) for prefix, uri in self._at_root.items() if prefix in self._needed
        ]
        # The root's begin stands in two parts: its name, and what follows.
        return "".join([_DECLARATION, parts[0], *needed, *parts[1:]]).encode()

    def _element(self, element: etree._Element, node: Node, declared: Declared) -> bool:
        """Write what the node allows of an element; say whether the element itself is released."""
        has_more = bool(node.below or node.attributes)
        has_children = len(element) > 0
        text = element.text or ""
        if node.whole:
            pass
        elif has_children:
            if not has_more:
                return False
            text = ""
        elif text.strip():
            released = _released(text, node)
            if released is GONE and not has_more:
                return False
            text = "" if released is GONE else str(released)
        else:
            text = ""
        name, declared = self._begin(element, node, declared)
        self._parts.append(">" + _spelled(text, _IN_TEXT))
        inside = len(self._parts)
        if has_children:
            self._children(element, node, declared)
        if text or len(self._parts) > inside:
            self._parts.append(f"</{name}>")
        else:
            self._parts[-1] = "/>"
        return True

    def _children(self, element: etree._Element, node: Node, declared: Declared) -> None:
        for child in _children_of(element):
            below = node if node.whole else _node_of(child.tag, node.below)
            if below is not None:
                self._element(child, below, declared)
            if node.whole and child.tail:
                self._parts.append(_spelled(child.tail, _IN_TEXT))

    def _begin(self, element: etree._Element, node: Node, declared: Declared) -> tuple[str, Declared]:
        """Write an element's begin up to its mark; return its name, and what is declared inside."""
        uri, local = _split(element.tag)
        prefix = element.prefix
        inside = self._declare(prefix, uri, declared)
        attributes: list[str] = []
        if element.attrib:
            inside = self._attributes(element, node, inside, attributes)
        name = f"{prefix}:{local}" if prefix else local
        said = () if inside is declared else [i for i in inside.items() if declared.get(i[0], "") != i[1]]
        self._parts.append(f"<{name}")
        self._parts.append("".join([*(_declaration(*each) for each in said), *attributes]))
        return name, inside

    def _attributes(
        self, element: etree._Element, node: Node, declared: Declared, written: list[str]
    ) -> Declared:
        """Write what the node allows of the attributes; return what has to be declared for them."""
        if len(element.attrib) > _MOST_ATTRIBUTES:  # each is looked for among all others
            raise Unreadable("xml")
        namespaces: Declared | None = None
        for key, value in ((str(key), str(value)) for key, value in element.attrib.items()):
            allowed = _WHOLE if node.whole else _node_of(key, node.attributes)
            released = GONE if allowed is None else _released(value, allowed)
            if key == _NIL and value in _TRUE and not (element.text or len(element)):
                released = value
            if released is GONE:
                continue
            uri, name = _split(key)
            if uri:
                namespaces = _namespaces(element) if namespaces is None else namespaces
                prefix = _prefix(uri, namespaces, declared)
                name = f"{prefix}:{name}"
                declared = self._declare(prefix, uri, declared)
                of = value.partition(":")[0] if key == _TYPE else ""
                declared = self._declare(of, namespaces[of], declared) if of in namespaces else declared
            written.append(f' {name}="{_spelled(str(released), _SPELLED)}"')
        return declared

    def _declare(self, prefix: str | None, uri: str, declared: Declared) -> Declared:
        """Return what is declared with this prefix among it."""
        if self._at_root.get(prefix) == uri:
            self._needed.add(prefix)
        return declared if declared.get(prefix, "") == uri else {**declared, prefix: uri}


def _namespaces(element: etree._Element) -> Declared:
    """Return the namespaces in force at an element. Raises Unreadable for absurdly many."""
    found: Declared = dict(element.nsmap)
    if len(found) > _MOST_NAMESPACES:
        raise Unreadable("xml")
    return found


def _prefix(uri: str, namespaces: Declared, declared: Declared) -> str:
    """Return the prefix under which an attribute's namespace is known, best one that is declared already."""
    known = [prefix for prefix, of in namespaces.items() if prefix and of == uri] or ["xml"]
    return next((prefix for prefix in known if declared.get(prefix) == uri), known[0])


def _children_of(element: etree._Element) -> Iterator[etree._Element]:
    """Yield the children from one to the next: a list of a million would keep all other threads waiting."""
    child: etree._Element | None = element[0]
    while child is not None:
        yield child
        child = child.getnext()


def _split(tag: str) -> tuple[str, str]:
    uri, brace, local = tag.rpartition("}")
    return (uri[1:], local) if brace else ("", tag)


def _node_of(tag: str, below: dict[str, Node]) -> Node | None:
    return below.get(tag) or below.get(tag.rpartition("}")[2])


def _released(text: str, node: Node) -> object:
    if node.whole:
        return text
    if node.keeps:
        return GONE if is_document(text) else text
    return GONE if node.change is None else node.change(text)


def _declaration(prefix: str | None, uri: str) -> str:
    return f' xmlns{":" + prefix if prefix else ""}="{_spelled(uri, _SPELLED)}"'


def _spelled(text: str, spellings: dict[str, str]) -> str:
    if _MARKS.search(text) is None:
        return text
    return _MARKS.sub(lambda mark: spellings[mark[0]], text)
