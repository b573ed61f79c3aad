"""A description alone makes a sandbox: its callers get invented people, and order faults that nobody else can."""

import time
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import anyio.to_thread
import pytest
import requests
from zeep import Client
from zeep.transports import Transport

from connectors.builtin.mock.people import person
from registry.entities import Kind
from tests.e2e.node import Caller, RunningNode, running_node
from tests.factories import a_service, a_version
from tests.soap import NS, a_wsdl
from tests.unit.connectors.test_mock import BY_SCHEMA
from tests.unit.connectors.test_mock_soap import FACETS, NUMBER

ADDRESS = "/CongDan/1.0/cong-dan/999000000001"
WSDL = a_wsdl(schema=FACETS)


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningNode]:
    async with running_node(tmp_path_factory.mktemp("mock") / "node") as node:
        plain: dict[str, Any] = {"connector": "mock", "settings": {"description": BY_SCHEMA}}
        await offer(node, "CongDan", {"production": plain, "sandbox": plain | {"deadline_seconds": 1}})
        planned = [{"fault": "503", "every": 2}, {"delay_seconds": 0.3, "every": 3}]
        bad_days = {"connector": "mock", "settings": {"description": BY_SCHEMA, "schedule": planned}}
        await offer(node, "NgayXau", {"production": bad_days})
        soap = {"connector": "mock", "settings": {"wsdl": WSDL, "seed": "2026", "households": 5}}
        operation = {"name": "TraCuu", "path": "/tra-cuu", "method": "POST"}
        await offer(node, "HoTich", {"production": soap}, operation)
        await node.settled()
        yield node


async def offer(
    node: RunningNode, name: str, endpoints: dict[str, Any], operation: dict[str, Any] | None = None
) -> None:
    operations = [operation or {"name": "traCuu", "path": "/cong-dan/{soDinhDanh}"}]
    await node.add(Kind.SERVICE, a_service(name))
    made = await node.add(Kind.VERSION, a_version(name, endpoints=endpoints, operations=operations))
    await node.step(Kind.VERSION, made.id, "publish")
    await node.grant(name, environments=["production", "sandbox"])


async def a_caller(node: RunningNode, environment: str) -> Caller:
    return await node.client(
        f"may-{environment}-{time.monotonic_ns()}", system="H99:mot-cua", environment=environment
    )


async def test_invented_people_are_the_same_for_the_same_question(node: RunningNode) -> None:
    sandbox = await a_caller(node, "sandbox")
    first = await sandbox.call(ADDRESS)
    again = await sandbox.call(ADDRESS)

    assert first.status_code == 200
    assert first.headers["mock"] == "invented"
    assert first.json()["soDinhDanh"] == "999000000001"
    assert again.json() == first.json()


async def test_faults_are_for_the_sandbox(node: RunningNode) -> None:
    sandbox, production = await a_caller(node, "sandbox"), await a_caller(node, "production")
    expected = {
        "unreachable": (502, "provider-unreachable"),
        "503": (502, "provider-error"),
        "404": (404, ""),
        "cut": (504, "provider-cut"),
        "timeout": (504, "provider-timeout"),
        "rubbish": (502, "provider-rubbish"),
        "busy": (502, "provider-busy"),
    }
    seen = {}
    for fault in expected:
        answer = await sandbox.call(ADDRESS, headers={"mock-fault": fault})
        seen[fault] = (answer.status_code, answer.json().get("code", ""))
    real = await production.call(ADDRESS, headers={"mock-fault": "unreachable", "mock-delay": "5"})

    assert seen == expected
    assert real.status_code == 200


async def test_delays_are_for_the_sandbox(node: RunningNode) -> None:
    sandbox = await a_caller(node, "sandbox")
    await sandbox.fetch_token()
    began = time.monotonic()
    answer = await sandbox.call(ADDRESS, headers={"mock-delay": "0.3"})

    assert answer.status_code == 200
    assert time.monotonic() - began >= 0.3


async def test_a_schedule_holds_for_everybody(node: RunningNode) -> None:
    production = await a_caller(node, "production")
    seen = []
    for _ in range(4):
        began = time.monotonic()
        answer = await production.call("/NgayXau/1.0/cong-dan/999000000001")
        seen.append((answer.status_code, time.monotonic() - began >= 0.3))

    assert seen == [(200, False), (502, False), (200, True), (502, False)]


async def test_zeep_calls_a_provider_made_from_its_wsdl(node: RunningNode) -> None:
    production = await a_caller(node, "production")
    token = await production.fetch_token()
    url = f"{node.base}/HoTich/1.0/tra-cuu"

    def ask(number: str) -> Any:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {token}"
            made: Any = Client  # zeep is half typed
            transport: Any = Transport
            client = made(BytesIO(WSDL.encode()), transport=transport(session=session))
            return client.create_service(f"{{{NS}}}B", url).TraCuu(soDinhDanh=number)

    found = await anyio.to_thread.run_sync(ask, NUMBER)
    nobody = await anyio.to_thread.run_sync(ask, "999999999999")
    json = await production.call("/HoTich/1.0/tra-cuu", "POST", json={"soDinhDanh": NUMBER})
    unfit = await production.call("/HoTich/1.0/tra-cuu", "POST", json={"soDinhDanh": NUMBER, "x": 1})

    known = person("2026", NUMBER)
    assert (found.hoTen, found.ngaySinh) == (known.name, known.born)
    assert nobody is None
    assert json.json()["congDan"]["hoTen"] == known.name
    assert (unfit.status_code, unfit.json()["code"]) == (422, "message-unfit")
