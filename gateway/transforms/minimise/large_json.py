"""Applying an allow-tree to JSON of many megabytes, value by value.

No tree of the document is built: building, collecting and freeing one keeps all other threads waiting for tenths of
a second, where here they get their turn between two values.
"""

from typing import NoReturn

import orjson

from gateway.transforms.minimise.documents import MAX_DEPTH, Unreadable, exact_decoder
from gateway.transforms.minimise.trees import Node
from gateway.transforms.minimise.values import GONE

_BLANKS = " \t\n\r"
_NOTHING = Node()


def limit_large_json(body: bytes, top: Node) -> bytes:
    """Return the document with what the tree allows, as `limit_json` does. Raises Unreadable."""
    try:
        text = body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise Unreadable("json") from None
    reader = _Reader(text)
    try:
        released, end = reader.value(reader.next(0), top, top=True)
        rest = text[end:].strip(_BLANKS)
    except (ValueError, IndexError):
        raise Unreadable("json") from None
    if rest:
        raise Unreadable("json")
    return b"null" if released is None else released.encode()


class _Reader:
    """Reads one text. Each method takes where it begins and returns what is released, and where it ends."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._single = exact_decoder().raw_decode
        self._depth = 0

    def next(self, at: int) -> int:
        """Return where the blanks end."""
        text = self._text
        while text[at] in _BLANKS:
            at += 1
        return at

    def value(self, at: int, node: Node, *, top: bool = False) -> tuple[str | None, int]:
        """Read a value; None is released of it where the node allows nothing."""
        char = self._text[at]
        if char == "{":
            released, end = self._object(at + 1, node)
            return (released if top or node.whole or node.below else None), end
        if char == "[":
            return self._list(at + 1, node)
        value, end = self._single(self._text, at)
        if type(value) is str:
            self._check(value, at, end)
        if node.whole or node.keeps or value is None:
            return self._text[at:end], end
        changed = GONE if node.change is None else node.change(value)
        return (None if changed is GONE else orjson.dumps(changed).decode()), end

    def _object(self, at: int, node: Node) -> tuple[str, int]:
        text, below = self._text, node.below
        self._enter()
        names: set[str] = set()
        released = []
        at = self.next(at)
        while text[at] != "}":
            if names:
                at = self.next(self._past(",", at))
            if text[at] != '"':
                _broken()
            name, end = self._single(text, at)
            self._check(name, at, end)
            if name in names:
                raise Unreadable("duplicate-name")
            names.add(name)
            spelled = text[at:end]
            at = self.next(self._past(":", self.next(end)))
            allowed = node if node.whole else below.get(name)
            item, at = self.value(at, allowed or _NOTHING)
            if item is not None and allowed is not None:
                released.append(f"{spelled}:{item}")
            at = self.next(at)
        self._depth -= 1
        return "{" + ",".join(released) + "}", at + 1

    def _list(self, at: int, node: Node) -> tuple[str, int]:
        text = self._text
        self._enter()
        released = []
        at = self.next(at)
        first = True
        while text[at] != "]":
            at = at if first else self.next(self._past(",", at))
            first = False
            item, at = self.value(at, node)
            if item is not None:
                released.append(item)
            at = self.next(at)
        self._depth -= 1
        return "[" + ",".join(released) + "]", at + 1

    def _past(self, mark: str, at: int) -> int:
        if self._text[at] != mark:
            _broken()
        return at + 1

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable("depth")

    def _check(self, value: str, at: int, end: int) -> None:
        """Refuse half of a surrogate pair, which only an escape can bring in."""
        if self._text.find("\\u", at, end) >= 0:
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Unreadable("encoding") from None


def _broken() -> NoReturn:
    raise ValueError("this is not JSON")
