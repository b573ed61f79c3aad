"""Bad input to the admin API: what is answered, and that it names the field. Never a stack trace."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from registry.sql.database import location, upgrade
from tests.e2e.admin_app import AdminNode, admin_node
from tests.factories import a_client, a_service, a_small_province, a_system, a_version, an_organisation

API = "/admin/v1"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AdminNode]:
    folder = tmp_path_factory.mktemp("node")
    where = location(None, folder)
    await upgrade(where)
    async with admin_node(where, folder) as running:
        await a_small_province(running.register)
        await running.snapshots.refresh()
        yield running


TWICE = '{"code": "H98", "name_vi": "a", "code": "H97"}'
TWICE_BELOW = '{"code": "H98", "name_vi": "a", "aliases": [{"code": "H97", "code": "H96"}]}'


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        pytest.param("", "/code", "missing", id="nothing"),
        pytest.param("{", "", "json-broken", id="broken JSON"),
        pytest.param(b"\xff\xfe{}", "", "json-broken", id="not UTF-8"),
        pytest.param("[]", "", "wrong-type", id="a list"),
        pytest.param('{"code": NaN}', "", "json-broken", id="NaN"),
        pytest.param("[" * 100_000, "", "too-deep", id="nested without end"),
        pytest.param('{"a":' * 200 + "1" + "}" * 200, "/a" * 101, "too-deep", id="nested deep"),
        pytest.param(TWICE, "/code", "duplicate", id="a key twice"),
        pytest.param(TWICE_BELOW, "/aliases/0/code", "duplicate", id="a key twice below"),
        pytest.param('{"code": "H98", "name_vi": "a\\u0000"}', "/name_vi", "control-character", id="NUL"),
        pytest.param(
            '{"code": "H98", "name_vi": "\\ud800"}', "/name_vi", "control-character", id="half a pair"
        ),
        pytest.param('{"code": "H98", "name_vi": 5}', "/name_vi", "wrong-type", id="a number for a text"),
        pytest.param('{"code": "H98", "name_vi": "a", "x": 1}', "/x", "unknown-field", id="an unknown field"),
        pytest.param('{"code": "no good", "name_vi": "a"}', "/code", "pattern", id="a bad code"),
        pytest.param('{"code": "H99", "name_vi": "a"}', "/code", "taken", id="a code that is taken"),
        pytest.param(
            '{"code": "H98", "name_vi": "a", "parent": "H00"}', "/parent", "reference-unknown", id="dangling"
        ),
    ],
)
async def test_a_bad_document_is_refused_naming_the_field(
    node: AdminNode, body: str | bytes, pointer: str, code: str
) -> None:
    http = await node.http()

    refused = await http.post(f"{API}/organisations", content=body, headers=JSON)

    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    flaws = [(flaw["pointer"], flaw["code"]) for flaw in refused.json()["errors"]]
    assert (pointer, code) in flaws
    assert all(flaw["messages"]["vi"] != flaw["messages"]["en"] for flaw in refused.json()["errors"])
    assert "Traceback" not in refused.text
    assert await node.registry.revision() == (await node.registry.revisions(limit=1))[0].number


@pytest.mark.parametrize(
    ("path", "document", "pointer"),
    [
        pytest.param("services", a_service("admin"), "/name", id="a reserved name"),
        pytest.param("services", a_service("doanhnghiep"), "/name", id="a name in another case"),
        pytest.param(
            "systems", a_system("H99:moi", organisation="H00"), "/organisation", id="no organisation"
        ),
        pytest.param(
            "clients", a_client("Mới", role="node-admin", system="H99:mot-cua"), "/system", id="both"
        ),
        pytest.param(
            "versions",
            a_version(version="2.0", endpoints={"production": {"connector": "no-such"}}),
            "/endpoints/production/connector",
            id="an unknown connector",
        ),
        pytest.param(
            "versions",
            a_version(version="2.0", endpoints={"production": {"connector": "rest", "settings": {"x": 1}}}),
            "/endpoints/production/settings/x",
            id="settings that the connector refuses",
        ),
    ],
)
async def test_what_contradicts_the_registry_is_refused_naming_the_field(
    node: AdminNode, path: str, document: dict[str, Any], pointer: str
) -> None:
    http = await node.http()

    refused = await http.post(f"{API}/{path}", json=document)

    assert refused.status_code == 422
    assert pointer in [flaw["pointer"] for flaw in refused.json()["errors"]]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=1&limit=2", "limit"),
        ("sort=name", "sort"),
        ("cursor=%00", ""),
        ("cursor=nonsense", "cursor"),
        ("colour=red", "colour"),
    ],
)
async def test_a_bad_query_is_refused_naming_the_parameter(
    node: AdminNode, query: str, parameter: str
) -> None:
    http = await node.http()

    refused = await http.get(f"{API}/systems?{query}")

    assert refused.status_code == 422
    assert [flaw["parameter"] for flaw in refused.json()["errors"]] == [parameter]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{API}/nothing", 404),
        ("GET", "/admin/v2/systems", 404),
        ("GET", f"{API}/systems/H99:no-such", 404),
        ("GET", f"{API}/systems/%00", 404),
        ("GET", f"{API}/evidence/not-an-id", 404),
        ("GET", f"{API}/evidence/00000000-0000-0000-0000-000000000000", 404),
        ("PATCH", f"{API}/systems", 405),
        ("DELETE", f"{API}/systems", 405),
        ("POST", f"{API}/whoami", 405),
    ],
)
async def test_what_is_not_there_is_a_problem(node: AdminNode, method: str, path: str, status: int) -> None:
    http = await node.http()

    refused = await http.request(method, path)

    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    assert refused.json()["messages"]["vi"]["title"]


async def test_the_methods_of_an_address_are_all_named(node: AdminNode) -> None:
    http = await node.http()

    refused = await http.patch(f"{API}/systems/H99:mot-cua")

    assert refused.headers["allow"] == "DELETE, GET, PUT"


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "text/plain"}, {}, {"Content-Type": "application/json", "Content-Encoding": "gzip"}],
)
async def test_another_media_type_is_refused(node: AdminNode, headers: dict[str, str]) -> None:
    http = await node.http()

    refused = await http.post(f"{API}/organisations", content=b"{}", headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (415, "media-type")
    assert "application/json" in refused.json()["detail"]


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(node: AdminNode) -> None:
    token = node.token(await node.client("node-admin"))
    host, port = node.base.removeprefix("http://").split(":")
    head = (
        f"POST {API}/organisations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {1 << 40}\r\n\r\n"
    )

    answered = await _raw(host, int(port), head.encode())

    assert answered.startswith(b"HTTP/1.1 413 ")
    assert b"body-too-large" in answered


async def test_a_body_that_grows_too_large_is_refused(node: AdminNode) -> None:
    http = await node.http()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 65_536

    refused = await http.post(f"{API}/organisations", content=endless(), headers=JSON)

    assert (refused.status_code, refused.json()["details"]["limit"]) == (413, 1024 * 1024)


async def test_a_large_yaml_file_may_be_applied(node: AdminNode) -> None:
    http = await node.http()
    text = "# " + "x" * 2_000_000 + "\n" + json.dumps({"organisations": [an_organisation("H77")]})

    done = await http.post(f"{API}/apply", content=text, headers={"Content-Type": "application/yaml"})

    assert done.status_code == 200


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "token-missing"),
        ("Basic eDp5", "token-malformed"),
        ("Bearer", "token-malformed"),
        ("Bearer a.b.c", "token-malformed"),
        ("Bearer eyJhbGciOiJub25lIn0.e30.", "token-forged"),
        ("Bearer " + "x" * 9000, "token-malformed"),
    ],
)
async def test_without_a_good_token_nothing_is_answered(
    node: AdminNode, authorization: str | None, code: str
) -> None:
    http = await node.anybody({} if authorization is None else {"Authorization": authorization})

    refused = await http.get(f"{API}/systems")

    assert (refused.status_code, refused.json()["code"]) == (401, code)
    assert refused.headers["www-authenticate"].startswith("Bearer ")


async def test_foreign_expired_and_strange_tokens_are_refused(node: AdminNode) -> None:
    client = await node.client("node-admin")
    foreign = node.token(client, issuer="https://other.example")
    expired = node.token(client, seconds=-1)
    stranger = node.token(client, client="01900000-0000-7000-8000-0000000000ff")

    codes = []
    for token in (foreign, expired, stranger):
        http = await node.anybody({"Authorization": f"Bearer {token}"})
        codes.append((await http.get(f"{API}/whoami")).json()["code"])

    assert codes == ["token-foreign", "token-expired", "token-foreign"]


async def test_a_client_outside_its_networks_is_refused(node: AdminNode) -> None:
    client = await node.client("auditor", allowed_networks=["192.0.2.0/24"])
    http = await node.anybody({"Authorization": f"Bearer {node.token(client)}"})

    refused = await http.get(f"{API}/whoami")

    assert (refused.status_code, refused.json()["code"]) == (403, "client-network")


async def test_problems_speak_the_callers_language(node: AdminNode) -> None:
    http = await node.anybody()

    english = await http.get(f"{API}/systems", headers={"Accept-Language": "en"})
    vietnamese = await http.get(f"{API}/systems")

    assert english.json()["title"] == english.json()["messages"]["en"]["title"]
    assert vietnamese.json()["title"] == vietnamese.json()["messages"]["vi"]["title"]


async def _raw(host: str, port: int, data: bytes) -> bytes:
    async with await anyio.connect_tcp(host, port) as stream:
        await stream.send(data)
        received = b""
        while True:
            try:
                received += await stream.receive()
            except anyio.EndOfStream:
                return received
