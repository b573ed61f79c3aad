"""A mock takes what was imported for it, whatever stands in the description."""

import json
from typing import Any

import pytest

from connectors.builtin.mock.connector import MockConnector
from connectors.builtin.mock.settings import MockSettings
from connectors.contract import Done
from gateway.descriptions.formats import Selection, openapi
from registry.descriptions.described import Described
from tests.connectors import a_call, a_context
from tests.unit.connectors.test_mock import HTTP


def described(responses: Any, **more: Any) -> Described:
    document = {
        "openapi": "3.0.3",
        "paths": {
            "/a": {"get": {"operationId": "xem", "responses": responses}},
            "/b": {"get": {"operationId": "khac", "responses": {"200": {"description": "x"}}}},
        },
    } | more
    return openapi(json.dumps(document).encode(), Selection(mock=True))


def media(name: str, content: Any) -> dict[str, Any]:
    return {"200": {"description": "x", "content": {name: content}}}


@pytest.mark.parametrize(
    ("responses", "is_told"),
    [
        (media("application/json", {"schema": {"type": "string"}}), False),
        (media("text/plain; a=/json\x0d\nx: 1", {"example": "a"}), True),
        (media("application/json", {"examples": {"a": {"value": 1, "x-mock-when": {"asked": 7}}}}), True),
        (media("application/json", {"examples": [1]}), False),
        (media("application/json", 7), False),
        ({"200": {"$ref": "khac.yaml#/A"}}, False),
        ({"200": 7}, False),
        ({}, False),
        ([], False),
    ],
    ids=range(9),
)
async def test_a_mock_is_made_of_whatever_was_taken(responses: Any, *, is_told: bool) -> None:
    found = described(responses)
    connector = MockConnector(MockSettings.model_validate(found.mock), a_context(HTTP))
    answers = [
        await connector.call(a_call(path=path, operation=name))
        for path, name in (("/a", "xem"), ("/b", "khac"))
    ]

    assert all(isinstance(answer, Done) and answer.status == 200 for answer in answers)
    told = [one for one in found.not_taken if one.code == "mock-answer"]
    assert [one.pointer for one in told] == (["/paths/~1a/get/responses"] if is_told else [])
