"""Descriptions as text, JSON or YAML, read with bounds: no key twice, no alias bombs, no numbers without end."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from registry.documents import pointer_of
from registry.errors import Flaw, Invalid

LONGEST: Final = 24 * 1024 * 1024
DEEPEST: Final = 200
MOST_NODES: Final = 3_000_000
"""Values in a document, those that aliases repeat counted each time."""

_LEAST: Final = -(1 << 63)
_MOST: Final = (1 << 64) - 1
_BAD: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# As JSON writes numbers: with a zero in front it is a text, for so begin the numbers of citizens and telephones.
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,399})")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final[Mapping[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None, "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_text(text: str) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the object that a text writes, and what had to be written otherwise in it: `characters`, `numbers`.

    Raises:
        Invalid: with line and column, or a pointer; nothing of it can be used then.
    """
    if len(text) > LONGEST:
        raise _refused(f"The description has more than {LONGEST} characters.")
    bare = text.removeprefix("\ufeff").lstrip(" \t\r\n")
    try:
        value = _json(bare) if bare.startswith(("{", "[")) else _YAML().read(bare)
    except RecursionError:
        raise _refused("The description is nested too deeply.") from None
    if not isinstance(value, dict):
        raise _refused("This is no description: an object is expected.")
    cleaner = _Cleaner()
    return cleaner.clean(value, ()), frozenset(cleaner.found)


def _refused(message: str, pointer: str = "") -> Invalid:
    return Invalid([Flaw(pointer, "description", message)])


def _json(text: str) -> Any:  # Any: whatever the JSON says
    if sum(map(text.count, ",[{")) > MOST_NODES:
        raise _refused(f"The description has more than {MOST_NODES} values.")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_number, parse_int=_integer)
    except json.JSONDecodeError as error:
        where = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise _refused(f"This is not JSON: {where}.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add returns None: the usual trick
        raise _refused(f"The key {twice[:100]!r} stands twice in one object.")
    return value


def _number(name: str) -> None:
    raise _refused(f"{name} is no number of JSON.")


def _integer(text: str) -> int:
    if len(text) > 400:  # noqa: PLR2004  (what _INTEGER takes)
        raise _refused("A number has too many digits.")
    return int(text)


class _YAML:
    """Builds values from YAML's events: by YAML 1.2's JSON rules, so that `no` and `on` are text."""

    def __init__(self) -> None:
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._depth = 0

    def read(self, text: str) -> Any:  # Any: whatever the YAML says
        try:
            events = yaml.parse(text, Loader=_LOADER)
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    value = self._value(next(events), events)
                    next(events)
                    if not isinstance(next(events), yaml.StreamEndEvent):
                        raise _refused("There are several YAML documents in one.")
                    return value
        except yaml.YAMLError as error:
            raise _refused(f"This is not YAML: {_told(error)}.") from None
        return None

    def _value(self, event: Any, events: Any) -> Any:  # Any: pyyaml's events
        self._count(1)
        before = self._nodes
        if isinstance(event, yaml.AliasEvent):
            value, size = self._anchors.get(str(event.anchor), (None, -1))
            if size < 0:
                raise _refused(
                    f"The YAML alias {str(event.anchor)[:50]!r} has nothing before it, or leads into itself."
                )
            self._count(size)
            return value
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event.value) if event.implicit[0] else event.value
        else:
            self._depth += 1
            if self._depth > DEEPEST:
                raise _refused("The description is nested too deeply.")
            value = self._mapping(events) if isinstance(event, yaml.MappingStartEvent) else self._list(events)
            self._depth -= 1
        if event.anchor:
            self._anchors[str(event.anchor)] = value, self._nodes - before
        return value

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise _refused(f"The description has more than {MOST_NODES} values, aliases counted each time.")

    def _list(self, events: Any) -> list[Any]:  # Any: as above
        found = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            found.append(self._value(event, events))
        return found

    def _mapping(self, events: Any) -> dict[str, Any]:  # Any: as above
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise _refused(f"A YAML key is no text, at line {_line(event)}.")
            value = self._value(next(events), events)
            if event.value == "<<" and event.implicit[0]:
                for one in value if isinstance(value, list) else [value]:
                    merged = (one if isinstance(one, dict) else {}) | merged
            elif event.value in found:
                line = _line(event)
                raise _refused(f"The key {event.value[:100]!r} stands twice in one object, at line {line}.")
            else:
                found[event.value] = value
        return merged | found


def _scalar(text: str) -> Any:  # Any: a plain value
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _line(event: Any) -> int:  # Any: pyyaml's events
    return int(event.start_mark.line) + 1


def _told(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{getattr(error, 'problem', None) or 'it breaks off'}{where}"


class _Cleaner:
    """Replaces what no database should hold, and refuses what JSON cannot say. Shared parts are done once."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._done: dict[int, Any] = {}

    def clean(self, value: Any, at: tuple[str | int, ...]) -> Any:  # Any: JSON
        """Return the value, cleaned in place."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int) and not _LEAST <= value <= _MOST:
            return self._number(value, at)
        if isinstance(value, float) and not math.isfinite(value):
            raise _refused("A number is out of range.", pointer_of(at))
        if not isinstance(value, dict | list) or id(value) in self._done:
            return value
        if len(at) > DEEPEST:
            raise _refused("The description is nested too deeply.", pointer_of(at[:5]))
        self._done[id(value)] = value
        if isinstance(value, list):
            value[:] = [self.clean(item, (*at, index)) for index, item in enumerate(value)]
            return value
        items = [(self._text(key), self.clean(item, (*at, key))) for key, item in value.items()]
        value.clear()
        value.update(items)
        return value

    def _number(self, number: int, at: tuple[str | int, ...]) -> float:
        """Return an integer that JSON libraries do not carry as one: as they read it, rounded."""
        self.found.add("numbers")
        try:
            return float(number)
        except OverflowError:
            raise _refused("A number is out of range.", pointer_of(at)) from None

    def _text(self, text: str) -> str:
        if not _BAD.search(text):
            return text
        self.found.add("characters")
        return _BAD.sub("\ufffd", text)
