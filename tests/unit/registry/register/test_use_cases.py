from collections.abc import Sequence
from typing import Any

import pytest

from registry.entities import Kind, Version
from registry.errors import AlreadyThere, Conflict, Flaw, Invalid, NotFound, VersionStale, WrongState
from registry.ids import uuid7
from registry.register import Register
from registry.sql.registry import SQLRegistry
from tests.factories import (
    ADMIN,
    NODE,
    PROVIDER_ADMIN,
    a_client,
    a_delegation,
    a_grant,
    a_need,
    a_register,
    a_service,
    a_small_province,
    a_system,
    a_version,
    an_operation,
    an_organisation,
)


@pytest.fixture
def register(sqlite_registry: SQLRegistry) -> Register:
    return a_register(sqlite_registry)


async def flaws_of_adding(register: Register, kind: Kind, document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        await register.add(kind, document, ADMIN)
    return {flaw.pointer: flaw.code for flaw in caught.value.flaws}


async def test_codes_in_documents_become_ids(register: Register) -> None:
    province = await a_small_province(register)

    assert province["need"].document["system"] == province["consumer"].id
    assert province["need"].document["national_database"] == province["database"].id
    assert province["version"].document["service"] == province["service"].id


async def test_ids_in_documents_stay_ids(register: Register) -> None:
    province = await a_small_province(register)

    added = await register.add(Kind.SYSTEM, a_system("H99:khac", organisation=province["province"].id), ADMIN)

    assert added.document["organisation"] == province["province"].id


async def test_an_object_may_bring_its_id(register: Register) -> None:
    id_ = uuid7()

    assert (await register.add(Kind.ORGANISATION, an_organisation(), ADMIN, id=id_)).id == id_
    with pytest.raises(AlreadyThere):
        await register.add(Kind.ORGANISATION, an_organisation("H98"), ADMIN, id=id_)
    with pytest.raises(Invalid):
        await register.add(Kind.ORGANISATION, an_organisation("H98"), ADMIN, id="my-own")


async def test_every_dangling_reference_is_named(register: Register) -> None:
    found = await flaws_of_adding(register, Kind.NEED, a_need("H99:gone", "GONE"))

    assert found == {"/system": "reference-unknown", "/national_database": "reference-unknown"}


async def test_a_need_is_declared_once_until_it_is_withdrawn(register: Register) -> None:
    province = await a_small_province(register)

    with pytest.raises(AlreadyThere):
        await register.add(Kind.NEED, a_need(), ADMIN)
    await register.step(
        Kind.NEED, province["need"].id, "withdraw", {"reason": "x"}, expected_version=1, author=ADMIN
    )
    again = await register.add(Kind.NEED, a_need(), ADMIN)

    assert (await register.registry.get(Kind.NEED, "H99:mot-cua/CSDLDN")).id == again.id


async def test_a_version_number_is_taken_once(register: Register) -> None:
    await a_small_province(register)

    with pytest.raises(AlreadyThere) as caught:
        await register.add(Kind.VERSION, a_version(), ADMIN)

    assert caught.value.pointer == "/version"


async def test_a_grant_names_published_operations(register: Register) -> None:
    await a_small_province(register)
    await register.add(Kind.VERSION, a_version(version="2.0", operations=[an_operation("nhap")]), ADMIN)

    found = await flaws_of_adding(register, Kind.GRANT, a_grant(operations=["chiTiet", "nhap", "gone"]))

    assert found == {"/operations/1": "operation-unknown", "/operations/2": "operation-unknown"}


async def test_a_requested_grant_knows_who_requested_it_and_who_decides(register: Register) -> None:
    await a_small_province(register)

    request = await register.add(Kind.GRANT, a_grant(environments=["sandbox"]), ADMIN)

    assert request.document["status"] == "requested"
    assert (request.document["requested_by"], request.document["authority"]) == (ADMIN.id, NODE)


async def test_a_decision_under_a_delegation_records_it(register: Register) -> None:
    await a_small_province(register)
    mine = await register.add(Kind.DELEGATION, a_delegation("H99"), ADMIN)
    theirs = await register.add(Kind.DELEGATION, a_delegation("G99"), ADMIN)
    over = await register.add(Kind.DELEGATION, a_delegation("G99", valid_until="2020-01-01T00:00:00Z"), ADMIN)
    request = await register.add(Kind.GRANT, a_grant(environments=["sandbox"]), ADMIN)

    for wrong in (mine, over):
        with pytest.raises(Invalid):
            await register.step(
                Kind.GRANT,
                request.id,
                "approve",
                {"delegation": wrong.id},
                expected_version=1,
                author=PROVIDER_ADMIN,
            )
    approved = await register.step(
        Kind.GRANT,
        request.id,
        "approve",
        {"delegation": theirs.id},
        expected_version=1,
        author=PROVIDER_ADMIN,
    )

    assert approved.document["decision"]["delegation"] == theirs.id


@pytest.mark.parametrize("field", ["parent", "successor"])
async def test_organisations_do_not_go_round_in_circles(register: Register, field: str) -> None:
    ends = {"valid_to": "2030-01-01"}
    await register.add(Kind.ORGANISATION, an_organisation("H1", **ends), ADMIN)
    await register.add(Kind.ORGANISATION, an_organisation("H2", **ends, **{field: "H1"}), ADMIN)
    await register.add(Kind.ORGANISATION, an_organisation("H3", **ends, **{field: "H2"}), ADMIN)

    with pytest.raises(Invalid) as caught:
        await register.replace(
            Kind.ORGANISATION,
            "H1",
            an_organisation("H1", **ends, **{field: "H3"}),
            expected_version=1,
            author=ADMIN,
        )

    assert [(flaw.pointer, flaw.code) for flaw in caught.value.flaws] == [(f"/{field}", "cycle")]


async def test_a_life_is_kept_when_an_object_is_rewritten(register: Register) -> None:
    province = await a_small_province(register)

    version = await register.replace(
        Kind.VERSION,
        "DoanhNghiep/1.0",
        a_version(max_body_bytes=5, national_database="CSDLDN"),
        expected_version=province["version"].version,
        author=ADMIN,
    )

    assert (version.document["status"], version.document["max_body_bytes"]) == ("published", 5)


async def test_what_makes_an_object_is_not_rewritten(register: Register) -> None:
    await a_small_province(register)

    with pytest.raises(Invalid) as caught:
        await register.replace(
            Kind.CLIENT, "Một cửa (ví dụ)", a_client(environment="sandbox"), expected_version=1, author=ADMIN
        )

    assert [(flaw.pointer, flaw.code) for flaw in caught.value.flaws] == [("/environment", "fixed")]


async def test_writes_name_the_version_that_they_saw(register: Register) -> None:
    province = await a_small_province(register)
    id_ = province["service"].id

    with pytest.raises(VersionStale):
        await register.replace(Kind.SERVICE, id_, a_service(), expected_version=3, author=ADMIN)
    with pytest.raises(VersionStale):
        await register.step(Kind.SERVICE, id_, "block", {"reason": "x"}, expected_version=3, author=ADMIN)
    with pytest.raises(VersionStale):
        await register.remove(Kind.SERVICE, id_, expected_version=3, author=ADMIN)


async def test_what_is_not_there_is_not_found(register: Register) -> None:
    with pytest.raises(NotFound):
        await register.replace(Kind.SERVICE, "gone", a_service(), expected_version=1, author=ADMIN)
    with pytest.raises(NotFound):
        await register.step(Kind.SERVICE, "gone", "unblock", {}, expected_version=1, author=ADMIN)
    with pytest.raises(NotFound):
        await register.remove(Kind.SERVICE, "gone", expected_version=1, author=ADMIN)


async def test_a_step_that_does_not_exist_is_refused(register: Register) -> None:
    province = await a_small_province(register)

    with pytest.raises(Invalid):
        await register.step(
            Kind.SERVICE, province["service"].id, "dance", {}, expected_version=1, author=ADMIN
        )
    with pytest.raises(Invalid):
        await register.step(
            Kind.SERVICE, province["service"].id, "unblock", {"x": 1}, expected_version=1, author=ADMIN
        )


async def test_a_consumer_is_blocked_by_its_code(register: Register) -> None:
    province = await a_small_province(register)

    blocked = await register.step(
        Kind.SERVICE,
        "DoanhNghiep",
        "block-consumer",
        {"consumer": "H99:mot-cua", "reason": "quá tải"},
        expected_version=1,
        author=ADMIN,
    )

    assert blocked.document["blocked_consumers"] == {province["consumer"].id: "quá tải"}
    with pytest.raises(Conflict):
        await register.remove(Kind.SYSTEM, "H99:mot-cua", expected_version=1, author=ADMIN)


async def test_what_still_holds_is_not_removed(register: Register) -> None:
    province = await a_small_province(register)

    for which in ("need", "version", "grant"):
        with pytest.raises(WrongState):
            await register.remove(
                province[which].kind,
                province[which].id,
                expected_version=province[which].version,
                author=ADMIN,
            )


async def test_a_whole_life_ends_in_order(register: Register) -> None:
    province = await a_small_province(register)
    step, remove = register.step, register.remove

    revoked = await step(
        Kind.GRANT, province["grant"].id, "revoke", {"note": "x"}, expected_version=2, author=PROVIDER_ADMIN
    )
    await remove(Kind.GRANT, revoked.id, expected_version=3, author=ADMIN)
    await step(Kind.VERSION, province["version"].id, "retire", {}, expected_version=2, author=ADMIN)
    await remove(Kind.VERSION, province["version"].id, expected_version=3, author=ADMIN)
    await remove(Kind.SERVICE, "DoanhNghiep", expected_version=1, author=ADMIN)

    assert await register.registry.find(Kind.SERVICE, "DoanhNghiep") is None


async def test_settings_that_a_connector_refuses_are_told(sqlite_registry: SQLRegistry) -> None:
    def check(version: Version) -> Sequence[Flaw]:
        return [Flaw("/endpoints/production/settings/url", "missing", "The address is missing.")]

    await a_small_province(a_register(sqlite_registry))
    strict = a_register(sqlite_registry, check_version=check)

    found = await flaws_of_adding(strict, Kind.VERSION, a_version(version="2.0"))

    assert found == {"/endpoints/production/settings/url": "missing"}


async def test_an_unusual_code_is_remarked_on(register: Register) -> None:
    province = await a_small_province(register)
    odd = await register.add(Kind.SYSTEM, a_system("X1:khac", organisation="H99"), ADMIN)

    assert await register.remarks(province["consumer"]) == []
    assert [flaw.code for flaw in await register.remarks(odd)] == ["unusual-code"]


async def test_each_change_is_in_the_audit_under_its_tag(register: Register) -> None:
    province = await a_small_province(register)

    revisions = await register.registry.revisions(id=province["grant"].id)

    actions = [(change["action"], revision.author) for revision in revisions for change in revision.changes]
    assert actions == [("grant.approve", PROVIDER_ADMIN.id), ("grant.add", ADMIN.id)]
