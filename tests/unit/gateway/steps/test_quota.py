"""The two quotas of a grant, with a clock that the test turns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.exchange import Exchange, Reason, Refusal
from gateway.limiter import Buckets
from gateway.steps.quota import Quotas
from gateway.views import Snapshot
from registry.evidence import Outcome
from registry.usage import VIETNAM

MORNING = datetime(2026, 11, 25, 8, 0, tzinfo=VIETNAM).timestamp()


@dataclass
class Clock:
    """Time that stands still until it is turned."""

    now: float = MORNING

    def __call__(self) -> float:
        return self.now


@dataclass
class Books:
    """What the ledger has committed, all workers together."""

    counts: dict[str, int] = field(default_factory=dict)

    async def __call__(self, grants: Iterable[str], day: date) -> Mapping[str, int]:
        return {grant: self.counts.get(grant, 0) for grant in grants}


def a_grant(per_day: int | None = 3, per_second: int = 1000) -> Any:  # Any: what Quotas reads of a GrantView
    return SimpleNamespace(id="g", per_day=per_day, per_second=per_second)


def an_exchange(grant: Any) -> Exchange:
    made = SimpleNamespace(grant=grant, counted=False, record=SimpleNamespace(grant=grant.id, outcome=""))
    return cast("Exchange", made)


def snapshot_with(grant: Any) -> Snapshot:
    return cast("Snapshot", SimpleNamespace(grants={("c", "s"): (grant,)}))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def quotas(clock: Clock, books: Books) -> Quotas:
    return Quotas(Buckets(clock=clock), books, now=clock)


def spend(quotas: Quotas, grant: Any, outcome: Outcome | None = Outcome.SUCCESS) -> Exchange:
    exchange = an_exchange(grant)
    quotas.spend(exchange)
    if outcome is not None:
        settle(quotas, exchange, outcome)
    return exchange


def settle(quotas: Quotas, exchange: Exchange, outcome: Outcome) -> None:
    exchange.record.outcome = outcome
    quotas.settle(exchange)


def left(quotas: Quotas, grant: Any) -> int:
    """Return how many more calls the quota allows, by taking them."""
    for count in range(100):
        try:
            spend(quotas, grant, None)
        except Refusal:
            return count
    raise AssertionError("never refused")


def test_a_day_s_quota_is_what_was_tried(quotas: Quotas) -> None:
    grant = a_grant(3)
    spend(quotas, grant, Outcome.SUCCESS)
    spend(quotas, grant, Outcome.UNAVAILABLE)
    spend(quotas, grant, Outcome.UNREACHABLE)
    assert left(quotas, grant) == 1


async def test_what_other_workers_and_earlier_lives_used_counts(quotas: Quotas, books: Books) -> None:
    grant = a_grant(10)
    books.counts["g"] = 4
    await quotas.refresh(snapshot_with(grant))
    spend(quotas, grant)
    spend(quotas, grant)
    books.counts["g"] = 8  # ours are among them
    await quotas.refresh(snapshot_with(grant))
    assert left(quotas, grant) == 2


async def test_a_call_under_way_is_counted_although_the_ledger_does_not_know_it_yet(
    quotas: Quotas, books: Books
) -> None:
    grant = a_grant(2)
    under_way = spend(quotas, grant, None)
    await quotas.refresh(snapshot_with(grant))
    assert left(quotas, grant) == 1
    settle(quotas, under_way, Outcome.SUCCESS)
    books.counts["g"] = 1
    await quotas.refresh(snapshot_with(grant))
    with pytest.raises(Refusal):
        spend(quotas, grant)


def test_a_new_day_begins_in_vietnam(quotas: Quotas, clock: Clock) -> None:
    grant = a_grant(1)
    spend(quotas, grant)
    with pytest.raises(Refusal) as refused:
        spend(quotas, grant)
    assert refused.value.retry_after == timedelta(hours=16).total_seconds()
    clock.now += timedelta(hours=16).total_seconds()
    assert left(quotas, grant) == 1


@pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.UNAVAILABLE])
def test_a_call_that_ends_after_midnight_gives_nothing_to_the_new_day(
    quotas: Quotas, clock: Clock, outcome: Outcome
) -> None:
    grant = a_grant(1)
    late = spend(quotas, grant, None)
    clock.now += timedelta(days=1).total_seconds()
    spend(quotas, grant)
    settle(quotas, late, outcome)
    with pytest.raises(Refusal):
        spend(quotas, grant)


def test_a_second_s_quota(quotas: Quotas, clock: Clock) -> None:
    grant = a_grant(None, per_second=2)
    spend(quotas, grant)
    spend(quotas, grant)
    with pytest.raises(Refusal) as refused:
        spend(quotas, grant)
    assert refused.value.reason == Reason.QUOTA_PER_SECOND
    clock.now += refused.value.retry_after or 0
    spend(quotas, grant)
