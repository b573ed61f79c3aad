"""From zeep's types to fields: what a service's description declares, made ready for its messages."""

from collections.abc import Iterable, Iterator
from typing import Any

from zeep.xsd import elements, types
from zeep.xsd.elements.indicators import Indicator
from zeep.xsd.types import builtins
from zeep.xsd.types.any import AnyType

from connectors.builtin.soap.fields import (
    ITEMS_KEY,
    TEXT_KEY,
    TYPE_KEY,
    Anything,
    Complex,
    Field,
    Form,
    Group,
    Kind,
    Simple,
    Type,
    parts_of,
)

ANYTHING = Anything()

_SMALL = (builtins.Int, builtins.UnsignedInt)  # and what zeep derives from them: short, byte, ...

_FORMS: tuple[tuple[Any, Form], ...] = (
    (builtins.DateTime, "date-time"),
    (builtins.Date, "date"),
    (builtins.Time, "time"),
)


class CannotCompile(ValueError):
    """A type that is not supported; the text says which one and why."""


class Compiler:
    """Compiles the types of one description; each type once, also when it holds itself.

    `prefixes` are the namespaces met so far with the prefixes that stand in what is written.
    """

    def __init__(self, global_types: Iterable[Any] = ()) -> None:  # Any: zeep is not typed
        self.prefixes: dict[str, str] = {}
        self._complex: dict[int, Complex] = {}
        self._alive: list[Any] = []  # zeep's own objects: an id must not be given to another one
        self._derived: dict[int, list[Any]] = {}
        for one in global_types:
            for base in _bases(one):
                self._derived.setdefault(id(base), []).append(one)

    def element(self, element: Any) -> Field:  # Any: zeep is not typed
        """Return an element as a field. Raises CannotCompile."""
        return Field(
            key=element.name,
            tag=self.name(element.qname),
            type=self.type(element.type),
            min=element.min_occurs,
            max=_most(element.max_occurs),
            nillable=element.nillable,
        )

    def type(self, declared: Any) -> Type:  # Any: zeep is not typed
        """Return a type. Raises CannotCompile."""
        if isinstance(declared, types.ComplexType):
            made = self._complex.get(id(declared))
            return self._compile(declared) if made is None else made
        if isinstance(declared, types.AnySimpleType):
            return _simple(declared)
        if declared is None or isinstance(declared, AnyType):
            return ANYTHING
        raise CannotCompile(f"the type {type(declared).__name__} is not supported")

    def name(self, qname: Any) -> str:  # Any: zeep is not typed
        """Return a name with its namespace's prefix."""
        if not qname.namespace:
            return str(qname.localname)
        prefix = self.prefixes.setdefault(qname.namespace, f"n{len(self.prefixes)}")
        return f"{prefix}:{qname.localname}"

    def _compile(self, declared: Any) -> Complex:
        made = self._complex[id(declared)] = Complex()
        self._alive.append(declared)
        if declared.qname is not None:
            made.name = self.name(declared.qname)
        for _, attribute in declared.attributes:
            if attribute.name is not None:
                made.attributes["@" + attribute.name] = (
                    self.name(attribute.qname),
                    _simple(attribute.type),
                    bool(getattr(attribute, "required", False)),
                )
        inner = declared._element  # noqa: SLF001 (zeep shows nothing else of a type's content)
        if isinstance(inner, elements.Element) and isinstance(inner.type, types.AnySimpleType):
            made.text = _simple(inner.type)
        elif isinstance(inner, elements.Element) and isinstance(inner.type, types.ComplexType):
            base = self.type(inner.type)
            made.content, made.text = (base.content, base.text) if isinstance(base, Complex) else (None, None)
        elif inner:
            made.content = self._group(inner, _Numbers())
        self._finish(made)
        for other in self._derived.get(id(declared), ()):
            compiled = self.type(other)
            if isinstance(compiled, Complex) and other.qname is not None:
                made.derived[other.qname.localname] = compiled
        return made

    def _finish(self, made: Complex) -> None:
        keys = {*made.attributes, TYPE_KEY}
        if made.text is not None:
            keys.add(TEXT_KEY)
        if made.content is not None:
            keys |= made.content.keys
            if made.content.key:
                keys = (keys - made.content.keys) | {made.content.key}
            for of, group, place, branch in _places(made.content):
                made.readers.setdefault(of.tag.rpartition(":")[2], (of, group, place, branch))
        made.known = frozenset(keys)

    def _group(self, declared: Any, numbers: "_Numbers") -> Group:
        """Return a sequence, an `all`, a choice or a named group. Raises CannotCompile."""
        smallest, most = declared.min_occurs, _most(declared.max_occurs)
        if isinstance(declared, elements.Group):
            inner = declared.child
            if most == 1 and smallest == 1:
                return self._group(inner, numbers)
            parts: list[Field | Group] = [self._group(inner, numbers)]
        else:
            parts = list(self._parts(declared, numbers))
        repeated = most is None or most > 1
        keys: set[str] = set()
        choice = isinstance(declared, elements.Choice)
        for part in parts:
            own = {part.key} if isinstance(part, Field) or part.key else part.keys
            if not choice and keys & own:
                raise CannotCompile(f"the element {min(keys & own)!r} stands twice in one type")
            keys |= own
        return Group(parts, choice, smallest, most, numbers.next() if repeated else "", frozenset(keys))

    def _parts(self, declared: Any, numbers: "_Numbers") -> Iterator[Field | Group]:
        for inner in declared:
            if isinstance(inner, elements.Any):
                continue  # read as it stands, never written
            if isinstance(inner, Indicator):
                yield self._group(inner, numbers)
            else:
                made = self.element(inner)
                if isinstance(declared, elements.Choice):
                    made.min = max(made.min, 1)  # zeep calls every branch optional
                yield made


