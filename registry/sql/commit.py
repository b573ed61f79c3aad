"""One commit: check a change set against the registry and write it as the next revision.

All of it happens in one transaction under the registry's lock, in this order: the steps are played through in
memory; references, labels and removals are checked on what would come out; then everything is written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.diffs import differences
from registry.documents import content_hash, render
from registry.entities import ENTITIES, Kind
from registry.errors import AlreadyThere, Conflict, Flaw, Invalid, NotFound, VersionStale
from registry.labels import COMPOSED, OWN, Label, is_in_use, key, own_labels
from registry.references import FIELDS, links
from registry.sql.lookup import by_ids, label_of
from registry.sql.rows import (
    chunks,
    field_rows,
    label_rows,
    link_rows,
    microseconds,
    moment,
    object_row,
    revision_row,
    stored,
)
from registry.sql.tables import fields, head, labels, objects, revision_objects, revisions
from registry.sql.tables import links as link_table
from registry.stores import Author, Change, Document, Revision, Stored

CHANNEL = "lgsp_revision"

_UNIQUE = {Kind.VERSION: "/version", Kind.NEED: "/national_database"}
"""Composed kinds of which only one in use may have a label, and the field to blame."""


class Commit:
    """The work of one commit, on a connection whose transaction has begun."""

    def __init__(self, connection: AsyncConnection, *, node: str, author: Author, now: datetime) -> None:
        self._connection = connection
        self._node = node
        self._author = author
        self._now = now
        self._number = 0
        self._before: dict[str, Stored] = {}
        self._after: dict[str, Stored] = {}
        self._targets: dict[str, Stored] = {}
        self._done: list[dict[str, Any]] = []

    async def run(self, changes: Sequence[Change]) -> Revision | int:
        """Return the new revision, or the number of the latest one when nothing changes."""
        latest = await self._lock()
        self._number = latest + 1
        self._before = await by_ids(self._connection, (change.id for change in changes))
        for change in changes:
            self._play(change)
        if not self._done:
            return latest
        await self._check_references()
        self._name()
        await self._check_labels()
        await self._check_composed()
        await self._check_removals()
        return await self._write()

    # --- playing through --------------------------------------------------------------------------------

    async def _lock(self) -> int:
        number = await self._connection.execute(select(head.c.number).where(head.c.id == 1).with_for_update())
        return int(number.scalar_one())

    def _play(self, change: Change) -> None:
        current = self._after.get(change.id) or self._before.get(change.id)
        _check_version(change, current)
        item = self._next(change, current)
        if item is None:
            return
        self._after[change.id] = item
        self._done.append(
            {
                "action": change.action,
                "kind": change.kind.value,
                "id": change.id,
                "label": "",
                "version": item.version,
                "diff": differences(
                    change.kind,
                    current.document if current else None,
                    None if item.removed else item.document,
                ),
            }
        )

    def _next(self, change: Change, current: Stored | None) -> Stored | None:
        """Return what the change makes of the object, None when it stays as it is."""
        if change.entity is None:
            return replace(self._changed(current), removed=True) if current else None
        document = render(change.entity)
        digest = content_hash(document)
        if current is None:
            return self._new(change, document, digest)
        if digest == current.content_hash:
            return None
        return replace(self._changed(current), document=document, content_hash=digest)

    def _new(self, change: Change, document: Document, digest: str) -> Stored:
        return Stored(
            kind=change.kind,
            id=change.id,
            label="",
            version=1,
            revision=self._number,
            home_node=self._node,
            document=document,
            content_hash=digest,
            changed_at=self._now,
            changed_by=self._author.id,
        )

    def _changed(self, item: Stored) -> Stored:
        return replace(
            item,
            version=item.version + 1,
            revision=self._number,
            changed_at=self._now,
            changed_by=self._author.id,
        )

    # --- checking ---------------------------------------------------------------------------------------

    def _kept(self) -> Iterable[Stored]:
        """Yield what is written and in use, in an order in which references point to kinds before."""
        order = list(ENTITIES)
        return sorted(
            (item for item in self._after.values() if not item.removed),
            key=lambda item: order.index(item.kind),
        )

    async def _check_references(self) -> None:
        wanted = {link.target for item in self._kept() for link in links(item.kind, item.document)}
        self._targets = await by_ids(self._connection, wanted - self._after.keys()) | self._after
        flaws = [
            Flaw(
                link.pointer, "reference-unknown", f"No {link.kind.value} object is known as {link.target!r}."
            )
            for item in self._kept()
            for link in links(item.kind, item.document)
            if not self._is_target(link.kind, link.target)
        ]
        if flaws:
            raise Invalid(flaws)

    def _is_target(self, kind: Kind, id: str) -> bool:  # noqa: A002  (the registry's word)
        target = self._targets.get(id)
        return target is not None and target.kind is kind and not target.removed

    def _name(self) -> None:
        """Give every written object its label."""
        for item in self._kept():
            self._after[item.id] = replace(item, label=self._label(item))
            self._targets[item.id] = self._after[item.id]
        for done in self._done:
            done["label"] = self._after[done["id"]].label

    def _label(self, item: Stored) -> str:
        if item.kind in OWN:
            return str(item.document[OWN[item.kind]])
        parts = [item.document[name] for name in COMPOSED[item.kind]]
        referring = FIELDS[item.kind]
        return "/".join(
            self._targets[part].label if name in referring else part
            for name, part in zip(COMPOSED[item.kind], parts, strict=True)
        )

    async def _check_labels(self) -> None:
        """Refuse a label that another object of the kind has on one of the same days."""
        holders: dict[tuple[str, str], list[tuple[Label, str]]] = {}
        items = [item for item in self._kept() if item.kind in OWN]
        for kind in {item.kind for item in items}:
            codes = {row["code_folded"] for item in items if item.kind is kind for row in label_rows(item)}
            await self._collect_holders(kind, codes, holders)
        for item in items:
            for label in own_labels(item.kind, item.document):
                others = holders.setdefault((item.kind.value, key(label.code)), [])
                if any(id != item.id and label.overlaps(other) for other, id in others):  # noqa: A001
                    raise AlreadyThere(_field_of(item, label.code), label.code)
                others.append((label, item.id))

    async def _collect_holders(
        self, kind: Kind, codes: set[str], holders: dict[tuple[str, str], list[tuple[Label, str]]]
    ) -> None:
        for some in chunks(codes):
            rows = await self._connection.execute(
                select(labels).where(labels.c.kind == kind.value, labels.c.code_folded.in_(some))
            )
            for row in rows:
                if row.object_id not in self._after:
                    holders.setdefault((kind.value, row.code_folded), []).append(
                        (label_of(row), row.object_id)
                    )

    async def _check_composed(self) -> None:
        """Refuse a second version of the same number, and a second standing need of the same database."""
        for kind, pointer in _UNIQUE.items():
            items = [item for item in self._kept() if item.kind is kind and is_in_use(item)]
            taken = {key(item.label): item.id for item in items}
            for item in items:
                if taken[key(item.label)] != item.id:
                    raise AlreadyThere(pointer, item.label)
            for some in chunks(taken):
                await self._check_composed_kept(kind, pointer, some)

    async def _check_composed_kept(self, kind: Kind, pointer: str, folded: Sequence[str]) -> None:
        rows = await self._connection.execute(
            select(objects).where(
                objects.c.kind == kind.value, objects.c.removed.is_(False), objects.c.label_folded.in_(folded)
            )
        )
        for other in map(stored, rows):
            if other.id not in self._after and is_in_use(other):
                raise AlreadyThere(pointer, other.label)

    async def _check_removals(self) -> None:
        removed = [item.id for item in self._after.values() if item.removed]
        for some in chunks(removed):
            rows = await self._connection.execute(
                select(objects.c.id, objects.c.kind, objects.c.label)
                .join(link_table, link_table.c.source_id == objects.c.id)
                .where(link_table.c.target_id.in_(some), objects.c.removed.is_(False))
                .order_by(objects.c.id)
            )
            others = [f"{row.kind}/{row.label}" for row in rows if row.id not in self._after]
            if others:
                raise Conflict(f"others still refer to it: {', '.join(dict.fromkeys(others[:5]))}")

    # --- writing ----------------------------------------------------------------------------------------

    async def _write(self) -> Revision:
        await self._write_objects()
        for table, column, rows in (
            (labels, labels.c.object_id, label_rows),
            (link_table, link_table.c.source_id, link_rows),
            (fields, fields.c.object_id, field_rows),
        ):
            for some in chunks(id for id in self._after if id in self._before):  # noqa: A001
                await self._connection.execute(delete(table).where(column.in_(some)))
            values = [row for item in self._kept() for row in rows(item)]
            if values:
                await self._connection.execute(insert(table), values)
        await self._rename_dependants()
        return await self._write_revision()

    async def _write_objects(self) -> None:
        for some in chunks(id for id in self._after if id in self._before):  # noqa: A001
            await self._connection.execute(delete(objects).where(objects.c.id.in_(some)))
        await self._connection.execute(insert(objects), [object_row(item) for item in self._after.values()])

    async def _rename_dependants(self) -> None:
        """Bring labels made of other labels up to date; the objects stay at their version."""
        renamed = [
            item.id
            for item in self._kept()
            if item.id in self._before and item.label != self._before[item.id].label
        ]
        for some in chunks(renamed):
            rows = await self._connection.execute(
                select(objects).where(
                    objects.c.kind.in_([kind.value for kind in COMPOSED]),
                    objects.c.removed.is_(False),
                    objects.c.id.in_(select(link_table.c.source_id).where(link_table.c.target_id.in_(some))),
                )
            )
            await self._rename([item for item in map(stored, rows) if item.id not in self._after])

    async def _rename(self, items: Sequence[Stored]) -> None:
        wanted = {link.target for item in items for link in links(item.kind, item.document)}
        self._targets |= await by_ids(self._connection, wanted - self._targets.keys())
        for item in items:
            row = object_row(replace(item, label=self._label(item), revision=self._number))
            await self._connection.execute(update(objects).where(objects.c.id == item.id).values(row))

    async def _write_revision(self) -> Revision:
        revision = Revision(
            number=self._number,
            # The times of revisions rise with their numbers, whatever the clock does.
            at=max(self._now, await self._latest_time()),
            author=self._author.id,
            author_name=self._author.name,
            via=self._author.via,
            changes=self._done,
        )
        await self._connection.execute(insert(revisions), [revision_row(revision)])
        await self._connection.execute(
            insert(revision_objects),
            [{"object_id": id, "number": self._number} for id in self._after],  # noqa: A001
        )
        await self._connection.execute(update(head).where(head.c.id == 1).values(number=self._number))
        if self._connection.dialect.name == "postgresql":
            await self._connection.execute(select(func.pg_notify(CHANNEL, str(self._number))))
        return revision

    async def _latest_time(self) -> datetime:
        latest = await self._connection.execute(
            select(revisions.c.at).where(revisions.c.number == self._number - 1)
        )
        return moment(latest.scalar() or microseconds(self._now))


def _check_version(change: Change, current: Stored | None) -> None:
    if change.expected_version is None:
        if current is not None:
            raise AlreadyThere("/id", change.id)
        if change.entity is None:
            raise NotFound(change.kind.value, change.id)
        return
    if current is None or current.removed or current.kind is not change.kind:
        raise NotFound(change.kind.value, change.id)
    if current.version != change.expected_version:
        raise VersionStale(current=current.version, given=change.expected_version)


def _field_of(item: Stored, code: str) -> str:
    """Return the pointer of the field that holds this label."""
    for name in (OWN[item.kind], "old_code"):
        if item.document.get(name) == code:
            return f"/{name}"
    codes = [alias["code"] for alias in item.document.get("aliases", ())]
    return f"/aliases/{codes.index(code)}/code"
