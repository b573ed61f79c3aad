"""A process whose disk fills up while it writes evidence, and is emptied again.

The disk is a limit on the size of files, which SQLite meets as it meets a full disk. Writes what it saw as JSON.
"""

import asyncio
import json
import resource
import sys
from pathlib import Path

from registry.errors import LedgerUnavailable
from registry.sql.ledger import open_ledger
from registry.writer import LedgerWriter
from tests.records import a_record, until_writable

FULL = 4096


def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def append(ledger: LedgerWriter, seen: dict[str, list[str]]) -> bool:
    record = a_record()
    try:
        await ledger.append(record)
    except LedgerUnavailable:
        seen["refused"].append(record.exchange)
        return False
    seen["answered"].append(record.exchange)
    return True


async def main(url: str, data_dir: str) -> None:
    seen: dict[str, list[str]] = {"answered": [], "refused": []}
    async with open_ledger(url, node="H26", slot=0, data_dir=Path(data_dir)) as ledger:
        for _ in range(20):
            await append(ledger, seen)
        limit(FULL)
        refused = not await append(ledger, seen)
        while_full = ledger.writable
        refused_again = not await append(ledger, seen)
        limit(resource.RLIM_INFINITY)
        await until_writable(ledger)
        recovered = await append(ledger, seen)
    saw = {
        "refused_at_first": refused,
        "writable": while_full,
        "again": refused_again,
        "recovered": recovered,
    }
    sys.stdout.write(json.dumps(seen | saw))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
