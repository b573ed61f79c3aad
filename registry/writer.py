"""Makes records durable: many exchanges, one commit, in a thread of its own.

The event loop serialises a record and queues it; the thread takes whatever has gathered, seals it as the next
batch of the chain and commits it. A lone record does not wait for company: while one batch is being committed the
next one gathers. How a batch is written is the business of a `Backend` (registry.sql).
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from registry.chains import MAX_BATCH, Backend, Chain, ConnectionLost, Row, Sealed, close_left_open, row_of
from registry.errors import LedgerUnavailable, SlotTaken
from registry.evidence import Record
from registry.ledger import decode, ended_by_ledger
from registry.signing import Signer

PROBE_SECONDS = 0.5
DOUBT_SECONDS = 5.0
CAPACITY = 16_384
GATHER_SECONDS = 0.001
CLOCK_US = 5_000_000
"""How far the clock may be behind a chain's last batch before that is logged."""

log = logging.getLogger("lgsp.ledger")


def now_us() -> int:
    """Return the time in microseconds since the epoch."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class Counters:
    """What a writer has done; read by metrics."""

    records: int = 0
    batches: int = 0
    failures: int = 0
    lost: int = 0
    """Final records that could be written neither in time nor later."""
    commit_seconds: float = 0.0
    last_batch: int = 0


class LedgerWriter:
    """The writer of one chain: `evidence.Ledger`, made durable by group commit.

    After a failed commit `writable` is False, everybody who waits gets LedgerUnavailable, and the writer tries
    again by itself every half second. A final record whose `append` failed is not lost with it: it is written
    when the database is back, as the failure that its caller saw (`ledger.ended_by_ledger`), so it is not to be
    appended again. An `open` or a `tally` whose `append` failed is dropped: its exchange still gets its final
    record, and a tally can be told again.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        signer: Signer | None = None,
        probe_seconds: float = PROBE_SECONDS,
        capacity: int = CAPACITY,
    ) -> None:
        self.counters = Counters()
        self._backend = backend
        self._signer = signer
        self._probe_seconds = probe_seconds
        self._capacity = capacity
        self._queue: deque[Row] = deque()
        self._taken: list[Row] = []
        self._last_seconds = 0.0
        self._doubtful: Sealed | None = None
        self._wake = threading.Event()
        self._idle = False
        self._failing = False
        self._closing = False
        self._dead = False
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="lgsp-ledger", daemon=True)
        self._chain: Chain

    # --- on the event loop --------------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        """Whether the last commit succeeded."""
        return not (self._failing or self._closing or self._dead)

    @property
    def slot(self) -> int:
        """The slot of the chain that is written."""
        return self._chain.slot

    @property
    def waiting(self) -> int:
        """How many records are queued."""
        return len(self._queue)

    async def start(self) -> None:
        """Take the slot and close what was left open. Raises SlotTaken or LedgerUnavailable."""
        self._thread.start()
        await self._started

    async def append(self, record: Record, salt: bytes = b"") -> None:
        """Return when the record is durable, with its usage; a cancelled call's record is written all the same.

        Raises:
            LedgerUnavailable: it is not durable now. A final record is written later, as a failure of the node:
                do not append another one for its exchange.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        self._put(record, salt, future)
        await future

    def leave(self, record: Record, salt: bytes = b"") -> None:
        """Queue a record without waiting for it: for refusals while the ledger is down, and for tallies.

        Raises:
            LedgerUnavailable: the queue is full, or the writer is closed.
        """
        self._put(record, salt, None)

    async def close(self) -> None:
        """Write what is queued, let the slot go and end the thread."""
        self._closing = True
        self._wake.set()
        if self._thread.ident is not None:
            await asyncio.shield(self._ended)

    def _put(self, record: Record, salt: bytes, future: asyncio.Future[None] | None) -> None:
        if self._closing or self._dead:
            raise LedgerUnavailable("the ledger is closed")
        if len(self._queue) >= self._capacity:
            raise LedgerUnavailable("too many records wait for the ledger")
        row = row_of(record, salt)
        row.future = future
        self._queue.append(row)
        if self._idle:
            self._idle = False
            self._wake.set()

    # --- in the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            if self._begin():
                self._work()
        finally:
            self._dead = True
            self._refuse(self._take_all(), LedgerUnavailable("the ledger is closed"))
            self._backend.close()
            self._tell(_refuse, [self._started], LedgerUnavailable("the ledger's writer has stopped"))
            self._tell(_resolve, [self._ended])

    def _begin(self) -> bool:
        try:
            self._chain = self._resumed()
            closed = close_left_open(self._backend, self._chain, now_us())
        except LedgerUnavailable as error:
            self._tell(_refuse, [self._started], error)
            return False
        if closed:
            log.warning("ledger.recovered", extra={"closed_as_unknown": closed})
        self._tell(_resolve, [self._started])
        return True

    def _resumed(self) -> Chain:
        chain = self._backend.resume()
        chain.signer = self._signer
        behind = chain.at - now_us()
        if behind > CLOCK_US:
            log.warning("ledger.clock-moved-back", extra={"seconds": behind // 1_000_000})
        return chain

    def _work(self) -> None:
        while self._queue or not self._closing:
            self._wait()
            self._taken = self._take(MAX_BATCH)
            # Told to close in the middle of an attempt, we make one more: with what has gathered since.
            last = self._closing
            try:
                self._make_durable(self._taken)
            except LedgerUnavailable as error:
                self._failed(error, last=last)
                if last:
                    return
            else:
                self._succeeded()

    def _wait(self) -> None:
        if self._failing:
            self._pause(self._probe_seconds)
            return
        self._idle = True
        if not self._queue and not self._closing:
            self._wake.wait()
        self._idle = False
        self._wake.clear()
        if self.counters.last_batch > 1 and not self._closing:
            self._gather()

    def _gather(self) -> None:
        """Let company come, where there was some last time: for as long as that commit took, a millisecond at most.

        A commit costs much the same for one record as for forty; under load this halves their number. Who comes
        alone waits for nobody.
        """
        self._wake.wait(min(self._last_seconds, GATHER_SECONDS))
        self._wake.clear()

    def _pause(self, seconds: float) -> None:
        """Wait between two probes; appends wait for the next one, only `close` cuts it short."""
        if not self._closing:
            # An append may have set it just before we began to fail.
            self._wake.clear()
        self._wake.wait(seconds)

    def _make_durable(self, rows: list[Row]) -> None:
        if self._failing:
            rows = self._resume(rows)
            if not rows:
                self._backend.probe()
        try:
            self._commit(rows)
        except ConnectionLost as error:
            self._commit(self._resume_patiently(rows, DOUBT_SECONDS if error.doubtful else 0))

    def _commit(self, rows: list[Row]) -> None:
        if not rows:
            return
        began = time.perf_counter()
        sealed = self._doubtful = self._chain.seal(rows, now_us())
        for row in rows:
            row.tried = sealed.head
        self._backend.commit(sealed)
        self._advance(sealed)
        self._last_seconds = time.perf_counter() - began
        self.counters.commit_seconds += self._last_seconds

    def _resume_patiently(self, rows: list[Row], seconds: float) -> list[Row]:
        """Connect again at once: an idle connection may have been cut long ago.

        Within a commit only the database knows what became of it. Refusing its callers then would leave records
        of answers that nobody got, so they wait for a while; new requests are refused meanwhile.
        """
        until = time.monotonic() + seconds
        while True:
            try:
                return self._resume(rows)
            except LedgerUnavailable as error:
                if isinstance(error, SlotTaken) or self._closing or time.monotonic() >= until:
                    raise
                self._note_failing(error)
                self._pause(self._probe_seconds / 5)

    def _resume(self, rows: list[Row]) -> list[Row]:
        """Connect again and return what is still to be written: not what a doubtful commit did write."""
        opened = self._chain.opened
        self._chain = self._resumed()
        self._chain.opened |= opened
        doubtful, self._doubtful = self._doubtful, None
        if doubtful is None or self._chain.head != doubtful.head:
            return rows
        self._advance(doubtful)
        return [row for row in rows if row.tried != doubtful.head]

    def _advance(self, sealed: Sealed) -> None:
        self._chain.advance(sealed)
        self._doubtful = None
        self.counters.batches += 1
        self.counters.records += len(sealed.rows)
        self.counters.last_batch = len(sealed.rows)

    def _succeeded(self) -> None:
        if self._failing:
            self._failing = False
            log.warning("ledger.writable")
        waiting = [row.future for row in self._taken if row.future is not None]
        self._taken = []
        if waiting:
            self._tell(_resolve, waiting)

    def _failed(self, error: LedgerUnavailable, *, last: bool) -> None:
        self._note_failing(error)
        self.counters.failures += 1
        rows = self._take_all()
        finals = [row for row in rows if row.kind == "final"]
        kept = [] if last else [_kept(row) for row in finals[: self._capacity]]
        self.counters.lost += len(finals) - len(kept)
        self._queue.extendleft(reversed(kept))
        self._refuse(rows, error)

    def _note_failing(self, error: LedgerUnavailable) -> None:
        if not self._failing:
            self._failing = True
            log.error("ledger.unavailable", extra={"reason": str(error)})

    def _take(self, most: int) -> list[Row]:
        queue = self._queue
        return [queue.popleft() for _ in range(min(len(queue), most))]

    def _take_all(self) -> list[Row]:
        rows, self._taken = self._taken, []
        return rows + self._take(len(self._queue))

    def _refuse(self, rows: Iterable[Row], error: LedgerUnavailable) -> None:
        waiting = [row.future for row in rows if row.future is not None]
        if waiting:
            self._tell(_refuse, waiting, error)

    def _tell(self, act: Callable[..., None], *arguments: object) -> None:
        # The loop may be gone already when a program ends without closing us; nobody waits there then.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act, *arguments)


def _kept(row: Row) -> Row:
    """Return what is to be written later of a record that could not be written now."""
    kept = row_of(ended_by_ledger(decode(row.body)), row.salt)
    kept.tried = row.tried
    return kept


def _resolve(futures: Sequence[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def _refuse(futures: Sequence[asyncio.Future[None]], error: LedgerUnavailable) -> None:
    taken = isinstance(error, SlotTaken)
    for future in futures:
        if not future.done():
            # One exception object for all would gather the tracebacks of all.
            future.set_exception(SlotTaken(str(error)) if taken else LedgerUnavailable(str(error)))
