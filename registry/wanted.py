"""Reading a registry written as YAML: lists of objects under the names of their kinds.

Only plain YAML is read: no anchors (a few of them can stand for gigabytes), no tags, no key twice. Codes and
version numbers are text even where YAML would see a number (`version: 1.10`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from registry.documents import parse, parse_as, render
from registry.entities import Entity, Instant, Kind
from registry.errors import Flaw, Invalid
from registry.labels import COMPOSED, OWN, key
from registry.stores import Document

_LONGEST = 20 * 1024 * 1024
_MOST_OBJECTS = 50_000
_DEEPEST = 60

ORDER = (
    Kind.ORGANISATION,
    Kind.DELEGATION,
    Kind.OFFICER,
    Kind.CODE_LIST,
    Kind.NATIONAL_DATABASE,
    Kind.SYSTEM,
    Kind.NEED,
    Kind.SERVICE,
    Kind.VERSION,
    Kind.GRANT,
    Kind.CLIENT,
)
"""Kinds in an order in which what is looked at while changing one comes before it."""

_TEXT_KEYS = frozenset(
    {
        "code",
        "default_purpose",
        "default_version",
        "edition",
        "equals",
        "name",
        "old_code",
        "operations",
        "procedures",
        "purposes",
        "starts_with",
        "version",
    }
)
"""Fields whose values are text, whatever they look like."""
_AS_IT_STANDS = frozenset({"schema", "schemas", "examples"})
"""Fields whose members are not ours: a `code` in there may well be a number."""

STATUSES: Mapping[Kind, frozenset[str]] = {
    Kind.VERSION: frozenset({"draft", "published", "deprecated", "retired"}),
    Kind.GRANT: frozenset({"requested", "approved", "refused", "suspended", "revoked"}),
    Kind.CLIENT: frozenset({"active", "disabled"}),
}
"""The states of life that can be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sunset(Entity):
    """The moment that a deprecated version is wanted to end."""

    sunset_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One object as it is wanted to be: what a person writes of it, and the state of its life.

    `pointer` says where it was written; `id` is given only where a label would not do.
    """

    kind: Kind
    label: str
    pointer: str
    document: Document
    status: str | None = None
    id: str | None = None
    further: Document = field(default_factory=dict)


def parse_yaml(text: str) -> list[Wanted]:
    """Return the objects of a YAML text. Raises Invalid, with pointers into the text's structure."""
    if len(text) > _LONGEST:
        raise Invalid([Flaw("", "length", f"The text has more than {_LONGEST} characters.")])
    try:
        _check_shape(text)
        content = yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Invalid([Flaw("", "yaml", _explain(error))]) from error
    return parse_wanted({} if content is None else content)


def _check_shape(text: str) -> None:
    """Look at the text piece by piece before anything is built of it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise Invalid([Flaw("", "yaml", "Anchors and aliases are not read here.")])
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise Invalid([Flaw("", "too-deep", "This is nested too deeply.")])


def parse_wanted(content: object) -> list[Wanted]:
    """Return the objects of a document that maps kinds to lists. Raises Invalid."""
    if not isinstance(content, Mapping):
        raise Invalid([Flaw("", "wrong-type", "Lists of objects must stand under the names of their kinds.")])
    flaws: list[Flaw] = []
    found: list[Wanted] = []
    for name, items in content.items():
        if name not in set(Kind):
            flaws.append(Flaw(f"/{name}", "unknown-field", f"There is no kind {name!r}."))
        elif not isinstance(items, list):
            flaws.append(Flaw(f"/{name}", "wrong-type", "This must be a list."))
        else:
            found += _read_items(Kind(name), items, flaws)
    flaws += _repeated(found)
    if len(found) > _MOST_OBJECTS:
        flaws.append(Flaw("", "length", f"These are more than {_MOST_OBJECTS} objects."))
    if flaws:
        raise Invalid(flaws)
    return found


def _read_items(kind: Kind, items: list[Any], flaws: list[Flaw]) -> Iterator[Wanted]:
    for index, item in enumerate(items):
        pointer = f"/{kind.value}/{index}"
        try:
            yield _read(kind, pointer, item)
        except Invalid as error:
            flaws += [Flaw(pointer + flaw.pointer, flaw.code, flaw.message) for flaw in error.flaws]


def _read(kind: Kind, pointer: str, item: object) -> Wanted:
    if not isinstance(item, Mapping):
        raise Invalid([Flaw("", "wrong-type", "This must be an object.")])
    written = dict(item)
    id_, status = written.pop("id", None), _status(kind, written)
    further = {"sunset_at": written.pop("sunset_at", None)} if kind is Kind.VERSION else {}
    name = written.pop("name", None) if kind is Kind.GRANT else None
    document = render(parse(kind, written, spec=True))
    label = _label(kind, document)
    if name is not None and key(str(name)) != key(label):
        raise Invalid([Flaw("/name", "value", f"A grant's name is made of its sides: {label!r}.")])
    if id_ is not None and not isinstance(id_, str):
        raise Invalid([Flaw("/id", "wrong-type", "An id is text.")])
    return Wanted(
        kind=kind,
        label=label,
        pointer=pointer,
        document=document,
        status=status,
        id=id_,
        further=render(parse_as(Sunset, further)) if further else {},
    )


def _status(kind: Kind, written: dict[str, Any]) -> str | None:
    """Take the wanted state of life out; a system's status is an ordinary field of it."""
    if kind not in STATUSES:
        return None
    status = written.pop("status", None)
    if status is not None and status not in STATUSES[kind]:
        raise Invalid([Flaw("/status", "choice", f"One of: {', '.join(sorted(STATUSES[kind]))}.")])
    return None if status is None else str(status)


def _label(kind: Kind, document: Document) -> str:
    names = (OWN[kind],) if kind in OWN else COMPOSED[kind]
    return "/".join(str(document[name]) for name in names)


def _repeated(found: list[Wanted]) -> Iterator[Flaw]:
    seen: set[tuple[Kind, str]] = set()
    for wanted in found:
        name = (wanted.kind, wanted.id or key(wanted.label))
        if name in seen:
            yield Flaw(wanted.pointer, "duplicate", f"{wanted.label!r} stands here twice.")
        seen.add(name)


def _explain(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or "this is not YAML")
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return f"{problem[:1].upper()}{problem[1:]}{where}."


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the class is found at run time
    """A safe loader that keeps codes and days as text, and refuses a key that stands twice."""

    foreign = 0
    """Above 0 inside what is not ours."""


def _mapping(loader: Any, node: yaml.MappingNode) -> Iterator[dict[Any, Any]]:  # Any: pyyaml's loaders
    found: dict[Any, Any] = {}
    yield found
    for key_node, value_node in node.value:
        name = loader.construct_object(key_node, deep=True)
        if not isinstance(name, str):
            raise yaml.constructor.ConstructorError(None, None, "names must be text", key_node.start_mark)
        if name in found:
            raise yaml.constructor.ConstructorError(None, None, f"{name!r} stands twice", key_node.start_mark)
        found[name] = _value(loader, name, value_node)


def _value(loader: Any, name: str, node: yaml.Node) -> Any:
    if name in _AS_IT_STANDS or loader.foreign:
        loader.foreign += 1
        value = loader.construct_object(node, deep=True)
        loader.foreign -= 1
        return value
    if name in _TEXT_KEYS and isinstance(node, yaml.SequenceNode):
        return [_value(loader, name, item) for item in node.value]
    if name in _TEXT_KEYS and isinstance(node, yaml.ScalarNode) and node.tag != "tag:yaml.org,2002:null":
        return node.value
    return loader.construct_object(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)
