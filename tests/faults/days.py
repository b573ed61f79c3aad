"""Random days with crashes in them, and usage counted from the evidence a second time, by other code."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from registry.errors import SlotTaken
from registry.ledger import decode
from registry.sql.database import Location
from registry.sql.ledger import open_ledger
from registry.sql.ledger_tables import records, usage

ROOT = Path(__file__).parents[2]
KEY = (
    "environment", "consumer", "provider", "service", "version", "operation", "counts", "national_database", "mode",
    "grant", "outcome",
)  # fmt: skip

Rows = Counter[tuple[Any, ...]]


async def crash(where: Location, folder: Path, seed: int, rng: Random) -> None:
    """Record for a moment in a process of its own, and kill it in the middle of its work."""
    words = [sys.executable, "-m", "tests.faults.day_of_traffic", where.ledger, str(folder), str(seed)]
    process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 20) == b"ready\n"
        await asyncio.sleep(0.1 + rng.random() * 0.3)
    finally:
        process.kill()
        await process.wait()


async def recover(where: Location, folder: Path) -> None:
    """Start the node's writer once, so that what the crashes left open is closed."""
    for _ in range(50):
        try:
            async with open_ledger(where.ledger, node="H26", data_dir=folder):
                return
        except SlotTaken:  # the database has not noticed yet that the process is dead
            await asyncio.sleep(0.1)
    raise AssertionError("the slot stays taken")


async def counted_again(engine: AsyncEngine) -> tuple[Rows, Counter[str]]:
    """Count final records, and their bytes, from the canonical bodies; and how many there are of each kind."""
    rows: Rows = Counter()
    kinds: Counter[str] = Counter()
    async with engine.connect() as connection:
        for (body,) in (await connection.execute(select(records.c.body))).all():
            record = decode(body)
            kinds[record.kind] += 1
            if record.kind == "final":
                key = (record.at // 3_600_000_000 * 3600, *(getattr(record, name) for name in KEY))
                rows[(*key, "count")] += 1
                rows[(*key, "request_bytes")] += record.request_bytes
                rows[(*key, "reply_bytes")] += record.reply_bytes
    return +rows, kinds


async def counted_by_the_ledger(engine: AsyncEngine) -> Rows:
    """Return the same from usage as it was written with the records."""
    rows: Rows = Counter()
    for row in await usage_rows(engine):
        key = (row.hour, *(getattr(row, name) if name != "count" else None for name in KEY))
        for name in ("count", "request_bytes", "reply_bytes"):
            rows[(*key, name)] += row._mapping[name]
    return +rows


async def usage_rows(engine: AsyncEngine) -> Sequence[Any]:
    """Return the whole table, in order."""
    async with engine.connect() as connection:
        return (await connection.execute(select(usage).order_by(*usage.primary_key))).all()
