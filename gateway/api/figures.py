"""The figures on the admin API: connectivity with its rule, and usage."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field
from starlette.responses import Response

from gateway.api.answers import Json, answer
from gateway.api.decisions import check_role
from gateway.api.errors import QueryWrong
from gateway.api.moments import Day, Moment
from gateway.api.nouns import Filter
from gateway.api.proofs import checkpoint_document
from gateway.api.routes import Answer, Route
from gateway.api.visit import Query, Visit
from gateway.monitoring.connectivity import series
from gateway.monitoring.rule import Rule
from gateway.settings import Settings
from registry.entities import Environment, Kind, Mode
from registry.errors import Invalid
from registry.evidence import Outcome
from registry.labels import today
from registry.usage import Totals, quantile

KINDS: Mapping[str, Kind] = {
    "consumer": Kind.SYSTEM,
    "provider": Kind.SYSTEM,
    "service": Kind.SERVICE,
    "version": Kind.VERSION,
    "national_database": Kind.NATIONAL_DATABASE,
    "grant": Kind.GRANT,
}
"""What of usage refers to objects of the registry."""


SERIES = ("on", "needed", "connected", "share_percent", "over_half", "revision")
"""What a series of figures shows of each day."""


class ConnectivityQuery(Query):
    """Whose connectivity, to what, and when."""

    unit: Annotated[Filter, Field(description="An organisation by id or code, with all below it.")] = None
    database: Annotated[Filter, Field(description="A national database by id or code.")] = None
    mode: Annotated[Mode | None, Field(description="Only connections of this mode.")] = None
    on: Annotated[Day | None, Field(description="The last day of the window; today without it.")] = None
    days: Annotated[
        int, Field(ge=1, le=92, description="For so many days up to that one a figure each, in `series`.")
    ] = 1


class UsageQuery(Query):
    """What to sum, over what."""

    group_by: Annotated[
        tuple[str, ...], Field(max_length=6, description="What to tell apart; may stand several times.")
    ] = ()
    since: Annotated[
        Moment | None, Field(description="From this time or day on; usage is kept by the hour.")
    ] = None
    until: Annotated[Moment | None, Field(description="Before this time or day.")] = None
    environment: Environment | None = None
    consumer: Filter = None
    provider: Filter = None
    service: Filter = None
    version: Filter = None
    national_database: Filter = None
    grant: Filter = None
    operation: Filter = None
    mode: Mode | None = None
    outcome: Outcome | None = None


async def connectivity(visit: Visit) -> Response:
    """Answer the figure, with its rule beside it, and one for each day before when asked for."""
    query, parts = visit.query(ConnectivityQuery), visit.parts
    last = query.on or today()
    figures = await series(
        parts.registry,
        parts.usage,
        rule_of(parts.settings),
        first=last - timedelta(days=query.days - 1),
        last=last,
        unit=query.unit,
        database=query.database,
        mode=query.mode.value if query.mode else None,
    )
    shown = [{name: figure[name] for name in SERIES} for figure in figures] if query.days > 1 else []
    latest = await parts.proofs.checkpoints.latest()
    return answer(figures[-1] | {"series": shown, "checkpoint": checkpoint_document(latest)})


def rule_of(settings: Settings) -> Rule:
    """Return the rule that the node counts by."""
    return Rule(
        nation=settings.nation,
        window_days=settings.window_days,
        min_successes=settings.min_successes,
        modes=settings.allowed_modes,
    )


async def usage(visit: Visit) -> Response:
    """Answer sums of exchanges, with the labels of what they are told apart by."""
    query = visit.query(UsageQuery)
    try:
        sums = await visit.parts.usage.totals(
            group_by=query.group_by,
            since=query.since,
            until=query.until,
            filters=await _filters(visit, query),
        )
    except Invalid as error:
        raise QueryWrong(error.flaws) from error
    return answer(
        {
            "items": [_sum(each) for each in sums],
            "total": sum(each.count for each in sums),
            "labels": await _labels(visit, sums),
        }
    )


async def _filters(visit: Visit, query: UsageQuery) -> dict[str, str]:
    given: dict[str, str] = {}
    for name in UsageQuery.model_fields.keys() - {"group_by", "since", "until"}:
        value = getattr(query, name)
        if value is not None:
            kind = KINDS.get(name)
            given[name] = (await visit.parts.registry.get(kind, value)).id if kind else str(value)
    return given


def _sum(each: Totals) -> Json:
    return {
        "group": dict(each.group),
        "count": each.count,
        "request_bytes": each.request_bytes,
        "reply_bytes": each.reply_bytes,
        "latency_ms": {
            name: quantile(each.latency, share)
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
        },
    }


async def _labels(visit: Visit, sums: Sequence[Totals]) -> dict[str, str]:
    """Return the labels of the objects that the sums name by id."""
    labels: dict[str, str] = {}
    for kind, id_ in _named(each.group for each in sums):
        if id_ and id_ not in labels:
            found = await visit.parts.registry.find(kind, id_)
            if found is not None:
                labels[id_] = found.label
    return labels


def _named(groups: Iterable[Mapping[str, object]]) -> set[tuple[Kind, str]]:
    return {(KINDS[name], str(value)) for group in groups for name, value in group.items() if name in KINDS}


async def rebuild(visit: Visit) -> Response:
    """Recompute usage from the evidence; nothing is corrected when all is well."""
    done = await visit.parts.usage.rebuild()
    return answer({"records": done.records, "corrected": done.corrected})


ROUTES = (
    Route(
        method="GET", path="/admin/v1/connectivity", action="connectivity.read", tag="figures", check=check_role,
        run=connectivity, query=ConnectivityQuery, summary="The connectivity figure, with its rule",
        answer=Answer(schema="Connectivity"), problems=(404, 422),
    ),
    Route(
        method="GET", path="/admin/v1/usage", action="usage.read", tag="figures", check=check_role, run=usage,
        query=UsageQuery, summary="Sums of exchanges",
        description=(
            "Usage is kept by the hour (UTC); `day` and `month` are those of Asia/Ho_Chi_Minh. `labels` names the "
            "objects that the groups refer to by id."
        ),
        answer=Answer(schema="Usage"), problems=(404, 422),
    ),
    Route(
        method="POST", path="/admin/v1/usage/rebuild", action="usage.rebuild", tag="figures", check=check_role,
        run=rebuild, summary="Recompute usage from the evidence", answer=Answer(schema="RebuiltUsage"),
    ),
)  # fmt: skip
