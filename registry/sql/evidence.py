"""Reads the ledger: evidence by exchange, searches, and the proof that the chains hold."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from registry.chains import row_of
from registry.errors import ChainBroken, Flaw, Invalid, NotFound
from registry.evidence import Outcome, Record
from registry.ledger import FIRST_HEAD, Batch, check_batch, decode
from registry.segments import check_segments
from registry.signing import KeyList, check_signed
from registry.sql.checkpoints import verify_checkpoints
from registry.sql.database import reading, translated
from registry.sql.ledger_keys import key_list
from registry.sql.ledger_tables import batches, chains, records, salts, usage
from registry.sql.segments import dropped_months
from registry.usage import HOUR_SECONDS

_HOUR_US = HOUR_SECONDS * 1_000_000
_FOREVER_US = 1 << 62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_HOURS = 24
_BATCHES_AT_ONCE = 100
_REPEATED = ("kind", "exchange", "at", "consumer", "provider", "service", "outcome", "subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One record as kept: its canonical bytes, and its place in a chain."""

    record: Record
    body: bytes
    node: str
    slot: int
    batch: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePage:
    """Final records, the newest first; `next` is an opaque cursor, None on the last page."""

    items: Sequence[Evidence]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was checked and found whole."""

    chains: int = 0
    batches: int = 0
    records: int = 0
    checkpoints: int = 0
    dropped: int = 0
    """Batches of months that were archived and dropped: a signed statement and the next head vouch for them."""


class EvidenceReader:
    """Reads evidence. Raises StoreUnavailable when the database is not there."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, exchange: str) -> Sequence[Evidence]:
        """Return all records of an exchange in the order in which they were written, the final one last.

        Raises:
            NotFound: there is none.
        """
        query = _EVIDENCE.where(records.c.exchange == exchange)
        query = query.order_by(records.c.at, records.c.batch, records.c.position)
        with translated():
            async with self._engine.connect() as connection:
                found = (await connection.execute(query)).all()
        if not found:
            raise NotFound("exchange", exchange)
        return [_evidence(row) for row in found]

    async def salt(self, evidence: Evidence) -> bytes | None:
        """Return the salt of a record's commitments, None if it has none or it was destroyed.

        Only for the exchange's parties: whoever knows it can test guesses about the bodies.
        """
        query = (
            select(salts.c.salt)
            .join(chains, chains.c.id == salts.c.chain)
            .where(chains.c.node == evidence.node, chains.c.slot == evidence.slot)
            .where(salts.c.batch == evidence.batch, salts.c.position == evidence.position)
        )
        with translated():
            async with self._engine.connect() as connection:
                return (await connection.execute(query)).scalar()

    async def search(
        self,
        *,
        consumer: str | None = None,
        provider: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> EvidencePage:
        """Return final records of a time (`until` is exclusive), the newest first. Raises Invalid for a bad cursor."""
        wanted = _wanted(consumer, provider, outcome)
        before = _parse_cursor(cursor)
        low, high = _microseconds(since, 0), _microseconds(until, _FOREVER_US)
        found: list[Any] = []  # Any: rows of _EVIDENCE
        with translated():
            async with reading(self._engine).connect() as connection:
                async for start, end in _ranges(connection, wanted, low, min(high, before[0] + 1)):
                    query = _FINAL.where(
                        records.c.at >= start, records.c.at < end, *_matching(records, wanted)
                    )
                    query = query.where(tuple_(records.c.at, records.c.exchange) < tuple_(*before))
                    found += (await connection.execute(query.limit(limit + 1 - len(found)))).all()
                    if len(found) > limit:
                        break
        items = [_evidence(row) for row in found[:limit]]
        more = len(found) > limit and items
        return EvidencePage(items=items, next=_cursor(items[-1].record) if more else None)

    async def count(
        self,
        *,
        consumer: str | None = None,
        provider: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """Return how many final records there are, counted from the records themselves and not from usage."""
        query = select(func.count()).where(
            records.c.kind == "final",
            records.c.at >= _microseconds(since, 0),
            records.c.at < _microseconds(until, _FOREVER_US),
            *_matching(records, _wanted(consumer, provider, outcome)),
        )
        with translated():
            async with self._engine.connect() as connection:
                return int((await connection.execute(query)).scalar_one())

    async def verify(self) -> Verified:
        """Check every chain from its first batch to its head, every checkpoint, and every signature.

        Raises:
            ChainBroken: something was changed, dropped, inserted or put in another order; the text says where.
        """
        total = Verified()
        with translated():
            async with reading(self._engine).connect() as connection:
                for chain in (await connection.execute(select(chains).order_by(chains.c.id))).all():
                    found = await _verify_chain(connection, chain, await key_list(connection, chain.node))
                    total = Verified(
                        chains=total.chains + 1,
                        batches=total.batches + found.batches,
                        records=total.records + found.records,
                        dropped=total.dropped + found.dropped,
                    )
                seen = await verify_checkpoints(connection)
        return replace(total, checkpoints=seen)


_EVIDENCE = select(
    records.c.body, records.c.batch, records.c.position, chains.c.node, chains.c.slot
).select_from(records.join(chains, chains.c.id == records.c.chain))
_FINAL = _EVIDENCE.where(records.c.kind == "final").order_by(records.c.at.desc(), records.c.exchange.desc())


def _evidence(row: Any) -> Evidence:  # Any: a row of _EVIDENCE
    return Evidence(
        record=decode(row.body),
        body=row.body,
        node=row.node,
        slot=row.slot,
        batch=row.batch,
        position=row.position,
    )


# --- searching ------------------------------------------------------------------------------------------


def _wanted(consumer: str | None, provider: str | None, outcome: str | None) -> dict[str, str]:
    given = {"consumer": consumer, "provider": provider, "outcome": outcome and str(Outcome(outcome))}
    return {name: value for name, value in given.items() if value is not None}


def _matching(table: Table, wanted: Mapping[str, str]) -> list[ColumnElement[bool]]:
    return [table.c[name] == value for name, value in wanted.items()]


async def _ranges(
    connection: AsyncConnection, wanted: Mapping[str, str], low: int, high: int
) -> AsyncIterator[tuple[int, int]]:
    """Yield, from the newest, the times in which something that is wanted can lie.

    Usage says in which hours a consumer or a provider had exchanges; it is written with the records and counts
    them by the same time, so nothing is missed, and a rare consumer's records are found without an index.
    """
    if not wanted:
        yield low, high
        return
    bounds = (await connection.execute(select(func.min(usage.c.hour), func.max(usage.c.hour)))).one()
    if bounds[0] is None:
        return
    first = max(bounds[0], low // _HOUR_US * HOUR_SECONDS)
    end, hours = min(bounds[1] + HOUR_SECONDS, -(-high // _HOUR_US) * HOUR_SECONDS), _DAY_HOURS
    while end > first:
        start = max(first, end - hours * HOUR_SECONDS)
        query = select(usage.c.hour).distinct().where(usage.c.hour >= start, usage.c.hour < end)
        query = query.where(*_matching(usage, wanted))
        for (hour,) in (await connection.execute(query.order_by(usage.c.hour.desc()))).all():
            yield max(low, hour * 1_000_000), min(high, (hour + HOUR_SECONDS) * 1_000_000)
        end, hours = start, hours * 2


def _microseconds(instant: datetime | None, otherwise: int) -> int:
    return otherwise if instant is None else (instant - _EPOCH) // timedelta(microseconds=1)


def _cursor(record: Record) -> str:
    return f"{record.at}.{record.exchange}"


def _parse_cursor(cursor: str | None) -> tuple[int, str]:
    if cursor is None:
        return _FOREVER_US, ""
    at, _, exchange = cursor.partition(".")
    if not (at.isascii() and at.isdigit() and exchange) or int(at) >= _FOREVER_US:
        raise Invalid([Flaw("/cursor", "cursor", "this is not a cursor that a search has given")])
    return int(at), exchange


# --- verifying ------------------------------------------------------------------------------------------


async def _verify_chain(connection: AsyncConnection, chain: Row[Any], keys: KeyList) -> Verified:
    last, total = await _dropped(connection, chain, keys), 0
    dropped = last.number if last else 0
    query = select(batches).where(batches.c.chain == chain.id).order_by(batches.c.number)
    while rows := (
        await connection.execute(
            query.where(batches.c.number > (last.number if last else 0)).limit(_BATCHES_AT_ONCE)
        )
    ).all():
        bodies = await _bodies(connection, chain.id, rows[0].number, rows[-1].number)
        for row in rows:
            batch = _batch(chain, row)
            check_batch(batch, bodies.get(row.number, ()), after=last)
            check_signed(keys, batch, row.signature, after=last)
            last, total = batch, total + batch.size
    if (chain.number, chain.head) != ((last.number, last.head) if last else (0, FIRST_HEAD)):
        raise ChainBroken(f"chain {chain.node}/{chain.slot} ends elsewhere than at its head")
    held = select(func.count()).where(records.c.chain == chain.id, records.c.batch > dropped)
    if (await connection.execute(held)).scalar_one() != total:
        raise ChainBroken(f"chain {chain.node}/{chain.slot} holds records that are in no batch")
    return Verified(chains=1, batches=chain.number - dropped, records=total, dropped=dropped)


async def _dropped(connection: AsyncConnection, chain: Row[Any], keys: KeyList) -> Batch | None:
    """Return the last batch that was archived and dropped: there the rest of the chain begins."""
    try:
        months = await dropped_months(connection, chain.id)
    except ValueError as error:
        raise ChainBroken(f"a dropped month of {chain.node}/{chain.slot}: {error}") from error
    return check_segments(months, keys)


def _batch(chain: Row[Any], row: Row[Any]) -> Batch:
    batch = Batch(
        node=chain.node,
        slot=chain.slot,
        epoch=row.epoch,
        number=row.number,
        size=row.size,
        root=row.root,
        previous=row.previous,
        at=row.at,
        key=row.key,
    )
    if batch.head != row.head:
        raise ChainBroken(f"batch {row.number} of {chain.node}/{chain.slot}: its head differs")
    return batch


async def _bodies(connection: AsyncConnection, chain: int, first: int, last: int) -> dict[int, list[bytes]]:
    query = (
        select(records)
        .where(records.c.chain == chain, records.c.batch >= first, records.c.batch <= last)
        .order_by(records.c.batch, records.c.position)
    )
    found: dict[int, list[bytes]] = {}
    for row in (await connection.execute(query)).all():
        bodies = found.setdefault(row.batch, [])
        _check_row(row, len(bodies))
        bodies.append(row.body)
    return found


def _check_row(row: Row[Any], position: int) -> None:
    try:
        told = row_of(decode(row.body))
    except ValueError as error:
        raise ChainBroken(f"record {row.position} of batch {row.batch}: {error}") from error
    if row.position != position or any(getattr(row, name) != getattr(told, name) for name in _REPEATED):
        raise ChainBroken(f"record {row.position} of batch {row.batch}: its columns differ from what it says")
