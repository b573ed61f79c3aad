"""The declared shape of an XML document and of the JSON that stands for it: one declaration, both directions.

Fields stand in the order in which the elements are written. What is declared is all there is: a provider's new element
comes through only when somebody has declared it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from lxml import etree
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from gateway.transforms.contract import BadSettings
from gateway.transforms.flaws import first_flaw
from gateway.transforms.safe_xml import ByteOrderMark

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Value = Literal["text", "integer", "number", "boolean"]
MAX_LEVELS = 40


class Declared(BaseModel):
    """A field: by default an element of the field's name, with text in it, at most once.

    `element` or `attribute` gives the name in XML (`prefix:name`); `text` marks the element's own text beside its
    attributes. `fields` are what the element holds; `document` is a whole XML document in the element's text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    element: Name | None = None
    attribute: Name | None = None
    text: bool = False
    type: Value = "text"
    list: bool = False
    required: bool = False
    cdata: bool = False
    nil: bool = False
    fields: dict[Name, Declared | None] | None = None
    document: Layout | None = None

    @model_validator(mode="after")
    def _one_role(self) -> Declared:
        if sum((self.element is not None, self.attribute is not None, self.text)) > 1:
            raise ValueError("a field is an element, an attribute or the text, not two of them")
        if (self.attribute is not None or self.text) and (
            self.list or self.fields or self.document or self.nil
        ):
            raise ValueError("an attribute or a text holds one plain value")
        if self.fields is not None and self.document is not None:
            raise ValueError("an element holds fields or a document, not both")
        return self


def _check_prefix(prefix: str) -> str:
    if prefix.lower().startswith("xml"):
        raise ValueError("prefixes that begin with xml are XML's own")
    return prefix


Prefix = Annotated[
    str,
    StringConstraints(max_length=50, pattern=r"^([A-Za-z_][A-Za-z0-9_.\-]*)?$"),
    AfterValidator(_check_prefix),
]
Namespace = Annotated[
    str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x20\x7f-\x9f<>\"]+$")
]


class Layout(BaseModel):
    """A document: its root, its namespaces by prefix (the empty one for those without), and its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: Name
    namespaces: dict[Prefix, Namespace] = Field(default_factory=dict)
    fields: dict[Name, Declared | None]
    unknown: Literal["drop", "refuse"] | None = None
    declaration: bool | None = None


class Settings(Layout):
    """The settings of `xml-to-json` and `json-to-xml`.

    `at` is a JSON pointer to where in a JSON message the XML stands, or shall stand, as text. `unknown` says what
    becomes of what is not declared: by default XML drops it on the way in, JSON is refused for it. `declaration`
    writes the line `<?xml …?>`: by default where the XML is the whole message.
    """

    at: Annotated[str, StringConstraints(pattern=r"^(/.*)?$", max_length=300)] = ""
    media_type: Annotated[str, StringConstraints(max_length=100, pattern=r"^[\x20-\x7e]+$")] = (
        "text/xml; charset=utf-8"
    )
    byte_order_mark: ByteOrderMark = "refuse"


@dataclass(slots=True)
class Node:
    """A declared field, compiled: names are in Clark notation (`{namespace}name`)."""

    key: str
    tag: str
    value: Value = "text"
    is_list: bool = False
    required: bool = False
    cdata: bool = False
    nil: bool = False
    holds: Shape | None = None
    elements: dict[str, Node] = field(default_factory=dict)
    attributes: list[Node] = field(default_factory=list)
    own_text: Node | None = None

    @property
    def is_leaf(self) -> bool:
        """Say whether the element holds nothing but one value."""
        return not self.elements and not self.attributes and self.own_text is None


@dataclass(slots=True)
class Shape:
    """A declared document, compiled."""

    root: Node
    prefixes: dict[str | None, str]
    drops_unknown: bool
    has_declaration: bool


def read_settings(settings: Mapping[str, Any]) -> Settings:
    """Read the settings of a transform. Raises BadSettings."""
    try:
        return Settings.model_validate(settings)
    except ValidationError as error:
        raise first_flaw(error) from error
    except RecursionError as error:
        raise BadSettings("The declaration has too many levels.") from error


def compile_shape(declared: Layout, *, drops_unknown: bool, has_declaration: bool) -> Shape:
    """Compile a declared document. Raises BadSettings."""
    names = _Names(declared.namespaces)
    prefix = declared.root.rpartition(":")[0]
    root = Node("", names.clark(declared.root, ""))
    _fill(root, declared.fields, names, prefix, 1, drops_unknown=drops_unknown)
    return Shape(
        root,
        {(key or None): uri for key, uri in declared.namespaces.items()},
        drops_unknown if declared.unknown is None else declared.unknown == "drop",
        has_declaration if declared.declaration is None else declared.declaration,
    )


class _Names:
    """Turns prefixed names into Clark notation."""

    def __init__(self, namespaces: Mapping[str, str]) -> None:
        self._namespaces = namespaces

    def clark(self, name: str, default: str) -> str:
        """Return an element's name; without a prefix it has the one of its parent."""
        prefix, colon, local = name.rpartition(":")
        prefix = prefix if colon else default
        if prefix and prefix not in self._namespaces:
            raise BadSettings(f"The prefix {prefix!r} is not declared.", "/namespaces")
        try:
            return str(etree.QName(self._namespaces.get(prefix) or None, local))
        except ValueError as error:
            raise BadSettings(f"{name!r} is no name in XML.", "/fields") from error

    def attribute(self, name: str) -> str:
        """Return an attribute's name; without a prefix it is in no namespace."""
        return self.clark(name, "") if ":" in name else str(_Names({}).clark(name, ""))


def _fill(
    node: Node,
    fields: Mapping[str, Declared | None],
    names: _Names,
    prefix: str,
    level: int,
    *,
    drops_unknown: bool,
) -> None:
    if level > MAX_LEVELS:
        raise BadSettings(f"The declaration has more than {MAX_LEVELS} levels.", "/fields")
    for key, declared in fields.items():
        _add(node, key, declared or Declared(), names, prefix, level, drops_unknown=drops_unknown)


def _add(
    node: Node, key: str, declared: Declared, names: _Names, prefix: str, level: int, *, drops_unknown: bool
) -> None:
    if declared.attribute is not None:
        tag = names.attribute(declared.attribute)
        node.attributes.append(Node(key, tag, declared.type, required=declared.required))
        return
    if declared.text:
        if node.own_text is not None:
            raise BadSettings("An element has one text.", "/fields")
        node.own_text = Node(key, "", declared.type, required=declared.required, cdata=declared.cdata)
        return
    name = declared.element or key
    made = Node(
        key,
        names.clark(name, prefix),
        declared.type,
        declared.list,
        declared.required,
        declared.cdata,
        declared.nil,
    )
    if made.tag in node.elements:
        raise BadSettings(f"Two fields stand for the element {name!r}.", "/fields")
    if declared.document is not None:
        made.holds = compile_shape(declared.document, drops_unknown=drops_unknown, has_declaration=False)
    if declared.fields is not None:
        inner = name.rpartition(":")[0] if ":" in name else prefix
        _fill(made, declared.fields, names, inner, level + 1, drops_unknown=drops_unknown)
    node.elements[made.tag] = made
