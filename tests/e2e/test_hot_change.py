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
import psutil
import pytest
from sqlalchemy import make_url

from registry.entities import Kind
from registry.register.changes import ChangeSet
from registry.register.directory import RegistryLookup
from registry.stores import Author, Stored
from tests.e2e.node import AUTHOR, PROVIDER, Caller, RunningNode, running_node
from tests.factories import (
    a_client,
    a_code_list,
    a_grant,
    a_service,
    a_system,
    a_version,
    an_endpoint,
    an_organisation,
)
from tests.load import Load, request, tell, under_load

EDITS = 200
EDITS_PER_SECOND = 40
CALLS_PER_SECOND = 500
RELOADS = 1000
MANY = 500
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
    """An administrator, and one of the provider's, who change the registry and measure how soon that shows.

    `seconds` are from the answer of an edit to the first call that sees it, `everywhere` until each worker runs it.
    """

    admin: Caller
    approver: Caller
    caller: Caller
    edits: int = 0
    seconds: list[float] = field(default_factory=list)
    everywhere: list[float] = field(default_factory=list)

    async def edit(self, method: str, path: str, by: Caller | None = None, **given: Any) -> httpx2.Response:
        answer = await (by or self.admin).call(f"/admin/v1/{path}", method, **given)
        assert answer.is_success, f"{path}: {answer.text}"
        self.edits += 1
        return answer

    async def taken_up(self) -> None:
        """Return when all workers run the registry as it is now, and measure how long that takes."""
        began = time.monotonic()
        wanted = 0
        while True:
            told = (await self.admin.call("/admin/v1/snapshot")).json()
            wanted = wanted or told["revision"]
            if min(worker["revision"] for worker in told["workers"]) >= wanted:
                break
            assert time.monotonic() - began < 5, "a worker does not take the change up"
            await asyncio.sleep(0.005)
        self.everywhere.append(time.monotonic() - began)

    async def add(self, kind: Kind, document: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = (await self.edit("POST", kind.value, json=document)).json()
        return made

    async def act(self, kind: Kind, label: str, action: str, by: Caller | None = None, **given: Any) -> None:
        """Take a step, with the version that the object has now."""
        path = f"{kind.value}/{label}"
        now = await (by or self.admin).call(f"/admin/v1/{path}")
        headers = {"if-match": now.headers["etag"]}
        await self.edit("POST", f"{path}/actions/{action}", by, json=given, headers=headers)

    async def effective(self, sees: Callable[[], Awaitable[bool]]) -> None:
        """Measure how soon a call sees the last edit, and all workers run it."""
        await self.seen(sees)
        await self.taken_up()

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
    await editor.effective(lambda: editor.answers(503))
    await editor.act(Kind.SERVICE, "DanCu", "unblock")
    await editor.effective(lambda: editor.answers(200))
    await editor.act(Kind.GRANT, "H99:mot-cua/DanCu", "suspend", note="Kiểm thử")
    await editor.effective(lambda: editor.answers(403))
    await editor.act(Kind.GRANT, "H99:mot-cua/DanCu", "resume", editor.approver)
    await editor.effective(lambda: editor.answers(200))


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
    await editor.taken_up()
    await newcomer.fetch_token()
    await editor.act(Kind.GRANT, f"{system}/{name}", "approve", editor.approver)

    async def answered(status: int) -> bool:
        return (await newcomer.call(f"/{name}/1.0/chiTietDoanhNghiep")).status_code == status

    await editor.effective(lambda: answered(200))
    await editor.act(Kind.CLIENT, made["client_id"], "disable")
    await editor.effective(lambda: answered(401))


async def some_paper_work(editor: Editor, number: int) -> None:
    """Change what no call sees."""
    await editor.add(Kind.ORGANISATION, an_organisation(f"H99.{number:02}"))
    await editor.add(Kind.CODE_LIST, a_code_list(f"danh-muc-{number}"))
    await editor.taken_up()


KINDS_OF_WORK = (a_pause_and_a_suspension, a_service_of_a_new_system, some_paper_work)


@pytest.fixture(params=["sqlite-1", "postgresql-2"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RunningNode]:
    """A node on SQLite, and one with two workers on PostgreSQL."""
    database = request.getfixturevalue("postgres_database") if request.param == "postgresql-2" else None
    workers = request.param.rpartition("-")[2]
    async with running_node(tmp_path / "node", database=database, workers=workers) as running:
        for service in ("DoanhNghiep", "DanCu"):
            await running.offer(service)
            await running.grant(service, quota=GENEROUS)
        yield running


async def test_two_hundred_changes_under_load_fail_no_call_and_work_within_a_second(
    either: RunningNode,
) -> None:
    node = either
    caller = await node.client("một cửa", system="H99:mot-cua")
    admin = await node.client("quản trị", role="node-admin")
    provider = await node.client("bên cung cấp", role="service-owner", organisation="G99")
    editor = Editor(admin, provider, caller)
    await editor.taken_up()
    calls = [request(CALLED, await caller.fetch_token())]
    load = Load(node.port, calls, per_second=CALLS_PER_SECOND, connections=32)

    began = time.monotonic()
    async with under_load(load):
        for number in count(1):
            await KINDS_OF_WORK[number % len(KINDS_OF_WORK)](editor, number)
            await asyncio.sleep(max(began + editor.edits / EDITS_PER_SECOND - time.monotonic(), 0))
            if editor.edits >= EDITS:
                break
    seconds = time.monotonic() - began
    effective, everywhere = (
        sorted(each)[int(0.99 * len(each))] for each in (editor.seconds, editor.everywhere)
    )

    assert load.statuses.keys() == {200}
    assert load.broken == 0
    assert len(load.answers) > CALLS_PER_SECOND / 2 * seconds
    assert max(effective, everywhere) < 1.0
    tell(
        f"hot change: {editor.edits} edits, {len(load.answers)} calls in {seconds:.1f} s, none failed; "
        f"p99 until a call sees an edit {effective * 1000:.0f} ms, until all workers run it {everywhere * 1000:.0f} ms"
    )


async def test_a_thousand_reloads_leave_memory_as_it_was(node: RunningNode) -> None:
    """With so many objects that a snapshot which stays behind would be seen at once."""
    admin = await node.client("quản trị", role="node-admin")
    editor = Editor(admin, admin, admin)
    await add_many(node, MANY)
    process = psutil.Process(node.process.pid)

    async def reload(times: int) -> int:
        for _ in range(times // 2):
            await editor.act(Kind.SERVICE, "DanCu", "block", reason="Kiểm thử")
            await editor.act(Kind.SERVICE, "DanCu", "unblock")
        return process.memory_info().rss

    before = await reload(RELOADS // 2)  # caches of the database's drivers fill up first
    after = await reload(RELOADS)
    live = node.log.read_text("utf-8").count('"snapshot.live"')

    assert live > RELOADS
    assert after - before < 4 << 20, f"{before} bytes became {after}"
    tell(f"{live} reloads: {before / 1e6:.1f} MB became {after / 1e6:.1f}")


async def test_one_broken_object_among_five_hundred_stops_no_other(node: RunningNode) -> None:
    admin = await node.client("quản trị", role="node-admin")
    caller = await node.client("một cửa", system="H99:mot-cua")
    await add_many(node, MANY, broken=MANY // 2)
    await node.settled()
    named = (await admin.call("/admin/v1/quarantine")).json()

    answers = [await caller.call(f"/Nhieu-{number}/1.0/chiTietDoanhNghiep") for number in range(MANY)]

    assert [each["label"] for each in named["items"]] == [f"Nhieu-{MANY // 2}/1.0"]
    assert [number for number in range(MANY) if answers[number].status_code != 200] == [MANY // 2]
    assert answers[MANY // 2].json()["code"] == "quarantined"


async def add_many(node: RunningNode, many: int, *, broken: int | None = None) -> None:
    """Register so many services with a version and a grant each; no connector takes the settings of one."""
    lookup = RegistryLookup(node.registry)

    async def together(author: Author, stage: Callable[[ChangeSet, int], Awaitable[Stored]]) -> list[Stored]:
        changes = node.register.changes(lookup, author)
        staged = [await stage(changes, number) for number in range(many)]
        await node.registry.commit(changes.changes, author)
        return staged

    def version_of(number: int) -> dict[str, Any]:
        endpoint = an_endpoint() if number != broken else {"connector": "rest", "settings": {"url": 7}}
        return a_version(f"Nhieu-{number}", endpoints={"production": endpoint})

    def grant_of(number: int) -> dict[str, Any]:
        return a_grant(service=f"Nhieu-{number}", quota=GENEROUS)

    await together(AUTHOR, lambda changes, n: changes.add(Kind.SERVICE, a_service(f"Nhieu-{n}")))
    versions = await together(AUTHOR, lambda changes, n: changes.add(Kind.VERSION, version_of(n)))
    grants = await together(AUTHOR, lambda changes, n: changes.add(Kind.GRANT, grant_of(n)))
    await together(
        AUTHOR,
        lambda changes, n: changes.step(Kind.VERSION, versions[n].id, "publish", {}, expected_version=1),
    )
    await together(
        PROVIDER,
        lambda changes, n: changes.step(Kind.GRANT, grants[n].id, "approve", {}, expected_version=1),
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
