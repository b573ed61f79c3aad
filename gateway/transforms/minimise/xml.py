"""Applying an allow-tree to XML."""

from lxml import etree

from gateway.transforms.minimise.documents import read_xml, write_xml
from gateway.transforms.minimise.trees import XSI, Node
from gateway.transforms.minimise.values import GONE

_NIL = f"{{{XSI}}}nil"
_TYPE = f"{{{XSI}}}type"
_TRUE = frozenset({"true", "1"})
_NOTHING = Node()


def limit_xml(body: bytes, charset: str, top: Node) -> bytes:
    """Return the document with what the tree allows, in UTF-8, order kept. Raises Unreadable.

    Of a root element that is not named, its name alone is left: an XML document has one.
    """
    root = read_xml(body, charset)
    node = top if top.whole else _node_of(root.tag, top.below)
    if node is None or not _limit(root, node):
        _limit(root, _NOTHING)
        del root[:]
    # A prefix may be used in the value of xsi:type alone.
    prefixes = {value.partition(":")[0] for element in root.iter() if (value := element.get(_TYPE))}
    etree.cleanup_namespaces(root, keep_ns_prefixes=sorted(prefixes))
    return write_xml(root)


def _node_of(tag: str, below: dict[str, Node]) -> Node | None:
    return below.get(tag) or below.get(tag.rpartition("}")[2])


def _limit(element: etree._Element, node: Node) -> bool:
    """Leave what the node allows of an element; say whether the element itself is released."""
    if node.whole:
        return True
    _limit_attributes(element, node)
    if len(element) == 0:
        return _limit_text(element, node)
    element.text = None
    following: etree._Element | None = element[0]
    while following is not None:  # from one to the next: a list of a million children would stop the world
        child, following = following, following.getnext()
        below = _node_of(child.tag, node.below)
        if below is None or not _limit(child, below):
            element.remove(child)
        else:
            child.tail = None
    return bool(node.below or node.attributes)


def _limit_attributes(element: etree._Element, node: Node) -> None:
    attributes = element.attrib
    for name, value in [(str(name), str(value)) for name, value in attributes.items()]:
        allowed = _node_of(name, node.attributes)
        released = GONE if allowed is None else _released(value, allowed)
        if released is not GONE:
            attributes[name] = str(released)
        elif name != _NIL or value not in _TRUE or element.text or len(element):
            del attributes[name]


def _limit_text(element: etree._Element, node: Node) -> bool:
    text = element.text
    if not text or not text.strip():
        element.text = None
        return True
    released = _released(text, node)
    if released is GONE:
        element.text = None
        return bool(node.below or node.attributes)
    element.text = str(released)
    return True


def _released(text: str, node: Node) -> object:
    if node.keeps or node.whole:
        return text
    return GONE if node.change is None else node.change(text)
