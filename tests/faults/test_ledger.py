"""Whatever dies, and whenever: what was acknowledged is there, and the chain holds."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from registry.errors import SlotTaken
from registry.sql.database import Location, location, open_engine, upgrade
from registry.sql.ledger import EvidenceReader, UsageReader, open_ledger
from registry.sql.ledger_keys import open_signer
from tests.load import tell
from tests.postgres import PostgresServer, running_postgres
from tests.records import seeded

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
NODE = "H26"


@dataclass
class Acknowledged:
    """What a writer has said to be durable."""

    opened: set[str] = field(default_factory=set)
    finals: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    def read(self, output: bytes) -> None:
        # The last line may be cut short by the kill.
        for line in output.decode().split("\n")[:-1]:
            match line.split():
                case ["open", exchange]:
                    self.opened.add(exchange)
                case ["final", exchange, outcome]:
                    self.finals[exchange] = outcome
                case ["refused", exchange]:
                    self.refused.add(exchange)
                case _:
                    assert not line


def start_load(where: Location, data_dir: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.ledger_load", where.ledger, str(data_dir)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def read_on(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Read what a process says for some time, so that its pipe never fills."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    said, until = b"", time.monotonic() + seconds
    while time.monotonic() < until:
        said += process.stdout.read() or b""
        time.sleep(0.005)
    return said


def kill_after(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    said = read_on(process, seconds)
    process.kill()
    return said + rest_of(process)


def rest_of(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), True)
    said = process.stdout.read()
    process.stdout.close()
    process.wait(10)
    return said


async def check(where: Location, acknowledged: Acknowledged) -> Counter[str]:
    """Check all promises at once, and return how exchanges ended."""
    engine = open_engine(where.ledger)
    try:
        reader, counts = EvidenceReader(engine), UsageReader(engine)
        await reader.verify()
        outcomes = await final_outcomes(reader)
        for exchange, outcome in acknowledged.finals.items():
            assert outcomes[exchange] == outcome
        assert acknowledged.opened <= outcomes.keys()
        for exchange in acknowledged.refused & outcomes.keys():
            assert outcomes[exchange] != "success" or exchange in acknowledged.finals
        rebuilt = await counts.rebuild()
        assert (rebuilt.records, rebuilt.corrected) == (len(outcomes), 0)
        return Counter(outcomes.values())
    finally:
        await engine.dispose()


async def final_outcomes(reader: EvidenceReader) -> dict[str, str]:
    outcomes: dict[str, str] = {}
    cursor = None
    while True:
        page = await reader.search(cursor=cursor, limit=1000)
        for each in page.items:
            assert each.record.exchange not in outcomes, "an exchange has two ends"
            outcomes[each.record.exchange] = str(each.record.outcome)
        cursor = page.next
        if cursor is None:
            return outcomes


async def test_a_writer_killed_under_load_loses_nothing_it_has_acknowledged(
    database_location: Location, tmp_path: Path, rounds: int
) -> None:
    acknowledged, rng = Acknowledged(), seeded(rounds)
    outcomes: Counter[str] = Counter()
    for done in range(1, rounds + 1):
        process = await asyncio.to_thread(start_load, database_location, tmp_path)
        acknowledged.read(await asyncio.to_thread(kill_after, process, rng.uniform(0.1, 0.6)))
        signer = await open_signer(database_location.ledger, bytes(32), node=NODE)
        async with open_ledger(database_location.ledger, node=NODE, slot=0, data_dir=tmp_path, signer=signer):
            pass
        # All of it is checked each time: ever more rarely, as it takes ever longer.
        if done % (1 + done // 20) == 0 or done == rounds:
            outcomes = await check(database_location, acknowledged)

    assert len(acknowledged.finals) > 100 * rounds
    # Whether something is open in the moment of a kill is left to chance.
    assert outcomes["unknown"] > 0 or rounds < 5
    assert not acknowledged.refused
    summary("writer killed", rounds, acknowledged, outcomes)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


async def test_a_database_killed_under_load_loses_nothing_and_the_writer_recovers(
    own_server: PostgresServer, tmp_path: Path, rounds: int
) -> None:
    where = location(own_server.url, tmp_path)
    await upgrade(where)
    acknowledged, rng = Acknowledged(), seeded(rounds)
    process = await asyncio.to_thread(start_load, where, tmp_path)
    try:
        for _ in range(rounds):
            said = await asyncio.to_thread(crash_and_restart, own_server, process, rng)
            acknowledged.read(said)
        process.send_signal(signal.SIGTERM)
        acknowledged.read(await asyncio.to_thread(rest_of, process))
    finally:
        process.kill()
    assert process.returncode == 0

    outcomes = await check(where, acknowledged)

    assert acknowledged.refused
    assert outcomes["node_failure"] > 0
    assert outcomes["unknown"] == 0
    summary("writer's database crashed", rounds, acknowledged, outcomes)


def summary(what: str, rounds: int, acknowledged: Acknowledged, outcomes: Counter[str]) -> None:
    tell(
        f"{what}: {rounds} rounds, {len(acknowledged.finals)} acknowledged, {outcomes.total()} recorded; "
        "chain verified, usage equals evidence"
    )


def crash_and_restart(server: PostgresServer, process: subprocess.Popen[bytes], rng: random.Random) -> bytes:
    said = read_on(process, rng.uniform(0.2, 0.6))
    server.kill()
    said += read_on(process, rng.uniform(0.1, 1.2))
    server.start()
    return said + read_on(process, 2.0)


async def test_a_full_disk_is_said_and_gets_well_by_itself(sqlite_location: Location, tmp_path: Path) -> None:
    answer = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.faults.ledger_disk_full", sqlite_location.ledger, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )
    seen = json.loads(answer.stdout)

    assert (len(seen["answered"]), len(seen["refused"])) == (21, 2)
    assert seen["refused_at_first"]
    assert not seen["writable"]
    assert seen["again"]
    assert seen["recovered"]
    engine = open_engine(sqlite_location.ledger)
    reader = EvidenceReader(engine)
    outcomes = await final_outcomes(reader)
    await reader.verify()
    await engine.dispose()
    assert {outcomes[exchange] for exchange in seen["answered"]} == {"success"}
    assert {outcomes[exchange] for exchange in seen["refused"]} == {"node_failure"}


async def test_two_processes_never_write_one_chain(database_location: Location, tmp_path: Path) -> None:
    process = await asyncio.to_thread(start_load, database_location, tmp_path)
    try:
        with pytest.raises(SlotTaken):
            async with open_ledger(database_location.ledger, node=NODE, slot=0, data_dir=tmp_path):
                pass
        process.send_signal(signal.SIGTERM)
        acknowledged = Acknowledged()
        acknowledged.read(await asyncio.to_thread(rest_of, process))
    finally:
        process.kill()

    assert process.returncode == 0
    outcomes = await check(database_location, acknowledged)
    assert outcomes.total() == len(acknowledged.finals)
