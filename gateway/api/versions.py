"""Versions of services on the admin API, with the connection test of their endpoints."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from pydantic import Field
from starlette.responses import Response

from connectors.contract import CheckStep
from gateway.api.answers import Json, answer
from gateway.api.decisions import check_object
from gateway.api.labels import label_path
from gateway.api.nouns import Filter, Noun, SearchQuery
from gateway.api.routes import Answer, Route
from gateway.api.visit import Query, Visit
from registry.documents import parse
from registry.entities import Environment, Kind, Version


class VersionQuery(SearchQuery):
    """Filters of versions."""

    service: Filter = None
    national_database: Filter = None
    status: Filter = None


class CheckQuery(Query):
    """Which endpoints to test."""

    environment: Annotated[Environment | None, Field(description="Only this one; all without it.")] = None


NOUN = Noun(
    kind=Kind.VERSION,
    name="version",
    query=VersionQuery,
    example={
        "service": "ViDuDoanhNghiep",
        "version": "1.0",
        "national_database": "CSDL-VI-DU",
        "operations": [{"name": "chiTiet", "method": "GET", "path": "/chitiet/{maso}"}],
        "endpoints": {"sandbox": {"connector": "echo"}},
    },
)


async def check(visit: Visit) -> Response:
    """Test the connection to each endpoint of a version, step by step."""
    stored, query = await visit.stored(Kind.VERSION), visit.query(CheckQuery)
    version = parse(Kind.VERSION, stored.document)
    assert isinstance(version, Version)  # noqa: S101  (what parse returns for this kind)
    organisation = visit.subject.provider or ""
    endpoints: list[Json] = []
    for environment, endpoint in version.endpoints.items():
        if query.environment in {None, environment}:
            steps = await visit.parts.check(endpoint, organisation)
            endpoints.append(_endpoint(environment, endpoint.connector, steps))
    return answer({"version": stored.id, "label": stored.label, "endpoints": endpoints})


def _endpoint(environment: Environment, connector: str, steps: Sequence[CheckStep]) -> Json:
    return {
        "environment": environment.value,
        "connector": connector,
        "ok": all(step.ok is not False for step in steps),
        "steps": [
            {"step": step.step, "ok": step.ok, "detail": step.detail, "milliseconds": step.milliseconds}
            for step in steps
        ],
    }


ROUTES = (
    Route(
        method="POST",
        path=f"{label_path(Kind.VERSION)}/check",
        action="endpoint.check",
        tag=Kind.VERSION.value,
        check=partial(check_object, kind=Kind.VERSION),
        run=check,
        query=CheckQuery,
        summary="Test the connection to a version's endpoints",
        description="Each step is told apart: dns, tcp, tls, credentials, contract. A step that the connector does not have, or that was not reached, is null; `ok` is false when one failed.",
        answer=Answer(schema="CheckedVersion"),
        problems=(404, 422),
    ),
)
