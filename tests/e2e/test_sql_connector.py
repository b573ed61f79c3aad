"""A database becomes a service: a consumer's program calls a real node, which asks real databases."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.databases import PASSWORD, READER, WRITER, Database
from tests.e2e.node import Caller, RunningNode, running_node
from tests.unit.connectors.test_sql import INSERT, ONE, many, sleep

OPERATIONS = [
    {"name": "traCuu", "path": "/cong-dan/{so}"},
    {"name": "nhieu", "path": "/nhieu"},
    {"name": "cho", "path": "/cho"},
    {"name": "ghi", "path": "/ghi", "method": "POST", "effect": "write"},
    {"name": "ghiLen", "path": "/ghi-len", "method": "POST"},
    {"name": "xoa", "path": "/xoa", "method": "POST", "effect": "write"},
]
REMOVE = {
    "text": "DELETE FROM ho_tich WHERE so_dinh_danh = :so",
    "parameters": {"so": {"at": "pointer:/so"}},
    "result": "count",
    "writes": True,
}


@pytest.fixture(scope="module")
async def node(
    tmp_path_factory: pytest.TempPathFactory, postgresql_provider: Database, mariadb_provider: Database
) -> AsyncIterator[RunningNode]:
    """A node with a service on each database; MariaDB is reached through TLS."""
    folder = tmp_path_factory.mktemp("sql")
    (folder / "G99").mkdir()
    (folder / "G99" / "ho-tich").write_text(PASSWORD)
    bindings = folder / "secrets.toml"
    bindings.write_text('[G99.mat-khau]\nfile = "ho-tich"\nhosts = ["127.0.0.1"]\n')
    async with running_node(folder / "node", secrets_file=str(bindings)) as running:
        await publish(running, postgresql_provider)
        await publish(
            running,
            mariadb_provider,
            tls=True,
            tls_name="csdl.demo.invalid",
            tls_authority=mariadb_provider.tls_authority,
        )
        yield running


async def publish(node: RunningNode, database: Database, **given: Any) -> None:
    one = ONE | {"parameters": {"so": {"at": "path:so"}}, "path": "/cong-dan/{so}"}
    statements = {
        "traCuu": one,
        "nhieu": many(database.kind),
        "cho": sleep(database.kind, seconds=0.3),
        "ghi": INSERT,
        "ghiLen": INSERT,
        "xoa": REMOVE,
    }
    settings = database.settings(role=WRITER, statements=statements, **given)
    name = path(database, "").split("/")[1]
    await node.offer(
        name,
        endpoint={"connector": "sql", "settings": settings, "deadline_seconds": 20},
        operations=OPERATIONS,
        success_rule={"nothing_found": [{"at": "status", "equals": ["404"]}]},
    )
    await node.grant(name)


@pytest.fixture
async def caller(node: RunningNode) -> Caller:
    return await node.client(f"mot-cua-{time.monotonic_ns()}", system="H99:mot-cua")


def path(database: Database, rest: str) -> str:
    return f"/HoTich{database.kind.capitalize()}/1.0{rest}"


async def test_a_consumer_looks_a_person_up(caller: Caller, provider_database: Database) -> None:
    found = await caller.call(path(provider_database, "/cong-dan/001099000001"))
    missing = await caller.call(path(provider_database, "/cong-dan/000000000000"))
    hostile = await caller.call(path(provider_database, "/cong-dan/'%20OR%20'1'='1"))

    assert found.status_code == 200
    assert found.json()["hoTen"] == "Nguyễn Thị Ngọc Ánh"
    assert found.json()["lePhi"] == "1234567890123.45"
    assert missing.status_code == hostile.status_code == 404
    assert missing.json()["code"] == "nothing-found"


async def test_a_consumer_writes_and_is_told_of_conflicts(
    caller: Caller, provider_database: Database
) -> None:
    person = {"so": "001099000077", "ten": "Phạm Thị Lan"}
    written = await caller.call(path(provider_database, "/ghi"), "POST", json=person)
    again = await caller.call(path(provider_database, "/ghi"), "POST", json=person)
    removed = await caller.call(path(provider_database, "/xoa"), "POST", json=person)

    assert (written.status_code, written.json()) == (200, {"affected": 1})
    assert again.status_code == 409
    assert "Lan" not in again.text
    assert removed.json() == {"affected": 1}


async def test_an_operation_that_does_not_say_so_writes_nothing(
    caller: Caller, provider_database: Database
) -> None:
    answer = await caller.call(path(provider_database, "/ghi-len"), "POST", json={"so": "1", "ten": "X"})
    rows = await provider_database.run("SELECT count(*) FROM ho_tich")

    assert answer.status_code == 502
    assert rows == [(2,)]


async def test_a_large_result_is_streamed_to_the_consumer(
    caller: Caller, provider_database: Database
) -> None:
    answer = await caller.call(path(provider_database, "/nhieu?n=100000"), timeout=60)

    assert answer.status_code == 200
    assert "content-length" not in answer.headers
    assert [row["stt"] for row in answer.json()] == list(range(1, 100_001))


async def test_a_statement_that_takes_too_long_is_a_gateway_timeout(
    caller: Caller, provider_database: Database
) -> None:
    answer = await caller.call(path(provider_database, "/cho?s=10"))
    after = await caller.call(path(provider_database, "/cong-dan/001099000001"))

    assert answer.status_code == 504
    assert answer.json()["sent"] is True
    assert after.status_code == 200


async def test_nothing_of_the_database_is_in_the_nodes_log(node: RunningNode, caller: Caller) -> None:
    log = node.log.read_text("utf-8")

    for word in (PASSWORD, READER, "SELECT", "001099", "Nguyễn"):
        assert word not in log
