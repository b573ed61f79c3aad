"""SQLite and PostgreSQL behave alike as the registry's store."""

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from registry.documents import parse
from registry.entities import Client, ClientSecret, Entity, Kind, Organisation, Service, System
from registry.errors import (
    AlreadyThere,
    Conflict,
    Invalid,
    NotFound,
    SchemaUnknown,
    StoreUnavailable,
    VersionStale,
)
from registry.ids import uuid7
from registry.sql.database import Location, check_schema, location, open_engine, upgrade
from registry.sql.registry import SQLRegistry, open_registry
from registry.sql.tables import metadata
from registry.stores import Change, Revision, Stored
from tests.factories import (
    ADMIN,
    LOCAL,
    NODE,
    PROVIDER_ADMIN,
    a_client,
    a_register,
    a_service,
    a_small_province,
    a_system,
    an_organisation,
)
from tests.postgres import running_postgres

ROOT = Path(__file__).parents[2]


def put(entity: Entity, kind: Kind, id_: str, expected: int | None = None) -> Change:
    return Change(action="test.put", kind=kind, id=id_, entity=entity, expected_version=expected)


def remove(item: Stored) -> Change:
    return Change(
        action="test.remove", kind=item.kind, id=item.id, entity=None, expected_version=item.version
    )


def organisation(code: str, **given: object) -> Entity:
    return parse(Kind.ORGANISATION, an_organisation(code, **given))


async def added(registry: SQLRegistry, kind: Kind, entity: Entity) -> Stored:
    id_ = uuid7()
    await registry.commit([put(entity, kind, id_)], ADMIN)
    return await registry.get(kind, id_)


# --- documents and revisions ----------------------------------------------------------------------------


async def test_an_empty_registry_is_at_revision_0(registry: SQLRegistry) -> None:
    latest, changed = await registry.changed_since(0)

    assert (await registry.revision(), latest, list(changed)) == (0, 0, [])
    assert (await registry.commit([], ADMIN)).number == 0


async def test_what_is_put_is_read_back_with_its_version_and_author(registry: SQLRegistry) -> None:
    stored = await added(registry, Kind.ORGANISATION, organisation("H99.01"))

    assert stored.label == "H99.01"
    assert (stored.version, stored.revision, stored.home_node, stored.changed_by) == (1, 1, NODE, ADMIN.id)
    assert stored.changed_at.tzinfo is UTC
    assert parse(Kind.ORGANISATION, stored.document) == organisation("H99.01")


async def test_a_change_takes_the_next_version_and_revision(registry: SQLRegistry) -> None:
    first = await added(registry, Kind.ORGANISATION, organisation("H99"))

    revision = await registry.commit(
        [put(organisation("H99", name_vi="Tên mới"), first.kind, first.id, 1)], LOCAL
    )
    stored = await registry.get(Kind.ORGANISATION, "H99")

    assert (revision.number, revision.via, stored.version, stored.revision) == (2, "local", 2, 2)
    assert revision.changes[0]["diff"] == [
        {"pointer": "/name_vi", "before": "Cơ quan H99 (ví dụ)", "after": "Tên mới"}
    ]


async def test_a_change_that_changes_nothing_makes_no_revision(registry: SQLRegistry) -> None:
    first = await added(registry, Kind.ORGANISATION, organisation("H99"))

    revision = await registry.commit([put(organisation("H99"), first.kind, first.id, 1)], ADMIN)

    assert revision.number == 1
    assert (await registry.get(Kind.ORGANISATION, "H99")).version == 1


async def test_one_object_may_change_twice_in_one_revision(registry: SQLRegistry) -> None:
    id_ = uuid7()
    changes = [
        put(organisation("H99"), Kind.ORGANISATION, id_),
        put(organisation("H99", name_vi="Tên mới"), Kind.ORGANISATION, id_, 1),
    ]

    revision = await registry.commit(changes, ADMIN)

    assert [change["version"] for change in revision.changes] == [1, 2]
    assert (await registry.get(Kind.ORGANISATION, id_)).version == 2


