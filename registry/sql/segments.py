"""Months that are over: archived to a signed file, then dropped, while heads, totals and usage stay."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from registry.errors import WrongState
from registry.evidence import Record
from registry.ledger import Batch
from registry.months import bounds
from registry.proofs import read_header
from registry.segments import DroppedMonth, Segment
from registry.signing import SealingKey
from registry.sql.database import translated, writing
from registry.sql.ledger_keys import LedgerKeys
from registry.sql.ledger_tables import archived_usage, batches, chains, opens, records, salts, segments
from registry.usage import VALUE_NAMES, UsageKey, add, counted
from registry.verification import Held, Report, Verifier

_AT_ONCE = 500


@dataclass(slots=True, kw_only=True)
class _Part:
    """What an archive holds of one chain."""

    first: Batch
    last: Batch
    records: int = 0
    usage: dict[UsageKey, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What was dropped."""

    chains: int
    batches: int
    records: int


class Archive:
    """An archive file that was read and proves itself: a whole month of one node."""

    def __init__(self, file: Path, month: str, *, now: int) -> None:
        self.month = month
        self.report, self.sha256 = _read(file, now)
        if not self.report.holds:
            raise WrongState(f"the file does not prove itself: {self.report.flaws[0].what}")
        opening = self.report.opening
        if opening is None or dict(opening.asked) != {"month": month}:
            raise WrongState(f"the file is not the archive of {month}")
        self.node = opening.node

    def parts(self) -> dict[int, _Part]:
        """Return what it holds of each chain, by slot."""
        start, end = bounds(self.month)
        found: dict[int, _Part] = {}
        for (slot, _), batch in sorted(self.report.batches.items()):
            if start <= batch.at < end:
                found.setdefault(slot, _Part(first=batch, last=batch)).last = batch
        for held in self.report.records:
            _count(found[held.slot], held)
        return found


def _read(file: Path, now: int) -> tuple[Report, bytes]:
    verifier, digest = Verifier(now=now), sha256()
    with file.open("rb") as lines:
        for line in lines:
            verifier.take(line)
            digest.update(line)
    return verifier.finish(), digest.digest()


def sha256_of(file: Path) -> bytes:
    """Return the hash by which the ledger knows an archive file."""
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").digest()


def _count(part: _Part, held: Held) -> None:
    part.records += 1
    record: Record = held.record
    if record.kind == "final":
        add(part.usage, [counted(record)])


class Segments:
    """The months of one node's ledger that were dropped. Raises StoreUnavailable when the database is not there."""

    def __init__(self, engine: AsyncEngine, keys: LedgerKeys) -> None:
        self._engine = engine
        self._keys = keys

    async def drop(self, archive: Archive) -> Dropped:
        """Drop the records and batches that the archive holds; safe to repeat when it was broken off.

        Raises:
            WrongState: the archive is not of this ledger, or an earlier month or an open exchange is in the way.
        """
        mine = [each.statement.id for each in await self._keys.introductions()]
        theirs = [statement.id for statement in archive.report.keys.statements]
        if archive.node != self._keys.node or mine[: len(theirs)] != theirs:
            raise WrongState("the archive is not one of this node's ledger")
        signer, parts = await self._keys.signer(), archive.parts()
        with translated():
            for slot, part in parts.items():
                async with writing(self._engine).begin() as connection:
                    chain = await self._chain(connection, slot)
                    await self._state(connection, chain, archive, part, signer.key_at(self._keys.now()))
                # The rest in small steps, so that the writer never waits long.
                await self._delete(chain, part.last.number)
        return Dropped(
            chains=len(parts),
            batches=sum(part.last.number - part.first.number + 1 for part in parts.values()),
            records=sum(part.records for part in parts.values()),
        )

    async def _chain(self, connection: AsyncConnection, slot: int) -> int:
        query = select(chains.c.id).where(chains.c.node == self._keys.node, chains.c.slot == slot)
        return int((await connection.execute(query)).scalar_one())

    async def _state(
        self, connection: AsyncConnection, chain: int, archive: Archive, part: _Part, key: SealingKey
    ) -> None:
        """Write down what is going to be dropped, once."""
        known = segments.c.chain == chain, segments.c.first == part.first.number
        if (await connection.execute(select(segments.c.last).where(*known))).scalar() == part.last.number:
            return
        await _check_droppable(connection, chain, part)
        first, last = part.first, part.last
        query = select(batches.c.signature).where(batches.c.chain == chain, batches.c.number == last.number)
        segment = Segment(
            node=archive.node,
            slot=first.slot,
            month=archive.month,
            first=first.number,
            last=last.number,
            previous=first.previous,
            head=last.head,
            batches=last.number - first.number + 1,
            records=part.records,
            archive=archive.sha256,
            at=max(self._keys.now(), key.statement.start),
            key=key.id,
        )
        body = segment.body()
        row = {
            "chain": chain,
            "first": first.number,
            "last": last.number,
            "month": archive.month,
            "body": body,
        }
        signed = {
            "signature": key.sign(body),
            "header": last.header(),
            "header_signature": (await connection.execute(query)).scalar_one(),
        }
        await connection.execute(insert(segments).values(row | signed))
        await _keep_usage(connection, chain, part)

    async def _delete(self, chain: int, last: int) -> None:
        lowest = select(func.min(batches.c.number)).where(batches.c.chain == chain)
        while True:
            async with writing(self._engine).begin() as connection:
                start = (await connection.execute(lowest)).scalar()
                if start is None or start > last:
                    return
                until = min(start + _AT_ONCE, last + 1)
                for table in (salts, records):
                    await connection.execute(
                        delete(table).where(table.c.chain == chain, table.c.batch < until)
                    )
                await connection.execute(
                    delete(batches).where(batches.c.chain == chain, batches.c.number < until)
                )


