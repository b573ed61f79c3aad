"""Descriptions on the admin API: taken in as drafts, told what was not taken, and given out again as OpenAPI."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from registry.entities import Kind
from registry.sql.database import Location
from tests.descriptions import operations
from tests.e2e.admin_app import AdminNode, admin_node
from tests.factories import LOCAL, a_service, a_small_province, a_version
from tests.soap import a_wsdl

API = "/admin/v1"
AT = f"{API}/services/HoTich/descriptions"
YAML = {"Content-Type": "application/yaml"}
PEOPLE = """\
openapi: 3.0.3
info: {title: Hộ tịch (giả lập), version: '7'}
servers: [{url: 'https://csdl.example.invalid/api'}]
paths:
  /nguoi/{so}:
    get:
      operationId: chiTiet
      tags: [nguoi]
      summary: Xem một người
      parameters:
        - {name: so, in: path, required: true, schema: {type: string}}
        - {name: phien, in: cookie, schema: {type: string}}
      responses:
        '200': {description: x, content: {application/json: {schema: {$ref: '#/components/schemas/Nguoi'}}}}
  /khac:
    post:
      operationId: ghi
      requestBody: {content: {application/json: {schema: {$ref: 'file:///etc/passwd'}}}}
      responses: {}
components:
  schemas:
    Nguoi:
      type: object
      properties:
        ten: {type: string, nullable: true}
        con: {type: array, items: {$ref: '#/components/schemas/Nguoi'}}
        version: {type: integer, default: 10}
        loi: {type: object, default: {code: 7, name: 1, operations: [1]}}
