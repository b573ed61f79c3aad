"""Comparing our counts with a provider's own, hour by hour. Pure.

A call that we know was answered must be in the provider's count; one of which we do not know whether it arrived may
be. So ours is a span, from what was answered to that and the uncertain ones, and a count within it is no difference.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from registry.evidence import Outcome
from registry.usage import HOUR_SECONDS, Totals

ANSWERED = frozenset({Outcome.SUCCESS, Outcome.BUSINESS_FAILURE})
UNCERTAIN = frozenset({Outcome.PROVIDER_FAILURE, Outcome.UNKNOWN, Outcome.NODE_FAILURE})
"""Outcomes of calls that the provider may or may not have counted; the others never reached it."""

FURTHEST_SHIFT = 14
_LARGEST_FOR_SHIFT = 20_000
_CLEARLY = 10

Kind = Literal["count", "success", "missing-there", "missing-here"]


class Place(NamedTuple):
    """What is counted: an hour (epoch seconds), a service, and an operation in lower case ("" for all of them)."""

    hour: int
    service: str
    operation: str


class Ours(NamedTuple):
    """What we counted in one place."""

    answered: int = 0
    success: int = 0
    uncertain: int = 0


class Told(NamedTuple):
    """What the provider counted in one place; None when it does not tell successes apart."""

    calls: int = 0
    success: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place in which the counts cannot both be right."""

    place: Place
    kind: Kind
    ours: Ours
    theirs: Told | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What came of comparing. `shift` says by how many hours theirs would have to move to agree (None: it would not)."""

    places: int
    differences: Sequence[Difference]
    shift: int | None


def sum_ours(totals: Iterable[Totals], *, by_operation: bool) -> dict[Place, Ours]:
    """Return usage, grouped by hour, service, operation and outcome, as counts by place."""
    sums: dict[Place, list[int]] = {}
    for each in totals:
        outcome = each.group["outcome"]
        place = Place(
            int(each.group["hour"].timestamp()),  # type: ignore[union-attr]  # hours are times
            str(each.group["service"]),
            str(each.group["operation"]).lower() if by_operation else "",
        )
        values = sums.setdefault(place, [0, 0, 0])
        values[0] += each.count if outcome in ANSWERED else 0
        values[1] += each.count if outcome == Outcome.SUCCESS else 0
        values[2] += each.count if outcome in UNCERTAIN else 0
    return {place: Ours(*values) for place, values in sums.items()}


def sum_theirs(counts: Iterable[tuple[Place, Told]]) -> dict[Place, Told]:
    """Return what rows say as counts by place; several rows of one place are added."""
    sums: dict[Place, Told] = {}
    for place, told in counts:
        before = sums.get(place)
        if before is None:
            sums[place] = told
            continue
        known = before.success is not None and told.success is not None
        success = (before.success or 0) + (told.success or 0) if known else None
        sums[place] = Told(before.calls + told.calls, success)
    return sums


def compare(ours: Mapping[Place, Ours], theirs: Mapping[Place, Told]) -> Compared:
    """Compare within the hours that theirs cover; `ours` may reach further, to find a shift."""
    hours = [place.hour for place in theirs]
    within = {
        place: counted
        for place, counted in ours.items()
        if hours and min(hours) <= place.hour <= max(hours) and counted != Ours()
    }
    places = sorted(within.keys() | theirs.keys())
    found = [
        Difference(place=place, kind=kind, ours=within.get(place, Ours()), theirs=theirs.get(place))
        for place in places
        if (kind := _difference(within.get(place), theirs.get(place))) is not None
    ]
    shift = _shift(ours, theirs) if found and len(ours) + len(theirs) <= _LARGEST_FOR_SHIFT else None
    return Compared(places=len(places), differences=found, shift=shift)


def _difference(ours: Ours | None, theirs: Told | None) -> Kind | None:
    known, told = ours or Ours(), theirs or Told()
    if _distance(known, told.calls) > 0:
        if theirs is None:
            return "missing-there"
        return "missing-here" if ours is None else "count"
    if told.success is not None and not known.success <= told.success <= known.success + known.uncertain:
        return "success"
    return None


def _distance(ours: Ours, count: int) -> int:
    """Return by how much a count lies outside of what ours can be."""
    return max(ours.answered - count, count - ours.answered - ours.uncertain, 0)


def _shift(ours: Mapping[Place, Ours], theirs: Mapping[Place, Told]) -> int | None:
    """Return the smallest shift of hours under which nearly all differences go, None when there is none."""
    if len({place.hour for place in theirs}) < 2:  # noqa: PLR2004  (one hour alone agrees with many by chance)
        return None
    unshifted = _apart(ours, theirs, 0)
    best = min(
        (_apart(ours, theirs, shift), abs(shift), shift)
        for shift in range(-FURTHEST_SHIFT, FURTHEST_SHIFT + 1)
        if shift
    )
    return best[2] if best[0] * _CLEARLY <= unshifted and unshifted > 0 else None


def _apart(ours: Mapping[Place, Ours], theirs: Mapping[Place, Told], shift: int) -> int:
    """Return how far counts are apart when theirs move by so many hours."""
    seconds = shift * HOUR_SECONDS
    moved = {place._replace(hour=place.hour + seconds): told.calls for place, told in theirs.items()}
    first, last = min(place.hour for place in moved), max(place.hour for place in moved)
    missing = sum(
        counted.answered
        for place, counted in ours.items()
        if first <= place.hour <= last and place not in moved
    )
    return missing + sum(_distance(ours.get(place, Ours()), count) for place, count in moved.items())