class _Numbers:
    """Names the lists of a type's repeated groups."""

    def __init__(self) -> None:
        self._count = 0

    def next(self) -> str:
        self._count += 1
        return ITEMS_KEY if self._count == 1 else f"{ITEMS_KEY}_{self._count}"


def _places(group: Group, repeated: Group | None = None) -> Iterator[tuple[Field, Group | None, int, int]]:
    """Return each field with the repeated group it belongs to, and its place and branch in there."""
    if repeated is None and group.key:
        repeated = group
    if repeated is None:
        for part in group.parts:
            if isinstance(part, Field):
                yield part, None, 0, 0
            else:
                yield from _places(part)
        return
    for branch, part in enumerate(repeated.parts):
        inner = [part] if isinstance(part, Field) else list(parts_of(part))
        for place, of in enumerate(inner):
            # In a sequence the place tells one item from the next; in a choice the branch does.
            yield (
                (of, repeated, place, branch) if repeated.choice else (of, repeated, branch * 1000 + place, 0)
            )


def _simple(declared: Any) -> Simple:
    name = str(declared.qname or "")
    if isinstance(declared, types.ListType):
        return Simple(_kind(declared.item_type), is_list=True, name=name)
    return Simple(_kind(declared), name=name, form=_form(declared))


def _form(declared: Any) -> Form:
    return next((form for of, form in _FORMS if isinstance(declared, of)), "")


def _kind(declared: Any) -> Kind:
    if isinstance(declared, types.UnionType):
        return "text"
    if isinstance(declared, builtins.Boolean):
        return "boolean"
    if isinstance(declared, _SMALL):
        return "small"
    if isinstance(declared, builtins.Integer):
        return "integer"
    if isinstance(declared, builtins.Decimal):
        return "decimal"
    return "double" if isinstance(declared, builtins.Float | builtins.Double) else "text"


def _bases(declared: Any) -> Iterator[Any]:
    for one in getattr(declared, "_extension_types", ()):
        base = getattr(one, "_xsd_type", None)
        if base is not None and base is not declared:
            yield base


def _most(occurs: Any) -> int | None:
    return None if occurs == "unbounded" else int(occurs)
