from pathlib import Path

import pytest

from registry.entities import Kind
from registry.errors import AlreadyThere, Invalid, VersionStale
from registry.plan import Plan, apply, check_versions, export, parse_yaml, plan, render_plan
from registry.register import Register
from registry.sql.database import location, upgrade
from registry.sql.registry import SQLRegistry, open_registry
from tests.factories import ADMIN, LOCAL, NODE, PROVIDER_ADMIN, a_register, a_small_province, a_system

WHOLE = """
grants:
  - name: H99:mot-cua/TraCuu
    consumer: H99:mot-cua
    service: tracuu
    operations: [chiTiet]
    procedures: [1.000094, 2.10]
    status: approved
versions:
  - service: TraCuu
    version: 1.10
    status: published
    national_database: CSDLDN
    operations: [{name: chiTiet, path: /chiTiet}]
    endpoints: {production: {connector: echo}}
services:
  - {name: TraCuu, title_vi: Tra cứu, provider: 'G99:csdl', default_version: 1.10}
clients:
  - {name: Một cửa, system: 'H99:mot-cua', status: disabled}
needs:
  - {system: 'H99:mot-cua', national_database: CSDLDN, legal_basis: Văn bản ví dụ, declared_on: 2026-01-31}
systems:
  - {code: 'H99:mot-cua', name_vi: Một cửa, organisation: H99, acts_for: ['H99:xa']}
  - {code: 'H99:xa', name_vi: Một cửa xã, organisation: H99.01, acts_for: ['H99:mot-cua']}
  - {code: 'G99:csdl', name_vi: Cơ sở dữ liệu, organisation: G99}
national-databases:
  - {code: CSDLDN, name_vi: Doanh nghiệp, owner: G99}
delegations:
  - {organisation: G99, legal_basis: Văn bản ví dụ}
organisations:
  - {code: H99.01, name_vi: Xã, parent: H99}
  - {code: H99, name_vi: Tỉnh, kind: province, old_code: 000.00.00.H99}
  - {code: G99, name_vi: Bộ, kind: ministry}
"""


@pytest.fixture
def register(sqlite_registry: SQLRegistry) -> Register:
    return a_register(sqlite_registry)


async def applied(register: Register, text: str) -> Plan:
    made = await plan(register.registry, parse_yaml(text))
    await apply(register, made, LOCAL)
    return made


async def test_a_file_brings_everything_in_one_revision(register: Register) -> None:
    made = await applied(register, WHOLE)

    assert len(made.creates) == len(made.items) == 13
    assert await register.registry.revision() == 1
    grant = await register.registry.get(Kind.GRANT, "H99:mot-cua/TraCuu")
    assert (grant.document["status"], grant.document["procedures"]) == ("approved", ["1.000094", "2.10"])
    version = await register.registry.get(Kind.VERSION, "TraCuu/1.10")
    assert version.document["status"] == "published"
    client = await register.registry.get(Kind.CLIENT, "Một cửa")
    assert client.document["status"] == "disabled"


async def test_a_decision_by_a_file_records_the_delegation(register: Register) -> None:
    await applied(register, WHOLE)

    grant = await register.registry.get(Kind.GRANT, "H99:mot-cua/TraCuu")
    delegation = await register.registry.get(Kind.DELEGATION, "G99")
    assert grant.document["decision"]["delegation"] == delegation.id


async def test_a_file_that_is_applied_already_changes_nothing(register: Register) -> None:
    await applied(register, WHOLE)

    again = await plan(register.registry, parse_yaml(WHOLE))
    revision = await apply(register, again, LOCAL)

    assert again.is_empty
    assert revision.number == await register.registry.revision() == 1


async def test_an_export_applied_to_its_registry_changes_nothing(register: Register) -> None:
    await applied(register, WHOLE)

    text = await export(register.registry)

    assert (await plan(register.registry, parse_yaml(text))).is_empty
    assert "declared_on: '2026-01-31'" in text


async def test_an_export_makes_the_same_registry_elsewhere(register: Register, tmp_path: Path) -> None:
    await a_small_province(register)
    await applied(register, WHOLE)
    text = await export(register.registry)
    (tmp_path / "elsewhere").mkdir()
    where = location(None, tmp_path / "elsewhere")
    await upgrade(where)

    async with open_registry(where, node=NODE) as other:
        await applied(a_register(other), text)

        assert await export(other) == text


async def test_a_plan_tells_what_would_change(register: Register) -> None:
    await applied(register, WHOLE)
    text = """
organisations:
  - {code: H99, name_vi: Tỉnh mới, kind: province, old_code: 000.00.00.H99}
versions:
  - service: TraCuu
    version: '1.10'
    status: deprecated
    sunset_at: 2099-01-01T00:00:00+07:00
    national_database: CSDLDN
    operations: [{name: chiTiet, path: /chiTiet}]
    endpoints: {production: {connector: echo}}
"""

    made = await plan(register.registry, parse_yaml(text))
    told = render_plan(made)

    assert [item.change for item in made.items] == ["replace", "steps"]
    assert made.items[0].diff == [{"pointer": "/name_vi", "before": "Tỉnh", "after": "Tỉnh mới"}]
    assert made.items[1].steps == ("deprecate",)
    assert told["total"] == {"create": 0, "replace": 1, "steps": 1, "unchanged": 0}
    assert await register.registry.revision() == 1


async def test_what_a_file_does_not_name_is_left_alone(register: Register) -> None:
    await applied(register, WHOLE)

    await applied(register, "organisations: [{code: H98, name_vi: Tỉnh khác}]")

    assert (await register.registry.search(Kind.SYSTEM)).total == 3


