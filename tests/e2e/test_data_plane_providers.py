"""Providers that are down, slow, rude or lying: what the caller is told, what is recorded, and that none of it lasts."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.exchange import Reason
from registry.evidence import Outcome
from tests.e2e.plane import (
    EXCHANGE,
    JSON_OK,
    MARK,
    WAYS,
    HangUp,
    Plane,
    a_provider,
    body_of,
    raw,
    request_head,
    running_plane,
)
from tests.hostile import Conversation, free_port

SECRET = f"mat-khau-{MARK}"
TRACE = f"<pre>java.sql.SQLException: {MARK} at vn.gov.giaLap.Dao(Dao.java:42)</pre>".encode()


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way["door"])
async def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Plane]:
    folder = tmp_path_factory.mktemp("plane")
    (folder / "G99").mkdir()
    (folder / "G99" / "mat-khau").write_text(SECRET)
    bindings = folder / "secrets.toml"
    bindings.write_text('[G99.MAT_KHAU]\nfile = "mat-khau"\nhosts = ["127.0.0.1"]\n')
    async with running_plane(folder / "node", secrets_file=str(bindings), **request.param) as running:
        await running.offer("DoanhNghiep", endpoint={"deadline_seconds": 0.5})
        await running.offer("Xuong", url=f"http://127.0.0.1:{free_port()}")
        await running.offer("CamDi", url="http://192.0.2.1:81")
        yield running


@pytest.fixture(autouse=True)
def _as_before(plane: Plane) -> None:
    plane.begin()


async def silent(talk: Conversation, head: bytes) -> None:
    await asyncio.sleep(3)
    raise HangUp


async def test_a_provider_that_is_down(plane: Plane) -> None:
    answer = await (await plane.caller()).call(f"/Xuong/1.0/{MARK}")
    record = await plane.refused(answer, Reason.PROVIDER_UNREACHABLE, 502, "provider")
    assert record.outcome == Outcome.UNREACHABLE
    assert record.mode == "lgsp"


async def test_an_address_that_the_node_does_not_let_calls_go_to(plane: Plane) -> None:
    answer = await (await plane.caller()).call("/CamDi/1.0/x")
    await plane.refused(answer, Reason.EGRESS_DENIED, 502, "province")


async def test_a_provider_that_is_too_slow(plane: Plane) -> None:
    plane.provider.behave = silent
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x")
    record = await plane.refused(answer, Reason.PROVIDER_TIMEOUT, 504, "provider", sent=True)
    assert record.outcome == Outcome.UNKNOWN
    assert 400_000 < record.provider_us < 1_500_000


ENDS = [
    pytest.param([b""], "reset", Reason.PROVIDER_CUT, id="resets before it answers"),
    pytest.param([b""], "close", Reason.PROVIDER_CUT, id="closes before it answers"),
    pytest.param([b"HTTP/1.1 200 OK\r\nContent-Le"], "close", Reason.PROVIDER_CUT, id="stops in its head"),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"half"], "close", Reason.PROVIDER_CUT, id="stops half-way"
    ),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"half"], "reset", Reason.PROVIDER_CUT, id="resets half-way"
    ),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal"], "close", Reason.PROVIDER_CUT,
        id="stops in a chunk",
    ),
    pytest.param([b"220 mail.example ESMTP\r\n\r\n"], "close", Reason.PROVIDER_RUBBISH, id="speaks another protocol"),
    pytest.param([b"\x00\xff\xfe" * 50], "close", Reason.PROVIDER_RUBBISH, id="sends bytes"),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"], "close", Reason.PROVIDER_RUBBISH, id="has a length below 0"
    ),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"], "close", Reason.PROVIDER_RUBBISH,
        id="has two lengths",
    ),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n"], "close",
        Reason.PROVIDER_RUBBISH, id="counts chunks wrongly",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("pieces", "then", "reason"), ENDS)
async def test_a_provider_that_does_not_answer_as_it_should(
    plane: Plane, pieces: list[bytes], then: str, reason: Reason
) -> None:
    plane.provider.sends(*pieces, then=then, pause=0.02)
    status = {Reason.PROVIDER_CUT: 504, Reason.PROVIDER_RUBBISH: 502}[reason]
    caller = await plane.caller()
    answer = await caller.call(f"/DoanhNghiep/1.0/{MARK}", "POST", content=MARK.encode())
    await plane.refused(answer, reason, status, "provider", sent=True, request=MARK.encode())

    plane.provider.replies()
    assert (await caller.call("/DoanhNghiep/1.0/x")).content == JSON_OK


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}more", id="more than its length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot yours",
            id="two answers in one segment",
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\nnot yours", id="a body where none may be"),
    ],
)  # fmt: skip
async def test_a_connection_with_something_left_on_it_is_never_used_again(
    plane: Plane, answer: bytes
) -> None:
    caller = await plane.caller()
    for _ in range(3):
        plane.provider.sends(answer)
        first = await caller.call("/DoanhNghiep/1.0/x")
        assert first.status_code in (200, 204, 502)
        plane.provider.replies()
        assert (await caller.call("/DoanhNghiep/1.0/x")).content == JSON_OK


async def test_a_late_answer_is_given_to_nobody(plane: Plane) -> None:
    async def late(talk: Conversation, head: bytes) -> None:
        await asyncio.sleep(0.8)
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    plane.provider.behave = late
    caller = await plane.caller()
    assert (await caller.call("/DoanhNghiep/1.0/x")).status_code == 504
    plane.provider.replies()
    for _ in range(5):
        assert (await caller.call("/DoanhNghiep/1.0/x")).content == JSON_OK
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed(plane: Plane, status: str) -> None:
    plane.provider.replies(status, b"", Location=f"{plane.provider.url}/{MARK}")
    before = len(plane.provider.heads)
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x")
    await plane.refused(answer, Reason.PROVIDER_REDIRECT, 502, "province", sent=True)
    assert "location" not in answer.headers
    assert len(plane.provider.heads) == before + 1


@pytest.mark.parametrize("status", [500, 501, 502, 504, 599])
async def test_an_error_page_is_never_passed_on(plane: Plane, status: int) -> None:
    plane.provider.replies(f"{status} Loi", TRACE, Content_Type="text/html", Retry_After="")
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x")
    await plane.refused(answer, Reason.PROVIDER_ERROR, 502, "provider", sent=True)
    assert answer.json()["details"] == {"provider_status": status}


async def test_a_large_error_page_is_dropped_with_its_connection(plane: Plane) -> None:
    plane.provider.replies("500 Loi", TRACE * 2000)
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x")
    await plane.refused(answer, Reason.PROVIDER_ERROR, 502, "provider", sent=True)


async def test_a_provider_that_does_not_know_us_is_the_province_s_matter(plane: Plane) -> None:
    plane.provider.replies("401 Unauthorized", TRACE, WWW_Authenticate="Basic")
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x")
    await plane.refused(answer, Reason.PROVIDER_CREDENTIALS, 502, "province", sent=True)
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("status", ["429 Too Many", "503 Unavailable"])
async def test_a_busy_provider_says_when_to_come_back(plane: Plane, status: str) -> None:
    plane.provider.replies(status, TRACE, Retry_After="7")
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x")
    await plane.refused(answer, Reason.PROVIDER_BUSY, 502, "provider", sent=True)
    assert answer.headers["retry-after"] == "7"
    assert answer.json()["retry"] == {"helps": True, "after_seconds": 7}


async def test_a_503_that_does_not_say_when_is_an_error(plane: Plane) -> None:
    plane.provider.replies("503 Unavailable", TRACE)
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x")
    await plane.refused(answer, Reason.PROVIDER_ERROR, 502, "provider", sent=True)


async def test_a_secret_that_nobody_bound_is_ours_to_mend(plane: Plane) -> None:
    credentials = {"kind": "basic", "username": "a", "password": "secret:KHONG_CO"}
    settings = {"url": plane.provider.url, "credentials": credentials}
    await plane.offer("ThieuKhoa", endpoint={"settings": settings})
    answer = await (await plane.caller()).call("/ThieuKhoa/1.0/x")
    record = await plane.refused(answer, Reason.SECRET_MISSING, 500, "province")
    assert record.outcome == Outcome.NODE_FAILURE


async def test_the_provider_sees_our_credentials_and_not_the_caller_s(plane: Plane) -> None:
    credentials = {"kind": "header", "name": "X-API-Key", "value": "secret:MAT_KHAU"}
    await plane.offer(
        "CoKhoa", endpoint={"settings": {"url": plane.provider.url, "credentials": credentials}}
    )
    answer = await (await plane.caller()).call("/CoKhoa/1.0/x", headers={"X-API-Key": "cua-nguoi-goi"})
    assert answer.status_code == 200
    assert plane.provider.head["x-api-key"] == SECRET
    assert "authorization" not in plane.provider.head


async def test_a_token_of_the_provider_s_is_fetched_once_and_renewed_once(plane: Plane) -> None:
    async with a_provider() as tokens:
        body = b'{"access_token": "the-%d", "token_type": "Bearer", "expires_in": 3600}'
        tokens.replies(body=body % 1)
        credentials = {
            "kind": "oauth2",
            "token_url": f"{tokens.url}/token",
            "client_id": "lgsp",
            "client_secret": "secret:MAT_KHAU",
        }
        settings = {"url": plane.provider.url, "credentials": credentials}
        await plane.offer("XinThe", endpoint={"settings": settings})
        caller = await plane.caller()
        answers = await asyncio.gather(*(caller.call("/XinThe/1.0/x") for _ in range(5)))
        assert [answer.status_code for answer in answers] == [200] * 5
        assert plane.provider.head["authorization"] == "Bearer the-1"
        assert len(tokens.heads) == 1

        async def only_the_second(talk: Conversation, head: bytes) -> None:
            good = b"the-2" in head
            await talk.send(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % (b"200 OK" if good else b"401 No"))

        tokens.replies(body=body % 2)
        plane.provider.behave = only_the_second
        assert (await caller.call("/XinThe/1.0/x")).status_code == 200
        assert len(tokens.heads) == 2

        tokens.replies("401 Unauthorized", b'{"error": "invalid_client"}')
        plane.provider.replies("401 Unauthorized", TRACE)
        refused = await caller.call("/XinThe/1.0/x")
        record = await plane.final(refused)
        assert (refused.status_code, record.reason) == (502, Reason.PROVIDER_CREDENTIALS)
        assert (refused.json()["turn"], MARK in refused.text) == ("province", False)


async def test_a_header_that_cannot_be_sent_on_is_the_caller_s_to_mend(plane: Plane) -> None:
    caller = await plane.caller()
    await caller.fetch_token()
    answer = await raw(plane.node, request_head(caller, "GET /DoanhNghiep/1.0/x", "X-Ten: caf\xe9"))
    record = (await plane.records(answer.headers[EXCHANGE]))[-1].record
    assert (answer.status, record.reason, record.sent) == (422, Reason.HEADER_INVALID, False)


async def test_the_second_address_is_tried_when_nothing_was_sent_to_the_first(plane: Plane) -> None:
    settings = {"url": f"http://127.0.0.1:{free_port()}", "fallback_urls": [plane.provider.url]}
    await plane.offer("HaiNoi", endpoint={"settings": settings})
    for _ in range(2):
        answer = await (await plane.caller()).call("/HaiNoi/1.0/x", "POST", content=b"{}")
        assert (await plane.final(answer, request=b"{}")).outcome == Outcome.SUCCESS


async def test_a_call_that_was_sent_is_not_repeated_elsewhere(plane: Plane) -> None:
    settings = {"url": plane.provider.url, "fallback_urls": [plane.provider.url]}
    await plane.offer("MotLan", endpoint={"settings": settings})
    plane.provider.sends(b"", then="reset")
    before = len(plane.provider.heads)
    answer = await (await plane.caller()).call("/MotLan/1.0/x", "POST", content=b"{}")
    assert answer.status_code == 504
    assert len(plane.provider.heads) == before + 1


async def test_the_breaker_opens_and_lets_one_probe_through(plane: Plane) -> None:
    await plane.offer("CauDao", endpoint={"breaker": {"failures": 2, "open_seconds": 0.4}})
    caller = await plane.caller()
    plane.provider.replies("500 Loi", TRACE)
    for _ in range(2):
        assert (await caller.call("/CauDao/1.0/x")).json()["code"] == Reason.PROVIDER_ERROR
    before = len(plane.provider.heads)
    answer = await caller.call("/CauDao/1.0/x")
    record = await plane.refused(answer, Reason.BREAKER_OPEN, 503, "provider")
    assert record.outcome == Outcome.UNAVAILABLE
    assert int(answer.headers["retry-after"]) >= 1
    assert len(plane.provider.heads) == before

    async def slowly(talk: Conversation, head: bytes) -> None:
        await asyncio.sleep(0.2)
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    plane.provider.behave = slowly
    await asyncio.sleep(0.5)
    answers = await asyncio.gather(*(caller.call("/CauDao/1.0/x") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 503, 503, 503]
    assert len(plane.provider.heads) == before + 1
    assert (await caller.call("/CauDao/1.0/x")).status_code == 200


async def test_a_5xx_that_the_rule_claims_does_not_open_the_breaker(plane: Plane) -> None:
    rule = {"business_failure": [{"at": "pointer:/Status", "equals": ["0"]}]}
    await plane.offer("NoiKhong", endpoint={"breaker": {"failures": 1, "open_seconds": 5}}, success_rule=rule)
    plane.provider.replies("500 Loi", b'{"Status": 0}')
    for _ in range(6):
        assert (await (await plane.caller()).call("/NoiKhong/1.0/x")).status_code == 500


async def test_rubbish_in_a_200_opens_the_breaker(plane: Plane) -> None:
    rule = {"success": [{"at": "pointer:/Status", "equals": ["1"]}]}
    await plane.offer("NoiBay", endpoint={"breaker": {"failures": 3, "open_seconds": 0.4}}, success_rule=rule)
    caller = await plane.caller()
    plane.provider.replies(body=b"<html>")
    codes = [(await caller.call("/NoiBay/1.0/x")).json()["code"] for _ in range(4)]
    assert codes == [Reason.PROVIDER_RUBBISH] * 3 + [Reason.BREAKER_OPEN]
    await asyncio.sleep(0.5)
    codes = [(await caller.call("/NoiBay/1.0/x")).json()["code"] for _ in range(2)]
    assert codes == [Reason.PROVIDER_RUBBISH, Reason.BREAKER_OPEN]  # the probe failed


async def test_more_calls_than_the_provider_takes_wait_and_then_are_turned_away(plane: Plane) -> None:
    limits = {"max_in_flight": 1, "max_queue": 1, "queue_seconds": 0.3, "deadline_seconds": 3}
    await plane.offer("ChatHep", endpoint=limits)

    async def slowly(talk: Conversation, head: bytes) -> None:
        await body_of(talk, head)
        await asyncio.sleep(0.6)
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    plane.provider.behave = slowly
    caller = await plane.caller()
    answers = await asyncio.gather(*(caller.call("/ChatHep/1.0/x") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 503, 503, 503]
    for answer in answers:
        if answer.status_code == 503:
            await plane.refused(answer, Reason.CAPACITY, 503, "consumer")
            assert int(answer.headers["retry-after"]) >= 1
