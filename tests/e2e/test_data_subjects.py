"""Data subjects through a real node: hashed in the evidence, and nowhere else to be found. All numbers are invented."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from gateway.exchange import Reason
from gateway.subject_keys import SubjectKeys, subject_keys_path
from registry.entities import Kind
from registry.errors import Invalid
from registry.evidence import Outcome
from registry.sql.database import location, upgrade
from registry.subjects import SubjectType, subject_hash
from tests.e2e.node import start
from tests.e2e.plane import EXCHANGE, Plane, running_plane
from tests.factories import a_version, an_operation
from tests.hostile import free_port

CITIZEN, ENTERPRISE = SubjectType.CITIZEN_ID, SubjectType.ENTERPRISE
NUMBER = "001099731846"
"""Stands in every kind of place, and must be found in no file of the node's and in none of its answers."""
SPELLINGS = (NUMBER, "001.099.731846", "1099731846", "001 099 731 846")
FIRM = "0109973184"

OPERATIONS = [
    an_operation("tra-cuu", "/tra-cuu", method="ANY"),
    an_operation("mot-nguoi", "/nguoi/{so}", subject_at="path:so", subject_type="citizen-id"),
    an_operation("tieu-de", "/tieu-de", subject_at="header:X-So", subject_type="citizen-id"),
    an_operation("gui", "/gui", method="POST", subject_at="pointer:/nguoi/so", subject_type="citizen-id"),
    an_operation("nop", "/nop", method="POST", effect="write", subject_at="pointer:/so", subject_type="citizen-id"),
    an_operation("doanh-nghiep", "/doanh-nghiep", subject_at="query:msdn", subject_type="enterprise"),
]  # fmt: skip


@pytest.fixture(scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path_factory.mktemp("plane")) as running:
        await running.offer(
            "CongDan", operations=OPERATIONS, subject_at="query:so", subject_type="citizen-id"
        )
        await running.offer("KhongCap", granted=False, subject_at="query:so", subject_type="citizen-id")
        await running.offer("KhongAi")
        yield running
        await nothing_leaked(running)


@pytest.fixture(autouse=True)
def fresh(plane: Plane) -> None:
    plane.begin()


def keys(plane: Plane) -> SubjectKeys:
    found = SubjectKeys(subject_keys_path(None, plane.node.data_dir), make=False)
    found.refresh()
    return found


async def nothing_leaked(plane: Plane) -> None:
    files = {path.name: path.read_bytes() for path in plane.node.data_dir.iterdir() if path.is_file()}
    files["metrics"] = (await plane.node.http.get("/metrics")).content
    for name, content in files.items():
        for spelling in (*SPELLINGS, FIRM):
            assert spelling.encode() not in content, name


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        pytest.param("GET", f"/CongDan/1.0/tra-cuu?so={NUMBER}", {}, id="query"),
        pytest.param("GET", "/CongDan/tra-cuu?so=001.099.731846", {}, id="query, with separators"),
        pytest.param("GET", f"/CongDan/1.0/nguoi/{NUMBER}", {}, id="path"),
        pytest.param("GET", "/CongDan/nguoi/001%20099%20731%20846", {}, id="path without a version"),
        pytest.param("GET", "/CongDan/tieu-de", {"headers": {"X-So": NUMBER}}, id="header"),
        pytest.param("POST", "/CongDan/gui", {"json": {"nguoi": {"so": 1099731846}}}, id="a number in JSON"),
        pytest.param("POST", "/CongDan/nop", {"json": {"so": NUMBER}}, id="an operation that writes"),
    ],
)
async def test_the_record_names_the_data_subject_by_a_keyed_hash(
    plane: Plane, method: str, path: str, more: dict[str, Any]
) -> None:
    answer = await (await plane.caller()).call(path, method, **more)

    assert answer.status_code == 200
    newest = keys(plane)
    for evidence in await plane.records(answer.headers[EXCHANGE]):
        assert evidence.record.subject == newest.name(CITIZEN, NUMBER)[0]
        assert evidence.record.subject_key == newest.newest_id
        secret = bytes.fromhex(newest.keys[-1].secret)
        assert evidence.record.subject == subject_hash(secret, CITIZEN, NUMBER)


async def test_an_operation_may_have_another_kind_of_subject(plane: Plane) -> None:
    answer = await (await plane.caller()).call(f"/CongDan/doanh-nghiep?msdn={FIRM}&so={NUMBER}")

    record = await plane.final(answer)
    assert record.subject == keys(plane).name(ENTERPRISE, FIRM)[0]


async def test_without_a_declared_or_a_named_subject_there_is_none(plane: Plane) -> None:
    caller = await plane.caller()

    for path in ("/KhongAi/1.0/gi?so=1", "/CongDan/tra-cuu", "/CongDan/tra-cuu?so="):
        record = await plane.final(await caller.call(path))
        assert (record.subject, record.subject_key) == ("", "")


