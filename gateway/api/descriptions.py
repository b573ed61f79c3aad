"""Descriptions of versions on the admin API: OpenAPI out."""

from functools import partial
from typing import Annotated

import orjson
from anyio import to_thread
from pydantic import Field
from starlette.responses import Response

from gateway.api.decisions import check_any_role, check_object
from gateway.api.labels import label_path
from gateway.api.routes import ANY_CLIENT, Answer, Route
from gateway.api.schemas import PROBLEM
from gateway.api.services import CALLABLE
from gateway.api.visit import Query, Visit
from gateway.api.wsdl import choose
from gateway.descriptions.openapi import describe
from registry.documents import parse
from registry.entities import Kind, Service, Version
from registry.errors import NotFound


class DescriptionQuery(Query):
    """Which version."""

    version: Annotated[
        str | None,
        Field(max_length=20, description="Its number; without it the default version, else the newest."),
    ] = None


async def openapi(visit: Visit, *, drafts: bool) -> Response:
    """Answer a version as OpenAPI 3.1; without `drafts` only one that can be called."""
    stored, query = await visit.stored(Kind.SERVICE), visit.query(DescriptionQuery)
    service = parse(Kind.SERVICE, stored.document)
    assert isinstance(service, Service)  # noqa: S101  (what parse returns for this kind)
    page = await visit.parts.registry.search(Kind.VERSION, where={"service": stored.id}, limit=200)
    known = [one for one in page.items if drafts or one.document["status"] in CALLABLE]
    chosen = choose(known, query.version or service.default_version)
    version = None if chosen is None else parse(Kind.VERSION, chosen.document)
    if not isinstance(version, Version):
        raise NotFound("version", f"{service.name}/{query.version or ''}".rstrip("/"))
    content = await to_thread.run_sync(partial(_written, service, version, visit.parts.issuer))
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})


def _written(service: Service, version: Version, issuer: str) -> bytes:
    return orjson.dumps(describe(service, version, issuer=issuer, problem=PROBLEM))


ROUTES = (
    Route(
        method="GET",
        path=f"{label_path(Kind.SERVICE)}/openapi.json",
        action="service.read",
        tag=Kind.SERVICE.value,
        check=partial(check_object, kind=Kind.SERVICE),
        run=partial(openapi, drafts=True),
        query=DescriptionQuery,
        summary="A version as OpenAPI 3.1",
        description="With this node's addresses, its token and headers, and its problems. Drafts too.",
        answer=Answer(schema="OpenAPI"),
        problems=(404, 422),
    ),
    Route(
        method="GET",
        path="/admin/v1/catalogue/{label:one}/openapi.json",
        action=ANY_CLIENT,
        tag=Kind.SERVICE.value,
        check=check_any_role,
        run=partial(openapi, drafts=False),
        query=DescriptionQuery,
        summary="A version as OpenAPI 3.1, for callers",
        description="For every client with a token, those of the data plane too. Only versions that can be called.",
        answer=Answer(schema="OpenAPI"),
        problems=(404, 422),
    ),
)
