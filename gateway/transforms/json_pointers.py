"""Reaching one place in a JSON document by its pointer (RFC 6901)."""

from typing import Any

from gateway.transforms.contract import Unfit


def found_at(document: Any, pointer: str) -> Any:  # Any: foreign JSON
    """Return what stands at the pointer. Raises Unfit when nothing does."""
    for part in pointer.split("/")[1:]:
        document = document[_key(document, part.replace("~1", "/").replace("~0", "~"))]
    return document


def replace_at(document: Any, pointer: str, change: Any) -> Any:  # Any: foreign JSON, and a function of it
    """Return the document with what stands at the pointer changed. Raises Unfit when nothing stands there."""
    if not pointer:
        return change(document)
    held, last = document, None
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in parts[:-1]:
        held = held[_key(held, part)]
    last = _key(held, parts[-1])
    held[last] = change(held[last])
    return document


def _key(held: Any, part: str) -> Any:  # Any: foreign JSON
    if isinstance(held, dict) and part in held:
        return part
    if isinstance(held, list) and part.isascii() and part.isdecimal() and int(part) < len(held):
        return int(part)
    raise Unfit("missing", "The document has nothing where its XML should stand.")
