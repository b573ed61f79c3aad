"""A chain in an SQLite file, on the raw driver: WAL, `synchronous=FULL`, one fsync for a batch."""

import contextlib
import fcntl
import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from registry.chains import Chain, Sealed
from registry.errors import LedgerUnavailable, SlotTaken
from registry.ledger import FIRST_HEAD
from registry.usage import VALUE_NAMES, UsageKey

PATIENCE_SECONDS = 1.0
_BUSY_SECONDS = 5.0
# A checkpoint copies the WAL into the file, inside some commit: rarer is fewer long commits, and a longer WAL.
_CHECKPOINT_PAGES = 4000

_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", f"wal_autocheckpoint = {_CHECKPOINT_PAGES}")
_AT_ONCE = 64
"""Most rows of one statement. The driver remembers one statement for each number of rows."""

_USAGE = ("hour", "chain", *UsageKey._fields[1:], *VALUE_NAMES)


def _insert(table: str, columns: int) -> str:
    return f"INSERT INTO {table} VALUES ({','.join('?' * columns)})"  # noqa: S608  (constants)


_RECORD = _insert("records", 12)
_SALT = _insert("salts", 4)
_BATCH = _insert("batches", 10)
_OPEN = "INSERT OR IGNORE INTO opens VALUES (?,?,?,?)"
_CLOSE = "DELETE FROM opens WHERE exchange = ? AND chain = ?"
_COUNT = (
    f"{_insert('usage', len(_USAGE))} ON CONFLICT DO UPDATE SET "
    f"{','.join(f'{name} = {name} + excluded.{name}' for name in VALUE_NAMES)}"
)
_ADVANCE = (
    "UPDATE chains SET number = ?, head = ?, at = ? WHERE id = ? AND epoch = ? AND number = ? AND head = ?"
)
_PROBE = "UPDATE chains SET probed = ? WHERE id = ? AND epoch = ?"
_OPENED = (
    "SELECT records.body FROM opens JOIN records USING (chain, batch, position) "
    "WHERE chain = ? ORDER BY batch, position"
)


