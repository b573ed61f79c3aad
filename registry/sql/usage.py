"""Reads usage, and recomputes it from the evidence."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Table, case, cast, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from registry.errors import Flaw, Invalid
from registry.ledger import decode
from registry.sql.database import reading, translated, writing
from registry.sql.ledger_tables import archived_usage, chains, records, segments, usage
from registry.usage import (
    HOUR_SECONDS,
    QUOTA_OUTCOMES,
    VALUE_NAMES,
    Success,
    Totals,
    UsageKey,
    add,
    counted,
    hours_of,
)

_DAY_SECONDS = 24 * HOUR_SECONDS
# Vietnam has had one offset since 1975 and no summer time, so that days can be told apart in SQL.
_OFFSET_SECONDS = 7 * HOUR_SECONDS
_EPOCH = date(1970, 1, 1)
_DAY: ColumnElement[int] = (usage.c.hour + _OFFSET_SECONDS) // _DAY_SECONDS
_FIRST_BUCKET = 3

GROUPS = (*UsageKey._fields, "day", "month")
"""What usage can be summed over: `hour` in UTC, `day` and `month` in Asia/Ho_Chi_Minh."""
FILTERS = UsageKey._fields[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild found: how many records it counted, and which rows of usage it had to put right."""

    records: int
    corrected: int


class UsageReader:
    """Reads usage, chains summed. Raises StoreUnavailable when the database is not there."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def totals(
        self,
        *,
        group_by: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        filters: Mapping[str, str | bool | Sequence[str]] | None = None,
    ) -> Sequence[Totals]:
        """Return sums over GROUPS, in the order of the groups' values.

        Usage is kept by the hour: a time counts with the hours that begin in it. Without groups there is one
        sum, also of nothing. Raises Invalid for an unknown group or filter.
        """
        _check_names(group_by, GROUPS, "/group_by")
        _check_names(filters or (), FILTERS, "/filters")
        groups = [_DAY if name in {"day", "month"} else usage.c[name] for name in group_by]
        where = [*_between(since, until), *_matching(filters or {})]
        rows = await self._sums(groups, where)
        return _merged(group_by, rows)

    async def day_counts(
        self, grants: Iterable[str], day: date, *, node: str, slot: int
    ) -> dict[str, tuple[int, int]]:
        """Return what each of these grants has used of its daily quota: in the chain of this slot, and in others."""
        counts = dict.fromkeys(grants, (0, 0))
        first, after = hours_of(day)
        chain = select(chains.c.id).where(chains.c.node == node, chains.c.slot == slot).scalar_subquery()
        own = func.coalesce(chain, -1)
        query = (
            select(
                usage.c.grant,
                func.sum(case((usage.c.chain == own, usage.c["count"]), else_=0)),
                func.sum(case((usage.c.chain != own, usage.c["count"]), else_=0)),
            )
            .where(usage.c.hour >= first, usage.c.hour < after, usage.c.outcome.in_(sorted(QUOTA_OUTCOMES)))
            .group_by(usage.c.grant)
        )
        with translated():
            async with self._engine.connect() as connection:
                for grant, ours, others in (await connection.execute(query)).all():
                    if grant in counts:
                        counts[grant] = (int(ours), int(others))
        return counts

    async def successes(self, first: date, last: date) -> Sequence[Success]:
        """Return the successes of these days (both included) that can prove a connection."""
        groups = [_DAY, *(usage.c[name] for name in _SUCCESS)]
        where = [
            usage.c.hour >= hours_of(first)[0],
            usage.c.hour < hours_of(last)[1],
            usage.c.outcome == "success",
            usage.c.counts.is_(True),
            usage.c.national_database != "",
        ]
        query = select(*groups, _sum("count")).where(*where).group_by(*groups)
        with translated():
            async with self._engine.connect() as connection:
                rows = (await connection.execute(query)).all()
        return [
            Success(day=_date(row[0]), count=int(row[-1]), **dict(zip(_SUCCESS, row[1:-1], strict=True)))
            for row in rows
        ]

    async def rebuild(self) -> Rebuilt:
        """Count all evidence again and put usage right where it differs; a live node may go on writing.

        What months that were archived and dropped counted for is remembered, and added.

        Records and usage are compared in one state of the database, and only differences are added.
        """
        with translated():
            async with reading(self._engine).connect() as connection:
                told, total = await _from_records(connection)
                kept = await _from_usage(connection)
            differences = _differences(told, kept)
            if differences:
                async with writing(self._engine).begin() as connection:
                    await _correct(connection, differences)
        return Rebuilt(records=total, corrected=len(differences))

    async def _sums(
        self, groups: Sequence[ColumnElement[Any]], where: Sequence[ColumnElement[bool]]
    ) -> Sequence[Sequence[Any]]:
        query = select(*groups, *(_sum(name) for name in VALUE_NAMES)).where(*where)
        if groups:
            query = query.group_by(*groups).order_by(*groups)
        with translated():
            async with self._engine.connect() as connection:
                return (await connection.execute(query)).all()


_SUCCESS = ("environment", "consumer", "provider", "national_database", "mode")


def _sum(name: str) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(usage.c[name]), 0), BigInteger)


def _between(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    bounds = []
    if since is not None:
        bounds.append(usage.c.hour >= int(since.timestamp()))
    if until is not None:
        bounds.append(usage.c.hour < int(until.timestamp()))
    return bounds


def _matching(filters: Mapping[str, str | bool | Sequence[str]]) -> list[ColumnElement[bool]]:
    return [
        usage.c[name] == value if isinstance(value, (str, bool)) else usage.c[name].in_(value)
        for name, value in filters.items()
    ]


def _check_names(given: Iterable[str], known: Sequence[str], pointer: str) -> None:
    flaws = [
        Flaw(pointer, "unknown", f"{name!r} is not one of {', '.join(known)}")
        for name in given
        if name not in known
    ]
    if flaws:
        raise Invalid(flaws)


def _date(number: int) -> date:
    return _EPOCH + timedelta(days=int(number))


_SHOWN: dict[str, Callable[[Any], Any]] = {
    "hour": lambda hour: datetime.fromtimestamp(hour, UTC),
    "day": _date,
    "month": lambda number: f"{_date(number):%Y-%m}",
    "counts": bool,
}


def _merged(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Totals]:
    """Turn rows into totals; days of one month become one."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        group = tuple(
            _SHOWN.get(name, str)(value) for name, value in zip(names, row[: len(names)], strict=True)
        )
        values = sums.setdefault(group, [0] * len(VALUE_NAMES))
        for i, value in enumerate(row[len(names) :]):
            values[i] += int(value)
    return [
        Totals(
            group=dict(zip(names, group, strict=True)),
            count=values[0],
            request_bytes=values[1],
            reply_bytes=values[2],
            latency=tuple(values[_FIRST_BUCKET:]),
        )
        for group, values in sums.items()
    ]


