"""Keeps how often messages broke contracts, by day: places and rules, never values. All workers add to the same counts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from registry.sql.database import translated, writing
from registry.sql.tables import Key
from registry.violations import Count, ViolationKey

KEEP_DAYS: Final = 92
ROWS_AT_ONCE: Final = 200
"""So many rows in one statement: SQLite takes 32,766 values, PostgreSQL's driver 32,767."""
_EPOCH: Final = date(1970, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)

_violations = sa.Table(
    "violations",
    sa.MetaData(),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    *(sa.Column(name, Key, primary_key=True) for name in ViolationKey._fields),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("first_at", sa.BigInteger, nullable=False),
    sa.Column("last_at", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViolationSum:
    """How often one thing was wrong within some days, and when first and last."""

    key: ViolationKey
    count: int
    first_at: datetime
    last_at: datetime


class ViolationStore:
    """Adds and sums counts of violations. Raises StoreUnavailable when the database is not there."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, day: date, counts: Mapping[ViolationKey, Count]) -> None:
        """Add counts to those of a day; what is older than KEEP_DAYS is forgotten."""
        number = (day - _EPOCH).days
        rows = [
            {
                "day": number, **key._asdict(), "count": count.count,
                "first_at": _microseconds(count.first), "last_at": _microseconds(count.last),
            }
            for key, count in sorted(counts.items())
        ]  # fmt: skip
        if not rows:
            return
        with translated():
            async with writing(self._engine).begin() as connection:
                for start in range(0, len(rows), ROWS_AT_ONCE):
                    await connection.execute(
                        _upsert(connection.dialect.name, rows[start : start + ROWS_AT_ONCE])
                    )
                await connection.execute(sa.delete(_violations).where(_violations.c.day < number - KEEP_DAYS))

    async def sums(
        self,
        service: str,
        *,
        since: date,
        consumers: Collection[str] | None = None,
        filters: Mapping[str, str] | None = None,
        limit: int = 200,
    ) -> tuple[Sequence[ViolationSum], int]:
        """Return what was wrong since a day, the most frequent first, and how many such sums there are.

        With `consumers`, only in their messages.
        """
        table = _violations.c
        where = [table.service == service, table.day >= (since - _EPOCH).days]
        where += [table[name] == value for name, value in (filters or {}).items()]
        if consumers is not None:
            where.append(table.consumer.in_(sorted(consumers)))
        names = [table[name] for name in ViolationKey._fields]
        total = sa.func.sum(table["count"])
        query = sa.select(*names, total, sa.func.min(table.first_at), sa.func.max(table.last_at))
        query = query.where(*where).group_by(*names)
        counted = sa.select(sa.func.count()).select_from(query.subquery())
        with translated():
            async with self._engine.connect() as connection:
                rows = (await connection.execute(query.order_by(total.desc(), *names).limit(limit))).all()
                known = (await connection.execute(counted)).scalar_one()
        return [_sum(row) for row in rows], int(known)


def _upsert(dialect: str, rows: Sequence[Mapping[str, Any]]) -> Any:  # Any: either dialect's own insert
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(_violations).values(rows)
    table, new = _violations.c, statement.excluded
    return statement.on_conflict_do_update(
        index_elements=list(_violations.primary_key),
        set_={
            "count": table["count"] + new["count"],
            "first_at": sa.case((new.first_at < table.first_at, new.first_at), else_=table.first_at),
            "last_at": sa.case((new.last_at > table.last_at, new.last_at), else_=table.last_at),
        },
    )


def _sum(row: Sequence[Any]) -> ViolationSum:  # Any: a row of the database
    key, (count, first, last) = row[: len(ViolationKey._fields)], row[len(ViolationKey._fields) :]
    return ViolationSum(
        key=ViolationKey(*key), count=int(count), first_at=_moment(first), last_at=_moment(last)
    )


def _microseconds(seconds: float) -> int:
    return int(seconds * 1_000_000)


def _moment(microseconds: int) -> datetime:
    return _START + int(microseconds) * _MICROSECOND
