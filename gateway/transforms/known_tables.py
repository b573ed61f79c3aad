"""The code lists and organisation codes of a registry as it changes, and which versions were made from which."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gateway.transforms.code_tables import ORGANISATIONS, CodeTable, OrganisationCodes, Tables
from registry.documents import parse
from registry.entities import CodeList, Kind, Organisation
from registry.errors import Invalid
from registry.stores import Stored


class KnownTables:
    """What the compiler keeps for transforms. One thread at a time."""

    def __init__(self) -> None:
        self._lists: dict[str, CodeTable] = {}
        self._slugs: dict[str, str] = {}
        self._stored_organisations: dict[str, Stored] = {}
        self._organisations: OrganisationCodes | None = None
        self._used: dict[str, set[str]] = {}
        self._changed: set[str] = set()

    def take(self, lists: Sequence[Stored], organisations: Sequence[Stored]) -> None:
        """Take in what has changed. A code list that cannot be read is as good as none."""
        for stored in lists:
            self._take_list(stored)
        for stored in organisations:
            self._stored_organisations[stored.id] = stored
            self._organisations = None
            self._changed.add(ORGANISATIONS)

    def _take_list(self, stored: Stored) -> None:
        if (before := self._slugs.pop(stored.id, None)) is not None:
            self._lists.pop(before, None)
            self._changed.add(before)
        try:
            entity = None if stored.removed else parse(stored.kind, stored.document)
        except Invalid:
            return
        if isinstance(entity, CodeList):
            self._slugs[stored.id] = entity.code
            self._lists[entity.code] = CodeTable(entity)
            self._changed.add(entity.code)

    def stale_versions(self) -> list[str]:
        """Return the ids of versions that were made from what has changed since this was last asked."""
        changed, self._changed = self._changed, set()
        return [version for version, used in self._used.items() if used & changed]

    def organisations(self) -> OrganisationCodes:
        """Return the codes of all organisations."""
        known = self._organisations
        if known is None:
            entities = (
                parse(Kind.ORGANISATION, stored.document)
                for stored in list(self._stored_organisations.values())
                if not stored.removed
            )
            known = self._organisations = OrganisationCodes(
                it for it in entities if isinstance(it, Organisation)
            )
        return known

    @contextmanager
    def noting(self, version: str) -> Iterator[Tables]:
        """Give out the tables, and note what a version uses of them, whether it can be made or not."""
        tables = Tables(self._lists, self.organisations)
        try:
            yield tables
        finally:
            self._used.pop(version, None)
            if tables.used:
                self._used[version] = tables.used
