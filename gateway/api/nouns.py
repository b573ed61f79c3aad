"""What the kinds of object have in common on the admin API: search, add, read, replace, remove, steps, history."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Annotated, Literal

from pydantic import Field
from starlette.responses import Response

from auth.decide import action_of
from gateway.api.answers import Json, answer, answer_object, answer_page, render_object, render_revision
from gateway.api.bodies import SMALL
from gateway.api.comparison import changes_told
from gateway.api.decisions import check_new, check_object, check_role, check_written, search_visible
from gateway.api.errors import Stale
from gateway.api.labels import label_path
from gateway.api.routes import Answer, Body, Route
from gateway.api.schemas import kept_name, page_name, spec_name, step_name
from gateway.api.visit import Query, Visit
from registry.entities import Kind
from registry.errors import VersionStale
from registry.references import FIELDS
from registry.register import INTERNAL_STEPS, STEPS
from registry.stores import Stored

Sort = Literal["label", "-label", "changed_at", "-changed_at", "id", "-id"]
Filter = Annotated[str, Field(min_length=1, max_length=200)] | None
PUT_PROBLEMS = (404, 409, 412, 413, 415, 422, 428)


class SearchQuery(Query):
    """What every search takes. The fields that a subclass adds are filters."""

    limit: Annotated[int, Field(ge=1, le=200, description="Most items on a page.")] = 50
    cursor: Annotated[
        str | None, Field(max_length=1000, description="`next` of the page before; opaque.")
    ] = None
    q: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="Text in labels and names; case and accents do not matter.",
        ),
    ] = None
    sort: Annotated[Sort, Field(description="Order; `-` in front reverses it.")] = "label"


class RevisionQuery(Query):
    """A page of revisions, the newest first."""

    limit: Annotated[int, Field(ge=1, le=200, description="Most revisions on a page.")] = 50
    before: Annotated[
        int | None, Field(ge=1, le=2**53, description="Only revisions with a smaller number.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """One kind of object on the admin API.

    `query` names its filters (a reference may be given by id or code); `example` is a document that a person may write; `add` replaces the way in which a new one is made, `added` what
    is answered then.
    """

    kind: Kind
    name: str
    query: type[SearchQuery]
    example: Json
    add: Callable[[Visit], Awaitable[Response]] | None = None
    added: str = ""
    limit: int = SMALL


def routes_of(noun: Noun) -> Iterator[Route]:
    """Yield the routes that every kind has. Longer addresses come first, so that none hides another."""
    kind, one = noun.kind, label_path(noun.kind)
    added = noun.added or kept_name(kind)
    yield from _steps_of(noun)
    yield Route(
        method="GET", path=f"{one}/history", action=action_of(kind, "read"), tag=kind.value,
        check=partial(check_object, kind=kind), run=partial(history, kind=kind),
        summary=f"Revisions that touched one {noun.name}", query=RevisionQuery,
        answer=Answer(schema="RevisionPage"), problems=(404, 422),
    )  # fmt: skip
    yield Route(
        method="GET", path=f"/admin/v1/{kind.value}", action=action_of(kind, "read"), tag=kind.value,
        check=check_role, run=partial(search, noun=noun),
        summary=f"Search {kind.value}", query=noun.query,
        description="Shows what the caller may see. The order is total: pages neither repeat nor miss objects.",
        answer=Answer(schema=page_name(kind)), problems=(404, 422),
    )  # fmt: skip
    yield Route(
        method="POST", path=f"/admin/v1/{kind.value}", action=action_of(kind, "add"), tag=kind.value,
        check=partial(check_new, kind=kind),
        run=noun.add or partial(add, kind=kind), summary=f"Add one {noun.name}",
        body=Body(types={"application/json": spec_name(kind)}, example=noun.example, limit=noun.limit),
        answer=Answer(status=201, schema=added, description="Added", headers=("ETag", "Location")),
        problems=(409, 413, 415, 422),
    )  # fmt: skip
    yield Route(
        method="GET", path=one, action=action_of(kind, "read"), tag=kind.value,
        check=partial(check_object, kind=kind), run=partial(get, kind=kind),
        summary=f"Read one {noun.name}", answer=Answer(schema=kept_name(kind), headers=("ETag",)), problems=(404,),
    )  # fmt: skip
    yield Route(
        method="PUT", path=one, action=action_of(kind, "replace"), tag=kind.value,
        check=partial(check_object, kind=kind),
        run=partial(replace, kind=kind), summary=f"Replace what is written of one {noun.name}",
        body=Body(types={"application/json": spec_name(kind)}, example=noun.example, limit=noun.limit),
        answer=Answer(schema=kept_name(kind), headers=("ETag",)), if_match=True, problems=PUT_PROBLEMS,
    )  # fmt: skip
    yield Route(
        method="DELETE", path=one, action=action_of(kind, "remove"), tag=kind.value,
        check=partial(check_object, kind=kind),
        run=partial(remove, kind=kind), summary=f"Take one {noun.name} out of use",
        answer=Answer(status=204, description="Removed"), if_match=True, problems=(404, 409, 412, 428),
    )  # fmt: skip


def _steps_of(noun: Noun) -> Iterator[Route]:
    kind = noun.kind
    for step in STEPS.get(kind, {}):
        if step in INTERNAL_STEPS:
            continue
        yield Route(
            method="POST", path=f"{label_path(kind)}/actions/{step}", action=action_of(kind, step), tag=kind.value,
            check=partial(check_object, kind=kind),
            run=partial(take_step, kind=kind, step=step), summary=_summary(step, noun.name),
            body=Body(types={"application/json": step_name(kind, step)}, example={}),
            answer=Answer(schema=kept_name(kind), headers=("ETag",)), if_match=True, problems=PUT_PROBLEMS,
        )  # fmt: skip


SUMMARIES: Mapping[str, str] = {
    "block-consumer": "Block one {} for one consumer",
    "unblock-consumer": "Unblock one {} for one consumer",
    "plan-maintenance": "Plan a maintenance window of one {}",
    "cancel-maintenance": "Cancel a maintenance window of one {}",
}


def _summary(step: str, noun: str) -> str:
    return SUMMARIES.get(step, f"{step.capitalize()} one {{}}").format(noun)


async def search(visit: Visit, noun: Noun) -> Response:
    """Answer a page of objects."""
    query = visit.query(noun.query)
    filters = {
        name: getattr(query, name) for name in noun.query.model_fields if name not in SearchQuery.model_fields
    }
    where = {name: str(value) for name, value in filters.items() if value is not None}
    for name, kind in FIELDS[noun.kind].items():
        if name in where:
            where[name] = (await visit.parts.registry.get(kind, where[name])).id
    page = await search_visible(visit, noun.kind, where, query.q, query.sort, query.cursor, query.limit)
    return answer_page([render_object(item) for item in page.items], following=page.next, total=page.total)


async def add(visit: Visit, kind: Kind) -> Response:
    """Add an object."""
    stored = await visit.parts.register.add(kind, await visit.document(), visit.caller.author)
    return answer_object(stored, status=201)


async def get(visit: Visit, kind: Kind) -> Response:
    """Answer one object."""
    return answer_object(await visit.stored(kind))


async def replace(visit: Visit, kind: Kind) -> Response:
    """Replace what a person wrote of an object; its life cycle stays."""
    stored, version = await visit.stored(kind), visit.expected_version()
    document = await visit.document()
    await check_written(visit, kind, document)
    try:
        replaced = await visit.parts.register.replace(
            kind, stored.id, document, expected_version=version, author=visit.caller.author
        )
    except VersionStale as error:
        raise await stale(visit, stored, error) from error
    return answer_object(replaced)


async def remove(visit: Visit, kind: Kind) -> Response:
    """Take an object out of use; it stays in the history."""
    stored, version = await visit.stored(kind), visit.expected_version()
    try:
        await visit.parts.register.remove(
            kind, stored.id, expected_version=version, author=visit.caller.author
        )
    except VersionStale as error:
        raise await stale(visit, stored, error) from error
    return Response(status_code=204)


async def take_step(visit: Visit, kind: Kind, step: str) -> Response:
    """Take one step of an object's life."""
    stored, version = await visit.stored(kind), visit.expected_version()
    try:
        taken = await visit.parts.register.step(
            kind,
            stored.id,
            step,
            await _parameters(visit, kind, step),
            expected_version=version,
            author=visit.caller.author,
        )
    except VersionStale as error:
        raise await stale(visit, stored, error) from error
    more = (
        {"changes": await changes_told(visit, taken)} if (kind, step) == (Kind.VERSION, "publish") else None
    )
    return answer_object(taken, more=more)


