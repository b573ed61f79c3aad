"""How the registry is reached: the protocols that the rest of the program relies on.

One implementation (`registry.sql`) runs on SQLite and on PostgreSQL; one suite, `tests/contract`, runs on both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, Protocol

from registry.entities import Entity, Kind

Document = dict[str, Any]
"""An entity as JSON: what `registry.documents.render` gives and `parse` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One object as it stands in the registry.

    `document` is the entity in JSON form (references as ids). `version` counts the object's own changes from 1
    and is its strong ETag; `revision` is the registry's revision that last changed it. `label` is the code or
    name by which people know it (dated labels resolve through `Registry.resolve`). `removed` objects are kept
    for history and are in no search.
    """

    kind: Kind
    id: str
    label: str
    version: int
    revision: int
    home_node: str
    document: Document
    content_hash: str
    changed_at: datetime
    changed_by: str
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who makes a change: the client's id, its name for people, and where it came from (`api`, `local`)."""

    id: str
    name: str
    via: Literal["api", "local"] = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step of a change set.

    `put` writes `entity` under `id` (`expected_version` None: it must not exist yet; a number: it must be at
    that version, else VersionStale). `remove` takes the object out of use. `action` is the audit tag,
    `noun.verb`, e.g. `grant.approve`.
    """

    action: str
    kind: Kind
    id: str
    entity: Entity | None
    expected_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One numbered state of the registry: who changed what, when."""

    number: int
    at: datetime
    author: str
    author_name: str
    via: str
    changes: Sequence[Mapping[str, Any]]
    """Each: action, kind, id, label, version, and `diff`: a list of {pointer, before, after}, secrets left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a search: `next` is an opaque cursor, None on the last page; `total` counts all matches."""

    items: Sequence[Stored]
    next: str | None
    total: int


class Registry(Protocol):
    """The registry's store. Raises `StoreUnavailable` when the database is gone."""

    async def revision(self) -> int:
        """Return the number of the latest revision, 0 for an empty registry. Cheap: polled four times a second."""
        ...

    async def get(self, kind: Kind, label: str, *, on: date | None = None) -> Stored:
        """Return the object with this id or (on that day, today by default) this code. Raises NotFound."""
        ...

    async def find(self, kind: Kind, label: str, *, on: date | None = None) -> Stored | None:
        """Return the object with this id or code, or None."""
        ...

    async def search(
        self,
        kind: Kind,
        *,
        where: Mapping[str, str] | None = None,
        text: str | None = None,
        sort: str = "label",
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page:
        """Return a page of objects that are not removed.

        `where` compares top-level fields of the document (references by id), `text` is found without regard
        to case and accents in label and names; `sort` is `label`, `changed_at` or `id`, with `-` in front to
        reverse; the order is total and stable under changes elsewhere. Raises Invalid for a bad cursor or sort.
        """
        ...

    async def changed_since(self, revision: int) -> tuple[int, Sequence[Stored]]:
        """Return the latest revision and every object (removed ones too) changed after `revision`."""
        ...

    async def commit(self, changes: Sequence[Change], author: Author) -> Revision:
        """Apply all changes as the next revision, or none of them.

        Checks, under the registry's lock: expected versions (VersionStale), unique codes and names
        (AlreadyThere), references that exist and are not removed (Invalid, naming the pointer), objects that
        others still refer to (Conflict). A list that changes nothing makes no revision and returns the latest.
        """
        ...

    async def revisions(
        self,
        *,
        before: int | None = None,
        limit: int = 50,
        id: str | None = None,  # noqa: A002
    ) -> Sequence[Revision]:
        """Return revisions, the newest first; only those that touched the object `id` when given."""
        ...
