"""Builders of evidence for tests; everything in them is invented."""

import asyncio
import random
from typing import Any

from registry.evidence import Delivered, Outcome, Record
from registry.ids import uuid7
from registry.writer import LedgerWriter

NOON_US = 1_790_000_000_000_000
"""A moment in September 2026."""

CONSUMERS = tuple(f"consumer-{i}" for i in range(4))
PROVIDERS = tuple(f"provider-{i}" for i in range(2))


def a_record(**given: Any) -> Record:
    """Return a final record of a successful look-up."""
    values: dict[str, Any] = {
        "kind": "final",
        "exchange": uuid7(),
        "at": NOON_US,
        "node": "H26",
        "environment": "production",
        "client": "client-0",
        "consumer": CONSUMERS[0],
        "provider": PROVIDERS[0],
        "service": "service-0",
        "version": "version-0",
        "operation": "lookup",
        "counts": True,
        "national_database": "database-0",
        "mode": "lgsp",
        "grant": "grant-0",
        "revision": 7,
        "outcome": Outcome.SUCCESS,
        "status": 200,
        "delivered": Delivered.YES,
        "sent": True,
        "request_bytes": 100,
        "reply_bytes": 1000,
        "gateway_us": 200,
        "provider_us": 1300,
        "total_us": 1500,
    }
    return Record(**(values | given))


def an_open(**given: Any) -> Record:
    """Return the record that is committed before a provider is called."""
    values = {"kind": "open", "outcome": "", "status": 0, "delivered": "", "sent": False, "reply_bytes": 0}
    return a_record(**(values | given))


def a_random_record(rng: random.Random, **given: Any) -> Record:
    """Return one of many kinds of final record."""
    values: dict[str, Any] = {
        "at": NOON_US + rng.randrange(72 * 3600) * 1_000_000,
        "environment": rng.choice(["production", "production", "sandbox"]),
        "consumer": rng.choice(CONSUMERS),
        "provider": rng.choice(PROVIDERS),
        "operation": rng.choice(["lookup", "search", ""]),
        "counts": rng.random() < 0.8,
        "national_database": rng.choice(["database-0", "database-1", ""]),
        "mode": rng.choice(["lgsp", "ngsp"]),
        "grant": rng.choice(["grant-0", "grant-1"]),
        "outcome": rng.choice(list(Outcome)),
        "delivered": rng.choice(list(Delivered)),
        "request_bytes": rng.randrange(2000),
        "reply_bytes": rng.randrange(100_000),
        "total_us": int(rng.lognormvariate(9, 2)),
    }
    return a_record(**(values | given))


def seeded(seed: int) -> random.Random:
    """Return a generator that gives the same numbers in every run."""
    return random.Random(seed)  # noqa: S311  (repeatable is the point)


async def until_writable(ledger: LedgerWriter) -> None:
    """Wait until the ledger has recovered by itself."""
    async with asyncio.timeout(15):
        while not ledger.writable:  # noqa: ASYNC110  (nobody but the writer's thread knows when)
            await asyncio.sleep(0.05)
