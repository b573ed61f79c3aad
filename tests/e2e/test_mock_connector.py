"""A description alone makes a sandbox: its callers get invented people, and order faults that nobody else can."""

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
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


# --- from the command line: a description, and its sandbox answers -----------------------------------------

OLD = """
swagger: '2.0'
info: {title: Bảo hiểm (giả lập), version: '1'}
host: bhxh.example.invalid
schemes: [https]
produces: [application/json]
paths:
  /the/{maSoBhxh}:
    get:
      operationId: xemThe
      parameters: [{name: maSoBhxh, in: path, required: true, type: string}]
      responses:
        '200': {description: x, schema: {$ref: '#/definitions/The'}}
        '404': {$ref: 'https://khac.example.invalid/loi.yaml#/Loi'}
  /khac:
    get:
      operationId: xemKhac
      responses: {'200': {description: x, schema: {$ref: 'khac.yaml#/Khac'}}}
definitions:
  The:
    type: object
    properties:
      maSoBhxh: {type: string, pattern: '^[0-9]{10}$'}
      hoTen: {type: string}
      ngaySinh: {type: string, pattern: '^[0-9]{4}$'}
"""


async def test_any_imported_description_is_a_sandbox_at_once(node: RunningNode, tmp_path: Path) -> None:
    await node.add(Kind.SERVICE, a_service("TheBhxh"))
    await node.add(Kind.SERVICE, a_service("HoTichSoap"))
    (tmp_path / "bhxh.yaml").write_text(OLD, "utf-8")
    (tmp_path / "ho-tich.wsdl").write_text(WSDL, "utf-8")
    environ = os.environ | node.environment | {"LGSP_LANGUAGE": "en"}

    def lgsp(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gateway", *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)

    rest = (
        "import",
        "openapi",
        str(tmp_path / "bhxh.yaml"),
        "--service",
        "TheBhxh",
        "--version",
        "1.0",
        "--mock",
    )
    at = ("--environment", "production", "--url", "https://bhxh.example.invalid/api")
    both = lgsp(*rest, "--local", "--url", "https://bhxh.example.invalid/api")
    done = lgsp(*rest, "--local", "--json", *at)
    soap = lgsp(
        "import", "wsdl", str(tmp_path / "ho-tich.wsdl"), "--service", "HoTichSoap", "--version", "1.0", "--mock", "--local"
    )  # fmt: skip
    assert (both.returncode, "either at an address or a mock" in both.stderr) == (1, True)
    assert done.returncode == soap.returncode == 0, done.stderr + soap.stderr
    told = json.loads(done.stdout)
    assert told["endpoints"] == {
        "production": {"connector": "rest", "url": "https://bhxh.example.invalid/api"},
        "sandbox": {"connector": "mock", "url": None},
    }
    assert "sandbox: mock" in soap.stdout
    for name in ("TheBhxh", "HoTichSoap"):
        version = await node.registry.get(Kind.VERSION, f"{name}/1.0")
        await node.step(Kind.VERSION, version.id, "publish")
        await node.grant(name, environments=["production", "sandbox"])
    await node.settled()
    sandbox = await a_caller(node, "sandbox")
    card = await sandbox.call("/TheBhxh/1.0/the/9900000001")
    other = await sandbox.call("/TheBhxh/1.0/khac")
    person_found = await sandbox.call("/HoTichSoap/1.0/TraCuu", "POST", json={"soDinhDanh": NUMBER})

    assert (card.status_code, card.headers["mock"]) == (200, "invented")
    assert card.json()["maSoBhxh"] == "9900000001"
    assert len(card.json()["ngaySinh"]) == 4
    assert (other.status_code, other.headers["mock"]) == (200, "invented")
    assert person_found.json()["congDan"]["hoTen"]
