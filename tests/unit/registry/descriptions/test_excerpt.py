"""What a mock is given of a description: answers and their schemas, whole in themselves."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registry.descriptions.openapi import read_openapi


def excerpt_of(document: dict[str, Any], **given: Any) -> Any:
    described = read_openapi(json.dumps({"openapi": "3.1.0"} | document), mock=True, **given)
    assert described.mock is not None
    return described.mock["description"]


def answering(schema: Any, **more: Any) -> dict[str, Any]:
    response = {"description": "x", "content": {"application/json": {"schema": schema} | more}}
    return {"paths": {"/a": {"get": {"operationId": "xem", "responses": {"200": response}}}}}


def schema_of(excerpt: Any) -> Any:
    return excerpt["paths"]["/a"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]


def test_nothing_is_made_without_being_asked_for() -> None:
    assert read_openapi(json.dumps({"openapi": "3.1.0"} | answering({}))).mock is None


def test_answers_and_what_they_refer_to_are_kept_and_nothing_else() -> None:
    document = answering({"$ref": "#/components/schemas/Nguoi"}) | {
        "components": {
            "schemas": {
                "Nguoi": {"type": "object", "description": "dài", "properties": {"con": {"$ref": "#/components/schemas/Con"}}},
                "Con": {"type": "array", "items": {"$ref": "#/components/schemas/Nguoi"}},
                "Khac": {"type": "string"},
            },
            "securitySchemes": {"khoa": {"type": "apiKey", "in": "header", "name": "x"}},
        },
        "servers": [{"url": "https://a.example.invalid"}],
    }  # fmt: skip
    document["paths"]["/a"]["get"] |= {"description": "dài", "parameters": [], "tags": ["a"]}

    assert excerpt_of(document) == {
        "openapi": "3.1.0",
        "paths": {
            "/a": {
                "get": {
                    "operationId": "xem",
                    "responses": {
                        "200": {
                            "content": {
                                "application/json": {"schema": {"$ref": "#/components/schemas/Nguoi"}}
                            }
                        }
                    },
                }
            }
        },
        "components": {
            "schemas": {
                "Nguoi": {"type": "object", "properties": {"con": {"$ref": "#/components/schemas/Con"}}},
                "Con": {"type": "array", "items": {"$ref": "#/components/schemas/Nguoi"}},
            }
        },
    }


def test_only_operations_that_were_taken_are_answered_by_our_names() -> None:
    document = answering({})
    document["paths"]["/b"] = {"get": {"operationId": "xem", "responses": {"200": {"description": "x"}}}}
    document["paths"]["/b/{c"] = {"get": {"operationId": "hong", "responses": {}}}

    named = {path: item["get"]["operationId"] for path, item in excerpt_of(document)["paths"].items()}
    assert named["/a"] == "xem"
    assert named["/b"] != "xem"
    assert set(named) == {"/a", "/b"}
    assert set(excerpt_of(document, only=frozenset({"/b"}))["paths"]) == {"/b"}


def test_references_that_lead_elsewhere_or_nowhere_allow_anything() -> None:
    schema = {
        "properties": {
            "a": {"$ref": "khac.yaml#/A"},
            "b": {"$ref": "#/components/schemas/KhongCo"},
            "c": {"$ref": "#/paths/~1a/get/responses/200/content/application~1json/schema/properties/d"},
            "d": {"type": "integer"},
            "$ref": {"type": "string"},
            "example": {"$ref": "khac.yaml#/B"},
        },
        "default": {"$ref": "khac.yaml#/C"},
    }
    excerpt = excerpt_of(answering(schema))

    properties = schema_of(excerpt)["properties"]
    assert (properties["a"], properties["b"], properties["example"]) == ({}, {}, {})
    assert properties["$ref"] == {"type": "string"}
    assert properties["c"] == {"$ref": "#/components/schemas/d"}
    assert excerpt["components"]["schemas"] == {"d": {"type": "integer"}}
    assert schema_of(excerpt)["default"] == {"$ref": "khac.yaml#/C"}


def test_schemas_of_one_name_at_two_places_stay_two() -> None:
    document = answering({"anyOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/x-khac/A"}]})
    document["components"] = {"schemas": {"A": {"type": "string"}}, "x-khac": {"A": {"type": "integer"}}}
    excerpt = excerpt_of(document)

    first, second = (one["$ref"].rpartition("/")[2] for one in schema_of(excerpt)["anyOf"])
    schemas = excerpt["components"]["schemas"]
    assert (schemas[first], schemas[second]) == ({"type": "string"}, {"type": "integer"})


def test_examples_come_along_with_when_they_are_the_answer() -> None:
    named = {
        "co": {"$ref": "#/components/examples/Co"},
        "xa": {"externalValue": "https://khac.example.invalid/vi-du.json"},
        "ngoai": {"$ref": "khac.yaml#/Ngoai"},
    }
    document = answering({}, example={"$ref": "x"}, examples=named)
    when = {"nobody": True}
    document["components"] = {
        "examples": {"Co": {"summary": "x", "value": {"ten": "A"}, "x-mock-when": when}}
    }
    media = excerpt_of(document)["paths"]["/a"]["get"]["responses"]["200"]["content"]["application/json"]

    assert media == {
        "schema": {},
        "example": {"$ref": "x"},
        "examples": {"co": {"value": {"ten": "A"}, "x-mock-when": when}},
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3) | st.sampled_from(["#/components/schemas/A", "#/x", "y"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["$ref", "properties", "items", "anyOf", "enum", "type", "a", "default", "const"]), inner, max_size=4
    ),
    max_leaves=15,
)  # fmt: skip


@given(JSON, JSON)
def test_every_reference_of_an_excerpt_leads_somewhere(schema: Any, shared: Any) -> None:
    excerpt = excerpt_of(answering(schema) | {"components": {"schemas": {"A": shared}}})
    known = excerpt.get("components", {}).get("schemas", {})

    def check(value: Any, *, named: bool = False) -> None:
        if isinstance(value, list):
            for item in value:
                check(item)
        if isinstance(value, dict):
            if not named and "$ref" in value:
                assert value["$ref"].removeprefix("#/components/schemas/") in known
            for key, item in value.items():
                if named or key not in {"enum", "default", "const"}:
                    check(item, named=not named and key == "properties")

    check([excerpt["paths"], *known.values()])
