"""Rows of the registry's tables from values, and back."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson
from sqlalchemy import Row

from registry.entities import Kind
from registry.labels import key, own_labels, search_text
from registry.references import links
from registry.stores import Revision, Stored

T = TypeVar("T")
Values = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 500
_LONGEST_FIELD = 200


def microseconds(moment: datetime) -> int:
    """Return the moment as microseconds since the epoch."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """Return the moment so many microseconds after the epoch."""
    return _EPOCH + timedelta(microseconds=microseconds)


def chunks(items: Iterable[T]) -> Iterator[Sequence[T]]:
    """Cut a list into pieces that fit into one statement."""
    waiting = list(items)
    for start in range(0, len(waiting), _CHUNK):
        yield waiting[start : start + _CHUNK]


def stored(row: Row[Any]) -> Stored:
    """Read an object's row."""
    return Stored(
        kind=Kind(row.kind),
        id=row.id,
        label=row.label,
        version=row.version,
        revision=row.revision,
        home_node=row.home_node,
        document=orjson.loads(row.document),
        content_hash=row.content_hash,
        changed_at=moment(row.changed_at),
        changed_by=row.changed_by,
        removed=row.removed,
    )


def object_row(item: Stored) -> Values:
    """Write an object's row."""
    return {
        "id": item.id,
        "kind": item.kind.value,
        "label": item.label,
        "label_folded": key(item.label),
        "version": item.version,
        "revision": item.revision,
        "home_node": item.home_node,
        "document": orjson.dumps(item.document).decode(),
        "content_hash": item.content_hash,
        "search_text": search_text(item.kind, item.label, item.document),
        "changed_at": microseconds(item.changed_at),
        "changed_by": item.changed_by,
        "removed": item.removed,
    }


def label_rows(item: Stored) -> Iterator[Values]:
    """Write the rows of an object's own labels."""
    for position, label in enumerate(own_labels(item.kind, item.document)):
        yield {
            "object_id": item.id,
            "position": position,
            "kind": item.kind.value,
            "code": label.code,
            "code_folded": key(label.code),
            "valid_from": label.valid_from and label.valid_from.isoformat(),
            "valid_to": label.valid_to and label.valid_to.isoformat(),
        }


def link_rows(item: Stored) -> Iterator[Values]:
    """Write the rows of an object's references."""
    for link in links(item.kind, item.document):
        yield {"source_id": item.id, "pointer": link.pointer, "target_id": link.target}


def field_rows(item: Stored) -> Iterator[Values]:
    """Write the rows of the document's plain top-level fields, which can be searched by value."""
    for name, value in item.document.items():
        text = field_text(value)
        if text is not None and len(text) <= _LONGEST_FIELD:
            yield {"object_id": item.id, "name": name, "kind": item.kind.value, "value": text}


def field_text(value: object) -> str | None:
    """Return a plain value as a search compares it (JSON's spelling), None for what is not plain."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return orjson.dumps(value).decode()
    return None


def revision(row: Row[Any]) -> Revision:
    """Read a revision's row."""
    return Revision(
        number=row.number,
        at=moment(row.at),
        author=row.author,
        author_name=row.author_name,
        via=row.via,
        changes=orjson.loads(row.changes),
    )


def revision_row(item: Revision) -> Values:
    """Write a revision's row."""
    return {
        "number": item.number,
        "at": microseconds(item.at),
        "author": item.author,
        "author_name": item.author_name,
        "via": item.via,
        "changes": orjson.dumps(list(item.changes)).decode(),
    }
