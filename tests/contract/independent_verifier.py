"""A verifier of evidence files written from docs/reference/evidence-format.md alone: it imports nothing of the project.

python independent_verifier.py FILE [FINGERPRINT]
"""

import hashlib
import json
import re
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ZERO = "00" * 32
DAY_US = 24 * 3600 * 1_000_000
TEXTS = [
    "client",
    "consumer",
    "correlation",
    "delivered",
    "environment",
    "exchange",
    "grant",
    "kind",
    "mode",
    "national_database",
    "node",
    "officer",
    "officer_rule",
    "operation",
    "outcome",
    "procedure",
    "provider",
    "purpose",
    "reason",
    "reply_commitment",
    "request_commitment",
    "service",
    "subject",
    "subject_key",
    "version",
]
NUMBERS = [
    "at",
    "count",
    "gateway_us",
    "provider_us",
    "reply_bytes",
    "request_bytes",
    "revision",
    "status",
    "total_us",
]
RECORD = {**dict.fromkeys(TEXTS, str), **dict.fromkeys(NUMBERS, int), "counts": bool, "sent": bool}
OUTCOMES = {
    "", "success", "business_failure", "refused", "invalid", "unavailable", "unreachable", "provider_failure",
    "unknown", "node_failure",
}  # fmt: skip
HEADER = {
    "node": str, "slot": int, "number": int, "epoch": int, "at": int, "size": int, "root": str, "previous": str,
}  # fmt: skip
STATEMENT = {"node": str, "number": int, "public": str, "from": int, "retires": int, "previous": str}
CHECKPOINT = {"node": str, "number": int, "at": int, "previous": str, "key": str, "chains": list}
CHAIN = {"slot": int, "number": int, "epoch": int, "at": int, "head": str}
END = {"node": str, "at": int, "key": str, "lines": int, "sha256": str}
ASKED = {
    "exchanges": list, "consumer": str, "provider": str, "month": str, "since": int, "until": int, "follow": int,
}  # fmt: skip
LINES = {
    "export": {"node": str, "at": int, "asked": dict},
    "key": {"body": str, "signature": str, "endorsement": str},
    "batch": {"body": str, "signature": str, "records": list},
    "record": {"body": str, "position": int, "path": list, "salt": str},
    "checkpoint": {"body": str, "signature": str},
    "end": {"body": str, "signature": str},
}
ORDER = {"export": 0, "key": 1, "batch": 2, "record": 2, "checkpoint": 3, "end": 4}


class Bad(Exception):
    """The file does not hold; the text says why."""


def demand(condition: object, what: str) -> None:
    if not condition:
        raise Bad(what)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def canonical(text: bytes, what: str) -> dict[str, Any]:
    """Read canonical JSON: what is read, spelled again, has to be the same bytes."""
    try:
        value = json.loads(text.decode("utf-8"), parse_float=_no_number, parse_constant=_no_number)
        again = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Bad(f"{what}: not JSON") from error
    demand(isinstance(value, dict) and again == text, f"{what}: not canonical")
    return value  # type: ignore[no-any-return]  # a dict: checked above


def _no_number(text: str) -> None:
    raise ValueError(text)


def members(value: dict[str, Any], types: dict[str, type], what: str) -> dict[str, Any]:
    demand(value.keys() == types.keys(), f"{what}: other members")
    demand(all(type(value[name]) is of for name, of in types.items()), f"{what}: members of other types")
    return value


def document(text: str, kind: str, types: dict[str, type], form: int = 1) -> dict[str, Any]:
    value = canonical(text.encode("utf-8"), kind)
    demand(value.pop("kind", None) == kind and value.pop("v", None) == form, f"{kind}: of an unknown form")
    return members(value, types, kind)


def unhex(text: object, size: int | None = None) -> bytes:
    demand(isinstance(text, str) and re.fullmatch(r"([0-9a-f]{2})*", text), "not lower-case hex")
    data = bytes.fromhex(str(text))
    demand(size is None or len(data) == size, "hex of another length")
    return data


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:]))


