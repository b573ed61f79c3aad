"""Real exports for tests: a ledger with two chains, two keys and several checkpoints, and files made from it."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from registry.canonical import render
from registry.evidence import Record
from registry.ledger import commitment, leaf_hash, merkle_root
from registry.proofs import End
from registry.signing import SealingKey, Signer
from registry.sql.database import Location, location, open_engine
from registry.sql.ledger import open_ledger
from registry.sql.ledger_keys import now_us
from registry.sql.proofs import Asked, Proofs
from registry.verification import Report, verify
from registry.writer import LedgerWriter
from tests.records import CONSUMERS, a_record, an_open

NODE = "H26"
NODE_KEY = bytes(range(32))
SALT = b"0123456789abcdef"
REQUEST, REPLY = b'{"so":"invented"}', b'{"ten":"invented"}'


@dataclass
class ProvenLedger:
    """A ledger that is written and exported."""

    where: Location
    folder: Path
    engine: AsyncEngine
    proofs: Proofs
    signer: Signer
    writers: dict[int, LedgerWriter] = field(default_factory=dict)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def writer(self, slot: int = 0) -> LedgerWriter:
        """Return the writer of a slot."""
        if slot not in self.writers:
            opening = open_ledger(
                self.where.ledger, node=NODE, slot=slot, data_dir=self.folder, signer=self.signer
            )
            self.writers[slot] = await self.stack.enter_async_context(opening)
        return self.writers[slot]

    async def write(self, *several: Record, slot: int = 0) -> None:
        """Write records at once, as few batches."""
        writer = await self.writer(slot)
        await asyncio.gather(*(writer.append(record, SALT) for record in several))

    async def checkpoint(self) -> None:
        """Take a checkpoint."""
        await self.proofs.checkpoints.take()

    async def export(self, *, with_salts: bool = False, **asked: Any) -> bytes:
        """Return an export as one piece."""
        lines = self.proofs.export(Asked(**asked), with_salts=with_salts)
        return b"".join([line async for line in lines])


@asynccontextmanager
async def proven_ledger(where: Location, folder: Path) -> AsyncIterator[ProvenLedger]:
    """Open a ledger whose node has a key."""
    engine = open_engine(where.ledger)
    proofs = Proofs(engine, NODE_KEY, node=NODE)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        yield ProvenLedger(
            where=where,
            folder=folder,
            engine=engine,
            proofs=proofs,
            signer=await proofs.keys.signer(),
            stack=await stack.enter_async_context(AsyncExitStack()),
        )


def seen(**given: Any) -> Record:
    """Return a record that commits to two bodies, dated now."""
    return a_record(
        at=now_us(),
        request_commitment=commitment(SALT, REQUEST),
        reply_commitment=commitment(SALT, REPLY),
        **given,
    )


async def fill(ledger: ProvenLedger) -> list[Record]:
    """Write two chains with batches of several sizes, checkpoints between, and a second key; return what is final."""
    written = [seen(consumer=CONSUMERS[i % 3]) for i in range(18)]
    await ledger.write(written[0])
    await ledger.write(*written[1:6])
    await ledger.write(*written[6:8], slot=1)
    await ledger.checkpoint()
    opened = an_open(exchange=written[8].exchange, at=now_us())
    await ledger.write(opened)
    await ledger.write(*written[8:11])
    await ledger.checkpoint()
    made = await ledger.proofs.keys.rotate()
    await ledger.proofs.keys.refresh(ledger.signer)
    later = [record_at(record, made.statement.start) for record in written[11:]]
    await ledger.write(*later[:4])
    await ledger.write(*later[4:], slot=1)
    await ledger.checkpoint()
    return written[:11] + later


def record_at(record: Record, at: int) -> Record:
    """Date a record."""
    record.at = at
    return record


def signed_anew(lines: list[bytes], key: SealingKey) -> bytes:
    """Return lines with an end that the node has signed: what a node could pass off that does not keep to the rules."""
    end = End(
        node=NODE,
        at=now_us() + 3_600_000_000,
        key=key.id,
        lines=len(lines),
        sha256=sha256(b"".join(lines)).digest(),
    )
    line = {"body": end.body().decode(), "kind": "end", "signature": key.sign(end.body()).hex(), "v": 1}
    return b"".join(lines) + render(line) + b"\n"


def check(export: bytes, **given: Any) -> Report:
    """Check an export as a verifier elsewhere would."""
    return verify(export.splitlines(keepends=True), now=now_us(), **given)


def an_export(template: Path, folder: Path, **asked: Any) -> bytes:
    """Return an export of a ledger of its own, made from a folder of upgraded databases."""
    return an_export_and_key(template, folder, **asked)[0]


def an_export_and_key(template: Path, folder: Path, **asked: Any) -> tuple[bytes, SealingKey]:
    """Return an export, and the key that signed its end."""

    async def make() -> tuple[bytes, SealingKey]:
        async with proven_ledger(location(None, folder), folder) as ledger:
            await fill(ledger)
            return await ledger.export(**asked), ledger.signer.key_at(2**62)

    for file in template.iterdir():
        shutil.copy(file, folder)
    return anyio.run(make)


def resealed(lines: list[dict[str, Any]], keys: dict[str, SealingKey]) -> bytes:
    """Return an export of whole batches with all hashes and signatures made anew: all that a node with its keys can forge.

    Keys sign what names them, in their time or not.
    """
    heads: dict[tuple[int, int], dict[str, Any]] = {}
    previous: dict[int, str] = {}
    above = bytes(32).hex()
    written: list[dict[str, Any]] = []
    for at, line in enumerate(lines):
        made = dict(line)
        if line["kind"] == "batch":
            document = orjson.loads(line["body"])
            leaves = [leaf_hash(one["body"].encode()) for one in _records_of(lines, at)]
            slot = document["slot"]
            document |= {"root": merkle_root(leaves).hex(), "previous": previous.get(slot, bytes(32).hex())}
            previous[slot] = _seal(made, document, keys)
            heads[slot, document["number"]] = document | {"head": previous[slot]}
        elif line["kind"] == "checkpoint":
            document = orjson.loads(line["body"]) | {"previous": above}
            for chain in document["chains"]:
                batch = heads[chain["slot"], chain["number"]]
                chain |= {name: batch[name] for name in ("head", "at", "epoch")}
            above = _seal(made, document, keys)
        written.append(made)
    newest = list(keys.values())[-1]
    return signed_anew([render(line) + b"\n" for line in written], newest)


def _records_of(lines: list[dict[str, Any]], batch: int) -> list[dict[str, Any]]:
    following = lines[batch + 1 :]
    end = next((at for at, line in enumerate(following) if line["kind"] != "record"), len(following))
    return following[:end]


def _seal(line: dict[str, Any], document: dict[str, Any], keys: dict[str, SealingKey]) -> str:
    """Put a document into its line, signed by the key that it names; return its head."""
    body = render(document)
    line |= {"body": body.decode(), "signature": keys[document["key"]].sign(body).hex()}
    return sha256(body).hexdigest()
