"""Evidence that proves itself, on a real node: exported by those who may, verified by the command line offline."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from registry.entities import Kind
from registry.ids import uuid7
from registry.months import bounds, month_of
from registry.sql.database import location, open_engine, upgrade
from registry.sql.ledger_keys import now_us
from registry.sql.proofs import Proofs
from registry.verification import Report, verify
from tests.contract.independent_verifier import Verifier
from tests.e2e.node import Caller, RunningNode, running_node
from tests.exports import NODE, NODE_KEY, proven_ledger, record_at, seen
from tests.factories import an_organisation

API = "/admin/v1"
LATER = 2**62

DAY_US = 86_400_000_000


async def some_calls(node: RunningNode, number: int) -> None:
    await node.offer()
    await node.grant()
    caller = await node.client("mot-cua", system="H99:mot-cua")
    await caller.fetch_token()
    await asyncio.gather(*(caller.call("/DoanhNghiep/1.0/chiTietDoanhNghiep") for _ in range(number)))


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningNode]:
    """A node with some exchanges, and a stranger's organisation."""
    async with running_node(tmp_path_factory.mktemp("node") / "data") as running:
        await some_calls(running, 8)
        await running.add(Kind.ORGANISATION, an_organisation("H98"))
        yield running


async def admin(node: RunningNode, role: str, organisation: str | None = None) -> Caller:
    name = f"{role} {organisation} {uuid7()}"
    return await node.client(name, role=role, organisation=organisation)


