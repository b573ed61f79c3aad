"""OpenAPI as operations: what is taken, and what is said of the rest. All of it is invented."""

import json
from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import pytest

from registry.contract_schemas import whole_schema
from registry.descriptions.described import Described
from registry.descriptions.notes import REASONS
from registry.descriptions.openapi import read_openapi
from registry.documents import parse_as, render
from registry.entities import Environment, Operation, Version, VersionSpec
from registry.errors import Invalid
from registry.register.contracts import version_flaws


def a_description(paths: Any = None, version: str = "3.0.3", **more: Any) -> dict[str, Any]:
    paths = {"/x": {"get": an_operation()}} if paths is None else paths
    return {"openapi": version, "info": {"title": "Ví dụ", "version": "1"}, "paths": paths} | more


def an_operation(schema: Any = None, **more: Any) -> dict[str, Any]:
    content = {"application/json": {} if schema is None else {"schema": schema}}
    return {"responses": {"200": {"description": "", "content": content}}} | more


def taken(document: Mapping[str, Any]) -> Described:
    """Read it, and check that a version can hold what came out."""
    described = read_openapi(json.dumps(document))
    endpoints = described.endpoints(Environment.SANDBOX, "http://127.0.0.1:1")
    what: dict[str, Any] = {
        "service": "x1",
        "version": "1.0",
        "operations": described.operations,
        "schemas": dict(described.schemas),
    }
    parse_as(VersionSpec, render(VersionSpec(**what, endpoints=endpoints)))
    assert list(version_flaws(Version(**what, endpoints=endpoints))) == []
    return described


def said(described: Described) -> dict[str, str]:
    return {one.pointer: one.code for one in described.not_taken if one.code != "server"}


def schema_of(schema: Any, version: str = "3.0.3", **schemas: Any) -> tuple[Any, Described]:
    document = a_description({"/x": {"get": an_operation(schema)}}, version, components={"schemas": schemas})
    described = taken(document)
    reply = described.operations[0].reply
    assert reply is not None
    return reply.schema, described


def accepts(schema: Any, described: Described) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(whole_schema(schema, described.schemas))


# --- operations -----------------------------------------------------------------------------------------


def test_an_operation_is_taken_whole() -> None:
    document = a_description(
        {
            "/nguoi/{so-dinh-danh}": {
                "parameters": [{"name": "so-dinh-danh", "in": "path", "required": True, "schema": {"type": "string"}}],
                "post": {
                    "operationId": "Tra cứu Người",
                    "summary": "Tra cứu một người",
                    "parameters": [
                        {"name": "trang", "in": "query", "schema": {"type": "integer"}, "description": "Số trang"},
                        {"name": "X-Ma", "in": "header", "required": True, "schema": {"type": "string"}},
                        {"name": "Accept", "in": "header", "schema": {"type": "string"}},
                    ],
                    "requestBody": {"$ref": "#/components/requestBodies/Hoi"},
                    "responses": {201: {"description": ""}} and {"200": {"$ref": "#/components/responses/Tra"}},
                },
            }
        },
        components={
            "schemas": {"Người": {"type": "object", "properties": {"hoTen": {"type": "string"}}}},
            "requestBodies": {"Hoi": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}},
            "responses": {
                "Tra": {
                    "description": "",
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/Ng%C6%B0%E1%BB%9Di"},
                            "examples": {"mot": {"value": {"hoTen": "Nguyễn Văn Ví Dụ"}}},
                        }
                    },
                }
            },
        },
        servers=[{"url": "https://{may}.example.invalid/api/", "variables": {"may": {"default": "csdl"}}}],
    )  # fmt: skip

    described = taken(document)

    (operation,) = described.operations
    assert (operation.name, operation.method, operation.path) == (
        "Tra_cuu_Nguoi",
        "POST",
        "/nguoi/{so_dinh_danh}",
    )
    assert (operation.title_vi, operation.title_en, operation.effect) == ("Tra cứu một người", "", "write")
    assert [(one.name, one.at, one.required) for one in operation.parameters] == [
        ("so_dinh_danh", "path", True), ("trang", "query", False), ("X-Ma", "header", True),
    ]  # fmt: skip
    assert operation.request is not None
    assert operation.request.required
    assert operation.reply is not None
    assert operation.reply.schema == {"$ref": "#/schemas/Nguoi"}
    assert operation.reply.examples == {"mot": {"hoTen": "Nguyễn Văn Ví Dụ"}}
    assert list(described.schemas) == ["Nguoi"]
    assert described.settings == {"url": "https://csdl.example.invalid/api"}
    assert sorted(set(said(described).values())) == ["name", "path-name"]