# --- rebuilding -----------------------------------------------------------------------------------------

_Usage = dict[tuple[int, UsageKey], list[int]]
_NOTHING = [0] * len(VALUE_NAMES)


async def _from_records(connection: AsyncConnection) -> tuple[_Usage, int]:
    told: _Usage = {}
    total = 0
    for chain in (await connection.execute(select(chains.c.id).order_by(chains.c.id))).scalars().all():
        totals: dict[UsageKey, list[int]] = {}
        dropped = select(func.coalesce(func.max(segments.c.last), 0)).where(segments.c.chain == chain)
        bodies = select(records.c.body).where(
            records.c.chain == chain, records.c.kind == "final", records.c.batch > dropped.scalar_subquery()
        )
        async with connection.stream(bodies.execution_options(yield_per=1000)) as found:
            async for (body,) in found:
                add(totals, [counted(decode(body))])
                total += 1
        told.update(((chain, key), values) for key, values in totals.items())
    for place, values in (await _from_usage(connection, archived_usage)).items():
        told[place] = [a + b for a, b in zip(told.get(place, _NOTHING), values, strict=True)]
    return told, total


async def _from_usage(connection: AsyncConnection, table: Table = usage) -> _Usage:
    columns = [
        table.c.chain,
        *(table.c[name] for name in UsageKey._fields),
        *(table.c[n] for n in VALUE_NAMES),
    ]
    rows = (await connection.execute(select(*columns))).all()
    after = 1 + len(UsageKey._fields)
    return {(row[0], UsageKey(*row[1:after])): list(row[after:]) for row in rows}


def _differences(told: _Usage, kept: _Usage) -> _Usage:
    found = {
        place: [a - b for a, b in zip(told.get(place, _NOTHING), kept.get(place, _NOTHING), strict=True)]
        for place in told.keys() | kept.keys()
    }
    return {place: values for place, values in sorted(found.items()) if any(values)}


async def _correct(connection: AsyncConnection, differences: _Usage) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for (chain, key), values in differences.items():
        row = {"chain": chain, **key._asdict(), **dict(zip(VALUE_NAMES, values, strict=True))}
        statement = insert(usage).values(row)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=list(usage.primary_key),
                set_={name: usage.c[name] + statement.excluded[name] for name in VALUE_NAMES},
            )
        )
    await connection.execute(delete(usage).where(usage.c.count == 0))
