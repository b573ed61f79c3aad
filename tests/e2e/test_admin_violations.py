"""Violations on the admin API: the provider sees all of its service's, a consumer its own, nobody else any."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from registry.entities import Kind
from registry.labels import today
from registry.sql.database import location, upgrade
from registry.sql.violations import ViolationStore
from registry.violations import Count, ViolationKey
from tests.e2e.admin_app import AdminNode, admin_node
from tests.factories import ADMIN, a_small_province, a_system, an_organisation

PATH = "/admin/v1/services/DoanhNghiep/violations"


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AdminNode]:
    folder = tmp_path_factory.mktemp("node")
    where = location(None, folder)
    await upgrade(where)
    async with admin_node(where, folder) as running:
        await a_small_province(running.register)
        for code in ("H97", "H98"):
            await running.register.add(Kind.ORGANISATION, an_organisation(code), ADMIN)
        await running.register.add(Kind.SYSTEM, a_system("H98:mot-cua"), ADMIN)
        await running.snapshots.refresh()
        await seed(running)
        yield running


async def seed(node: AdminNode) -> None:
    """Count what two consumers did wrong."""

    async def id_of(kind: Kind, label: str) -> str:
        return (await node.registry.get(kind, label)).id

    service = await id_of(Kind.SERVICE, "DoanhNghiep")
    version = await id_of(Kind.VERSION, "DoanhNghiep/1.0")
    provider = await id_of(Kind.SYSTEM, "G99:csdl")
    store: ViolationStore = node.parts.violations._store
    for consumer, count in (("H99:mot-cua", 3), ("H98:mot-cua", 5)):
        use = ("production", await id_of(Kind.SYSTEM, consumer), provider, service, version, "chiTiet")
        key = ViolationKey(*use, "request", "shadow", "query", "/msdn", "pattern")
        await store.add(today(), {key: Count(1.0, 2.0, count)})
        await store.add(
            today(), {key._replace(direction="reply", place="body", pointer="/a/*"): Count(1.0, 2.0, 1)}
        )


async def seen(node: AdminNode, role: str, organisation: str | None = None, **query: Any) -> httpx2.Response:
    http = await node.http(role, organisation)
    return await http.get(PATH, params=query)


async def test_the_provider_sees_all_and_a_consumer_its_own(node: AdminNode) -> None:
    for role, organisation in (("node-admin", None), ("auditor", None), ("service-owner", "G99")):
        answer = (await seen(node, role, organisation)).json()
        assert [each["count"] for each in answer["items"]] == [5, 3, 1, 1], (role, answer)
        assert answer["total"] == 4
    own = (await seen(node, "organisation-admin", "H99")).json()
    assert [(each["count"], own["labels"][each["consumer"]]) for each in own["items"]] == [
        (3, "H99:mot-cua"),
        (1, "H99:mot-cua"),
    ]
    first = own["items"][0]
    assert (first["at"], first["pointer"], first["rule"]) == ("query", "/msdn", "pattern")
    assert (first["direction"], first["mode"], first["operation"]) == ("request", "shadow", "chiTiet")


async def test_others_see_none(node: AdminNode) -> None:
    assert (await seen(node, "observer")).status_code == 403
    assert (await seen(node, "service-owner", "H97")).json()["items"] == []


async def test_they_are_told_apart_by_what_is_asked_for(node: AdminNode) -> None:
    async def counts(**query: Any) -> list[int]:
        return [each["count"] for each in (await seen(node, "node-admin", **query)).json()["items"]]

    assert await counts(consumer="H98:mot-cua") == [5, 1]
    assert await counts(direction="reply") == [1, 1]
    assert await counts(mode="enforce") == []
    assert await counts(operation="khac") == []
    assert await counts(environment="sandbox") == []
    assert await counts(limit=1) == [5]
    for wrong in ({"days": 0}, {"days": 93}, {"direction": "both"}, {"limit": 0}, {"khac": 1}):
        assert (await seen(node, "node-admin", **wrong)).status_code == 422
    assert (await seen(node, "node-admin", consumer="khong-co")).status_code == 404