@pytest.mark.parametrize(
    ("path", "becomes", "code"),
    [
        ("/a/{id}", "/a/{id}", None),
        ("/a/{id}.json", "/a/{id_json}", "path-segment"),
        ("/a/{x},{y}", "/a/{x_y}", "path-segment"),
        ("/a/{id:[0-9]+}", "/a/{id__0_9__}", "path-name"),
        ("/báo cáo/{năm}", "/báo cáo/{n_m}", "path-name"),
        ("/a/", "/a/", None),
        ("/", "/", None),
    ],
)
def test_paths_become_ours(path: str, becomes: str, code: str | None) -> None:
    parameters: list[Any] = [
        {"name": name, "in": "path", "required": True, "schema": {}} for name in ("id", "id:[0-9]+", "năm")
    ]

    described = taken(a_description({path: {"get": an_operation(parameters=parameters)}}))

    assert described.operations[0].path == becomes
    assert code is None or code in said(described).values()
    variables = {part.strip("{}") for part in becomes.split("/") if part.startswith("{")}
    assert {one.name for one in described.operations[0].parameters if one.at == "path"} == variables


def test_what_cannot_be_called_is_said_and_the_rest_is_usable() -> None:
    document = a_description(
        {
            "/tot": {"get": an_operation(operationId="tot"), "trace": an_operation(), "post": 5},
            "/tot/../xau": {"get": an_operation()},
            "khong-gach": {"get": an_operation()},
            "/hoi?a=b": {"get": an_operation()},
            "/{a}": {"get": an_operation(operationId="tot")},
            "/{b}": {"get": an_operation()},
            "/ngoai": {"$ref": "other.yaml#/x"},
            "/trong": {"$ref": "#/paths/~1tot"},
            "x-rieng": {"get": an_operation()},
        },
        webhooks={"moi": {}},
    )

    described = taken(document)

    assert [(one.name, one.path) for one in described.operations] == [
        ("tot", "/tot"), ("tot-2", "/{a}"), ("tot-3", "/trong"),
    ]  # fmt: skip
    assert said(described) == {
        "/paths/~1tot/trace": "method",
        "/paths/~1tot/post": "structure",
        "/paths/~1tot~1..~1xau/get": "path",
        "/paths/khong-gach/get": "path",
        "/paths/~1hoi?a=b/get": "path",
        "/paths/~1{a}/get/operationId": "name-taken",
        "/paths/~1{a}/get": "parameter-undeclared",
        "/paths/~1{b}/get": "path-taken",
        "/paths/~1ngoai": "structure",
        "/paths/~1tot/get/operationId": "name-taken",
        "/webhooks": "webhooks",
    }


@pytest.mark.parametrize(
    ("parameter", "code"),
    [
        ({"name": "phien", "in": "cookie", "schema": {}}, "cookie"),
        ({"name": "Authorization", "in": "header", "schema": {}}, "header-ours"),
        ({"name": "lgsp-purpose", "in": "header", "schema": {}}, "header-ours"),
        ({"name": "la", "in": "path", "required": True, "schema": {}}, "parameter"),
        ({"name": "x", "in": "body", "schema": {}}, "parameter"),
        ({"in": "query"}, "parameter"),
        ({"$ref": "#/components/parameters/khong"}, "parameter"),
        ("chu", "parameter"),
    ],
)
def test_a_parameter_that_cannot_be_taken_is_said(parameter: Any, code: str) -> None:
    described = taken(a_description({"/x": {"get": an_operation(parameters=[parameter])}}))

    assert described.operations[0].parameters == ()
    assert code in said(described).values()


