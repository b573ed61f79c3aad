"""Searching one kind of object: by fields and text, in pages, in a total order."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.entities import ENTITIES, Kind
from registry.errors import Flaw, Invalid
from registry.labels import fold
from registry.sql.lookup import having
from registry.sql.rows import stored
from registry.sql.tables import objects
from registry.stores import Page

_SORTS: Mapping[str, ColumnElement[Any]] = {
    "label": objects.c.label_folded,
    "changed_at": objects.c.changed_at,
    "id": objects.c.id,
}
_MOST_ITEMS = 1000
_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for; making one checks it. Raises Invalid."""

    kind: Kind
    where: Mapping[str, str]
    text: str | None
    sort: str
    cursor: str | None
    limit: int

    def __post_init__(self) -> None:
        flaws = []
        if self.sort.removeprefix("-") not in _SORTS:
            flaws.append(Flaw("/sort", "choice", f"One can sort by {', '.join(_SORTS)}."))
        if not 1 <= self.limit <= _MOST_ITEMS:
            flaws.append(Flaw("/limit", "range", f"A page has 1 to {_MOST_ITEMS} items."))
        known = {field.name for field in fields(ENTITIES[self.kind])}
        flaws += [
            Flaw(f"/{name}", "unknown-field", "There is no such field.")
            for name in self.where
            if name not in known
        ]
        if self.text is not None and (len(self.text) > _LONGEST_TEXT or "\0" in self.text):
            flaws.append(Flaw("/text", "length", f"A search text has at most {_LONGEST_TEXT} characters."))
        if flaws:
            raise Invalid(flaws)

    async def run(self, connection: AsyncConnection) -> Page:
        """Return the page."""
        query = self._matching()
        total = await connection.scalar(select(func.count()).select_from(query.subquery()))
        rows = (await connection.execute(self._page(query))).all()
        more = len(rows) > self.limit
        return Page(
            items=[stored(row) for row in rows[: self.limit]],
            next=self._cursor_after(rows[self.limit - 1]) if more else None,
            total=int(total or 0),
        )

    def _matching(self) -> Select[Any]:
        query = having(self.kind, self.where)
        for word in fold(self.text or "").split():
            query = query.where(objects.c.search_text.contains(word, autoescape=True))
        return query

    def _page(self, query: Select[Any]) -> Select[Any]:
        column, id_ = _SORTS[self.sort.removeprefix("-")], objects.c.id
        descending = self.sort.startswith("-")
        if self.cursor is not None:
            value, last = self._position(self.cursor)
            beyond = column < value if descending else column > value
            beyond_id = id_ < last if descending else id_ > last
            query = query.where(or_(beyond, and_(column == value, beyond_id)))
        order = (column.desc(), id_.desc()) if descending else (column, id_)
        return query.order_by(*order).limit(self.limit + 1)

    def _cursor_after(self, row: Row[Any]) -> str:
        value = row._mapping[_SORTS[self.sort.removeprefix("-")]]  # noqa: SLF001  (SQLAlchemy's public name)
        return urlsafe_b64encode(orjson.dumps([self.sort, value, row.id])).decode().rstrip("=")

    def _position(self, cursor: str) -> tuple[str | int, str]:
        """Read a cursor; one of another order, or made up, is refused."""
        wanted = int if self.sort.endswith("changed_at") else str
        try:
            sort, value, last = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        except (ValueError, TypeError):
            sort, value, last = None, None, None
        fits = sort == self.sort and type(value) is wanted and isinstance(last, str)
        if not fits or "\0" in f"{value}{last}" or (wanted is int and abs(value) >= 1 << 63):
            raise Invalid([Flaw("/cursor", "cursor", "This is not a cursor of this search.")])
        return value, last
