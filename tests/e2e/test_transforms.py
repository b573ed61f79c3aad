"""Transforms through a real node: what the provider gets, what the consumer gets, what is refused, what changes hot."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from time import perf_counter
from typing import Any

import httpx2
import pytest

from gateway.exchange import Reason
from registry.entities import Kind
from registry.evidence import Outcome
from tests.e2e.node import AUTHOR
from tests.e2e.plane import MARK, Plane, running_plane
from tests.factories import an_operation

PERSON_TO_XML: list[dict[str, Any]] = [
    {
        "kind": "jsonata",
        "settings": {"mapping": '{"SoDinhDanh": soDinhDanh, "HoVaTen": $name(hoTen, "upper"), "Nam": $date(ngaySinh, "yyyy")}'},
    },
    {
        "kind": "json-to-xml",
        "settings": {"root": "TraCuu", "namespaces": {"": "urn:gia-lap"}, "fields": {"HoVaTen": None, "SoDinhDanh": {"required": True}, "Nam": None}},
    },
]  # fmt: skip
XML_TO_PERSON: list[dict[str, Any]] = [
    {
        "kind": "xml-to-json",
        "settings": {
            "root": "KetQua", "namespaces": {"": "urn:gia-lap"},
            "fields": {"CongDan": {"list": True, "fields": {"HoTen": None, "GioiTinh": None, "TrangThai": None}}},
        },
    },
    {
        "kind": "jsonata",
        "settings": {
            "mapping": 'CongDan[].{"hoTen": HoTen, "gioiTinh": $gender(GioiTinh, "1-2-3", "vi"), "trangThai": $code(TrangThai, "tinh", "quoc-gia")}',
            "code_lists": ["tinh", "quoc-gia"],
        },
    },
]  # fmt: skip
ANSWER = f"""<?xml version="1.0" encoding="UTF-8"?>
<KetQua xmlns="urn:gia-lap"><CongDan><Moi>{MARK}</Moi><HoTen>Nguyễn Văn A</HoTen><GioiTinh>1</GioiTinh><TrangThai>x</TrangThai></CongDan></KetQua>""".encode()
REQUEST = (
    b'{"soDinhDanh": "001080000001", "hoTen": "Nguy\xe1\xbb\x85n V\xc4\x83n A", "ngaySinh": "01/02/1980"}'
)
PATH = "/DanCu/1.0/tra-cuu"
SLOW = "$count([1..5000].([1..5000]))"


def a_list(code: str, **codes: str) -> dict[str, Any]:
    return {
        "code": code, "name_vi": "Trạng thái (ví dụ)",
        "codes": [{"code": name, "name_vi": "Ví dụ", "same_as": {"quoc-gia": same}} for name, same in codes.items()] or [{"code": "9", "name_vi": "Xong"}, {"code": "10", "name_vi": "Trả"}],
    }  # fmt: skip


def operations(**transforms: Any) -> list[dict[str, Any]]:
    return [an_operation("tra-cuu", "/{duong*}", method="ANY") | {"transforms": transforms}]


def mapped(mapping: str, **settings: Any) -> list[dict[str, Any]]:
    return [{"kind": "jsonata", "settings": {"mapping": mapping} | settings}]


@pytest.fixture(scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path_factory.mktemp("plane") / "node") as running:
        await running.node.add(Kind.CODE_LIST, a_list("tinh", x="9"))
        await running.node.add(Kind.CODE_LIST, a_list("quoc-gia"))
        await running.offer("DanCu", operations=operations(request=PERSON_TO_XML, reply=XML_TO_PERSON))
        await running.offer(
            "CoPhep", granted=False, operations=operations(reply=mapped('{"ten": a, "moi": b}'))
        )
        await running.node.grant("CoPhep", fields={"*": ["ten"]})
        await running.offer(
            "Nhanh", operations=operations(request=mapped('{"a": a}'), reply=mapped('{"r": list.{"ten": n}}'))
        )
        await running.offer("Cham", operations=operations(request=mapped(SLOW)))
        await running.offer(
            "Vong", operations=operations(reply=mapped("($f := function($x) { $f($x) + 1 }; $f(1))"))
        )
        await running.offer("Thuong")
        await running.node.settled()
        yield running


@pytest.fixture(autouse=True)
def _as_before(plane: Plane) -> None:
    plane.begin()
    plane.provider.replies(body=ANSWER, Content_Type="text/xml; charset=UTF-8")


async def test_the_request_and_the_answer_are_changed(plane: Plane) -> None:
    caller = await plane.caller()
    answer = await caller.call(
        PATH,
        "POST",
        content=REQUEST,
        headers={"content-type": "application/json", "accept": "application/json", "content-md5": "x"},
    )
    assert answer.json() == [{"hoTen": "Nguyễn Văn A", "gioiTinh": "Nam", "trangThai": "9"}]
    assert answer.headers["content-type"] == "application/json"
    assert plane.provider.bodies[-1].decode() == (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<TraCuu xmlns="urn:gia-lap"><HoVaTen>NGUYỄN VĂN A</HoVaTen><SoDinhDanh>001080000001</SoDinhDanh><Nam>1980</Nam></TraCuu>'
    )
    head = plane.provider.head
    assert head["content-type"] == "text/xml; charset=utf-8"
    assert int(head["content-length"]) == len(plane.provider.bodies[-1])
    assert "content-md5" not in head
    assert head.get("accept") != "application/json"
    # The evidence commits to what caller and node said to each other.
    record = await plane.final(answer, request=REQUEST)
    assert (record.outcome, record.sent) == (Outcome.SUCCESS, True)


async def test_headers_of_the_old_bytes_do_not_come_through(plane: Plane) -> None:
    plane.provider.replies(
        body=ANSWER, Content_Type="text/xml", ETag='"x"', Digest="x", Accept_Ranges="bytes", X_Other="y"
    )
    answer = await (await plane.caller()).call(PATH)
    assert not {"etag", "digest", "accept-ranges"} & set(answer.headers)
    assert answer.headers["x-other"] == "y"


async def test_without_a_body_nothing_is_changed(plane: Plane) -> None:
    plane.provider.replies(body=b"", Content_Type="text/xml")
    answer = await (await plane.caller()).call(PATH)
    assert (answer.status_code, answer.content) == (200, b"")
    plane.provider.replies("404 Not Found", body=b"<loi/>", Content_Type="text/xml")
    answer = await (await plane.caller()).call(PATH)
    assert (answer.status_code, answer.content) == (404, b"<loi/>")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<xml/>", "malformed, document 1:1"), (b'{"a":1,"a":2}', "duplicate-key"), (b'{"a":NaN}', "malformed"),
        (b'{"a":1e400}', "number-out-of-range"), (b"[" * 10_000, "too-deep"), (b"\xef\xbb\xbf{}", "encoding, document 1:1"),
        (b'{"a":"\\ud800"}', "encoding"), (b'{"a":"\xff"}', "encoding, document 1:7"),
        (b'{"hoTen":"' + MARK.encode() + b'"}', "missing"),
        (b'{"soDinhDanh":"1","ngaySinh":"' + MARK.encode() + b'"}', "value-unreadable, mapping 1:69"),
    ],
    ids=range(10),
)  # fmt: skip
async def test_a_request_that_cannot_be_changed_is_the_callers(plane: Plane, body: bytes, why: str) -> None:
    before = len(plane.provider.heads)
    answer = await (await plane.caller()).call(PATH, "POST", content=body)
    await plane.refused(answer, Reason.REQUEST_NOT_TRANSFORMED, 422, "consumer", request=body)
    assert f"({why}" in answer.json()["detail"]
    assert len(plane.provider.heads) == before


async def test_a_compressed_request_is_refused(plane: Plane) -> None:
    body = gzip.compress(REQUEST)
    answer = await (await plane.caller()).call(
        PATH, "POST", content=body, headers={"content-encoding": "gzip"}
    )
    await plane.refused(answer, Reason.REQUEST_NOT_TRANSFORMED, 422, "consumer", request=body)


@pytest.mark.parametrize(
    ("body", "given"),
    [
        (b'<!DOCTYPE KetQua [<!ENTITY x SYSTEM "file:///etc/passwd">]><KetQua xmlns="urn:gia-lap">&x;</KetQua>', {}),
        (b"{}", {}), (b"\xef\xbb\xbf" + ANSWER, {}), (b"<KhacHan/>", {}), (ANSWER.replace(b">1<", b">7<"), {}),
        (ANSWER.replace(b">x<", b">y<"), {}), (gzip.compress(ANSWER), {"Content_Encoding": "gzip"}),
        (ANSWER.replace(b"UTF-8", b"windows-1258"), {}), (b"<a>" * 5_000, {}),
    ],
    ids=range(9),
)  # fmt: skip
async def test_an_answer_that_cannot_be_changed_is_not_passed_on(
    plane: Plane, body: bytes, given: dict[str, str]
) -> None:
    plane.provider.replies(body=body, **given)
    answer = await (await plane.caller()).call(PATH)
    await plane.refused(answer, Reason.REPLY_NOT_TRANSFORMED, 502, "province", sent=True)
    assert "/etc/passwd" not in answer.text


async def test_large_messages_are_changed_without_holding_up_others(plane: Plane) -> None:
    rows = [{"n": "Nguyễn Văn A", "x": "y" * 60} for _ in range(45_000)]
    body = json.dumps({"list": rows}, ensure_ascii=False).encode()
    assert 4_000_000 < len(body) < 10_000_000
    plane.provider.replies(body=body)
    caller = await plane.caller()
    await caller.call("/Thuong/1.0/x")
    slowest = 0.0

    async def others() -> None:
        nonlocal slowest
        while True:
            started = perf_counter()
            await plane.node.http.get("/health/live")
            slowest = max(slowest, perf_counter() - started)
            await asyncio.sleep(0.005)

    asking = asyncio.ensure_future(others())
    answer = await caller.call("/Nhanh/1.0/x", "POST", content=b'{"a": "' + b"x" * 3_000_000 + b'"}')
    asking.cancel()
    assert len(answer.json()["r"]) == 45_000
    assert len(plane.provider.bodies[-1]) > 3_000_000
    await plane.final(answer, request=b'{"a": "' + b"x" * 3_000_000 + b'"}')
    assert slowest < 0.5  # the machine of the tests has other things to do; the benchmark measures


async def test_a_body_over_the_limit_is_refused_before_anything_is_sent(plane: Plane) -> None:
    before = len(plane.provider.heads)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * 100_000

    caller = await plane.caller()
    with suppress(httpx2.TransportError):  # the node may hang up while we still send
        await caller.call("/Nhanh/1.0/x", "POST", content=pieces())
    record = await plane.until(lambda record: record.reason == Reason.BODY_TOO_LARGE)
    assert (record.outcome, record.sent) == (Outcome.INVALID, False)
    assert len(plane.provider.heads) == before


async def test_a_mapping_that_uses_too_much_is_ours_and_harms_nobody(plane: Plane) -> None:
    caller = await plane.caller()
    answer = await caller.call("/Cham/1.0/x", "POST", content=b"{}")
    await plane.refused(answer, Reason.TRANSFORM_FAILED, 500, "province", request=b"{}")
    plane.provider.replies(body=b"{}")
    answer = await caller.call("/Vong/1.0/x")
    await plane.refused(answer, Reason.REPLY_NOT_TRANSFORMED, 502, "province", sent=True)
    assert (await caller.call("/Thuong/1.0/x")).status_code == 200


async def test_what_a_grant_releases_is_read_from_the_changed_answer(plane: Plane) -> None:
    plane.provider.replies(body=b'{"a": "A", "b": "' + MARK.encode() + b'"}')
    answer = await (await plane.caller()).call("/CoPhep/1.0/x")
    assert answer.json() == {"ten": "A"}


async def test_a_code_list_changes_what_comes_out(plane: Plane) -> None:
    caller = await plane.caller()
    assert (await caller.call(PATH)).json()[0]["trangThai"] == "9"
    current = await plane.node.registry.get(Kind.CODE_LIST, "tinh")
    await plane.node.register.replace(
        Kind.CODE_LIST, "tinh", a_list("tinh", x="10"), expected_version=current.version, author=AUTHOR
    )
    await plane.node.settled()
    assert (await caller.call(PATH)).json()[0]["trangThai"] == "10"


async def test_a_broken_mapping_is_set_aside_and_named(plane: Plane) -> None:
    # The register behind the test's hands does not check mappings, as an older program's would not.
    await plane.offer("Hong", operations=operations(reply=mapped("a +")))
    answer = await (await plane.caller()).call("/Hong/1.0/x")
    await plane.refused(answer, Reason.QUARANTINED, 503, "province")
