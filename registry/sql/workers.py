"""Which worker runs which revision: each acknowledges what it has made its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import time

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from registry.sql.database import translated, writing

SILENT_SECONDS = 60
"""A worker that has said nothing for so long is gone."""

_workers = sa.Table(
    "workers",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """What one worker runs: `since` when (epoch seconds), and when it was last heard of."""

    worker: str
    revision: int
    since: float
    seen_at: float


class Workers:
    """Keeps the acknowledgements of all workers that share the registry."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def acknowledge(self, worker: str, revision: int, since: float) -> None:
        """Note that `worker` runs `revision`. Raises StoreUnavailable."""
        values = {"revision": revision, "since": since, "seen_at": time()}
        with translated():
            async with writing(self._engine).begin() as connection:
                done = await connection.execute(
                    sa.update(_workers).where(_workers.c.name == worker).values(values)
                )
                if done.rowcount == 0:
                    await connection.execute(sa.insert(_workers).values(name=worker, **values))
                await connection.execute(
                    sa.delete(_workers).where(_workers.c.seen_at < time() - 10 * SILENT_SECONDS)
                )

    async def forget(self, worker: str) -> None:
        """Note that `worker` has ended. Raises StoreUnavailable."""
        with translated():
            async with writing(self._engine).begin() as connection:
                await connection.execute(sa.delete(_workers).where(_workers.c.name == worker))

    async def running(self) -> Sequence[Acknowledged]:
        """Return the workers heard of within a minute. Raises StoreUnavailable."""
        query = (
            sa.select(_workers).where(_workers.c.seen_at > time() - SILENT_SECONDS).order_by(_workers.c.name)
        )
        with translated():
            async with self._engine.connect() as connection:
                rows = (await connection.execute(query)).all()
        return [
            Acknowledged(worker=r.name, revision=r.revision, since=r.since, seen_at=r.seen_at) for r in rows
        ]