def test_a_parameter_in_another_style_is_taken_without_its_schema() -> None:
    deep = {
        "name": "loc", "in": "query", "style": "deepObject", "required": True, "schema": {"type": "object"},
    }  # fmt: skip
    text = {"name": "json", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}}

    described = taken(a_description({"/x": {"get": an_operation(parameters=[deep, text])}}))

    assert [(one.schema, one.required) for one in described.operations[0].parameters] == [({}, False)] * 2
    assert list(said(described).values()) == ["parameter-style", "parameter-style"]


@pytest.mark.parametrize(
    ("responses", "media_type", "codes"),
    [
        ({"default": {"content": {"application/json": {}}}}, "application/json", {"reply-default"}),
        ({"2XX": {"content": {"application/vnd.a+json": {}}}}, "application/vnd.a+json", set()),
        ({"204": {"description": ""}, "200": {"content": {"text/csv": {}}}}, "text/csv", set()),
        ({"200": {"content": {"*/*": {}}}}, "application/json", set()),
        ({"200": {"content": {"text/xml": {"schema": {}}, "application/json; charset=utf-8": {}}}}, "application/json; charset=utf-8", {"media-type"}),
        ({"200": {"content": {"text/xml": {"schema": {}}}}}, "text/xml", {"not-json"}),
        ({"200": {"content": {"application/json": {}}}, "201": {"content": {"text/csv": {}}}}, "application/json", {"reply-others"}),
        ({"200": {"$ref": "#/no"}}, None, {"reference-unknown", "reply-missing"}),
        ({"404": {}}, None, {"reply-missing"}),
        (None, None, {"reply-missing"}),
        ({}, None, {"reply-missing"}),
    ],
)  # fmt: skip
def test_the_answer_of_success_is_found(responses: Any, media_type: str | None, codes: set[str]) -> None:
    operation = {} if responses is None else {"responses": responses}

    described = taken(a_description({"/x": {"get": operation}}))

    reply = described.operations[0].reply
    assert (None if reply is None else reply.media_type) == media_type
    assert set(said(described).values()) == codes


@pytest.mark.parametrize(
    "document",
    [
        {"openapi": "2.0"}, {"openapi": 3}, {}, {"swagger": "1.2"}, {"asyncapi": "3.0.0"}, a_description({}),
        a_description({"/x": {"trace": {}}}), a_description([]), a_description("x"),
    ],
)  # fmt: skip
def test_what_is_no_description_is_refused(document: Any) -> None:
    with pytest.raises(Invalid):
        read_openapi(json.dumps(document))


def test_only_what_is_asked_for_is_taken() -> None:
    document = a_description(
        {
            "/a/1": {"get": an_operation({"$ref": "#/components/schemas/A"}, operationId="mot", tags=["t"])},
            "/a/2": {"get": an_operation(operationId="hai")},
            "/b": {"get": an_operation(operationId="ba")},
        },
        components={"schemas": {"A": {}, "B": {}}},
    )

    def names(*only: str) -> list[str]:
        return [one.name for one in read_openapi(json.dumps(document), only=frozenset(only)).operations]

    assert names("t") == ["mot"]
    assert names("/a/") == ["mot", "hai"]
    assert names("ba", "t") == ["mot", "ba"]
    assert list(read_openapi(json.dumps(document)).schemas) == ["A"]


