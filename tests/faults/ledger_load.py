"""A process that writes evidence as fast as it is acknowledged, and says on standard output what was.

One line for each: `open ID`, `final ID OUTCOME`, or `refused ID`. Ends well on SIGTERM.
"""

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from registry.errors import LedgerUnavailable
from registry.evidence import Outcome, Record
from registry.sql.ledger import open_ledger
from registry.sql.ledger_keys import open_signer
from registry.writer import LedgerWriter
from tests.records import CONSUMERS, a_record, an_open

CALLERS = 32
OUTCOMES = (Outcome.SUCCESS, Outcome.BUSINESS_FAILURE, Outcome.REFUSED)


def say(*words: str) -> None:
    os.write(1, (" ".join(words) + "\n").encode())


async def call(ledger: LedgerWriter, number: int) -> None:
    """Record one exchange as the pipeline does; every third one is streamed."""
    outcome = OUTCOMES[number % len(OUTCOMES)]
    record = a_record(at=time.time_ns() // 1000, consumer=CONSUMERS[number % 4], outcome=outcome)
    try:
        if number % 3 == 1:
            record = await open_record(ledger, record)
        await ledger.append(record, b"salt")
        say("final", record.exchange, record.outcome)
    except LedgerUnavailable:
        say("refused", record.exchange)
        await asyncio.sleep(0.01)


async def open_record(ledger: LedgerWriter, record: Record) -> Record:
    """Make the open record durable, and return the final one: a refusal when that failed."""
    try:
        await ledger.append(replace(an_open(), exchange=record.exchange, at=record.at), b"salt")
    except LedgerUnavailable:
        return replace(record, outcome=Outcome.NODE_FAILURE, reason="ledger-unavailable", sent=False)
    say("open", record.exchange)
    await asyncio.sleep(0.002)
    return record


async def main(url: str, data_dir: str) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)

    async def caller(first: int) -> None:
        number = first
        while not stopped.is_set():
            await call(ledger, number)
            number += CALLERS + 1

    signer = await open_signer(url, bytes(32), node="H26")
    async with open_ledger(url, node="H26", slot=0, data_dir=Path(data_dir), signer=signer) as ledger:
        say("ready")
        async with asyncio.TaskGroup() as group:
            for first in range(CALLERS):
                group.create_task(caller(first))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
