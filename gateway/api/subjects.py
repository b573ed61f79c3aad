"""Who looked at a person, when and for what purpose. The id comes in the body and is kept nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints
from starlette.responses import Response

from auth.decide import NOBODY, may
from gateway.api.answers import Json, answer
from gateway.api.audit import note
from gateway.api.decisions import check_role
from gateway.api.errors import Unavailable
from gateway.api.routes import Answer, Body, Route
from gateway.api.subject_keys import fresh
from gateway.api.visit import Visit
from registry.documents import parse_as
from registry.entities import Entity, Instant, Kind
from registry.errors import Flaw, Invalid
from registry.evidence import Record
from registry.subjects import LONGEST, IdUnreadable, SubjectType, normalise

SHOWN = (
    "exchange",
    "environment",
    "client",
    "consumer",
    "provider",
    "service",
    "version",
    "operation",
    "national_database",
    "purpose",
    "procedure",
    "officer",
    "officer_rule",
    "outcome",
    "reason",
    "delivered",
    "subject_key",
)
"""What is shown of an exchange, beside its time; all of it is of the exchange and none of the person."""

LABELLED = {
    "client": Kind.CLIENT,
    "consumer": Kind.SYSTEM,
    "provider": Kind.SYSTEM,
    "service": Kind.SERVICE,
    "version": Kind.VERSION,
    "national_database": Kind.NATIONAL_DATABASE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectLookUp(Entity):
    """Whose exchanges to list, the newest first. `until` is exclusive; `cursor` is `next` of the page before."""

    type: SubjectType
    id: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]
    since: Instant | None = None
    until: Instant | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None


async def look_up(visit: Visit) -> Response:
    """Answer the exchanges that looked at one data subject, and write down who asked."""
    wanted = parse_as(SubjectLookUp, await visit.document())
    reader, keys = visit.parts.subjects, fresh(visit.parts.subject_keys)
    if reader is None:
        raise Unavailable("a look-up needs the running node, which writes down who asks")
    try:
        names = keys.names(wanted.type, normalise(wanted.type, wanted.id))
    except IdUnreadable as error:
        raise Invalid([Flaw("/id", "value", f"{error}.")]) from None
    systems = await _own_systems(visit)
    # Written before anything is read: a look-up that fails half-way has been tried all the same.
    note(
        visit,
        "subject.looked-up",
        subject_type=wanted.type.value,
        keys=[key for _, key in names],
        since=wanted.since,
        until=wanted.until,
        next_page=wanted.cursor is not None,
    )
    page = await reader.search(
        [name for name, _ in names],
        systems=systems,
        since=wanted.since,
        until=wanted.until,
        cursor=wanted.cursor,
        limit=wanted.limit,
    )
    return answer(
        {
            "items": [_shown(record) for record in page.items],
            "next": page.next,
            "labels": await _labels(visit, page.items),
            "keys": [key for _, key in names],
        }
    )


async def _own_systems(visit: Visit) -> frozenset[str] | None:
    """Return the systems whose exchanges the caller may see, None for all."""
    actor = visit.caller.actor
    if may(actor, visit.action, NOBODY):
        return None
    found: set[str] = set()
    cursor = None
    while True:
        page = await visit.parts.registry.search(
            Kind.SYSTEM, where={"organisation": actor.organisation or ""}, cursor=cursor, limit=200
        )
        found.update(stored.id for stored in page.items)
        cursor = page.next
        if cursor is None:
            return frozenset(found)


def _shown(record: Record) -> Json:
    return {"at": record.at} | {name: getattr(record, name) for name in SHOWN}


async def _labels(visit: Visit, found: Sequence[Record]) -> dict[str, str]:
    """Return the labels of the objects that the exchanges name by id."""
    labels: dict[str, str] = {}
    for kind, id_ in {(kind, getattr(record, name)) for record in found for name, kind in LABELLED.items()}:
        stored = await visit.parts.registry.find(kind, id_) if id_ else None
        if stored is not None:
            labels[id_] = stored.label
    return labels


ROUTES = (
    Route(
        method="POST", path="/admin/v1/evidence/subject", action="subject.read", tag="evidence",
        check=check_role, run=look_up, summary="Who looked at a person or enterprise, when and for what purpose",
        description=(
            "For auditors, and for an organisation's administrators where one of its systems took part. The id stands "
            "in the body, never in an address; it is kept nowhere. Each look-up is written to the node's log as "
            "`subject.looked-up`, without the id. `keys` are the subject keys that were tried: what was recorded under "
            "a destroyed one is not found."
        ),
        body=Body(types={"application/json": "SubjectLookUp"}, example={"type": "citizen-id", "id": "001099000001"}),
        answer=Answer(schema="SubjectPage"), problems=(413, 415, 422),
    ),
)  # fmt: skip
