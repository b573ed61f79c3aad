"""JSON and XML both ways by declared types. Compiled once; knows no WSDL, no zeep, no I/O.

JSON is written with the names of the elements, attributes as `@name`, text beside attributes as `#text`; what may
stand several times is always a list; the repeated groups of a type are the list `_items`. Numbers go both ways as the
text they are; back come numbers only for types that fit into a double, and everything longer stays text.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from connectors.builtin.soap.xml import escape

XSI = "http://www.w3.org/2001/XMLSchema-instance"
TEXT_KEY, ITEMS_KEY, TYPE_KEY = "#text", "_items", "@xsi:type"
MAX_DEPTH = 100

Kind = Literal["text", "boolean", "integer", "small", "decimal", "double"]
Form = Literal["", "date", "date-time", "time"]

_MISSING = object()
_INTEGER = re.compile(r"[+-]?\d{1,100}")
_DECIMAL = re.compile(r"[+-]?(\d{1,100}(\.\d{0,100})?|\.\d{1,100})")
_DOUBLE = re.compile(r"[+-]?(\d{1,100}(\.\d{0,100})?|\.\d{1,100})([eE][+-]?\d{1,3})?|INF|-INF|NaN")
_CHECKS = {"integer": _INTEGER, "small": _INTEGER, "decimal": _DECIMAL, "double": _DOUBLE}
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class Unfit(ValueError):
    """A value that does not fit its type: where (a JSON pointer) and which rule. Never holds the value."""

    def __init__(self, rule: str, pointer: str = "") -> None:
        super().__init__(f"{pointer or '/'}: {rule}")
        self.rule = rule
        self.pointer = pointer

    def under(self, key: str | int) -> "Unfit":
        """Return the same, said from one level further up."""
        step = str(key).replace("~", "~0").replace("/", "~1")
        return Unfit(self.rule, f"/{step}{self.pointer}")


@dataclass(slots=True, eq=False)
class Simple:
    """A simple type: text, or what is checked and translated as its kind says."""

    kind: Kind = "text"
    is_list: bool = False
    name: str = ""
    """As `{namespace}name`; that of an anonymous type is its element's."""
    form: Form = ""

    def text_of(self, value: object) -> str:
        """Return a JSON value as it stands in XML. Raises Unfit."""
        if self.is_list and isinstance(value, list):
            return " ".join(self._one(item) for item in value)
        return self._one(value)

    def _one(self, value: object) -> str:
        if isinstance(value, bool):
            if self.kind not in ("boolean", "text"):
                raise Unfit("type")
            return "true" if value else "false"
        if not isinstance(value, str):
            raise Unfit("type")
        check = _CHECKS.get(self.kind)
        if (check and not check.fullmatch(value.strip())) or (
            self.kind == "boolean" and value not in _TRUTHS
        ):
            raise Unfit("type")
        try:
            return escape(value)
        except ValueError:
            raise Unfit("character") from None

    def json_of(self, text: str) -> object:
        """Return XML text as JSON; text that does not fit its kind stays text."""
        if self.kind == "text" and not self.is_list:
            return text
        if self.is_list:
            return [self._back(part) for part in text.split()]
        return self._back(text)

    def _back(self, text: str) -> object:
        word = text.strip()
        if self.kind == "boolean":
            return _TRUTHS.get(word, text)
        if self.kind == "small" and _INTEGER.fullmatch(word):
            return int(word)
        if self.kind == "double" and _DOUBLE.fullmatch(word) and word[-1] not in "FN":
            return float(word)
        return text


@dataclass(slots=True, eq=False)
class Field:
    """An element inside a type: its JSON name, its XML name with prefix, how often it stands there."""

    key: str
    tag: str
    type: "Type"
    min: int = 1
    max: int | None = 1
    nillable: bool = False

    @property
    def repeated(self) -> bool:
        """Whether it may stand several times, so that JSON has a list."""
        return self.max is None or self.max > 1

    def write(self, value: Mapping[str, Any], out: list[str], depth: int) -> None:
        """Write what stands under the field's name in `value`. Raises Unfit."""
        given = value.get(self.key, _MISSING)
        if given is _MISSING or (given is None and not self.nillable):
            if self.min:
                if not self.nillable:
                    raise Unfit("missing", f"/{self.key}")
                out.append(f'<{self.tag} xsi:nil="true"/>')
            return
        if self.repeated and isinstance(given, list):
            self._write_all(given, out, depth)
            return
        try:
            self.write_one(given, out, depth)
        except Unfit as error:
            raise error.under(self.key) from None

    def _write_all(self, given: Sequence[Any], out: list[str], depth: int) -> None:
        if len(given) < self.min or (self.max is not None and len(given) > self.max):
            raise Unfit("count", f"/{self.key}")
        for index, one in enumerate(given):
            try:
                self.write_one(one, out, depth)
            except Unfit as error:
                raise error.under(index).under(self.key) from None

    def write_one(self, given: object, out: list[str], depth: int) -> None:
        """Write one element. Raises Unfit."""
        if type(self.type) is Simple and given is not None:
            out.append(f"<{self.tag}>{self.type.text_of(given)}</{self.tag}>")
        elif given is None:
            if not self.nillable:
                raise Unfit("missing")
            out.append(f'<{self.tag} xsi:nil="true"/>')
        elif not isinstance(self.type, Simple):
            self.type.write(self.tag, given, out, depth)


