"""A REST service offered as SOAP, through a whole node: zeep and messages written by hand against the same plane."""

import asyncio
import json
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
import zeep
from lxml import etree
from zeep.exceptions import Fault
from zeep.transports import Transport

from connectors.builtin.soap.envelope import NAMESPACES
from gateway.exchange import Reason
from gateway.facades.soap.door import MOST_BYTES, MOST_UNKNOWN_BYTES
from gateway.soap.xsd import COMMON
from registry.entities import Kind
from registry.evidence import Outcome, Record
from tests import npm_soap
from tests.e2e.node import PROVIDER, Caller
from tests.e2e.plane import EXCHANGE, MARK, Plane, raw, request_head, running_plane
from tests.factories import a_version
from tests.soap_offers import an_offer, caller_block, envelope, message, schema_in

NAME = "Nguyễn Thị Ánh Tuyết"
ADDRESS = "/soap/HoTich/1.0"
TYPES = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}
ASKS = message("chiTiet", "<t:so>001</t:so>")
PERSON = {
    "hoTen": NAME, "số định danh": None, "ngaySinh": "1990", "gioiTinh": "Nữ", "tuoi": 12345678901234567890,
    "luong": 1500000.5, "conSong": True, "con": [{"hoTen": "Con (giả lập)", "con": []}], "tenKhac": ["a", None],
    "bang": [[1, 2]], "diaChi": {"xa": "Xã giả lập"},
}  # fmt: skip
RULE = {
    "nothing_found": [{"at": "pointer:/Code", "equals": ["201"]}],
    "business_failure": [{"at": "pointer:/hoTen", "equals": ["0"]}],
}


