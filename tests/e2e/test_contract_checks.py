"""Contract checks through a real node: what shadow counts, what enforce refuses, what is recorded and told."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.exchange import Reason
from registry.entities import Kind
from registry.evidence import Outcome
from registry.labels import today
from registry.sql.database import open_engine
from registry.sql.violations import ViolationStore, ViolationSum
from tests.e2e.node import AUTHOR
from tests.e2e.plane import MARK, Plane, raw, request_head, running_plane
from tests.factories import an_operation

PERSON: dict[str, Any] = {
    "type": "object",
    "required": ["SoDinhDanh"],
    "properties": {
        "SoDinhDanh": {"type": "string", "pattern": "^[0-9]{12}$"},
        "HoTen": {"type": "string", "maxLength": 50},
        "Con": {"type": "array", "items": {"$ref": "#/schemas/Nguoi"}},
    },
}
XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:gia-lap" elementFormDefault="qualified">
<xs:element name="DanhSach"><xs:complexType><xs:sequence>
<xs:element name="Nguoi" type="xs:int" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element></xs:schema>"""
GOOD = {"SoDinhDanh": "001099000001", "Con": [{"SoDinhDanh": "001099000002"}]}
BAD = {"SoDinhDanh": MARK, "Con": [GOOD, {"HoTen": MARK, MARK: 1}]}
OPERATIONS = [
    an_operation(
        "ghi", "/nguoi/{so}", method="POST",
        parameters=[
            {"name": "so", "at": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9]{12}$"}},
            {"name": "trang", "at": "query", "schema": {"type": "integer", "minimum": 1}},
        ],
        request={"schema": {"$ref": "#/schemas/Nguoi"}, "required": True},
        reply={"schema": {"type": "object", "required": ["MaSo"], "properties": {"MaSo": {"type": "string"}}}},
    ),
    an_operation("danh-sach", "/danh-sach", reply={"media_type": "application/xml", "xsd": "ds"}),
    an_operation("gui-xml", "/gui", method="POST", request={"media_type": "text/xml", "xsd": "ds"}),
]  # fmt: skip
REPLY = b'{"MaSo": "1"}'
ADDRESS = "/nguoi/001099000001"


async def offered(running: Plane) -> Plane:
    """Offer the same service three times: unchecked, counted, refused."""
    for mode in ("off", "shadow", "enforce"):
        await running.offer(
            f"Nguoi-{mode}",
            operations=OPERATIONS,
            schemas={"Nguoi": PERSON},
            xsd={"ds": XSD},
            checks={"request": mode, "reply": mode},
            max_body_bytes=32 << 20,
        )
    return running


@pytest.fixture(scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path_factory.mktemp("plane") / "node") as running:
        yield await offered(running)


@pytest.fixture(autouse=True)
def _as_before(plane: Plane) -> None:
    plane.begin()
    plane.provider.replies(body=REPLY)
    plane.provider.bodies.clear()


async def send(
    plane: Plane, mode: str, body: Any = GOOD, path: str = ADDRESS, **given: Any
) -> httpx2.Response:
    caller = await plane.caller()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"} | given.pop("headers", {})
    return await caller.call(f"/Nguoi-{mode}/1.0{path}", "POST", content=content, headers=headers, **given)


async def counted(plane: Plane, mode: str) -> list[ViolationSum]:
    """Return what is counted of a service, once the worker has made it durable."""
    engine = open_engine(plane.node.location.registry)
    try:
        service = await plane.id_of(Kind.SERVICE, f"Nguoi-{mode}")
        for _ in range(80):
            sums, _ = await ViolationStore(engine).sums(service, since=today(), limit=1000)
            if sums:
                return list(sums)
            await asyncio.sleep(0.1)
    finally:
        await engine.dispose()
    return []


def told(answer: httpx2.Response) -> set[tuple[str, str, str]]:
    return {(each["at"], each["pointer"], each["rule"]) for each in answer.json()["violations"]}


async def test_what_keeps_the_contract_passes_in_every_mode(plane: Plane) -> None:
    for mode in ("off", "shadow", "enforce"):
        answer = await send(plane, mode, path=f"{ADDRESS}?trang=1")
        assert (answer.status_code, answer.content) == (200, REPLY), answer.text
        record = await plane.final(answer, request=json.dumps(GOOD).encode())
        assert record.outcome == Outcome.SUCCESS


async def test_enforce_refuses_a_request_before_anything_is_sent_and_says_where(plane: Plane) -> None:
    answer = await send(plane, "enforce", BAD, path=f"/nguoi/{MARK}?trang=0")

    body = json.dumps(BAD).encode()
    await plane.refused(answer, Reason.REQUEST_AGAINST_CONTRACT, 422, "consumer", request=body)
    assert told(answer) == {
        ("path", "/so", "pattern"),
        ("query", "/trang", "minimum"),
        ("body", "/SoDinhDanh", "pattern"),
        ("body", "/Con/*/SoDinhDanh", "required"),
    }
    assert plane.provider.bodies == []
    assert "/Con/*/SoDinhDanh" in answer.json()["messages"]["vi"]["detail"]