async def test_a_stale_version_is_refused(registry: SQLRegistry) -> None:
    first = await added(registry, Kind.ORGANISATION, organisation("H99"))

    with pytest.raises(VersionStale) as caught:
        await registry.commit([put(organisation("H99.01"), first.kind, first.id, 7)], ADMIN)

    assert (caught.value.current, caught.value.given) == (1, 7)


async def test_all_of_a_change_set_happens_or_none(registry: SQLRegistry) -> None:
    changes = [
        put(organisation("H99"), Kind.ORGANISATION, uuid7()),
        put(System(code="H99:x", name_vi="x", organisation=uuid7()), Kind.SYSTEM, uuid7()),
    ]

    with pytest.raises(Invalid):
        await registry.commit(changes, ADMIN)

    assert await registry.find(Kind.ORGANISATION, "H99") is None
    assert await registry.revision() == 0


async def test_changed_since_tells_what_changed_and_what_was_removed(registry: SQLRegistry) -> None:
    kept = await added(registry, Kind.ORGANISATION, organisation("H99"))
    gone = await added(registry, Kind.ORGANISATION, organisation("H98"))
    await registry.commit([remove(gone)], ADMIN)

    latest, changed = await registry.changed_since(1)
    _, everything = await registry.changed_since(0)

    assert latest == 3
    assert [(item.id, item.removed) for item in changed] == [(gone.id, True)]
    assert {item.id for item in everything} == {kept.id, gone.id}


async def test_revisions_are_told_newest_first_and_by_object(registry: SQLRegistry) -> None:
    first = await added(registry, Kind.ORGANISATION, organisation("H99"))
    await added(registry, Kind.ORGANISATION, organisation("H98"))
    await registry.commit([put(organisation("H99", name_vi="B"), first.kind, first.id, 1)], ADMIN)

    everything = await registry.revisions()
    of_one = await registry.revisions(id=first.id)
    older = await registry.revisions(before=3, limit=1)

    assert [revision.number for revision in everything] == [3, 2, 1]
    assert [revision.number for revision in of_one] == [3, 1]
    assert [revision.number for revision in older] == [2]
    assert everything[0].author_name == ADMIN.name
    assert everything[0].changes[0]["label"] == "H99"


async def test_the_audit_holds_no_secret_and_no_digest(registry: SQLRegistry) -> None:
    province = await a_small_province(a_register(registry))
    client = parse(Kind.CLIENT, province["client"].document)
    assert isinstance(client, Client)
    secret = ClientSecret(digest="ab" * 32, created_at=datetime.now(UTC))
    changed = Client(name=client.name, system=client.system, secrets=(secret,))

    await registry.commit([put(changed, Kind.CLIENT, province["client"].id, 1)], ADMIN)
    revisions = await registry.revisions()

    assert "ab" * 32 not in repr(revisions)
    assert "/secrets" in [difference["pointer"] for difference in revisions[0].changes[0]["diff"]]


# --- labels ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["H99.12", "h99.12", "000.00.12.H99", "12.H99", "CU-12"])
async def test_an_organisation_is_found_by_every_form_of_its_code(registry: SQLRegistry, label: str) -> None:
    stored = await added(registry, Kind.ORGANISATION, organisation("H99.12", aliases=[{"code": "CU-12"}]))

    assert (await registry.get(Kind.ORGANISATION, label)).id == stored.id
    assert (await registry.get(Kind.ORGANISATION, stored.id)).id == stored.id


async def test_a_code_means_one_organisation_on_each_day(registry: SQLRegistry) -> None:
    old = await added(registry, Kind.ORGANISATION, organisation("H24", valid_to="2025-07-01"))
    new = await added(registry, Kind.ORGANISATION, organisation("H24", valid_from="2025-07-01"))

    assert (await registry.get(Kind.ORGANISATION, "H24", on=date(2025, 6, 30))).id == old.id
    assert (await registry.get(Kind.ORGANISATION, "H24", on=date(2025, 7, 1))).id == new.id
    assert (await registry.get(Kind.ORGANISATION, "H24")).id == new.id


async def test_a_code_cannot_mean_two_organisations_on_one_day(registry: SQLRegistry) -> None:
    await added(registry, Kind.ORGANISATION, organisation("H24", valid_to="2025-07-02"))

    with pytest.raises(AlreadyThere) as caught:
        await added(registry, Kind.ORGANISATION, organisation("H24", valid_from="2025-07-01"))

    assert caught.value.pointer == "/code"