def root_by(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.3.2."""
    fn, sn, root = index, size - 1, leaf
    for sibling in path:
        demand(sn != 0, "the path is too long")
        if fn % 2 == 1 or fn == sn:
            root = sha256(b"\x01" + sibling + root)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = sha256(b"\x01" + root + sibling)
        fn, sn = fn >> 1, sn >> 1
    demand(sn == 0, "the path is too short")
    return root


def month_bounds(month: str) -> tuple[int, int]:
    demand(re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month), "not a month")
    zone = timezone(timedelta(hours=7))
    year, number = int(month[:4]), int(month[5:])
    ends = (
        datetime(year, number, 1, tzinfo=zone),
        datetime(year + number // 12, number % 12 + 1, 1, tzinfo=zone),
    )
    start, end = ((each - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for each in ends)
    return start, end


class Verifier:
    """Checks one file and stops at the first thing that does not hold."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.node = ""
        self.asked: dict[str, Any] = {}
        self.at = 0
        self.keys: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        self.batches: list[dict[str, Any]] = []
        self.ends: dict[tuple[int, int], bytes] = {}
        self.checkpoints: list[dict[str, Any]] = []

    def run(self, data: bytes, fingerprint: str = "") -> list[dict[str, Any]]:
        """Return the records of a good file. Raises Bad."""
        demand(data.endswith(b"\n"), "cut off")
        lines = data[:-1].split(b"\n")
        parsed = [self._line(line) for line in lines]
        kinds = [kind for kind, _ in parsed]
        demand(kinds[0] == "export" and kinds[-1] == "end", "no beginning or no end")
        demand(kinds.count("export") == 1 and kinds.count("end") == 1, "two beginnings or two ends")
        demand([ORDER[kind] for kind in kinds] == sorted(ORDER[kind] for kind in kinds), "another order")
        self._export(parsed[0][1])
        for value in (value for kind, value in parsed if kind == "key"):
            self._key(value)
        self._batches([each for each in parsed if each[0] in {"batch", "record"}])
        for value in (value for kind, value in parsed if kind == "checkpoint"):
            self._checkpoint(value)
        self._end(parsed[-1][1], len(lines) - 1, data[: len(data) - len(lines[-1]) - 1])
        self._covered()
        self._what_was_asked()
        demand(
            not fingerprint or fingerprint in {key["id"] for key in self.keys}, "another node's fingerprint"
        )
        return self.records

    def _line(self, line: bytes) -> tuple[str, dict[str, Any]]:
        value = canonical(line, "a line")
        kind = value.pop("kind", None)
        form = value.pop("v", None)
        demand(isinstance(kind, str) and kind in LINES and type(form) is int and form == 1, "an unknown line")
        return str(kind), members(value, LINES[str(kind)], str(kind))  # type: ignore[arg-type]  # types by name

    def _place(self, node: str, at: int) -> None:
        demand(node == self.node, "another node")
        demand(at <= self.now + DAY_US, "dated in the future")

    def _export(self, value: dict[str, Any]) -> None:
        self.node, self.asked, self.at = value["node"], value["asked"], value["at"]
        demand(all(type(each) is ASKED.get(name) for name, each in self.asked.items()), "nobody asks that")
        self._place(self.node, self.at)

    def _key(self, value: dict[str, Any]) -> None:
        key = document(value["body"], "key", STATEMENT)
        body, public = value["body"].encode(), unhex(key["public"], 32)
        unhex(key["previous"], 32)
        before = self.keys[-1] if self.keys else None
        demand(key["node"] == self.node and key["number"] == len(self.keys) + 1, "keys: number or node")
        demand(key["previous"] == (before["id"] if before else ZERO), "keys: previous")
        demand(is_signed(public, unhex(value["signature"], 64), body), "keys: signature")
        if before is None:
            demand(value["endorsement"] == "", "keys: nobody endorses the first one")
        else:
            demand(before["from"] <= key["from"] <= key["retires"], "keys: times")
            signed = is_signed(bytes.fromhex(before["public"]), unhex(value["endorsement"], 64), body)
            demand(signed, "keys: endorsement")
        self.keys.append(key | {"id": sha256(body).hex()})

    def _signed(self, key_id: str, at: int, signature: bytes, body: bytes, what: str) -> int:
        found = [key for key in self.keys if key["id"] == key_id]
        demand(found, f"{what}: an unknown key")
        key = found[0]
        after = self.keys[key["number"]] if key["number"] < len(self.keys) else None
        demand(
            key["from"] <= at and (after is None or at < after["retires"]), f"{what}: outside the key's time"
        )
        demand(is_signed(bytes.fromhex(key["public"]), signature, body), f"{what}: signature")
        return int(key["number"])

    def _batches(self, lines: list[tuple[str, dict[str, Any]]]) -> None:
        groups: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
        for kind, value in lines:
            if kind == "batch":
                groups.append((value, []))
            else:
                demand(groups, "a record without a batch")
                groups[-1][1].append(value)
        for value, records in groups:
            batch = self._batch(value)
            self._records(batch, value["records"], records)
        if self.batches:
            self._stretch_ends(self.batches[-1])

    def _batch(self, value: dict[str, Any]) -> dict[str, Any]:
        body = value["body"].encode()
        signed = "key" in canonical(body, "batch")
        types: dict[str, type] = {**HEADER, "key": str} if signed else dict(HEADER)
        batch = document(value["body"], "batch", types, form=2 if signed else 1)
        unhex(batch["root"], 32)
        unhex(batch["previous"], 32)
        self._place(batch["node"], batch["at"])
        demand(batch["number"] >= 1 and batch["size"] >= 1, "batch: number or size")
        demand((batch["previous"] == ZERO) == (batch["number"] == 1), "batch: previous")
        number = 0
        if signed:
            unhex(batch["key"], 32)
            number = self._signed(batch["key"], batch["at"], unhex(value["signature"], 64), body, "batch")
        else:
            demand(value["signature"] == "", "batch: a signature without a key")
        batch |= {"head": sha256(body), "by": number}
        self._follows(batch)
        self.batches.append(batch)
        return batch

    def _follows(self, batch: dict[str, Any]) -> None:
        before = self.batches[-1] if self.batches else None
        if before is None:
            return
        if before["slot"] != batch["slot"]:
            demand(before["slot"] < batch["slot"], "batches: order of slots")
            self._stretch_ends(before)
            return
        demand(before["number"] < batch["number"], "batches: order of numbers")
        demand(before["epoch"] <= batch["epoch"] and before["at"] <= batch["at"], "batches: epoch or time")
        demand(before["by"] <= batch["by"], "batches: an older key")
        if batch["number"] == before["number"] + 1:
            demand(batch["previous"] == before["head"].hex(), "batches: previous")
        else:
            self._stretch_ends(before)

    def _stretch_ends(self, batch: dict[str, Any]) -> None:
        self.ends[batch["slot"], batch["number"]] = batch["head"]

    def _records(self, batch: dict[str, Any], positions: list[Any], lines: list[dict[str, Any]]) -> None:
        demand(all(type(each) is int for each in positions), "records: positions")
        demand(positions == sorted(set(positions)), "records: order")
        demand(all(0 <= each < batch["size"] for each in positions), "records: no such position")
        demand([line["position"] for line in lines] == positions, "records: others than announced")
        leaves = [sha256(b"\x00" + line["body"].encode()) for line in lines]
        whole = len(positions) == batch["size"]
        for line, leaf in zip(lines, leaves, strict=True):
            path = [unhex(each, 32) for each in line["path"]]
            if whole:
                demand(path == [], "records: a path in a whole batch")
            else:
                found = root_by(leaf, line["position"], batch["size"], path)
                demand(found.hex() == batch["root"], "records: not in the batch")
            self._record(line, batch)
        demand(not whole or root_of(leaves).hex() == batch["root"], "records: not those of the batch")
        if "month" in self.asked:
            start, end = month_bounds(self.asked["month"])
            demand(len(positions) == (batch["size"] if start <= batch["at"] < end else 0), "month: not whole")

    def _record(self, line: dict[str, Any], batch: dict[str, Any]) -> None:
        record = canonical(line["body"].encode(), "record")
        form = record.pop("v", None)
        demand(type(form) is int and form in {1, 2}, "record: form")
        types: dict[str, type] = {**RECORD, "scope": str} if form == 2 else dict(RECORD)
        members(record, types, "record")
        demand(record["kind"] in {"open", "final", "tally"}, "record: kind")
        demand(
            record["outcome"] in OUTCOMES and record["delivered"] in {"", "yes", "cut", "no"}, "record: end"
        )
        for name in ("request_commitment", "reply_commitment"):
            unhex(record[name], 32 if record[name] else 0)
        demand(record["node"] == self.node and record["at"] <= batch["at"], "record: node or time")
        self.records.append(record | {"salt": unhex(line["salt"])})

    def _checkpoint(self, value: dict[str, Any]) -> None:
        body = value["body"].encode()
        checkpoint = document(value["body"], "checkpoint", CHECKPOINT)
        self._place(checkpoint["node"], checkpoint["at"])
        unhex(checkpoint["key"], 32)
        unhex(checkpoint["previous"], 32)
        demand(checkpoint["number"] >= 1, "checkpoint: number")
        demand((checkpoint["previous"] == ZERO) == (checkpoint["number"] == 1), "checkpoint: previous")
        for chain in checkpoint["chains"]:
            demand(isinstance(chain, dict), "checkpoint: chains")
            unhex(members(chain, CHAIN, "chain")["head"], 32)
            demand(chain["at"] <= checkpoint["at"], "checkpoint: a chain later than itself")
        slots = [chain["slot"] for chain in checkpoint["chains"]]
        demand(slots == sorted(set(slots)), "checkpoint: order of chains")
        signature = unhex(value["signature"], 64)
        self._signed(checkpoint["key"], checkpoint["at"], signature, body, "checkpoint")
        checkpoint |= {"head": sha256(body).hex()}
        if self.checkpoints:
            checkpoint_follows(self.checkpoints[-1], checkpoint)
        self.checkpoints.append(checkpoint)

    def _end(self, value: dict[str, Any], lines: int, before: bytes) -> None:
        end = document(value["body"], "end", END)
        self._place(end["node"], end["at"])
        unhex(end["key"], 32)
        demand(end["at"] >= self.at, "end: before the beginning")
        self._signed(end["key"], end["at"], unhex(value["signature"], 64), value["body"].encode(), "end")
        demand(end["lines"] == lines and unhex(end["sha256"], 32) == sha256(before), "end: another file")

    def _covered(self) -> None:
        listed: dict[tuple[int, int], set[str]] = {}
        for checkpoint in self.checkpoints:
            for chain in checkpoint["chains"]:
                listed.setdefault((chain["slot"], chain["number"]), set()).add(chain["head"])
        for place, head in self.ends.items():
            demand(listed.get(place) == {head.hex()}, "a stretch that no checkpoint covers")

    def _what_was_asked(self) -> None:
        asked, found = self.asked, {record["exchange"] for record in self.records}
        if "exchanges" in asked:
            demand(found == set(asked["exchanges"]), "other exchanges than were asked for")
        for record in self.records:
            for name in ("consumer", "provider"):
                demand(record[name] == asked.get(name, record[name]), f"another {name} than was asked for")
            demand(asked.get("since", record["at"]) <= record["at"], "a record before the time")
            demand(record["at"] < asked.get("until", record["at"] + 1), "a record after the time")
        if "month" in asked:
            self._month(*month_bounds(asked["month"]))

    def _month(self, start: int, end: int) -> None:
        demand(self.checkpoints and self.checkpoints[-1]["at"] >= end, "month: no checkpoint behind it")
        for chain in self.checkpoints[-1]["chains"]:
            if chain["at"] >= start:
                mine = [batch for batch in self.batches if batch["slot"] == chain["slot"]]
                demand(mine and (mine[0]["number"] == 1 or mine[0]["at"] < start), "month: batches missing")


def checkpoint_follows(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The rules from one checkpoint to a later one. Raises Bad."""
    demand(one["number"] < other["number"] and one["at"] <= other["at"], "checkpoints: order or time")
    if one["number"] + 1 == other["number"]:
        demand(other["previous"] == one["head"], "checkpoints: previous")
    later = {chain["slot"]: chain for chain in other["chains"]}
    for chain in one["chains"]:
        demand(chain["slot"] in later, "checkpoints: a chain has vanished")
        now = later[chain["slot"]]
        demand(
            all(chain[name] <= now[name] for name in ("number", "epoch", "at")), "checkpoints: a chain falls"
        )
        same = (chain["number"], chain["epoch"]) == (now["number"], now["epoch"])
        demand(not same or chain["head"] == now["head"], "checkpoints: another head")


def contradictions(earlier: Verifier, later: Verifier) -> Iterable[str]:
    """Say in what two good files cannot both be true."""
    for one, other in zip(earlier.keys, later.keys, strict=False):
        if one["id"] != other["id"]:
            yield "another key"
    if len(later.keys) < len(earlier.keys):
        yield "fewer keys"
    yield from _other_heads((earlier, later))
    yield from _older_batches(earlier.batches + later.batches)
    both = sorted(earlier.checkpoints + later.checkpoints, key=lambda checkpoint: checkpoint["number"])
    for one, other in pairwise(both):
        if one["head"] != other["head"]:
            try:
                checkpoint_follows(one, other)
            except Bad as error:
                yield str(error)


def _other_heads(files: Iterable[Verifier]) -> Iterable[str]:
    heads: dict[tuple[int, int], set[str]] = {}
    for file in files:
        for batch in file.batches:
            heads.setdefault((batch["slot"], batch["number"]), set()).add(batch["head"].hex())
        for checkpoint in file.checkpoints:
            for chain in checkpoint["chains"]:
                heads.setdefault((chain["slot"], chain["number"]), set()).add(chain["head"])
    return (f"batch {number} of slot {slot}" for (slot, number), several in heads.items() if len(several) > 1)


def _older_batches(batches: list[dict[str, Any]]) -> Iterable[str]:
    ordered = sorted(batches, key=lambda batch: (batch["slot"], batch["number"]))
    for one, other in pairwise(ordered):
        falls = other["epoch"] < one["epoch"] or other["at"] < one["at"]
        if one["slot"] == other["slot"] and falls:
            yield f"batch {other['number']} is older than batch {one['number']}"


def main() -> int:
    """Check a file."""
    with open(sys.argv[1], "rb") as file:  # noqa: PTH123  (plain Python)
        data = file.read()
    try:
        records = Verifier(time.time_ns() // 1000).run(data, *sys.argv[2:3])
    except Bad as error:
        print(f"bad: {error}")  # noqa: T201  (a program of its own)
        return 1
    print(f"good: {len(records)} records")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