async def test_a_refused_attempt_names_whom_it_was_about(plane: Plane) -> None:
    answer = await (await plane.caller()).call(f"/KhongCap/1.0/x?so={NUMBER}")

    record = await plane.refused(answer, Reason.GRANT_MISSING, 403, "consumer")
    assert record.subject == keys(plane).name(CITIZEN, NUMBER)[0]
    assert NUMBER not in answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(f"/CongDan/tra-cuu?so={NUMBER}&so=001099731847", b"", id="two people"),
        pytest.param(f"/CongDan/tra-cuu?so={NUMBER}x", b"", id="not an id"),
        pytest.param("/CongDan/gui", b'{"nguoi":{"so":"001099731846","so":"001099731847"}}', id="doubled"),
        pytest.param("/CongDan/gui", b"so=001099731846", id="a form"),
        pytest.param("/CongDan/gui", json.dumps({"a": "x" * 70_000, "nguoi": {"so": NUMBER}}).encode(), id="too large"),
    ],
)  # fmt: skip
async def test_a_subject_that_cannot_be_told_for_sure_is_refused_and_nothing_is_sent(
    plane: Plane, path: str, body: bytes
) -> None:
    sent = len(plane.provider.heads)

    answer = await (await plane.caller()).call(path, "POST", content=body)

    assert (answer.status_code, answer.json()["code"]) == (422, Reason.SUBJECT_UNREADABLE)
    assert NUMBER not in answer.text
    record = (await plane.records(answer.headers[EXCHANGE]))[-1].record
    assert (record.outcome, record.subject, record.sent) == (Outcome.INVALID, "", False)
    assert len(plane.provider.heads) == sent


async def test_a_stranger_is_not_told_how_the_subject_is_read(plane: Plane) -> None:
    answer = await (await plane.caller()).call("/KhongCap/1.0/x?so=rubbish")

    await plane.refused(answer, Reason.GRANT_MISSING, 403, "consumer")


async def test_the_caller_is_told_in_both_languages_where_the_id_stands(plane: Plane) -> None:
    answer = await (await plane.caller()).call("/CongDan/tra-cuu?so=rubbish")

    problem = answer.json()
    assert "query:so" in problem["messages"]["vi"]["detail"]
    assert "query:so" in problem["messages"]["en"]["detail"]
    assert "rubbish" not in answer.text


async def test_the_provider_gets_the_message_as_it_was(plane: Plane) -> None:
    await (await plane.caller()).call("/CongDan/tra-cuu?so=001.099.731846")

    assert "so=001.099.731846" in plane.provider.line


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        pytest.param({"subject_at": "query:so"}, "/subject_type", id="no type"),
        pytest.param({"subject_type": "citizen-id"}, "/subject_at", id="no place"),
        pytest.param({"subject_at": "query:so", "subject_type": "name"}, "/subject_type", id="unknown type"),
        pytest.param({"subject_at": "cookie:so", "subject_type": "passport"}, "/subject_at", id="unknown place"),
        pytest.param({"subject_at": "path:so", "subject_type": "passport"}, "/subject_at", id="path of a version"),
        pytest.param({"subject_at": "pointer:so", "subject_type": "passport"}, "/subject_at", id="no pointer"),
        pytest.param(
            {"operations": [an_operation("a", "/a/{so}", subject_at="path:sp", subject_type="passport")]},
            "/operations/0/subject_at",
            id="no such variable",
        ),
        pytest.param(
            {"operations": [an_operation("a", "/a/{so*}", subject_at="path:so", subject_type="passport")]},
            "/operations/0/subject_at",
            id="the rest of a path",
        ),
    ],
)  # fmt: skip
async def test_a_wrong_declaration_is_refused(plane: Plane, given: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        await plane.node.add(Kind.VERSION, a_version("KhongAi", "9.0") | given)

    assert pointer in [flaw.pointer for flaw in caught.value.flaws]


async def test_a_new_key_is_used_within_seconds_without_a_restart(plane: Plane, tmp_path: Path) -> None:
    caller, here = await plane.caller(), keys(plane)
    before = here.name(CITIZEN, NUMBER)
    made = here.rotate()

    record = await plane.final(await caller.call(f"/CongDan/tra-cuu?so={NUMBER}"))
    for _ in range(100):
        if record.subject_key == made.id:
            break
        await asyncio.sleep(0.05)
        record = await plane.final(await caller.call(f"/CongDan/tra-cuu?so={NUMBER}"))

    assert record.subject_key == made.id
    assert record.subject == here.name(CITIZEN, NUMBER)[0] != before[0]


async def test_a_node_without_the_key_file_that_its_settings_name_does_not_start(
    plane: Plane, tmp_path: Path
) -> None:
    await upgrade(location(None, tmp_path))
    environ = plane.node.environment | {
        "LGSP_LISTEN": f"127.0.0.1:{free_port()}",
        "LGSP_DATA_DIR": str(tmp_path),
        "LGSP_SUBJECT_KEYS_FILE": str(tmp_path / "missing.keys"),
        "LGSP_LANGUAGE": "en",
    }
    process = start(environ, tmp_path / "log")

    assert await anyio.to_thread.run_sync(process.wait, 20) == 1
    assert "The subject keys are not usable" in (tmp_path / "log").read_text("utf-8")
    assert not (tmp_path / "missing.keys").exists()
