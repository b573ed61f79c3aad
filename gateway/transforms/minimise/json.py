"""Applying an allow-tree to JSON."""

from typing import Any

from gateway.transforms.contract import NOT_READ
from gateway.transforms.minimise.documents import read_json, write_json
from gateway.transforms.minimise.trees import Node
from gateway.transforms.minimise.values import GONE, is_document


def limit_json(body: bytes, top: Node, document: Any = NOT_READ) -> bytes:  # Any: foreign JSON
    """Return the document with what the tree allows, order kept. Raises Unreadable.

    `document` is what `load_json` read without loss, where that has been done.

    An object stays an object and a list a list, be it an empty one; of a single value null is left.
    """
    if document is NOT_READ:
        document = read_json(body)
    if type(document) is dict and not top.whole:
        return write_json(_object(document, top.below))
    kept = _limited(document, top)
    return write_json(None if kept is GONE else kept)


def _object(value: dict[str, Any], below: dict[str, Node]) -> dict[str, Any]:  # Any: foreign JSON
    kept = {}
    for name, item in value.items():
        node = below.get(name)
        if node is None:
            continue
        if node.keeps and type(item) is str:  # most are: not worth a call of _limited
            if node.whole or not is_document(item):
                kept[name] = item
        else:
            released = _limited(item, node)
            if released is not GONE:
                kept[name] = released
    return kept


def _limited(value: Any, node: Node) -> Any:  # Any: foreign JSON
    """Return what is released of a value; null says only that nothing is there."""
    if node.whole or value is None:
        return value
    kind = type(value)
    if kind is dict:
        return _object(value, node.below) if node.below else GONE
    if kind is list:
        released = [_limited(item, node) for item in value]
        return [item for item in released if item is not GONE]
    if node.keeps:
        return GONE if kind is str and is_document(value) else value
    return GONE if node.change is None else node.change(value)
