"""Everything is changed while calls go on: none fails, each change works within a second, what is broken is named."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import make_url

from registry.entities import Kind
from tests.e2e.node import Caller, RunningNode, running_node
from tests.factories import a_client, a_code_list, a_grant, a_service, a_system, a_version, an_organisation
from tests.load import Load, request, tell, under_load

EDITS = 200
EDITS_PER_SECOND = 40
CALLED = "/DoanhNghiep/1.0/chiTietDoanhNghiep"
CHANGED = "/DanCu/1.0/chiTietDoanhNghiep"
GENEROUS = {"per_second": 100_000}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[RunningNode]:
    async with running_node(tmp_path / "node") as running:
        for service in ("DoanhNghiep", "DanCu"):
            await running.offer(service)
            await running.grant(service, quota=GENEROUS)
        yield running


@dataclass
class Editor:
    """An administrator, and one of the provider's, who change the registry and measure how soon that shows."""

    admin: Caller
    approver: Caller
    caller: Caller
    edits: int = 0
    seconds: list[float] = field(default_factory=list)

    async def edit(self, method: str, path: str, by: Caller | None = None, **given: Any) -> httpx2.Response:
        answer = await (by or self.admin).call(f"/admin/v1/{path}", method, **given)
        assert answer.is_success, f"{path}: {answer.text}"
        self.edits += 1
        return answer

    async def add(self, kind: Kind, document: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = (await self.edit("POST", kind.value, json=document)).json()
        return made

    async def act(self, kind: Kind, label: str, action: str, by: Caller | None = None, **given: Any) -> None:
        """Take a step, with the version that the object has now."""
        path = f"{kind.value}/{label}"
        now = await (by or self.admin).call(f"/admin/v1/{path}")
        headers = {"if-match": now.headers["etag"]}
        await self.edit("POST", f"{path}/actions/{action}", by, json=given, headers=headers)

    async def seen(self, sees: Callable[[], Awaitable[bool]]) -> None:
        """Measure from the answer of the last edit to the first call that sees it."""
        began = time.monotonic()
        while not await sees():
            assert time.monotonic() - began < 5, "the change does not show"
        self.seconds.append(time.monotonic() - began)

    async def answers(self, status: int) -> bool:
        return (await self.caller.call(CHANGED)).status_code == status


async def a_pause_and_a_suspension(editor: Editor, number: int) -> None:
    """Switch an unrelated service off and on, and a grant."""
    await editor.act(Kind.SERVICE, "DanCu", "block", reason="Kiểm thử")
    await editor.seen(lambda: editor.answers(503))
    await editor.act(Kind.SERVICE, "DanCu", "unblock")
    await editor.seen(lambda: editor.answers(200))
    await editor.act(Kind.GRANT, "H99:mot-cua/DanCu", "suspend", note="Kiểm thử")
    await editor.seen(lambda: editor.answers(403))
    await editor.act(Kind.GRANT, "H99:mot-cua/DanCu", "resume", editor.approver)
    await editor.seen(lambda: editor.answers(200))


async def a_service_of_a_new_system(editor: Editor, number: int) -> None:
    """Register, publish, grant and call something new, then block it for that consumer."""
    name, system = f"Moi{number}", f"H99:he-{number}"
    await editor.add(Kind.SYSTEM, a_system(system))
    await editor.add(Kind.SERVICE, a_service(name))
    await editor.add(Kind.VERSION, a_version(name))
    await editor.act(Kind.VERSION, f"{name}/1.0", "publish")
    await editor.add(Kind.GRANT, a_grant(system, name))
    made = await editor.add(Kind.CLIENT, a_client(f"may-{number}", system=system))
    newcomer = Caller(editor.admin.node, made["client_id"], made["client_secret"])
    await newcomer.fetch_token()
    await editor.act(Kind.GRANT, f"{system}/{name}", "approve", editor.approver)

    async def answered(status: int) -> bool:
        return (await newcomer.call(f"/{name}/1.0/chiTietDoanhNghiep")).status_code == status

    await editor.seen(lambda: answered(200))
    await editor.act(Kind.CLIENT, made["client_id"], "disable")
    await editor.seen(lambda: answered(401))


async def some_paper_work(editor: Editor, number: int) -> None:
    """Change what no call sees."""
    await editor.add(Kind.ORGANISATION, an_organisation(f"H99.{number:02}"))
    await editor.add(Kind.CODE_LIST, a_code_list(f"danh-muc-{number}"))


KINDS_OF_WORK = (a_pause_and_a_suspension, a_service_of_a_new_system, some_paper_work)


async def test_two_hundred_changes_under_load_fail_no_call_and_work_within_a_second(
    node: RunningNode,
) -> None:
    caller = await node.client("một cửa", system="H99:mot-cua")
    admin = await node.client("quản trị", role="node-admin")
    provider = await node.client("bên cung cấp", role="service-owner", organisation="G99")
    editor = Editor(admin, provider, caller)
    load = Load(node.port, [request(CALLED, await caller.fetch_token())], per_second=200)

    began = time.monotonic()
    async with under_load(load):
        for number in count(1):
            await KINDS_OF_WORK[number % len(KINDS_OF_WORK)](editor, number)
            await asyncio.sleep(max(began + editor.edits / EDITS_PER_SECOND - time.monotonic(), 0))
            if editor.edits >= EDITS:
                break
    seconds = time.monotonic() - began

    assert load.statuses.keys() == {200}
    assert load.broken == 0
    assert len(load.answers) > 100 * seconds
    slowest = sorted(editor.seconds)[int(0.99 * len(editor.seconds))]
    assert slowest < 1.0
    tell(
        f"hot change: {editor.edits} edits, {len(load.answers)} calls in {seconds:.1f} s, none failed; "
        f"{len(editor.seconds)} edits watched, effective after p99 {slowest * 1000:.0f} ms"
    )


async def test_a_broken_object_is_quarantined_and_named_while_the_others_go_live(node: RunningNode) -> None:
    """The harness registers without asking the connectors, as an older program would have."""
    admin = await node.client("quản trị", role="node-admin")
    caller = await node.client("một cửa", system="H99:mot-cua")

    await node.offer("Hong", endpoint={"connector": "rest", "settings": {"url": 7}})
    await node.offer("Lanh")
    for service in ("Hong", "Lanh"):
        await node.grant(service)
    await node.settled()
    named = (await admin.call("/admin/v1/quarantine")).json()
    broken = await caller.call("/Hong/1.0/chiTietDoanhNghiep")
    sound = await caller.call("/Lanh/1.0/chiTietDoanhNghiep")
    gauge = (await node.http.get("/metrics")).text

    assert [(it["kind"], it["label"]) for it in named["items"]] == [("versions", "Hong/1.0")]
    assert "url" in named["items"][0]["reason"]
    assert (broken.status_code, broken.json()["code"]) == (503, "quarantined")
    assert sound.status_code == 200
    assert "\nlgsp_registry_quarantined_objects 1.0" in gauge

    await node.step(Kind.VERSION, "Hong/1.0", "retire")
    await node.settled()
    assert (await admin.call("/admin/v1/quarantine")).json()["items"] == []


async def test_rows_damaged_in_the_database_stop_nothing_else(node: RunningNode) -> None:
    """A row of each kind that no program of ours would write."""
    admin = await node.client("quản trị", role="node-admin")
    caller = await node.client("một cửa", system="H99:mot-cua")
    await node.add(Kind.SYSTEM, a_system("H99:khac"))
    await node.add(Kind.SERVICE, a_service("Khac", provider="H99:khac"))
    await node.add(Kind.VERSION, a_version("Khac"))
    await node.step(Kind.VERSION, "Khac/1.0", "publish")
    damaged = {
        Kind.SYSTEM: "H99:khac",
        Kind.SERVICE: "Khac",
        Kind.VERSION: "Khac/1.0",
        Kind.GRANT: (await node.grant("Khac", "H99:ho-tich")).id,
        Kind.CLIENT: (await node.client("máy hỏng", system="H99:ho-tich")).id,
    }
    ids = [(await node.registry.get(kind, label)).id for kind, label in damaged.items()]

    for document in ("{}", '{"status": 5, "organisation": [], "service": {}, "provider": 1}'):
        revision = damage(node, ids, document)
        await node.settled()
        named = (await admin.call("/admin/v1/quarantine")).json()

        assert named["revision"] == revision
        assert {it["id"] for it in named["items"]} >= set(ids)
        assert (await caller.call(CALLED)).status_code == 200
    assert node.process.poll() is None


def damage(node: RunningNode, ids: list[str], document: str) -> int:
    """Overwrite rows in the registry's file as a new revision, and return its number."""
    file = make_url(node.location.registry).database
    assert file is not None
    with sqlite3.connect(file) as db:
        db.execute("UPDATE head SET number = number + 1")
        (revision,) = db.execute("SELECT number FROM head").fetchone()
        db.executemany(
            "UPDATE objects SET document = ?, content_hash = 'damaged', revision = ? WHERE id = ?",
            [(document, revision, each) for each in ids],
        )
    db.close()
    return int(revision)
