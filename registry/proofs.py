"""The lines of an export: records with what proves them, in one file of canonical JSON lines.

`docs/reference/evidence-format.md` is the exact description. A line is written and read here alone:
export, keys, batches (each followed by its records), checkpoints, end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from registry.canonical import check_members, load, parse, render, unhex
from registry.checkpoints import Checkpoint
from registry.ledger import HASH_BYTES, SIGNED_BATCH_FORM, Batch
from registry.months import bounds
from registry.signing import SIGNATURE_BYTES, Introduction, KeyList, KeyStatement, SealingKey

Json = Mapping[str, Any]

ASKED: Mapping[str, type] = {
    "consumer": str, "exchanges": list, "follow": int, "month": str, "provider": str, "since": int, "until": int,
}  # fmt: skip
"""What an export can be asked for: by party, exchange, time or month; `follow` is an earlier checkpoint's number."""
_HEADER: Mapping[str, type] = {
    "at": int, "epoch": int, "node": str, "number": int, "previous": str, "root": str, "size": int, "slot": int,
}  # fmt: skip
_MEMBERS: Mapping[str, Mapping[str, type]] = {
    "export": {"asked": dict, "at": int, "node": str},
    "key": {"body": str, "endorsement": str, "signature": str},
    "batch": {"body": str, "records": list, "signature": str},
    "record": {"body": str, "path": list, "position": int, "salt": str},
    "checkpoint": {"body": str, "signature": str},
    "end": {"body": str, "signature": str},
}
_END: Mapping[str, type] = {"at": int, "key": str, "lines": int, "node": str, "sha256": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The first line: whose export it is, when it was made, and what was asked for."""

    node: str
    at: int
    asked: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBatch:
    """A batch's header, and the positions of those of its records that follow."""

    batch: Batch
    signature: bytes
    records: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenRecord:
    """A record's canonical bytes, its place in the batch before, and the path from it to the batch's root."""

    body: bytes
    position: int
    path: Sequence[bytes]
    salt: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A checkpoint with its signature."""

    checkpoint: Checkpoint
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What the last line signs: how many lines there are before it, and the hash of them all."""

    node: str
    at: int
    key: bytes
    lines: int
    sha256: bytes

    def body(self) -> bytes:
        """Return the canonical bytes, which are signed."""
        return render(
            {
                "at": self.at,
                "key": self.key.hex(),
                "kind": "end",
                "lines": self.lines,
                "node": self.node,
                "sha256": self.sha256.hex(),
                "v": 1,
            }
        )

    def check(self, signature: bytes, keys: KeyList) -> None:
        """Check who signed it. Raises ChainBroken."""
        keys.check(self.key, self.at, signature, self.body(), "the end of the export")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEnd:
    """The end with its signature."""

    end: End
    signature: bytes


Line = Opening | Introduction | SignedBatch | ProvenRecord | SignedCheckpoint | SignedEnd


# --- writing --------------------------------------------------------------------------------------------


class Sheet:
    """Writes lines, and signs what it has written in the last one."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._lines = 0
        self._hash = sha256()

    def opening(self, at: int, asked: Json) -> bytes:
        """Write the first line."""
        return self._line("export", {"asked": asked, "at": at, "node": self.node})

    def key(self, key: Introduction) -> bytes:
        """Write a key."""
        return self._signed(
            "key", key.statement.body(), key.signature, {"endorsement": key.endorsement.hex()}
        )

    def batch(self, header: bytes, signature: bytes, records: Sequence[int] = ()) -> bytes:
        """Write a batch's header; the records at these positions come next."""
        return self._signed("batch", header, signature, {"records": list(records)})

    def record(self, record: ProvenRecord) -> bytes:
        """Write a record."""
        return self._line(
            "record",
            {
                "body": record.body.decode(),
                "path": [each.hex() for each in record.path],
                "position": record.position,
                "salt": record.salt.hex(),
            },
        )

    def checkpoint(self, body: bytes, signature: bytes) -> bytes:
        """Write a checkpoint."""
        return self._signed("checkpoint", body, signature, {})

    def end(self, at: int, key: SealingKey) -> bytes:
        """Write the last line."""
        end = End(node=self.node, at=at, key=key.id, lines=self._lines, sha256=self._hash.digest())
        return self._signed("end", end.body(), key.sign(end.body()), {})

    def _signed(self, kind: str, body: bytes, signature: bytes, more: Json) -> bytes:
        return self._line(kind, {"body": body.decode(), "signature": signature.hex(), **more})

    def _line(self, kind: str, members: Json) -> bytes:
        line = render({**members, "kind": kind, "v": 1}) + b"\n"
        self._lines += 1
        self._hash.update(line)
        return line


# --- reading --------------------------------------------------------------------------------------------


def read_line(line: bytes) -> Line:
    """Return what a line (without its newline) says; its form is checked, and nothing else. Raises ValueError."""
    values = load(line)
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise ValueError("this is no line of an export")
    check_members(values, _MEMBERS[kind], kind)
    return _READ[kind](values)


def _opening(values: Json) -> Opening:
    for name, value in values["asked"].items():
        if type(value) is not ASKED.get(name):
            raise ValueError(f"nobody can ask for {name}")
    bounds(values["asked"].get("month", "2026-01"))
    return Opening(node=values["node"], at=values["at"], asked=values["asked"])


def _key(values: Json) -> Introduction:
    statement = KeyStatement.parse(values["body"].encode())
    endorsement = unhex(values["endorsement"], SIGNATURE_BYTES if statement.number > 1 else 0)
    return Introduction(
        statement=statement,
        signature=unhex(values["signature"], SIGNATURE_BYTES),
        endorsement=endorsement,
    )


def _batch(values: Json) -> SignedBatch:
    batch, positions = read_header(values["body"].encode()), values["records"]
    if any(type(each) is not int for each in positions) or positions != sorted(set(positions)):
        raise ValueError("the positions of a batch's records are not in order")
    if positions and not 0 <= positions[0] <= positions[-1] < batch.size:
        raise ValueError("a batch has no record at such a position")
    return SignedBatch(
        batch=batch,
        signature=unhex(values["signature"], SIGNATURE_BYTES if batch.key else 0),
        records=tuple(positions),
    )


def read_header(header: bytes) -> Batch:
    """Return the batch that a canonical header says. Raises ValueError."""
    values = load(header)
    if "key" in values:
        check_members(values, {**_HEADER, "key": str}, "batch", SIGNED_BATCH_FORM)
    else:
        check_members(values, _HEADER, "batch")
    if values["number"] < 1 or values["size"] < 1:
        raise ValueError("a batch has a number and records")
    return Batch(
        node=values["node"],
        slot=values["slot"],
        epoch=values["epoch"],
        number=values["number"],
        size=values["size"],
        root=unhex(values["root"], HASH_BYTES),
        previous=unhex(values["previous"], HASH_BYTES),
        at=values["at"],
        key=unhex(values["key"], HASH_BYTES) if "key" in values else b"",
    )


def _record(values: Json) -> ProvenRecord:
    return ProvenRecord(
        body=values["body"].encode(),
        position=values["position"],
        path=tuple(unhex(str(each), HASH_BYTES) for each in values["path"]),
        salt=unhex(values["salt"], len(values["salt"]) // 2),
    )


def _checkpoint(values: Json) -> SignedCheckpoint:
    return SignedCheckpoint(
        checkpoint=Checkpoint.parse(values["body"].encode()),
        signature=unhex(values["signature"], SIGNATURE_BYTES),
    )


def _end(values: Json) -> SignedEnd:
    told = parse(values["body"].encode(), _END, kind="end")
    end = End(
        node=told["node"],
        at=told["at"],
        key=unhex(told["key"], HASH_BYTES),
        lines=told["lines"],
        sha256=unhex(told["sha256"], HASH_BYTES),
    )
    return SignedEnd(end=end, signature=unhex(values["signature"], SIGNATURE_BYTES))


_READ: Mapping[str, Callable[[Json], Line]] = {
    "export": _opening,
    "key": _key,
    "batch": _batch,
    "record": _record,
    "checkpoint": _checkpoint,
    "end": _end,
}
