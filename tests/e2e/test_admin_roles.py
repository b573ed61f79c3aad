"""Who may do what on the admin API: every route, every role, and whose objects."""

from collections.abc import AsyncIterator

import pytest

from auth.decide import RULES
from gateway.api.app import all_routes
from gateway.api.labels import plain
from gateway.api.routes import ANY_CLIENT, ANY_ROLE, Route
from registry.entities import Kind, Role
from registry.sql.database import location, upgrade
from tests.e2e.admin_app import AdminNode, admin_node
from tests.factories import (
    ADMIN,
    a_client,
    a_code_list,
    a_delegation,
    a_grant,
    a_need,
    a_service,
    a_small_province,
    a_system,
    a_version,
    an_officer,
    an_organisation,
)

API = "/admin/v1"
OPEN = {ANY_ROLE, ANY_CLIENT}


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AdminNode]:
    folder = tmp_path_factory.mktemp("node")
    where = location(None, folder)
    await upgrade(where)
    async with admin_node(where, folder) as running:
        await a_small_province(running.register)
        for kind, document in (
            (Kind.OFFICER, an_officer()),
            (Kind.DELEGATION, a_delegation()),
            (Kind.CODE_LIST, a_code_list()),
            (Kind.ORGANISATION, an_organisation("H98")),
            (Kind.SYSTEM, a_system("H98:mot-cua")),
        ):
            await running.register.add(kind, document, ADMIN)
        await running.snapshots.refresh()
        yield running


def test_every_route_names_an_action_that_is_decided_on() -> None:
    unknown = [route.path for route in all_routes() if route.action not in RULES.keys() | OPEN]

    assert unknown == []


def test_no_two_routes_share_an_address_and_a_method() -> None:
    addresses = [(route.method, route.path) for route in all_routes()]

    assert len(addresses) == len(set(addresses))


