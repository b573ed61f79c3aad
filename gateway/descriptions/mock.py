"""Whether a mock can answer by a description: what it could not take is left out, and told."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.builtin.mock.operations import operations_of
from registry.descriptions.described import Described
from registry.descriptions.notes import NotTaken


def servable(described: Described) -> Described:
    """Return what was described with a mock that takes its settings: answers that it cannot read are left out and noted."""
    if described.mock is None:
        return described
    whole = described.mock["description"]
    notes: list[NotTaken] = []
    paths = {
        path: {method: _servable(whole, path, method, one, notes) for method, one in item.items()}
        for path, item in whole["paths"].items()
    }
    return replace(
        described,
        mock={**described.mock, "description": {**whole, "paths": paths}},
        not_taken=(*described.not_taken, *notes),
    )


def _servable(
    whole: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any], notes: list[NotTaken]
) -> Mapping[str, Any]:
    try:
        operations_of({**whole, "paths": {path: {method: operation}}})
    except (ValueError, TypeError, AttributeError) as error:
        at = f"/paths/{path.replace('~', '~0').replace('/', '~1')}/{method}/responses"
        why = str(error) if type(error) is ValueError else "not what a description has here"
        notes.append(
            NotTaken(pointer=at, code="mock-answer", detail=f"{operation['operationId']}: {why}"[:200])
        )
        return {"operationId": operation["operationId"], "responses": {}}
    return operation