@pytest.fixture(scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    folder: Path = tmp_path_factory.mktemp("soap")
    async with running_plane(folder / "node") as running:
        await running.offer("HoTich", **an_offer())
        await running.offer("CongKhai", **an_offer(public=True))
        await running.offer("KhongQuyen", granted=False, **an_offer(namespace="urn:lgsp:HoTich:1.0"))
        await running.offer("ChiREST")
        await running.offer("CoLuat", success_rule=RULE, **an_offer(namespace="urn:lgsp:HoTich:1.0"))
        for name, grant in (
            ("ItLuot", {"quota": {"per_second": 1}}),
            (
                "ItTruong",
                {"fields": {"*": ["hoTen", {"path": "ngaySinh", "action": "generalise", "to": "year"}]}},
            ),
            ("CoLyDo", {"purposes": ["nghi-dinh-1"], "procedure_required": True}),
        ):
            await running.offer(name, granted=False, **an_offer(namespace="urn:lgsp:HoTich:1.0"))
            await running.node.grant(name, **grant)
        await running.node.settled()
        yield running


@pytest.fixture(autouse=True)
def _as_before(plane: Plane) -> None:
    plane.begin()


async def client(plane: Plane, address: str = ADDRESS, caller: Caller | None = None) -> Any:
    """Return zeep's client of an offer, its description fetched with the caller's token."""
    caller = caller or await plane.caller()
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {caller.token or await caller.fetch_token()}"
    wsdl = f"{plane.node.base}{address}?wsdl"
    made: Any = zeep.Client  # Any: zeep has no types
    through: Any = Transport
    return await asyncio.to_thread(made, wsdl, transport=through(session=session))


async def call(service: Any, operation: str, *given: Any, **named: Any) -> Any:
    return await asyncio.to_thread(getattr(service, operation), *given, **named)


async def post(
    plane: Plane, body: str | bytes, version: str = "1.1", *, at: str = ADDRESS, **given: Any
) -> httpx2.Response:
    """Send a message as the one-stop shop does."""
    caller = await plane.caller()
    content = body if isinstance(body, bytes) else envelope(body, version=version)
    headers = {"content-type": TYPES[version]} | given.pop("headers", {})
    return await caller.call(at, "POST", content=content, headers=headers, **given)


def problem(answer: httpx2.Response) -> dict[str, str | None]:
    """Return what a fault says, checked to be one of the version that its media type names."""
    root = etree.fromstring(answer.content)
    version = "1.2" if "soap+xml" in answer.headers["content-type"] else "1.1"
    assert root.tag == f"{{{NAMESPACES[version]}}}Envelope"
    found = root.find(f".//{{{COMMON}}}Problem")
    assert found is not None
    detail = found.getparent()
    assert detail is not None
    assert detail.tag == ("detail" if version == "1.1" else f"{{{NAMESPACES['1.2']}}}Detail")
    return {etree.QName(child).localname: child.text for child in found}


async def final(plane: Plane, answer: httpx2.Response) -> Record:
    """Return the final record of the exchange that an answer names."""
    return (await plane.records(answer.headers[EXCHANGE]))[-1].record


# --- good calls -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", ["HoTich11", "HoTich12"])
async def test_zeep_calls_with_either_version(plane: Plane, port: str) -> None:
    plane.provider.replies(body=json.dumps(PERSON).encode())
    zeeps = await client(plane)
    person = await call(zeeps.bind("HoTich", port), "chiTiet", "001", date(2026, 1, 31), ["a", "b"], "CB-7")

    assert plane.provider.line == "GET /nguoi/001?ng%C3%A0y=2026-01-31&truong=a&truong=b HTTP/1.1"
    assert (plane.provider.head["x-can-bo"], plane.provider.head["accept"]) == ("CB-7", "application/json")
    assert not {"soapaction", "content-type", "authorization"} & plane.provider.head.keys()
    assert (person.hoTen, person.ngaySinh, person.tuoi, person.luong, person.conSong) == (
        NAME, "1990", 12345678901234567890, Decimal("1500000.5"), True,
    )  # fmt: skip
    assert person["số_định_danh"] is None
    assert [child.hoTen for child in person.con] == ["Con (giả lập)"]
    assert (person.tenKhac, person.bang[0]["item"], person.diaChi.xa) == (["a", None], [1, 2], "Xã giả lập")


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_list_arrives_with_as_many_items_as_it_has(plane: Plane, count: int) -> None:
    people = [{"hoTen": f"Người {number}", "con": []} for number in range(count)]
    plane.provider.replies(body=json.dumps(people).encode())
    found = await call((await client(plane)).service, "danhSach")

    assert [person.hoTen for person in found or []] == [person["hoTen"] for person in people]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_a_body_arrives_as_the_json_that_it_means(plane: Plane, form: Any) -> None:
    name = unicodedata.normalize(form, NAME)
    plane.provider.replies(body=b'{"maSo": 7}')
    zeeps = await client(plane)
    body = {
        "hoTen": name, "ngaySinh": date(1990, 1, 31), "tuoi": 36, "luong": Decimal("1.50"), "conSong": False,
        "con": [{"hoTen": "C", "con": []}], "tenKhac": ["a", zeep.xsd.Nil], "diaChi": {"xa": "Xã"},
    }  # fmt: skip
    number = await call(zeeps.service, "ghi", body)
    record = (await plane.newest())[0]
    sent = plane.provider.bodies[-1]

    assert number == 7
    assert plane.provider.line == "POST /nguoi HTTP/1.1"
    assert plane.provider.head["content-type"] == "application/json"
    assert json.loads(sent) == {
        "hoTen": name, "ngaySinh": "1990-01-31", "tuoi": 36, "luong": 1.5, "conSong": False,
        "con": [{"hoTen": "C", "con": []}], "tenKhac": ["a", None], "diaChi": {"xa": "Xã"},
    }  # fmt: skip
    assert b'"luong":1.50' in sent
    assert (record.operation, record.outcome, record.status) == ("ghi", Outcome.SUCCESS, 200)


async def test_the_evidence_is_that_of_the_same_call_without_soap(plane: Plane) -> None:
    plane.provider.replies(body=json.dumps(PERSON).encode())
    headers = {"Lgsp-Purpose": "nghi-dinh-1", "Lgsp-Officer": "CB-7", "Lgsp-Correlation-Id": "ho-so-42"}
    soap = await post(plane, ASKS, headers=headers)
    native = await (await plane.caller()).call("/HoTich/1.0/nguoi/001", headers=headers)
    one, other = await final(plane, soap), await final(plane, native)

    assert soap.status_code == native.status_code == 200
    for name in (
        "kind", "client", "consumer", "provider", "service", "version", "operation", "counts", "national_database",
        "mode", "environment", "purpose", "officer", "grant", "outcome", "reason", "status", "delivered", "sent",
        "correlation", "request_bytes", "reply_bytes",
    ):  # fmt: skip
        assert getattr(one, name) == getattr(other, name), name
    evidence = (await plane.records(soap.headers[EXCHANGE]))[-1]
    await plane.prove(evidence, b"", native.content)


async def test_messages_are_valid_by_the_described_schema(plane: Plane, tmp_path: Path) -> None:
    wsdl = await (await plane.caller()).call(f"{ADDRESS}?wsdl")
    schema = schema_in(wsdl.text, tmp_path)
    plane.provider.replies(body=json.dumps(PERSON).encode())
    answer = await post(plane, ASKS)
    refused = await post(plane, message("la"))

    assert f'location="{plane.node.base}{ADDRESS}"' in wsdl.text
    schema.assertValid(etree.fromstring(ASKS.encode()))
    schema.assertValid(etree.fromstring(answer.content)[0][0])
    told = etree.fromstring(refused.content).find(f".//{{{COMMON}}}Problem")
    assert told is not None
    schema.assertValid(told)


async def test_a_large_answer_and_a_large_message_pass(plane: Plane) -> None:
    people = [{"hoTen": f"{NAME} {number}", "con": []} for number in range(20_000)]
    plane.provider.replies(body=json.dumps(people).encode())
    answer = await post(plane, message("danhSach"))
    record = await final(plane, answer)
    children = "".join(f"<t:con><t:hoTen>{NAME} {number}</t:hoTen></t:con>" for number in range(20_000))
    plane.provider.replies(body=b'{"maSo": 1}')
    written = await post(plane, message("ghi", f"<t:body><t:hoTen>A</t:hoTen>{children}</t:body>"))

    assert answer.content.count(b"<t:result>") == 20_000
    assert (record.delivered, record.outcome) == ("yes", Outcome.SUCCESS)
    assert written.status_code == 200
    assert len(json.loads(plane.provider.bodies[-1])["con"]) == 20_000


async def test_a_grants_fields_limit_what_soap_tells(plane: Plane) -> None:
    plane.provider.replies(body=json.dumps(PERSON | {"ngaySinh": "1990-01-31"}).encode())
    person = await call((await client(plane, "/soap/ItTruong/1.0")).service, "chiTiet", "1")
    record = (await plane.newest())[0]

    assert (person.hoTen, person.ngaySinh, person.tuoi, person.con) == (NAME, "1990", None, [])
    assert record.scope


async def test_the_success_rule_says_what_is_a_fault_and_what_an_empty_answer(plane: Plane) -> None:
    zeeps = await client(plane, "/soap/CoLuat/1.0")
    plane.provider.replies("404 Not Found", body=b'{"Code": 201}')
    nothing = await call(zeeps.service, "chiTiet", "1")
    records = await plane.newest()
    plane.provider.replies(body=b'{"hoTen": "0"}')
    no = await call(zeeps.service, "chiTiet", "1")
    records += await plane.newest()

    assert nothing is None
    assert no.hoTen == "0"
    assert [record.outcome for record in records] == [Outcome.SUCCESS, Outcome.BUSINESS_FAILURE]


async def test_text_and_nothing_are_answers_too(plane: Plane) -> None:
    plane.provider.replies(body="Chào <bạn>".encode(), Content_Type="text/plain")
    zeeps = await client(plane)
    assert await call(zeeps.service, "loiNhan") == "Chào <bạn>"

    plane.provider.sends(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert await call(zeeps.service, "tuDo") is None


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return npm_soap.install(tmp_path_factory.mktemp("npm"))


@pytest.mark.parametrize("way", ["1.1", "1.2", "token in the envelope"])
async def test_npms_soap_calls_and_understands(plane: Plane, npm: Path, way: str) -> None:
    caller = await plane.caller()
    plane.provider.replies(body=json.dumps(PERSON).encode())
    said = await asyncio.to_thread(
        npm_soap.run,
        npm,
        wsdl=f"{plane.node.base}{ADDRESS}?wsdl",
        token=caller.token or await caller.fetch_token(),
        soap12=way == "1.2",
        inEnvelope=way == "token in the envelope",
        calls=[
            ["chiTiet", {"so": "001", "truong": ["a", "b"]}],
            ["ghi", {"body": {"hoTen": NAME, "con": [{"hoTen": "C"}], "tuoi": 36}}],
            ["ghi", {"body": {"tuoi": "x"}}],
        ],
    )
    read, wrote, refused = said["answers"]
    person = read["result"]["result"]

    assert said["operations"] == ["HoTich"]
    assert (person["hoTen"], person["ngaySinh"], person["conSong"]) == (NAME, "1990", True)
    assert (person["con"][0]["hoTen"], person["tenKhac"][0], person["diaChi"]["xa"]) == (
        "Con (giả lập)", "a", "Xã giả lập",
    )  # fmt: skip
    assert "result" in wrote
    assert json.loads(plane.provider.bodies[-1]) == {
        "hoTen": NAME, "con": [{"hoTen": "C", "con": []}], "tuoi": 36,
    }  # fmt: skip
    detail = refused["fault"]["Detail" if way == "1.2" else "detail"]["Problem"]
    assert (detail["code"], detail["status"]) == (Reason.MESSAGE_UNFIT, "422")


# --- who asks -------------------------------------------------------------------------------------------


async def test_software_without_http_headers_says_who_and_why_in_the_envelope(plane: Plane) -> None:
    caller = await plane.caller()
    token = caller.token or await caller.fetch_token()
    said = {
        "Token": token,
        "Purpose": "nghi-dinh-1",
        "Procedure": "1.000001",
        "Officer": "CB-7",
        "CorrelationId": "hs-1",
    }
    content = envelope(ASKS, header=caller_block(**said))
    answer = await plane.node.http.post(
        "/soap/CoLyDo/1.0", content=content, headers={"content-type": "text/xml"}
    )
    record = await final(plane, answer)
    zeeps = await client(plane, "/soap/CoLyDo/1.0")
    del zeeps.transport.session.headers["Authorization"]
    plane.provider.replies(body=json.dumps(PERSON).encode())
    person = await call(zeeps.service, "chiTiet", "1", _soapheaders={"caller": said})

    assert answer.status_code == 200
    assert (record.purpose, record.procedure, record.officer, record.correlation) == (
        "nghi-dinh-1",
        "1.000001",
        "CB-7",
        "hs-1",
    )
    assert person.hoTen == NAME
    assert b"Caller" not in plane.provider.bodies[-1]


async def test_the_description_is_for_those_who_may_see_it(plane: Plane) -> None:
    http = plane.node.http
    for address, status in (
        (ADDRESS, 401), ("/soap/KhongCo/1.0", 401), ("/soap/ChiREST/1.0", 401), ("/soap/CongKhai/1.0", 200),
        ("/soap/congkhai", 200),
    ):  # fmt: skip
        assert (await http.get(f"{address}?wsdl")).status_code == status, address
    caller = await plane.caller()
    for address, status in (
        (f"{ADDRESS}?WSDL", 200), ("/soap/HoTich/v1.0?wsdl", 200), (ADDRESS, 405), ("/soap/KhongCo?wsdl", 404),
        ("/soap/ChiREST?wsdl", 404), ("/soap/HoTich/2.0?wsdl", 404), ("/soap/HoTich/1.0/a?wsdl", 404), ("/soap?wsdl", 404),
        ("/soap/%2e%2e/HoTich?wsdl", 400),
    ):  # fmt: skip
        assert (await caller.call(address)).status_code == status, address
    assert (await caller.call(ADDRESS, "PUT")).headers["allow"] == "POST"


async def test_an_operator_sees_the_description_of_a_draft(plane: Plane) -> None:
    await plane.node.add(Kind.VERSION, a_version("HoTich", "2.0", **an_offer()))
    admin = await plane.node.client("quản trị", role="node-admin")
    at = "/admin/v1/services/HoTich/wsdl"
    caller = await plane.caller()
    known = (await caller.call("/admin/v1/catalogue/HoTich")).json()["versions"][0]["soap"]
    newest, draft, absent, wrong = [
        await admin.call(at + query) for query in ("", "?version=2.0", "?version=3", "?la=1")
    ]

    assert f'location="{plane.node.base}{ADDRESS}"' in newest.text
    assert f'location="{plane.node.base}/soap/HoTich/2.0"' in draft.text
    assert newest.headers["content-type"].startswith("text/xml")
    assert (absent.status_code, wrong.status_code) == (404, 422)
    assert known == f"{plane.node.base}{ADDRESS}"
    assert (await admin.call("/admin/v1/services/ChiREST/wsdl")).status_code == 404


# --- faults ---------------------------------------------------------------------------------------------


async def a_forged_token(plane: Plane) -> httpx2.Response:
    return await post(plane, ASKS, headers={"authorization": "Bearer a.b.c"})


async def no_token(plane: Plane) -> httpx2.Response:
    headers = {"content-type": "text/xml"}
    return await plane.node.http.post(ADDRESS, content=envelope(ASKS), headers=headers)


async def no_grant(plane: Plane) -> httpx2.Response:
    return await post(plane, ASKS, at="/soap/KhongQuyen/1.0")


async def no_purpose(plane: Plane) -> httpx2.Response:
    return await post(plane, ASKS, at="/soap/CoLyDo/1.0")


async def no_such_operation(plane: Plane) -> httpx2.Response:
    return await post(plane, message("xoa"))


async def no_such_service(plane: Plane) -> httpx2.Response:
    return await post(plane, ASKS, at="/soap/KhongCo/1.0")


async def not_offered(plane: Plane) -> httpx2.Response:
    return await post(plane, ASKS, at="/soap/ChiREST/1.0")


async def too_often(plane: Plane) -> httpx2.Response:
    for _ in range(2):
        await post(plane, ASKS, at="/soap/ItLuot/1.0")
    return await post(plane, ASKS, at="/soap/ItLuot/1.0")


async def an_error(plane: Plane) -> httpx2.Response:
    plane.provider.replies("500 Internal Server Error")
    return await post(plane, ASKS)


async def an_unfit_message(plane: Plane) -> httpx2.Response:
    return await post(plane, message("ghi", "<t:body><t:tuoi>x</t:tuoi></t:body>"))


async def a_way_out(plane: Plane) -> httpx2.Response:
    return await post(plane, message("chiTiet", "<t:so>..</t:so>"))


async def another_operations_path(plane: Plane) -> httpx2.Response:
    return await post(plane, message("chiTiet", "<t:so>a/b</t:so>"))


async def rubbish(plane: Plane) -> httpx2.Response:
    plane.provider.replies(body=b"<html>")
    return await post(plane, ASKS)


async def a_break(plane: Plane) -> httpx2.Response:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500000\r\n\r\n"
    plane.provider.sends(head + b"x" * 200_000, then="close")
    return await post(plane, ASKS)


async def a_no(plane: Plane) -> httpx2.Response:
    plane.provider.replies("409 Conflict", body='{"loi": "Đã có", "ma": [1, 2]}'.encode())
    return await post(plane, ASKS)


FAULTS: list[tuple[Callable[[Plane], Awaitable[httpx2.Response]], Reason, int, str]] = [
    (a_forged_token, Reason.TOKEN_MALFORMED, 401, "Client"),
    (no_token, Reason.TOKEN_MISSING, 401, "Client"),
    (no_grant, Reason.GRANT_MISSING, 403, "Client"),
    (no_purpose, Reason.PURPOSE_MISSING, 403, "Client"),
    (no_such_operation, Reason.OPERATION_UNKNOWN, 404, "Client"),
    (no_such_service, Reason.ROUTE_UNKNOWN, 404, "Client"),
    (not_offered, Reason.ROUTE_UNKNOWN, 404, "Client"),
    (an_unfit_message, Reason.MESSAGE_UNFIT, 422, "Client"),
    (a_way_out, Reason.PATH_AMBIGUOUS, 400, "Client"),
    (another_operations_path, Reason.PATH_AMBIGUOUS, 400, "Client"),
    (too_often, Reason.QUOTA_PER_SECOND, 429, "Client"),
    (an_error, Reason.PROVIDER_ERROR, 502, "Server"),
    (rubbish, Reason.PROVIDER_RUBBISH, 502, "Server"),
    (a_break, Reason.PROVIDER_CUT, 504, "Server"),
    (a_no, Reason.PROVIDER_SAID_NO, 422, "Client"),
]


@pytest.mark.parametrize(
    ("act", "reason", "status", "code"), FAULTS, ids=[act.__name__ for act, *_ in FAULTS]
)
async def test_a_problem_is_a_fault(
    plane: Plane, act: Callable[[Plane], Awaitable[httpx2.Response]], reason: Reason, status: int, code: str
) -> None:
    answer = await act(plane)
    told = problem(answer)
    envelope_ = etree.fromstring(answer.content)

    assert (answer.status_code, envelope_.findtext(".//faultcode")) == (500, f"s:{code}")
    assert (told["code"], told["status"]) == (reason, str(status))
    assert {"turn", "retryHelps", "sent", "titleVi", "detailVi", "titleEn", "detailEn"} <= told.keys()
    assert told.get("exchange") == answer.headers.get(EXCHANGE)
    if reason not in (Reason.TOKEN_MALFORMED, Reason.TOKEN_MISSING):
        record = await final(plane, answer)
        assert MARK not in answer.text
        assert record.outcome != Outcome.SUCCESS or reason is Reason.PROVIDER_RUBBISH


async def test_a_refusal_says_what_the_provider_said(plane: Plane) -> None:
    answer = await a_no(plane)

    assert "<loi>Đã có</loi><ma>1</ma><ma>2</ma>" in answer.text


async def test_zeep_raises_the_fault_of_either_version(plane: Plane) -> None:
    zeeps = await client(plane, "/soap/KhongQuyen/1.0")
    for port, codes in (
        ("KhongQuyen11", ("s:Client", None)),
        ("KhongQuyen12", ("s:Sender", "grant-missing")),
    ):
        with pytest.raises(Fault) as raised:
            await call(zeeps.bind("KhongQuyen", port), "chiTiet", "1")
        fault = raised.value
        subcode = fault.subcodes[0].localname if fault.subcodes else None

        assert (fault.code, subcode) == codes
        assert fault.message.startswith("Chưa được cấp quyền")
        assert fault.detail.find(f"{{{COMMON}}}Problem/{{{COMMON}}}code").text == "grant-missing"


async def test_version_12_tells_the_sender_and_both_languages(plane: Plane) -> None:
    answer = await post(plane, message("xoa"), "1.2")
    broken = await post(plane, ASKS, "1.2", at="/soap/KhongQuyen/1.0", headers={"accept-language": "en"})
    plane.provider.replies("500 Internal Server Error")
    server = await post(plane, ASKS, "1.2")

    assert (answer.status_code, server.status_code) == (400, 500)
    assert problem(answer)["code"] == Reason.OPERATION_UNKNOWN
    languages = etree.fromstring(broken.content).iter(f"{{{NAMESPACES['1.2']}}}Text")
    assert [text.get("{http://www.w3.org/XML/1998/namespace}lang") for text in languages] == ["vi", "en"]


async def test_a_header_that_must_be_understood_is_told_as_such(plane: Plane) -> None:
    block = '<w:Security xmlns:w="urn:wss" s:mustUnderstand="1"><w:UsernameToken/></w:Security>'
    one, two = [
        await post(plane, envelope(ASKS, version=version, header=block), version)
        for version in ("1.1", "1.2")
    ]

    assert [answer.status_code for answer in (one, two)] == [500, 500]
    assert "<faultcode>s:MustUnderstand</faultcode>" in one.text
    assert '<s:NotUnderstood qname="u:Security" xmlns:u="urn:wss"/>' in two.text
    assert (await final(plane, one)).outcome == Outcome.INVALID


@pytest.mark.parametrize(
    ("content", "media_type", "why"),
    [
        pytest.param(b"<!DOCTYPE a>" + envelope(ASKS), "text/xml", "doctype", id="doctype"),
        pytest.param(b"\xef\xbb\xbf" + envelope(ASKS), "text/xml", "encoding 1:1", id="bom"),
        pytest.param(envelope(ASKS), "application/json", "media-type", id="media type"),
        pytest.param(envelope(ASKS), 'multipart/related; boundary="x"', "attachments", id="mtom"),
        pytest.param(envelope("<a>" * 500 + "</a>" * 500), "text/xml", "too-deep", id="deep"),
    ],
)  # fmt: skip
async def test_bad_envelopes_are_recorded_when_it_is_known_whose_they_are(
    plane: Plane, content: bytes, media_type: str, why: str
) -> None:
    answer = await post(plane, content, headers={"content-type": media_type})
    stranger = await plane.node.http.post(ADDRESS, content=content, headers={"content-type": media_type})
    record = await final(plane, answer)

    assert problem(answer)["code"] == problem(stranger)["code"] == Reason.ENVELOPE_UNREADABLE
    assert f'<c:parameter name="why">{why}' in answer.text
    assert (record.outcome, record.reason, record.sent) == (
        Outcome.INVALID,
        Reason.ENVELOPE_UNREADABLE,
        False,
    )
    assert record.version == await plane.id_of(Kind.VERSION, "HoTich/1.0")
    assert EXCHANGE not in stranger.headers


async def test_a_version_of_soap_that_nobody_speaks_is_told_as_such(plane: Plane) -> None:
    answer = await post(plane, b'<s:Envelope xmlns:s="urn:khac"><s:Body/></s:Envelope>')

    assert "<faultcode>s:VersionMismatch</faultcode>" in answer.text


async def test_a_message_is_not_read_beyond_what_it_may_have(plane: Plane) -> None:
    caller = await plane.caller()
    fields = ("Content-Type: text/xml", f"Content-Length: {MOST_BYTES + 1}")
    known = await raw(plane.node, request_head(caller, f"POST {ADDRESS}", *fields))
    record = (await plane.records(known.headers[EXCHANGE]))[-1].record
    stranger = await raw(
        plane.node,
        f"POST {ADDRESS} HTTP/1.1\r\nHost: node\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode(),
        *[b"10000\r\n%s\r\n" % (b" " * 0x10000)] * 6,
    )
    packed = await post(plane, ASKS, headers={"content-encoding": "gzip"})

    assert (known.status, stranger.status) == (500, 500)
    assert b"<c:code>body-too-large</c:code>" in known.body
    assert b"<c:code>body-too-large</c:code>" in stranger.body
    assert f'<c:parameter name="limit_bytes">{MOST_UNKNOWN_BYTES}'.encode() in stranger.body
    assert record.outcome == Outcome.INVALID
    assert problem(packed)["code"] == Reason.ENVELOPE_UNREADABLE


async def test_the_evidence_of_a_revoked_grant_says_so(plane: Plane) -> None:
    await plane.offer("ThuHoi", **an_offer(namespace="urn:lgsp:HoTich:1.0"))
    await plane.node.step(Kind.GRANT, "H99:mot-cua/ThuHoi", "revoke", PROVIDER, note="giả lập")
    await plane.node.settled()
    answer = await post(plane, ASKS, at="/soap/ThuHoi/1.0")

    assert problem(answer)["code"] == Reason.GRANT_REVOKED
    assert (await final(plane, answer)).reason == Reason.GRANT_REVOKED


@pytest.mark.parametrize("levels", [90, 240])
async def test_a_deep_message_passes_or_is_refused_but_breaks_nothing(plane: Plane, levels: int) -> None:
    plane.provider.replies(body=b'{"maSo": 1}')
    answer = await post(
        plane, message("ghi", "<t:body>" + "<t:con>" * levels + "</t:con>" * levels + "</t:body>")
    )

    assert answer.status_code == 200 or problem(answer)["code"] == Reason.MESSAGE_UNFIT
    assert (await final(plane, answer)).outcome in (Outcome.SUCCESS, Outcome.INVALID)


async def test_an_answer_is_cut_off_when_the_grant_is_revoked_meanwhile(plane: Plane) -> None:
    await plane.offer("DangGui", **an_offer(namespace="urn:lgsp:HoTich:1.0"))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n"
    plane.provider.sends(head + b" " * 200_000, b" " * 100_000, pause=1.5)
    asking = asyncio.ensure_future(post(plane, ASKS, at="/soap/DangGui/1.0"))
    await asyncio.sleep(0.3)
    await plane.node.step(Kind.GRANT, "H99:mot-cua/DangGui", "revoke", PROVIDER, note="giả lập")
    answer = await asking
    record = await final(plane, answer)

    assert problem(answer)["code"] == Reason.CUT_BY_REVOCATION
    assert (record.reason, record.delivered, record.outcome) == (
        Reason.CUT_BY_REVOCATION,
        "cut",
        Outcome.UNKNOWN,
    )
