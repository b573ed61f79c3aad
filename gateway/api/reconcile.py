"""Comparing our counts with a provider's own on the admin API."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Literal

import anyio.to_thread
from pydantic import Field
from starlette.responses import Response

from gateway.api.answers import Json, answer, moment
from gateway.api.apply import TABLES
from gateway.api.bodies import LARGE, is_storable, read_body
from gateway.api.decisions import check_role
from gateway.api.nouns import Filter
from gateway.api.routes import Answer, Body, Route
from gateway.api.visit import Query, Visit
from gateway.flaws import render_flaw
from registry.entities import Environment, Kind
from registry.errors import Flaw, Invalid
from registry.reconcile import (
    FURTHEST_SHIFT,
    Compared,
    Difference,
    Ours,
    Place,
    Told,
    compare,
    sum_ours,
    sum_theirs,
)
from registry.reconcile_table import Counts, Theirs, Unread, read_counts
from registry.usage import HOUR_SECONDS, VIETNAM

Zone = Literal["Asia/Ho_Chi_Minh", "UTC"]
ZONES = {"Asia/Ho_Chi_Minh": VIETNAM, "UTC": UTC}
GROUPS = ("hour", "service", "operation", "outcome")
MOST_DAYS = 400
MOST_SHOWN = 10_000
MOST_REFUSED = 1000


class ReconcileQuery(Query):
    """Whose calls to compare, and how to read the file."""

    provider: Annotated[
        Filter,
        Field(description="Every service of this system (id or code), also those that the file leaves out."),
    ] = None
    service: Annotated[Filter, Field(description="The service that is meant where the file names none.")] = (
        None
    )
    environment: Environment = Environment.PRODUCTION
    zone: Annotated[Zone, Field(description="Assumed for hours that are written without a time zone.")] = (
        "Asia/Ho_Chi_Minh"
    )


async def reconcile(visit: Visit) -> Response:
    """Answer where our counts and a provider's own cannot both be right."""
    query = visit.query(ReconcileQuery)
    body, _ = await read_body(visit.request, limit=visit.limit, accepted=TABLES)
    counts = await anyio.to_thread.run_sync(lambda: read_counts(body, zone=ZONES[query.zone]))
    services = await _services(visit, query, counts.rows)
    by_operation = any(row.operation for row in counts.rows)
    theirs, refused = _placed(counts, services, by_operation=by_operation)
    ours = await _ours(visit, query, theirs, by_operation=by_operation)
    compared = await anyio.to_thread.run_sync(compare, ours, theirs)
    names = await _labels(visit, compared.differences)
    return answer(_told(query, counts, refused, theirs, ours, compared, names))


async def _services(visit: Visit, query: ReconcileQuery, rows: Sequence[Theirs]) -> Mapping[str, str]:
    """Return the id of each service, by the name that the file has for it."""
    found: dict[str, str] = {}
    if query.service is not None:
        stored = await visit.parts.registry.get(Kind.SERVICE, query.service)
        found[""] = stored.id
    for name in {row.service for row in rows if row.service and is_storable(row.service)}:
        known = await visit.parts.registry.find(Kind.SERVICE, name)
        if known is not None:
            found[name] = known.id
    return found


def _placed(
    counts: Counts, services: Mapping[str, str], *, by_operation: bool
) -> tuple[dict[Place, Told], list[Unread]]:
    """Return what rows say by place, and those that name nothing that we know."""
    placed: list[tuple[Place, Told]] = []
    refused = list(counts.refused)
    for row in counts.rows:
        flaw = _flaw(row, services, by_operation=by_operation)
        if flaw is not None:
            refused.append(Unread(sheet=row.sheet, row=row.row, reasons=(flaw,)))
            continue
        place = Place(row.hour, services[row.service], row.operation.lower())
        placed.append((place, Told(row.count, row.success)))
    return sum_theirs(placed), sorted(refused, key=lambda one: (one.sheet, one.row))


def _flaw(row: Theirs, services: Mapping[str, str], *, by_operation: bool) -> Flaw | None:
    if row.service not in services:
        if not row.service:
            return Flaw("/service", "missing", "The row names no service; name one for the whole file.")
        return Flaw("/service", "reference-unknown", "No service of this name is known.")
    if by_operation and not row.operation:
        return Flaw("/operation", "missing", "Other rows name an operation, this one does not.")
    return None