async def export(caller: Caller, **query: Any) -> Report:
    answer = await caller.call(f"{API}/proofs", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/jsonl"
    Verifier(LATER).run(answer.content)
    report = verify(answer.content.splitlines(keepends=True), now=LATER)
    assert report.flaws == []
    return report


async def an_exchange(caller: Caller, **query: str) -> str:
    page = (await caller.call(f"{API}/evidence", params={"limit": 1} | query)).json()
    return str(page["items"][0]["exchange"])


async def test_parties_and_auditors_get_proofs_and_salts_and_nobody_else(node: RunningNode) -> None:
    auditor = await admin(node, "auditor")
    exchange = await an_exchange(auditor, outcome="success")

    for role, organisation in (
        ("organisation-admin", "H99"),
        ("organisation-admin", "G99"),
        ("service-owner", "G99"),
        ("auditor", None),
    ):
        caller = auditor if role == "auditor" else await admin(node, role, organisation)
        kept = (await caller.call(f"{API}/evidence/{exchange}")).json()["records"][-1]
        assert kept["salt"]
        assert json.loads(kept["proof"]["header"])["kind"] == "batch"
        (held,) = (await export(caller, exchange=exchange, salts="true")).records
        assert held.holds
        assert held.salt.hex() == kept["salt"]


async def test_strangers_get_neither_records_nor_proofs(node: RunningNode) -> None:
    exchange = await an_exchange(await admin(node, "auditor"))

    for role, organisation in (("organisation-admin", "H98"), ("service-owner", "H98"), ("observer", None)):
        caller = await admin(node, role, organisation)
        for address in (
            f"evidence/{exchange}",
            f"proofs?exchange={exchange}",
            "proofs",
            "proofs?consumer=H99:mot-cua",
        ):
            answer = await caller.call(f"{API}/{address}")
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (role, address)


async def test_a_node_administrator_gets_proofs_without_salts(node: RunningNode) -> None:
    root = await admin(node, "node-admin")
    exchange = await an_exchange(root)

    kept = (await root.call(f"{API}/evidence/{exchange}")).json()["records"][-1]
    refused = await root.call(f"{API}/proofs", params={"exchange": exchange, "salts": "true"})

    assert (kept["salt"], refused.status_code) == (None, 403)
    assert kept["proof"]
    assert not (await export(root)).records[0].salt


async def test_what_cannot_be_proved_is_refused(node: RunningNode) -> None:
    auditor, nobody = await admin(node, "auditor"), "01933f00-0000-7000-8000-000000000001"

    for query, status in (
        ({"exchange": nobody}, 404),
        ({"exchange": "not-an-id"}, 422),
        ({"exchange": nobody, "consumer": "H99:mot-cua"}, 422),
        ({"consumer": "H99:nobody"}, 404),
        ({"since": "yesterday"}, 422),
        ({"follow": "0"}, 422),
        ({"nobody": "knows"}, 422),
    ):
        answer = await auditor.call(f"{API}/proofs", params=query)
        assert answer.status_code == status, query


async def test_two_workers_have_two_chains_and_one_list_of_checkpoints(
    tmp_path: Path, postgres_database: str
) -> None:
    async with running_node(tmp_path / "data", database=postgres_database, workers="2") as node:
        await some_calls(node, 40)
        auditor = await admin(node, "auditor")

        whole = await export(auditor)
        (one,) = (await export(auditor, exchange=whole.records[-1].record.exchange)).records

    assert len(whole.records) == 40
    assert whole.latest is not None
    assert len(whole.latest.chains) == 2
    assert one.holds


async def test_figures_carry_the_latest_checkpoint(node: RunningNode) -> None:
    auditor = await admin(node, "auditor")
    report = await export(auditor)

    figure = (await auditor.call(f"{API}/connectivity")).json()
    latest = (await auditor.call(f"{API}/checkpoints/latest")).json()["checkpoint"]

    assert report.latest is not None
    assert figure["checkpoint"]["number"] >= report.latest.number
    assert figure["checkpoint"] == latest


async def test_the_ledgers_key_is_rotated_while_the_node_runs(node: RunningNode) -> None:
    root = await admin(node, "node-admin")
    before = await export(root)

    made = (await root.call(f"{API}/ledger/keys/rotate", "POST", json={})).json()
    keys = (await root.call(f"{API}/ledger/keys")).json()["items"]

    after = await export(root)
    assert [key["number"] for key in keys] == [1, 2]
    assert keys[1] == made
    assert after.fingerprint == before.fingerprint == keys[0]["id"]


# --- the command line -----------------------------------------------------------------------------------


def lgsp(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        capture_output=True,
        text=True,
        env={"PATH": os.defpath, "PYTHONUTF8": "1", "LGSP_LANGUAGE": "en"} | environ,
        check=False,
        timeout=120,
    )


async def run(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(lgsp, *arguments, **environ)


@pytest.fixture
async def sqlite_node(tmp_path: Path) -> AsyncIterator[RunningNode]:
    """A node that the test may stop."""
    async with running_node(tmp_path / "data") as running:
        await some_calls(running, 3)
        yield running


async def test_an_export_is_verified_on_a_machine_without_the_node(
    sqlite_node: RunningNode, tmp_path: Path
) -> None:
    auditor = await admin(sqlite_node, "auditor")
    signed_in = {
        "LGSP_NODE_URL": sqlite_node.base,
        "LGSP_CLIENT_ID": auditor.id,
        "LGSP_CLIENT_SECRET": auditor.secret,
    }
    exchange = await an_exchange(auditor)
    earlier, later, body = tmp_path / "earlier.jsonl", tmp_path / "later.jsonl", tmp_path / "body"

    first = await run("evidence", "export", exchange, "--salts", "-o", str(earlier), "--json", **signed_in)
    caller = await sqlite_node.client("again", system="H99:mot-cua")
    reply = await caller.call("/DoanhNghiep/1.0/chiTietDoanhNghiep?maso=0202")
    second = await run(
        "evidence", "export", reply.headers["lgsp-exchange-id"], "--salts", "--follow", str(earlier),
        "-o", str(later), **signed_in,
    )  # fmt: skip
    sqlite_node.stop()
    body.write_bytes(reply.content)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    fingerprint = json.loads(first.stdout)["fingerprint"]
    good = await run(
        "evidence", "verify", str(later), "--key", fingerprint, "--against", str(earlier), "--reply", str(body), "--json"
    )  # fmt: skip
    assert good.returncode == 0, good.stdout
    told = json.loads(good.stdout)
    assert (told["holds"], told["bodies"], told["against"]) == (
        True,
        {"reply": True},
        {"linked": True, "contradictions": []},
    )
    assert [each["included"] and each["signed"] for each in told["records"]] == [True]
    body.write_bytes(b"another")
    assert (await run("evidence", "verify", str(later), "--reply", str(body))).returncode == 1
    assert (await run("evidence", "verify", str(later), "--key", "00" * 32)).returncode == 1


async def test_a_ledger_put_back_to_a_backup_contradicts_what_it_gave_before(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    earlier, later = tmp_path / "earlier.jsonl", tmp_path / "later.jsonl"
    backup.mkdir()

    async def goes_on(file: Path, *options: str) -> None:
        """Run the node on the ledger as it is, make some calls, and export all of it."""
        async with running_node(data, empty=True) as node:
            caller = await node.client(f"mot-cua {uuid7()}", system="H99:mot-cua")
            for _ in range(3):
                assert (await caller.call("/DoanhNghiep/1.0/chiTietDoanhNghiep")).status_code == 200
            done = await run("evidence", "export", *options, "-o", str(file), "--local", **node.environment)
            assert done.returncode == 0, done.stderr

    async with running_node(data) as node:
        await some_calls(node, 3)
        node.stop()
    for file in data.glob("ledger.db*"):
        shutil.copy(file, backup)
    await goes_on(earlier)
    agreeing = tmp_path / "agreeing.jsonl"
    await goes_on(agreeing, "--follow", str(earlier))
    for file in data.glob("ledger.db*"):
        file.unlink()
    for file in backup.iterdir():
        shutil.copy(file, data)
    await goes_on(later)

    agrees = await run("evidence", "verify", str(agreeing), "--against", str(earlier))
    alone = await run("evidence", "verify", str(later))
    forked = await run("evidence", "verify", str(later), "--against", str(earlier))
    in_json = await run("evidence", "verify", str(later), "--against", str(earlier), "--json")

    assert (agrees.returncode, alone.returncode, forked.returncode, in_json.returncode) == (0, 0, 1, 1)
    assert "CONTRADICTION  batch" in forked.stdout
    assert "the chain was forked" in forked.stdout
    told = json.loads(in_json.stdout)
    assert (told["holds"], told["flaws"], told["against"]["linked"]) == (False, [], True)
    assert told["against"]["contradictions"]


async def test_what_is_wrong_with_a_file_is_told(node: RunningNode, tmp_path: Path) -> None:
    auditor = await admin(node, "auditor")
    good = (await auditor.call(f"{API}/proofs")).content
    file = tmp_path / "export.jsonl"

    file.write_bytes(good)
    whole = await run("evidence", "verify", str(file))
    file.write_bytes(good.replace(b'status\\":200', b'status\\":500', 1))
    changed = await run("evidence", "verify", str(file))
    file.write_bytes(good[:-40])
    cut = await run("evidence", "verify", str(file), LGSP_LANGUAGE="vi")

    assert (whole.returncode, changed.returncode, cut.returncode) == (0, 1, 1)
    assert "All holds: 8 records" in whole.stdout
    assert "its records were changed" in changed.stdout
    assert "SAI" in cut.stdout


async def test_wrong_usage_and_failures_have_their_exit_codes(tmp_path: Path, sqlite_template: Path) -> None:
    for file in sqlite_template.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())

    for arguments, code in (
        ("evidence verify nowhere.jsonl", 1),
        ("evidence verify nowhere.jsonl --key abc", 2),
        (f"evidence verify --key {'00' * 32}", 2),
        ("evidence export", 2),
        ("evidence archive 2026-13 -o x", 2),
        ("evidence archive 2999-01 -o x", 1),
        ("evidence drop 2026-01", 2),
        ("evidence drop 2026-01 --archived nowhere", 1),
    ):
        done = await run(*arguments.split(), LGSP_DATA_DIR=str(tmp_path))
        assert done.returncode == code, (arguments, done.stderr)


async def test_the_own_ledger_is_verified_on_its_machine(sqlite_node: RunningNode) -> None:
    sqlite_node.stop()

    done = await run("evidence", "verify", "--json", **sqlite_node.environment)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["records"] >= 3


async def test_a_month_is_archived_dropped_and_verified_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = month_of(now_us() - 35 * DAY_US)
    then = bounds(month)[0] + DAY_US
    where = location(None, tmp_path)
    await upgrade(where)
    (tmp_path / "node.key").write_text(NODE_KEY.hex() + "\n")
    (tmp_path / "node.key").chmod(0o600)
    engine = open_engine(where.ledger)
    await Proofs(engine, NODE_KEY, node=NODE, now=lambda: then).keys.signer()  # its first key is as old
    await engine.dispose()
    async with proven_ledger(where, tmp_path) as ledger:
        with monkeypatch.context() as clock:
            clock.setattr("registry.writer.now_us", lambda: then)
            await ledger.write(*(record_at(seen(), then) for _ in range(4)))
        await ledger.write(seen())
    file, foreign = tmp_path / "month.jsonl", tmp_path / "foreign.jsonl"
    here = {"LGSP_DATA_DIR": str(tmp_path), "LGSP_NODE": NODE, "LGSP_LANGUAGE": "en"}

    kept = await run("evidence", "archive", month, "-o", str(file), "--json", **here)
    early = await run("evidence", "verify", "--archived", str(file), **here)
    dropped = await run("evidence", "drop", month, "--archived", str(file), "--json", **here)
    whole = await run("evidence", "verify", "--json", **here)
    across = await run("evidence", "verify", "--archived", str(file), "--json", **here)
    offline = await run("evidence", "verify", str(file), "--json")
    foreign.write_bytes(file.read_bytes().replace(b'"', b"'", 1))
    stranger = await run("evidence", "verify", "--archived", str(foreign), **here)

    assert kept.returncode == 0, kept.stderr
    assert (early.returncode, "not an archive that this ledger was dropped against" in early.stderr) == (
        1,
        True,
    )
    assert json.loads(dropped.stdout)["records"] == 4
    assert json.loads(whole.stdout)["records"] == 1
    assert json.loads(whole.stdout)["dropped_batches"] >= 1
    assert json.loads(across.stdout)["archives"] == [month]
    assert offline.returncode == 0, offline.stderr
    assert (stranger.returncode, "not an archive" in stranger.stderr) == (1, True)
