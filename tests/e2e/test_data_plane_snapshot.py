"""The registry as the data plane sees it: spoilt objects, many objects, and changes while it runs."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from gateway.exchange import Reason
from registry.documents import parse
from registry.entities import Kind
from registry.evidence import Outcome
from registry.ids import uuid7
from registry.sql.database import open_engine
from registry.sql.tables import objects
from registry.stores import Change
from tests.e2e.node import AUTHOR, PROVIDER, Caller
from tests.e2e.plane import MARK, WAYS, Plane, running_plane
from tests.factories import (
    a_grant,
    a_service,
    a_system,
    a_version,
    an_endpoint,
    an_operation,
    an_organisation,
)

SERVICES, CONSUMERS = 1000, 5
NEVER_IN_A_REGISTRY = {"connector": "khong-co", "settings": {}}


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way["door"])
async def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path_factory.mktemp("plane") / "node", **request.param) as running:
        await running.offer("DoanhNghiep")
        yield running


async def spoil(plane: Plane, kind: Kind, label: str, **wrong: Any) -> None:
    """Write into a document what the use cases may never take, as a careless hand in the database would."""
    node = plane.node
    stored = await node.registry.get(kind, label)
    engine = open_engine(node.location.registry)
    try:
        async with engine.begin() as connection:
            revision = await node.registry.revision() + 1
            values = {"document": json.dumps({**stored.document, **wrong}), "revision": revision}
            await connection.execute(update(objects).where(objects.c.id == stored.id).values(**values))
    finally:
        await engine.dispose()
    await node.add(Kind.ORGANISATION, an_organisation(f"H{revision + 100}"))
    await node.settled()


async def test_a_version_that_cannot_be_compiled_is_503_and_the_rest_goes_on(plane: Plane) -> None:
    await plane.offer("HongNoi")
    good = (await plane.node.registry.get(Kind.VERSION, "HongNoi/1.0")).document
    caller = await plane.caller()
    for wrong in (
        {"endpoints": {"production": NEVER_IN_A_REGISTRY}},
        {"endpoints": {"production": an_endpoint(connector="rest", settings={"url": "ftp://x"})}},
        {"endpoints": {"production": an_endpoint(connector="rest", settings={"khac": 1})}},
        {"operations": "khong phai danh sach"},
        {"operations": None, "version": None},
    ):
        await spoil(plane, Kind.VERSION, "HongNoi/1.0", **wrong)
        answer = await caller.call("/HongNoi/x" if "version" in wrong else "/HongNoi/1.0/x")
        assert (await caller.call("/DoanhNghiep/1.0/x")).status_code == 200
        if "version" in wrong:
            assert answer.status_code in (404, 503), answer.text
        else:
            record = await plane.refused(answer, Reason.QUARANTINED, 503, "province")
            assert record.outcome == Outcome.UNAVAILABLE
        assert b"object.quarantined" in plane.node.log.read_bytes()
        await spoil(plane, Kind.VERSION, "HongNoi/1.0", **good)
        assert (await caller.call("/HongNoi/1.0/x")).status_code == 200


async def test_a_service_that_cannot_be_compiled_is_503(plane: Plane) -> None:
    await plane.offer("HongDichVu")
    await spoil(plane, Kind.SERVICE, "HongDichVu", maintenance="hong")
    answer = await (await plane.caller()).call("/HongDichVu/1.0/x")
    await plane.refused(answer, Reason.QUARANTINED, 503, "province")


async def test_a_grant_that_cannot_be_read_denies(plane: Plane) -> None:
    await plane.offer("HongQuyen")
    caller = await plane.caller()
    assert (await caller.call("/HongQuyen/1.0/x")).status_code == 200
    for wrong in (
        {"quota": None},
        {"quota": {"per_second": 0}},
        {"valid_until": "mai mai"},
        {"operations": 5},
    ):
        await spoil(plane, Kind.GRANT, "H99:mot-cua/HongQuyen", **wrong)
        answer = await caller.call("/HongQuyen/1.0/x")
        await plane.refused(answer, Reason.GRANT_QUARANTINED, 403, "province")
        good: dict[str, Any] = {
            "quota": {"per_second": 50, "per_day": None},
            "valid_until": None,
            "operations": [],
        }
        await spoil(plane, Kind.GRANT, "H99:mot-cua/HongQuyen", **good)
        assert (await caller.call("/HongQuyen/1.0/x")).status_code == 200


async def test_a_client_that_cannot_be_read_is_nobody(plane: Plane) -> None:
    caller = await plane.caller("hỏng")
    assert (await caller.call("/DoanhNghiep/1.0/x")).status_code == 200
    await spoil(plane, Kind.CLIENT, caller.id, allowed_networks=["khong phai mang"])
    await plane.stranger(await caller.call("/DoanhNghiep/1.0/x"), Reason.TOKEN_FOREIGN, 401)


async def test_a_renamed_service_is_found_under_its_new_name_only(plane: Plane) -> None:
    await plane.offer("TenCu")
    service = await plane.node.registry.get(Kind.SERVICE, "TenCu")
    await plane.node.register.replace(
        Kind.SERVICE, service.id, a_service("TenMoi"), expected_version=service.version, author=PROVIDER
    )
    await plane.node.settled()
    caller = await plane.caller()
    assert (await caller.call("/TenMoi/1.0/x")).status_code == 200
    old = await caller.call("/TenCu/1.0/x")
    await plane.refused(old, Reason.ROUTE_UNKNOWN, 404, "consumer")


async def test_two_services_that_swap_their_names_are_both_there(plane: Plane) -> None:
    await plane.offer("BenMot", operations=[an_operation("mot", "/mot")])
    await plane.offer("BenHai", operations=[an_operation("hai", "/hai")])
    changes = []
    for name, other in (("BenMot", "BenHai"), ("BenHai", "BenMot")):
        stored = await plane.node.registry.get(Kind.SERVICE, name)
        entity = parse(Kind.SERVICE, stored.document | {"name": other})
        changes.append(
            Change(
                action="service.replace", kind=Kind.SERVICE, id=stored.id, entity=entity, expected_version=1
            )
        )
    await plane.node.registry.commit(changes, AUTHOR)
    await plane.node.settled()
    caller = await plane.caller()
    assert (await caller.call("/BenHai/1.0/mot")).status_code == 200
    assert (await caller.call("/BenMot/1.0/hai")).status_code == 200


async def load(plane: Plane) -> None:
    """Register so many services, each with five operations and five grants, in one revision."""
    node = plane.node
    provider = await plane.id_of(Kind.SYSTEM, "G99:csdl")
    organisation = await plane.id_of(Kind.ORGANISATION, "H99")
    systems = {f"H99:may-{i}": uuid7() for i in range(CONSUMERS)}
    changes = [
        put(Kind.SYSTEM, id_, a_system(code, organisation=organisation)) for code, id_ in systems.items()
    ]
    operations = [an_operation(f"op{i}", f"/op{i}/{{ma}}") for i in range(5)]
    endpoints = {"production": an_endpoint(connector="rest", settings={"url": plane.provider.url})}
    for number in range(SERVICES):
        service = uuid7()
        name = f"Kho{number:04d}"
        changes.append(put(Kind.SERVICE, service, a_service(name, provider=provider)))
        version = a_version(service, operations=operations, endpoints=endpoints, status="published")
        changes.append(put(Kind.VERSION, uuid7(), version))
        changes += [
            put(Kind.GRANT, uuid7(), a_grant(system, service, status="approved"))
            for system in systems.values()
        ]
    await node.registry.commit(changes, AUTHOR)


def put(kind: Kind, id_: str, document: dict[str, Any]) -> Change:
    return Change(action="test.put", kind=kind, id=id_, entity=parse(kind, document), expected_version=None)


async def test_five_thousand_routes_and_grants(plane: Plane) -> None:
    before = await plane.caller()
    answered: list[int] = []
    loading = True

    async def keep_calling() -> None:
        while loading:
            answered.append((await before.call("/DoanhNghiep/1.0/x")).status_code)
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        group.create_task(keep_calling())
        await load(plane)
        async with asyncio.timeout(20):
            caller = await arrived(plane)
        loading = False
    assert set(answered) == {200}  # a change drops no request
    answer = await caller.call(f"/Kho0999/1.0/op4/{MARK}")
    assert (await plane.final(answer)).operation == "op4"
    unknown = await caller.call("/Kho099/1.0/op4/1")
    assert unknown.json()["details"]["did_you_mean"].startswith("Kho")

    began = time.monotonic()
    await plane.node.step(Kind.SERVICE, "Kho0500", "block", reason="sự cố")
    while (await caller.call("/Kho0500/1.0/op1/1")).status_code == 200:
        assert time.monotonic() - began < 1.0
        await asyncio.sleep(0.02)
    assert (await caller.call("/Kho0501/1.0/op1/1")).status_code == 200


async def arrived(plane: Plane) -> Caller:
    """Return a client of one of the many consumers, once the node knows all."""
    while (await (await plane.caller()).call("/Kho0999/1.0/op0/1")).status_code == 404:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    return await plane.caller("máy", system="H99:may-3")
