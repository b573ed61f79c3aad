"""Exports of the ledger: records with what proves them, read in one state of the database, line by line."""

from array import array
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from registry.checkpoints import Checkpoint
from registry.errors import StoreUnavailable
from registry.ledger import Batch, inclusion_path, leaf_hash
from registry.months import bounds
from registry.proofs import ProvenRecord, Sheet, read_header
from registry.sql.checkpoints import Checkpoints, checkpoint_query
from registry.sql.database import reading, translated
from registry.sql.ledger_keys import LedgerKeys, now_us
from registry.sql.ledger_tables import batches, chains, checkpoints, records, salts, segments

_AT_ONCE = 200
MOST_EXCHANGES = 200
"""How many exchanges one export can name."""

Positions = Callable[[Batch], Sequence[int]]
"""Which of a batch's records are exported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be exported: some exchanges, final records by party and time (`until` exclusive), or a month.

    Times are microseconds. `follow` adds all checkpoints from that number on, which ties the export to an earlier
    one.
    """

    exchanges: tuple[str, ...] = ()
    consumer: str | None = None
    provider: str | None = None
    since: int | None = None
    until: int | None = None
    month: str | None = None
    follow: int | None = None

    def document(self) -> dict[str, Any]:
        """Return it as it stands in the first line: only what was given."""
        given = asdict(self) | {"exchanges": list(self.exchanges)}
        return {name: value for name, value in given.items() if value not in (None, [])}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What proves one record: the header of its batch with the signature, the path to its root, a checkpoint."""

    header: bytes
    signature: bytes
    path: Sequence[bytes]
    checkpoint: Checkpoint | None


class Proofs:
    """Proves what one node has recorded. Raises StoreUnavailable when the database is not there."""

    def __init__(
        self, engine: AsyncEngine, node_key: bytes, *, node: str, now: Callable[[], int] = now_us
    ) -> None:
        self.node = node
        self.keys = LedgerKeys(engine, node_key, node=node, now=now)
        self.checkpoints = Checkpoints(engine, self.keys)
        self._engine = engine

    async def of_record(self, slot: int, number: int, position: int) -> Proof:
        """Return the proof of one record, and the first checkpoint that its batch is in, if there is one yet."""
        with translated():
            async with reading(self._engine).connect() as connection:
                chain = await _chain_id(connection, self.node, slot)
                header, signature = (await _headers(connection, chain, [number]))[number]
                leaves = [leaf_hash(row.body) for row in await _bodies(connection, chain, [number])]
                batch = read_header(header)
                found = await _cover(connection, self.node, slot, number, batch.at)
        return Proof(
            header=header, signature=signature, path=inclusion_path(position, leaves), checkpoint=found
        )

    async def export(self, asked: Asked, *, with_salts: bool) -> AsyncIterator[bytes]:
        """Yield the lines of an export. The whole of it is covered by a checkpoint, which is taken if need be.

        Raises:
            ValueError: the month that is asked for is not over.
        """
        if asked.month is not None:
            await self._check_over(asked.month)
        latest = await self.checkpoints.covering_all()
        signer = await self.keys.signer()
        with translated():
            async with reading(self._engine).connect() as connection:
                export = _Export(connection, self.node, asked, at=self.keys.now(), with_salts=with_salts)
                async for line in export.lines(latest, await self.keys.introductions()):
                    yield line
                at = max(self.keys.now(), export.at)
                yield export.sheet.end(at, signer.key_at(at))

    async def _check_over(self, month: str) -> None:
        _, end = bounds(month)
        if self.keys.now() < end:
            raise ValueError(f"the month {month} is not over")
        latest = await self.checkpoints.latest()
        if latest is None or latest.at < end:
            await self.checkpoints.take()


class _Export:
    """One export on its way."""

    def __init__(
        self, connection: AsyncConnection, node: str, asked: Asked, *, at: int, with_salts: bool
    ) -> None:
        self.sheet = Sheet(node)
        self.at = at
        self._db = connection
        self._node = node
        self._asked = asked
        self._with_salts = with_salts
        self._covers: set[int] = set()

    async def lines(self, latest: Checkpoint, introduced: Sequence[Any]) -> AsyncIterator[bytes]:
        """Yield all lines but the last."""
        self.at = max(self.at, latest.at)
        yield self.sheet.opening(self.at, self._asked.document())
        for key in introduced:
            yield self.sheet.key(key)
        parts = self._month(self._asked.month) if self._asked.month is not None else self._matching(latest)
        async for line in parts:
            yield line
        async for line in self._checkpoints(latest):
            yield line

    # --- by exchange, party and time ----------------------------------------------------------------

    async def _matching(self, latest: Checkpoint) -> AsyncIterator[bytes]:
        for chain in latest.chains:
            id_ = await _chain_id(self._db, self._node, chain.slot)
            numbers, positions = await self._places(id_, chain.number)
            wanted = _grouped(numbers, positions)
            steps = self._steps(id_, chain.slot, wanted)
            async for line in self._batches(id_, steps, _of(wanted)):
                yield line

    async def _places(self, chain: int, most: int) -> tuple["array[int]", "array[int]"]:
        """Return batch and position of every record that is wanted, as compactly as millions of them need it."""
        numbers, positions = array("q"), array("q")
        query = (
            select(records.c.batch, records.c.position)
            .where(records.c.chain == chain, records.c.batch <= most, *_filter(self._asked))
            .order_by(records.c.batch, records.c.position)
        )
        async with self._db.stream(query.execution_options(yield_per=1000)) as found:
            async for number, position in found:
                numbers.append(number)
                positions.append(position)
        return numbers, positions

    async def _steps(
        self, chain: int, slot: int, wanted: Mapping[int, Sequence[int]]
    ) -> AsyncIterator[range]:
        """Yield the stretches of batches that lead from every wanted one to a checkpoint."""
        done, covered = 0, 0
        for number in wanted:
            if number > covered:
                # What has begun leads on to its checkpoint; then a stretch of its own begins, if need be.
                if done < covered:
                    yield range(done + 1, covered + 1)
                done = number - 1 if number > covered + 1 else covered
                covered = await self._covered(chain, slot, number)
            yield range(done + 1, number + 1)
            done = number
        if done < covered:
            yield range(done + 1, covered + 1)

    async def _covered(self, chain: int, slot: int, number: int) -> int:
        """Return the batch at which the first checkpoint stands that covers this one."""
        at = select(batches.c.at).where(batches.c.chain == chain, batches.c.number == number)
        found = await _cover(self._db, self._node, slot, number, (await self._db.execute(at)).scalar_one())
        head = found.at_slot(slot) if found else None
        if found is None or head is None:
            raise StoreUnavailable(f"no checkpoint covers batch {number} of {self._node}/{slot}")
        self._covers.add(found.number)
        return head.number

    # --- a month ------------------------------------------------------------------------------------

    async def _month(self, month: str) -> AsyncIterator[bytes]:
        """Every batch of the month with all its records; before it and behind it, headers that close it in."""
        start, end = bounds(month)
        query = checkpoint_query(self._node).where(checkpoints.c.at >= end).order_by(checkpoints.c.number)
        cover = Checkpoint.parse((await self._db.execute(query.limit(1))).one().body)
        self._covers.add(cover.number)

        def whole(batch: Batch) -> Sequence[int]:
            return range(batch.size) if start <= batch.at < end else ()

        for chain in cover.chains:
            if chain.at < start:
                continue
            id_ = await _chain_id(self._db, self._node, chain.slot)
            first = select(batches.c.number).where(batches.c.chain == id_, batches.c.at >= start)
            number = (await self._db.execute(first.order_by(batches.c.number).limit(1))).scalar_one()
            async for line in self._batches(id_, _one(range(max(number - 1, 1), chain.number + 1)), whole):
                yield line

    # --- lines --------------------------------------------------------------------------------------

    async def _batches(
        self, chain: int, steps: AsyncIterator[range], positions: Positions
    ) -> AsyncIterator[bytes]:
        async for numbers in _windows(steps):
            headers = await _headers(self._db, chain, numbers)
            chosen = {number: positions(read_header(headers[number][0])) for number in numbers}
            wanted = [number for number, some in chosen.items() if len(some)]
            bodies, kept = await self._contents(chain, wanted)
            for number in numbers:
                yield self.sheet.batch(*headers[number], chosen[number])
                for record in _proven(bodies.get(number, ()), chosen[number], kept, number):
                    yield self.sheet.record(record)

    async def _contents(
        self, chain: int, numbers: Sequence[int]
    ) -> tuple[dict[int, list[bytes]], Mapping[tuple[int, int], bytes]]:
        bodies: dict[int, list[bytes]] = {}
        for row in await _bodies(self._db, chain, numbers):
            bodies.setdefault(row.batch, []).append(row.body)
        if not self._with_salts:
            return bodies, {}
        query = select(salts).where(salts.c.chain == chain, salts.c.batch.in_(numbers))
        return bodies, {(row.batch, row.position): row.salt for row in (await self._db.execute(query)).all()}

    async def _checkpoints(self, latest: Checkpoint) -> AsyncIterator[bytes]:
        if self._asked.month is None:
            self._covers.add(latest.number)
        if self._asked.follow is not None:
            self._covers.update(range(max(self._asked.follow, 1), latest.number + 1))
        wanted = sorted(self._covers)
        for start in range(0, len(wanted), _AT_ONCE):
            query = checkpoint_query(self._node).where(
                checkpoints.c.number.in_(wanted[start : start + _AT_ONCE])
            )
            for row in (await self._db.execute(query.order_by(checkpoints.c.number))).all():
                yield self.sheet.checkpoint(row.body, row.signature)


# --- reading --------------------------------------------------------------------------------------------


def _filter(asked: Asked) -> Iterator[ColumnElement[bool]]:
    if asked.exchanges:
        yield records.c.exchange.in_(asked.exchanges)
    else:
        yield records.c.kind == "final"
    for name in ("consumer", "provider"):
        if (value := getattr(asked, name)) is not None:
            yield records.c[name] == value
    if asked.since is not None:
        yield records.c.at >= asked.since
    if asked.until is not None:
        yield records.c.at < asked.until


async def _chain_id(connection: AsyncConnection, node: str, slot: int) -> int:
    query = select(chains.c.id).where(chains.c.node == node, chains.c.slot == slot)
    return int((await connection.execute(query)).scalar_one())


async def _cover(
    connection: AsyncConnection, node: str, slot: int, number: int, at: int
) -> Checkpoint | None:
    """Return the first checkpoint that lists the chain at this batch or later."""
    # A checkpoint is never dated before the batches that it covers, so the search begins close to it.
    query = checkpoint_query(node).where(checkpoints.c.at >= at).order_by(checkpoints.c.number)
    async with connection.stream(query.execution_options(yield_per=4)) as found:
        async for row in found:
            checkpoint = Checkpoint.parse(row.body)
            head = checkpoint.at_slot(slot)
            if head is not None and head.number >= number:
                return checkpoint
    return None


async def _headers(
    connection: AsyncConnection, chain: int, numbers: Sequence[int]
) -> dict[int, tuple[bytes, bytes]]:
    """Return the headers of batches with their signatures; the last one of a dropped month is still there."""
    node, slot = (
        await connection.execute(select(chains.c.node, chains.c.slot).where(chains.c.id == chain))
    ).one()
    query = select(batches).where(batches.c.chain == chain, batches.c.number.in_(numbers))
    found = {
        row.number: (_header(node, slot, row), row.signature)
        for row in (await connection.execute(query)).all()
    }
    if len(found) < len(numbers):
        dropped = select(segments).where(segments.c.chain == chain, segments.c.last.in_(numbers))
        for row in (await connection.execute(dropped)).all():
            found[row.last] = row.header, row.header_signature
    return found


def _header(node: str, slot: int, row: Row[Any]) -> bytes:
    return Batch(
        node=node,
        slot=slot,
        epoch=row.epoch,
        number=row.number,
        size=row.size,
        root=row.root,
        previous=row.previous,
        at=row.at,
        key=row.key,
    ).header()


async def _bodies(connection: AsyncConnection, chain: int, numbers: Sequence[int]) -> Sequence[Row[Any]]:
    query: Select[Any] = (
        select(records.c.batch, records.c.body)
        .where(records.c.chain == chain, records.c.batch.in_(numbers))
        .order_by(records.c.batch, records.c.position)
    )
    rows: Sequence[Row[Any]] = (await connection.execute(query)).all() if numbers else ()
    return rows


def _grouped(numbers: "array[int]", positions: "array[int]") -> dict[int, Sequence[int]]:
    pairs = groupby(zip(numbers, positions, strict=True), key=lambda pair: pair[0])
    return {number: array("q", (position for _, position in some)) for number, some in pairs}


def _of(wanted: Mapping[int, Sequence[int]]) -> Positions:
    return lambda batch: wanted.get(batch.number, ())


def _proven(
    bodies: Sequence[bytes],
    chosen: Sequence[int],
    kept: Mapping[tuple[int, int], bytes],
    number: int,
) -> Iterator[ProvenRecord]:
    leaves = [leaf_hash(body) for body in bodies] if 0 < len(chosen) < len(bodies) else []
    for position in chosen:
        yield ProvenRecord(
            body=bodies[position],
            position=position,
            path=inclusion_path(position, leaves) if leaves else (),
            salt=kept.get((number, position), b""),
        )


async def _windows(steps: AsyncIterator[range]) -> AsyncIterator[list[int]]:
    window: list[int] = []
    async for step in steps:
        for number in step:
            window.append(number)
            if len(window) == _AT_ONCE:
                yield window
                window = []
    if window:
        yield window


async def _one(numbers: range) -> AsyncIterator[range]:
    yield numbers
