"""The registry's store on SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import anyio
from sqlalchemy import make_url, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from registry.entities import Kind
from registry.errors import NotFound, StoreUnavailable
from registry.sql import lookup
from registry.sql.commit import CHANNEL, Commit
from registry.sql.database import Location, dispose, open_engine, reading, translated, writing
from registry.sql.rows import revision, stored
from registry.sql.search import Search
from registry.sql.tables import head, objects, revision_objects, revisions
from registry.stores import Author, Change, Page, Revision, Stored

if TYPE_CHECKING:
    from registry.sql.doorbell import Doorbell

_COMMIT_SECONDS = 60.0


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class SQLRegistry:
    """Implements `stores.Registry`. `node` is the home of what is added here."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        node: str,
        doorbell: "Doorbell | None" = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._engine = engine
        self._node = node
        self._doorbell = doorbell
        self._now = now

    async def revision(self) -> int:
        """Return the number of the latest revision, 0 for an empty registry."""
        async with self._reading() as connection:
            return await _latest(connection)

    async def get(self, kind: Kind, label: str, *, on: date | None = None) -> Stored:
        """Return the object with this id or code that is not removed. Raises NotFound."""
        found = await self.find(kind, label, on=on)
        if found is None:
            raise NotFound(kind.value, label)
        return found

    async def find(self, kind: Kind, label: str, *, on: date | None = None) -> Stored | None:
        """Return the object with this id or code that is not removed, or None."""
        if "\0" in label:
            return None
        async with self._reading() as connection:
            return await lookup.find(connection, kind, label, on)

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
        """Return a page of objects that are not removed. Raises Invalid for a bad cursor, sort or field."""
        search = Search(kind=kind, where=where or {}, text=text, sort=sort, cursor=cursor, limit=limit)
        async with self._reading() as connection:
            return await search.run(connection)

    async def changed_since(self, revision: int) -> tuple[int, Sequence[Stored]]:
        """Return the latest revision and every object (removed ones too) changed after `revision`."""
        async with self._reading() as connection:
            latest = await _latest(connection)
            if latest <= revision:
                return latest, []
            rows = await connection.execute(
                select(objects)
                .where(objects.c.revision > revision)
                .order_by(objects.c.revision, objects.c.id)
            )
            return latest, [stored(row) for row in rows]

    async def commit(self, changes: Sequence[Change], author: Author) -> Revision:
        """Apply all changes as the next revision, or none of them; see `stores.Registry`."""
        # A caller that goes away does not leave a half-known result behind.
        with anyio.CancelScope(shield=True):
            return await self._commit(changes, author)
        raise StoreUnavailable("the commit was interrupted")  # not reached: the scope is shielded

    async def revisions(
        self,
        *,
        before: int | None = None,
        limit: int = 50,
        id: str | None = None,  # noqa: A002  (the registry's word)
    ) -> Sequence[Revision]:
        """Return revisions, the newest first; only those that touched the object `id` when given."""
        query = select(revisions).order_by(revisions.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(revisions.c.number < before)
        if id is not None:
            touched = select(revision_objects.c.number).where(revision_objects.c.object_id == id)
            query = query.where(revisions.c.number.in_(touched))
        async with self._reading() as connection:
            return [revision(row) for row in await connection.execute(query)]

    async def wait_for_change(self, timeout: float) -> None:  # noqa: ASYNC109  (the wait is the point)
        """Return after `timeout` seconds, earlier when the database says that there is a new revision."""
        if self._doorbell is None:
            await anyio.sleep(timeout)
        else:
            await self._doorbell.wait(timeout)

    async def _commit(self, changes: Sequence[Change], author: Author) -> Revision:
        with translated():
            async with asyncio.timeout(_COMMIT_SECONDS), writing(self._engine).begin() as connection:
                work = Commit(connection, node=self._node, author=author, now=self._now())
                done = await work.run(changes)
                return done if isinstance(done, Revision) else await _revision(connection, done)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        with translated():
            async with reading(self._engine).begin() as connection:
                yield connection


@asynccontextmanager
async def open_registry(
    location: Location, *, node: str, now: Callable[[], datetime] = utc_now
) -> AsyncIterator[SQLRegistry]:
    """Yield the registry at this location, whose schema must be there."""
    engine = open_engine(location.registry)
    try:
        if make_url(location.registry).get_backend_name() == "postgresql":
            # Imported here: a node on SQLite does without the driver.
            from registry.sql.doorbell import Doorbell  # noqa: PLC0415

            dsn = location.registry.replace("postgresql+asyncpg://", "postgresql://", 1)
            async with Doorbell(dsn, CHANNEL) as doorbell:
                yield SQLRegistry(engine, node=node, doorbell=doorbell, now=now)
        else:
            yield SQLRegistry(engine, node=node, now=now)
    finally:
        await dispose(engine)


async def _latest(connection: AsyncConnection) -> int:
    return int((await connection.execute(select(head.c.number).where(head.c.id == 1))).scalar_one())


async def _revision(connection: AsyncConnection, number: int) -> Revision:
    """Return a revision by its number; revision 0 is the empty registry's."""
    row = (await connection.execute(select(revisions).where(revisions.c.number == number))).one_or_none()
    if row is None:
        return Revision(
            number=0, at=datetime.fromtimestamp(0, UTC), author="", author_name="", via="local", changes=[]
        )
    return revision(row)
