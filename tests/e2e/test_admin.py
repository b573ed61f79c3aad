"""The admin API over real HTTP: objects, ETags, searches, histories."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.entities import Kind
from registry.sql.database import Location
from registry.stores import Author
from tests.e2e.admin_app import AdminNode, admin_node
from tests.factories import (
    a_client,
    a_grant,
    a_need,
    a_service,
    a_small_province,
    a_system,
    a_version,
    an_organisation,
)

API = "/admin/v1"


@pytest.fixture
async def node(sqlite_location: Location, tmp_path: Path) -> AsyncIterator[AdminNode]:
    async with admin_node(sqlite_location, tmp_path) as running:
        yield running


@pytest.fixture
async def province(node: AdminNode) -> AdminNode:
    await a_small_province(node.register)
    await node.snapshots.refresh()
    return node


async def test_an_object_is_added_read_replaced_and_removed(node: AdminNode) -> None:
    http = await node.http()

    made = await http.post(f"{API}/organisations", json=an_organisation("H99"))
    read = await http.get(made.headers["location"])
    changed = await http.put(
        f"{API}/organisations/H99",
        json=an_organisation("H99", name_vi="Tên mới (ví dụ)"),
        headers={"If-Match": read.headers["etag"]},
    )
    removed = await http.delete(f"{API}/organisations/H99", headers={"If-Match": changed.headers["etag"]})
    gone = await http.get(f"{API}/organisations/H99")

    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert read.json()["document"]["code"] == "H99"
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert changed.json()["document"]["name_vi"] == "Tên mới (ví dụ)"
    assert (removed.status_code, removed.content) == (204, b"")
    assert (gone.status_code, gone.json()["code"]) == (404, "not-found")


async def test_a_change_needs_the_version_that_was_read(province: AdminNode) -> None:
    http = await province.http()
    address, document = f"{API}/systems/H99:mot-cua", a_system(security_level=4)

    without = await http.put(address, json=document)
    weak = await http.put(address, json=document, headers={"If-Match": 'W/"1"'})
    first = await http.put(address, json=document, headers={"If-Match": '"1"'})
    late = await http.put(address, json=a_system(security_level=2), headers={"If-Match": '"1"'})

    assert (without.status_code, without.json()["code"]) == (428, "precondition-required")
    assert weak.status_code == 428
    assert first.status_code == 200
    told = late.json()
    assert (late.status_code, told["code"], late.headers["etag"]) == (412, "version-stale", '"2"')
    assert told["difference"] == [{"pointer": "/security_level", "before": 3, "after": 4}]
    assert told["current"]["document"]["security_level"] == 4


@pytest.mark.parametrize("path", ["systems/H99:mot-cua", "clients/Một cửa (ví dụ)"])
async def test_deleting_with_a_stale_version_removes_nothing(province: AdminNode, path: str) -> None:
    http = await province.http()

    refused = await http.delete(f"{API}/{path}", headers={"If-Match": '"7"'})

    assert refused.status_code == 412
    assert (await http.get(f"{API}/{path}")).status_code == 200


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("H99:mot-cua/CSDLDN", Kind.NEED),
        ("DoanhNghiep/1.0", Kind.VERSION),
        ("doanhnghiep", Kind.SERVICE),
        ("H99:mot-cua/DoanhNghiep", Kind.GRANT),
    ],
)
async def test_an_object_is_known_by_its_code_and_by_its_id(
    province: AdminNode, label: str, kind: Kind
) -> None:
    http = await province.http()

    by_code = await http.get(f"{API}/{kind.value}/{label}")
    by_id = await http.get(f"{API}/{kind.value}/{by_code.json()['id']}")
    history = await http.get(f"{API}/{kind.value}/{label}/history")

    assert by_code.status_code == 200
    assert by_code.json() == by_id.json()
    actions = [change["action"] for each in history.json()["items"] for change in each["changes"]]
    assert actions[-1].endswith(".add")


async def test_a_version_called_history_is_not_a_history(province: AdminNode) -> None:
    """Labels of two segments and the addresses below an object can't be confused."""
    http = await province.http()

    missing = await http.get(f"{API}/versions/DoanhNghiep/history")
    not_there = await http.get(f"{API}/versions/DoanhNghiep/1.0/actions/publish")

    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")
    assert (not_there.status_code, not_there.headers["allow"]) == (405, "POST")


