"""The registry as YAML over the admin API: plan, apply, export; and taking over an inventory."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import yaml

from registry.entities import Kind
from registry.sql.database import Location
from registry.stores import Author
from tests.e2e.admin_app import AdminNode, admin_node
from tests.factories import PROVIDER_ADMIN, a_delegation, a_grant, a_small_province, an_organisation

APPLY = "/admin/v1/apply"
YAML = {"Content-Type": "application/yaml"}

PROVINCE = """\
organisations:
  - {code: H99, name_vi: Tỉnh (ví dụ), kind: province}
  - {code: G99, name_vi: Bộ (ví dụ), kind: ministry}
national-databases:
  - {code: CSDLDN, name_vi: CSDL doanh nghiệp (ví dụ), owner: G99}
systems:
  - {code: "H99:mot-cua", name_vi: Một cửa (ví dụ), organisation: H99}
  - {code: "G99:csdl", name_vi: CSDL (ví dụ), organisation: G99}
needs:
  - {system: "H99:mot-cua", national_database: CSDLDN, legal_basis: Văn bản ví dụ}
services:
  - {name: DoanhNghiep, title_vi: Tra cứu (ví dụ), provider: "G99:csdl"}
versions:
  - service: DoanhNghiep
    version: 1.10
    status: published
    national_database: CSDLDN
    operations: [{name: chiTiet, path: /chiTiet}]
    endpoints: {production: {connector: echo}}
grants:
  - {name: "H99:mot-cua/DoanhNghiep", consumer: "H99:mot-cua", service: DoanhNghiep, status: approved}
