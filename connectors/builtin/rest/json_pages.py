"""Pages of JSON put together as text, so that every number stays as the provider wrote it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from connectors.errors import BadAnswer

_SPACE = " \t\n\r"
_LAST = "-1"


def parsed_pointer(pointer: str) -> tuple[str, ...]:
    """Return the steps of a JSON pointer."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


class Page:
    """One page: its text, its value, and where its array stands."""

    def __init__(self, body: bytes, items: Sequence[str]) -> None:
        """Read a page. Raises BadAnswer when it is not JSON, or has no array there."""
        try:
            self.text = body.decode("utf-8-sig")
            self._decoder = json.JSONDecoder(parse_constant=_refuse)
            self.value = self._decoder.decode(self.text)
            self.span = self._span(items)
        except (ValueError, RecursionError):
            raise BadAnswer("rubbish") from None
        array = found_at(self.value, items)
        if not isinstance(array, list):
            raise BadAnswer("rubbish")
        self.count = len(array)

    @property
    def inside(self) -> str:
        """The array's elements as they are written."""
        start, end = self.span
        return self.text[start + 1 : end - 1].strip(_SPACE)

    def joined(self, elements: Sequence[str]) -> bytes:
        """Return this page with these elements in its array."""
        start, end = self.span
        return f"{self.text[:start]}[{','.join(elements)}]{self.text[end:]}".encode()

    def _span(self, steps: Sequence[str]) -> tuple[int, int]:
        at = _skip(self.text, 0)
        for step in steps:
            at = self._step(at, step)
        return at, self._end(at)

    def _step(self, at: int, step: str) -> int:
        """Return where the value of a step begins; the last of a repeated name counts, as for every reader."""
        if self.text[at] not in "{[":
            raise BadAnswer("rubbish")
        members = self._members(at) if self.text[at] == "{" else self._elements(at)
        found = [place for name, place in members if name == step]
        if not found:
            raise BadAnswer("rubbish")
        return found[-1]

    def _members(self, at: int) -> Iterator[tuple[str, int]]:
        text = self.text
        at = _skip(text, at + 1)
        while text[at] != "}":
            name, at = self._decoder.raw_decode(text, at)
            place = _skip(text, _skip(text, at) + 1)
            yield name, place
            at = _skip(text, self._end(place))
            at = _skip(text, at + 1) if text[at] == "," else at

    def _elements(self, at: int) -> Iterator[tuple[str, int]]:
        text, number = self.text, 0
        at = _skip(text, at + 1)
        while text[at] != "]":
            yield str(number), at
            at = _skip(text, self._end(at))
            at = _skip(text, at + 1) if text[at] == "," else at
            number += 1

    def _end(self, at: int) -> int:
        return self._decoder.raw_decode(self.text, at)[1]


def found_at(value: Any, steps: Sequence[str]) -> Any:  # Any: whatever JSON holds
    """Return what is at a pointer, None when there is nothing; `-1` is the last element of an array."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and (step == _LAST or (step.isdigit() and int(step) < len(value))):
            value = value[int(step)] if value else None
        else:
            return None
    return value


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _refuse(_: str) -> object:
    raise ValueError
