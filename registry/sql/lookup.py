"""Finding objects by id or label, on one connection."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.entities import Kind
from registry.labels import COMPOSED, Label, choose, key, newest_in_use, other_forms
from registry.references import FIELDS
from registry.sql.rows import chunks, stored
from registry.sql.tables import fields, labels, objects
from registry.stores import Stored

_PARTS = 2


def is_id(label: str) -> bool:
    """Say whether a label has the form of an id."""
    try:
        return str(UUID(label)) == label.lower()
    except ValueError:
        return False


async def find(connection: AsyncConnection, kind: Kind, label: str, on: date | None) -> Stored | None:
    """Return the object with this id or label that is not removed."""
    if is_id(label):
        found = await by_ids(connection, [label.lower()])
        return next((item for item in found.values() if item.kind is kind and not item.removed), None)
    if kind in COMPOSED:
        return await _composed(connection, kind, label, on)
    for code in (label, *other_forms(kind, label)):
        target = choose(await _holders(connection, kind, code), on)
        if target is not None:
            return (await by_ids(connection, [target])).get(target)
    return None


async def by_ids(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, Stored]:
    """Return the objects with these ids, removed ones too."""
    found: dict[str, Stored] = {}
    for some in chunks(dict.fromkeys(ids)):
        rows = await connection.execute(select(objects).where(objects.c.id.in_(some)))
        found.update((row.id, stored(row)) for row in rows)
    return found


def having(kind: Kind, values: Mapping[str, str]) -> Select[Any]:
    """Select the objects of a kind whose plain fields have these values."""
    query = select(objects).where(objects.c.kind == kind.value, objects.c.removed.is_(False))
    for name, value in values.items():
        matching = select(fields.c.object_id).where(
            fields.c.kind == kind.value, fields.c.name == name, fields.c.value == value
        )
        query = query.where(objects.c.id.in_(matching))
    return query


async def _holders(connection: AsyncConnection, kind: Kind, code: str) -> list[tuple[Label, str]]:
    rows = await connection.execute(
        select(labels).where(labels.c.kind == kind.value, labels.c.code_folded == key(code))
    )
    return [(label_of(row), row.object_id) for row in rows]


def label_of(row: Any) -> Label:  # Any: a row of `labels`
    """Read a label's row."""
    since, until = row.valid_from, row.valid_to
    return Label(row.code, since and date.fromisoformat(since), until and date.fromisoformat(until))


async def _composed(connection: AsyncConnection, kind: Kind, label: str, on: date | None) -> Stored | None:
    """Find by a label such as `H26.12:mot-cua/CSDLDN`: the newest in use, else the newest."""
    names = COMPOSED[kind]
    parts = label.rsplit("/", 1) if len(names) == _PARTS else [label]
    if len(parts) != len(names):
        return None
    values = {}
    for name, part in zip(names, parts, strict=True):
        target = FIELDS[kind].get(name)
        found = await find(connection, target, part, on) if target else None
        if target and found is None:
            return None
        values[name] = found.id if found else part
    rows = await connection.execute(having(kind, values).order_by(objects.c.id.desc()))
    return newest_in_use([stored(row) for row in rows])
