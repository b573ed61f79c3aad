"""What stays of a month of one chain when its records are archived and dropped: a signed statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.canonical import parse, render, unhex
from registry.errors import ChainBroken
from registry.ledger import FIRST_HEAD, HASH_BYTES, Batch
from registry.signing import KeyList, check_signed

_TYPES: Mapping[str, type] = {
    "archive": str, "at": int, "batches": int, "first": int, "head": str, "key": str, "last": int, "month": str,
    "node": str, "previous": str, "records": int, "slot": int,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The batches `first` to `last` of a chain, sealed in a month (Asia/Ho_Chi_Minh).

    `previous` is the head before them and `head` their last one; `archive` is the SHA-256 of the file that holds
    them.
    """

    node: str
    slot: int
    month: str
    first: int
    last: int
    previous: bytes
    head: bytes
    batches: int
    records: int
    archive: bytes
    at: int
    key: bytes

    def body(self) -> bytes:
        """Return the canonical bytes, which are signed."""
        return render(
            {
                "archive": self.archive.hex(),
                "at": self.at,
                "batches": self.batches,
                "first": self.first,
                "head": self.head.hex(),
                "key": self.key.hex(),
                "kind": "segment",
                "last": self.last,
                "month": self.month,
                "node": self.node,
                "previous": self.previous.hex(),
                "records": self.records,
                "slot": self.slot,
                "v": 1,
            }
        )

    @classmethod
    def parse(cls, body: bytes) -> "Segment":
        """Return what these bytes state. Raises ValueError."""
        values = parse(body, _TYPES, kind="segment")
        hashes = ("archive", "head", "key", "previous")
        return cls(**values | {name: unhex(values[name], HASH_BYTES) for name in hashes})

    def __str__(self) -> str:
        return f"the month {self.month} of {self.node}/{self.slot}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedMonth:
    """A segment as it is kept: its statement, signed, and the header of its last batch."""

    segment: Segment
    signature: bytes
    last: Batch
    last_signature: bytes


def check_segments(several: Sequence[DroppedMonth], keys: KeyList) -> Batch | None:
    """Check the dropped months of a chain, the first one first; return the last batch that was dropped.

    Raises:
        ChainBroken: one was changed, or is missing.
    """
    before: Batch | None = None
    for each in several:
        segment, last = each.segment, each.last
        keys.check(segment.key, segment.at, each.signature, segment.body(), str(segment))
        if segment.first != (before.number + 1 if before else 1):
            raise ChainBroken(f"{segment}: its first batch does not follow")
        if segment.previous != (before.head if before else FIRST_HEAD):
            raise ChainBroken(f"{segment}: it does not follow the head before it")
        if (last.node, last.slot, last.number, last.head) != (
            segment.node, segment.slot, segment.last, segment.head,
        ):  # fmt: skip
            raise ChainBroken(f"{segment}: it does not end at its last batch")
        check_signed(keys, last, each.last_signature, after=before)
        before = last
    return before
