"""The connectivity figure as it is asked for and printed: JSON, with its rule beside every number.

What counts is decided in `gateway.monitoring.rule` alone.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from gateway.monitoring.facts import Gathered, Successes, gather
from gateway.monitoring.rule import Changed, Figure, Rule, Share, compute, describe, rule_document
from registry.entities import Kind
from registry.labels import today
from registry.stores import Registry, Stored

__all__ = ["MOST_CHANGES", "Figure", "Rule", "compute", "describe", "figure", "gauges", "series"]

MOST_CHANGES = 500

JSON = dict[str, Any]  # Any: JSON


async def figure(
    registry: Registry,
    usage: Successes,
    rule: Rule,
    *,
    unit: str | None = None,
    database: str | None = None,
    mode: str | None = None,
    on: date | None = None,
) -> JSON:
    """Return the figure of a day (today by default) in JSON form.

    `unit` and `database` are ids or codes as of that day. Raises NotFound for one that nobody knows.
    """
    day = on or today()
    (found,) = await series(
        registry, usage, rule, unit=unit, database=database, mode=mode, first=day, last=day
    )
    return found


async def series(
    registry: Registry,
    usage: Successes,
    rule: Rule,
    *,
    first: date,
    last: date,
    unit: str | None = None,
    database: str | None = None,
    mode: str | None = None,
) -> Sequence[JSON]:
    """Return the figure of each day from `first` to `last`, from one reading of registry and usage."""
    whose = await registry.get(Kind.ORGANISATION, unit, on=last) if unit else None
    which = await registry.get(Kind.NATIONAL_DATABASE, database) if database else None
    gathered = await gather(registry, usage, first - timedelta(days=rule.window_days - 1), last)
    asked = {
        "unit": whose.label if whose else None,
        "unit_id": _id(whose),
        "database": which.label if which else None,
        "mode": mode,
    }
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    figures = [
        compute(gathered.facts, rule, day, unit=_id(whose), database=_id(which), mode=mode) for day in days
    ]
    return [asked | _document(each, rule, gathered) for each in figures]


async def gauges(
    registry: Registry, usage: Successes, rule: Rule, *, on: date | None = None
) -> list[tuple[str, str, int, int]]:
    """Return national database, mode, systems in need and systems connected by that mode, for metrics."""
    day = on or today()
    gathered = await gather(registry, usage, day - timedelta(days=rule.window_days - 1), day)
    found = []
    for mode in rule.counted_modes():
        shares = compute(gathered.facts, rule, day, mode=mode).by_database
        found += [
            (_label(gathered, id_), mode, share.needed, share.connected) for id_, share in shares.items()
        ]
    return found


def _id(stored: Stored | None) -> str | None:
    return stored.id if stored else None


def _document(found: Figure, rule: Rule, gathered: Gathered) -> JSON:
    return {
        "nation": rule.nation,
        "on": found.day.isoformat(),
        "first_day": found.first_day.isoformat(),
        "window_days": rule.window_days,
        "revision": gathered.revision,
        "rule": rule_document(rule),
        **_share(found.share),
        "fully_connected": found.fully_connected,
        "connections": found.connections,
        "tiers": dict(found.tiers),
        "by_database": [
            {"database": _label(gathered, id_), "id": id_, **_share(share)}
            for id_, share in found.by_database.items()
        ],
        "by_mode": [
            {
                "mode": str(mode),
                "counted": each.counted,
                "systems": each.systems,
                "connections": each.connections,
                "declared": each.declared,
            }
            for mode, each in found.by_mode.items()
        ],
        "changes": [_change(each) for each in found.changes[:MOST_CHANGES]],
        "changes_total": len(found.changes),
    }


def _share(share: Share) -> Mapping[str, Any]:  # Any: JSON
    return {
        "needed": share.needed,
        "connected": share.connected,
        "share_percent": share.percent,
        "over_half": share.over_half,
    }


def _change(change: Changed) -> JSON:
    return {
        "day": change.day.isoformat(),
        "action": change.action,
        "label": change.label,
        "author": change.author,
        "reason": change.reason,
    }


def _label(gathered: Gathered, id_: str) -> str:
    return gathered.labels.get(id_, id_)
