"""Where checkpoints are kept, and how exactly one of several workers takes the next one."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, Select, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from registry.checkpoints import ChainHead, Checkpoint, check_checkpoint
from registry.errors import ChainBroken, StoreUnavailable
from registry.ledger import FIRST_HEAD
from registry.signing import KeyList
from registry.sql.database import translated, writing
from registry.sql.ledger_keys import LedgerKeys, key_list
from registry.sql.ledger_tables import batches, chains, checkpoints

MINUTE_US = 60_000_000
_AT_ONCE = 200

IsDue = Callable[[Checkpoint | None, Sequence[ChainHead]], bool]
"""Given the newest checkpoint and where the chains stand."""


class Checkpoints:
    """The checkpoints of one node. Raises StoreUnavailable when the database is not there."""

    def __init__(self, engine: AsyncEngine, keys: LedgerKeys) -> None:
        self.node = keys.node
        self._engine = engine
        self._keys = keys
        digest = sha256(f"lgsp/checkpoint/{self.node}".encode()).digest()
        self._lock = int.from_bytes(digest[:8], signed=True)

    async def latest(self) -> Checkpoint | None:
        """Return the newest one."""
        with translated():
            async with self._engine.connect() as connection:
                return await self._latest(connection)

    async def take_when_due(self) -> Checkpoint | None:
        """Take the next one when the newest is a minute old. Of several workers at once exactly one does."""
        latest = await self.latest()
        if latest is not None and self._keys.now() - latest.at < MINUTE_US:
            return None
        return await self._take(lambda newest, _: newest is None or self._keys.now() - newest.at >= MINUTE_US)

    async def take(self) -> Checkpoint | None:
        """Take the next one, whatever the time."""
        return await self._take(lambda newest, heads: True)

    async def covering_all(self) -> Checkpoint:
        """Return a checkpoint that lists every chain where it stands now or later; take one if need be."""
        taken = await self._take(lambda newest, heads: newest is None or _stood(newest) != _stood_in(heads))
        latest = taken or await self.latest()
        if latest is None:
            raise StoreUnavailable("the ledger's checkpoints are gone")
        return latest

    async def _take(self, is_due: IsDue) -> Checkpoint | None:
        signer = await self._keys.signer()
        try:
            with translated():
                async with writing(self._engine).begin() as connection:
                    await self._lock_out(connection)
                    newest, heads = await self._latest(connection), await self._heads(connection)
                    if not is_due(newest, heads):
                        return None
                    at = max(self._keys.now(), newest.at if newest else 0, *(head.at for head in heads), 0)
                    key = signer.key_at(at)
                    made = Checkpoint(
                        node=self.node,
                        number=newest.number + 1 if newest else 1,
                        at=max(at, key.statement.start),
                        previous=newest.head if newest else FIRST_HEAD,
                        key=key.id,
                        chains=heads,
                    )
                    body = made.body()
                    row = {"node": made.node, "number": made.number, "at": made.at, "head": made.head}
                    await connection.execute(
                        insert(checkpoints).values(row | {"body": body, "signature": key.sign(body)})
                    )
        except IntegrityError:
            return None  # somebody else has taken it
        return made

    async def _lock_out(self, connection: AsyncConnection) -> None:
        """Keep other workers off until the end of the transaction; SQLite has done so at its beginning."""
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": self._lock})

    async def _latest(self, connection: AsyncConnection) -> Checkpoint | None:
        query = checkpoint_query(self.node).order_by(checkpoints.c.number.desc()).limit(1)
        row = (await connection.execute(query)).one_or_none()
        return None if row is None else Checkpoint.parse(row.body)

    async def _heads(self, connection: AsyncConnection) -> tuple[ChainHead, ...]:
        query = select(chains).where(chains.c.node == self.node, chains.c.number > 0).order_by(chains.c.slot)
        return tuple(
            ChainHead(slot=row.slot, epoch=row.epoch, number=row.number, head=row.head, at=row.at)
            for row in (await connection.execute(query)).all()
        )


def checkpoint_query(node: str) -> Select[Any]:
    """Return the query for a node's checkpoints, in no order."""
    return select(checkpoints).where(checkpoints.c.node == node)


async def verify_checkpoints(connection: AsyncConnection) -> int:
    """Check every node's checkpoints, the first to the last, against keys and batches; return how many there are.

    Raises:
        ChainBroken: one was changed, dropped or inserted, or lists a head that its chain does not have.
    """
    total = 0
    nodes = select(checkpoints.c.node).distinct().order_by(checkpoints.c.node)
    for node in (await connection.execute(nodes)).scalars().all():
        keys, last = await key_list(connection, node), None
        query = checkpoint_query(node).order_by(checkpoints.c.number).limit(_AT_ONCE)
        while rows := (
            await connection.execute(query.where(checkpoints.c.number > (last.number if last else 0)))
        ).all():
            for row in rows:
                found = _read(row)
                _check_next(found, row.signature, keys, last)
                last = found
            await _check_heads(connection, node, [_read(row) for row in rows])
            total += len(rows)
    return total


def _read(row: Row[Any]) -> Checkpoint:
    try:
        found = Checkpoint.parse(row.body)
    except ValueError as error:
        raise ChainBroken(f"checkpoint {row.number} of {row.node}: {error}") from error
    if (found.node, found.number, found.at, found.head) != (row.node, row.number, row.at, row.head):
        raise ChainBroken(f"checkpoint {row.number} of {row.node}: its columns differ from what it says")
    return found


def _check_next(found: Checkpoint, signature: bytes, keys: KeyList, last: Checkpoint | None) -> None:
    if found.number != (last.number + 1 if last else 1):
        raise ChainBroken(f"{found}: its number does not follow")
    check_checkpoint(found, signature, keys, after=last)


async def _check_heads(connection: AsyncConnection, node: str, several: Sequence[Checkpoint]) -> None:
    """Check that the batches which are still here have the heads that checkpoints list."""
    wanted = {(c.slot, c.number): (c.head, each) for each in several for c in each.chains}
    for slot in {slot for slot, _ in wanted}:
        numbers = [number for which, number in wanted if which == slot]
        query = (
            select(batches.c.number, batches.c.head)
            .join(chains, chains.c.id == batches.c.chain)
            .where(chains.c.node == node, chains.c.slot == slot, batches.c.number.in_(numbers))
        )
        for number, head in (await connection.execute(query)).all():
            listed, checkpoint = wanted[slot, number]
            if listed != head:
                raise ChainBroken(f"{checkpoint}: batch {number} of {node}/{slot} has another head")
        last = select(chains.c.number).where(chains.c.node == node, chains.c.slot == slot)
        if max(numbers) > ((await connection.execute(last)).scalar() or 0):
            raise ChainBroken(f"{several[-1]}: chain {node}/{slot} ends before it")


def _stood(checkpoint: Checkpoint) -> list[tuple[int, bytes]]:
    return _stood_in(checkpoint.chains)


def _stood_in(heads: Sequence[ChainHead]) -> list[tuple[int, bytes]]:
    return [(head.slot, head.head) for head in heads]