async def test_an_alias_that_is_taken_is_named(registry: SQLRegistry) -> None:
    await added(registry, Kind.ORGANISATION, organisation("H24"))

    with pytest.raises(AlreadyThere) as caught:
        await added(
            registry, Kind.ORGANISATION, organisation("H25", aliases=[{"code": "X1"}, {"code": "h24"}])
        )

    assert caught.value.pointer == "/aliases/1/code"


async def test_an_ended_organisation_is_still_found_by_its_code(registry: SQLRegistry) -> None:
    ended = await added(registry, Kind.ORGANISATION, organisation("H24", valid_to="2025-07-01"))

    assert (await registry.get(Kind.ORGANISATION, "H24")).id == ended.id
    assert await registry.find(Kind.ORGANISATION, "H24", on=date(2025, 7, 1)) is None


async def test_service_names_are_unique_without_regard_to_case(registry: SQLRegistry) -> None:
    province = await a_small_province(a_register(registry))
    same = Service(name="DOANHNGHIEP", title_vi="x", provider=province["provider"].id)

    with pytest.raises(AlreadyThere) as caught:
        await added(registry, Kind.SERVICE, same)

    assert caught.value.pointer == "/name"
    assert (await registry.get(Kind.SERVICE, "doanhnghiep")).label == "DoanhNghiep"


@pytest.mark.parametrize(
    ("kind", "label", "which"),
    [
        (Kind.NEED, "H99:mot-cua/CSDLDN", "need"),
        (Kind.NEED, "000.00.00.H99:mot-cua/csdldn", "need"),
        (Kind.VERSION, "doanhnghiep/1.0", "version"),
        (Kind.GRANT, "H99:mot-cua/DoanhNghiep", "grant"),
        (Kind.CLIENT, "một cửa (VÍ DỤ)", "client"),
    ],
)
async def test_composed_labels_lead_to_their_object(
    registry: SQLRegistry, kind: Kind, label: str, which: str
) -> None:
    province = await a_small_province(a_register(registry))

    assert (await registry.get(kind, label)).id == province[which].id


@pytest.mark.parametrize("label", ["", "/", "a/b/c", "H99:mot-cua/", "\0", "x" * 3000, "' OR 1=1 --"])
@pytest.mark.parametrize("kind", [Kind.ORGANISATION, Kind.VERSION, Kind.DELEGATION])
async def test_what_is_not_known_is_not_found(registry: SQLRegistry, kind: Kind, label: str) -> None:
    with pytest.raises(NotFound):
        await registry.get(kind, label)


async def test_an_id_of_another_kind_is_not_found(registry: SQLRegistry) -> None:
    stored = await added(registry, Kind.ORGANISATION, organisation("H99"))

    assert await registry.find(Kind.SYSTEM, stored.id) is None


async def test_a_new_code_renames_what_is_called_after_it(registry: SQLRegistry) -> None:
    province = await a_small_province(a_register(registry))
    document = province["service"].document | {"name": "TraCuu"}
    before = await registry.revision()

    await registry.commit(
        [put(parse(Kind.SERVICE, document), Kind.SERVICE, province["service"].id, 1)], ADMIN
    )
    version = await registry.get(Kind.VERSION, "TraCuu/1.0")
    _, changed = await registry.changed_since(before)

    assert (version.label, version.version) == ("TraCuu/1.0", province["version"].version)
    assert {item.kind for item in changed} == {Kind.SERVICE, Kind.VERSION, Kind.GRANT}
    assert await registry.find(Kind.SERVICE, "DoanhNghiep") is None


# --- references -----------------------------------------------------------------------------------------


async def test_a_dangling_reference_is_named(registry: SQLRegistry) -> None:
    with pytest.raises(Invalid) as caught:
        await added(registry, Kind.SYSTEM, System(code="H99:x", name_vi="x", organisation=uuid7()))

    assert [(flaw.pointer, flaw.code) for flaw in caught.value.flaws] == [
        ("/organisation", "reference-unknown")
    ]


