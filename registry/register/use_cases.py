"""Changing the registry: the one way in, for the admin API, the command line and the demonstration."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from registry.documents import parse
from registry.entities import Kind, Organisation
from registry.errors import Flaw
from registry.register.changes import ChangeSet, CheckTransforms, CheckVersion
from registry.register.directory import Lookup, RegistryLookup
from registry.register.rules import remarks_of
from registry.register.steps import Moment
from registry.stores import Author, Registry, Stored


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Register:
    """Adds, replaces, removes and moves objects along their lives, each as one revision.

    References in documents may be ids or codes. `check_version` looks at what only a connector understands,
    and `check_transforms` at mappings and their examples; a version that they find flaws in is refused here, though
    the data plane could set it aside.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        node: str,
        now: Callable[[], datetime] = utc_now,
        check_version: CheckVersion | None = None,
        check_transforms: CheckTransforms | None = None,
    ) -> None:
        self.registry = registry
        self._node = node
        self._now = now
        self._check_version = check_version
        self._check_transforms = check_transforms

    async def add(
        self,
        kind: Kind,
        document: Mapping[str, Any],
        author: Author,
        *,
        id: str | None = None,  # noqa: A002  (the registry's word)
    ) -> Stored:
        """Add an object. Raises Invalid, AlreadyThere."""
        changes = self.changes(RegistryLookup(self.registry), author)
        staged = await changes.add(kind, document, id=id)
        return await self._done(changes, staged, author)

    async def replace(
        self, kind: Kind, label: str, document: Mapping[str, Any], *, expected_version: int, author: Author
    ) -> Stored:
        """Replace what a person may write of an object. Raises NotFound, VersionStale, WrongState, Invalid."""
        changes = self.changes(RegistryLookup(self.registry), author)
        staged = await changes.replace(kind, label, document, expected_version=expected_version)
        return await self._done(changes, staged, author)

    async def remove(self, kind: Kind, label: str, *, expected_version: int, author: Author) -> None:
        """Take an object out of use. Raises NotFound, VersionStale, WrongState, Conflict."""
        changes = self.changes(RegistryLookup(self.registry), author)
        await changes.remove(kind, label, expected_version=expected_version)
        await self.registry.commit(changes.changes, author)

    async def step(
        self,
        kind: Kind,
        label: str,
        action: str,
        document: Mapping[str, Any],
        *,
        expected_version: int,
        author: Author,
    ) -> Stored:
        """Take a step of an object's life; `STEPS` says which there are. Raises as `replace` does."""
        changes = self.changes(RegistryLookup(self.registry), author)
        staged = await changes.step(kind, label, action, document, expected_version=expected_version)
        return await self._done(changes, staged, author)

    async def remarks(self, stored: Stored) -> Sequence[Flaw]:
        """Return what is unusual about an object, though it is allowed."""
        entity = parse(stored.kind, stored.document)
        owner = stored.document.get("organisation") if stored.kind is Kind.SYSTEM else None
        found = await self.registry.find(Kind.ORGANISATION, owner) if owner else None
        organisation = parse(Kind.ORGANISATION, found.document) if found else None
        return remarks_of(
            stored.kind, entity, organisation if isinstance(organisation, Organisation) else None
        )

    def changes(self, lookup: Lookup, author: Author) -> ChangeSet:
        """Return an empty change set of this author's, for several changes in one revision."""
        at = Moment(author=author, now=self._now(), node=self._node)
        return ChangeSet(
            lookup, at, check_version=self._check_version, check_transforms=self._check_transforms
        )

    async def _done(self, changes: ChangeSet, staged: Stored, author: Author) -> Stored:
        await self.registry.commit(changes.changes, author)
        return await self.registry.get(staged.kind, staged.id)
