"""A description alone makes a sandbox: its callers get invented people, and order faults that nobody else can."""

from pathlib import Path
from typing import Any

from registry.entities import Kind
from tests.e2e.node import Caller, RunningNode, running_node
from tests.factories import a_service, a_version
from tests.unit.connectors.test_mock import BY_SCHEMA


async def a_caller(node: RunningNode, environment: str) -> Caller:
    return await node.client(f"may-{environment}", system="H99:mot-cua", environment=environment)


async def offer(node: RunningNode) -> None:
    endpoint: dict[str, Any] = {"connector": "mock", "settings": {"description": BY_SCHEMA}}
    await node.add(Kind.SERVICE, a_service("CongDan"))
    version = a_version(
        "CongDan",
        endpoints={"production": endpoint, "sandbox": endpoint},
        operations=[{"name": "traCuu", "path": "/cong-dan/{so}"}],
    )
    made = await node.add(Kind.VERSION, version)
    await node.step(Kind.VERSION, made.id, "publish")
    await node.grant("CongDan", environments=["production", "sandbox"])


async def test_faults_are_for_the_sandbox(tmp_path: Path) -> None:
    async with running_node(tmp_path / "node") as node:
        await offer(node)
        sandbox, production = await a_caller(node, "sandbox"), await a_caller(node, "production")
        address = "/CongDan/1.0/cong-dan/999000000001"
        person = await sandbox.call(address)
        again = await sandbox.call(address)
        refused = await sandbox.call(address, headers={"mock-fault": "unreachable"})
        real = await production.call(address, headers={"mock-fault": "unreachable"})

    assert person.status_code == 200
    assert person.headers["mock"] == "invented"
    assert person.json()["soDinhDanh"] == "999000000001"
    assert again.json() == person.json()
    assert refused.status_code == 502
    assert real.status_code == 200