async def test_shadow_changes_nothing_and_counts_what_enforce_refuses(plane: Plane) -> None:
    plain, shadow = [await send(plane, mode, BAD, path="/nguoi/x?trang=x") for mode in ("off", "shadow")]
    assert (shadow.status_code, shadow.content) == (plain.status_code, plain.content) == (200, REPLY)
    assert set(shadow.headers) == set(plain.headers)
    plane.provider.replies(body=b'{"MaSo": 1}')
    assert (await send(plane, "shadow")).content == b'{"MaSo": 1}'

    sums = await counted(plane, "shadow")
    for each in sums:
        assert MARK not in str(each)
        assert each.key.consumer == await plane.id_of(Kind.SYSTEM, "H99:mot-cua")
    found = {(each.key.direction, each.key.place, each.key.pointer, each.key.rule) for each in sums}
    assert {
        ("request", "path", "/so", "pattern"),
        ("request", "query", "/trang", "type"),
        ("request", "body", "/SoDinhDanh", "pattern"),
        ("reply", "body", "/MaSo", "type"),
    } <= found
    metrics = (await plane.node.http.get("/metrics")).text
    assert (
        'lgsp_contract_violations_total{direction="request",mode="shadow",service="Nguoi-shadow"}' in metrics
    )


async def test_an_answer_against_the_contract_is_the_provider_s_failure(plane: Plane) -> None:
    plane.provider.replies(body=json.dumps({"MaSo": {MARK: 1}}).encode())

    answer = await send(plane, "enforce")

    body = json.dumps(GOOD).encode()
    record = await plane.refused(
        answer, Reason.REPLY_AGAINST_CONTRACT, 502, "provider", sent=True, request=body
    )
    assert record.outcome == Outcome.PROVIDER_FAILURE
    assert told(answer) == {("body", "/MaSo", "type")}


async def test_answers_that_are_no_success_are_not_checked(plane: Plane) -> None:
    plane.provider.replies("404 Not Found", body=b'{"loi": 1}')

    answer = await send(plane, "enforce")

    assert (answer.status_code, answer.content) == (404, b'{"loi": 1}')


async def test_a_part_that_nobody_asked_for_is_checked_like_the_whole(plane: Plane) -> None:
    plane.provider.replies("206 Partial Content", body=b'{"MaSo": 1}')

    answer = await send(plane, "enforce", headers={"Range": "bytes=0-10"})

    assert (answer.status_code, answer.json()["code"]) == (502, Reason.REPLY_AGAINST_CONTRACT)


@pytest.mark.parametrize(
    ("body", "headers", "rule"),
    [
        pytest.param(b"", {}, "required", id="nothing"),
        pytest.param(b"{", {}, "json", id="broken"),
        pytest.param(b'{"SoDinhDanh": "001099000001", "SoDinhDanh": "1"}', {}, "duplicate-name", id="twice"),
        pytest.param(b'{"SoDinhDanh": NaN}', {}, "json", id="nan"),
        pytest.param(b'{"x": 1e400}', {}, "json", id="infinite"),
        pytest.param(b'{"x": "\\ud800"}', {}, "json", id="half a pair"),
        pytest.param(b"[" * 10_000 + b"]" * 10_000, {}, "json", id="deep"),
        pytest.param(b"[" * 500 + b"]" * 500, {}, "depth", id="not so deep"),
        pytest.param(b"a=b", {"content-type": "application/x-www-form-urlencoded"}, "media-type", id="form"),
        pytest.param(gzip.compress(b"{}"), {"content-encoding": "gzip"}, "content-encoding", id="packed"),
    ],
)
async def test_a_body_that_cannot_be_read_is_against_the_contract(
    plane: Plane, body: bytes, headers: dict[str, str], rule: str
) -> None:
    answer = await send(plane, "enforce", body, headers=headers)

    await plane.refused(answer, Reason.REQUEST_AGAINST_CONTRACT, 422, "consumer", request=body)
    assert told(answer) == {("body", "", rule)}


async def test_a_large_body_is_checked_in_a_guest_and_then_sent(plane: Plane) -> None:
    large = {"SoDinhDanh": "001099000001", "Con": [{"SoDinhDanh": "001099000002"}] * 30_000}
    content = json.dumps(large).encode()
    answer = await send(plane, "enforce", content)
    assert answer.status_code == 200, answer.text
    assert plane.provider.bodies[-1] == content
    await plane.final(answer, request=content)

    bad = {"SoDinhDanh": "001099000001", "Con": [{"SoDinhDanh": MARK}] * 30_000}
    content = json.dumps(bad).encode()
    answer = await send(plane, "enforce", content)
    await plane.refused(answer, Reason.REQUEST_AGAINST_CONTRACT, 422, "consumer", request=content)
    assert told(answer) == {("body", "/Con/*/SoDinhDanh", "pattern")}


