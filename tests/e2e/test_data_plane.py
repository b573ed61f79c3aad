"""What a consumer's call meets, and what it gets, through a real node and real providers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.exchange import Reason
from registry.entities import Kind
from registry.evidence import Delivered, Outcome
from tests.e2e.plane import EXCHANGE, JSON_OK, MARK, WAYS, Plane, raw, request_head, running_plane
from tests.factories import an_officer, an_operation

RULE = {
    "success": [{"at": "pointer:/Status", "equals": ["1"]}],
    "nothing_found": [{"at": "pointer:/Code", "equals": ["201"]}, {"at": "body", "empty": True}],
    "business_failure": [{"at": "pointer:/Status", "equals": ["0"]}, {"at": "header:X-Loi", "present": True}],
}
PASSES = {
    "exchange": "X-Ma-Giao-Dich",
    "purpose": "X-Muc-Dich",
    "procedure": "X-Ma-TTHC",
    "officer": "X-Can-Bo",
}


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way["door"])
async def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Plane]:
    folder: Path = tmp_path_factory.mktemp("plane")
    async with running_plane(folder / "node", **request.param) as running:
        await running.offer("DoanhNghiep")
        await running.offer("ChuyenTiep", endpoint={"passes": PASSES})
        await running.offer("CoLuat", success_rule=RULE)
        await running.node.add(Kind.OFFICER, an_officer("CB-01"))
        operations = [
            an_operation("ghi", "/ghi", method="POST", effect="write"),
            an_operation("kiem-tra", "/kiem-tra", counts=False),
            an_operation("doc", "/doc/{ma}", method="GET"),
        ]
        await running.offer("NhieuViec", operations=operations)
        yield running


@pytest.fixture(autouse=True)
def _as_before(plane: Plane) -> None:
    plane.begin()


async def test_a_call_leaves_one_record_that_says_who_whom_why_and_how(plane: Plane) -> None:
    caller = await plane.caller()
    answer = await caller.call(
        f"/DoanhNghiep/1.0/chiTiet/{MARK}?msdn={MARK}",
        "POST",
        content=MARK.encode(),
        headers={"Lgsp-Purpose": "nghi-dinh-1", "Lgsp-Procedure": "1.000001", "Lgsp-Officer": "CB-7",
                 "Lgsp-Correlation-Id": "ho-so-42"},
    )  # fmt: skip
    record = await plane.final(answer, request=MARK.encode())

    assert (answer.status_code, answer.content) == (200, JSON_OK)
    assert plane.provider.line == f"POST /chiTiet/{MARK}?msdn={MARK} HTTP/1.1"
    assert plane.provider.bodies[-1] == MARK.encode()
    grant = await plane.node.registry.get(Kind.GRANT, "H99:mot-cua/DoanhNghiep")
    assert (record.outcome, record.reason, record.sent) == (Outcome.SUCCESS, "", True)
    assert (record.delivered, record.environment, record.mode) == (Delivered.YES, "production", "lgsp")
    assert (record.client, record.grant, record.operation) == (caller.id, grant.id, "bat-ky")
    assert record.consumer == await plane.id_of(Kind.SYSTEM, "H99:mot-cua")
    assert record.provider == await plane.id_of(Kind.SYSTEM, "G99:csdl")
    assert record.service == await plane.id_of(Kind.SERVICE, "DoanhNghiep")
    assert record.version == await plane.id_of(Kind.VERSION, "DoanhNghiep/1.0")
    assert record.national_database == await plane.id_of(Kind.NATIONAL_DATABASE, "CSDLDN")
    assert (record.purpose, record.procedure, record.officer) == ("nghi-dinh-1", "1.000001", "CB-7")
    assert (record.officer_rule, record.correlation, record.counts) == ("none", "ho-so-42", True)
    assert record.revision <= await plane.node.registry.revision()
    assert 0 < record.provider_us <= record.total_us
    assert record.gateway_us == record.total_us - record.provider_us


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT"])
async def test_any_method_goes_on(plane: Plane, method: str) -> None:
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x", method)

    assert answer.status_code == 200
    assert plane.provider.line == f"{method} /x HTTP/1.1"
    assert (await plane.final(answer)).outcome == Outcome.SUCCESS


async def test_trace_would_show_our_credentials_and_is_refused(plane: Plane) -> None:
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x", "TRACE")
    await plane.refused(answer, Reason.METHOD_NOT_ALLOWED, 405, "consumer")
    assert "TRACE" not in answer.headers["allow"]
    assert "GET" in answer.headers["allow"]


async def test_a_method_the_operation_does_not_have_is_answered_with_those_it_has(plane: Plane) -> None:
    answer = await (await plane.caller()).call("/NhieuViec/1.0/ghi", "DELETE")
    record = await plane.refused(answer, Reason.METHOD_NOT_ALLOWED, 405, "consumer")
    assert answer.headers["allow"] == "POST"
    assert record.service
    assert record.operation == ""


async def test_no_forged_private_or_hop_by_hop_header_reaches_the_provider(plane: Plane) -> None:
    caller = await plane.caller()
    await caller.fetch_token()
    head = request_head(
        caller, "GET /DoanhNghiep/1.0/x", "X-Forwarded-For: 198.51.100.1", "X-Forwarded-Server: a",
        "Forwarded: for=198.51.100.1", "Via: 1.1 a", "X-Real-IP: 198.51.100.1", "Proxy: http://192.0.2.1",
        "X-Original-URL: /admin", "Cookie: a=b", "Lgsp-Exchange-Id: gia-mao", "Lgsp-Correlation-Id: 1", "TE: trailers",
        "Keep-Alive: 300", "Proxy-Authorization: Basic eDp5", "Upgrade: h2c", "Connection: X-Rieng, Upgrade",
        "X-Rieng: 1", "Expect: nothing", "X-Giu: 1", "X-Rong:", "Accept-Encoding: gzip", "LgspAccessToken: abc",
    )  # fmt: skip
    answer = await raw(plane.node, head)

    assert answer.status == 200
    seen = plane.provider.head
    assert seen.pop("host") == plane.provider.url.removeprefix("http://")
    assert seen.pop("connection", "keep-alive") == "keep-alive"
    assert seen == {"x-giu": "1", "x-rong": "", "accept-encoding": "gzip"}
    assert answer.headers[EXCHANGE] != "gia-mao"


async def test_no_private_or_hop_by_hop_header_comes_back(plane: Plane) -> None:
    plane.provider.replies(
        Server="may-chu-noi-bo", Set_Cookie="phien=1", Via="1.1 noi-bo", WWW_Authenticate="Basic", Keep_Alive="5",
        Connection="keep-alive, X-Rieng", X_Rieng="1", Lgsp_Exchange_Id="gia-mao", Lgsp_Khac="1", X_Giu="2",
        X_Forwarded_Host="noi-bo", Strict_Transport_Security="max-age=1", ETag='"a"', X_Rong=" ",
    )  # fmt: skip
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x")

    kept = {name for name, _ in answer.headers.items()}
    assert kept == {"content-type", "content-length", "x-giu", "etag", "x-rong", EXCHANGE, "date"}
    assert answer.headers[EXCHANGE] != "gia-mao"
    assert (await plane.final(answer)).outcome == Outcome.SUCCESS


async def test_the_provider_is_told_what_its_endpoint_asks_for_and_nobody_can_forge_it(plane: Plane) -> None:
    caller = await plane.caller()
    told = {"Lgsp-Purpose": "muc-dich", "Lgsp-Procedure": "1.000001", "Lgsp-Officer": "CB-01"}
    forged = dict.fromkeys(PASSES.values(), "gia-mao")
    first = await caller.call("/ChuyenTiep/1.0/x", headers=told | forged)
    seen = plane.provider.head
    assert seen["x-ma-giao-dich"] == first.headers[EXCHANGE]
    assert (seen["x-muc-dich"], seen["x-ma-tthc"], seen["x-can-bo"]) == ("muc-dich", "1.000001", "CB-01")

    await caller.call("/ChuyenTiep/1.0/x", headers=forged)
    assert "gia-mao" not in plane.provider.heads[-1].decode()


async def test_head_keeps_the_length_and_has_no_body(plane: Plane) -> None:
    async def behave(talk: object, head: bytes) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 4711\r\n\r\n")  # type: ignore[attr-defined]

    plane.provider.behave = behave
    for service in ("DoanhNghiep", "CoLuat"):  # a rule on the body cannot be asked of an answer without one
        answer = await (await plane.caller()).call(f"/{service}/1.0/x", "HEAD")
        assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "4711", b"")
        assert (await plane.final(answer)).outcome == Outcome.SUCCESS


async def test_a_refused_head_has_no_body_either(plane: Plane) -> None:
    answer = await (await plane.caller()).call("/KhongCo/1.0/x", "HEAD")
    assert (answer.status_code, answer.content) == (404, b"")
    assert (await plane.final(answer)).reason == Reason.ROUTE_UNKNOWN


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_answers_without_a_body_keep_the_connection_usable(plane: Plane, status: str) -> None:
    plane.provider.replies(status, b"", Content_Length="", Content_Type="")
    caller = await plane.caller()
    for _ in range(2):
        answer = await caller.call("/DoanhNghiep/1.0/x", headers={"If-None-Match": '"a"'})
        assert answer.status_code == int(status[:3])
        assert "content-length" not in answer.headers
        assert (await plane.final(answer)).outcome == Outcome.SUCCESS
    assert plane.provider.head["if-none-match"] == '"a"'


async def test_a_post_without_body_or_length_is_an_empty_one(plane: Plane) -> None:
    caller = await plane.caller()
    await caller.fetch_token()
    answer = await raw(plane.node, request_head(caller, "POST /DoanhNghiep/1.0/x"))
    assert answer.status == 200
    assert plane.provider.head["content-length"] == "0"


async def test_a_caller_that_waits_for_100_continue_gets_it(plane: Plane) -> None:
    caller = await plane.caller()
    await caller.fetch_token()
    head = request_head(caller, "POST /DoanhNghiep/1.0/x", "Content-Length: 3", "Expect: 100-continue")
    answer = await raw(plane.node, head, b"abc", pause=0.05)
    assert answer.status == 200
    assert plane.provider.bodies[-1] == b"abc"
    assert "expect" not in plane.provider.head


async def test_the_trailing_space_of_field_software_goes_on(plane: Plane) -> None:
    await (await plane.caller()).call("/DoanhNghiep/1.0/Statistic/UpdateStatistic%20", "POST")
    assert plane.provider.line == "POST /Statistic/UpdateStatistic%20 HTTP/1.1"


@pytest.mark.parametrize(
    "path", ["/DoanhNghiep/1.0/a%2fb", "/DoanhNghiep/1.0/../x", "/DoanhNghiep//x", "/DoanhNghiep/%zz"]
)
async def test_a_path_that_can_be_read_in_two_ways_begins_no_exchange(plane: Plane, path: str) -> None:
    caller = await plane.caller()
    await caller.fetch_token()
    answer = await raw(plane.node, request_head(caller, f"GET {path}"))
    assert answer.status == 400
    assert EXCHANGE not in answer.headers
    assert b"path-ambiguous" in answer.body


async def test_a_writing_operation_is_recorded_before_the_provider_is_called(plane: Plane) -> None:
    answer = await (await plane.caller()).call("/NhieuViec/1.0/ghi", "POST", content=b"{}")
    opened, final = await plane.records(answer.headers[EXCHANGE])
    assert (opened.record.kind, opened.record.operation, final.record.operation) == ("open", "ghi", "ghi")
    assert (opened.record.outcome, opened.record.grant) == ("", final.record.grant)


async def test_a_health_check_does_not_count(plane: Plane) -> None:
    answer = await (await plane.caller()).call("/NhieuViec/1.0/kiem-tra")
    assert (await plane.final(answer)).counts is False


@pytest.mark.parametrize(
    ("body", "headers", "outcome"),
    [
        (b'{"Status": 1}', {}, Outcome.SUCCESS),
        (b'{"Status": "1"}', {}, Outcome.SUCCESS),
        (b'{"Status": 0, "Message": "sai"}', {}, Outcome.BUSINESS_FAILURE),
        (b'{"Status": 0, "Code": 201}', {}, Outcome.SUCCESS),
        (b"", {}, Outcome.SUCCESS),
        (b'{"Status": 2}', {}, Outcome.BUSINESS_FAILURE),
        (b'{"Status": 1}', {"X_Loi": "1"}, Outcome.BUSINESS_FAILURE),
    ],
)
async def test_the_success_rule_reads_the_answer_and_passes_it_on(
    plane: Plane, body: bytes, headers: dict[str, str], outcome: Outcome
) -> None:
    plane.provider.replies(body=body, **headers)
    answer = await (await plane.caller()).call("/CoLuat/1.0/x", headers={"Accept-Encoding": "gzip"})
    record = await plane.final(answer)
    assert (answer.status_code, answer.content) == (200, body)
    assert record.outcome == outcome
    assert record.reason == ("" if outcome is Outcome.SUCCESS else Reason.PROVIDER_SAID_NO)
    assert plane.provider.head["accept-encoding"] == "identity"


async def test_a_page_where_json_should_be_is_rubbish(plane: Plane) -> None:
    plane.provider.replies(body=b"<html>dang nhap</html>", Content_Type="text/html")
    answer = await (await plane.caller()).call("/CoLuat/1.0/x")
    await plane.refused(answer, Reason.PROVIDER_RUBBISH, 502, "provider", sent=True)


async def test_a_5xx_that_the_rule_claims_is_passed_on(plane: Plane) -> None:
    plane.provider.replies("500 Loi", b'{"Status": 0}')
    answer = await (await plane.caller()).call("/CoLuat/1.0/x")
    assert (answer.status_code, answer.content) == (500, b'{"Status": 0}')
    assert (await plane.final(answer)).outcome == Outcome.BUSINESS_FAILURE


async def test_a_4xx_of_the_provider_is_its_no_and_is_passed_on(plane: Plane) -> None:
    plane.provider.replies("404 Khong", b'{"loi": "khong thay"}')
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x")
    assert (answer.status_code, answer.content) == (404, b'{"loi": "khong thay"}')
    record = await plane.final(answer)
    assert (record.outcome, record.reason) == (Outcome.BUSINESS_FAILURE, Reason.PROVIDER_SAID_NO)


async def test_an_unknown_route_is_told_apart_and_a_near_name_is_offered(plane: Plane) -> None:
    caller = await plane.caller()
    answer = await caller.call(f"/DoanhNgiep/1.0/{MARK}")
    await plane.refused(answer, Reason.ROUTE_UNKNOWN, 404, "consumer")
    assert answer.json()["details"] == {"did_you_mean": "DoanhNghiep"}
    far = await caller.call("/HoanToanKhac/1.0/x")
    assert "details" not in far.json()
    stranger = await plane.node.http.get("/DoanhNgiep/1.0/x")
    await plane.stranger(stranger, Reason.TOKEN_MISSING, 401)
    assert "DoanhNghiep" not in stranger.text


async def test_names_are_found_without_regard_to_case(plane: Plane) -> None:
    assert (await (await plane.caller()).call("/DOANHNGHIEP/1.0/x")).status_code == 200


async def test_an_operation_that_is_not_there_is_404(plane: Plane) -> None:
    answer = await (await plane.caller()).call(f"/NhieuViec/1.0/{MARK}")
    await plane.refused(answer, Reason.OPERATION_UNKNOWN, 404, "consumer")


@pytest.mark.parametrize(
    ("language", "word"), [("en", "service"), ("vi", "dịch vụ"), ("", "dịch vụ"), ("fr, en;q=0.5", "service")]
)
async def test_problems_speak_the_language_that_is_preferred(plane: Plane, language: str, word: str) -> None:
    answer = await (await plane.caller()).call("/KhongCo/1.0/x", headers={"Accept-Language": language})
    assert word in answer.json()["title"].lower() + answer.json()["detail"].lower()


async def test_a_header_of_ours_that_is_doubled_or_unsafe_is_422(plane: Plane) -> None:
    caller = await plane.caller()
    unsafe = await caller.call("/DoanhNghiep/1.0/x", headers={"Lgsp-Purpose": "a b"})
    record = await plane.refused(unsafe, Reason.HEADER_INVALID, 422, "consumer")
    assert record.purpose == ""
    head = request_head(caller, "GET /DoanhNghiep/1.0/x", "Lgsp-Officer: a", "Lgsp-Officer: b")
    doubled = await raw(plane.node, head)
    assert doubled.status == 422


async def test_a_correlation_id_is_recorded_with_refusals_too(plane: Plane) -> None:
    answer = await (await plane.caller()).call("/KhongCo/1.0/x", headers={"Lgsp-Correlation-Id": "ma-42"})
    assert (await plane.final(answer)).correlation == "ma-42"
