"""Allow-trees: what may be released, by the names on the way to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.transforms.minimise.values import Change, generalise, mask
from registry.entities import FieldRule
from registry.field_paths import FieldPath

Rule = tuple[FieldPath, FieldRule]

XSI = "http://www.w3.org/2001/XMLSchema-instance"
KNOWN_PREFIXES: Mapping[str, str] = {"xml": "http://www.w3.org/XML/1998/namespace", "xsi": XSI}


@dataclass(slots=True)
class Node:
    """What is released at one place, and below it by name.

    `whole`: all of it. `keeps`: a single value as it is, if it is no document in a text; `change`: a single value changed. Names that `below` and
    `attributes` (of XML alone) do not hold are not released.
    """

    below: "dict[str, Node]" = field(default_factory=dict)
    attributes: "dict[str, Node]" = field(default_factory=dict)
    keeps: bool = False
    whole: bool = False
    change: Change | None = None

    def allow(self, rule: FieldRule, path: FieldPath) -> None:
        """Release here what a rule says."""
        self.whole = self.whole or path.whole
        if rule.action == "mask":
            self.change = mask(rule.keep_last or 0)
        elif rule.action == "generalise":
            self.change = generalise(rule.to or "year")
        else:
            self.keeps = True

    @property
    def is_named(self) -> bool:
        """Whether a rule is about this very place."""
        return self.keeps or self.whole or self.change is not None


def json_tree(rules: Iterable[Rule], envelope: Iterable[FieldPath]) -> Node:
    """Return the tree for JSON, where names are taken as they are."""
    top = Node()
    for path, rule in rules:
        node = top
        for name in path.names:
            node = node.below.setdefault(name, Node())
        node.allow(rule, path)
    for path in envelope:
        _add_envelope(top, path.names)
    return top


def xml_tree(rules: Iterable[Rule], envelope: Iterable[FieldPath], namespaces: Mapping[str, str]) -> Node:
    """Return the tree for XML: names with a declared prefix by namespace, all others by local name."""
    known = {**KNOWN_PREFIXES, **namespaces}
    top = Node()
    for path, rule in rules:
        node = top
        for name in path.names:
            names = node.attributes if name.startswith("@") else node.below
            node = names.setdefault(_qualified(name.removeprefix("@"), known), Node())
        node.allow(rule, path)
    for path in envelope:
        _add_envelope(top, [_qualified(name, known) for name in path.names])
    return top


def _add_envelope(top: Node, names: Iterable[str]) -> None:
    """Keep a field of the service's envelope, unless the grant itself says what becomes of it."""
    node = top
    for name in names:
        if node.whole:
            return
        node = node.below.setdefault(name, Node())
    if not node.is_named:
        node.keeps = True


def _qualified(name: str, namespaces: Mapping[str, str]) -> str:
    prefix, colon, local = name.partition(":")
    return f"{{{namespaces[prefix]}}}{local}" if colon and prefix in namespaces else name
