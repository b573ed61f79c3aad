"""A version as OpenAPI 3.1: whole, sound, and with nothing in it that leads nowhere."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from gateway.api.schemas import PROBLEM
from gateway.descriptions.openapi import describe
from registry.descriptions.openapi import read_openapi
from registry.entities import Operation, Parameter, Version
from tests.descriptions import ISSUER, a_described_version, its_service


def described(version: Version | None = None, **service: Any) -> dict[str, Any]:
    return describe(its_service(**service), version or a_described_version(), issuer=ISSUER, problem=PROBLEM)


def found(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        document = document[int(name) if isinstance(document, list) else name]
    return document


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_it_says_where_and_with_what_token_a_version_is_called() -> None:
    document = described()

    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": f"{ISSUER}/HoTich/1.0"}]
    assert document["security"] == [{"token": []}]
    flow = document["components"]["securitySchemes"]["token"]["flows"]["clientCredentials"]
    assert flow == {"tokenUrl": f"{ISSUER}/token", "scopes": {}}


def test_every_reference_leads_somewhere() -> None:
    document = described()

    assert all(found(document, reference) is not None for reference in references(document))
    mapping = document["components"]["schemas"]["GiayTo"]["discriminator"]["mapping"]
    assert mapping == {"cccd": "#/components/schemas/Giay-CCCD"}


def test_references_inside_a_schema_lead_to_the_same_place_as_before() -> None:
    own = {
        "$defs": {"so": {"type": "integer"}},
        "properties": {"a": {"$ref": "#/$defs/so"}, "b": {"$ref": "#"}},
    }
    operation = {"name": "a", "path": "/a/b", "reply": {"schema": own}}
    document = described(a_described_version(operations=[operation], schemas={"X.Y": own}))
    inline = document["paths"]["/a/b"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]

    for schema in (inline, document["components"]["schemas"]["X.Y"]):
        assert found(document, schema["properties"]["a"]["$ref"]) == {"type": "integer"}
        assert found(document, schema["properties"]["b"]["$ref"]) is schema


def test_our_headers_stand_with_every_operation_and_a_key_with_those_that_write() -> None:
    document = described()
    names = {
        method: {found(document, one["$ref"])["name"] for one in item["parameters"] if "$ref" in one}
        for method, item in document["paths"]["/nguoi/{so}"].items()
    }

    assert names["get"] == {
        "Lgsp-Purpose",
        "Lgsp-Officer",
        "Lgsp-Procedure",
        "Lgsp-System",
        "Lgsp-Correlation-Id",
    }
    assert names["put"] - names["get"] == {"Idempotency-Key"}


def test_two_operations_of_one_path_share_the_names_of_its_variables() -> None:
    paths = described()["paths"]

    assert "/nguoi/{ma}" not in paths
    assert [one["name"] for one in paths["/nguoi/{so}"]["put"]["parameters"] if "name" in one] == ["so"]


def test_what_openapi_cannot_tell_apart_is_named() -> None:
    twins = [{"name": "mot", "path": "/a/{b}"}, {"name": "het", "path": "/a/{b*}"}]
    document = described(a_described_version(operations=twins))

    assert document["paths"]["/a/{b}"]["get"]["operationId"] == "mot"
    assert document["x-lgsp-not-described"] == ["het"]


def test_problems_are_described_in_the_service_s_own_style() -> None:
    problem = described()["components"]["responses"]["Problem"]["content"]
    wso2 = described(error_style="wso2")["components"]["responses"]["Problem"]["content"]

    assert list(problem) == ["application/problem+json"]
    assert list(wso2) == ["application/problem+json", "application/json"]
    assert all(jsonschema_rs.meta.is_valid(one["schema"]) for one in wso2.values())


def test_a_deprecated_version_says_so_with_its_end() -> None:
    given = {
        "status": "deprecated",
        "deprecated_at": "2026-01-01T00:00:00Z",
        "sunset_at": "2026-12-31T00:00:00Z",
    }
    document = described(a_described_version(**given))

    assert document["info"]["x-lgsp-sunset"] == "2026-12-31T00:00:00+00:00"
    assert all(one["deprecated"] for item in document["paths"].values() for one in item.values())


def test_a_schema_that_leads_nowhere_is_left_open_and_says_why() -> None:
    operation = {"name": "a", "path": "/a", "reply": {"schema": {"$ref": "file:///etc/passwd"}}}
    document = described(a_described_version(operations=[operation]))
    content = document["paths"]["/a"]["get"]["responses"]["200"]["content"]

    assert list(content["application/json"]["schema"]) == ["description"]
    assert not [one for one in references(document) if not one.startswith("#/")]


def test_it_reads_back_as_the_same_operations_and_schemas() -> None:
    version = a_described_version()
    back = read_openapi(json.dumps(described(version)))

    assert [one.code for one in back.not_taken] == ["security"]
    assert back.schemas == version.schemas
    assert back.settings == {"url": f"{ISSUER}/HoTich/1.0"}
    there = {one.name: comparable(one) for one in version.operations}
    here = {one.name: comparable(one) for one in back.operations}
    assert here.keys() == there.keys()
    for name, operation in there.items():
        assert here[name] == operation


def comparable(operation: Operation) -> Operation:
    """Return what a description says of an operation: no subject, names of variables aside, undeclared ones added."""
    names = dict.fromkeys(re.findall(r"\{(\w+)\*?\}", operation.path))
    path = re.sub(r"\{\w+(\*?)\}", r"{\1}", operation.path)
    places = {name: str(number) for number, name in enumerate(names)}
    known = {one.name: one for one in operation.parameters if one.at == "path"}
    in_path = [
        replace(
            known.get(name, Parameter(name=name, at="path", schema={"type": "string"})),
            name=place,
            required=True,
        )
        for name, place in places.items()
    ]
    others = [one for one in operation.parameters if one.at != "path"]
    reply = None if operation.reply is None else replace(operation.reply, required=True)
    return replace(
        operation, path=path, parameters=(*in_path, *others), subject_at=None, subject_type=None, reply=reply
    )