"""


@pytest.fixture
async def node(sqlite_location: Location, tmp_path: Path) -> AsyncIterator[AdminNode]:
    async with admin_node(sqlite_location, tmp_path) as running:
        await a_small_province(running.register)
        http = await running.http()
        made = await http.post(f"{API}/services", json=a_service("HoTich"))
        assert made.status_code == 201, made.text
        yield running


async def taken(http: httpx2.AsyncClient, text: str = PEOPLE, **query: Any) -> Any:
    params = {"version": "1.0"} | {name: str(value) for name, value in query.items()}
    answer = await http.post(AT, content=text.encode(), headers=YAML, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def kept(http: httpx2.AsyncClient, number: str = "1.0") -> Any:
    answer = await http.get(f"{API}/versions/HoTich/{number}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_description_becomes_a_draft_and_what_is_not_taken_is_told(node: AdminNode) -> None:
    http = await node.http()

    tried = await taken(http, dry_run=True)
    assert (tried["applied"], tried["id"]) == (False, None)
    assert (await http.get(f"{API}/versions/HoTich/1.0")).status_code == 404

    told = await taken(http)
    document = (await kept(http))["document"]
    assert (document["status"], [one["name"] for one in document["operations"]]) == (
        "draft",
        ["chiTiet", "ghi"],
    )
    assert document["endpoints"]["sandbox"]["settings"] == {"url": "https://csdl.example.invalid/api"}
    assert document["schemas"]["Nguoi"]["properties"]["con"]["items"] == {"$ref": "#/schemas/Nguoi"}
    codes = {one["code"]: one for one in told["not_taken"]}
    assert codes["cookie"]["pointer"] == "/paths/~1nguoi~1{so}/get/parameters/1"
    assert codes["reference-outside"]["detail"] == "file:///etc/passwd"
    assert all(one["why"]["vi"] and one["instead"]["en"] for one in told["not_taken"])
    assert (told["kind"], told["title"], told["number"]) == ("openapi", "Hộ tịch (giả lập)", "7")


async def test_a_number_that_is_there_is_refused_and_a_draft_is_read_again_when_asked(
    node: AdminNode,
) -> None:
    http = await node.http()
    await taken(http)
    again = await http.post(AT, content=PEOPLE.encode(), headers=YAML, params={"version": "1.0"})
    assert (again.status_code, again.json()["errors"][0]["code"]) == (422, "taken")

    draft = await kept(http)
    written = {
        name: value
        for name, value in draft["document"].items()
        if name not in {"status", "published_at", "deprecated_at", "sunset_at", "retired_at"}
    }
    written["operations"][0]["counts"] = False
    headers = {"If-Match": f'"{draft["version"]}"'}
    assert (await http.put(f"{API}/versions/HoTich/1.0", json=written, headers=headers)).status_code == 200
    await taken(http, PEOPLE.replace("Xem một người", "Xem kỹ một người"), replace=True)
    first = (await kept(http))["document"]["operations"][0]
    assert (first["title_vi"], first["counts"]) == ("Xem kỹ một người", False)

    version = (await kept(http))["version"]
    step = await http.post(
        f"{API}/versions/HoTich/1.0/actions/publish", json={}, headers={"If-Match": f'"{version}"'}
    )
    assert step.status_code == 200, step.text
    late = await http.post(
        AT, content=PEOPLE.encode(), headers=YAML, params={"version": "1.0", "replace": "true"}
    )
    assert late.status_code == 422


async def test_a_mock_that_is_read_again_keeps_what_the_description_does_not_say(node: AdminNode) -> None:
    http = await node.http()
    told = await taken(http, mock=True)
    assert told["endpoints"] == {"sandbox": {"connector": "mock", "url": None}}

    draft = await kept(http)
    written = {
        name: value
        for name, value in draft["document"].items()
        if name not in {"status", "published_at", "deprecated_at", "sunset_at", "retired_at"}
    }
    written["endpoints"]["sandbox"]["settings"]["seed"] = "2026"
    written["endpoints"]["sandbox"]["deadline_seconds"] = 3.0
    headers = {"If-Match": f'"{draft["version"]}"'}
    assert (await http.put(f"{API}/versions/HoTich/1.0", json=written, headers=headers)).status_code == 200
    await taken(http, PEOPLE.replace("chiTiet", "xemNguoi"), mock=True, replace=True)
    mock = (await kept(http))["document"]["endpoints"]["sandbox"]
    described = mock["settings"]["description"]["paths"]["/nguoi/{so}"]["get"]["operationId"]
    assert (mock["settings"]["seed"], mock["deadline_seconds"], described) == ("2026", 3.0, "xemNguoi")

    await taken(http, replace=True)
    again = (await kept(http))["document"]["endpoints"]["sandbox"]
    assert again["connector"] == "mock"


async def test_only_what_is_wanted_is_taken_at_the_address_that_is_given(node: AdminNode) -> None:
    http = await node.http()
    told = await taken(http, only="nguoi", url="https://khac.example.invalid", environment="production")

    assert [one["name"] for one in told["operations"]] == ["chiTiet"]
    assert told["endpoints"] == {"production": {"connector": "rest", "url": "https://khac.example.invalid"}}


async def test_the_yaml_of_a_description_applies_to_the_same_version(node: AdminNode) -> None:
    http = await node.http()
    text = (await taken(http, dry_run=True, as_yaml=True))["yaml"]
    applied = await http.post(f"{API}/apply", content=text.encode(), headers=YAML)
    assert applied.status_code == 200, applied.text
    by_yaml = (await kept(http))["document"]
    await taken(http, version="2.0")
    by_import = (await kept(http, "2.0"))["document"]

    default = by_yaml["schemas"]["Nguoi"]["properties"]["loi"]["default"]
    assert default == {"code": 7, "name": 1, "operations": [1]}
    assert {**by_yaml, "version": ""} == {**by_import, "version": ""}


BAD: list[tuple[bytes, dict[str, str], str]] = [
    (b"swagger: '1.2'", {}, "/swagger"),
    (b"\xff\xfe{}", {}, ""),
    (b"a: &a [1]\nb: [*a, *a", {}, ""),
    (b"openapi: 3.0.0\nopenapi: 3.0.1", {}, ""),
    (b"[" * 100_000, {}, ""),
    (b"openapi: 3.1.0\npaths: {}", {}, "/paths"),
    (PEOPLE.encode().replace(b"https://csdl.example.invalid/api", b"/api"), {}, "/url"),
    (PEOPLE.encode(), {"url": "file:///etc/passwd"}, "/endpoints/sandbox/settings/url"),
    (PEOPLE.encode(), {"only": "khong-co"}, "/paths"),
]


async def test_what_cannot_be_used_is_refused_in_both_languages(node: AdminNode) -> None:
    http = await node.http()
    for content, params, place in BAD:
        answer = await http.post(AT, content=content, headers=YAML, params={"version": "1.0"} | params)

        assert answer.status_code == 422, answer.text
        flaw = answer.json()["errors"][0]
        assert flaw["pointer"] == place, content[:50]
        assert flaw["messages"]["vi"] != flaw["messages"]["en"]
    assert (await http.get(f"{API}/versions/HoTich/1.0")).status_code == 404


async def test_only_who_may_add_a_version_may_take_a_description_in(node: AdminNode) -> None:
    for role in ("observer", "auditor", None):
        http = await node.http(role)
        answer = await http.post(AT, content=PEOPLE.encode(), headers=YAML, params={"version": "1.0"})
        assert answer.status_code == 403, role
    http = await node.http()
    assert (await http.post(AT, content=b"<a/>", headers={"Content-Type": "image/png"})).status_code in {
        415,
        422,
    }


async def test_a_version_is_given_out_as_openapi_that_reads_back_as_the_same_version(node: AdminNode) -> None:
    http = await node.http()
    given = a_version(
        "HoTich", operations=operations()[:4], schemas={"Nguoi": {"type": "object"}, "GiayTo": {}}
    )
    assert (await http.post(f"{API}/versions", json=given)).status_code == 201
    caller = await node.http(None)
    assert (await caller.get(f"{API}/catalogue/HoTich/openapi.json")).status_code == 404

    answer = await http.get(f"{API}/services/HoTich/openapi.json", params={"version": "1.0"})
    assert answer.json()["servers"] == [{"url": f"{node.parts.issuer}/HoTich/1.0"}]
    back = await http.post(
        AT, content=answer.content, headers={"Content-Type": "application/json"}, params={"version": "2"}
    )
    assert back.status_code == 200, back.text
    there, here = (await kept(http))["document"], (await kept(http, "2"))["document"]
    names = [[one["name"] for one in document["operations"]] for document in (there, here)]
    assert names[0] == names[1]

    await node.register.step(Kind.VERSION, "HoTich/1.0", "publish", {}, expected_version=1, author=LOCAL)
    public = await caller.get(f"{API}/catalogue/HoTich/openapi.json")
    assert public.json()["info"]["x-lgsp-status"] == "published"


async def test_wsdl_is_taken_alone_and_with_the_files_that_it_imports(node: AdminNode) -> None:
    http = await node.http()
    wsdl = a_wsdl()
    alone = await http.post(
        AT, content=wsdl.encode(), headers={"Content-Type": "text/xml"}, params={"version": "1"}
    )
    assert alone.status_code == 200, alone.text
    assert (alone.json()["kind"], alone.json()["endpoints"]["sandbox"]["connector"]) == ("wsdl", "soap")

    imported = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:khac'/>"
    importing = wsdl.replace(
        "<types>",
        "<types><xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:import namespace='urn:khac' schemaLocation='khac.xsd'/></xs:schema>",
        1,
    )
    assert importing != wsdl
    files = [{"name": "chinh.wsdl", "text": importing}, {"name": "khac.xsd", "text": imported}]
    for given, status in ((files, 200), (files[:1], 422), ([{"name": 1}], 422), ("x", 422)):
        answer = await http.post(
            AT,
            content=json.dumps({"files": given}).encode(),
            headers={"Content-Type": "application/vnd.lgsp.wsdl+json"},
            params={"version": "2", "dry_run": "true"},
        )
        assert answer.status_code == status, answer.text


def test_the_commands_take_files_in_on_the_node_s_machine(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(PEOPLE, "utf-8")
    (tmp_path / "a.wsdl").write_text(a_wsdl(), "utf-8")
    (tmp_path / "base.yaml").write_text(
        "organisations: [{code: G99, name_vi: Bộ (ví dụ)}]\n"
        "systems: [{code: 'G99:csdl', name_vi: CSDL (ví dụ), organisation: G99}]\n"
        "services: [{name: HoTich, title_vi: Hộ tịch (ví dụ), provider: 'G99:csdl'}]\n",
        "utf-8",
    )

    def lgsp(*words: str) -> subprocess.CompletedProcess[str]:
        environ = {"LGSP_DATA_DIR": str(tmp_path / "data"), "LGSP_LANGUAGE": "en", "PATH": os.environ["PATH"]}
        command = [sys.executable, "-m", "gateway", *words]
        return subprocess.run(command, capture_output=True, text=True, env=environ, check=False, timeout=60)

    assert lgsp("database", "upgrade").returncode == 0
    assert lgsp("apply", str(tmp_path / "base.yaml"), "--local").returncode == 0
    to = ("--service", "HoTich", "--version", "1.0", "--local")
    done = lgsp("import", "openapi", str(tmp_path / "a.yaml"), *to)
    assert (done.returncode, done.stderr) == (0, "")
    assert "The draft HoTich/1.0 is made (operations: 2, schemas: 1)." in done.stdout
    assert "cookies do not reach the provider; the parameter is not taken" in done.stdout
    again = lgsp("import", "openapi", str(tmp_path / "a.yaml"), *to)
    assert again.returncode == 1
    assert "taken" in again.stderr
    wsdl = lgsp("import", "wsdl", str(tmp_path / "a.wsdl"), *to[:3], "2.0", "--local", "--json")
    assert json.loads(wsdl.stdout)["kind"] == "wsdl", wsdl.stderr
    assert lgsp("import", "wsdl", *to).returncode == 2
