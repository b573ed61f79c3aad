"""A process that records a random day: many consumers, services and outcomes, streams that end, are cut or never end.

It says `ready`, then goes on until it is killed.
"""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

from registry.evidence import Delivered, Outcome, Record
from registry.sql.ledger import open_ledger
from registry.writer import LedgerWriter
from tests.records import NOON_US, a_random_record, seeded

CALLERS = 24
DAY_US = 24 * 3600 * 1_000_000


def a_call(rng: Random) -> Record:
    """Return how one of the day's calls ends."""
    record = a_random_record(
        rng,
        at=NOON_US + rng.randrange(DAY_US),
        consumer=f"consumer-{rng.randrange(40)}",
        service=f"service-{rng.randrange(12)}",
        version=f"version-{rng.randrange(3)}",
    )
    if rng.random() < 0.2:
        return replace(record, subject=f"{rng.randrange(50):064x}", subject_key="key")
    return record


async def carry(ledger: LedgerWriter, rng: Random) -> None:
    """Record one call: a third of them are streamed, and some of those are cut."""
    final = a_call(rng)
    if rng.random() < 0.35:
        opened = replace(final, kind="open", outcome="", reason="", status=0, delivered="", reply_bytes=0)
        await ledger.append(opened)
        await asyncio.sleep(rng.random() * 0.02)
        if rng.random() < 0.3:
            final = replace(final, outcome=Outcome.UNKNOWN, delivered=Delivered.CUT, reply_bytes=17)
    await ledger.append(final, rng.randbytes(16))


async def main(url: str, folder: str, seed: str) -> None:
    async with open_ledger(url, node="H26", data_dir=Path(folder)) as ledger:
        os.write(1, b"ready\n")

        async def caller(number: int) -> None:
            rng = seeded(int(seed) * CALLERS + number)
            while True:
                await carry(ledger, rng)

        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(caller(number))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