async def _ours(
    visit: Visit, query: ReconcileQuery, theirs: Mapping[Place, Told], *, by_operation: bool
) -> dict[Place, Ours]:
    """Return our counts in those hours, and in those around them by which theirs may be shifted."""
    filters = await _filters(visit, query, theirs)
    if not theirs:
        return {}
    first, last = min(place.hour for place in theirs), max(place.hour for place in theirs)
    if last - first > MOST_DAYS * 86_400:
        raise Invalid([Flaw("/hour", "range", f"The hours span more than {MOST_DAYS} days.")])
    around = timedelta(hours=FURTHEST_SHIFT)
    totals = await visit.parts.usage.totals(
        group_by=GROUPS,
        since=moment(first) - around,
        until=moment(last + HOUR_SECONDS) + around,
        filters=filters,
    )
    return sum_ours(totals, by_operation=by_operation)


async def _filters(
    visit: Visit, query: ReconcileQuery, theirs: Mapping[Place, Told]
) -> dict[str, str | bool | Sequence[str]]:
    if query.provider is None:
        return {
            "environment": query.environment.value,
            "service": sorted({place.service for place in theirs}),
        }
    provider = await visit.parts.registry.get(Kind.SYSTEM, query.provider)
    return {"environment": query.environment.value, "provider": provider.id}


async def _labels(visit: Visit, differences: Sequence[Difference]) -> dict[str, str]:
    labels = {}
    for id_ in {difference.place.service for difference in differences if difference.place.service}:
        stored = await visit.parts.registry.find(Kind.SERVICE, id_)
        if stored is not None:
            labels[id_] = stored.label
    return labels


def _told(
    query: ReconcileQuery,
    counts: Counts,
    refused: Sequence[Unread],
    theirs: Mapping[Place, Told],
    ours: Mapping[Place, Ours],
    compared: Compared,
    names: Mapping[str, str],
) -> Json:
    hours = [place.hour for place in theirs]
    within = [it for place, it in ours.items() if hours and min(hours) <= place.hour <= max(hours)]
    return {
        "equal": not compared.differences and not refused and bool(theirs),
        "environment": query.environment.value,
        "first_hour": moment(min(hours)) if hours else None,
        "last_hour": moment(max(hours)) if hours else None,
        "zone": query.zone,
        "rows": len(counts.rows) + len(counts.refused),
        "rows_without_zone": counts.assumed,
        "compared": compared.places,
        "ours": sum(it.answered for it in within),
        "uncertain": sum(it.uncertain for it in within),
        "theirs": sum(told.calls for told in theirs.values()),
        "shift_hours": compared.shift,
        "differences": [_difference(it, names) for it in islice(compared.differences, MOST_SHOWN)],
        "differences_total": len(compared.differences),
        "refused": [
            {"sheet": row.sheet, "row": row.row, "errors": [render_flaw(reason) for reason in row.reasons]}
            for row in islice(refused, MOST_REFUSED)
        ],
        "refused_total": len(refused),
    }


def _difference(it: Difference, names: Mapping[str, str]) -> Json:
    return {
        "hour": datetime.fromtimestamp(it.place.hour, UTC),
        "service": names.get(it.place.service, it.place.service),
        "operation": it.place.operation or None,
        "kind": it.kind,
        "ours": it.ours.answered,
        "ours_success": it.ours.success,
        "uncertain": it.ours.uncertain,
        "theirs": None if it.theirs is None else it.theirs.calls,
        "theirs_success": None if it.theirs is None else it.theirs.success,
    }


ROUTES = (
    Route(
        method="POST", path="/admin/v1/reconcile", action="usage.read", tag="figures", check=check_role,
        run=reconcile, query=ReconcileQuery, summary="Compare our counts per hour with a provider's own",
        description=(
            "A table with an hour (or a day and an hour), a service, perhaps an operation, and a count; successes "
            "and failures may stand apart. `ours` is what was answered for certain; the provider may have counted up "
            "to `uncertain` more. `shift_hours` says by how much its hours would have to move to agree. Nothing is kept."
        ),
        body=Body(types=dict.fromkeys(TABLES, ""), limit=LARGE), answer=Answer(schema="Reconciled"),
        problems=(404, 413, 415, 422),
    ),
)  # fmt: skip
