"""A WSDL taken in with the command, published, granted and called with JSON through a whole node. All of it is invented."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connectors.builtin.soap.envelope import SOAP_12
from registry.entities import Kind, VersionSpec
from tests.e2e.node import AUTHOR, Caller, RunningNode, running_node
from tests.factories import a_service
from tests.hostile import hostile
from tests.soap import NS, SCHEMA, Provider, a_fault, a_wsdl, an_answer, an_envelope

WRITTEN = [field.name for field in fields(VersionSpec)]
IMPORT = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:import namespace="{NS}" schemaLocation="kieu.xsd"/></xs:schema>'
ANSWER = (
    f'<t:TraCuuResponse xmlns:t="{NS}"><t:nguoi ma="A1"><t:hoTen>Nguyễn Thị Ánh Tuyết</t:hoTen><t:tuoi>30</t:tuoi>'
    "<t:soDinhDanh>001234567890</t:soDinhDanh></t:nguoi></t:TraCuuResponse>"
)


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningNode]:
    folder: Path = tmp_path_factory.mktemp("wsdl")
    async with running_node(folder / "node") as running:
        await running.add(Kind.SERVICE, a_service("HoTich"))
        yield running


def written(folder: Path, schema: str) -> tuple[str, str]:
    (folder / "ho-tich.wsdl").write_text(a_wsdl(schema=IMPORT), "utf-8")
    (folder / "kieu.xsd").write_text(schema, "utf-8")
    return str(folder / "ho-tich.wsdl"), str(folder / "kieu.xsd")


async def lgsp(node: RunningNode, *words: str, code: int = 0) -> Any:
    """Run a command on the node's machine and return what it prints for programs."""
    environment = {**node.environment, "PATH": os.environ["PATH"], "LGSP_LANGUAGE": "en"}
    command = [sys.executable, "-m", "gateway", *words, "--local", "--json"]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, env=environment, check=False, timeout=60
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


async def imported(node: RunningNode, files: tuple[str, str], number: str, url: str) -> Any:
    return await lgsp(
        node, "import", "wsdl", *files, "--service", "HoTich", "--version", number, "--url", url,
        "--environment", "production", "--national-database", "CSDLDN",
    )  # fmt: skip


async def ask(caller: Caller, asked: Any, number: str = "1.0") -> Any:
    return await caller.call(f"/HoTich/{number}/TraCuu", "POST", json=asked)


async def test_a_soap_provider_is_called_with_json(node: RunningNode, tmp_path: Path) -> None:
    provider = Provider(an_answer(an_envelope(ANSWER)))
    async with hostile(provider) as server:
        taken = await imported(node, written(tmp_path, SCHEMA), "1.0", server.address + "/dich-vu")
        assert [one["path"] for one in taken["operations"]] == ["/TraCuu"]
        assert {one["code"] for one in taken["not_taken"]} >= {"wsdl-port", "wsdl-type"}
        await node.step(Kind.VERSION, "HoTich/1.0", "publish")
        await node.grant("HoTich", fields={"*": ["nguoi.hoTen", "nguoi.tuoi", "nguoi.soDinhDanh"]})
        caller = await node.client("một cửa", system="H99:mot-cua")

        answer = await ask(caller, {"soDinhDanh": "001234567890", "dung": True, "nguoi": {"hoTen": "Lan"}})
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "nguoi": [{"hoTen": "Nguyễn Thị Ánh Tuyết", "tuoi": 30, "soDinhDanh": "001234567890"}]
        }
        sent = etree.fromstring(provider.bodies[0])
        assert [(etree.QName(one).localname, one.text) for one in sent.iter("*")][2:] == [
            ("TraCuu", None), ("soDinhDanh", "001234567890"), ("dung", "true"), ("nguoi", None), ("hoTen", "Lan"),
        ]  # fmt: skip

        unknown = await ask(caller, {"soDinhDanh": "1", "la": "x"})
        assert unknown.status_code == 422, unknown.text
        assert len(provider.bodies) == 1


