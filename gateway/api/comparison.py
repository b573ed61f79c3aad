"""What changes between two versions on the admin API: what breaks, and for whom."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Annotated

from anyio import to_thread
from pydantic import Field
from starlette.responses import Response

from gateway.api.answers import Json, answer
from gateway.api.bodies import read_body
from gateway.api.decisions import check_object
from gateway.api.labels import label_path
from gateway.api.routes import Answer, Body, Route
from gateway.api.visit import Query, Visit
from gateway.api.wsdl import LIVE, number_of
from gateway.descriptions.formats import FORMATS, MOST_BYTES, Selection, read
from gateway.descriptions.versions import Wish, spec_of, version_of
from registry.comparison.changes import RULES, Change
from registry.comparison.versions import VersionComparison, compare
from registry.comparison.whom import WORST_FIRST, Touched, counted, touched
from registry.documents import parse
from registry.entities import Grant, Kind, VersionSpec
from registry.errors import Flaw, Invalid, NotFound
from registry.stores import Registry, Stored

MOST_CHANGES = 2000
MOST_OF_ONE = 200
IN_FORCE = frozenset({"approved", "suspended"})


class AgainstQuery(Query):
    """What to compare with."""

    against: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="The older version, by number or id; without it the newest one before this that can be called.",
        ),
    ] = None


class DescribedQuery(Query):
    """What is wanted of the description."""

    only: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=300)], ...],
        Field(max_length=200, description="Take only these operations, tags or beginnings of paths."),
    ] = ()
    wsdl_service: Annotated[
        str | None, Field(max_length=200, description="Of a WSDL: its service; else the first.")
    ] = None
    wsdl_port: Annotated[
        str | None, Field(max_length=200, description="Of a WSDL: its port; else the first for SOAP.")
    ] = None


async def changes(visit: Visit) -> Response:
    """Answer what has changed from another version of the same service to this one."""
    stored, query = await visit.stored(Kind.VERSION), visit.query(AgainstQuery)
    older = await _older(visit.parts.registry, stored, query.against)
    if older is None and query.against is None:
        told = "No version before this one can be called: name the one to compare with."
        raise Invalid([Flaw("/against", "missing", told)])
    if older is None:
        raise NotFound("version", str(query.against))
    new, old = _spec(stored), _spec(older)
    return await _answered(visit, old, new, (older.label, stored.label), stored.document["service"])


async def described_changes(visit: Visit) -> Response:
    """Answer what would change if this version were as a description says. Nothing is kept."""
    stored, query = await visit.stored(Kind.VERSION), visit.query(DescribedQuery)
    content, media_type = await read_body(visit.request, limit=visit.limit, accepted=tuple(FORMATS))
    selection = Selection(only=frozenset(query.only), service=query.wsdl_service, port=query.wsdl_port)
    described = await read(FORMATS[media_type], content, selection)
    old = _spec(stored)
    new = version_of(described, Wish(service=old.service, version=old.version), old)
    return await _answered(visit, old, new, (stored.label, ""), stored.document["service"])


async def changes_told(visit: Visit, published: Stored) -> Json | None:
    """Return in figures what a version changes that was just published; None for the first one."""
    older = await _older(visit.parts.registry, published, None)
    if older is None:
        return None
    grants = await _grants(visit.parts.registry, published.document["service"], visit.now())
    made, whom = await to_thread.run_sync(_compared, _spec(older), _spec(published), grants)
    return {"from": older.label, **_figures(made, whom)}


# --- comparing ------------------------------------------------------------------------------------------


async def _answered(
    visit: Visit, old: VersionSpec, new: VersionSpec, labels: tuple[str, str], service: str
) -> Response:
    registry = visit.parts.registry
    grants = await _grants(registry, service, visit.now())
    made, whom = await to_thread.run_sync(_compared, old, new, grants)
    codes = {one.consumer: (await registry.get(Kind.SYSTEM, one.consumer)).label for one in whom}
    listed = _worst_first(dict.fromkeys([*made.changes, *(change for one in whom for change in one.changes)]))
    told: Json = {
        "from": labels[0],
        "to": labels[1] or None,
        "summary": _figures(made, whom),
        "changes": [
            _told(change) | {"consumers": _concerned(change, whom, codes)} for change in listed[:MOST_CHANGES]
        ],
        "changes_total": len(listed),
        "consumers": [_told_one(one, codes) for one in whom],
    }
    return answer(told)


def _compared(
    old: VersionSpec, new: VersionSpec, grants: Mapping[str, Grant]
) -> tuple[VersionComparison, Sequence[Touched]]:
    made = compare(old, new)
    return made, [touched(made, id_, grant) for id_, grant in grants.items()]


def _figures(made: VersionComparison, whom: Sequence[Touched]) -> Json:
    verdicts = counted(one.verdict for one in whom)
    return {
        **counted(change.verdict for change in made.changes),
        "consumers": len(whom),
        "consumers_broken": verdicts["breaking"],
        "consumers_unsure": verdicts["unknown"],
    }


def _told(change: Change) -> Json:
    words = RULES[change.rule]
    field = None if change.field is None else ".".join(change.field)
    return asdict(change) | {"field": field, "messages": {"vi": words.vi, "en": words.en}}


def _told_one(one: Touched, codes: Mapping[str, str]) -> Json:
    return {
        "consumer": codes[one.consumer],
        "grant": one.grant,
        "verdict": one.verdict,
        "changes": [_told(change) for change in _worst_first(one.changes)[:MOST_OF_ONE]],
        "changes_total": len(one.changes),
    }


def _worst_first(changes: Iterable[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: WORST_FIRST.index(change.verdict))


def _concerned(change: Change, whom: Iterable[Touched], codes: Mapping[str, str]) -> list[str]:
    return sorted({codes[one.consumer] for one in whom if change in one.changes})


# --- what is compared -----------------------------------------------------------------------------------


def _spec(stored: Stored) -> VersionSpec:
    spec = spec_of(parse(Kind.VERSION, stored.document))
    assert spec is not None  # noqa: S101  (what parse returns for this kind)
    return spec


async def _older(registry: Registry, stored: Stored, against: str | None) -> Stored | None:
    """Return the version to compare with. Raises Invalid for one of another service."""
    page = await registry.search(Kind.VERSION, where={"service": stored.document["service"]}, limit=200)
    others = [one for one in page.items if one.id != stored.id]
    if against is None:
        own = number_of(stored)
        before = [one for one in others if one.document["status"] in LIVE and number_of(one) < own]
        return max(before, key=number_of, default=None)
    known = [one for one in page.items if against in {one.id, one.label, one.document["version"]}]
    if not known and await registry.find(Kind.VERSION, against) is not None:
        raise Invalid([Flaw("/against", "value", "This is a version of another service.")])
    return known[0] if known else None


async def _grants(registry: Registry, service: str, now: datetime) -> dict[str, Grant]:
    """Return the grants in force, by id: what consumers may do today, and who is only suspended."""
    found: dict[str, Grant] = {}
    cursor = None
    while True:
        page = await registry.search(Kind.GRANT, where={"service": service}, limit=200, cursor=cursor)
        for stored in page.items:
            grant = parse(Kind.GRANT, stored.document)
            if isinstance(grant, Grant) and grant.status in IN_FORCE and not _is_over(grant, now):
                found[stored.id] = grant
        cursor = page.next
        if cursor is None:
            return found


def _is_over(grant: Grant, now: datetime) -> bool:
    return grant.valid_until is not None and grant.valid_until <= now


ROUTES = (
    Route(
        method="GET",
        path=f"{label_path(Kind.VERSION)}/changes",
        action="version.read",
        tag=Kind.VERSION.value,
        check=partial(check_object, kind=Kind.VERSION),
        run=changes,
        query=AgainstQuery,
        summary="What a version changes, and for whom",
        description=(
            "Each change is `breaking`, `compatible` or `unknown` (nobody can prove it), with its direction, place and "
            "rule. `consumers` are those whose grants reach it; a grant that names fields is only concerned by those."
        ),
        answer=Answer(schema="VersionChanges"),
        problems=(404, 422),
    ),
    Route(
        method="POST",
        path=f"{label_path(Kind.VERSION)}/changes",
        action="version.add",
        tag=Kind.VERSION.value,
        check=partial(check_object, kind=Kind.VERSION),
        run=described_changes,
        query=DescribedQuery,
        summary="What a description would change of a version",
        description="The description is read as an import reads it, and nothing is kept.",
        body=Body(types=dict.fromkeys(FORMATS, ""), limit=MOST_BYTES),
        answer=Answer(schema="VersionChanges"),
        problems=(404, 413, 415, 422),
    ),
)
