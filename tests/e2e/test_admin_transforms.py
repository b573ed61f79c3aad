"""Transforms on the admin API: tried on a sample, and refused with a version when they or their examples are wrong."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from registry.sql.database import Location
from tests.e2e.admin_app import AdminNode, admin_node
from tests.factories import a_service, a_small_province, a_version, an_operation

API = "/admin/v1"
LISTS = [
    {
        "code": "tinh", "name_vi": "Trạng thái (ví dụ)",
        "codes": [{"code": "x", "name_vi": "Xong", "same_as": {"quoc-gia": "9"}}],
    },
    {"code": "quoc-gia", "name_vi": "Trạng thái (ví dụ)", "codes": [{"code": "9", "name_vi": "Xong"}]},
]  # fmt: skip


@pytest.fixture
async def http(sqlite_location: Location, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with admin_node(sqlite_location, tmp_path) as running:
        await a_small_province(running.register)
        yield await a_node_with_a_service(running)


async def a_node_with_a_service(node: AdminNode) -> httpx2.AsyncClient:
    http = await node.http()
    for list_ in LISTS:
        assert (await http.post(f"{API}/code-lists", json=list_)).status_code == 201
    made = await http.post(f"{API}/services", json=a_service("BienDoi"))
    assert made.status_code == 201, made.text
    return http


def mapped(mapping: str, **settings: Any) -> list[dict[str, Any]]:
    return [{"kind": "jsonata", "settings": {"mapping": mapping} | settings}]


async def tried(http: httpx2.AsyncClient, transforms: Any, sample: str) -> Any:
    answer = await http.post(f"{API}/transforms/try", json={"transforms": transforms, "sample": sample})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def added(http: httpx2.AsyncClient, version: str = "1.0", **transforms: Any) -> httpx2.Response:
    operation = an_operation("x", "/x") | {"transforms": transforms}
    return await http.post(f"{API}/versions", json=a_version("BienDoi", version, operations=[operation]))


async def test_a_mapping_is_tried(http: httpx2.AsyncClient) -> None:
    mapping = '{"ten": $name(ho.ten, "upper"), "tt": $code(t, "tinh", "quoc-gia")}'
    result = await tried(
        http, mapped(mapping, code_lists=["tinh", "quoc-gia"]), '{"ho": {"ten": "Lan"}, "t": "x"}'
    )
    assert result == {
        "output": '{"ten":"LAN","tt":"9"}', "media_type": "application/json", "reads": ["ho.ten", "t"], "fault": None,
    }  # fmt: skip


async def test_a_mistake_is_told_with_its_place(http: httpx2.AsyncClient) -> None:
    fault = (await tried(http, mapped("{\n 'a': b +\n}"), "{}"))["fault"]
    assert (fault["at"], fault["line"], fault["column"], fault["pointer"]) == (
        "settings",
        3,
        1,
        "/settings/mapping",
    )
    fault = (await tried(http, mapped("{\n 'a': $date(b)\n}"), '{"b": "hôm qua"}'))["fault"]
    assert (fault["at"], fault["code"], fault["line"], fault["column"]) == (
        "mapping",
        "value-unreadable",
        2,
        7,
    )
    fault = (await tried(http, mapped("a"), '{\n"a" 1}'))["fault"]
    assert (fault["at"], fault["code"], fault["line"], fault["column"]) == ("document", "malformed", 2, 5)
    fault = (await tried(http, [*mapped("a"), {"kind": "xslt"}], "{}"))["fault"]
    assert (fault["transform"], fault["at"], fault["pointer"]) == (1, "settings", "/kind")


async def test_a_hostile_mapping_is_tried_without_harm(http: httpx2.AsyncClient) -> None:
    nested = "$reduce([1..28], function($a, $b) { {'a': $a, 'b': $a} }, 1)"
    for mapping in (
        f"{nested} = {nested}",
        "$reduce([1..400000], function($a, $b) { {'a': $a, 'b': $a} }, 1)",
    ):
        assert (await tried(http, mapped(mapping), "{}"))["fault"]["code"] in {"limit", "mapping-failed"}
    assert (await http.get(f"{API}/whoami")).status_code == 200


@pytest.mark.parametrize(
    "document",
    [{}, {"transforms": [], "sample": ""}, {"transforms": mapped("a")}, {"transforms": mapped("a"), "sample": 5}, {"transforms": mapped("a"), "sample": "", "x": 1}],
)  # fmt: skip
async def test_a_trial_of_nothing_is_refused(http: httpx2.AsyncClient, document: Any) -> None:
    assert (await http.post(f"{API}/transforms/try", json=document)).status_code == 422


async def test_half_a_surrogate_pair_is_refused(http: httpx2.AsyncClient) -> None:
    body = b'{"transforms": [{"kind": "jsonata", "settings": {"mapping": "a"}}], "sample": "\\ud800"}'
    answer = await http.post(
        f"{API}/transforms/try", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422


async def test_who_only_looks_may_not_try(sqlite_location: Location, tmp_path: Path) -> None:
    async with admin_node(sqlite_location, tmp_path) as node:
        observer = await node.http("observer")
        answer = await observer.post(
            f"{API}/transforms/try", json={"transforms": mapped("a"), "sample": "{}"}
        )
        assert answer.status_code == 403


async def test_a_version_with_a_broken_mapping_is_refused(http: httpx2.AsyncClient) -> None:
    answer = await added(http, request=mapped("a"), reply=[*mapped("b"), *mapped("c +")])
    assert answer.status_code == 422
    flaw = answer.json()["errors"][0]
    assert flaw["pointer"] == "/operations/0/transforms/reply/1/settings/mapping"
    assert "line 1, column 4" in answer.text
    answer = await added(http, reply=mapped('$code(a, "khong-co", "tinh")', code_lists=["khong-co"]))
    assert "/settings/code_lists" in answer.text
    answer = await added(http, reply=[{"kind": "json-to-xml", "settings": {"root": "a b", "fields": {}}}])
    assert (answer.status_code, "/operations/0/transforms/reply/0/settings" in answer.text) == (422, True)


async def test_a_code_list_does_not_change_under_a_version_whose_examples_it_breaks(
    http: httpx2.AsyncClient,
) -> None:
    good = mapped('{"b": $code(a, "tinh", "quoc-gia")}', code_lists=["tinh", "quoc-gia"])
    example = {"direction": "reply", "given": '{"a": "x"}', "expected": '{"b": "9"}'}
    made = await added(http, reply=good, examples=[example])
    first = (await http.get(f"{API}/code-lists/tinh")).json()
    other = LISTS[0] | {"codes": [{"code": "y", "name_vi": "Khác", "same_as": {"quoc-gia": "9"}}]}
    more = LISTS[0] | {
        "codes": [*LISTS[0]["codes"], {"code": "y", "name_vi": "Khác", "same_as": {"quoc-gia": "9"}}]
    }

    async def put(document: Any) -> httpx2.Response:
        now = await http.get(f"{API}/code-lists/tinh")
        return await http.put(
            f"{API}/code-lists/tinh", json=document, headers={"If-Match": now.headers["etag"]}
        )

    assert (await put(other)).status_code == 200  # nobody calls a draft
    assert (await put(LISTS[0])).status_code == 200
    headers = {"If-Match": made.headers["etag"]}
    published = await http.post(f"{API}/versions/BienDoi/1.0/actions/publish", json={}, headers=headers)
    assert published.status_code == 200, published.text
    broken = await put(other)
    assert broken.status_code == 422
    assert "BienDoi/1.0 would break (/operations/0/transforms/examples/0)" in broken.text
    gone = await http.delete(
        f"{API}/code-lists/tinh",
        headers={"If-Match": (await http.get(f"{API}/code-lists/tinh")).headers["etag"]},
    )
    assert gone.status_code == 422
    assert (await put(more)).status_code == 200
    assert (await http.get(f"{API}/code-lists/tinh")).json()["document"]["codes"][0] == first["document"][
        "codes"
    ][0]


async def test_examples_keep_a_version_out_when_they_break(http: httpx2.AsyncClient) -> None:
    example = {"direction": "reply", "given": '{"a": "x"}', "expected": '{"b": "9"}'}
    good = mapped('{"b": $code(a, "tinh", "quoc-gia")}', code_lists=["tinh", "quoc-gia"])
    wrong = await added(http, reply=good, examples=[example, example | {"expected": '{"b": "10"}'}])
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "/operations/0/transforms/examples/1"
    failing = await added(http, reply=good, examples=[example | {"given": '{"a": "khac"}'}])
    assert failing.status_code == 422
    assert (await added(http, reply=good, examples=[example])).status_code == 201
    # What the example stands on changes before the version is published.
    kept = await http.get(f"{API}/code-lists/tinh")
    changed = LISTS[0] | {"codes": [{"code": "x", "name_vi": "Xong", "same_as": {"quoc-gia": "10"}}]}
    put = await http.put(f"{API}/code-lists/tinh", json=changed, headers={"if-match": kept.headers["etag"]})
    assert put.status_code == 200, put.text
    version = await http.get(f"{API}/versions/BienDoi/1.0")
    published = await http.post(
        f"{API}/versions/BienDoi/1.0/actions/publish", json={}, headers={"if-match": version.headers["etag"]}
    )
    assert published.status_code == 422, published.text
    assert published.json()["errors"][0]["pointer"] == "/operations/0/transforms/examples/0"


async def test_lists_and_versions_may_come_in_one_file(http: httpx2.AsyncClient) -> None:
    file = """
versions:
  - service: BienDoi
    version: "2.0"
    operations:
      - name: x
        path: /x
        transforms:
          reply: [{kind: jsonata, settings: {mapping: '$codeName(a, "moi")', code_lists: [moi]}}]
          examples: [{direction: reply, given: '{"a": "1"}', expected: '"Một"'}]
    endpoints: {production: {connector: echo}}
code-lists:
  - {code: moi, name_vi: Danh mục (ví dụ), codes: [{code: "1", name_vi: Một}]}
"""
    wrong = await http.post(
        f"{API}/apply",
        content=file.replace("name_vi: Một", "name_vi: Hai"),
        headers={"content-type": "application/yaml"},
    )
    assert (wrong.status_code, "examples/0" in wrong.text) == (422, True), wrong.text
    right = await http.post(f"{API}/apply", content=file, headers={"content-type": "application/yaml"})
    assert right.status_code == 200, right.text