async def test_the_application_has_no_route_beside_the_table(node: AdminNode) -> None:
    http = await node.anybody()

    described = (await http.get("/admin/openapi.json")).json()

    operations = {
        (method.upper(), path): operation["x-action"]
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    table = {(route.method, plain(route.path)): route.action for route in all_routes()}
    assert operations == table


async def test_without_a_token_no_route_answers(node: AdminNode) -> None:
    http = await node.anybody()

    answered = {
        (route.method, route.path): (
            await http.request(route.method, await _address(node, route))
        ).status_code
        for route in all_routes()
    }

    assert set(answered.values()) == {401}


@pytest.mark.parametrize("role", [role.value for role in Role])
async def test_a_role_reaches_just_the_routes_that_the_table_gives_it(node: AdminNode, role: str) -> None:
    bound = role in {Role.ORGANISATION_ADMIN, Role.SERVICE_OWNER}
    http = await node.http(role, "H98" if bound else None)

    wrong = []
    for route in all_routes():
        if route.action == "key.rotate" and role == Role.NODE_ADMIN:
            continue
        answered = await http.request(route.method, await _address(node, route))
        why = answered.json().get("why") if answered.status_code == 403 else None
        allowed = route.action in OPEN or role in RULES[route.action]
        if (why == "role") is allowed or answered.status_code in {401, 500}:
            wrong.append((route.method, route.path, answered.status_code, why))

    assert wrong == []


async def _address(node: AdminNode, route: Route) -> str:
    """Return the route's address for an object that is there."""
    path = route.path.replace("{exchange}", "00000000-0000-0000-0000-000000000000")
    if "{label" not in path:
        return path
    kind = Kind(path.split("/")[3]) if "/catalogue/" not in path else Kind.SERVICE
    if kind not in _ids.setdefault(node.base, {}):
        page = await node.registry.search(kind)
        _ids[node.base][kind] = page.items[0].id
    return path.replace("{label:pair}", _ids[node.base][kind]).replace("{label:one}", _ids[node.base][kind])


_ids: dict[str, dict[Kind, str]] = {}


@pytest.mark.parametrize(
    ("role", "organisation", "kind", "document", "status"),
    [
        ("organisation-admin", "H98", Kind.SYSTEM, a_system("H98:moi"), 201),
        ("organisation-admin", "H98", Kind.SYSTEM, a_system("H99:moi"), 403),
        ("organisation-admin", "H98", Kind.SYSTEM, a_system("H98:thay", acts_for=["H98:mot-cua"]), 201),
        ("organisation-admin", "H98", Kind.SYSTEM, a_system("H98:mao", acts_for=["H99:mot-cua"]), 403),
        ("organisation-admin", "H98", Kind.NEED, a_need("H98:mot-cua"), 201),
        ("organisation-admin", "H98", Kind.NEED, a_need("G99:csdl"), 403),
        ("organisation-admin", "H98", Kind.GRANT, a_grant("H98:mot-cua"), 201),
        ("organisation-admin", "H98", Kind.GRANT, a_grant("H99:mot-cua"), 403),
        ("organisation-admin", "H98", Kind.CLIENT, a_client("Mới", system="H98:mot-cua"), 201),
        ("organisation-admin", "H98", Kind.CLIENT, a_client("Mới", system="H99:mot-cua"), 403),
        ("organisation-admin", "H98", Kind.CLIENT, {"name": "Mới", "role": "observer"}, 403),
        ("organisation-admin", "H98", Kind.OFFICER, an_officer("CB-98", organisation="H98"), 201),
        ("organisation-admin", "H98", Kind.OFFICER, an_officer("CB-99", organisation="H99"), 403),
        ("organisation-admin", "H98", Kind.ORGANISATION, an_organisation("H97"), 403),
        ("organisation-admin", "H98", Kind.SERVICE, a_service("MoiMoi", provider="H98:mot-cua"), 403),
        ("service-owner", "G99", Kind.SERVICE, a_service("MoiMoi"), 201),
        ("service-owner", "G99", Kind.SERVICE, a_service("MoiMoi", provider="H98:mot-cua"), 403),
        ("service-owner", "G99", Kind.VERSION, a_version(version="2.0"), 201),
        ("service-owner", "H98", Kind.VERSION, a_version(version="2.0"), 403),
        ("observer", None, Kind.SYSTEM, a_system("H98:moi"), 403),
        ("auditor", None, Kind.SYSTEM, a_system("H98:moi"), 403),
        ("node-admin", None, Kind.SYSTEM, a_system("H98:khac"), 201),
    ],
)
async def test_an_organisations_people_add_only_what_is_their_own(
    node: AdminNode, role: str, organisation: str | None, kind: Kind, document: dict[str, object], status: int
) -> None:
    http = await node.http(role, organisation)

    answered = await http.post(f"{API}/{kind.value}", json=document)

    assert answered.status_code == status, answered.text


async def test_a_system_cannot_be_given_to_or_taken_for_another_organisation(node: AdminNode) -> None:
    http = await node.http("organisation-admin", "H98")
    given_away = a_system("H98:mot-cua", organisation="H99")

    theirs = await http.put(f"{API}/systems/H99:mot-cua", json=a_system(), headers={"If-Match": '"1"'})
    speaking = a_system("H98:mot-cua", acts_for=["H99:mot-cua"])
    in_anothers_name = await http.put(
        f"{API}/systems/H98:mot-cua", json=speaking, headers={"If-Match": '"1"'}
    )
    away = await http.put(f"{API}/systems/H98:mot-cua", json=given_away, headers={"If-Match": '"1"'})

    assert (theirs.status_code, theirs.json()["why"]) == (403, "organisation")
    assert (away.status_code, away.json()["why"]) == (403, "organisation")
    assert (in_anothers_name.status_code, in_anothers_name.json()["why"]) == (403, "organisation")


async def test_an_organisation_sees_its_own_clients_in_pages(node: AdminNode) -> None:
    made = [
        await node.register.add(Kind.CLIENT, a_client(f"H98 số {n}", system="H98:mot-cua"), ADMIN)
        for n in range(3)
    ]
    http = await node.http("organisation-admin", "H98")

    first = (await http.get(f"{API}/clients?limit=2&q=H98 so")).json()
    second = (await http.get(f"{API}/clients?limit=2&q=H98 so&cursor={first['next']}")).json()
    theirs = (await http.get(f"{API}/clients?q=vi du")).json()
    other = await http.get(f"{API}/clients/Một cửa (ví dụ)")

    assert [item["id"] for item in first["items"] + second["items"]] == [client.id for client in made]
    assert (first["total"], second["next"], theirs["total"]) == (3, None, 0)
    assert (other.status_code, other.json()["why"]) == (403, "organisation")


async def test_evidence_is_for_the_parties(node: AdminNode) -> None:
    http = await node.http("organisation-admin", "H98")

    everything = await http.get(f"{API}/evidence")
    own = await http.get(f"{API}/evidence?consumer=H98:mot-cua")
    others = await http.get(f"{API}/evidence?consumer=H99:mot-cua")

    assert (everything.status_code, everything.json()["why"]) == (403, "name-your-system")
    assert own.status_code == 200
    assert (others.status_code, others.json()["why"]) == (403, "organisation")
