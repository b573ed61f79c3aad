"""Several workers on PostgreSQL: one node to its callers, a chain and a slot for each of them."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import psutil
import pytest

from registry.entities import Kind
from registry.sql.database import open_engine
from registry.sql.ledger import EvidenceReader
from registry.sql.workers import Workers
from tests.e2e.node import RunningNode, ready, running_node, start
from tests.factories import a_service, a_system, a_version, an_operation
from tests.faults.nodes import READ, WRITE, Scene, outcomes_of, scene
from tests.hostile import free_port
from tests.load import Answer, Load, request, under_load, until
from tests.postgres import PostgresServer


@pytest.fixture(scope="module")
async def it(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    """A node with two workers, for all tests of this file."""
    postgres_server.run("CREATE DATABASE workers")
    folder = tmp_path_factory.mktemp("workers")
    database = postgres_server.database("workers")
    async with scene(folder, database=database, workers="2", drain_seconds="5") as made:
        await until(lambda: len(workers_of(made.node)) == 2)
        yield made
    postgres_server.run("DROP DATABASE workers WITH (FORCE)")


def workers_of(node: RunningNode) -> dict[int, int]:
    """Return slot and process of the workers that take requests, as the log tells."""
    told = (json.loads(line) for line in node.log.read_text("utf-8").splitlines() if line.startswith("{"))
    found = {line["slot"]: line["pid"] for line in told if line["event"] == "worker.started"}
    return {slot: pid for slot, pid in found.items() if psutil.pid_exists(pid)}


def load_of(it: Scene, *requests: bytes, per_second: float = 150) -> Load:
    return Load(it.node.port, list(requests) or it.load.requests, per_second=per_second, connections=32)


async def slots_of(it: Scene, load: Load) -> dict[str, int]:
    """Return which worker recorded each exchange that was answered."""
    engine = open_engine(it.node.location.ledger)
    try:
        found = await EvidenceReader(engine).search(limit=1000)
    finally:
        await engine.dispose()
    answered = load.answered()
    return {each.record.exchange: each.slot for each in found.items if each.record.exchange in answered}


async def metrics_of(node: RunningNode) -> dict[str, float]:
    page = (await node.http.get("/metrics")).text
    lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


async def recorded(it: Scene) -> dict[str, str]:
    engine = open_engine(it.node.location.ledger)
    try:
        return await outcomes_of(EvidenceReader(engine))
    finally:
        await engine.dispose()


async def test_both_workers_answer_each_with_a_chain_of_its_own(it: Scene) -> None:
    seen: set[int] = set()
    for _ in range(10):  # which worker takes a connection is up to the kernel, and to chance
        async with under_load(load_of(it)) as load:
            await asyncio.sleep(0.8)
        slots = await slots_of(it, load)
        assert load.statuses.keys() == {200}
        assert len(slots) == len(load.answers)
        it.load.answers += load.answers
        seen |= set(slots.values())
        if seen == {0, 1}:
            break

    assert seen == {0, 1}
    await it.check()


async def test_metrics_are_those_of_all_workers_whoever_is_asked(it: Scene) -> None:
    await asyncio.sleep(1.2)  # gauges are brought up to date once a second
    exchanges = await recorded(it)
    seen = [await metrics_of(it.node) for _ in range(4)]

    for metrics in seen:
        counted = sum(v for name, v in metrics.items() if name.startswith("lgsp_exchanges_total{"))
        assert counted == len(exchanges)
        assert metrics["lgsp_ledger_records_total"] >= len(exchanges)
        assert metrics["lgsp_registry_revision"] == await it.node.registry.revision()
        assert metrics["lgsp_ledger_writable"] == 1
        assert 1 <= metrics["lgsp_connections"] < 50


async def test_a_change_reaches_both_workers_within_a_second(it: Scene) -> None:
    admin = await it.node.client("quản trị", role="node-admin")
    async with under_load(load_of(it, it.load.requests[0])) as load:
        await asyncio.sleep(0.5)
        await it.node.step(Kind.SERVICE, "DoanhNghiep", "block", reason="Kiểm thử")
        changed = time.monotonic()
        await asyncio.sleep(1.2)
    snapshot = (await admin.call("/admin/v1/snapshot")).json()
    await it.node.step(Kind.SERVICE, "DoanhNghiep", "unblock")
    slots = await slots_of(it, load)

    for slot in (0, 1):
        mine = [each for each in load.answers if slots.get(each.exchange) == slot]
        last = max(each.sent for each in mine if each.status == 200)
        assert last - changed < 1.0
        assert {each.status for each in mine if each.sent > last} == {503}
    assert {each["worker"]: each["revision"] for each in snapshot["workers"]} == {
        "H99/0": snapshot["revision"],
        "H99/1": snapshot["revision"],
    }


async def a_limited_consumer(it: Scene, name: str, **quota: int) -> bytes:
    """Register a consumer with a quota, and return its call."""
    await it.node.add(Kind.SERVICE, a_service(name))
    await it.node.add(Kind.VERSION, a_version(name))
    await it.node.step(Kind.VERSION, f"{name}/1.0", "publish")
    await it.node.add(Kind.SYSTEM, a_system(f"H99:{name.lower()}"))
    await it.node.grant(name, f"H99:{name.lower()}", quota=quota)
    caller = await it.node.client(name, system=f"H99:{name.lower()}")
    return request(f"/{name}/1.0/chiTietDoanhNghiep", await caller.fetch_token())


async def test_a_quota_per_second_is_split_among_the_workers(it: Scene) -> None:
    call = await a_limited_consumer(it, "Giay", per_second=20)

    began = time.monotonic()
    async with under_load(load_of(it, call)) as load:
        await asyncio.sleep(2)
    seconds = time.monotonic() - began

    assert load.statuses.keys() == {200, 429}
    # A full bucket at the beginning, and what flows in.
    assert 20 < load.statuses[200] <= 20 + 20 * seconds + 2


async def test_a_quota_per_day_holds_over_all_workers(it: Scene) -> None:
    call = await a_limited_consumer(it, "Ngay", per_second=1000, per_day=40)

    async with under_load(load_of(it, call, per_second=40)) as load:
        await until(lambda: load.statuses[429] > 20)
    await asyncio.sleep(1.2)
    async with under_load(load_of(it, call)) as later:
        await asyncio.sleep(0.5)

    # Each worker knows the other's calls of up to a second ago.
    assert 40 <= load.statuses[200] <= 40 + 40
    assert later.statuses.keys() == {429}


async def test_violations_that_several_workers_count_are_summed(it: Scene) -> None:
    page = {"name": "trang", "at": "query", "schema": {"type": "integer", "minimum": 1}}
    await it.node.offer(
        "SoLanSai",
        operations=[an_operation("danhSach", "/danhSach", parameters=[page])],
        checks={"request": "shadow"},
    )
    await it.node.grant("SoLanSai", "H99:mot-cua", quota={"per_second": 1000})
    admin = await it.node.client("quản trị vi phạm", role="node-admin")
    caller = await it.node.client("người sai", system="H99:mot-cua")
    call = request("/SoLanSai/1.0/danhSach?trang=0", await caller.fetch_token())
    answers: list[Answer] = []
    slots: set[int] = set()
    for _ in range(10):  # as above: which worker takes a connection is up to chance
        async with under_load(load_of(it, call)) as load:
            await asyncio.sleep(0.4)
        answers += load.answers
        slots |= set((await slots_of(it, load)).values())
        if slots == {0, 1}:
            break

    listed: list[dict[str, Any]] = []
    for _ in range(80):  # counts become durable once in a few seconds
        listed = (await admin.call("/admin/v1/services/SoLanSai/violations")).json()["items"]
        if sum(each["count"] for each in listed) >= len(answers):
            break
        await asyncio.sleep(0.2)
    (found,) = listed

    assert slots == {0, 1}
    assert {each.status for each in answers} == {200}
    assert (found["count"], found["pointer"], found["rule"], found["mode"]) == (
        len(answers), "/trang", "minimum", "shadow"
    )  # fmt: skip


async def test_a_killed_worker_is_replaced_in_its_slot_and_has_lost_nothing(it: Scene) -> None:
    before = workers_of(it.node)
    writes = [call for call in it.load.requests if WRITE.encode() in call]
    async with under_load(load_of(it, *writes)) as load:
        await until(lambda: len(load.answers) > 50)
        os.kill(before[0], signal.SIGKILL)
        await until(lambda: 0 in workers_of(it.node) and workers_of(it.node)[0] != before[0])
        await asyncio.sleep(0.5)
    await asyncio.sleep(1.2)
    exchanges, metrics = await recorded(it), await metrics_of(it.node)
    revision = await it.node.registry.revision()
    admin = await it.node.client("quản trị sau", role="node-admin")
    running = (await admin.call("/admin/v1/snapshot")).json()["workers"]

    assert workers_of(it.node)[1] == before[1]
    assert load.statuses.keys() == {200}
    assert {exchanges[each] for each in load.answered()} == {"success"}
    assert it.provider.written <= exchanges.keys()
    assert [each["worker"] for each in running] == ["H99/0", "H99/1"]
    # The dead one's connections and revision are gone with it.
    assert metrics["lgsp_connections"] < 50
    assert metrics["lgsp_registry_revision"] == revision
    assert "killed by SIGKILL" in it.node.log.read_text("utf-8")


async def test_sigterm_lets_all_workers_finish(it: Scene) -> None:
    workers = workers_of(it.node)
    async with under_load(load_of(it)) as load:
        await until(lambda: len(load.answers) > 50)
        it.node.process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(it.node.process.wait, 20)
        load.stopping = True
    exchanges = await recorded(it)

    assert code == 0
    assert not any(psutil.pid_exists(pid) for pid in workers.values())
    assert load.answered() <= exchanges.keys()
    assert set(exchanges.values()) <= {"success", "refused", "unavailable", "unknown"}
    assert last_event(it.node) == "node.stopped"


def last_event(node: RunningNode) -> Any:
    return json.loads(node.log.read_text("utf-8").splitlines()[-1])["event"]


async def test_workers_end_by_themselves_when_their_supervisor_is_killed(
    postgres_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with scene(tmp_path_factory.mktemp("orphans"), database=postgres_database, workers="2") as it:
        await until(lambda: len(workers_of(it.node)) == 2)
        workers = [psutil.Process(pid) for pid in workers_of(it.node).values()]
        async with under_load(
            load_of(it, *[call for call in it.load.requests if READ.encode() in call])
        ) as load:
            await until(lambda: len(load.answers) > 20)
            it.node.process.kill()
            it.node.process.wait()
            _, alive = await asyncio.to_thread(psutil.wait_procs, workers, 15)
            load.stopping = True
        exchanges = await recorded(it)

    assert alive == []
    assert load.answered() <= exchanges.keys()


async def test_a_second_machine_on_the_same_database_takes_slots_of_its_own(
    postgres_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("machines")
    async with running_node(folder, database=postgres_database, empty=True) as first:
        port = free_port()
        environment = first.environment | {"LGSP_LISTEN": f"127.0.0.1:{port}", "LGSP_ISSUER": first.base}
        second = start(environment, folder / "second.log")
        try:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                await ready(http, second, folder / "second.log")
                engine = open_engine(first.location.registry)
                running = await Workers(engine).running()
                await engine.dispose()
        finally:
            second.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(second.wait, 20)

    assert code == 0
    assert [each.worker for each in running] == ["H99/0", "H99/1"]