async def _parameters(visit: Visit, kind: Kind, step: str) -> Json:
    """Return what the step takes; the delegation under which a grant is decided is the one that was checked."""
    document = await visit.document()
    if kind is Kind.GRANT and "delegation" in {field.name for field in fields(STEPS[kind][step])}:
        document = document | {"delegation": visit.allowed.delegation}
    return document


async def history(visit: Visit, kind: Kind) -> Response:
    """Answer the revisions that touched an object, the newest first."""
    stored, query = await visit.stored(kind), visit.query(RevisionQuery)
    return await answer_revisions(visit, query, id_=stored.id)


async def answer_revisions(visit: Visit, query: RevisionQuery, id_: str | None = None) -> Response:
    """Answer a page of revisions."""
    found = await visit.parts.registry.revisions(before=query.before, limit=query.limit + 1, id=id_)
    shown: Sequence[Json] = [render_revision(revision) for revision in found[: query.limit]]
    following = shown[-1]["number"] if len(found) > query.limit else None
    return answer({"items": shown, "next": following})


async def stale(visit: Visit, stored: Stored, error: VersionStale) -> Stale:
    """Say what has changed since the version that the caller knows."""
    current = await visit.parts.registry.get(stored.kind, stored.id)
    difference = [
        dict(flaw)
        for revision in await visit.parts.registry.revisions(limit=200, id=stored.id)
        for change in revision.changes
        if change["id"] == stored.id and error.given < change["version"] <= current.version
        for flaw in change["diff"]
    ]
    return Stale(current, given=error.given, difference=difference)
