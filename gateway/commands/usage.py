"""`lgsp usage`: sums of exchanges, counted in the same transaction as their evidence."""

from typing import Annotated

from cyclopts import Parameter

from gateway.commands.access import Access, AsJson, Node, run
from gateway.commands.say import Json, Out

NOT_GIVEN = Access()


def show(  # noqa: PLR0913  (one option each)
    *,
    group_by: Annotated[
        tuple[str, ...],
        Parameter(
            negative="",
            help="What to tell apart, e.g. outcome, consumer, service, national_database, day, month; may stand several times.",
        ),
    ] = ("outcome",),
    since: Annotated[str | None, Parameter(help="From this day or time on.")] = None,
    until: Annotated[str | None, Parameter(help="Before this day or time.")] = None,
    consumer: Annotated[str | None, Parameter(help="Only of this calling system, by code or id.")] = None,
    provider: Annotated[str | None, Parameter(help="Only of this called system, by code or id.")] = None,
    service: Annotated[str | None, Parameter(help="Only of this service, by name or id.")] = None,
    outcome: Annotated[str | None, Parameter(help="Only what ended so.")] = None,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Print sums of exchanges: how many, how large, how fast."""
    names = [name for given in group_by for name in given.split(",") if name]
    filters = {"consumer": consumer, "provider": provider, "service": service, "outcome": outcome}

    async def work(node: Node, out: Out) -> None:
        found = await node.get("usage", group_by=names, since=since, until=until, **filters)
        if as_json:
            out.result(found)
            return
        columns = [
            *((name, name) for name in names),
            ("Lượt", "Count"), ("KB gửi", "KB sent"), ("KB nhận", "KB received"),
            ("p50 ms", "p50 ms"), ("p95 ms", "p95 ms"), ("p99 ms", "p99 ms"),
        ]  # fmt: skip
        out.table(columns, [_row(item, names, found["labels"]) for item in found["items"]])
        out.say(f"{found['total']} giao dịch.", f"{found['total']} exchanges.")

    run(access, work, as_json=as_json)
    return 0


def _row(item: Json, names: list[str], labels: Json) -> tuple[object, ...]:
    group, latency = item["group"], item["latency_ms"]
    return (
        *(labels.get(str(group[name]), group[name]) or None for name in names),
        item["count"],
        f"{item['request_bytes'] / 1024:.1f}",
        f"{item['reply_bytes'] / 1024:.1f}",
        *(_round(latency[name]) for name in ("p50", "p95", "p99")),
    )


def _round(milliseconds: float | None) -> str | None:
    return None if milliseconds is None else f"{milliseconds:.1f}"
