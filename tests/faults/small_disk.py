"""A process with a small disk of its own: evidence is written to it, the disk is filled, emptied, or cannot be written to.

To be run in a mount namespace of its own (`unshare --map-root-user --mount`, or as root `unshare --mount`): the disk is a tmpfs
that nobody else sees and that goes with the process. Writes what it saw as JSON.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from registry.errors import LedgerUnavailable, RegistryError
from registry.sql.database import Location, location, open_engine, upgrade
from registry.sql.evidence import EvidenceReader
from registry.sql.ledger import open_ledger
from registry.writer import LedgerWriter
from tests.postgres import running_postgres
from tests.records import a_record, until_writable

MEGABYTES = {"sqlite": 8, "postgresql": 200}
PIECE = b"\0" * 65_536
MANY = 4_000
"""More records than fit what a database has set aside before it needs the disk again."""


def mount(folder: Path, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def remount(folder: Path) -> None:
    """Let nobody write to the disk any more."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)  # noqa: S607


def fill(file: Path) -> None:
    """Take all the room that is left."""
    with file.open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(PIECE):
            pass
    with file.open("ab", buffering=0) as filler, suppress(OSError):
        while filler.write(b"\0"):
            pass


async def append(ledger: LedgerWriter, seen: dict[str, Any], *, note: bool = True) -> bool:
    record = a_record()
    try:
        await ledger.append(record)
    except LedgerUnavailable as error:
        if note:
            seen["refused"].append(record.exchange)
            seen["said"].append(str(error))
        return False
    seen["answered"].append(record.exchange)
    return True


async def filled_and_emptied(where: Location, folder: Path) -> dict[str, Any]:
    seen: dict[str, Any] = {"answered": [], "refused": [], "said": []}
    data = folder / "data"
    data.mkdir(mode=0o700)
    await upgrade(where)
    async with open_ledger(where.ledger, node="H26", slot=0, data_dir=data) as ledger:
        for _ in range(20):
            await append(ledger, seen)
        fill(folder / "filler")
        before = 0
        while before < MANY and await append(ledger, seen):
            before += 1
        seen["until_full"] = before
        seen["writable_while_full"] = ledger.writable
        seen["again"] = await append(ledger, seen)
        (folder / "filler").unlink()
        await until_writable(ledger)
        seen["recovered"] = await append(ledger, seen)
    engine = open_engine(where.ledger)
    reader = EvidenceReader(engine)
    seen["outcomes"] = {
        exchange: [it.record.outcome for it in await reader.get(exchange) if it.record.kind == "final"]
        for exchange in [*seen["answered"][:20], *seen["answered"][-20:], *seen["refused"]]
    }
    seen["records"] = (await reader.verify()).records
    await engine.dispose()
    return seen


@contextmanager
def database(kind: str, folder: Path) -> Iterator[Location]:
    if kind == "sqlite":
        yield location(None, folder)
        return
    tempfile.tempdir = str(folder)
    with running_postgres() as server:
        yield location(server.url, folder)


async def cannot_be_written(folder: Path) -> dict[str, Any]:
    """Look at a ledger on a disk that was made read-only while nobody had it open."""
    where = location(None, folder)
    await upgrade(where)
    remount(folder)
    try:
        async with open_ledger(where.ledger, node="H26", slot=0, data_dir=folder) as ledger:
            await ledger.append(a_record())
    except (RegistryError, OSError) as error:
        return {"said": f"{type(error).__name__}: {error}"}
    return {"said": "written"}


def main(kind: str, folder: Path) -> None:
    mount(folder, f"size={MEGABYTES.get(kind, 8)}m,mode=1777")
    if kind == "read-only":
        seen = asyncio.run(cannot_be_written(folder))
    else:
        with database(kind, folder) as where:
            seen = asyncio.run(filled_and_emptied(where, folder))
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
