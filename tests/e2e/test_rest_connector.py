"""A provider with its own paths, keys, signatures and pages, called through a real node; nothing of it leaks."""

import hmac
from collections.abc import AsyncIterator

import pytest

from gateway.exchange import Reason
from registry.evidence import Outcome
from tests.e2e.plane import EXCHANGE, MARK, HangUp, Plane, body_of, running_plane
from tests.factories import an_operation
from tests.hostile import Conversation, free_port

SECRET = f"khoa/{MARK}"
SIGNING = f"ky-{MARK}"
SETTINGS = {
    "query": {"apikey": "secret:KHOA"},
    "signature": {"kind": "hmac", "key": "secret:KY", "parts": ["method", "path", "body"], "header": "x-ky"},
    "operations": {
        "congDan": {"path": "/v2/nguoi/{so}", "query": {"day-du": "1", "tu": "{tuNgay}"}},
        "danhSach": {"pages": {"style": "page", "items": "/ds", "size_parameter": "n", "size": 1}},
    },
}
OPERATIONS = [
    an_operation("congDan", "/cong-dan/{so}"),
    an_operation("danhSach", "/danh-sach"),
    an_operation("ghi", "/ghi", method="POST"),
]


@pytest.fixture(scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    folder = tmp_path_factory.mktemp("plane")
    (folder / "G99").mkdir()
    bindings = folder / "secrets.toml"
    text = ""
    for name, value in (("KHOA", SECRET), ("KY", SIGNING)):
        (folder / "G99" / name).write_text(value)
        text += f'[G99.{name}]\nfile = "{name}"\nhosts = ["127.0.0.1"]\n'
    bindings.write_text(text)
    async with running_plane(folder / "node", secrets_file=str(bindings)) as running:
        for name, url in (("NguoiDan", running.provider.url), ("Xuong", f"http://127.0.0.1:{free_port()}")):
            endpoint = {"connector": "rest", "settings": SETTINGS | {"url": url + "/api"}}
            await running.offer(name, endpoint=endpoint, operations=OPERATIONS)
        yield running


@pytest.fixture(autouse=True)
def _as_before(plane: Plane) -> None:
    plane.begin()


async def test_a_caller_asks_in_our_words_and_the_provider_is_asked_in_its_own(plane: Plane) -> None:
    caller = await plane.caller()
    answer = await caller.call(f"/NguoiDan/1.0/cong-dan/%C4%91-{MARK}?tuNgay=2026-01-01&apikey=forged")
    record = await plane.final(answer)

    path = f"/api/v2/nguoi/%C4%91-{MARK}"
    assert plane.provider.line == (f"GET {path}?day-du=1&tu=2026-01-01&apikey=khoa%2F{MARK} HTTP/1.1")
    assert (
        plane.provider.head["x-ky"]
        == hmac.new(SIGNING.encode(), f"GET\n{path}\n".encode(), "sha256").hexdigest()
    )
    assert record.outcome == Outcome.SUCCESS


async def test_an_echo_of_the_key_does_not_come_back(plane: Plane) -> None:
    plane.provider.replies(X_Self=f"/dang-nhap?apikey=khoa%2F{MARK}", X_Other="1")
    answer = await (await plane.caller()).call("/NguoiDan/1.0/cong-dan/1")

    assert (answer.headers["x-other"], "x-self" in answer.headers) == ("1", False)


async def test_a_key_is_in_no_problem(plane: Plane) -> None:
    answer = await (await plane.caller()).call("/Xuong/1.0/cong-dan/1")
    await plane.refused(answer, Reason.PROVIDER_UNREACHABLE, 502, "provider")


async def test_pages_are_one_answer_and_a_broken_one_is_none(plane: Plane) -> None:
    async def pages(talk: Conversation, head: bytes) -> None:
        plane.provider.bodies.append(await body_of(talk, head))
        number = int(head.split(b"page=")[1].split(b"&")[0])
        if b"gay=1" in head and number > 1:
            raise HangUp
        body = b'{"ds": [%s], "tong": 1.50}' % (b"%d" % number if number < 4 else b"")
        await talk.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        await talk.send(body)

    plane.provider.behave = pages
    caller = await plane.caller()
    answer = await caller.call("/NguoiDan/1.0/danh-sach?page=9")
    broken = await caller.call("/NguoiDan/1.0/danh-sach?gay=1")

    assert (answer.status_code, answer.content) == (200, b'{"ds": [1,2,3], "tong": 1.50}')
    await plane.final(answer)
    await plane.refused(broken, Reason.PROVIDER_CUT, 504, "provider", sent=True)


async def test_a_body_too_large_to_be_signed_is_said_and_not_sent(plane: Plane) -> None:
    asked = len(plane.provider.heads)
    body = MARK.encode() * 5000
    answer = await (await plane.caller()).call("/NguoiDan/1.0/ghi", "POST", content=body)

    assert (answer.status_code, answer.json()["code"], EXCHANGE in answer.headers) == (
        422,
        "message-unfit",
        True,
    )
    assert "too large for its content to be signed" in answer.json()["detail"]
    assert len(plane.provider.heads) == asked
