"""A chain as its writer sees it: records as rows, sealed batches, and what a database must be able to do."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from registry.errors import LedgerUnavailable
from registry.evidence import Record
from registry.ledger import Batch, cleaned, closed_as_unknown, decode, encode, leaf_hash, merkle_root
from registry.signing import Signer
from registry.usage import Counted, UsageKey, add, counted

MAX_BATCH = 1024

log = logging.getLogger("lgsp.ledger")


class ConnectionLost(LedgerUnavailable):
    """The connection broke. `doubtful`: in the middle of a commit, so that only the database knows the result."""

    def __init__(self, reason: str, *, doubtful: bool = False) -> None:
        super().__init__(reason)
        self.doubtful = doubtful


@dataclass(slots=True, kw_only=True)
class Row:
    """One record as it is written; `body` holds its canonical bytes, the rest repeats what is searched for."""

    kind: str
    exchange: str
    at: int
    consumer: str
    provider: str
    service: str
    outcome: str
    body: bytes
    subject: str | None = None
    salt: bytes = b""
    counted: Counted | None = None
    future: asyncio.Future[None] | None = None
    tried: bytes = b""
    """The head of the last batch in which a commit of this record was tried."""


@dataclass(slots=True, kw_only=True)
class Sealed:
    """A batch ready to be committed: all of it in one transaction, and only if the chain stands at `previous`."""

    batch: Batch
    head: bytes
    signature: bytes
    rows: Sequence[Row]
    usage: dict[UsageKey, list[int]]
    closed: Sequence[str]
    """Exchanges whose `open` record now has its `final`."""


@dataclass(slots=True, kw_only=True)
class Chain:
    """Where a chain stands, under which epoch this process may write it, and who signs for it."""

    node: str
    slot: int
    epoch: int
    number: int
    head: bytes
    at: int
    opened: set[str] = field(default_factory=set)
    signer: Signer | None = None

    def seal(self, rows: Sequence[Row], now: int) -> Sealed:
        """Return these records as the chain's next batch; the chain itself does not move.

        A batch is dated no earlier than its records and the batch before it, whatever the clock does.
        """
        usage: dict[UsageKey, list[int]] = {}
        add(usage, (row.counted for row in rows))
        at = max(now, self.at, *(row.at for row in rows))
        key = self.signer.key_at(at) if self.signer else None
        batch = Batch(
            node=self.node,
            slot=self.slot,
            epoch=self.epoch,
            number=self.number + 1,
            size=len(rows),
            root=merkle_root([leaf_hash(row.body) for row in rows]),
            previous=self.head,
            at=max(at, key.statement.start) if key else at,
            key=key.id if key else b"",
        )
        header = batch.header()
        opened = self.opened.union(row.exchange for row in rows if row.kind == "open")
        closed = (
            [row.exchange for row in rows if row.kind == "final" and row.exchange in opened] if opened else []
        )
        return Sealed(
            batch=batch,
            head=sha256(header).digest(),
            signature=key.sign(header) if key else b"",
            rows=rows,
            usage=usage,
            closed=closed,
        )

    def advance(self, sealed: Sealed) -> None:
        """Take a batch as committed."""
        self.number, self.head, self.at = sealed.batch.number, sealed.head, sealed.batch.at
        self.opened.update(row.exchange for row in sealed.rows if row.kind == "open")
        self.opened.difference_update(sealed.closed)


class Backend(Protocol):
    """A chain in a database. Used by the writer's thread alone, but for the constructor.

    All methods raise LedgerUnavailable when the database is not there or does not take the write, and SlotTaken
    when another process writes the chain.
    """

    def resume(self) -> Chain:
        """Connect (again), take the slot under a new epoch, and return where the chain stands."""
        ...

    def opened(self) -> Sequence[bytes]:
        """Return the bodies of the chain's open records without a final one."""
        ...

    def commit(self, sealed: Sealed) -> None:
        """Write a batch durably, or nothing of it. Raises ConnectionLost when connecting again may help."""
        ...

    def probe(self) -> None:
        """Write something durably that changes nothing."""
        ...

    def close(self) -> None:
        """Let the slot go and disconnect; may be called at any time and twice."""
        ...


def row_of(record: Record, salt: bytes = b"") -> Row:
    """Return a record as it is written. What is no Unicode text, or a NUL, is replaced."""
    try:
        body = encode(record)
    except TypeError:
        record = cleaned(record)
        body = encode(record)
    if b"\\u0000" in body:
        record = cleaned(record)
        body = encode(record)
    return Row(
        kind=record.kind,
        exchange=record.exchange,
        at=record.at,
        consumer=record.consumer,
        provider=record.provider,
        service=record.service,
        outcome=str(record.outcome),
        body=body,
        subject=record.subject if record.subject and record.kind == "final" else None,
        salt=salt,
        counted=counted(record),
    )


def close_left_open(backend: Backend, chain: Chain, now: int) -> int:
    """Close every open record that nobody will close any more as `unknown`; return how many there were."""
    opened = [record for body in backend.opened() if (record := _readable(body)) is not None]
    for start in range(0, len(opened), MAX_BATCH):
        rows = [row_of(closed_as_unknown(record, at=now)) for record in opened[start : start + MAX_BATCH]]
        chain.opened.update(row.exchange for row in rows)
        sealed = chain.seal(rows, now)
        backend.commit(sealed)
        chain.advance(sealed)
    return len(opened)


def _readable(body: bytes) -> Record | None:
    """Return an open record, None for one that somebody has spoilt: verifying will say so, a start goes on."""
    try:
        return decode(body)
    except ValueError as error:
        log.error("ledger.spoilt", extra={"reason": str(error)})
        return None
