"""Versions compared on the admin API: what breaks, for whom, and what a description would change."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from registry.sql.database import Location
from tests.e2e.admin_app import AdminNode, admin_node
from tests.factories import a_service, a_small_province, a_version, an_operation

API = "/admin/v1"
PERSON = {"type": "object", "properties": {"ten": {"type": "string"}, "ngaySinh": {"type": "string"}}}


@pytest.fixture
async def node(sqlite_location: Location, tmp_path: Path) -> AsyncIterator[AdminNode]:
    async with admin_node(sqlite_location, tmp_path) as running:
        await a_small_province(running.register)
        yield running


async def added(http: httpx2.AsyncClient, number: str, service: str = "DoanhNghiep", **operation: Any) -> Any:
    document = a_version(service, number, operations=[an_operation() | operation], schemas={"Nguoi": PERSON})
    answer = await http.post(f"{API}/versions", json=document)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def published(http: httpx2.AsyncClient, version: Any) -> Any:
    answer = await http.post(
        f"{API}/versions/{version['id']}/actions/publish",
        json={},
        headers={"If-Match": f'"{version["version"]}"'},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_version_is_compared_with_the_one_before_it(node: AdminNode) -> None:
    http = await node.http()
    reply = {"schema": {"$ref": "#/schemas/Nguoi"}}
    one = await published(http, await added(http, "1.1", reply=reply))
    assert one["changes"] == {
        "from": "DoanhNghiep/1.0", "breaking": 0, "unknown": 0, "compatible": 1, "consumers": 1, "consumers_broken": 0,
        "consumers_unsure": 0,
    }  # fmt: skip
    smaller = {"schema": {"type": "object", "properties": {"ten": {"type": "string"}}}}
    await added(http, "2.0", reply=smaller, request={"required": True})

    answer = await http.get(f"{API}/versions/DoanhNghiep/2.0/changes")

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["from"], found["to"]) == ("DoanhNghiep/1.1", "DoanhNghiep/2.0")
    assert {(one["rule"], one["way"], one["field"]) for one in found["changes"]} == {
        ("body-added", "request", None), ("property-removed", "reply", "ngaySinh"),
    }  # fmt: skip
    assert all(one["consumers"] == ["H99:mot-cua"] and one["messages"]["vi"] for one in found["changes"])
    assert found["summary"]["consumers_broken"] == 1
    assert found["consumers"][0]["verdict"] == "breaking"
    other = await http.get(f"{API}/versions/DoanhNghiep/2.0/changes", params={"against": "1.0"})
    assert {one["rule"] for one in other.json()["changes"]} == {"body-added"}


async def test_a_description_is_compared_with_a_version(node: AdminNode) -> None:
    http = await node.http()
    described = {
        "openapi": "3.0.3", "info": {},
        "paths": {"/chiTietDoanhNghiep": {"get": {
            "operationId": "chiTiet", "parameters": [{"name": "ma", "in": "query", "required": True, "schema": {}}],
            "responses": {"200": {"description": ""}},
        }}},
    }  # fmt: skip

    answer = await http.post(f"{API}/versions/DoanhNghiep/1.0/changes", json=described)

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [(one["verdict"], one["rule"], one["detail"]) for one in found["changes"]] == [
        ("breaking", "parameter-added", "ma")
    ]
    assert found["to"] is None
    bad = await http.post(f"{API}/versions/DoanhNghiep/1.0/changes", json={"a": 1})
    assert (bad.status_code, bad.json()["errors"][0]["code"]) == (422, "description")
    observer = await node.http("observer")
    assert (
        await observer.get(f"{API}/versions/DoanhNghiep/1.0/changes", params={"against": "1.0"})
    ).status_code == 200
    assert (await observer.post(f"{API}/versions/DoanhNghiep/1.0/changes", json=described)).status_code == 403


async def test_what_cannot_be_compared_is_told(node: AdminNode) -> None:
    http = await node.http()
    assert (await http.post(f"{API}/services", json=a_service("Khac"))).status_code == 201
    await added(http, "1.0", "Khac")

    first = await http.get(f"{API}/versions/DoanhNghiep/1.0/changes")
    unknown = await http.get(f"{API}/versions/DoanhNghiep/1.0/changes", params={"against": "9.9"})
    foreign = await http.get(f"{API}/versions/DoanhNghiep/1.0/changes", params={"against": "Khac/1.0"})

    assert (first.status_code, unknown.status_code, foreign.status_code) == (422, 404, 422)