async def test_steps_move_an_object_along_its_life(province: AdminNode) -> None:
    http = await province.http()
    version = f"{API}/versions/DoanhNghiep/1.0"

    blocked = await http.post(
        f"{API}/services/DoanhNghiep/actions/block", json={"reason": "sự cố"}, headers={"If-Match": '"1"'}
    )
    deprecated = await http.post(f"{version}/actions/deprecate", json={}, headers={"If-Match": '"2"'})
    retired = await http.post(f"{version}/actions/retire", json={}, headers={"If-Match": '"3"'})
    again = await http.post(f"{version}/actions/retire", json={}, headers={"If-Match": '"4"'})
    withdrawn = await http.post(
        f"{API}/needs/H99:mot-cua/CSDLDN/actions/withdraw",
        json={"reason": "hệ thống thay thế"},
        headers={"If-Match": '"1"'},
    )

    assert blocked.json()["document"]["blocked"] == "sự cố"
    assert deprecated.json()["document"]["status"] == "deprecated"
    assert retired.json()["document"]["status"] == "retired"
    assert (again.status_code, again.json()["code"]) == (409, "wrong-state")
    assert withdrawn.json()["document"]["withdrawn"]["reason"] == "hệ thống thay thế"


async def test_a_search_comes_in_pages_that_neither_repeat_nor_miss(node: AdminNode) -> None:
    http = await node.http()
    for number in range(7):
        await http.post(f"{API}/organisations", json=an_organisation(f"H99.{number:02}"))

    codes, cursor = [], ""
    while True:
        page = (await http.get(f"{API}/organisations?limit=3&sort=-label{cursor}")).json()
        codes += [item["label"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert codes == [f"H99.{number:02}" for number in reversed(range(7))]
    assert page["total"] == 7


async def test_a_search_filters_by_codes_and_finds_without_accents(province: AdminNode) -> None:
    http = await province.http()

    by_code = (await http.get(f"{API}/systems", params={"organisation": "G99"})).json()
    by_text = (await http.get(f"{API}/systems", params={"q": "he thong mot-cua"})).json()
    unknown = await http.get(f"{API}/systems", params={"organisation": "H00"})

    assert [item["label"] for item in by_code["items"]] == ["G99:csdl"]
    assert [item["label"] for item in by_text["items"]] == ["H99:mot-cua"]
    assert (unknown.status_code, unknown.json()["details"]["label"]) == (404, "H00")


async def test_a_secret_is_shown_once_and_gets_a_token(province: AdminNode) -> None:
    http = await province.http()

    made = await http.post(f"{API}/clients", json=a_client("Ứng dụng mới (ví dụ)"))
    read = await http.get(made.headers["location"])
    who = (made.json()["client_id"], made.json()["client_secret"])
    token = await http.post("/token", data={"grant_type": "client_credentials"}, auth=who)

    assert made.status_code == 201
    assert "digest" not in made.text
    assert "client_secret" not in read.json()
    assert who[1] not in read.text
    assert [list(secret) for secret in read.json()["document"]["secrets"]] == [["created_at", "expires_at"]]
    assert token.status_code == 200


async def test_a_rotated_client_has_two_secrets_until_the_overlap_ends(province: AdminNode) -> None:
    http = await province.http()
    made = (await http.post(f"{API}/clients", json=a_client("Ứng dụng mới (ví dụ)"))).json()
    address = f"{API}/clients/{made['id']}"
    known = f'"{made["version"]}"'

    rotated = await http.post(f"{address}/rotate", json={"overlap_seconds": 600}, headers={"If-Match": known})
    at_once = await http.post(
        f"{address}/rotate",
        json={"overlap_seconds": 0, "end_tokens": True},
        headers={"If-Match": rotated.headers["etag"]},
    )
    stale = await http.post(f"{address}/rotate", json={}, headers={"If-Match": known})

    assert rotated.json()["client_secret"] != made["client_secret"]
    assert len(rotated.json()["document"]["secrets"]) == 2
    assert len(at_once.json()["document"]["secrets"]) == 1
    assert at_once.json()["document"]["not_before"] is not None
    assert stale.status_code == 412
    for secret, good in ((made, False), (rotated.json(), False), (at_once.json(), True)):
        who = (made["client_id"], secret["client_secret"])
        token = await http.post("/token", data={"grant_type": "client_credentials"}, auth=who)
        assert (token.status_code == 200) is good


async def test_a_client_with_its_own_keys_gets_no_secret(province: AdminNode) -> None:
    http = await province.http()
    key = province.ring.current(0).jwk()

    made = await http.post(f"{API}/clients", json=a_client("Có khóa (ví dụ)", jwks={"keys": [key]}))

    assert made.status_code == 201
    assert made.json()["client_secret"] is None


async def test_a_disabled_client_is_refused_with_the_token_it_has(province: AdminNode) -> None:
    admin, http = await province.http(), await province.http("observer")
    observer = await province.client("observer")
    before = await http.get(f"{API}/whoami")

    await admin.post(f"{API}/clients/{observer.id}/actions/disable", json={}, headers={"If-Match": '"2"'})
    after = await http.get(f"{API}/whoami")

    assert (before.status_code, before.json()["role"]) == (200, "observer")
    assert (after.status_code, after.json()["code"]) == (401, "client-disabled")


async def test_the_connection_test_says_each_step_apart(province: AdminNode) -> None:
    http = await province.http()

    checked = await http.post(f"{API}/versions/DoanhNghiep/1.0/check")

    assert checked.status_code == 200
    (endpoint,) = checked.json()["endpoints"]
    assert (endpoint["environment"], endpoint["ok"]) == ("production", False)
    assert [(step["step"], step["ok"]) for step in endpoint["steps"]] == [
        ("dns", True),
        ("tcp", False),
        ("tls", None),
    ]


async def test_the_node_says_what_it_runs(province: AdminNode) -> None:
    http = await province.http()

    running = (await http.get(f"{API}/snapshot")).json()
    revisions = (await http.get(f"{API}/revisions", params={"limit": 2})).json()
    older = (await http.get(f"{API}/revisions", params={"before": revisions["next"]})).json()
    kinds = [item["kind"] for item in (await http.get(f"{API}/connectors")).json()["items"]]
    quarantine = (await http.get(f"{API}/quarantine")).json()

    assert running["revision"] == revisions["items"][0]["number"]
    assert running["workers"] == [{"worker": "H99/0", "revision": 1, "age_seconds": 0.5}]
    assert older["items"][0]["number"] == revisions["items"][1]["number"] - 1
    assert "echo" in kinds
    assert quarantine["items"] == []


async def test_a_rotated_key_signs_while_the_old_one_still_verifies(province: AdminNode) -> None:
    http = await province.http()

    rotated = await http.post(f"{API}/keys/rotate", json={})
    after = await http.get(f"{API}/whoami")

    assert rotated.json()["kid"] in {key["kid"] for key in rotated.json()["jwks"]["keys"]}
    assert after.status_code == 200


async def test_a_leaked_key_ends_every_token(province: AdminNode) -> None:
    http = await province.http()

    await http.post(f"{API}/keys/rotate", json={"leaked": True})
    after = await http.get(f"{API}/whoami")

    assert (after.status_code, after.json()["code"]) == (401, "token-forged")


async def test_callers_may_look_up_operations_but_nothing_else(province: AdminNode) -> None:
    http = await province.http(None)

    known = await http.get(f"{API}/catalogue/DoanhNghiep")
    refused = await http.get(f"{API}/services/DoanhNghiep")

    assert [each["name"] for each in known.json()["versions"][0]["operations"]] == ["chiTiet"]
    assert (refused.status_code, refused.json()["why"]) == (403, "no-role")
    assert "data plane" in refused.json()["detail"]


async def test_figures_and_usage_are_answered_with_their_rule(province: AdminNode) -> None:
    http = await province.http("observer")

    figure = (await http.get(f"{API}/connectivity", params={"unit": "H99", "days": 3})).json()
    usage = (await http.get(f"{API}/usage", params={"group_by": ["outcome", "consumer"]})).json()
    evidence = (await (await province.http()).get(f"{API}/evidence")).json()

    assert (figure["needed"], figure["connected"], figure["share_percent"]) == (1, 0, 0.0)
    assert figure["rule"]["vi"]
    assert len(figure["series"]) == 3
    assert (usage["items"], usage["total"]) == ([], 0)
    assert (evidence["items"], evidence["total"]) == ([], 0)


async def test_usage_is_rebuilt_on_request(province: AdminNode) -> None:
    http = await province.http()

    done = await http.post(f"{API}/usage/rebuild")

    assert done.json() == {"records": 0, "corrected": 0}


async def test_grants_are_requested_here_and_decided_there(province: AdminNode) -> None:
    consumer = await province.http("organisation-admin", "H99")
    provider = await province.http("service-owner", "G99")
    await province.register.add(Kind.SERVICE, a_service("HoTich"), _author())
    await province.register.add(Kind.VERSION, a_version("HoTich"), _author())

    asked = await consumer.post(f"{API}/grants", json=a_grant(service="HoTich"))
    address = asked.headers["location"]
    own = await consumer.post(f"{address}/actions/approve", json={}, headers={"If-Match": '"1"'})
    done = await provider.post(
        f"{address}/actions/approve", json={"note": "đồng ý"}, headers={"If-Match": '"1"'}
    )

    assert asked.status_code == 201
    assert own.status_code == 403
    assert (done.status_code, done.json()["document"]["status"]) == (200, "approved")
    assert done.json()["document"]["decision"]["by"] == (await province.client("service-owner", "G99")).id


async def test_a_node_administrator_approves_only_under_a_delegation(province: AdminNode) -> None:
    admin = await province.http()
    consumer = await province.http("organisation-admin", "H99")
    await province.register.add(Kind.SERVICE, a_service("HoTich"), _author())
    asked = await consumer.post(f"{API}/grants", json=a_grant(service="HoTich"))
    approve = f"{asked.headers['location']}/actions/approve"

    before = await admin.post(approve, json={}, headers={"If-Match": '"1"'})
    owner = await province.http("service-owner", "G99")
    delegated = await owner.post(
        f"{API}/delegations", json={"organisation": "G99", "legal_basis": "Văn bản ví dụ"}
    )
    after = await admin.post(approve, json={}, headers={"If-Match": '"1"'})

    assert (before.status_code, before.json()["why"]) == (403, "no-delegation")
    assert delegated.status_code == 201
    assert after.json()["document"]["decision"]["delegation"] == delegated.json()["id"]


async def test_a_need_cannot_be_deleted(province: AdminNode) -> None:
    http = await province.http()

    refused = await http.delete(f"{API}/needs/H99:mot-cua/CSDLDN", headers={"If-Match": '"1"'})

    assert (refused.status_code, refused.json()["code"]) == (409, "wrong-state")


async def test_a_second_need_of_the_same_database_is_refused(province: AdminNode) -> None:
    http = await province.http()

    refused = await http.post(f"{API}/needs", json=a_need())

    assert refused.status_code == 422
    assert [flaw["code"] for flaw in refused.json()["errors"]] == ["taken"]


def _author() -> Author:
    return Author(id="01900000-0000-7000-8000-00000000000a", name="Ai đó (ví dụ)")
