"""Grants that name fields, through a real node: what a consumer gets, what is recorded, what is not passed on."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.exchange import Reason
from registry.entities import Kind
from registry.evidence import Outcome
from registry.plan import export, parse_yaml, plan
from tests.e2e.node import AUTHOR, PROVIDER
from tests.e2e.plane import MARK, Plane, running_plane

FIELDS: dict[str, Any] = {
    "CAP-PHEP": [
        "MainInformation.NAME",
        {"path": "Representatives[].BIRTH", "action": "generalise", "to": "year"},
        {"path": "Representatives.ID", "action": "mask", "keep_last": 3},
    ],
    "XAC-MINH": ["MainInformation.ENTERPRISE_STATUS"],
    "TAT-CA": ["*"],
}
DOCUMENT = f"""{{"Status": 1, "Message": "Thành công", "MainInformation":
    {{"NAME": "Công ty giả lập", "ENTERPRISE_STATUS": "NNT đang hoạt động", "CAPITAL_AMOUNT": 1.50, "MOI": "{MARK}"}},
  "Representatives": [{{"NAME": "{MARK}", "BIRTH": "01/02/1990", "ID": "001099000001"}},
    {{"BIRTH": "{MARK}", "ID": null, "NHA": {{"ID": "{MARK}"}}}}], "Members": ["{MARK}"]}}""".encode()
RELEASED = {
    "Status": 1,
    "MainInformation": {"NAME": "Công ty giả lập"},
    "Representatives": [{"BIRTH": "1990", "ID": "*********001"}, {"ID": None}],
}
XML = f"""<?xml version="1.0" encoding="UTF-8"?>
<CongdanCollection xmlns="urn:gia-lap"><CongDan moi="{MARK}"><HoTen>Nguyễn Văn A</HoTen><NgaySinh>19900201</NgaySinh>
<Moi>{MARK}</Moi></CongDan></CongdanCollection>""".encode()


@pytest.fixture(scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path_factory.mktemp("plane") / "node") as running:
        rule = {"success": [{"at": "pointer:/Status", "equals": ["1"]}]}
        await running.offer("DoanhNghiep", granted=False, envelope=["Status"], success_rule=rule)
        await running.node.grant("DoanhNghiep", fields=FIELDS, purposes=list(FIELDS))
        await running.offer("DanCu", granted=False)
        await running.node.grant(
            "DanCu",
            fields={
                "*": [
                    "CongdanCollection.CongDan.HoTen",
                    {"path": "CongdanCollection.CongDan.NgaySinh", "action": "generalise", "to": "month"},
                    "A",
                ]
            },
        )
        await running.node.settled()
        yield running


@pytest.fixture(autouse=True)
def _as_before(plane: Plane) -> None:
    plane.begin()
    plane.provider.replies(body=DOCUMENT)


def why(purpose: str) -> dict[str, str]:
    return {"lgsp-purpose": purpose}


async def test_each_purpose_gets_its_fields_and_the_record_says_which(plane: Plane) -> None:
    caller = await plane.caller()
    answers = {
        purpose: await caller.call("/DoanhNghiep/1.0/x", headers=why(purpose))
        for purpose in ("CAP-PHEP", "XAC-MINH")
    }
    assert answers["CAP-PHEP"].json() == RELEASED
    assert answers["XAC-MINH"].json() == {
        "Status": 1,
        "MainInformation": {"ENTERPRISE_STATUS": "NNT đang hoạt động"},
    }
    scopes = {(await plane.final(answer)).scope for answer in answers.values()}
    assert sorted(scope.partition("#")[0] for scope in scopes) == ["CAP-PHEP", "XAC-MINH"]
    for answer in answers.values():
        assert MARK not in answer.text
        assert (await plane.final(answer)).outcome == Outcome.SUCCESS


async def test_a_purpose_for_everything_gets_the_answer_as_it_is(plane: Plane) -> None:
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x", headers=why("TAT-CA"))
    assert answer.content == DOCUMENT
    assert (await plane.final(answer)).scope.startswith("TAT-CA#")


async def test_a_business_failure_is_limited_too(plane: Plane) -> None:
    body = f'{{"Status": 0, "Message": "{MARK}", "MainInformation": null}}'.encode()
    for status in ("200 OK", "404 Not Found"):
        plane.provider.replies(status, body=body)
        answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x", headers=why("XAC-MINH"))
        assert answer.status_code == int(status[:3])
        assert answer.json() == {"Status": 0, "MainInformation": None}
        assert (await plane.final(answer)).outcome == Outcome.BUSINESS_FAILURE


async def test_xml_is_limited_alike(plane: Plane) -> None:
    plane.provider.replies(body=XML, Content_Type="text/xml; charset=UTF-8")
    answer = await (await plane.caller()).call("/DanCu/1.0/x")
    assert MARK not in answer.text
    assert answer.text.endswith(
        '<CongdanCollection xmlns="urn:gia-lap"><CongDan><HoTen>Nguyễn Văn A</HoTen>'
        "<NgaySinh>199002</NgaySinh></CongDan></CongdanCollection>"
    )
    assert (await plane.final(answer)).scope.startswith("*#")


async def test_a_large_answer_is_put_together_and_limited(plane: Plane) -> None:
    body = b'{"A": "1", "B": [' + b",".join([b'"%s"' % MARK.encode()] * 100_000) + b"]}"
    assert len(body) > 2_000_000
    plane.provider.replies(body=body)
    answer = await (await plane.caller()).call("/DanCu/1.0/x")
    assert answer.content == b'{"A":"1"}'
    await plane.final(answer)


async def test_headers_that_could_tell_what_was_removed_are_not_passed_on(plane: Plane) -> None:
    plane.provider.replies(
        body=DOCUMENT, ETag='"abc"', X_Ho_Ten=MARK, Content_MD5="x", Link=MARK, Cache_Control="no-store"
    )
    answer = await (await plane.caller()).call("/DoanhNghiep/1.0/x", headers=why("XAC-MINH"))
    assert not {"etag", "x-ho-ten", "content-md5", "link"} & answer.headers.keys()
    assert answer.headers["cache-control"] == "no-store"
    head = await (await plane.caller()).call("/DoanhNghiep/1.0/x", "HEAD", headers=why("XAC-MINH"))
    assert head.headers.get("content-length", "0") != str(len(DOCUMENT))


async def test_the_provider_is_asked_for_the_whole_answer_in_plain(plane: Plane) -> None:
    headers = {"accept-encoding": "gzip", "range": "bytes=0-10", "if-range": '"x"'}
    await (await plane.caller()).call("/DanCu/1.0/x", headers=headers)
    assert plane.provider.head["accept-encoding"] == "identity"
    assert not {"range", "if-range"} & plane.provider.head.keys()


def gzipped(size: int) -> bytes:
    return gzip.compress(b'{"A": "' + MARK.encode() * (size // len(MARK)) + b'"}')


@pytest.mark.parametrize(
    ("body", "headers", "why_not"),
    [
        pytest.param(gzipped(100), {"Content_Encoding": "gzip"}, "content-encoding", id="gzip"),
        pytest.param(zlib.compress(b"{}"), {"Content_Encoding": "deflate"}, "content-encoding", id="deflate"),
        pytest.param(f"%PDF {MARK}".encode(), {"Content_Type": "application/pdf"}, "form", id="a PDF"),
        pytest.param(MARK.encode(), {"Content_Type": "text/plain"}, "form", id="plain text"),
        pytest.param(
            b"[" + b'"%s",' % MARK.encode() * 600_000 + b"1]", {}, "size", id="more than can be held"
        ),
    ],
)
async def test_what_cannot_be_limited_is_not_passed_on(
    plane: Plane, body: bytes, headers: dict[str, str], why_not: str
) -> None:
    plane.provider.replies(body=body, **headers)
    answer = await (await plane.caller()).call("/DanCu/1.0/x")
    record = await plane.refused(answer, Reason.REPLY_NOT_LIMITED, 502, "province", sent=True)
    assert answer.json()["details"] == {"why": why_not}
    assert record.scope.startswith("*#")


@pytest.mark.parametrize(
    ("body", "why_not"),
    [
        pytest.param(f'{{"A": 1, "B": "{MARK}", "A": 2}}', "duplicate-name", id="a name twice"),
        pytest.param(f'{{"A": "{MARK}"', "json", id="cut JSON"),
        pytest.param("[" * 50_000, "json", id="deep"),
        pytest.param(f'<!DOCTYPE A [<!ENTITY x "{MARK}">]><A>&x;</A>', "doctype", id="a DOCTYPE"),
        pytest.param(f"<A>{MARK}", "xml", id="cut XML"),
    ],
)
async def test_what_cannot_be_read_is_not_passed_on(plane: Plane, body: str, why_not: str) -> None:
    plane.provider.replies(body=body.encode())
    answer = await (await plane.caller()).call("/DanCu/1.0/x")
    await plane.refused(answer, Reason.REPLY_UNREADABLE, 502, "provider", sent=True)
    assert answer.json()["details"] == {"why": why_not}


async def test_a_large_answer_that_breaks_off_is_told_as_such(plane: Plane) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n"
    plane.provider.sends(head, b'{"A": 1,' + b" " * 200_000, then="reset")
    answer = await (await plane.caller()).call("/DanCu/1.0/x")
    await plane.refused(answer, Reason.PROVIDER_CUT, 504, "provider", sent=True)


async def test_a_large_answer_is_cut_when_its_grant_is_revoked(plane: Plane) -> None:
    await plane.offer("ThuHoi", granted=False, endpoint={"deadline_seconds": 10})
    made = await plane.node.grant("ThuHoi", fields={"*": ["A"]})
    caller = await plane.caller()
    await plane.node.settled()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n"
    plane.provider.sends(head, *[b" " * 70_000] * 12, pause=0.5)

    async with asyncio.TaskGroup() as tasks:
        call = tasks.create_task(caller.call("/ThuHoi/1.0/x"))
        await asyncio.sleep(1)
        await plane.node.step(Kind.GRANT, made.id, "revoke", PROVIDER, note="thôi")

    await plane.refused(call.result(), Reason.CUT_BY_REVOCATION, 504, "consumer", sent=True)


async def test_narrower_fields_hold_within_a_second_and_wider_ones_need_approval(plane: Plane) -> None:
    await plane.offer("HoTich", granted=False)
    made = await plane.node.grant("HoTich", fields={"*": ["Status", "Message"]})
    await plane.node.settled()
    caller = await plane.caller()
    assert (await caller.call("/HoTich/1.0/x")).json() == {"Status": 1, "Message": "Thành công"}

    stored = await plane.node.registry.get(Kind.GRANT, made.id)
    spec = {"consumer": "H99:mot-cua", "service": "HoTich", "fields": {"*": ["Status"]}}
    narrower = await plane.node.register.replace(
        Kind.GRANT, made.id, spec, expected_version=stored.version, author=AUTHOR
    )
    await plane.node.settled()
    assert narrower.document["status"] == "approved"
    assert (await caller.call("/HoTich/1.0/x")).json() == {"Status": 1}

    wider = await plane.node.register.replace(
        Kind.GRANT, made.id, spec | {"fields": {}}, expected_version=narrower.version, author=AUTHOR
    )
    await plane.node.settled()
    assert wider.document["status"] == "requested"
    assert (await caller.call("/HoTich/1.0/x")).status_code == 403


async def test_a_scope_survives_export_and_apply(plane: Plane) -> None:
    text = await export(plane.node.registry)
    assert "MainInformation.NAME\n" in text

    changes = await plan(plane.node.registry, parse_yaml(text))

    assert {item.change for item in changes.items} == {"unchanged"}
