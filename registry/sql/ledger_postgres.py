"""A chain in PostgreSQL, on asyncpg: the writer's thread runs an event loop of its own for each batch."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from hashlib import sha256
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import make_url

from registry.chains import Chain, ConnectionLost, Sealed
from registry.errors import LedgerUnavailable, SlotTaken
from registry.ledger import FIRST_HEAD
from registry.usage import VALUE_NAMES, UsageKey

PATIENCE_SECONDS = 1.0
_CONNECT_SECONDS = 3.0
_COMMIT_SECONDS = 10.0

_SESSION = {
    "application_name": "lgsp ledger",
    # The promise of the ledger; a server-wide `off` must not weaken it unseen.
    "synchronous_commit": "on",
    "statement_timeout": "8000",
    "idle_in_transaction_session_timeout": "15000",
    # A session that died with its machine must not hold the slot for hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

_USAGE = ("hour", "chain", *UsageKey._fields[1:], *VALUE_NAMES)


def _usage_type(name: str) -> str:
    if name == "counts":
        return "boolean"
    return "bigint" if name == "hour" or name in VALUE_NAMES else "text"


def _count_statement() -> str:
    given = [name for name in _USAGE if name != "chain"]
    arrays = ", ".join(f"${i}::{_usage_type(name)}[]" for i, name in enumerate(given, 2))
    chosen = ", ".join("$1::int" if name == "chain" else f'"{name}"' for name in _USAGE)
    added = ", ".join(f"{name} = usage.{name} + excluded.{name}" for name in VALUE_NAMES)
    return (
        f"INSERT INTO usage ({_quoted(_USAGE)}) SELECT {chosen} "  # noqa: S608  (constants)
        f"FROM unnest({arrays}) AS r ({_quoted(given)}) "
        f"ON CONFLICT ({_quoted(_USAGE[: -len(VALUE_NAMES)])}) DO UPDATE SET {added}"
    )


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


_COUNT = _count_statement()
_RECORDS = (
    "INSERT INTO records SELECT $1::int, $2::bigint, i - 1, kind, exchange, at, consumer, provider, service, "
    "outcome, body, subject FROM unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], "
    "$9::text[], $10::bytea[], $11::text[]) WITH ORDINALITY "
    "AS r (kind, exchange, at, consumer, provider, service, outcome, body, subject, i)"
)
_SALTS = "INSERT INTO salts SELECT $1::int, $2::bigint, p, s FROM unnest($3::int[], $4::bytea[]) AS r (p, s)"
_OPEN = (
    "INSERT INTO opens SELECT x, $1::int, $2::bigint, p FROM unnest($3::text[], $4::int[]) AS r (x, p) "
    "ON CONFLICT DO NOTHING"
)
_CLOSE = "DELETE FROM opens WHERE chain = $1 AND exchange = ANY($2::text[])"
_BATCH = "INSERT INTO batches VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)"
_ADVANCE = "UPDATE chains SET number = $1, head = $2, at = $3 WHERE id = $4 AND epoch = $5 AND number = $6 AND head = $7"
_PROBE = "UPDATE chains SET probed = $1 WHERE id = $2 AND epoch = $3"
_OPENED = (
    "SELECT records.body FROM opens JOIN records USING (chain, batch, position) "
    "WHERE chain = $1 ORDER BY batch, position"
)
_LEASE = (
    "UPDATE chains SET epoch = greatest(epoch + 1, $1), holder = $2, probed = $3 WHERE node = $4 AND slot = $5 "
    "RETURNING id, epoch, number, head, at"
)
_MINE = (
    "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN chains c ON c.node = $2 AND c.slot = $3 "
    "WHERE l.locktype = 'advisory' AND l.granted AND c.holder = $4 AND l.objsubid = 1 "
    "AND (l.classid::bigint << 32 | l.objid::bigint) = $1 AND l.pid <> pg_backend_pid()"
)

_T = TypeVar("_T")


class PostgresBackend:
    """`chains.Backend` in PostgreSQL. An advisory lock of the session keeps other processes off the slot.

    A session's lock needs a connection of its own: no pooler that shares sessions may stand in between.
    """

    def __init__(self, url: str, *, node: str, slot: int, patience: float = PATIENCE_SECONDS) -> None:
        self._url = url
        self._node = node
        self._slot = slot
        self._patience = patience
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._lock = int.from_bytes(sha256(f"lgsp/{node}/{slot}".encode()).digest()[:8], signed=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._db: Any = None  # Any: asyncpg ships no types
        self._chain = 0
        self._epoch = 0
        self._in_doubt = False

    def resume(self) -> Chain:
        """Connect (again), take the slot under a new epoch, and return where the chain stands."""
        return self._run(self._resume())

    def opened(self) -> Sequence[bytes]:
        """Return the bodies of the chain's open records without a final one."""
        rows = self._run(self._connected().fetch(_OPENED, self._chain))
        return [row["body"] for row in rows]

    def commit(self, sealed: Sealed) -> None:
        """Write a batch durably, or nothing of it. Raises ConnectionLost when connecting again may help."""
        self._in_doubt = False
        try:
            self._run(self._commit(sealed))
        except ConnectionLost as error:
            raise ConnectionLost(str(error), doubtful=self._in_doubt) from error

    def probe(self) -> None:
        """Write something durably that changes nothing."""
        now = time.time_ns() // 1000
        if self._run(self._connected().execute(_PROBE, now, self._chain, self._epoch)) != "UPDATE 1":
            raise SlotTaken(f"another process has taken chain {self._node}/{self._slot}")

    def close(self) -> None:
        """Let the slot go, disconnect and end the loop."""
        if self._loop is None:
            return
        with contextlib.suppress(LedgerUnavailable):
            self._run(self._disconnect())
        self._loop.close()
        self._loop = None

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        with _translated():
            return self._loop.run_until_complete(asyncio.wait_for(work, _COMMIT_SECONDS))

    def _connected(self) -> Any:
        if self._db is None or self._db.is_closed():
            raise ConnectionLost("the ledger's database has cut the connection")
        return self._db

    async def _resume(self) -> Chain:
        await self._disconnect()
        self._db = await _connect(self._url)
        await self._take_slot()
        return await self._lease()

    async def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is None:
            return
        try:
            await db.close(timeout=1)
        except (asyncpg.PostgresError, *_LOST):
            db.terminate()

    async def _take_slot(self) -> None:
        until = time.monotonic() + self._patience
        while not await self._db.fetchval("SELECT pg_try_advisory_lock($1)", self._lock):
            if time.monotonic() >= until:
                raise SlotTaken(f"another process writes chain {self._node}/{self._slot}")
            # A session of ours whose connection broke may live on at the server for a while.
            await self._db.execute(_MINE, self._lock, self._node, self._slot, self._holder)
            await asyncio.sleep(0.05)

    async def _lease(self) -> Chain:
        now = time.time_ns() // 1000
        async with self._db.transaction():
            await self._db.execute(
                "INSERT INTO chains (node, slot, epoch, holder, number, head, at, probed) "
                "VALUES ($1, $2, 0, '', 0, $3, 0, 0) ON CONFLICT DO NOTHING",
                self._node,
                self._slot,
                FIRST_HEAD,
            )
            # Epochs are times, so that a node restored from a backup never takes one that it has had before.
            row = await self._db.fetchrow(_LEASE, now // 1000, self._holder, now, self._node, self._slot)
            opened = await self._db.fetch("SELECT exchange FROM opens WHERE chain = $1", row["id"])
        self._chain, self._epoch = row["id"], row["epoch"]
        return Chain(
            node=self._node,
            slot=self._slot,
            epoch=self._epoch,
            number=row["number"],
            head=row["head"],
            at=row["at"],
            opened={found["exchange"] for found in opened},
        )

    async def _commit(self, sealed: Sealed) -> None:
        db, batch, place = self._connected(), sealed.batch, (self._chain, sealed.batch.number)
        before = (self._chain, batch.epoch, batch.number - 1, batch.previous)
        async with db.transaction():
            if await db.execute(_ADVANCE, batch.number, sealed.head, batch.at, *before) != "UPDATE 1":
                raise SlotTaken(f"another process has written chain {self._node}/{self._slot}")
            for statement, values in self._statements(sealed):
                await db.execute(statement, *values)
            told = (batch.epoch, batch.size, batch.root, batch.previous, sealed.head, batch.at)
            await db.execute(_BATCH, *place, *told, batch.key, sealed.signature)
            self._in_doubt = True  # from here on: the COMMIT that follows may or may not be answered

    def _statements(self, sealed: Sealed) -> Iterator[tuple[str, tuple[Any, ...]]]:  # Any: what asyncpg binds
        place, rows = (self._chain, sealed.batch.number), sealed.rows
        columns = [
            (r.kind, r.exchange, r.at, r.consumer, r.provider, r.service, r.outcome, r.body, r.subject)
            for r in rows
        ]
        yield _RECORDS, (*place, *_turned(columns))
        if salted := [(i, r.salt) for i, r in enumerate(rows) if r.salt]:
            yield _SALTS, (*place, *_turned(salted))
        if opened := [(r.exchange, i) for i, r in enumerate(rows) if r.kind == "open"]:
            yield _OPEN, (*place, *_turned(opened))
        if sealed.closed:
            yield _CLOSE, (self._chain, list(sealed.closed))
        if sealed.usage:
            yield _COUNT, (self._chain, *_turned([(*k, *v) for k, v in sorted(sealed.usage.items())]))


def abandoned(url: str) -> list[tuple[str, int]]:
    """Return the node and slot of every chain that has open records."""

    async def find() -> list[tuple[str, int]]:
        async with _connection(url) as db:
            rows = await db.fetch(
                "SELECT DISTINCT node, slot FROM opens JOIN chains ON chains.id = opens.chain"
            )
            return [(row["node"], row["slot"]) for row in rows]

    with _translated():
        return asyncio.run(asyncio.wait_for(find(), _COMMIT_SECONDS))


async def _connect(url: str) -> Any:
    parsed = make_url(url)
    schema = parsed.query.get("search_path")
    settings = _SESSION | ({"search_path": schema} if isinstance(schema, str) else {})
    plain = parsed.difference_update_query(["search_path"]).set(drivername="postgresql")
    return await asyncpg.connect(
        plain.render_as_string(hide_password=False), timeout=_CONNECT_SECONDS, server_settings=settings
    )


@contextlib.asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Any]:
    db = await _connect(url)
    try:
        yield db
    finally:
        await db.close(timeout=1)


def _turned(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    # What the driver says when the server cuts the connection just as a statement is being sent.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what the driver and the network say into LedgerUnavailable, or ConnectionLost where that is known."""
    try:
        yield
    except _LOST as error:
        raise ConnectionLost(f"the ledger's database is not there ({type(error).__name__})") from error
    except asyncpg.PostgresError as error:
        raise LedgerUnavailable(f"the ledger's database refuses to write ({error})") from error
