"""Checks an export offline: what holds of each record, and what was changed, dropped, inserted or put elsewhere.

Nothing but the file is read. Whom to believe is one fingerprint: the id of any key in the file's list.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise

from registry.checkpoints import Checkpoint, check_checkpoint
from registry.errors import ChainBroken
from registry.evidence import Record
from registry.ledger import FIRST_HEAD, Batch, commitment, decode, leaf_hash, merkle_root, root_of_path
from registry.months import bounds
from registry.proofs import (
    Json,
    Line,
    Opening,
    ProvenRecord,
    SignedBatch,
    SignedCheckpoint,
    SignedEnd,
    read_line,
)
from registry.signing import Introduction, KeyList, check_signed

FUTURE_US = 24 * 3600 * 1_000_000
"""How far a node's clock may be ahead of the verifier's."""
MOST_FLAWS = 100

Place = tuple[int, int]
"""The slot and number of a batch."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that does not hold: the line it was found at (from 1; 0 for the whole file), and what."""

    line: int
    what: str


@dataclass(slots=True, kw_only=True)
class Held:
    """One record, and what holds of it."""

    record: Record
    slot: int
    batch: int
    position: int
    salt: bytes
    included: bool = False
    """It is the leaf at its place in its batch's tree."""
    signed: bool = False
    """Its batch's head is signed by a key of the list, within the key's time."""
    bare: bool = False
    """Its batch has no signature of its own, from before there were keys: a checkpoint signs for it."""
    checkpoint: int = 0
    """The checkpoint that its batch is chained to, 0 for none."""

    @property
    def holds(self) -> bool:
        """Tell whether the record proves itself."""
        return self.included and self.signed and self.checkpoint > 0

    def commits_to(self, body: bytes, *, reply: bool) -> bool | None:
        """Tell whether the record commits to this body; None when the file holds no salt or the record no such body."""
        committed = self.record.reply_commitment if reply else self.record.request_commitment
        return commitment(self.salt, body) == committed if self.salt and committed else None