async def test_a_plan_is_refused_when_something_has_changed_since(register: Register) -> None:
    await applied(register, WHOLE)
    text = "organisations: [{code: H99, name_vi: Tên A}, {code: H98, name_vi: Mới}]"
    stale, clashing = [await plan(register.registry, parse_yaml(text)) for _ in range(2)]
    await applied(register, "organisations: [{code: H99, name_vi: Tên B}]")

    with pytest.raises(VersionStale):
        await apply(register, stale, LOCAL)
    with pytest.raises(VersionStale):
        check_versions(await plan(register.registry, parse_yaml(text)), clashing.versions)
    assert await register.registry.find(Kind.ORGANISATION, "H98") is None


async def test_a_plan_is_refused_when_what_it_adds_is_there_now(register: Register) -> None:
    made = await plan(register.registry, parse_yaml("organisations: [{code: H98, name_vi: Mới}]"))
    await applied(register, "organisations: [{code: h98, name_vi: Khác}]")

    with pytest.raises(AlreadyThere):
        await apply(register, made, LOCAL)


async def test_an_error_changes_nothing_and_every_flaw_is_told(register: Register) -> None:
    text = """
organisations: [{code: H99, name_vi: Tỉnh}]
systems:
  - {code: 'H99:a', name_vi: A, organisation: H97}
services: [{name: Token, title_vi: x, provider: 'H99:b'}]
"""

    with pytest.raises(Invalid) as caught:
        await plan(register.registry, parse_yaml(text))

    assert {flaw.pointer: flaw.code for flaw in caught.value.flaws} == {
        "/systems/0/organisation": "reference-unknown",
        "/services/0/provider": "reference-unknown",
    }
    assert await register.registry.revision() == 0


async def test_somebody_else_approves_what_one_has_requested_by_a_file(register: Register) -> None:
    made = await plan(register.registry, parse_yaml(WHOLE), author=ADMIN)
    await apply(register, made, ADMIN)
    waiting = [item.waiting for item in made.items if item.kind is Kind.GRANT]
    requested = await register.registry.get(Kind.GRANT, "H99:mot-cua/TraCuu")

    by_another = await plan(register.registry, parse_yaml(WHOLE), author=PROVIDER_ADMIN)
    await apply(register, by_another, PROVIDER_ADMIN)
    approved = await register.registry.get(Kind.GRANT, "H99:mot-cua/TraCuu")

    assert waiting == [("approve",)]
    assert (requested.document["status"], approved.document["status"]) == ("requested", "approved")


async def test_what_has_ended_does_not_come_back_by_a_file(register: Register) -> None:
    await applied(register, WHOLE)
    need = await register.registry.get(Kind.NEED, "H99:mot-cua/CSDLDN")
    await register.step(Kind.NEED, need.id, "withdraw", {"reason": "x"}, expected_version=1, author=ADMIN)

    with pytest.raises(Invalid) as caught:
        await plan(register.registry, parse_yaml(WHOLE))

    assert [(flaw.pointer, flaw.code) for flaw in caught.value.flaws] == [("/needs/0", "state")]
    assert "needs" not in await export(register.registry)


async def test_no_step_leads_back_to_a_draft(register: Register) -> None:
    await applied(register, WHOLE)

    with pytest.raises(Invalid) as caught:
        await plan(register.registry, parse_yaml(WHOLE.replace("status: published", "status: draft")))

    assert [flaw.pointer for flaw in caught.value.flaws] == ["/versions/0/status"]


async def test_an_export_names_ids_where_labels_would_mislead(register: Register) -> None:
    ended = await register.add(
        Kind.ORGANISATION, {"code": "H24", "name_vi": "Cũ", "valid_to": "2025-07-01"}, ADMIN
    )
    await register.add(
        Kind.ORGANISATION, {"code": "H24", "name_vi": "Mới", "valid_from": "2025-07-01"}, ADMIN
    )
    await register.add(Kind.SYSTEM, a_system("H24:cu", organisation=ended.id), ADMIN)

    text = await export(register.registry)

    assert f"organisation: {ended.id}" in text
    assert (await plan(register.registry, parse_yaml(text))).is_empty


@pytest.mark.parametrize(
    ("text", "pointer", "code"),
    [
        ("- 1", "", "wrong-type"),
        ("systems: {}", "/systems", "wrong-type"),
        ("system: []", "/system", "unknown-field"),
        ("systems: [1]", "/systems/0", "wrong-type"),
        ("a: &x 1\nb: *x", "", "yaml"),
        ("systems: []\nsystems: []", "", "yaml"),
        ("systems: [!!python/object:os.system {}]", "", "yaml"),
        ("[" * 200, "", "too-deep"),
        ("systems: [", "", "yaml"),
        ("organisations: [{code: H9, name_vi: a}, {code: h9, name_vi: b}]", "/organisations/1", "duplicate"),
        ("organisations: [{code: H9}]", "/organisations/0/name_vi", "missing"),
        ("grants: [{consumer: a, service: b, name: c/d}]", "/grants/0/name", "value"),
        ("grants: [{consumer: a, service: b, status: expired}]", "/grants/0/status", "choice"),
        ("clients: [{name: a, secrets: []}]", "/clients/0/secrets", "unknown-field"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_where(text: str, pointer: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_yaml(text)

    assert (caught.value.flaws[0].pointer, caught.value.flaws[0].code) == (pointer, code)


def test_an_empty_file_wants_nothing() -> None:
    assert parse_yaml("") == parse_yaml("# nothing\n") == []
