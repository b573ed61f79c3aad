"""Checkpoints: once a minute, one signed statement of where all chains of a node stand, chained to the one before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from registry.canonical import parse, render, unhex
from registry.errors import ChainBroken
from registry.ledger import FIRST_HEAD, HASH_BYTES
from registry.signing import KeyList

_TYPES: Mapping[str, type] = {
    "at": int, "chains": list, "key": str, "node": str, "number": int, "previous": str,
}  # fmt: skip
_HEAD_TYPES: Mapping[str, type] = {"at": int, "epoch": int, "head": str, "number": int, "slot": int}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """Where one chain stands: its last batch, and the epoch under which it is written."""

    slot: int
    epoch: int
    number: int
    head: bytes
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where all chains of a node stand, in the order of their slots. `previous` is the head of the one before."""

    node: str
    number: int
    at: int
    previous: bytes
    key: bytes
    chains: Sequence[ChainHead]

    def body(self) -> bytes:
        """Return the canonical bytes, which are signed."""
        return render(
            {
                "at": self.at,
                "chains": [
                    {"at": c.at, "epoch": c.epoch, "head": c.head.hex(), "number": c.number, "slot": c.slot}
                    for c in self.chains
                ],
                "key": self.key.hex(),
                "kind": "checkpoint",
                "node": self.node,
                "number": self.number,
                "previous": self.previous.hex(),
                "v": 1,
            }
        )

    @property
    def head(self) -> bytes:
        """Return SHA-256 over the canonical bytes."""
        return sha256(self.body()).digest()

    @classmethod
    def parse(cls, body: bytes) -> "Checkpoint":
        """Return what these bytes state. Raises ValueError."""
        values = parse(body, _TYPES, kind="checkpoint")
        return cls(
            node=values["node"],
            number=values["number"],
            at=values["at"],
            previous=unhex(values["previous"], HASH_BYTES),
            key=unhex(values["key"], HASH_BYTES),
            chains=tuple(_chain_head(each) for each in values["chains"]),
        )

    def at_slot(self, slot: int) -> ChainHead | None:
        """Return where the chain of a slot stood, None when there was none."""
        return next((chain for chain in self.chains if chain.slot == slot), None)

    def __str__(self) -> str:
        return f"checkpoint {self.number} of {self.node}"


def _chain_head(values: Any) -> ChainHead:  # Any: JSON, checked here
    if not isinstance(values, dict) or values.keys() != _HEAD_TYPES.keys():
        raise ValueError("a chain in a checkpoint has other members")
    if any(type(values[name]) is not of for name, of in _HEAD_TYPES.items()):
        raise ValueError("a chain in a checkpoint has members of other types")
    return ChainHead(**values | {"head": unhex(values["head"], HASH_BYTES)})


def check_checkpoint(
    checkpoint: Checkpoint, signature: bytes, keys: KeyList, *, after: Checkpoint | None
) -> None:
    """Check a checkpoint's signature, and that it may follow an earlier one, at once or after a gap.

    Raises:
        ChainBroken: it does not; the text says which rule.
    """
    keys.check(checkpoint.key, checkpoint.at, signature, checkpoint.body(), str(checkpoint))
    slots = [chain.slot for chain in checkpoint.chains]
    if slots != sorted(set(slots)) or any(chain.at > checkpoint.at for chain in checkpoint.chains):
        raise ChainBroken(f"{checkpoint}: its chains are not in order, or later than itself")
    if (checkpoint.number == 1) != (checkpoint.previous == FIRST_HEAD) or checkpoint.number < 1:
        raise ChainBroken(f"{checkpoint}: only the first one has none before it")
    if after is not None:
        _check_follows(checkpoint, after)


def _check_follows(checkpoint: Checkpoint, after: Checkpoint) -> None:
    if checkpoint.number <= after.number or checkpoint.node != after.node:
        raise ChainBroken(f"{checkpoint}: it does not follow {after}")
    if checkpoint.number == after.number + 1 and checkpoint.previous != after.head:
        raise ChainBroken(f"{checkpoint}: it does not follow the head of the one before it")
    if checkpoint.at < after.at:
        raise ChainBroken(f"{checkpoint}: its time is before that of {after}")
    for earlier in after.chains:
        later = checkpoint.at_slot(earlier.slot)
        if later is None or not _may_follow(later, earlier):
            raise ChainBroken(f"{checkpoint}: chain {earlier.slot} stands before where {after} saw it")


def _may_follow(later: ChainHead, earlier: ChainHead) -> bool:
    if (later.number, later.epoch) == (earlier.number, earlier.epoch):
        return later.head == earlier.head
    return later.number >= earlier.number and later.epoch >= earlier.epoch and later.at >= earlier.at
