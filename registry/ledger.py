"""The ledger's mathematics, without I/O: canonical records, Merkle trees (RFC 6962), chained batch heads.

The bytes made here are promises: another program verifies them years later. They are pinned by golden tests and
described in docs/explanation/evidence-and-ledger.md; a change of form is a new `v`, never an edit.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from typing import Any

import orjson

from registry.errors import ChainBroken
from registry.evidence import Delivered, Outcome, Record

RECORD_FORM = 2
BATCH_FORM = 1
SIGNED_BATCH_FORM = 2
HASH_BYTES = 32
FIRST_HEAD = bytes(HASH_BYTES)
"""The head before a chain's first batch."""
EMPTY_ROOT = sha256(b"").digest()

LEAF, NODE = b"\x00", b"\x01"
_KINDS = frozenset({"open", "final", "tally"})
_BYTES = frozenset({"request_commitment", "reply_commitment"})
_TYPES: dict[str, type] = {
    f.name: str if f.name in _BYTES else type(f.default) if isinstance(f.default, (bool, int)) else str
    for f in fields(Record)
} | {"at": int}
_FORMS: Mapping[int, Mapping[str, type]] = {
    1: {name: of for name, of in _TYPES.items() if name != "scope"},
    2: _TYPES,
}
_COMMITMENT = re.compile(r"(?:[0-9a-f]{64})?")


# --- records --------------------------------------------------------------------------------------------


def encode(record: Record) -> bytes:
    """Return the canonical bytes of a record, form 2.

    JSON in UTF-8 without spaces, keys in ASCII order, every field present; values are strings, integers and
    booleans; commitments in lower-case hex. Raises TypeError for text that is not Unicode (see `cleaned`).
    """
    # The keys stand in order here, so that nothing has to be sorted for each record.
    return orjson.dumps(
        {
            "at": record.at,
            "client": record.client,
            "consumer": record.consumer,
            "correlation": record.correlation,
            "count": record.count,
            "counts": record.counts,
            "delivered": record.delivered,
            "environment": record.environment,
            "exchange": record.exchange,
            "gateway_us": record.gateway_us,
            "grant": record.grant,
            "kind": record.kind,
            "mode": record.mode,
            "national_database": record.national_database,
            "node": record.node,
            "officer": record.officer,
            "officer_rule": record.officer_rule,
            "operation": record.operation,
            "outcome": record.outcome,
            "procedure": record.procedure,
            "provider": record.provider,
            "provider_us": record.provider_us,
            "purpose": record.purpose,
            "reason": record.reason,
            "reply_bytes": record.reply_bytes,
            "reply_commitment": record.reply_commitment.hex(),
            "request_bytes": record.request_bytes,
            "request_commitment": record.request_commitment.hex(),
            "revision": record.revision,
            "scope": record.scope,
            "sent": record.sent,
            "service": record.service,
            "status": record.status,
            "subject": record.subject,
            "subject_key": record.subject_key,
            "total_us": record.total_us,
            "v": RECORD_FORM,
            "version": record.version,
        }
    )


def decode(body: bytes) -> Record:
    """Return the record that these canonical bytes say, of form 2 or of form 1 from before there were scopes.

    Raises:
        ValueError: not a record of a known form, or not its one canonical spelling.
    """
    try:
        values = orjson.loads(body)
    except ValueError as error:
        raise ValueError(f"not a record: {error}") from error
    if not isinstance(values, dict) or orjson.dumps(values, option=orjson.OPT_SORT_KEYS) != body:
        raise ValueError("not the canonical spelling of a record")
    form = values.pop("v", None)
    if type(form) is not int or form not in _FORMS:
        raise ValueError("not a record of a known form")
    return _record(values, _FORMS[form])


def _record(values: dict[str, Any], types: Mapping[str, type]) -> Record:  # Any: checked here against types
    if values.keys() != types.keys() or any(type(values[n]) is not t for n, t in types.items()):
        raise ValueError("a record has other fields, or fields of other types")
    if values["kind"] not in _KINDS:
        raise ValueError(f"no kind of record: {values['kind']!r}")
    for name in _BYTES:
        if not _COMMITMENT.fullmatch(values[name]):
            raise ValueError(f"{name} is not the hex of a hash")
        values[name] = bytes.fromhex(values[name])
    values["outcome"] = Outcome(values["outcome"]) if values["outcome"] else ""
    values["delivered"] = Delivered(values["delivered"]) if values["delivered"] else ""
    return Record(**values)


def cleaned(record: Record) -> Record:
    """Return the record with everything replaced that is no Unicode text or that databases cannot keep (NUL)."""
    return Record(**{name: _clean(value) for name, value in asdict(record).items()})


def _clean(value: Any) -> Any:  # Any: the values of a record, texts changed and all others not
    if not isinstance(value, str) or isinstance(value, (Outcome, Delivered)):
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def closed_as_unknown(opened: Record, *, at: int) -> Record:
    """Return the final record of an exchange that was open when its node stopped.

    Whether anything reached the provider cannot be known any more; `sent` says that it may have.
    """
    return replace(
        opened,
        kind="final",
        at=max(at, opened.at),
        outcome=Outcome.UNKNOWN,
        reason="node-stopped",
        delivered=Delivered.NO,
        sent=True,
        status=0,
    )