async def _check_droppable(connection: AsyncConnection, chain: int, part: _Part) -> None:
    lowest = await connection.execute(select(func.min(batches.c.number)).where(batches.c.chain == chain))
    if lowest.scalar() != part.first.number:
        raise WrongState("an earlier month is to be dropped first")
    heads = select(batches.c.number, batches.c.head).where(
        batches.c.chain == chain, batches.c.number.in_([part.first.number, part.last.number])
    )
    found = {row.number: row.head for row in (await connection.execute(heads)).all()}
    if found != {batch.number: batch.head for batch in (part.first, part.last)}:
        raise WrongState("the archive says something else than the ledger")
    held = select(func.count()).where(opens.c.chain == chain, opens.c.batch <= part.last.number)
    if (await connection.execute(held)).scalar_one():
        raise WrongState("an exchange that was opened then has not ended yet")


async def _keep_usage(connection: AsyncConnection, chain: int, part: _Part) -> None:
    """Remember what the records counted for; several months of one hour are added up."""
    for key, values in part.usage.items():
        where = [archived_usage.c[name] == value for name, value in key._asdict().items()]
        where.append(archived_usage.c.chain == chain)
        before = (
            await connection.execute(select(*(archived_usage.c[n] for n in VALUE_NAMES)).where(*where))
        ).one_or_none()
        if before is not None:
            await connection.execute(delete(archived_usage).where(*where))
            values = [a + b for a, b in zip(values, before, strict=True)]  # noqa: PLW2901  (the sum of both)
        row = {"chain": chain, **key._asdict(), **dict(zip(VALUE_NAMES, values, strict=True))}
        await connection.execute(insert(archived_usage).values(row))


async def archives(engine: AsyncEngine, node: str) -> dict[bytes, Segment]:
    """Return by its SHA-256 which archive file holds what was dropped (one of its chains)."""
    query = select(segments.c.body).join(chains, chains.c.id == segments.c.chain).where(chains.c.node == node)
    with translated():
        async with engine.connect() as connection:
            found = [Segment.parse(body) for body in (await connection.execute(query)).scalars().all()]
    return {segment.archive: segment for segment in found}


async def dropped_months(connection: AsyncConnection, chain: int) -> Sequence[DroppedMonth]:
    """Return what is kept of a chain's dropped months, unchecked, the first one first. Raises ValueError."""
    query = select(segments).where(segments.c.chain == chain).order_by(segments.c.first)
    return list(_dropped((await connection.execute(query)).all()))


def _dropped(rows: Sequence[Any]) -> Iterator[DroppedMonth]:  # Any: rows of `segments`
    for row in rows:
        yield DroppedMonth(
            segment=Segment.parse(row.body),
            signature=row.signature,
            last=read_header(row.header),
            last_signature=row.header_signature,
        )
