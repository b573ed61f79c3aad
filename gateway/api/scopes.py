"""The field rules that a grant has and had, by the names under which evidence knows them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from pydantic import Field
from starlette.responses import Response

from gateway.api.answers import Json, answer
from gateway.api.decisions import check_object
from gateway.api.labels import label_path
from gateway.api.routes import Answer, Route
from gateway.api.visit import Query, Visit
from gateway.transforms.minimise.scopes import Scopes
from registry.documents import parse
from registry.entities import Grant, Kind
from registry.errors import Invalid
from registry.replay import State, states
from registry.stores import Revision, Stored

_PAGE = 200


class ScopesQuery(Query):
    """Which of them."""

    scope: Annotated[
        str | None, Field(max_length=300, description="Only this one, as `scope` in a record names it.")
    ] = None


async def scopes(visit: Visit) -> Response:
    """Answer which rules go by which name, those first that hold now."""
    grant, wanted = await visit.stored(Kind.GRANT), visit.query(ScopesQuery).scope
    envelopes: dict[tuple[str, ...], None] = {}
    for version in await _versions(visit, str(grant.document["service"])):
        for state in await _states(visit, version):
            envelopes[tuple(state.document.get("envelope") or ())] = None
    found: dict[str, Json] = {}
    until: datetime | None = None
    for state in await _states(visit, grant):
        for scope in _of(state, list(envelopes) or [()]):
            known = found.setdefault(scope["scope"], scope | {"until": until})
            known["since"] = state.since
        until = state.since
    return answer({"items": [one for name, one in found.items() if wanted in {None, name}]})


def _of(state: State, envelopes: Sequence[tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    try:
        grant = parse(Kind.GRANT, state.document)
    except Invalid:  # from before a field was what it is
        return
    assert isinstance(grant, Grant)  # noqa: S101  (what parse returns for this kind)
    made = Scopes(grant.fields, grant.namespaces)
    for purpose in grant.fields:
        for envelope in envelopes:
            scope = made.scope(purpose, envelope)
            rules = [
                dict(zip(("path", "action", "keep_last", "to"), rule, strict=True))
                for rule in scope.said["rules"]
            ]
            yield {"scope": scope.name, "purpose": purpose, **scope.said, "rules": rules}


async def _versions(visit: Visit, service: str) -> list[Stored]:
    found: list[Stored] = []
    cursor: str | None = None
    while True:
        page = await visit.parts.registry.search(
            Kind.VERSION, where={"service": service}, cursor=cursor, limit=_PAGE
        )
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


async def _states(visit: Visit, stored: Stored) -> list[State]:
    revisions: list[Revision] = []
    before: int | None = None
    while True:
        page = await visit.parts.registry.revisions(before=before, limit=_PAGE, id=stored.id)
        revisions += page
        if len(page) < _PAGE:
            return list(states(stored.id, stored.document, revisions))
        before = page[-1].number


ROUTES = (
    Route(
        method="GET",
        path=f"{label_path(Kind.GRANT)}/scopes",
        action="grant.read",
        tag=Kind.GRANT.value,
        check=partial(check_object, kind=Kind.GRANT),
        run=scopes,
        query=ScopesQuery,
        summary="The field rules that a grant has and had, as evidence names them",
        description=(
            "A record's `scope` is a purpose and a digest of the rules that its answer was limited by. This answers the "
            "rules: those of now and of before, with the time since which they held, and until which (null: they hold now)."
        ),
        answer=Answer(schema="Scopes"),
        problems=(404, 422),
    ),
)
