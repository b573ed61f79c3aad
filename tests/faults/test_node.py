"""Whatever dies under a node, and whenever: every answered exchange has its record, and the node gets well."""

import asyncio
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.nodes import READ, Scene, scene
from tests.load import tell, under_load, until
from tests.postgres import PostgresServer, running_postgres

pytestmark = pytest.mark.faults

FULL = 4096


@pytest.fixture
def rounds() -> int:
    """A node takes its time to start: one round in `make test`, LGSP_FAULT_ROUNDS in `make faults`."""
    return int(os.environ.get("LGSP_FAULT_ROUNDS", "1"))


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server that may be crashed."""
    with running_postgres() as running:
        yield running


@pytest.fixture
def database(server: PostgresServer, request: pytest.FixtureRequest) -> str:
    name = f"faults_{abs(hash(request.node.name)) % 10**8}"
    server.run(f"CREATE DATABASE {name}")
    return server.database(name)


def summary(what: str, rounds: int, set_up: Scene, outcomes: dict[str, int]) -> None:
    told = ", ".join(f"{name} {number}" for name, number in sorted(outcomes.items()))
    tell(
        f"{what}: {rounds} rounds, {len(set_up.load.answers)} answered, {set_up.load.broken} cut, "
        f"{sum(outcomes.values())} exchanges recorded ({told}); chains verified, usage equals evidence"
    )


async def test_a_node_killed_under_load_has_recorded_whatever_it_answered(
    tmp_path: Path, rounds: int
) -> None:
    async with scene(tmp_path, seed=rounds) as it:
        async with under_load(it.load):
            for _ in range(rounds):
                await it.until_answered()
                await it.pause()
                it.node.process.kill()
                it.node.process.wait()
                await it.restart()
                await it.check()
            await it.until_answered()
        outcomes = await it.check()

        assert it.load.broken > 0
        # In a single round no write may have been under way.
        assert outcomes["unknown"] > 0 or rounds < 5
        assert it.load.statuses.keys() == {200}
        summary("node killed (SQLite)", rounds, it, outcomes)


async def test_a_worker_killed_under_load_is_replaced_and_nothing_is_lost(
    tmp_path: Path, database: str, rounds: int
) -> None:
    async with scene(tmp_path, database=database, seed=rounds, workers="2") as it:
        supervisor = psutil.Process(it.node.process.pid)
        async with under_load(it.load):
            for _ in range(rounds):
                await both_run(supervisor)
                await it.until_answered()
                await it.pause()
                it.rng.choice(supervisor.children()).kill()
                await it.until_answered()
            await both_run(supervisor)
            await it.pause()
        outcomes = await it.check()

        assert it.node.process.poll() is None
        assert it.load.statuses.keys() == {200}
        summary("worker killed (PostgreSQL)", rounds, it, outcomes)


async def both_run(supervisor: psutil.Process) -> None:
    """Wait until both workers are there, and hold their slots."""
    await until(lambda: len([it for it in supervisor.children() if it.num_threads() > 2]) == 2, 30)


async def test_a_crashed_database_stops_calls_before_the_provider_and_nothing_is_lost(
    tmp_path: Path, server: PostgresServer, database: str, rounds: int
) -> None:
    async with scene(tmp_path, database=database, seed=rounds) as it:
        async with under_load(it.load):
            for _ in range(rounds):
                await it.until_answered()
                await it.pause()
                await asyncio.to_thread(server.kill)
                try:
                    await it.until_answered(503)
                    await it.pause(0.2, 1.0)
                    assert (await it.node.http.get("/health/ready")).status_code == 503
                    assert (await it.node.http.get("/health/live")).status_code == 200
                finally:
                    await asyncio.to_thread(server.start)
                await it.until_answered()
        outcomes = await it.check()

        assert it.node.process.poll() is None
        assert_refused_before_the_provider(it)
        assert it.load.statuses.keys() == {200, 503}
        assert_cut_streams_only(it)
        summary("database crashed (PostgreSQL)", rounds, it, outcomes)


def assert_refused_before_the_provider(it: Scene) -> None:
    """Those who heard that nothing was sent are right, and the others that something was."""
    refused = {a.exchange for a in it.load.answers if a.status == 503 and b'"sent":false' in a.body}
    lost = {a.exchange for a in it.load.answers if a.status != 200 and b'"sent":true' in a.body}
    assert refused
    assert not refused & it.provider.seen
    assert lost <= it.provider.seen


def assert_cut_streams_only(it: Scene) -> None:
    """Whoever was told nothing had a stream that was cut before its last byte; all others were answered.

    Its record says so, or that all went well: when its COMMIT was under way and the database stayed away (see is_doubtful).
    """
    answered = {answer.exchange for answer in it.load.answers}
    cut = [outcome for exchange, outcome in it.outcomes.items() if exchange not in answered]
    assert it.load.broken == len(cut)
    assert set(cut) <= {"node_failure", "success"}


async def test_a_full_disk_stops_calls_before_the_provider_until_there_is_room(
    tmp_path: Path, rounds: int
) -> None:
    """The disk is a limit on the size of files, which SQLite meets as it meets a full disk."""
    async with scene(tmp_path, seed=rounds) as it:
        pid = it.node.process.pid
        async with under_load(it.load):
            for _ in range(rounds):
                await it.until_answered()
                await it.pause()
                _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL, resource.RLIM_INFINITY))
                await it.until_answered(503)
                await it.pause()
                assert (await it.node.http.get("/health/ready")).status_code == 503
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
                await it.until_answered()
                assert (await it.node.http.get("/health/ready")).status_code == 200
        outcomes = await it.check()

        assert_refused_before_the_provider(it)
        assert_cut_streams_only(it)
        summary("disk full (SQLite)", rounds, it, outcomes)


async def test_files_that_are_gone_stop_calls_before_the_provider_until_they_are_back(
    tmp_path: Path, rounds: int
) -> None:
    files = [tmp_path / name for name in ("ledger.db", "registry.db")]
    async with scene(tmp_path, seed=rounds) as it:
        it.load.requests = [call for call in it.load.requests if READ.encode() in call]
        async with under_load(it.load):
            for _ in range(rounds):
                await it.until_answered()
                for file in files:
                    file.rename(file.with_suffix(".away"))
                await it.until_answered(503)
                await it.pause()
                for file in files:
                    file.with_suffix(".away").rename(file)
                await it.until_answered()
        outcomes = await it.check()

        assert it.node.process.poll() is None
        assert_refused_before_the_provider(it)
        summary("files gone (SQLite)", rounds, it, outcomes)
