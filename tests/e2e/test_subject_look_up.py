"""Who looked at this person, when and for what purpose: over the API and by the command. All numbers are invented."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio.to_thread
import httpx2
import pytest

from gateway.subject_keys import SubjectKeys, subject_keys_path
from registry.entities import Kind
from tests.e2e.node import Caller, RunningNode, running_node
from tests.factories import a_system, an_operation, an_organisation

NUMBER, OTHER = "001099581723", "001099581724"
WRITTEN = ("001.099.581723", "1099581723")
API = "/admin/v1/evidence/subject"
PERSON = {"type": "citizen-id", "id": NUMBER}


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningNode]:
    folder = tmp_path_factory.mktemp("node")
    async with running_node(folder, log_level="error") as running:
        await running.add(Kind.ORGANISATION, an_organisation("H98"))
        await running.add(Kind.SYSTEM, a_system("H98:mot-cua"))
        operations = [an_operation("tra-cuu", "/tra-cuu", subject_at="query:so", subject_type="citizen-id")]
        await running.offer("CongDan", operations=operations)
        for consumer in ("H99:mot-cua", "H98:mot-cua"):
            await running.grant("CongDan", consumer, officer="asserted")
            caller = await running.client(f"dữ liệu {consumer}", system=consumer)
            for number in (NUMBER, WRITTEN[0], OTHER):
                answer = await caller.call(f"/CongDan/tra-cuu?so={number}", headers=WHY)
                assert answer.status_code == 200, answer.text
        nobody = await running.client("không quyền", system="H99:ho-tich")
        assert (await nobody.call(f"/CongDan/tra-cuu?so={NUMBER}")).status_code == 403
        yield running
        for path in folder.iterdir():
            for written in (NUMBER, *WRITTEN):
                assert written.encode() not in path.read_bytes(), path.name


WHY = {"lgsp-purpose": "1.004222", "lgsp-procedure": "1.004222", "lgsp-officer": "CB-07"}


async def admin(node: RunningNode, role: str, organisation: str | None = None) -> Caller:
    name = f"{role} {organisation}"
    if name not in CLIENTS:
        given = {"role": role} | ({"organisation": organisation} if organisation else {})
        CLIENTS[name] = await node.client(name, **given)
    return CLIENTS[name]


CLIENTS: dict[str, Caller] = {}


@pytest.fixture(scope="module", autouse=True)
def no_clients() -> None:
    CLIENTS.clear()


async def ask(node: RunningNode, role: str, organisation: str | None = None, **given: Any) -> httpx2.Response:
    caller = await admin(node, role, organisation)
    return await caller.call(API, "POST", json=PERSON | given)


def audited(node: RunningNode, event: str = "subject.looked-up") -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in node.log.read_text("utf-8").splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


async def test_an_auditor_sees_who_looked_when_and_why(node: RunningNode) -> None:
    answer = await ask(node, "auditor")

    assert answer.status_code == 200, answer.text
    found = answer.json()
    labels = found["labels"]
    seen = [(labels[it["consumer"]], it["outcome"]) for it in found["items"]]
    assert seen[0] == ("H99:ho-tich", "refused")
    assert seen[1:] == [("H98:mot-cua", "success")] * 2 + [("H99:mot-cua", "success")] * 2
    item = found["items"][-1]
    assert (labels[item["service"]], item["operation"]) == ("CongDan", "tra-cuu")
    assert (item["purpose"], item["procedure"], item["officer"]) == ("1.004222", "1.004222", "CB-07")
    assert labels[item["provider"]] == "G99:csdl"
    assert [it["at"] for it in found["items"]] == sorted((it["at"] for it in found["items"]), reverse=True)
    assert NUMBER not in answer.text


@pytest.mark.parametrize("written", WRITTEN)
async def test_the_person_is_found_however_the_number_is_written(node: RunningNode, written: str) -> None:
    assert len((await ask(node, "auditor", id=written)).json()["items"]) == 5


async def test_pages(node: RunningNode) -> None:
    first = (await ask(node, "auditor", limit=3)).json()
    second = (await ask(node, "auditor", limit=3, cursor=first["next"])).json()

    assert [len(first["items"]), len(second["items"])] == [3, 2]
    assert second["next"] is None
    assert NUMBER not in first["next"]


@pytest.mark.parametrize(
    ("organisation", "expected"),
    [("H98", ["H98:mot-cua"] * 2), ("H99", ["H99:ho-tich", "H99:mot-cua", "H99:mot-cua"]), ("G99", None)],
)
async def test_an_organisation_sees_the_exchanges_in_which_it_took_part(
    node: RunningNode, organisation: str, expected: list[str] | None
) -> None:
    found = (await ask(node, "organisation-admin", organisation)).json()

    consumers = [found["labels"][it["consumer"]] for it in found["items"]]
    assert consumers == expected if expected is not None else len(consumers) == 5


@pytest.mark.parametrize("role", ["node-admin", "observer", "service-owner"])
async def test_nobody_else_may_ask(node: RunningNode, role: str) -> None:
    before = len(audited(node))

    answer = await ask(node, role, "G99" if role == "service-owner" else None)

    assert (answer.status_code, answer.json()["why"]) == (403, "role")
    assert len(audited(node)) == before


async def test_a_client_of_the_data_plane_may_not(node: RunningNode) -> None:
    caller = await node.client("dữ liệu", system="H99:mot-cua")

    assert (await caller.call(API, "POST", json=PERSON)).status_code == 403


async def test_each_look_up_is_written_down_without_the_id(node: RunningNode) -> None:
    caller = await admin(node, "auditor")
    before = len(audited(node))

    await ask(node, "auditor")

    lines = audited(node)
    assert len(lines) == before + 1
    assert lines[-1]["client"] == caller.id
    assert (lines[-1]["role"], lines[-1]["subject_type"]) == ("auditor", "citizen-id")
    assert lines[-1]["keys"] == [key.id for key in keys(node).keys]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        pytest.param({"type": "name"}, "/type", id="unknown type"),
        pytest.param({"id": NUMBER + "x"}, "/id", id="not an id"),
        pytest.param({"id": ""}, "/id", id="empty"),
        pytest.param({"id": NUMBER * 9}, "/id", id="too long"),
        pytest.param({"id": int(NUMBER)}, "/id", id="a number"),
        pytest.param({"limit": 0}, "/limit", id="no limit"),
        pytest.param({"cursor": NUMBER}, "/cursor", id="made-up cursor"),
        pytest.param({"since": "2026-01-01T00:00:00"}, "/since", id="a time without its offset"),
        pytest.param({"unknown": NUMBER}, "/unknown", id="unknown field"),
    ],
)
async def test_bad_input_is_told_without_repeating_it(
    node: RunningNode, given: dict[str, Any], pointer: str
) -> None:
    answer = await ask(node, "auditor", **given)

    assert answer.status_code == 422, answer.text
    assert pointer in [flaw["pointer"] for flaw in answer.json()["errors"]]
    assert "99581723" not in answer.text


async def test_the_id_is_not_taken_in_an_address(node: RunningNode) -> None:
    caller = await admin(node, "auditor")

    assert (await caller.call(f"{API}/citizen-id")).status_code == 404
    assert (await caller.call(API, "GET")).status_code in {404, 405}


# --- the command ----------------------------------------------------------------------------------------


async def command(node: RunningNode, *words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    caller = await admin(node, "auditor")
    environ = {
        "PATH": os.defpath,
        "PYTHONUTF8": "1",
        "COLUMNS": "200",
        "LGSP_NODE_URL": node.base,
        "LGSP_CLIENT_ID": caller.id,
        "LGSP_CLIENT_SECRET": caller.secret,
        "LGSP_LANGUAGE": "en",
    }

    def run() -> "subprocess.CompletedProcess[str]":
        line = [sys.executable, "-m", "gateway", *words]
        return subprocess.run(
            line, env=environ, input=given, capture_output=True, text=True, check=False, timeout=60
        )

    return await anyio.to_thread.run_sync(run)


async def test_the_command_reads_the_id_from_standard_input(node: RunningNode) -> None:
    table = await command(node, "evidence", "subject", "--type", "citizen-id", given=f"{WRITTEN[0]}\n")
    told = await command(node, "evidence", "subject", "--type", "citizen-id", "--all", "--json", given=NUMBER)

    assert (table.returncode, told.returncode) == (0, 0), table.stderr + told.stderr
    assert table.stdout.count("H98:mot-cua") == 2
    assert "5 exchanges" in table.stdout
    assert len(json.loads(told.stdout)["items"]) == 5
    for text in (table.stdout, table.stderr, told.stdout, told.stderr):
        assert "581723" not in text.replace(".", "")


async def test_the_command_takes_no_id_as_argument(node: RunningNode) -> None:
    done = await command(node, "evidence", "subject", NUMBER, "--type", "citizen-id", given=NUMBER)

    assert done.returncode == 2
    assert done.stdout == ""


async def test_the_command_without_an_id_or_on_the_machine_is_refused(node: RunningNode) -> None:
    nothing = await command(node, "evidence", "subject", "--type", "citizen-id")
    local = await command(node, "evidence", "subject", "--type", "citizen-id", "--local", given=NUMBER)

    assert (nothing.returncode, local.returncode) == (1, 2)
    assert "standard input" in nothing.stderr
    assert "running node" in local.stderr


# --- keys -----------------------------------------------------------------------------------------------


def keys(node: RunningNode) -> SubjectKeys:
    found = SubjectKeys(subject_keys_path(None, node.data_dir), make=False)
    found.refresh()
    return found


async def test_no_answer_shows_a_key(node: RunningNode) -> None:
    for role in ("node-admin", "auditor"):
        listed = await (await admin(node, role)).call("/admin/v1/subject-keys")

        assert listed.status_code == 200
        assert keys(node).keys[0].secret not in listed.text
        assert set(listed.json()["items"][0]) == {"id", "created_at", "destroyed_at", "writes"}


@pytest.mark.parametrize("role", ["auditor", "observer"])
async def test_only_the_node_administrator_changes_keys(node: RunningNode, role: str) -> None:
    caller = await admin(node, role)

    for what in ("rotate", "destroy"):
        answer = await caller.call(f"/admin/v1/subject-keys/{what}", "POST", json={"id": "x"})
        assert answer.status_code == 403


async def test_old_hashes_are_found_after_a_rotation_and_by_nobody_after_destruction(
    node: RunningNode,
) -> None:
    administrator, old = await admin(node, "node-admin"), keys(node).newest_id

    made = await administrator.call("/admin/v1/subject-keys/rotate", "POST", json={})

    assert made.json()["writes"] is True
    caller = await node.client("sau khi đổi khoá", system="H99:mot-cua")
    await caller.call(f"/CongDan/tra-cuu?so={NUMBER}", headers=WHY)
    found = (await ask(node, "auditor")).json()
    assert [it["subject_key"] for it in found["items"]] == [made.json()["id"], *[old] * 5]
    assert found["keys"] == [old, made.json()["id"]]

    too_new = await administrator.call(
        "/admin/v1/subject-keys/destroy", "POST", json={"id": made.json()["id"]}
    )
    gone = await administrator.call("/admin/v1/subject-keys/destroy", "POST", json={"id": old})

    assert (too_new.status_code, gone.status_code) == (409, 200)
    found = (await ask(node, "auditor")).json()
    assert [it["subject_key"] for it in found["items"]] == [made.json()["id"]]
    assert found["keys"] == [made.json()["id"]]
    assert [line["key"] for line in audited(node, "subject-key.destroyed")] == [old]
    assert [line["key"] for line in audited(node, "subject-key.rotated")] == [made.json()["id"]]
