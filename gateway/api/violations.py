"""Violations of a service's contract on the admin API: to its provider all of them, to a consumer its own."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field
from starlette.responses import Response

from auth.decide import Subject, may
from gateway.api.answers import Json, answer
from gateway.api.decisions import check_role, subject_of
from gateway.api.labels import label_path
from gateway.api.nouns import Filter
from gateway.api.routes import Answer, Route
from gateway.api.visit import Query, Visit
from registry.entities import Environment, Kind
from registry.labels import today
from registry.sql.violations import KEEP_DAYS, ViolationSum

KINDS = {"consumer": Kind.SYSTEM, "provider": Kind.SYSTEM, "version": Kind.VERSION}


class ViolationsQuery(Query):
    """Which violations of a service to list, the most frequent first."""

    days: Annotated[int, Field(ge=1, le=KEEP_DAYS, description="Of so many days, today's included.")] = 7
    consumer: Annotated[Filter, Field(description="Only in the messages of this system, by id or code.")] = (
        None
    )
    operation: Annotated[Filter, Field(description="Only of this operation.")] = None
    environment: Environment | None = None
    direction: Literal["request", "reply"] | None = None
    mode: Literal["shadow", "enforce"] | None = None
    limit: Annotated[int, Field(ge=1, le=1000, description="At most so many.")] = 200


async def violations(visit: Visit) -> Response:
    """Answer how often which rule was broken where, by consumer."""
    query, stored = visit.query(ViolationsQuery), await visit.stored(Kind.SERVICE)
    given = {
        "operation": query.operation,
        "environment": query.environment.value if query.environment else None,
        "direction": query.direction,
        "mode": query.mode,
    }
    if query.consumer is not None:
        given["consumer"] = (await visit.parts.registry.get(Kind.SYSTEM, query.consumer)).id
    sums, total = await visit.parts.violations.sums(
        stored.id,
        since=today() - timedelta(days=query.days - 1),
        consumers=await _visible(visit),
        filters={name: value for name, value in given.items() if value is not None},
        limit=query.limit,
    )
    return answer(
        {"items": [_told(each) for each in sums], "total": total, "labels": await _labels(visit, sums)}
    )


async def _visible(visit: Visit) -> Collection[str] | None:
    """Return the systems whose messages the caller may learn of; None for all."""
    stored, actor = await visit.stored(Kind.SERVICE), visit.caller.actor
    subject = await subject_of(visit.parts.registry, Kind.SERVICE, stored.document, visit.now())
    if visit.caller.author.via == "local" or may(actor, visit.action, Subject(provider=subject.provider)):
        return None
    own: set[str] = set()
    cursor: str | None = None
    while True:
        page = await visit.parts.registry.search(
            Kind.SYSTEM, where={"organisation": actor.organisation or ""}, cursor=cursor, limit=200
        )
        own.update(system.id for system in page.items)
        if page.next is None:
            return own
        cursor = page.next


def _told(each: ViolationSum) -> Json:
    key = each.key
    return {
        "environment": key.environment,
        "consumer": key.consumer,
        "version": key.version,
        "operation": key.operation,
        "direction": key.direction,
        "mode": key.mode,
        "at": key.place,
        "pointer": key.pointer,
        "rule": key.rule,
        "count": each.count,
        "first_at": each.first_at,
        "last_at": each.last_at,
    }


async def _labels(visit: Visit, sums: Sequence[ViolationSum]) -> dict[str, str]:
    """Return the labels of the objects that the sums name by id."""
    named = {(kind, getattr(each.key, name)) for each in sums for name, kind in KINDS.items()}
    labels: dict[str, str] = {}
    for kind, id_ in sorted(named):
        found = await visit.parts.registry.find(kind, id_) if id_ else None
        if found is not None:
            labels[id_] = found.label
    return labels


ROUTES = (
    Route(
        method="GET",
        path=f"{label_path(Kind.SERVICE)}/violations",
        action="violation.read",
        tag=Kind.SERVICE.value,
        check=check_role,
        run=violations,
        query=ViolationsQuery,
        summary="How often messages broke a service's contract, by consumer",
        description=(
            "`pointer` leads to the place (`*` stands for list items, and for names that the contract does not know), "
            "`rule` is the keyword that was broken. Values of messages are not kept. The provider of the service sees all, "
            "others what their own systems sent and got."
        ),
        answer=Answer(schema="Violations"),
        problems=(404, 422),
    ),
)