def ended_by_ledger(final: Record) -> Record:
    """Return what a final record becomes when it could not be made durable in time and is written later.

    Its caller was refused with 503 and never got the provider's answer, and so it says.
    """
    if final.outcome == Outcome.NODE_FAILURE:
        return final
    return replace(
        final,
        outcome=Outcome.NODE_FAILURE,
        reason="ledger-lost" if final.sent else "ledger-unavailable",
        delivered=Delivered.NO,
        status=503,
    )


def commitment(salt: bytes, body: bytes) -> bytes:
    """Return SHA-256(salt ‖ body): says nothing about the body without the salt, and cannot be changed."""
    return sha256(salt + body).digest()


# --- Merkle trees (RFC 6962, section 2.1) ---------------------------------------------------------------


def leaf_hash(body: bytes) -> bytes:
    """Return the hash of one leaf."""
    return sha256(LEAF + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(NODE + left + right).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    if not leaves:
        return EMPTY_ROOT
    level = list(leaves)
    while len(level) > 1:
        level = _next_level(level)
    return level[0]


def inclusion_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the sibling hashes, from the leaf upwards, that lead from leaf `index` to the root."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    path, level = [], list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level, index = _next_level(level), index >> 1
    return path


def root_of_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root to which a leaf's inclusion path leads (RFC 9162, section 2.1.3.2).

    Raises:
        ValueError: no tree of that size has such a path.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    last, root = size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ValueError("the path is too long")
        if index & 1 or index == last:
            root = node_hash(sibling, root)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        index, last = index >> 1, last >> 1
    if last:
        raise ValueError("the path is too short")
    return root


def _next_level(level: list[bytes]) -> list[bytes]:
    # An odd node at the end rises unchanged; this gives the same tree as the recursive definition.
    pairs = [sha256(NODE + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
    return pairs + level[-1:] if len(level) % 2 else pairs


# --- batches and chains ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The header of one batch of a chain `(node, slot)`. `at` is in microseconds and never runs backwards.

    `key` is the id of the key that signs the header, empty in a ledger without keys (form 1).
    """

    node: str
    slot: int
    epoch: int
    number: int
    size: int
    root: bytes
    previous: bytes
    at: int
    key: bytes = b""

    def header(self) -> bytes:
        """Return the canonical bytes of which the head is the hash, and which are signed."""
        if not self.key:
            return self._unsigned_header()
        return orjson.dumps(
            {
                "at": self.at,
                "epoch": self.epoch,
                "key": self.key.hex(),
                "kind": "batch",
                "node": self.node,
                "number": self.number,
                "previous": self.previous.hex(),
                "root": self.root.hex(),
                "size": self.size,
                "slot": self.slot,
                "v": SIGNED_BATCH_FORM,
            }
        )

    def _unsigned_header(self) -> bytes:
        return orjson.dumps(
            {
                "at": self.at,
                "epoch": self.epoch,
                "kind": "batch",
                "node": self.node,
                "number": self.number,
                "previous": self.previous.hex(),
                "root": self.root.hex(),
                "size": self.size,
                "slot": self.slot,
                "v": BATCH_FORM,
            }
        )

    @property
    def head(self) -> bytes:
        """Return what the next batch names as its `previous`."""
        return batch_head(self)


def batch_head(batch: Batch) -> bytes:
    """Return SHA-256 over a batch's canonical header."""
    return sha256(batch.header()).digest()


def check_batch(batch: Batch, bodies: Sequence[bytes], *, after: Batch | None) -> None:
    """Check that these records are this batch, and that it follows the batch before in its chain.

    Raises:
        ChainBroken: it does not; the text says which rule and which batch.
    """
    for broken, rule in _RULES:
        if broken(batch, bodies, after):
            raise ChainBroken(f"batch {batch.number} of {batch.node}/{batch.slot}: {rule}")


_RULES: tuple[tuple[Callable[[Batch, Sequence[bytes], Batch | None], bool], str], ...] = (
    (lambda b, _, a: b.number != (a.number + 1 if a else 1), "its number does not follow"),
    (lambda b, _, a: b.previous != (a.head if a else FIRST_HEAD), "it does not follow the head before it"),
    (lambda b, _, a: a is not None and b.epoch < a.epoch, "its epoch is older than the one before it"),
    (lambda b, _, a: a is not None and b.at < a.at, "its time is before the batch before it"),
    (
        lambda b, _, a: a is not None and bool(a.key) and not b.key,
        "it is not signed, although the one before it is",
    ),
    (lambda b, bodies, _: b.size != len(bodies) or not bodies, "it holds another number of records"),
    (lambda b, bodies, _: b.root != merkle_root([leaf_hash(body) for body in bodies]), "its records differ"),
)
