"""Descriptions of versions on the admin API: taken in as drafts, and OpenAPI out."""

from functools import partial
from typing import Annotated

import orjson
from anyio import to_thread
from pydantic import Field
from starlette.responses import Response

from gateway.api.answers import Json, answer
from gateway.api.bodies import read_body
from gateway.api.decisions import check_any_role, check_object
from gateway.api.labels import label_path
from gateway.api.routes import ANY_CLIENT, Answer, Body, Route
from gateway.api.schemas import PROBLEM
from gateway.api.services import CALLABLE
from gateway.api.visit import Query, Visit
from gateway.api.wsdl import choose
from gateway.descriptions.formats import FORMATS, MOST_BYTES, Selection, read
from gateway.descriptions.openapi import describe
from gateway.descriptions.versions import Wish, spec_of, summary, version_of
from registry.descriptions.notes import NotTaken
from registry.documents import parse, render
from registry.entities import Environment, Kind, Service, Version, VersionNumber, VersionSpec
from registry.errors import AlreadyThere, NotFound
from registry.export import render_yaml
from registry.register.directory import RegistryLookup
from registry.stores import Stored


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


class ImportQuery(Query):
    """What a description does not say, and what is wanted of it."""

    version: Annotated[VersionNumber, Field(description="The number of the version that it becomes.")]
    environment: Annotated[Environment, Field(description="For which environment its address is.")] = (
        Environment.SANDBOX
    )
    url: Annotated[
        str | None,
        Field(
            min_length=1, max_length=2000, description="The provider's address, instead of the description's."
        ),
    ] = None
    national_database: Annotated[
        str | None, Field(min_length=1, max_length=200, description="The national database that it opens.")
    ] = None
    only: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=300)], ...],
        Field(max_length=200, description="Take only these operations, tags or beginnings of paths."),
    ] = ()
    wsdl_service: Annotated[
        str | None, Field(max_length=200, description="Of a WSDL: its service; else the first.")
    ] = None
    mock: Annotated[
        bool,
        Field(
            description="Let a mock answer the sandbox by the description, with its examples or invented data."
        ),
    ] = False
    wsdl_port: Annotated[
        str | None, Field(max_length=200, description="Of a WSDL: its port; else the first for SOAP.")
    ] = None
    replace: Annotated[
        bool, Field(description="If there is a draft of this number, read the description into it again.")
    ] = False
    dry_run: Annotated[bool, Field(description="Only answer what would come of it; change nothing.")] = False
    as_yaml: Annotated[bool, Field(description="Answer the version as YAML for `lgsp apply`, too.")] = False


async def import_description(visit: Visit) -> Response:
    """Take a description in as a draft, and answer what could not be taken, item by item."""
    stored, query = await visit.stored(Kind.SERVICE), visit.query(ImportQuery)
    content, media_type = await read_body(visit.request, limit=visit.limit, accepted=tuple(FORMATS))
    selection = Selection(
        only=frozenset(query.only), service=query.wsdl_service, port=query.wsdl_port, mock=query.mock
    )
    described = await read(FORMATS[media_type], content, selection)
    before = await _same_number(visit, stored, query.version)
    if before is not None and not (query.replace and before.document["status"] == "draft"):
        raise AlreadyThere("/version", before.label)
    wish = Wish(
        service=stored.label,
        version=query.version,
        environment=query.environment,
        url=query.url,
        national_database=query.national_database,
        mock=query.mock,
    )
    draft = None if before is None else parse(Kind.VERSION, before.document)
    spec = version_of(described, wish, spec_of(draft))
    staged = await _stage(visit, spec, before, dry_run=query.dry_run)
    text = await to_thread.run_sync(render_yaml, Kind.VERSION, spec) if query.as_yaml else None
    told: Json = {
        "applied": not query.dry_run,
        "kind": described.kind,
        "title": described.title,
        "number": described.number,
        "id": None if query.dry_run else staged.id,
        "label": f"{stored.label}/{spec.version}",
        **summary(spec),
        "not_taken": [_told(one) for one in described.not_taken[:MOST_NOTES]],
        "not_taken_total": len(described.not_taken),
        "yaml": text,
    }
    return answer(told)


async def _same_number(visit: Visit, service: Stored, number: str) -> Stored | None:
    page = await visit.parts.registry.search(Kind.VERSION, where={"service": service.id}, limit=200)
    return choose(page.items, number)


async def _stage(visit: Visit, spec: VersionSpec, before: Stored | None, *, dry_run: bool) -> Stored:
    """Check the version by all rules and, unless it is a dry run, keep it."""
    registry, author = visit.parts.registry, visit.caller.author
    changes = visit.parts.register.changes(RegistryLookup(registry), author)
    document = render(spec)
    if before is None:
        staged = await changes.add(Kind.VERSION, document)
    else:
        staged = await changes.replace(Kind.VERSION, before.id, document, expected_version=before.version)
    if not dry_run:
        await registry.commit(changes.changes, author)
    return staged


def _told(one: NotTaken) -> Json:
    words = one.words
    return {
        "pointer": one.pointer,
        "code": one.code,
        "detail": one.detail,
        "why": {"vi": words.why_vi, "en": words.why_en},
        "instead": {"vi": words.instead_vi, "en": words.instead_en},
    }


MOST_NOTES = 2000
"""So many items are answered; `not_taken_total` says how many there are."""

ROUTES = (
    Route(
        method="POST",
        path=f"{label_path(Kind.SERVICE)}/descriptions",
        action="version.add",
        tag=Kind.SERVICE.value,
        check=partial(check_object, kind=Kind.SERVICE),
        run=import_description,
        query=ImportQuery,
        summary="Take a description in as a draft of a version",
        description=(
            "OpenAPI 3.0 and 3.1 (and Swagger 2.0) as JSON or YAML, WSDL 1.1 as XML or, with the files that it imports, "
            'as `{"files": [{"name", "text"}]}`. Nothing that it refers to is fetched. What cannot be taken is answered '
            "item by item in `not_taken`, with what happens instead; the rest is usable."
        ),
        body=Body(types=dict.fromkeys(FORMATS, ""), limit=MOST_BYTES),
        answer=Answer(schema="ImportedDescription"),
        problems=(404, 409, 413, 415, 422),
    ),
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