async def test_a_reference_to_another_kind_is_refused(registry: SQLRegistry) -> None:
    province = await a_small_province(a_register(registry))

    with pytest.raises(Invalid):
        await added(
            registry, Kind.SYSTEM, System(code="H99:x", name_vi="x", organisation=province["need"].id)
        )


async def test_objects_of_one_commit_may_refer_to_each_other_in_any_order(registry: SQLRegistry) -> None:
    child, parent = uuid7(), uuid7()
    changes = [
        put(Organisation(code="H99.01", name_vi="con", parent=parent), Kind.ORGANISATION, child),
        put(Organisation(code="H99", name_vi="mẹ"), Kind.ORGANISATION, parent),
    ]

    await registry.commit(changes, ADMIN)

    assert (await registry.get(Kind.ORGANISATION, "H99.01")).document["parent"] == parent


async def test_what_others_refer_to_cannot_be_removed(registry: SQLRegistry) -> None:
    province = await a_small_province(a_register(registry))

    with pytest.raises(Conflict, match="systems/G99:csdl"):
        await registry.commit([remove(province["ministry"])], ADMIN)


async def test_things_that_refer_to_each_other_can_be_removed_together(registry: SQLRegistry) -> None:
    owner = await added(registry, Kind.ORGANISATION, organisation("H99"))
    system = await added(registry, Kind.SYSTEM, System(code="H99:x", name_vi="x", organisation=owner.id))

    await registry.commit([remove(owner), remove(system)], ADMIN)

    assert await registry.find(Kind.ORGANISATION, owner.id) is None
    assert (await registry.search(Kind.SYSTEM)).total == 0


async def test_a_removed_object_frees_its_code_and_takes_no_change(registry: SQLRegistry) -> None:
    gone = await added(registry, Kind.ORGANISATION, organisation("H99"))
    await registry.commit([remove(gone)], ADMIN)
    heir = await added(registry, Kind.ORGANISATION, organisation("H99"))

    with pytest.raises(NotFound):
        await registry.commit([put(organisation("H98"), gone.kind, gone.id, 2)], ADMIN)
    with pytest.raises(AlreadyThere):
        await registry.commit([put(organisation("H98"), gone.kind, gone.id)], ADMIN)
    assert (await registry.get(Kind.ORGANISATION, "H99")).id == heir.id


# --- searching ------------------------------------------------------------------------------------------


async def many(registry: SQLRegistry, count: int) -> Stored:
    owner = await added(registry, Kind.ORGANISATION, organisation("H99"))
    systems = [
        System(
            code=f"H99:s-{n:03}",
            name_vi=f"Hệ thống Đất đai {n}",
            organisation=owner.id,
            security_level=n % 5 + 1,
        )
        for n in range(count)
    ]
    await registry.commit([put(system, Kind.SYSTEM, uuid7()) for system in systems], ADMIN)
    return owner


@pytest.mark.parametrize("sort", ["label", "-label", "changed_at", "-changed_at", "id", "-id"])
async def test_pages_hold_everything_once_in_order(registry: SQLRegistry, sort: str) -> None:
    await many(registry, 25)

    labels: list[str] = []
    cursor = None
    while True:
        page = await registry.search(Kind.SYSTEM, sort=sort, cursor=cursor, limit=7)
        labels += [item.label for item in page.items]
        cursor = page.next
        if cursor is None:
            break

    assert page.total == 25
    assert labels == sorted(labels, reverse=sort.startswith("-"))
    assert len(set(labels)) == 25


@pytest.mark.parametrize(
    ("text_", "where", "total"),
    [
        ("dat DAI", {}, 20),
        ("đất đai 7", {}, 2),
        ("s-003", {}, 1),
        ("100%_", {}, 0),
        (None, {"security_level": "3"}, 4),
        (None, {"status": "active", "security_level": "1"}, 4),
        (None, {"status": "retired"}, 0),
        (None, {"name_vi": "x" * 1000}, 0),
    ],
)
async def test_a_search_finds_by_text_and_field(
    registry: SQLRegistry, text_: str | None, where: dict[str, str], total: int
) -> None:
    await many(registry, 20)

    assert (await registry.search(Kind.SYSTEM, text=text_, where=where)).total == total