"""


@pytest.fixture
async def node(database_location: Location, tmp_path: Path) -> AsyncIterator[AdminNode]:
    """A node on SQLite, then on PostgreSQL."""
    async with admin_node(database_location, tmp_path) as running:
        yield running


async def test_what_is_applied_twice_changes_nothing_the_second_time(node: AdminNode) -> None:
    http = await node.http()

    planned = (await http.post(f"{APPLY}?dry_run=true", content=PROVINCE, headers=YAML)).json()
    untouched = await node.registry.search(Kind.ORGANISATION)
    first = (await http.post(APPLY, content=PROVINCE, headers=YAML)).json()
    second = (await http.post(APPLY, content=PROVINCE, headers=YAML)).json()

    assert (planned["applied"], planned["total"]["create"], untouched.total) == (False, 9, 0)
    assert (first["applied"], first["total"]["create"]) == (True, 9)
    assert (second["total"]["unchanged"], second["total"]["create"]) == (9, 0)
    assert second["revision"] == first["revision"]
    # Nobody approves a grant that they requested: somebody else has to.
    (grant,) = [item for item in second["items"] if item["kind"] == "grants"]
    assert grant["waiting"] == ["approve"]


async def test_the_export_applies_to_nothing_here_and_to_everything_elsewhere(node: AdminNode) -> None:
    await a_small_province(node.register)
    http = await node.http()

    exported = await http.get("/admin/v1/export")
    again = (await http.post(APPLY, content=exported.content, headers=YAML)).json()

    assert exported.headers["content-type"].startswith("application/yaml")
    assert set(yaml.safe_load(exported.text)) >= {"organisations", "systems", "grants", "clients"}
    assert "secret" not in exported.text
    assert again["total"]["unchanged"] == len(again["items"])


async def test_a_plan_that_has_been_overtaken_is_not_carried_out(node: AdminNode) -> None:
    await a_small_province(node.register)
    http = await node.http()
    text = "systems:\n  - {code: 'H99:mot-cua', name_vi: Tên mới, organisation: H99}\n"

    plan = (await http.post(f"{APPLY}?dry_run=true", json={"yaml": text})).json()
    other = await http.get("/admin/v1/systems/H99:mot-cua")
    document = other.json()["document"] | {"security_level": 5}
    await http.put(
        "/admin/v1/systems/H99:mot-cua", json=document, headers={"If-Match": other.headers["etag"]}
    )
    late = await http.post(APPLY, json={"yaml": text, "expected_versions": plan["versions"]})

    assert (late.status_code, late.json()["labels"]) == (412, ["H99:mot-cua"])
    stored = await node.registry.get(Kind.SYSTEM, "H99:mot-cua")
    assert (stored.document["security_level"], stored.version) == (5, 2)


async def test_the_plan_shows_what_would_change(node: AdminNode) -> None:
    await a_small_province(node.register)
    http = await node.http()
    objects = {"organisations": [an_organisation("H99", kind="province", name_vi="Tên mới")]}

    plan = (await http.post(f"{APPLY}?dry_run=true", json={"objects": objects})).json()

    assert plan["items"][0]["change"] == "replace"
    assert plan["items"][0]["diff"] == [
        {"pointer": "/name_vi", "before": "Cơ quan H99 (ví dụ)", "after": "Tên mới"}
    ]


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        pytest.param("organisations: [", "", id="broken"),
        pytest.param("a: &a [1]\nb: *a\n", "", id="an alias"),
        pytest.param("colours: []", "/colours", id="an unknown kind"),
        pytest.param("organisations: 5", "/organisations", id="not a list"),
        pytest.param(
            "organisations: [{code: H99, name_vi: a, x: 1}]", "/organisations/0/x", id="an unknown field"
        ),
        pytest.param("organisations: [{code: H99, name_vi: a, code: H98}]", "", id="a key twice"),
        pytest.param(
            "systems: [{code: 'H99:a', name_vi: a, organisation: H98}]",
            "/systems/0/organisation",
            id="dangling",
        ),
        pytest.param(
            "services: [{name: token, title_vi: a, provider: 'H99:a'}]", "/services/0/provider", id="reserved"
        ),
    ],
)
async def test_a_file_with_one_flaw_changes_nothing(node: AdminNode, text: str, pointer: str) -> None:
    http = await node.http()
    before = await node.registry.revision()

    refused = await http.post(APPLY, content=text, headers=YAML)

    assert refused.status_code == 422
    assert pointer in [flaw["pointer"] for flaw in refused.json()["errors"]]
    assert await node.registry.revision() == before


async def test_applying_approves_for_a_provider_only_under_its_delegation(node: AdminNode) -> None:
    """A request by somebody else, which the file wants approved."""
    made = await a_small_province(node.register)
    consumer = await node.client("organisation-admin", "H99")
    asked = await node.register.add(
        Kind.GRANT, a_grant(consumer="G99:csdl"), Author(id=consumer.id, name=consumer.label)
    )
    http, text = (
        await node.http(),
        "grants: [{consumer: 'G99:csdl', service: DoanhNghiep, status: approved, legal_basis: Văn bản ví dụ}]",
    )

    refused = await http.post(APPLY, content=text, headers=YAML)
    delegation = await node.register.add(Kind.DELEGATION, a_delegation(), PROVIDER_ADMIN)
    done = await http.post(APPLY, content=text, headers=YAML)

    assert (refused.status_code, refused.json()["why"]) == (403, "no-delegation")
    assert done.status_code == 200
    grant = await node.registry.get(Kind.GRANT, asked.id)
    assert grant.document["decision"]["delegation"] == delegation.id
    assert made["grant"].document["status"] == "approved"


CSV = """\
Tên hệ thống;Mã hệ thống;Mã đơn vị;CSDL quốc gia cần kết nối
Một cửa xã (ví dụ);H99:mot-cua-xa;H99;CSDLDN
Hệ thống lạ;H99:la;H00;
"""


async def test_an_inventory_is_taken_over_and_bad_rows_are_told(node: AdminNode) -> None:
    await a_small_province(node.register)
    http = await node.http()

    looked = await _import(http, CSV, dry_run="true")
    done = await _import(http, CSV, dry_run="false")

    assert looked.status_code == 200, looked.text
    assert (looked.json()["applied"], looked.json()["accepted"]) == (False, 1)
    assert (done.json()["applied"], done.json()["accepted"]) == (True, 1)
    (refused,) = done.json()["refused"]
    assert (refused["row"], refused["errors"][0]["pointer"]) == (3, "/organisation")
    assert (await node.registry.get(Kind.NEED, "H99:mot-cua-xa/CSDLDN")).document["withdrawn"] is None


async def test_something_else_than_a_table_is_refused(node: AdminNode) -> None:
    http = await node.http()

    as_json = await http.post("/admin/v1/import/inventory", json={})
    nonsense = await _import(http, "a,b\n1,2\n", dry_run="true")

    assert as_json.status_code == 415
    assert (nonsense.status_code, nonsense.json()["errors"][0]["code"]) == (422, "headers")


async def _import(http: httpx2.AsyncClient, text: str, *, dry_run: str) -> httpx2.Response:
    return await http.post(
        "/admin/v1/import/inventory",
        params={"dry_run": dry_run},
        content=text.encode(),
        headers={"Content-Type": "text/csv"},
    )