class SQLiteBackend:
    """`chains.Backend` in an SQLite file. A lock on a file in `data_dir` keeps other processes off the slot."""

    def __init__(
        self, file: Path, *, node: str, slot: int, data_dir: Path, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._file = file
        self._node = node
        self._slot = slot
        self._lock = data_dir / f"ledger-{node}-{slot}.lock"
        self._patience = patience
        self._held: int | None = None
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._chain = 0
        self._epoch = 0

    def resume(self) -> Chain:
        """Open the file (again), take the slot under a new epoch, and return where the chain stands."""
        self._disconnect()
        with _translated():
            self._take_slot()
            # `rw`: a file that has been moved away must not come back empty.
            db = sqlite3.connect(
                f"{self._file.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=4 * _AT_ONCE,
            )
            self._db, self._identity = db, _identity(self._file)
            for pragma in _PRAGMAS:
                db.execute(f"PRAGMA {pragma}").close()
            return self._lease(db)

    def opened(self) -> Sequence[bytes]:
        """Return the bodies of the chain's open records without a final one."""
        with _translated():
            return [body for (body,) in self._connected().execute(_OPENED, (self._chain,))]

    def commit(self, sealed: Sealed) -> None:
        """Write a batch durably, or nothing of it."""
        with self._transaction() as db:
            batch, head, chain, rows = sealed.batch, sealed.head, self._chain, sealed.rows
            place = (chain, batch.number)
            before = (chain, batch.epoch, batch.number - 1, batch.previous)
            if db.execute(_ADVANCE, (batch.number, head, batch.at, *before)).rowcount != 1:
                raise SlotTaken(f"another process has written chain {self._node}/{self._slot}")
            _write_all(
                db,
                _RECORD,
                [
                    (
                        *place,
                        i,
                        r.kind,
                        r.exchange,
                        r.at,
                        r.consumer,
                        r.provider,
                        r.service,
                        r.outcome,
                        r.body,
                        r.subject,
                    )
                    for i, r in enumerate(rows)
                ],
            )
            _write_all(db, _SALT, [(*place, i, r.salt) for i, r in enumerate(rows) if r.salt])
            db.executemany(_OPEN, [(r.exchange, *place, i) for i, r in enumerate(rows) if r.kind == "open"])
            db.executemany(_CLOSE, [(exchange, chain) for exchange in sealed.closed])
            db.executemany(
                _COUNT, [(key[0], chain, *key[1:], *values) for key, values in sorted(sealed.usage.items())]
            )
            told = (batch.epoch, batch.size, batch.root, batch.previous, head, batch.at)
            db.execute(_BATCH, (*place, *told, batch.key, sealed.signature))

    def probe(self) -> None:
        """Write something durably that changes nothing."""
        with self._transaction() as db:
            if db.execute(_PROBE, (time.time_ns() // 1000, self._chain, self._epoch)).rowcount != 1:
                raise SlotTaken(f"another process has taken chain {self._node}/{self._slot}")

    def close(self) -> None:
        """Let the slot go and close the file."""
        self._disconnect()
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _connected(self) -> sqlite3.Connection:
        # An open file goes on working after it has been moved away or replaced: what we write would be lost.
        if self._db is None or self._identity is None or _identity(self._file) != self._identity:
            raise LedgerUnavailable("the ledger's file is not there, or is another one now")
        return self._db

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _translated():
            db = self._connected()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    db.rollback()
                raise

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()

    def _take_slot(self) -> None:
        if self._held is not None:
            return
        held = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        until = time.monotonic() + self._patience
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    os.close(held)
                    raise SlotTaken(f"another process writes chain {self._node}/{self._slot}") from None
                time.sleep(0.05)
            else:
                self._held = held
                return

    def _lease(self, db: sqlite3.Connection) -> Chain:
        now = time.time_ns() // 1000
        with self._transaction():
            db.execute(
                "INSERT OR IGNORE INTO chains (node, slot, epoch, holder, number, head, at, probed) "
                "VALUES (?,?,0,'',0,?,0,0)",
                (self._node, self._slot, FIRST_HEAD),
            )
            # Epochs are times, so that a node restored from a backup never takes one that it has had before.
            (row,) = db.execute(
                "UPDATE chains SET epoch = max(epoch + 1, ?), holder = ?, probed = ? WHERE node = ? AND slot = ? "
                "RETURNING id, epoch, number, head, at",
                (now // 1000, f"{socket.gethostname()}:{os.getpid()}", now, self._node, self._slot),
            ).fetchall()
            opened = db.execute("SELECT exchange FROM opens WHERE chain = ?", row[:1]).fetchall()
        self._chain, self._epoch, number, head, at = row
        return Chain(
            node=self._node,
            slot=self._slot,
            epoch=self._epoch,
            number=number,
            head=head,
            at=at,
            opened={exchange for (exchange,) in opened},
        )


def _write_all(db: sqlite3.Connection, insert: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows by few statements of many rows.

    The driver lets other threads run during each statement, and must wait for its turn after it: with one
    statement for each row, most of the time of a commit went into handing the interpreter back and forth.
    """
    values = insert[insert.index("(") :]
    for start in range(0, len(rows), _AT_ONCE):
        taken = rows[start : start + _AT_ONCE]
        several = ",".join([values] * len(taken))
        db.execute(insert.removesuffix(values) + several, [value for row in taken for value in row])


def abandoned(file: Path) -> list[tuple[str, int]]:
    """Return the node and slot of every chain that has open records."""
    with _translated(), contextlib.closing(sqlite3.connect(file, timeout=_BUSY_SECONDS)) as db:
        return db.execute(
            "SELECT DISTINCT node, slot FROM opens JOIN chains ON chains.id = opens.chain"
        ).fetchall()


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what the driver and the file system say into LedgerUnavailable."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LedgerUnavailable(f"the ledger's file cannot be written ({error})") from error
