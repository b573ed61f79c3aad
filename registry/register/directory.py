"""Where references are looked up while changes are put together: the registry itself, or a copy in memory."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Protocol, TypeVar

from registry.entities import Kind
from registry.labels import COMPOSED, OWN, Label, choose, key, newest_in_use, other_forms, own_labels
from registry.references import FIELDS
from registry.stores import Registry, Stored

T = TypeVar("T")

_PAGE = 500


class Lookup(Protocol):
    """Finds objects as they will be after the changes staged so far."""

    async def find(self, kind: Kind, label: str) -> Stored | None:
        """Return the object with this id or label, or None."""
        ...

    async def having(self, kind: Kind, name: str, value: str) -> Sequence[Stored]:
        """Return the objects of a kind whose field has this value."""
        ...

    def put(self, item: Stored) -> None:
        """Take a staged object in; a removed one out."""
        ...


class RegistryLookup:
    """Looks into the registry: for a change or two."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._staged: dict[str, Stored] = {}

    async def find(self, kind: Kind, label: str) -> Stored | None:
        """Return the object with this id or label, or None."""
        staged = self._staged.get(label)
        found = staged if staged and staged.kind is kind else await self._registry.find(kind, label)
        found = self._staged.get(found.id, found) if found else None
        return None if found is None or found.removed else found

    async def having(self, kind: Kind, name: str, value: str) -> Sequence[Stored]:
        """Return the objects of a kind whose field has this value."""
        found: dict[str, Stored] = {}
        cursor = None
        while True:
            page = await self._registry.search(
                kind, where={name: value}, sort="id", cursor=cursor, limit=_PAGE
            )
            found |= {item.id: item for item in page.items}
            cursor = page.next
            if cursor is None:
                break
        found |= {item.id: item for item in self._staged.values() if item.kind is kind}
        return [item for item in found.values() if not item.removed and item.document.get(name) == value]

    def put(self, item: Stored) -> None:
        """Take a staged object in."""
        self._staged[item.id] = item


class Directory:
    """A copy of the registry in memory: for many changes at once."""

    def __init__(self, items: Iterable[Stored] = ()) -> None:
        self._items: dict[str, Stored] = {}
        self._labels: dict[tuple[Kind, str], dict[tuple[str, Label], None]] = {}
        self._composed: dict[tuple[Kind, tuple[str, ...]], dict[str, None]] = {}
        for item in items:
            self.put(item)

    @classmethod
    async def load(cls, registry: Registry) -> tuple[int, "Directory"]:
        """Return the registry's latest revision and a copy of it."""
        revision, items = await registry.changed_since(0)
        return revision, cls(items)

    def search(self, kind: Kind) -> list[Stored]:
        """Return the objects of a kind, by label."""
        found = [item for item in self._items.values() if item.kind is kind]
        return sorted(found, key=lambda item: (key(item.label), item.id))

    async def find(self, kind: Kind, label: str) -> Stored | None:
        """Return the object with this id or label, or None."""
        return self.get(kind, label)

    def get(self, kind: Kind, label: str, on: date | None = None) -> Stored | None:
        """Return the object with this id or label, or None."""
        found = self._items.get(label)
        if found is not None and found.kind is kind:
            return found
        if kind in COMPOSED:
            return self._find_composed(kind, label, on)
        for code in (label, *other_forms(kind, label)):
            holders = self._labels.get((kind, key(code)), {})
            target = choose(((label_, id_) for id_, label_ in holders), on)
            if target is not None:
                return self._items[target]
        return None

    async def having(self, kind: Kind, name: str, value: str) -> Sequence[Stored]:
        """Return the objects of a kind whose field has this value."""
        return [
            item for item in self._items.values() if item.kind is kind and item.document.get(name) == value
        ]

    def put(self, item: Stored) -> None:
        """Take an object in; a removed one out."""
        before = self._items.pop(item.id, None)
        if before is not None:
            self._index(before, remove=True)
        if not item.removed:
            self._items[item.id] = item
            self._index(item)

    def _index(self, item: Stored, *, remove: bool = False) -> None:
        for label in own_labels(item.kind, item.document) if item.kind in OWN else ():
            holders = self._labels.setdefault((item.kind, key(label.code)), {})
            _set(holders, (item.id, label), remove=remove)
        if item.kind in COMPOSED:
            values = tuple(item.document[name] for name in COMPOSED[item.kind])
            _set(self._composed.setdefault((item.kind, values), {}), item.id, remove=remove)

    def _find_composed(self, kind: Kind, label: str, on: date | None) -> Stored | None:
        names = COMPOSED[kind]
        parts = label.rsplit("/", 1) if len(names) > 1 else [label]
        if len(parts) != len(names):
            return None
        values = []
        for name, part in zip(names, parts, strict=True):
            target = FIELDS[kind].get(name)
            found = self.get(target, part, on) if target else None
            if target and found is None:
                return None
            values.append(found.id if found else part)
        ids = self._composed.get((kind, tuple(values)), {})
        return newest_in_use([self._items[id_] for id_ in ids])


def _set(holders: dict[T, None], member: T, *, remove: bool) -> None:
    if remove:
        holders.pop(member, None)
    else:
        holders[member] = None
