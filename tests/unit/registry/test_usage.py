"""What is counted, and how days and latencies are read off it."""

from datetime import UTC, date, datetime

import pytest

from registry.evidence import Outcome
from registry.usage import (
    BUCKETS,
    LATENCY_BUCKETS_MS,
    QUOTA_OUTCOMES,
    UsageKey,
    add,
    counted,
    day_of,
    hours_of,
    quantile,
    start_of,
)
from tests.records import a_record, an_open


def test_only_final_records_are_counted() -> None:
    assert counted(an_open()) is None
    assert counted(a_record(kind="tally")) is None
    assert counted(a_record()) is not None


def test_an_exchange_is_counted_in_the_hour_in_which_it_ended() -> None:
    nine = int(datetime(2026, 9, 1, 9, tzinfo=UTC).timestamp())

    before, at = counted(a_record(at=nine * 1_000_000 - 1)), counted(a_record(at=nine * 1_000_000))

    assert before is not None
    assert at is not None
    assert (before[0].hour, at[0].hour) == (nine - 3600, nine)


@pytest.mark.parametrize(
    ("microseconds", "bucket"),
    [(0, 0), (1000, 0), (1001, 1), (30_000_000, BUCKETS - 2), (30_000_001, BUCKETS - 1)],
)
def test_a_latency_falls_into_its_bucket(microseconds: int, bucket: int) -> None:
    found = counted(a_record(total_us=microseconds))

    assert found is not None
    assert found[3] == bucket


def test_exchanges_of_one_key_are_added_up() -> None:
    totals: dict[UsageKey, list[int]] = {}

    add(totals, [counted(a_record(request_bytes=3, reply_bytes=5)) for _ in range(4)])
    add(totals, [counted(a_record(outcome=Outcome.REFUSED)), None])

    assert sorted(values[:3] for values in totals.values()) == [[1, 100, 1000], [4, 12, 20]]
    assert all(sum(values[3:]) == values[0] for values in totals.values())


def test_only_what_was_tried_counts_against_a_quota() -> None:
    free = set(Outcome) - QUOTA_OUTCOMES

    assert free == {Outcome.REFUSED, Outcome.INVALID, Outcome.UNAVAILABLE, Outcome.NODE_FAILURE}


def test_a_quantile_is_read_off_the_histogram() -> None:
    latency = [0] * BUCKETS
    latency[LATENCY_BUCKETS_MS.index(10)] = 100

    assert quantile(latency, 0.5) == pytest.approx(7.5)
    assert quantile([0] * BUCKETS, 0.5) is None
    assert quantile([*[0] * (BUCKETS - 1), 3], 0.5) == LATENCY_BUCKETS_MS[-1]


def test_a_day_is_one_of_vietnam() -> None:
    day = date(2026, 9, 2)

    assert start_of(day) == datetime(2026, 9, 1, 17, tzinfo=UTC)
    assert day_of(datetime(2026, 9, 1, 16, 59, tzinfo=UTC)) == date(2026, 9, 1)
    assert day_of(datetime(2026, 9, 1, 17, tzinfo=UTC)) == day
    assert hours_of(day)[1] - hours_of(day)[0] == 24 * 3600
