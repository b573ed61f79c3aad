"""A large and ugly description, made here: it is taken within bounds, and what does not fit is said."""

import json
import time
import tracemalloc
from collections import Counter
from typing import Any

import jsonschema_rs
import pytest

from registry.contract_schemas import whole_schema
from registry.descriptions.openapi import MOST_OPERATIONS, read_openapi
from registry.descriptions.schemas import MOST_SCHEMAS
from registry.documents import parse_as, render
from registry.entities import VersionSpec

SCHEMAS = 3000


def a_large_description() -> dict[str, Any]:
    """Return 3,000 schemas that refer to each other in chains, circles and trees, and 700 operations."""
    schemas: dict[str, Any] = {}
    for number in range(SCHEMAS):
        name = f"Lược đồ {number}/~%"
        following = reference(f"Lược đồ {(number + 1) % SCHEMAS}/~%")
        schemas[name] = {
            "type": "object",
            "description": "Giả lập " * 50,
            "properties": {
                "sau": following,
                "truoc": {"type": "array", "items": reference(f"Lược đồ {number - 1 if number else 0}/~%")},
                "so": {"type": "string", "pattern": f"^[0-9]{{{number % 13}}}$", "nullable": True},
            },
            "allOf": [following] if number % 500 else [{"required": ["so"]}],
        }
    paths: dict[str, Any] = {}
    for number in range(700):
        content = {"application/json": {"schema": reference(f"Lược đồ {number * 4}/~%")}}
        operation = {
            "operationId": "trùng nhau",
            "responses": {"default": {"content": content}},
            "x-rieng": None,
        }
        paths[f"/nhánh {number}/{{số}}"] = {"parameters": [], "get": operation}
    return {"openapi": "3.0.1", "info": {}, "paths": paths, "components": {"schemas": schemas}}


def reference(name: str) -> dict[str, str]:
    return {"$ref": "#/components/schemas/" + name.replace("~", "~0").replace("/", "~1").replace("%", "%25")}


@pytest.fixture(scope="module")
def text() -> str:
    return "\ufeff" + json.dumps(a_large_description(), ensure_ascii=False, indent=1).replace("\n", "\r\n")


def test_a_large_description_is_taken_within_bounds(text: str) -> None:
    tracemalloc.start()
    start = time.perf_counter()

    described = read_openapi(text)

    seconds, (_, most) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 20
    assert most < 300 * 1024 * 1024
    assert len(described.operations) == MOST_OPERATIONS
    assert len(described.schemas) == MOST_SCHEMAS
    assert len({one.name for one in described.operations}) == MOST_OPERATIONS
    counted = Counter(one.code for one in described.not_taken)
    assert counted["too-many-operations"] == 700 - MOST_OPERATIONS
    assert counted["too-many-schemas"] > 0
    assert counted["reply-default"] == MOST_OPERATIONS
    assert counted["name-taken"] == MOST_OPERATIONS - 1
    spec = VersionSpec(
        service="x1",
        version="1",
        operations=described.operations,
        schemas=dict(described.schemas),
        endpoints={},
    )
    parse_as(VersionSpec, render(spec))
    reply = described.operations[0].reply
    assert reply is not None
    assert jsonschema_rs.validator_for(whole_schema(reply.schema, described.schemas)).is_valid({"so": None})


def test_yaml_of_that_size_is_read_too() -> None:
    lines = ["openapi: 3.1.0", "info: {title: Ví dụ, version: '1'}", "paths:"]
    for number in range(600):
        lines += [
            f"  /a{number}/{{id}}:", "    get:", "      responses:", "        200:", "          content:",
            "            application/json:", f"              schema: {{$ref: '#/components/schemas/A{number}'}}",
        ]  # fmt: skip
    lines += ["components:", "  schemas:"]
    lines += [
        f"    A{number}: {{type: object, properties: {{yes: {{type: string}}}}}}" for number in range(600)
    ]
    start = time.perf_counter()

    described = read_openapi("\n".join(lines))

    assert time.perf_counter() - start < 10
    assert described.schemas["A7"]["properties"] == {"yes": {"type": "string"}}


def test_references_into_every_level_do_not_multiply_without_end() -> None:
    """Each level of a deep schema is referred to, so that each would be copied with all that lies below it."""
    deep: dict[str, Any] = {"type": "string"}
    pointer, levels = "#/components/schemas/Sau", 90
    references = []
    for _ in range(levels):
        deep = {
            "properties": {"a": deep, "b": {"type": "object", "properties": {str(n): {} for n in range(20)}}}
        }
        references.append({"$ref": pointer})
        pointer += "/properties/a"
    operation = {"responses": {"200": {"content": {"application/json": {"schema": {"anyOf": references}}}}}}
    document = {
        "openapi": "3.1.0",
        "paths": {"/x": {"get": operation}},
        "components": {"schemas": {"Sau": deep}},
    }
    start = time.perf_counter()

    described = read_openapi(json.dumps(document))

    assert time.perf_counter() - start < 5
    assert (
        len(json.dumps(render(described.operations[0]))) + len(json.dumps(dict(described.schemas)))
        < 5_000_000
    )
