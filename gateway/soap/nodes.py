"""Values as JSON and as XML, both ways, by types that were made of JSON Schemas. Pure; knows no envelope.

Requests are read strictly: what the WSDL does not describe is refused, with the place and the rule and never the value.
Replies are written leniently: what was not described is left out, and what does not have its described form is written as
it stands, for the pipeline has released it and the exchange is over. Numbers keep their digits both ways.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

import orjson
from lxml import etree

from connectors.builtin.soap.fields import XSI, Anything, Unfit
from connectors.builtin.soap.reading import NIL, read
from connectors.builtin.soap.xml import escape, local
from gateway.soap.names import element_name

Kind = Literal[
    "string",
    "boolean",
    "integer",
    "int",
    "long",
    "decimal",
    "double",
    "date",
    "dateTime",
    "time",
    "base64Binary",
]
"""A built-in type of XML Schema."""

PREFIX: Final = "t"
"""Stands for the namespace of a version's messages."""
MOST_DIGITS: Final = 400
_INTEGERS: Final = frozenset({"integer", "int", "long"})
_NUMBERS: Final = _INTEGERS | {"decimal", "double"}
_NUMBER: Final = re.compile(
    r"(?P<sign>[+-]?)0*(?P<whole>\d{0,100})(?P<dot>\.?)(?P<part>\d{0,100})(?P<power>[eE][+-]?\d{1,3})?",
    re.ASCII,
)
_ZONE: Final = re.compile(r"(?<=\d)(Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_TRUTHS: Final = {"true": "true", "1": "true", "false": "false", "0": "false"}
_UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ANYTHING: Final = Anything()
_NILS: Final = ("true", "1")


@dataclass(slots=True, eq=False)
class Leaf:
    """One plain value. `choices` are those that the schema names."""

    kind: Kind = "string"
    choices: tuple[str, ...] = ()

    def read(self, element: etree._Element) -> str:
        """Return an element's text as JSON. Raises Unfit."""
        if len(element):
            raise Unfit("type")
        return self.json_of(element.text or "")

    def json_of(self, text: str) -> str:
        """Return a text as JSON. Raises Unfit."""
        if self.kind in _NUMBERS:
            return self._number(text.strip())
        if self.kind == "boolean":
            truth = _TRUTHS.get(text.strip())
            if truth is None:
                raise Unfit("type")
            return truth
        if self.kind == "date":
            # XML's dates may carry a zone, which no date in JSON has.
            text = _ZONE.sub("", text.strip())
        return orjson.dumps(text).decode()

    def _number(self, text: str) -> str:
        found = _NUMBER.fullmatch(text)
        if found is None or not (found["whole"] or found["part"] or "0" in text):
            raise Unfit("type")
        if self.kind in _INTEGERS and (found["dot"] or found["power"]):
            raise Unfit("type")
        sign = "-" if found["sign"] == "-" else ""
        part = f".{found['part']}" if found["part"] else ""
        return f"{sign}{found['whole'] or '0'}{part}{found['power'] or ''}"

    def write(self, tag: str, value: Any, out: list[str]) -> None:  # Any: foreign JSON
        """Write a value as an element."""
        if type(value) is str:
            if self.kind in _NUMBERS:
                value = plain_number(value) if self.kind != "double" else value
            out.append(f"<{tag}>{xml_text(value)}</{tag}>")
        else:
            write_open(tag, value, out)


@dataclass(slots=True, eq=False)
class Open:
    """Anything: text, or elements without a namespace."""

    def read(self, element: etree._Element) -> str:
        """Return an element as JSON. Raises Unfit."""
        return orjson.dumps(read(element, _ANYTHING)).decode()

    def write(self, tag: str, value: Any, out: list[str]) -> None:  # Any: foreign JSON
        """Write a value as an element."""
        write_open(tag, value, out)


@dataclass(slots=True, eq=False)
class Member:
    """A field of a structure: its name in JSON (`json` is that name as JSON) and in XML, and how it stands there."""

    key: str
    tag: str
    node: "Node"
    repeated: bool = False
    required: bool = False
    nillable: bool = False
    note: str = ""
    json: str = ""
    qualified: str = ""

    def __post_init__(self) -> None:
        self.json = orjson.dumps(self.key).decode()
        self.qualified = f"{PREFIX}:{self.tag}"

    def read(self, element: etree._Element) -> str:
        """Return one element of the field as JSON. Raises Unfit."""
        if element.attrib.get(NIL) in _NILS:
            if not self.nillable:
                raise Unfit("nil")
            return "null"
        return self.node.read(element)

    def write(self, value: Any, out: list[str]) -> None:  # Any: foreign JSON
        """Write the field, as often as its value wants it."""
        if not self.repeated:
            self._write_one(value, out)
        elif isinstance(value, list):
            value.reverse()
            while value:  # frees it piece by piece: all at once would hold up other threads
                self._write_one(value.pop(), out)
        elif value is not None:
            self._write_one(value, out)

    def _write_one(self, value: Any, out: list[str]) -> None:  # Any: foreign JSON
        if value is not None:
            self.node.write(self.qualified, value, out)
        elif self.nillable:
            out.append(f'<{self.qualified} xsi:nil="true"/>')


@dataclass(slots=True, eq=False)
class Structure:
    """Fields in order. `name` is that of its type, empty for one without; `replied` says that replies hold it."""

    namespace: str
    name: str = ""
    members: list[Member] = field(default_factory=list)
    replied: bool = False
    by_tag: dict[str, Member] = field(default_factory=dict)

    def add(self, member: Member) -> None:
        """Put a field behind the others."""
        self.members.append(member)
        # Without a namespace, too: the commonest slip of messages written by hand, and nothing else can be meant.
        self.by_tag[member.tag] = self.by_tag[f"{{{self.namespace}}}{member.tag}"] = member

    def parts(self, element: etree._Element) -> dict[str, list[str]]:
        """Return the fields that an element holds, each as JSON, by their tags. Raises Unfit."""
        found: dict[str, list[str]] = {}
        if (element.text or "").strip():
            raise Unfit("type")
        for child in element.iterchildren("*"):
            member = self.by_tag.get(str(child.tag))
            if member is None:
                raise Unfit("unknown").under(local(child.tag)[:100])
            kept = found.setdefault(member.tag, [])
            if kept and not member.repeated:
                raise Unfit("count").under(member.key)
            if (child.tail or "").strip():
                raise Unfit("type")
            try:
                kept.append(member.read(child))
            except Unfit as unfit:
                raise (unfit.under(len(kept)) if member.repeated else unfit).under(member.key) from None
        return found

    def read(self, element: etree._Element) -> str:
        """Return an element as a JSON object. Raises Unfit."""
        found = self.parts(element)
        return (
            "{" + ",".join(member_json(member, found) for member in self.members if has(member, found)) + "}"
        )

    def write(self, tag: str, value: Any, out: list[str]) -> None:  # Any: foreign JSON
        """Write an object as an element."""
        if not isinstance(value, dict):
            write_open(tag, value, out)
            return
        out.append(f"<{tag}>")
        for member in self.members:
            if member.key in value:
                member.write(value[member.key], out)
        out.append(f"</{tag}>")


@dataclass(slots=True, eq=False)
class Listed:
    """A list that is a value itself (an item of another list): its items are elements `item`."""

    item: Member
    namespace: str

    def read(self, element: etree._Element) -> str:
        """Return an element as a JSON list. Raises Unfit."""
        items: list[str] = []
        for child in element.iterchildren("*"):
            if child.tag not in (self.item.tag, f"{{{self.namespace}}}{self.item.tag}"):
                raise Unfit("unknown").under(local(child.tag)[:100])
            try:
                items.append(self.item.read(child))
            except Unfit as unfit:
                raise unfit.under(len(items)) from None
        return f"[{','.join(items)}]"

    def write(self, tag: str, value: Any, out: list[str]) -> None:  # Any: foreign JSON
        """Write a list as an element."""
        out.append(f"<{tag}>")
        self.item.write(value, out)
        out.append(f"</{tag}>")


Node = Leaf | Open | Structure | Listed


def has(member: Member, found: dict[str, list[str]]) -> bool:
    """Say whether a field stands in what was found; a list that has to be there is, also without items."""
    return member.tag in found or (member.repeated and member.required)


def member_json(member: Member, found: dict[str, list[str]]) -> str:
    """Return a field's name and value as JSON."""
    values = found.get(member.tag, [])
    return f"{member.json}:[{','.join(values)}]" if member.repeated else f"{member.json}:{values[0]}"


def plain_number(text: str) -> str:
    """Return a number of JSON without exponent and needless zeros; what is no number, or a giant, stays as it is."""
    if not ("e" in text or "E" in text or "." in text) or not _NUMBER.fullmatch(text) or text[-1] == ".":
        return text
    number = Decimal(text)
    if abs(number.adjusted()) > MOST_DIGITS:
        return text
    if number == number.to_integral_value() and ("e" in text or "E" in text):
        return format(number.to_integral_value(), "f")
    return format(number, "f")


def xml_text(text: str) -> str:
    """Return a text as it stands in an element; what XML cannot hold becomes U+FFFD."""
    try:
        return escape(text)
    except ValueError:
        return escape(_UNWRITABLE.sub("\ufffd", text))


def write_open(tag: str, value: Any, out: list[str]) -> None:  # Any: foreign JSON
    """Write any JSON as an element: text, or elements named by the keys."""
    if isinstance(value, dict):
        out.append(f"<{tag}>")
        for key, inner in value.items():
            for one in inner if isinstance(inner, list) else (inner,):
                write_open(element_name(key), one, out)
        out.append(f"</{tag}>")
    elif isinstance(value, list):
        out.append(f"<{tag}>")
        for one in value:
            write_open("item", one, out)
        out.append(f"</{tag}>")
    elif value is None:
        out.append(f'<{tag} xsi:nil="true"/>')
    elif isinstance(value, bool):
        out.append(f"<{tag}>{'true' if value else 'false'}</{tag}>")
    else:
        out.append(f"<{tag}>{xml_text(str(value))}</{tag}>")


__all__ = ["XSI", "Leaf", "Listed", "Member", "Node", "Open", "Structure", "Unfit", "write_open"]
