"""A daily quota is exact in its own worker, and remembers what others and earlier runs have used."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

import pytest

from gateway.exchange import Exchange, Reason, Refusal
from gateway.limiter import Buckets
from gateway.steps.quota import Quotas
from gateway.views import GrantView, Snapshot
from registry.evidence import Outcome, Record
from tests.unit.gateway.steps.test_authorise import GRANT

NOON = 1_795_600_000.0
LIMITED = replace(GRANT, per_day=3, per_second=1000)


class Ledger:
    """What the ledger says: our own chain's count and the others'."""

    def __init__(self) -> None:
        self.counts = (0, 0)

    async def __call__(self, grants: Iterable[str], day: date) -> Mapping[str, tuple[int, int]]:
        return dict.fromkeys(grants, self.counts)


def an_exchange(outcome: Outcome = Outcome.SUCCESS, grant: GrantView = LIMITED) -> Exchange:
    record = Record(kind="final", exchange="e", at=0, node="H99", grant=grant.id, outcome=outcome)
    exchange = Exchange.__new__(Exchange)
    exchange.grant, exchange.record, exchange.counted = grant, record, False
    return exchange


def a_snapshot() -> Snapshot:
    snapshot = Snapshot.__new__(Snapshot)
    object.__setattr__(snapshot, "grants", {("system", "service"): (LIMITED,)})
    return snapshot


def spend(quotas: Quotas, times: int, outcome: Outcome = Outcome.SUCCESS) -> None:
    for _ in range(times):
        exchange = an_exchange(outcome)
        quotas.spend(exchange)
        quotas.settle(exchange)


async def test_a_look_between_commit_and_settling_counts_no_call_twice() -> None:
    ledger = Ledger()
    quotas = Quotas(Buckets(), ledger, now=lambda: NOON)
    await quotas.refresh(a_snapshot())
    spend(quotas, 1)
    second = an_exchange()
    quotas.spend(second)
    ledger.counts = (2, 0)
    await quotas.refresh(a_snapshot())
    quotas.settle(second)

    spend(quotas, 1)

    with pytest.raises(Refusal) as refused:
        spend(quotas, 1)
    assert refused.value.reason is Reason.QUOTA_PER_DAY


async def test_a_restart_and_other_workers_are_remembered() -> None:
    ledger = Ledger()
    ledger.counts = (1, 1)
    quotas = Quotas(Buckets(), ledger, now=lambda: NOON)
    await quotas.refresh(a_snapshot())

    spend(quotas, 1)

    with pytest.raises(Refusal):
        spend(quotas, 1)


async def test_calls_that_never_tried_the_provider_cost_nothing() -> None:
    quotas = Quotas(Buckets(), Ledger(), now=lambda: NOON)
    await quotas.refresh(a_snapshot())

    spend(quotas, 20, Outcome.UNAVAILABLE)

    spend(quotas, 3)


async def test_a_new_day_begins_at_midnight_in_vietnam() -> None:
    now = [NOON]
    quotas = Quotas(Buckets(clock=lambda: now[0]), Ledger(), now=lambda: now[0])
    await quotas.refresh(a_snapshot())
    spend(quotas, 3)
    with pytest.raises(Refusal) as refused:
        spend(quotas, 1)
    now[0] += (refused.value.retry_after or 0) + 1

    spend(quotas, 3)