@dataclass(slots=True, eq=False)
class Group:
    """Fields in order (`all` is written in order too), or the choice of one branch."""

    parts: list["Field | Group"]
    choice: bool = False
    min: int = 1
    max: int | None = 1
    key: str = ""
    """The JSON name of the list, when the group may stand several times."""
    keys: frozenset[str] = frozenset()

    def write(self, value: Mapping[str, Any], out: list[str], depth: int) -> None:
        """Write the group out of `value`. Raises Unfit."""
        if not self.key:
            self._write_one(value, out, depth, optional=self.min == 0)
            return
        items = value.get(self.key, [])
        if not isinstance(items, list):
            raise Unfit("type", f"/{self.key}")
        if len(items) < self.min or (self.max is not None and len(items) > self.max):
            raise Unfit("count", f"/{self.key}")
        for index, item in enumerate(items):
            try:
                if not isinstance(item, dict):
                    raise Unfit("type")
                _refuse_unknown(item, self.keys)
                self._write_one(item, out, depth, optional=False)
            except Unfit as error:
                raise error.under(index).under(self.key) from None

    def _write_one(self, value: Mapping[str, Any], out: list[str], depth: int, *, optional: bool) -> None:
        if optional and not any(value.get(key) is not None for key in self.keys):
            return
        if not self.choice:
            for part in self.parts:
                part.write(value, out, depth)
            return
        given = {key for key in self.keys if value.get(key) is not None}
        branch = max(self.parts, key=lambda part: len(given & _keys(part)), default=None)
        if branch is None:
            return
        for key in sorted(given - _keys(branch)):
            raise Unfit("choice", f"/{key}")
        if given or not any(_may_be_empty(part) for part in self.parts):
            branch.write(value, out, depth)


@dataclass(slots=True, eq=False)
class Complex:
    """A type with elements and attributes. `derived` are those that may stand in its place, by their name."""

    name: str = ""
    content: Group | None = None
    text: Simple | None = None
    attributes: dict[str, tuple[str, Simple, bool]] = field(default_factory=dict)
    derived: dict[str, "Complex"] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    readers: dict[str, tuple[Field, "Group | None", int, int]] = field(default_factory=dict)
    """By local name: the field, the repeated group that it belongs to, its place and branch in there."""

    def write(self, tag: str, given: object, out: list[str], depth: int) -> None:
        """Write an element of this type. Raises Unfit."""
        if depth > MAX_DEPTH:
            raise Unfit("depth")
        if self.text is not None and not isinstance(given, dict):
            given = {TEXT_KEY: given}
        if not isinstance(given, dict):
            raise Unfit("type")
        named = given.get(TYPE_KEY)
        if named is not None:
            self._write_derived(tag, named, given, out, depth)
            return
        _refuse_unknown(given, self.known)
        self.write_inside(f"<{tag}", f"</{tag}>", given, out, depth)

    def _write_derived(
        self, tag: str, named: object, given: dict[str, Any], out: list[str], depth: int
    ) -> None:
        other = self.derived.get(named) if isinstance(named, str) else None
        if other is None:
            raise Unfit("type", f"/{TYPE_KEY}")
        rest = {key: value for key, value in given.items() if key != TYPE_KEY}
        _refuse_unknown(rest, other.known)
        other.write_inside(f'<{tag} xsi:type="{other.name}"', f"</{tag}>", rest, out, depth)

    def write_inside(
        self, opening: str, closing: str, given: Mapping[str, Any], out: list[str], depth: int
    ) -> None:
        """Write attributes and content between the beginning of a tag and its end. Raises Unfit."""
        for key, (name, kind, required) in self.attributes.items():
            value = given.get(key)
            if value is not None:
                try:
                    opening += f' {name}="{kind.text_of(value)}"'
                except Unfit as error:
                    raise error.under(key) from None
            elif required:
                raise Unfit("missing", f"/{key}")
        out.append(opening + ">" if opening else "")
        if self.text is not None:
            out.append(self.text.text_of(given.get(TEXT_KEY, "")))
        elif self.content is not None:
            self.content.write(given, out, depth + 1)
        out.append(closing)


@dataclass(slots=True, eq=False)
class Anything:
    """No declared type: text, or elements without a namespace in the order of the JSON."""

    def write(self, tag: str, given: object, out: list[str], depth: int) -> None:
        """Write an element from any JSON. Raises Unfit."""
        if depth > MAX_DEPTH:
            raise Unfit("depth")
        if not isinstance(given, dict):
            out.append(f"<{tag}>{_PLAIN.text_of(given)}</{tag}>")
            return
        out.append(f"<{tag}>")
        for key, value in given.items():
            if not _NAME.fullmatch(key):
                raise Unfit("name", f"/{key}"[:100])
            for one in value if isinstance(value, list) else [value]:
                try:
                    self.write(key, "" if one is None else one, out, depth + 1)
                except Unfit as error:
                    raise error.under(key) from None
        out.append(f"</{tag}>")


Type = Simple | Complex | Anything

_PLAIN = Simple()
_NAME = re.compile(r"[^\W\d][\w.\-]{0,100}")


def parts_of(group: Group) -> Iterator[Field]:
    """Return all fields of a group, groups inside it included."""
    for part in group.parts:
        if isinstance(part, Field):
            yield part
        else:
            yield from parts_of(part)


def _keys(part: "Field | Group") -> frozenset[str]:
    return part.keys if isinstance(part, Group) else frozenset({part.key})


def _may_be_empty(part: "Field | Group") -> bool:
    if part.min == 0:
        return True
    if isinstance(part, Field):
        return part.nillable
    test: Callable[[Iterator[bool]], bool] = any if part.choice else all
    return test(_may_be_empty(inner) for inner in part.parts)


def _refuse_unknown(given: Mapping[str, Any], known: frozenset[str]) -> None:
    if not given.keys() <= known:
        key = next(key for key in given if key not in known)
        raise Unfit("unknown", "").under(key[:100])