# --- schemas --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        (
            {"type": "string", "nullable": True, "enum": ["a"]},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        (
            {"type": "integer", "minimum": 3, "exclusiveMinimum": True},
            {"type": "integer", "exclusiveMinimum": 3},
        ),
        ({"type": "integer", "maximum": 3, "exclusiveMaximum": False}, {"type": "integer", "maximum": 3}),
        ({"type": "string", "example": "a"}, {"type": "string", "examples": ["a"]}),
        ({"type": "object", "required": ["a"]}, {"type": "object", "required": ["a"]}),
        ({"type": "string", "xml": {"name": "a"}, "externalDocs": {}, "x-rieng": 1}, {"type": "string"}),
        ({"items": [{"type": "string"}]}, {"prefixItems": [{"type": "string"}]}),
    ],
)
def test_schemas_of_3_0_become_2020_12(old: Any, new: Any) -> None:
    schema, described = schema_of(old)

    assert schema == new
    assert said(described) == {}


def test_null_beside_a_reference_is_accepted_and_told() -> None:
    schema, described = schema_of(
        {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A", "nullable": True}}},
        A={"type": "string"},
    )

    assert list(said(described).values()) == ["nullable-reference"]
    check = accepts(schema, described)
    assert check.is_valid({"a": None})
    assert check.is_valid({"a": "x"})
    assert not check.is_valid({"a": 1})


def test_null_of_parts_that_all_hold_is_accepted() -> None:
    schema, described = schema_of(
        {"nullable": True, "allOf": [{"$ref": "#/components/schemas/A"}]}, A={"type": "string"}
    )

    assert accepts(schema, described).is_valid(None)


def test_what_stands_beside_a_reference_counts_from_3_1_on() -> None:
    beside = {"$ref": "#/components/schemas/A", "maxLength": 2}

    schema, described = schema_of(beside, "3.1.0", A={"type": "string"})
    assert not accepts(schema, described).is_valid("abc")
    schema, described = schema_of(beside, "3.0.0", A={"type": "string"})
    assert accepts(schema, described).is_valid("abc")


def test_schemas_that_hold_themselves_work() -> None:
    shape = {
        "type": "object",
        "properties": {
            "ten": {"type": "string"},
            "con": {"type": "array", "items": {"$ref": "#/components/schemas/Cây"}},
        },
        "required": ["ten"],
    }

    schema, described = schema_of({"$ref": "#/components/schemas/Cây"}, Cây=shape)

    check = accepts(schema, described)
    assert check.is_valid({"ten": "a", "con": [{"ten": "b"}]})
    assert not check.is_valid({"ten": "a", "con": [{"con": []}]})


def test_parts_that_lead_in_a_circle_end() -> None:
    schema, described = schema_of(
        {"$ref": "#/components/schemas/A"},
        A={"allOf": [{"$ref": "#/components/schemas/B"}, {"properties": {"a": {"type": "string"}}}]},
        B={"allOf": [{"$ref": "#/components/schemas/A"}, {"properties": {"b": {"type": "integer"}}}]},
        C={"$ref": "#/components/schemas/C"},
    )

    assert set(described.schemas) == {"A", "B"}
    jsonschema_rs.meta.validate(whole_schema(schema, described.schemas))
    schema, described = schema_of({"$ref": "#/components/schemas/C"}, C={"$ref": "#/components/schemas/C"})
    assert schema == {}
    assert "reference-loop" in said(described).values()


def test_references_may_lead_anywhere_inside() -> None:
    names: dict[str, Any] = {
        "a/b": {"type": "string"},
        "c~d": {"type": "integer"},
        "e%f": {"type": "boolean"},
        "g h": {"type": "null"},
    }
    steps = ["a~1b", "c~0d", "e%25f", "g%20h"]
    properties = {
        name: {"$ref": f"#/components/schemas/{step}"} for name, step in zip("aceg", steps, strict=True)
    }
    properties["trong"] = {"$ref": "#/components/schemas/Goc/properties/ten"}
    properties["duong"] = {
        "$ref": "#/paths/~1x/get/responses/200/content/application~1json/schema/properties/a"
    }

    schema, described = schema_of(
        {"properties": properties}, Goc={"properties": {"ten": {"type": "string"}}}, **names
    )

    check = accepts(schema, described)
    assert said(described) == {}
    assert check.is_valid({"a": "x", "c": 1, "e": True, "g": None, "trong": "y", "duong": "z"})
    for wrong in ({"a": 1}, {"c": "x"}, {"e": 1}, {"g": 1}, {"trong": 1}, {"duong": 1}):
        assert not check.is_valid(wrong)


@pytest.mark.parametrize(
    "reference",
    [
        "other.yaml#/A",
        "http://127.0.0.1/a",
        "file:///etc/passwd",
        "#/components/schemas/Khong",
        "#anchor",
        "",
        5,
    ],
)
def test_references_that_lead_outside_or_nowhere_leave_the_place_open(reference: Any) -> None:
    schema, described = schema_of({"properties": {"a": {"$ref": reference}, "b": {"type": "string"}}})

    assert schema == {"properties": {"a": {}, "b": {"type": "string"}}}
    assert set(said(described).values()) <= {"reference-outside", "reference-unknown"}
    assert said(described)


def test_ugly_schemas_are_taken_as_far_as_they_go() -> None:
    schema, described = schema_of(
        {
            "type": "Object",
            "required": True,
            "properties": {
                "a": {"type": "int", "minimum": "3"},
                "b": {"type": "string", "pattern": "(?=x)y", "maxLength": -1},
                "c": {"type": "chu"},
                "d": None,
                "e": {"enum": []},
                "f": {"type": ["string", "string"], "la": 1},
                "g": {"allOf": []},
                "$ref": {"type": "string"},
                "h": {"type": "string", "readOnly": True},
            },
        }
    )

    jsonschema_rs.meta.validate(schema)
    assert schema["properties"] == {
        "a": {"type": "integer"}, "b": {"type": "string"}, "c": {}, "d": {}, "e": {}, "f": {"type": "string"}, "g": {},
        "$ref": {"type": "string"}, "h": {"type": "string", "readOnly": True},
    }  # fmt: skip
    assert {one.removeprefix("/paths/~1x/get/responses/200/content/application~1json/schema"): code for one, code in said(described).items()} == {
        "/type": "type", "/required": "keyword-value", "/properties/a/type": "type", "/properties/a/minimum": "keyword-value",
        "/properties/b/pattern": "pattern", "/properties/b/maxLength": "keyword-value", "/properties/c/type": "type",
        "/properties/d": "schema", "/properties/e/enum": "keyword-value", "/properties/f/type": "type",
        "/properties/f/la": "keyword", "/properties/g/allOf": "keyword-value",
    }  # fmt: skip


def test_what_is_required_in_one_direction_is_required_in_none() -> None:
    shape = {
        "required": ["id", "ten"],
        "properties": {"id": {"type": "integer", "readOnly": True}, "ten": {}},
    }

    schema, described = schema_of(shape)

    assert schema["required"] == ["ten"]
    assert "required-one-way" in said(described).values()


def test_discriminators_stay_as_remarks() -> None:
    union = {
        "oneOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}],
        "discriminator": {"propertyName": "loai", "mapping": {"a": "#/components/schemas/A", "b": "B"}},
    }

    schema, described = schema_of(union, A={"required": ["x"]}, B={"required": ["y"]})

    assert schema["discriminator"] == {
        "propertyName": "loai",
        "mapping": {"a": "#/schemas/A", "b": "#/schemas/B"},
    }
    assert accepts(schema, described).is_valid({"x": 1})


def test_deep_schemas_keep_their_meaning() -> None:
    deep: Any = {"type": "integer"}
    for _ in range(60):
        deep = {"type": "object", "properties": {"a": deep}, "required": ["a"]}

    schema, described = schema_of(deep)

    good: Any = 1
    bad: Any = "x"
    for _ in range(60):
        good, bad = {"a": good}, {"a": bad}
    check = accepts(schema, described)
    assert check.is_valid(good)
    assert not check.is_valid(bad)


def test_every_reason_has_its_words() -> None:
    assert all(all(words) for words in REASONS.values())


# --- Swagger 2.0 ----------------------------------------------------------------------------------------


def test_swagger_2_is_taken() -> None:
    document = {
        "swagger": "2.0", "host": "csdl.example.invalid", "basePath": "/api", "schemes": ["http", "https"],
        "info": {"title": "Ví dụ", "version": "1"}, "consumes": ["application/json"],
        "parameters": {"trang": {"name": "trang", "in": "query", "type": "integer", "minimum": 1}},
        "definitions": {"Nguoi": {"type": "object", "properties": {"con": {"items": {"$ref": "#/definitions/Nguoi"}, "type": "array"}}}},
        "paths": {
            "/a": {
                "post": {
                    "parameters": [
                        {"$ref": "#/parameters/trang"},
                        {"name": "ds", "in": "query", "type": "array", "items": {"type": "string"}, "collectionFormat": "multi"},
                        {"name": "than", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Nguoi"}},
                    ],
                    "responses": {"200": {"description": "", "schema": {"$ref": "#/definitions/Nguoi"}}},
                }
            },
            "/b": {"post": {"parameters": [{"name": "tep", "in": "formData", "type": "file"}], "responses": {"200": {"description": ""}}}},
        },
    }  # fmt: skip

    described = taken(document)

    first, second = described.operations
    assert [(one.name, one.schema) for one in first.parameters] == [
        ("trang", {"type": "integer", "minimum": 1}), ("ds", {"type": "array", "items": {"type": "string"}}),
    ]  # fmt: skip
    assert first.request is not None
    assert first.request.schema == {"$ref": "#/schemas/Nguoi"}
    assert first.request.required
    assert first.reply is not None
    assert first.reply.schema == {"$ref": "#/schemas/Nguoi"}
    assert described.schemas["Nguoi"]["properties"]["con"]["items"] == {"$ref": "#/schemas/Nguoi"}
    assert second.request is not None
    assert second.request.media_type == "application/x-www-form-urlencoded"
    assert described.settings == {"url": "https://csdl.example.invalid/api"}


def test_lists_in_one_text_and_null_of_swagger_2_are_told() -> None:
    listed = {"in": "query", "type": "array", "items": {"type": "integer"}}
    document = {
        "swagger": "2.0", "host": "csdl.example.invalid", "info": {"title": "Ví dụ", "version": "1"},
        "definitions": {"Nguoi": {"type": "object", "properties": {"ten": {"type": "string", "x-nullable": True}}}},
        "paths": {"/a": {"get": {
            "parameters": [
                listed | {"name": "csv"}, listed | {"name": "pipes", "collectionFormat": "pipes"},
                {"name": "x-ds", "in": "header", "type": "array", "items": {"type": "integer"}},
            ],
            "responses": {"200": {"description": "", "schema": {"$ref": "#/definitions/Nguoi"}}},
        }}},
    }  # fmt: skip

    described = taken(document)

    assert {one.name: one.schema for one in described.operations[0].parameters} == {
        "csv": {"type": "string"}, "pipes": {}, "x-ds": {"type": "array", "items": {"type": "integer"}},
    }  # fmt: skip
    assert [(one.code, one.detail) for one in described.not_taken if one.code != "swagger"] == [
        ("parameter-style", "explode: false"), ("parameter-style", "pipeDelimited"),
    ]  # fmt: skip
    assert described.schemas["Nguoi"]["properties"]["ten"] == {"type": ["string", "null"]}


def test_what_stands_beside_the_reference_of_a_path_is_told() -> None:
    shared = {"get": an_operation()}
    document = a_description(
        {"/a": {"$ref": "#/components/pathItems/A", "summary": "a", "post": an_operation()}}
    )
    document["components"] = {"pathItems": {"A": shared}}

    described = taken(document)

    assert [one.method for one in described.operations] == ["GET"]
    assert said(described) == {"/paths/~1a/post": "beside-reference"}


def test_operations_are_entities() -> None:
    assert isinstance(taken(a_description()).operations[0], Operation)