@dataclass(slots=True, kw_only=True)
class Report:
    """What an export proves. `heads` and `checkpoints` are what another export can contradict."""

    opening: Opening | None = None
    keys: KeyList = field(default_factory=KeyList)
    records: list[Held] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    batches: dict[Place, Batch] = field(default_factory=dict)
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)
    lines: int = 0

    @property
    def holds(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.flaws

    @property
    def fingerprint(self) -> str:
        """Return the id of the first key: what a verifier has to know from elsewhere."""
        return self.keys.statements[0].id.hex() if len(self.keys) else ""

    @property
    def latest(self) -> Checkpoint | None:
        """Return the newest checkpoint in the file."""
        return self.checkpoints[max(self.checkpoints)] if self.checkpoints else None


class _Broken(Exception):
    """The line at hand does not hold; the text says why."""


class Verifier:
    """Takes the lines of one export, the first one first, and then says what holds."""

    def __init__(self, *, now: int, key: bytes = b"", keep_batches: bool = True) -> None:
        self.report = Report()
        self._now = now
        self._trusted = key
        self._keep = keep_batches
        self._hash = sha256()
        self._stage = 0
        self._ended = False
        self._batch: SignedBatch | None = None
        self._is_signed = False
        self._leaves: list[tuple[Held, bytes]] = []
        self._waiting: list[Held] = []
        self._ends: dict[Place, tuple[bytes, list[Held]]] = {}
        self._first: dict[int, Batch] = {}
        self._last: Checkpoint | None = None

    def take(self, line: bytes) -> None:
        """Take the next line, with its newline."""
        self.report.lines += 1
        try:
            if not line.endswith(b"\n"):
                raise _Broken("the file is cut off within this line")
            if self._ended:
                raise _Broken("something stands behind the end of the export")
            self._dispatch(self._read(line[:-1]))
        except (_Broken, ChainBroken) as error:
            self._flaw(str(error))
        if not self._ended:
            self._hash.update(line)

    def finish(self) -> Report:
        """Say what holds."""
        report = self.report
        self._close_batch()
        if not self._ended:
            self._flaw("the file is cut off: its end is missing", line=0)
        self._check_covered()
        self._check_asked()
        if self._trusted and self._trusted not in report.keys:
            self._flaw("none of the keys has the fingerprint that was given", line=0)
        return report

    # --- lines --------------------------------------------------------------------------------------

    def _read(self, line: bytes) -> Line:
        try:
            return read_line(line)
        except ValueError as error:
            raise _Broken(str(error)) from error

    def _dispatch(self, line: Line) -> None:
        stage = _STAGES[type(line)]
        if self.report.lines == 1 and stage != 0:
            self._flaw("the first line is not that of an export")
        if stage < self._stage or (stage == 0 and self.report.lines > 1):
            raise _Broken(f"a line of this kind ({_NAMES[stage]}) does not stand here: the order was changed")
        if not isinstance(line, ProvenRecord):
            self._close_batch()
        self._stage = stage
        match line:
            case Opening():
                self._open(line)
            case Introduction():
                self.report.keys.add(line)
                self._check_node(line.statement.node, f"key {line.statement.number}")
            case SignedBatch():
                self._take_batch(line)
            case ProvenRecord():
                self._take_record(line)
            case SignedCheckpoint():
                self._take_checkpoint(line)
            case SignedEnd():
                self._take_end(line)

    def _open(self, opening: Opening) -> None:
        self.report.opening = opening
        self._check_time(opening.at, "the export")

    def _take_batch(self, signed: SignedBatch) -> None:
        batch, before = signed.batch, self._batch
        name = f"batch {batch.number} of {batch.node}/{batch.slot}"
        self._batch, self._is_signed = signed, False
        self._check_node(batch.node, name)
        self._check_time(batch.at, name)
        self._first.setdefault(batch.slot, batch)
        self._check_place(batch, before.batch if before else None, name)
        self._check_whole(signed, name)
        check_signed(self.report.keys, batch, signed.signature, after=_of_slot(before, batch.slot))
        self._is_signed = True

    def _check_place(self, batch: Batch, before: Batch | None, name: str) -> None:
        """A batch follows the one before it, or begins a stretch of its own."""
        if (batch.number == 1) != (batch.previous == FIRST_HEAD):
            raise _Broken(f"{name}: only the first one of a chain has none before it")
        if before is None or before.slot != batch.slot:
            self._end_stretch(before)
            if before is not None and batch.slot < before.slot:
                raise _Broken(f"{name}: the chains were put in another order")
            return
        if batch.number <= before.number:
            raise _Broken(f"{name}: the batches were put in another order")
        if batch.epoch < before.epoch or batch.at < before.at:
            raise _Broken(f"{name}: its epoch or its time is before that of batch {before.number}")
        if batch.number > before.number + 1:
            self._end_stretch(before)
        elif batch.previous != before.head:
            self._end_stretch(before)
            raise _Broken(f"{name}: it does not follow the head of the batch before it")

    def _end_stretch(self, last: Batch | None) -> None:
        if last is not None:
            self._ends[last.slot, last.number] = last.head, self._waiting
        self._waiting = []

    def _take_record(self, line: ProvenRecord) -> None:
        if self._batch is None:
            raise _Broken("a record without its batch before it")
        batch = self._batch.batch
        name = f"record {line.position} of batch {batch.number} of {batch.node}/{batch.slot}"
        try:
            record = decode(line.body)
        except ValueError as error:
            raise _Broken(f"{name}: {error}") from error
        held = Held(
            record=record, slot=batch.slot, batch=batch.number, position=line.position, salt=line.salt
        )
        self.report.records.append(held)
        self._waiting.append(held)
        self._check_record(line, held, self._batch, f"{name} (exchange {record.exchange})")

    def _check_record(self, line: ProvenRecord, held: Held, signed: SignedBatch, name: str) -> None:
        batch, leaf = signed.batch, leaf_hash(line.body)
        taken, expected = len(self._leaves), signed.records
        self._leaves.append((held, leaf))
        held.signed, held.bare = self._is_signed and bool(batch.key), not batch.key
        if taken >= len(expected) or expected[taken] != line.position:
            raise _Broken(f"{name}: it does not stand here; records were dropped, inserted or put elsewhere")
        if held.record.node != batch.node:
            raise _Broken(f"{name}: it is a record of another node ({held.record.node})")
        if held.record.at > batch.at:
            raise _Broken(f"{name}: it is dated after its batch was sealed")
        if len(expected) == batch.size:
            if line.path:
                raise _Broken(f"{name}: a record of a whole batch has no path")
        elif _root(leaf, line, batch) != batch.root:
            raise _Broken(f"{name}: it is not in its batch; it was changed or comes from elsewhere")
        else:
            held.included = True

    def _close_batch(self) -> None:
        """Check what can be checked when all records of a batch have been seen."""
        signed, leaves = self._batch, self._leaves
        self._leaves = []
        if signed is None or (not leaves and not signed.records):
            self._keep_batch(signed)
            return
        batch, name = signed.batch, f"batch {signed.batch.number} of {signed.batch.node}/{signed.batch.slot}"
        missing = set(signed.records) - {held.position for held, _ in leaves}
        if missing:
            self._flaw(f"{name}: its record {min(missing)} is missing", line=self.report.lines - 1)
        elif len(signed.records) == batch.size:
            whole = merkle_root([leaf for _, leaf in leaves]) == batch.root
            for held, _ in leaves:
                held.included = whole
            if not whole:
                self._flaw(f"{name}: its records were changed", line=self.report.lines - 1)
        self._batch = SignedBatch(batch=batch, signature=signed.signature, records=())
        self._keep_batch(signed)

    def _keep_batch(self, signed: SignedBatch | None) -> None:
        if signed is not None and self._keep:
            self.report.batches[signed.batch.slot, signed.batch.number] = signed.batch

    def _take_checkpoint(self, line: SignedCheckpoint) -> None:
        checkpoint = line.checkpoint
        self._finish_batches()
        self._check_node(checkpoint.node, str(checkpoint))
        self._check_time(checkpoint.at, str(checkpoint))
        last, self._last = self._last, checkpoint
        self.report.checkpoints[checkpoint.number] = checkpoint
        check_checkpoint(checkpoint, line.signature, self.report.keys, after=last)
        for chain in checkpoint.chains:
            head, waiting = self._ends.get((chain.slot, chain.number), (chain.head, []))
            if head != chain.head:
                raise _Broken(f"{checkpoint}: batch {chain.number} of slot {chain.slot} has another head")
            if self._ends.pop((chain.slot, chain.number), None):
                for held in waiting:
                    held.checkpoint, held.signed = checkpoint.number, held.signed or held.bare

    def _take_end(self, line: SignedEnd) -> None:
        self._finish_batches()
        self._ended = True
        end, report = line.end, self.report
        self._check_node(end.node, "the end of the export")
        if report.opening is not None and end.at < report.opening.at:
            raise _Broken("the end is dated before the beginning")
        self._check_time(end.at, "the end of the export")
        end.check(line.signature, report.keys)
        if end.lines != report.lines - 1:
            raise _Broken(f"{end.lines} lines were signed and {report.lines - 1} are here")
        if end.sha256 != self._hash.digest():
            raise _Broken("this is not the file that was signed: something in it was changed")

    def _finish_batches(self) -> None:
        if self._batch is not None:
            self._end_stretch(self._batch.batch)
            self._batch = None

    # --- rules that look at the whole -----------------------------------------------------------------

    def _check_covered(self) -> None:
        if self._batch is not None:
            self._finish_batches()
        for (slot, number), _ in sorted(self._ends.items()):
            self._flaw(f"no checkpoint covers the batches up to {number} of slot {slot}", line=0)

    def _check_asked(self) -> None:
        asked = self.report.opening.asked if self.report.opening else {}
        found = {held.record.exchange for held in self.report.records}
        for exchange in asked.get("exchanges", ()):
            if exchange not in found:
                self._flaw(f"exchange {exchange} was asked for and is not here", line=0)
        for held in self.report.records:
            if not _was_asked(held.record, asked):
                self._flaw(f"exchange {held.record.exchange} was not asked for and is here", line=0)
        if "month" in asked:
            self._check_month(*bounds(asked["month"]))

    def _check_month(self, start: int, end: int) -> None:
        """A month is whole: all records of its batches, all its batches, and all chains that had any."""
        latest = self.report.latest
        if latest is None or latest.at < end:
            self._flaw("no checkpoint from after the month is here", line=0)
            return
        for slot in sorted(chain.slot for chain in latest.chains if chain.at >= start):
            first = self._first.get(slot)
            if first is None:
                self._flaw(f"the chain of slot {slot} is missing", line=0)
            elif first.number > 1 and first.at >= start:
                self._flaw(f"the batches of slot {slot} before {first.number} are missing", line=0)

    def _check_whole(self, signed: SignedBatch, name: str) -> None:
        """In a month's export a batch of the month stands with all its records, and others with none."""
        asked = self.report.opening.asked if self.report.opening else {}
        if "month" in asked:
            start, end = bounds(asked["month"])
            wanted = signed.batch.size if start <= signed.batch.at < end else 0
            if len(signed.records) != wanted:
                raise _Broken(f"{name}: {wanted} of its records belong here, not {len(signed.records)}")

    def _check_node(self, node: str, name: str) -> None:
        opening = self.report.opening
        if opening is not None and node != opening.node:
            raise _Broken(f"{name}: it belongs to another node ({node})")

    def _check_time(self, at: int, name: str) -> None:
        if at > self._now + FUTURE_US:
            raise _Broken(f"{name}: it is dated in the future")

    def _flaw(self, what: str, line: int | None = None) -> None:
        if len(self.report.flaws) < MOST_FLAWS:
            self.report.flaws.append(Flaw(self.report.lines if line is None else line, what))


_STAGES: Mapping[type, int] = {
    Opening: 0, Introduction: 1, SignedBatch: 2, ProvenRecord: 2, SignedCheckpoint: 3, SignedEnd: 4,
}  # fmt: skip
_NAMES = ("export", "key", "batch or record", "checkpoint", "end")


def verify(lines: Iterable[bytes], *, now: int, key: bytes = b"") -> Report:
    """Check an export given line by line. `now` is the verifier's time in microseconds, `key` a fingerprint."""
    verifier = Verifier(now=now, key=key)
    for line in lines:
        verifier.take(line)
    return verifier.finish()


def _of_slot(signed: SignedBatch | None, slot: int) -> Batch | None:
    return signed.batch if signed is not None and signed.batch.slot == slot else None


def _root(leaf: bytes, line: ProvenRecord, batch: Batch) -> bytes:
    try:
        return root_of_path(leaf, line.position, batch.size, line.path)
    except ValueError:
        return b""


def _was_asked(record: Record, asked: Json) -> bool:
    """Tell whether a record is one of those that the first line speaks of."""
    exchanges = asked.get("exchanges")
    if isinstance(exchanges, list) and record.exchange not in exchanges:
        return False
    if any(asked.get(name) not in (None, getattr(record, name)) for name in ("consumer", "provider")):
        return False
    since, until = asked.get("since"), asked.get("until")
    return (since is None or since <= record.at) and (until is None or record.at < until)


# --- two exports ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What two exports of a node say of each other."""

    contradictions: tuple[str, ...]
    is_linked: bool
    """They have a batch or a checkpoint in common; otherwise neither can contradict the other's records."""


def compare(earlier: Report, later: Report) -> Compared:
    """Find what cannot both be true: the signs of a chain that was forked, or of a ledger put back to a backup."""
    found = [
        *_other_keys(earlier, later),
        *_other_batches(earlier, later),
        *_other_checkpoints(earlier, later),
    ]
    common = (
        earlier.batches.keys() & later.batches.keys() or earlier.checkpoints.keys() & later.checkpoints.keys()
    )
    return Compared(contradictions=tuple(found[:MOST_FLAWS]), is_linked=bool(common or found))


def _other_keys(earlier: Report, later: Report) -> Iterable[str]:
    for one, other in zip(earlier.keys.statements, later.keys.statements, strict=False):
        if one.id != other.id:
            yield f"key {one.number} is another one"
    if len(later.keys) < len(earlier.keys):
        yield f"key {len(earlier.keys)} of the earlier export is not in the later one"


def _other_batches(earlier: Report, later: Report) -> Iterable[str]:
    seen = {place: batch.head for place, batch in earlier.batches.items()}
    listed = _listed(earlier)
    for (slot, number), batch in later.batches.items():
        for head in (seen.get((slot, number)), listed.get((slot, number))):
            if head is not None and head != batch.head:
                yield f"batch {number} of slot {slot} has another head: the chain was forked at it or before"
    for place, head in _listed(later).items():
        if seen.get(place, head) != head:
            yield f"batch {place[1]} of slot {place[0]} has another head in a later checkpoint"
    yield from _runs_back(earlier, later)


def _listed(report: Report) -> dict[Place, bytes]:
    return {(c.slot, c.number): c.head for each in report.checkpoints.values() for c in each.chains}


def _runs_back(earlier: Report, later: Report) -> Iterable[str]:
    """Batches of one chain, by number, never go back in epoch or time, whichever export they stand in."""
    both = sorted({**earlier.batches, **later.batches}.items())
    for ((slot, number), batch), ((next_slot, next_number), following) in pairwise(both):
        if slot == next_slot and (following.epoch < batch.epoch or following.at < batch.at):
            yield f"batch {next_number} of slot {slot} was sealed before batch {number}: the chain was forked"


def _other_checkpoints(earlier: Report, later: Report) -> Iterable[str]:
    for number in sorted(earlier.checkpoints.keys() & later.checkpoints.keys()):
        if earlier.checkpoints[number].head != later.checkpoints[number].head:
            yield f"checkpoint {number} is another one"
    both = sorted({**earlier.checkpoints, **later.checkpoints}.items())
    for (number, one), (next_number, other) in pairwise(both):
        if next_number == number + 1 and other.previous != one.head:
            yield f"checkpoint {next_number} does not follow checkpoint {number}"
        if other.at < one.at or _goes_back(one, other):
            yield f"checkpoint {next_number} shows an earlier state than checkpoint {number}"


def _goes_back(one: Checkpoint, other: Checkpoint) -> bool:
    for chain in one.chains:
        later = other.at_slot(chain.slot)
        if later is None or (later.number, later.epoch) < (chain.number, chain.epoch):
            return True
        if later.epoch < chain.epoch or (later.number == chain.number and later.head != chain.head):
            return True
    return False