async def test_a_streamed_message_is_not_held_up_in_shadow(plane: Plane) -> None:
    content = json.dumps({"SoDinhDanh": "x", "Con": [1] * 50_000}).encode()
    plane.provider.replies(body=content)

    answer = await send(plane, "shadow", content)

    assert answer.content == content
    found: set[tuple[str, str]] = set()
    for _ in range(80):
        found = {(each.key.direction, each.key.rule) for each in await counted(plane, "shadow")}
        if {("request", "not-checked"), ("reply", "not-checked")} <= found:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(found)


async def test_a_large_answer_is_checked_too(plane: Plane) -> None:
    content = json.dumps({"MaSo": "1", "ds": ["x" * 100] * 5000}).encode()
    plane.provider.replies(body=content)
    answer = await send(plane, "enforce")
    assert (answer.status_code, answer.content) == (200, content)

    plane.provider.replies(body=content.replace(b'"1"', b"1", 1))
    answer = await send(plane, "enforce")
    assert answer.json()["code"] == Reason.REPLY_AGAINST_CONTRACT


async def test_xml_is_checked_by_the_version_s_own_schema(plane: Plane) -> None:
    caller = await plane.caller()
    good = b'<d:DanhSach xmlns:d="urn:gia-lap"><d:Nguoi>1</d:Nguoi></d:DanhSach>'
    bad = (
        b'<d:DanhSach xmlns:d="urn:gia-lap"><d:Nguoi>1</d:Nguoi><d:Nguoi>%s</d:Nguoi></d:DanhSach>'
        % MARK.encode()
    )
    bomb = b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'
    xml = {"content-type": "text/xml; charset=utf-8"}
    for body, found in ((good, None), (bad, "/DanhSach/Nguoi"), (bomb, "")):
        answer = await send(plane, "enforce", body, path="/gui", headers=xml)
        if found is None:
            assert answer.status_code == 200, answer.text
            continue
        assert answer.status_code == 422
        assert {pointer for _, pointer, _ in told(answer)} == {found}
    plane.provider.replies(body=bad, content_type="application/xml")
    answer = await caller.call("/Nguoi-enforce/1.0/danh-sach")
    assert (answer.status_code, answer.json()["code"]) == (502, Reason.REPLY_AGAINST_CONTRACT)
    plane.provider.replies(body=good, content_type="application/xml")
    assert (await caller.call("/Nguoi-enforce/1.0/danh-sach")).content == good


async def test_a_change_of_mode_while_requests_run_drops_none(plane: Plane) -> None:
    await plane.offer(
        "DoiCheDo", granted=False, operations=OPERATIONS, schemas={"Nguoi": PERSON}, xsd={"ds": XSD}
    )
    await plane.node.grant("DoiCheDo", quota={"per_second": 100_000})
    await plane.node.settled()
    label = "DoiCheDo/1.0"
    caller = await plane.caller()
    done: list[httpx2.Response] = []
    over = asyncio.Event()

    async def calls() -> None:
        while not over.is_set():
            done.append(await caller.call(f"/DoiCheDo/1.0{ADDRESS}", "POST", json={"x": 1}))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(calls())
        for mode in ("shadow", "enforce", "off", "enforce"):
            stored = await plane.node.registry.get(Kind.VERSION, label)
            spec = {
                name: value
                for name, value in stored.document.items()
                if name not in {"status", "published_at", "deprecated_at", "sunset_at", "retired_at"}
            }
            await plane.node.register.replace(
                Kind.VERSION, label, spec | {"checks": {"request": mode, "reply": "off"}},
                expected_version=stored.version, author=AUTHOR,
            )  # fmt: skip
            await plane.node.settled()
            await asyncio.sleep(0.1)
        over.set()
    assert {answer.status_code for answer in done} == {200, 422}
    assert done[-1].json()["code"] == Reason.REQUEST_AGAINST_CONTRACT


async def test_a_request_without_any_header_of_its_kind_is_read_as_declared(plane: Plane) -> None:
    caller = await plane.caller()
    await caller.fetch_token()
    content = json.dumps(GOOD).encode()
    head = request_head(caller, f"POST /Nguoi-enforce/1.0{ADDRESS}", f"Content-Length: {len(content)}")

    answer = await raw(plane.node, head + content)

    assert (answer.status, answer.body) == (200, REPLY)


async def test_the_other_door_does_the_same(tmp_path: Path) -> None:
    async with running_plane(tmp_path / "node", door="asgi") as running:
        plane = await offered(running)
        plane.provider.replies(body=REPLY)
        assert (await send(plane, "enforce")).content == REPLY
        answer = await send(plane, "enforce", BAD)
        await plane.refused(
            answer, Reason.REQUEST_AGAINST_CONTRACT, 422, "consumer", request=json.dumps(BAD).encode()
        )
        large = json.dumps(GOOD | {"Con": [GOOD] * 3000}).encode()
        assert (await send(plane, "enforce", large)).content == REPLY
        plane.provider.replies(body=b"[]")
        answer = await send(plane, "enforce")
        assert answer.json()["code"] == Reason.REPLY_AGAINST_CONTRACT
        assert (await send(plane, "shadow")).content == b"[]"