async def test_a_search_finds_by_reference(registry: SQLRegistry) -> None:
    owner = await many(registry, 3)

    assert (await registry.search(Kind.SYSTEM, where={"organisation": owner.id})).total == 3
    assert (await registry.search(Kind.SYSTEM, where={"organisation": uuid7()})).total == 0


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"sort": "secret"}, "/sort"),
        ({"limit": 0}, "/limit"),
        ({"cursor": "!!"}, "/cursor"),
        ({"cursor": "WyJsYWJlbCIsMSwiYSJd"}, "/cursor"),
        ({"cursor": "é"}, "/cursor"),
        ({"where": {"nothing": "x"}}, "/nothing"),
    ],
)
async def test_a_search_that_makes_no_sense_is_refused(
    registry: SQLRegistry, given: dict[str, object], pointer: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await registry.search(Kind.SYSTEM, **given)  # type: ignore[arg-type]  # wrong on purpose

    assert caught.value.flaws[0].pointer == pointer


async def test_a_cursor_of_another_order_is_refused(registry: SQLRegistry) -> None:
    await many(registry, 3)
    page = await registry.search(Kind.SYSTEM, sort="label", limit=1)

    with pytest.raises(Invalid):
        await registry.search(Kind.SYSTEM, sort="-label", cursor=page.next, limit=1)


# --- many at once ---------------------------------------------------------------------------------------


async def outcomes(registry: SQLRegistry, sets: Sequence[Sequence[Change]]) -> list[Revision | Exception]:
    found: list[Revision | Exception] = []

    async def commit(changes: Sequence[Change]) -> None:
        try:
            found.append(await registry.commit(changes, ADMIN))
        except Conflict as error:
            found.append(error)

    async with anyio.create_task_group() as group:
        for changes in sets:
            group.start_soon(commit, changes)
    return found


async def test_of_two_writers_with_the_same_version_one_is_stale(registry: SQLRegistry) -> None:
    first = await added(registry, Kind.ORGANISATION, organisation("H99"))
    sets = [[put(organisation("H99", name_vi=name), first.kind, first.id, 1)] for name in ("A", "B")]

    found = await outcomes(registry, sets)

    assert sorted(type(item).__name__ for item in found) == ["Revision", "VersionStale"]


async def test_of_two_writers_of_one_code_one_is_refused(registry: SQLRegistry) -> None:
    sets = [[put(organisation("H99"), Kind.ORGANISATION, uuid7())] for _ in range(2)]

    found = await outcomes(registry, sets)

    assert sorted(type(item).__name__ for item in found) == ["AlreadyThere", "Revision"]


async def test_commits_at_once_take_consecutive_revisions(registry: SQLRegistry) -> None:
    sets = [[put(organisation(f"H99.{n:02}"), Kind.ORGANISATION, uuid7())] for n in range(50)]

    found = await outcomes(registry, sets)

    assert sorted(item.number for item in found if isinstance(item, Revision)) == list(range(1, 51))
    times = [revision.at for revision in await registry.revisions(limit=50)]
    assert times == sorted(times, reverse=True)


async def test_readers_see_whole_revisions_while_others_write(registry: SQLRegistry) -> None:
    seen: list[tuple[int, int]] = []
    done = anyio.Event()

    async def read() -> None:
        while not done.is_set():
            latest, changed = await registry.changed_since(0)
            seen.append((latest, len(changed)))
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        for n in range(20):
            pair = [put(organisation(f"H{n}.{half}"), Kind.ORGANISATION, uuid7()) for half in (1, 2)]
            await registry.commit(pair, ADMIN)
        done.set()

    assert all(count == 2 * latest for latest, count in seen)


async def test_a_commit_is_finished_though_its_caller_goes_away(registry: SQLRegistry) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await registry.commit([put(organisation("H99"), Kind.ORGANISATION, uuid7())], ADMIN)

    assert await registry.revision() == 1


async def test_a_waiting_reader_hears_of_a_change(registry: SQLRegistry, database_location: Location) -> None:
    await registry.wait_for_change(0.01)
    rings = database_location.registry.startswith("postgresql")

    async def change() -> None:
        await anyio.sleep(0.1)
        await registry.commit([put(organisation("H99"), Kind.ORGANISATION, uuid7())], PROVIDER_ADMIN)

    async with anyio.create_task_group() as group:
        group.start_soon(change)
        started = anyio.current_time()
        await registry.wait_for_change(3.0 if rings else 0.3)

    assert anyio.current_time() - started < 2.0
    assert await registry.revision() == 1


# --- schema and trouble ---------------------------------------------------------------------------------


async def test_a_database_without_a_schema_is_not_served(database_url: str | None, tmp_path: Path) -> None:
    where = location(database_url, tmp_path)

    with pytest.raises(SchemaUnknown, match="there is no database yet: run `lgsp database upgrade`"):
        await check_schema(where)
    await upgrade(where)
    await check_schema(where)


async def test_the_migrations_make_the_tables_that_the_code_knows(database_location: Location) -> None:
    def differences(connection: Connection) -> list[object]:
        known = set(metadata.tables)
        options = {"include_name": lambda name, kind, _: kind != "table" or name in known}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    engine = open_engine(database_location.registry)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()

    assert found == []


async def test_a_newer_schema_is_not_served(database_location: Location) -> None:
    engine = open_engine(database_location.registry)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await engine.dispose()

    with pytest.raises(SchemaUnknown, match="9999"):
        await check_schema(database_location)


async def test_upgrading_twice_and_from_several_processes_is_harmless(
    database_url: str | None, tmp_path: Path
) -> None:
    script = (
        "import sys, anyio, pathlib; from registry.sql.database import location, upgrade;"
        "anyio.run(upgrade, location(sys.argv[2] or None, pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", script, str(tmp_path), database_url or ""]

    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(partial(anyio.run_process, command, cwd=ROOT))

    where = location(database_url, tmp_path)
    await upgrade(where)
    await check_schema(where)


async def test_a_file_that_is_gone_makes_the_store_unavailable_until_it_is_back(
    sqlite_location: Location,
) -> None:
    async with open_registry(sqlite_location, node=NODE) as registry:
        await added(registry, Kind.ORGANISATION, organisation("H99"))

        file = anyio.Path(sqlite_location.registry.removeprefix("sqlite+aiosqlite:///"))
        moved = await file.rename(file.with_suffix(".moved"))
        await file.mkdir()
        with pytest.raises(StoreUnavailable):
            await registry.revision()
        with pytest.raises(StoreUnavailable):
            await registry.commit([put(organisation("H98"), Kind.ORGANISATION, uuid7())], ADMIN)

        await file.rmdir()
        await moved.rename(file)
        assert await registry.revision() == 1


async def test_a_stopped_postgresql_makes_the_store_unavailable_until_it_is_back(tmp_path: Path) -> None:
    with running_postgres() as server:
        where = location(server.url, tmp_path)
        await upgrade(where)
        async with open_registry(where, node=NODE) as registry:
            await added(registry, Kind.ORGANISATION, organisation("H99"))
            await registry.wait_for_change(0.01)

            server.kill()
            with pytest.raises(StoreUnavailable):
                await registry.revision()
            with pytest.raises(StoreUnavailable):
                await registry.commit([put(organisation("H98"), Kind.ORGANISATION, uuid7())], ADMIN)
            await registry.wait_for_change(0.01)

            server.start()
            assert await registry.revision() == 1
            assert await registry.find(Kind.ORGANISATION, "H98") is None


async def test_a_register_speaks_to_both(registry: SQLRegistry) -> None:
    register = a_register(registry)
    await a_small_province(register)

    with pytest.raises(AlreadyThere):
        await register.add(Kind.CLIENT, a_client(), ADMIN)
    with pytest.raises(AlreadyThere):
        await register.add(Kind.SYSTEM, a_system(), ADMIN)
    with pytest.raises(Invalid):
        await register.add(Kind.SERVICE, a_service(name="Token"), ADMIN)


async def test_the_sqlite_files_are_their_owners_alone(sqlite_location: Location, tmp_path: Path) -> None:
    async with open_registry(sqlite_location, node=NODE) as registry:
        await registry.revision()

        modes = {file.stat().st_mode & 0o077 for file in tmp_path.glob("*.db*")}

    assert modes == {0}
