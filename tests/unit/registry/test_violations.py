"""Counts of violations: workers add up, what was seen first and last stays, and old days are forgotten."""

from dataclasses import replace
from datetime import date, timedelta

from gateway.contracts.compiled import Check
from gateway.contracts.counts import MORE, MOST_KEYS, MOST_KINDS, ViolationCounts
from gateway.contracts.violations import Violation
from registry.evidence import Record
from registry.sql.database import Location, open_engine
from registry.sql.violations import KEEP_DAYS, ViolationStore
from registry.violations import Count, ViolationKey

DAY = date(2026, 11, 25)
KEY = ViolationKey(
    "production",
    "mot-cua",
    "csdl",
    "dan-cu",
    "v1",
    "tra-cuu",
    "request",
    "shadow",
    "body",
    "/HoTen",
    "maxLength",
)


async def test_workers_add_to_the_same_counts(database_location: Location) -> None:
    engine = open_engine(database_location.registry)
    try:
        one, other = ViolationStore(engine), ViolationStore(engine)
        await one.add(DAY, {KEY: Count(10.0, 20.0, 3), KEY._replace(rule="type"): Count(5.0, 5.0, 1)})
        await other.add(DAY, {KEY: Count(8.0, 15.0, 2)})
        await one.add(DAY + timedelta(days=1), {KEY: Count(100.0, 100.0, 1)})
        sums, total = await other.sums("dan-cu", since=DAY)

        assert total == 2
        assert [(each.key.rule, each.count) for each in sums] == [("maxLength", 6), ("type", 1)]
        assert (sums[0].first_at.timestamp(), sums[0].last_at.timestamp()) == (8.0, 100.0)
        assert (await one.sums("dan-cu", since=DAY + timedelta(days=1)))[0][0].count == 1
        assert await one.sums("dan-cu", since=DAY, consumers={"khac"}) == ([], 0)
        assert (await one.sums("dan-cu", since=DAY, filters={"rule": "type"}))[1] == 1

        await one.add(DAY + timedelta(days=KEEP_DAYS + 2), {KEY: Count(1.0, 1.0, 1)})
        assert (await one.sums("dan-cu", since=DAY))[0][0].count == 1
    finally:
        await engine.dispose()


async def test_many_rows_fit_into_statements(database_location: Location) -> None:
    engine = open_engine(database_location.registry)
    try:
        store = ViolationStore(engine)
        await store.add(DAY, {KEY._replace(pointer=f"/f{n}"): Count(1.0, 1.0, 1) for n in range(450)})
        sums, total = await store.sums("dan-cu", since=DAY, limit=10)
        assert (len(sums), total) == (10, 450)
    finally:
        await engine.dispose()


def a_record(consumer: str = "mot-cua") -> Record:
    return Record(kind="final", exchange="x", at=0, node="H99", consumer=consumer, service="s")


def test_a_consumer_cannot_make_us_count_without_end() -> None:
    counts, check = ViolationCounts(), Check("shadow", "request")
    for number in range(MOST_KINDS + 50):
        counts.add(a_record(), check, [Violation("body", f"/f{number}", "type")])
    counts.add(a_record("khac"), check, [Violation("body", "/f1", "type")])

    taken = counts.take()

    assert len(taken) == MOST_KINDS + 2
    assert next(count.count for key, count in taken.items() if key.rule == MORE.rule) == 50
    for number in range(MOST_KEYS + 10):
        counts.add(a_record(str(number)), check, [Violation("body", "", "type")])
    assert len(counts.take()) == MOST_KEYS


def test_counts_that_could_not_be_kept_are_added_to_later_ones() -> None:
    counts, check, wrong = ViolationCounts(), Check("shadow", "request"), [Violation("body", "", "type")]
    counts.add(a_record(), check, wrong)
    taken = counts.take()
    counts.add(a_record(), check, wrong)
    counts.give_back(taken)

    (count,) = counts.take().values()

    assert count.count == 2
    assert count.first <= count.last
    assert replace(count, count=1) != count
