"""How fast evidence becomes durable by itself: the node's own writer, signed batches, one SQLite file.

`python -m bench.ledger FOLDER WAITERS SECONDS` has so many waiters append one record after the other, and prints JSON.
"""

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Final

import uvloop

from bench.load import percentile
from bench.processes import Process, module
from registry.evidence import Delivered, Outcome, Record
from registry.ids import uuid7
from registry.sql.database import location, open_engine, upgrade
from registry.sql.ledger import EvidenceReader, open_ledger
from registry.sql.ledger_keys import open_signer

NODE: Final = "BENCH"
SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
KEY_BYTES: Final = 32
CONSUMERS: Final = 10


def measure_ledger(folder: Path, core: int | None, waiters: int, seconds: float) -> dict[str, float]:
    """Return records per second, CPU time of each, and how long a waiter waits."""
    with Process(module("bench.ledger", str(folder), str(waiters), str(seconds)), core=core) as process:
        found: dict[str, float] = json.loads(process.hear())
    return found


async def measured(folder: Path, waiters: int, seconds: float) -> dict[str, float]:
    """Append records for a while, and verify that all of them are there."""
    where = location(None, folder)
    await upgrade(where)
    signer = await open_signer(where.ledger, os.urandom(KEY_BYTES), node=NODE)
    waited: list[int] = []
    async with open_ledger(where.ledger, node=NODE, data_dir=folder, signer=signer) as ledger:

        async def wait(until: float, consumer: str) -> None:
            while time.monotonic() < until:
                began = time.perf_counter_ns()
                await ledger.append(_record(consumer), os.urandom(SALT_BYTES))
                waited.append(time.perf_counter_ns() - began)

        began, cpu = time.monotonic(), _cpu_seconds()
        async with asyncio.TaskGroup() as tasks:
            for number in range(waiters):
                tasks.create_task(wait(began + seconds, f"consumer-{number % CONSUMERS}"))
        took, cpu = time.monotonic() - began, _cpu_seconds() - cpu
        batches = ledger.counters.batches
    await _verify(where.ledger, len(waited))
    waited.sort()
    return {
        "us_cpu": round(cpu * 1e6 / len(waited), 1),
        "rps": round(len(waited) / took, 1),
        "p50_ms": round(percentile(waited, 0.5) / 1e6, 3),
        "p99_ms": round(percentile(waited, 0.99) / 1e6, 3),
        "per_batch": round(len(waited) / batches, 1),
    }


async def _verify(url: str, records: int) -> None:
    engine = open_engine(url)
    try:
        found = await EvidenceReader(engine).verify()
    finally:
        await engine.dispose()
    if found.records != records:
        raise RuntimeError(f"{records} records were acknowledged, {found.records} are there")


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _record(consumer: str) -> Record:
    """Return what the pipeline records of an exchange, all of it invented."""
    return Record(
        kind="final", exchange=uuid7(), at=time.time_ns() // 1000, node=NODE, environment="production",
        client="client-0", consumer=consumer, provider="provider-0", service="service-0", version="version-0",
        operation="any", counts=True, mode="lgsp", purpose="bench", procedure="1.000001", officer="officer-1",
        officer_rule="asserted", grant="grant-0", revision=7, outcome=Outcome.SUCCESS, status=200,
        delivered=Delivered.YES, sent=True, reply_bytes=1024, request_commitment=os.urandom(HASH_BYTES),
        reply_commitment=os.urandom(HASH_BYTES), gateway_us=700, provider_us=300, total_us=1000,
    )  # fmt: skip


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        made = runner.run(measured(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
    print(json.dumps(made), flush=True)