async def test_the_next_wsdl_is_compared_for_whom_it_breaks(node: RunningNode, tmp_path: Path) -> None:
    without_age = SCHEMA.replace('<xs:element name="tuoi" type="xs:int" minOccurs="0"/>', "", 1)
    files = written(tmp_path, without_age)

    told = await lgsp(
        node, "compare", "HoTich/1.0", *(word for one in files for word in ("--file", one)), code=1
    )

    gone = {"verdict": "breaking", "rule": "property-removed", "field": "nguoi.tuoi", "way": "reply"}
    found = [one for one in told["changes"] if gone.items() <= one.items()]
    assert [one["consumers"] for one in found] == [["H99:mot-cua"]]


FAULTS: dict[str, tuple[bytes, int, str, str]] = {
    "the caller's (1.1)": (an_answer(a_fault("Client"), "500 X"), 400, "business_failure", "provider-said-no"),
    "the caller's (1.2)": (an_answer(a_fault("Sender", soap=SOAP_12), "500 X"), 400, "business_failure", "provider-said-no"),
    "the provider's (1.1)": (an_answer(a_fault("Server"), "500 X"), 502, "provider_failure", "provider-error"),
    "the provider's (1.2)": (an_answer(a_fault("Receiver", soap=SOAP_12), "500 X"), 502, "provider_failure", "provider-error"),
    "with status 200": (an_answer(a_fault("Server")), 502, "provider_failure", "provider-error"),
    "one that means nothing found": (an_answer(a_fault("Server.201"), "500 X"), 500, "success", ""),
    "one that is a business failure": (an_answer(a_fault("Server.004"), "500 X"), 500, "business_failure", "provider-said-no"),
    "credentials": (an_answer(b"", "401 X"), 502, "provider_failure", "provider-credentials"),
    "no SOAP": (an_answer(b"<html/>"), 502, "provider_failure", "provider-rubbish"),
    "a page with 503": (an_answer(b"<html/>", "503 X"), 502, "provider_failure", "provider-error"),
    "cut": (an_answer(a_fault("Client"), "500 X")[:-20], 504, "unknown", "provider-timeout"),
}  # fmt: skip
RULE = {
    "nothing_found": [{"at": "pointer:/fault/subcode", "equals": ["201"]}],
    "business_failure": [{"at": "pointer:/fault/subcode", "equals": ["004"]}],
}


async def test_every_kind_of_fault_has_its_outcome_in_the_evidence(node: RunningNode, tmp_path: Path) -> None:
    await node.add(Kind.SERVICE, a_service("HoTichLoi"))
    provider = Provider(an_answer(an_envelope(ANSWER)))
    files = written(tmp_path, SCHEMA)
    async with hostile(provider) as server:
        await lgsp(
            node, "import", "wsdl", *files, "--service", "HoTichLoi", "--version", "1.0", "--url", server.address,
            "--environment", "production",
        )  # fmt: skip
        draft = await node.registry.get(Kind.VERSION, "HoTichLoi/1.0")
        document = {name: draft.document[name] for name in WRITTEN if name in draft.document} | {
            "success_rule": RULE
        }
        document["endpoints"]["production"] |= {"breaker": {"failures": 1000}, "deadline_seconds": 0.5}
        await node.register.replace(
            Kind.VERSION, draft.id, document, expected_version=draft.version, author=AUTHOR
        )
        await node.step(Kind.VERSION, draft.id, "publish")
        await node.grant("HoTichLoi")
        await node.settled()
        caller = await node.client("một cửa (lỗi)", system="H99:mot-cua")
        found = {}
        for name, (answer, *_) in FAULTS.items():
            provider.answer = answer
            reply = await caller.call("/HoTichLoi/1.0/TraCuu", "POST", json={"soDinhDanh": "001234567890"})
            record = (await lgsp(node, "evidence", "show", reply.headers["lgsp-exchange-id"]))["records"][-1][
                "record"
            ]
            found[name] = (reply.status_code, record["outcome"], record["reason"])

    assert found == {name: expected for name, (_, *rest) in FAULTS.items() for expected in [tuple(rest)]}
