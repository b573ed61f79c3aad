"""The ledger keeps its promises on SQLite and on PostgreSQL alike."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from registry.errors import ChainBroken, Invalid, LedgerUnavailable, NotFound, SlotTaken
from registry.evidence import Outcome, Record
from registry.ids import uuid7
from registry.ledger import encode
from registry.sql.database import Location, open_engine, writing
from registry.sql.ledger import Evidence, EvidenceReader, UsageReader, open_ledger
from registry.sql.ledger_sqlite import SQLiteBackend
from registry.sql.ledger_tables import batches, opens, records, salts, usage
from registry.usage import UsageKey, add, counted
from registry.writer import LedgerWriter
from tests.records import CONSUMERS, NOON_US, a_random_record, a_record, an_open, seeded, until_writable

NODE = "H26"
NOON = datetime.fromtimestamp(NOON_US / 1_000_000, UTC)


@pytest.fixture
async def engine(database_location: Location) -> AsyncIterator[AsyncEngine]:
    opened = open_engine(database_location.ledger)
    yield opened
    await opened.dispose()


@pytest.fixture
async def evidence(engine: AsyncEngine) -> EvidenceReader:
    return EvidenceReader(engine)


@pytest.fixture
async def counts(engine: AsyncEngine) -> UsageReader:
    return UsageReader(engine)


@asynccontextmanager
async def a_ledger(where: Location, data_dir: Path, *, slot: int | None = 0) -> AsyncIterator[LedgerWriter]:
    async with open_ledger(where.ledger, node=NODE, slot=slot, data_dir=data_dir) as opened:
        yield opened


@pytest.fixture
async def ledger(database_location: Location, tmp_path: Path) -> AsyncIterator[LedgerWriter]:
    async with a_ledger(database_location, tmp_path) as opened:
        yield opened


async def append_all(ledger: LedgerWriter, several: list[Record]) -> None:
    await asyncio.gather(*(ledger.append(record) for record in several))


# --- appending ------------------------------------------------------------------------------------------


async def test_a_record_is_found_byte_for_byte(ledger: LedgerWriter, evidence: EvidenceReader) -> None:
    record = a_record(purpose="tra cứu")

    await ledger.append(record, b"a salt")

    (found,) = await evidence.get(record.exchange)
    assert found.body == encode(record)
    assert (found.record, found.node, found.slot) == (record, NODE, 0)
    assert await evidence.salt(found) == b"a salt"


async def test_many_records_become_few_batches_and_one_chain(
    ledger: LedgerWriter, evidence: EvidenceReader
) -> None:
    await append_all(ledger, [a_record() for _ in range(500)])
    await append_all(ledger, [a_record() for _ in range(500)])

    verified = await evidence.verify()
    assert verified.records == 1000
    assert verified.batches == ledger.counters.batches < 20
    assert await evidence.count() == 1000


async def test_usage_is_there_as_soon_as_the_record_is(ledger: LedgerWriter, counts: UsageReader) -> None:
    await ledger.append(a_record(request_bytes=7, reply_bytes=9))

    (total,) = await counts.totals()
    assert (total.count, total.request_bytes, total.reply_bytes) == (1, 7, 9)


async def test_a_cancelled_append_is_written_all_the_same(
    ledger: LedgerWriter, evidence: EvidenceReader
) -> None:
    record = a_record()
    waiting = asyncio.ensure_future(ledger.append(record))
    await asyncio.sleep(0)

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    await ledger.append(a_record())
    assert (await evidence.get(record.exchange))[0].record == record


async def test_closing_writes_what_is_queued(
    database_location: Location, tmp_path: Path, evidence: EvidenceReader
) -> None:
    async with a_ledger(database_location, tmp_path) as ledger:
        for _ in range(300):
            ledger.leave(a_record())

    assert await evidence.count() == 300
    with pytest.raises(LedgerUnavailable):
        await ledger.append(a_record())


async def test_text_that_no_database_keeps_does_not_stop_the_ledger(
    ledger: LedgerWriter, evidence: EvidenceReader
) -> None:
    record = a_record(correlation="a\0b\ud800", consumer="c\0")

    await append_all(ledger, [record, a_record()])

    (found,) = await evidence.get(record.exchange)
    assert found.record.correlation == "a\N{REPLACEMENT CHARACTER}b?"
    assert (await evidence.verify()).records == 2


async def test_an_exchange_opened_twice_does_not_stop_the_ledger(
    ledger: LedgerWriter, evidence: EvidenceReader
) -> None:
    opened = an_open()

    await append_all(ledger, [opened, opened])
    await ledger.append(replace(opened, at=opened.at + 1))

    assert len(await evidence.get(opened.exchange)) == 3


async def test_the_chain_goes_on_after_a_restart_under_a_later_epoch(
    database_location: Location, tmp_path: Path, engine: AsyncEngine
) -> None:
    for _ in range(2):
        async with a_ledger(database_location, tmp_path) as ledger:
            await ledger.append(a_record())

    async with engine.connect() as connection:
        rows = (await connection.execute(select(batches).order_by(batches.c.number))).all()
    assert [row.number for row in rows] == [1, 2]
    assert rows[1].previous == rows[0].head
    assert rows[1].epoch > rows[0].epoch
    assert (await EvidenceReader(engine).verify()).batches == 2


async def test_salts_can_be_destroyed_and_the_chain_still_holds(
    ledger: LedgerWriter, evidence: EvidenceReader, engine: AsyncEngine
) -> None:
    record = a_record()
    await ledger.append(record, b"salt")

    async with writing(engine).begin() as connection:
        await connection.execute(delete(salts))

    (found,) = await evidence.get(record.exchange)
    assert await evidence.salt(found) is None
    assert (await evidence.verify()).records == 1


# --- slots and recovery ---------------------------------------------------------------------------------


async def test_a_second_writer_of_a_slot_is_refused(
    ledger: LedgerWriter, database_location: Location, tmp_path: Path
) -> None:
    with pytest.raises(SlotTaken):
        async with a_ledger(database_location, tmp_path):
            pass

    await ledger.append(a_record())
    assert ledger.writable


async def test_a_slot_is_free_again_after_closing(database_location: Location, tmp_path: Path) -> None:
    for _ in range(3):
        async with a_ledger(database_location, tmp_path) as ledger:
            assert ledger.writable


async def test_writers_that_name_no_slot_get_one_each(
    database_location: Location, tmp_path: Path, evidence: EvidenceReader
) -> None:
    async with (
        a_ledger(database_location, tmp_path, slot=None) as first,
        a_ledger(database_location, tmp_path, slot=None) as second,
    ):
        await asyncio.gather(first.append(a_record()), second.append(a_record()))

    assert (await evidence.verify()).chains == 2


async def test_a_chain_that_somebody_else_has_moved_is_not_written(
    ledger: LedgerWriter, engine: AsyncEngine, evidence: EvidenceReader
) -> None:
    await ledger.append(a_record())
    async with writing(engine).begin() as connection:
        await connection.execute(text("UPDATE chains SET epoch = epoch + 1"))

    with pytest.raises(SlotTaken):
        await ledger.append(a_record())

    assert not ledger.writable
    await until_writable(ledger)
    await ledger.append(a_record())
    assert (await evidence.verify()).records == 3


async def test_what_was_left_open_is_closed_at_the_next_start(
    database_location: Location, tmp_path: Path, evidence: EvidenceReader, counts: UsageReader
) -> None:
    left, answered = an_open(), an_open()
    async with a_ledger(database_location, tmp_path) as ledger:
        await append_all(ledger, [left, answered])
        await ledger.append(replace(answered, kind="final", outcome=Outcome.SUCCESS))

    async with a_ledger(database_location, tmp_path) as ledger:
        pass

    _, closed = await evidence.get(left.exchange)
    assert (closed.record.outcome, closed.record.reason, closed.record.delivered) == (
        "unknown",
        "node-stopped",
        "no",
    )
    assert [e.record.outcome for e in await evidence.get(answered.exchange)] == ["", "success"]
    assert await by_outcome(counts) == {"success": 1, "unknown": 1}
    async with a_ledger(database_location, tmp_path):
        assert len(await evidence.get(left.exchange)) == 2


async def test_a_spoilt_open_record_does_not_keep_a_node_from_starting(
    database_location: Location, tmp_path: Path, engine: AsyncEngine, evidence: EvidenceReader
) -> None:
    async with a_ledger(database_location, tmp_path) as ledger:
        await append_all(ledger, [an_open(), left := an_open()])
    async with writing(engine).begin() as connection:
        spoilt = records.c.exchange != left.exchange
        await connection.execute(update(records).where(spoilt).values(body=b"{}"))

    async with a_ledger(database_location, tmp_path) as ledger:
        await ledger.append(a_record())

    assert len(await evidence.get(left.exchange)) == 2
    with pytest.raises(ChainBroken):
        await evidence.verify()


async def test_what_was_left_open_in_a_slot_that_nobody_holds_is_closed_too(
    database_location: Location, tmp_path: Path, evidence: EvidenceReader
) -> None:
    left = an_open()
    async with a_ledger(database_location, tmp_path, slot=3) as ledger:
        await ledger.append(left)

    async with a_ledger(database_location, tmp_path, slot=0):
        pass

    _, closed = await evidence.get(left.exchange)
    assert (closed.slot, closed.record.outcome) == (3, "unknown")


async def test_what_a_living_writer_has_open_is_left_alone(
    database_location: Location, tmp_path: Path, evidence: EvidenceReader
) -> None:
    opened = an_open()
    async with a_ledger(database_location, tmp_path, slot=1) as other:
        await other.append(opened)

        async with a_ledger(database_location, tmp_path, slot=0):
            pass

        assert len(await evidence.get(opened.exchange)) == 1


# --- reading --------------------------------------------------------------------------------------------


async def test_an_unknown_exchange_is_not_found(evidence: EvidenceReader) -> None:
    with pytest.raises(NotFound):
        await evidence.get(uuid7())


async def test_a_search_gives_every_record_once_and_the_newest_first(
    ledger: LedgerWriter, evidence: EvidenceReader
) -> None:
    rng = seeded(5)
    several = [a_random_record(rng) for _ in range(200)]
    await append_all(ledger, several)

    for consumer, outcome in [
        (None, None),
        (CONSUMERS[1], None),
        (CONSUMERS[2], "success"),
        ("nobody", None),
    ]:
        found: list[Evidence] = []
        cursor = None
        while True:
            page = await evidence.search(consumer=consumer, outcome=outcome, cursor=cursor, limit=7)
            found += page.items
            cursor = page.next
            if cursor is None:
                break
        wanted = [
            record
            for record in several
            if consumer in {None, record.consumer} and outcome in {None, record.outcome}
        ]
        wanted.sort(key=lambda record: (record.at, record.exchange), reverse=True)
        assert [e.record for e in found] == wanted
        assert await evidence.count(consumer=consumer, outcome=outcome) == len(wanted)


async def test_a_search_in_a_time_includes_its_beginning_and_not_its_end(
    ledger: LedgerWriter, evidence: EvidenceReader
) -> None:
    await append_all(ledger, [a_record(at=NOON_US + i * 1_000_000) for i in range(10)])
    since, until = (datetime.fromtimestamp(NOON_US // 10**6 + s, UTC) for s in (2, 5))

    for consumer in (None, CONSUMERS[0]):
        page = await evidence.search(consumer=consumer, since=since, until=until)
        assert [(e.record.at - NOON_US) // 10**6 for e in page.items] == [4, 3, 2]
        assert await evidence.count(consumer=consumer, since=since, until=until) == 3


@pytest.mark.parametrize("cursor", ["", "x", "1", "1.", "-1.a", "99999999999999999999.a", "²3.a"])
async def test_a_made_up_cursor_is_refused(evidence: EvidenceReader, cursor: str) -> None:
    with pytest.raises(Invalid):
        await evidence.search(cursor=cursor)


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(update(records).values(body=encode(a_record())), id="another body"),
        pytest.param(update(records).values(outcome="refused"), id="a column that says otherwise"),
        pytest.param(delete(records).where(records.c.position == 1), id="a record gone"),
        pytest.param(delete(records).where(records.c.batch == 2), id="a batch's records gone"),
        pytest.param(delete(batches).where(batches.c.number == 2), id="a batch gone"),
        pytest.param(update(batches).values(at=batches.c.at + 1), id="another time"),
        pytest.param(text("UPDATE chains SET number = number + 1"), id="another end"),
        pytest.param(
            insert(records).values(
                chain=1,
                batch=99,
                position=0,
                kind="final",
                exchange="x",
                at=1,
                consumer="",
                provider="",
                service="",
                outcome="",
                body=b"",
            ),
            id="a record too many",
        ),
    ],
)
async def test_tampering_is_found(
    ledger: LedgerWriter, evidence: EvidenceReader, engine: AsyncEngine, tamper: object
) -> None:
    await ledger.append(a_record())
    await append_all(ledger, [a_record() for _ in range(5)])
    await evidence.verify()

    async with writing(engine).begin() as connection:
        await connection.execute(tamper)  # type: ignore[call-overload]  # one of the statements above

    with pytest.raises(ChainBroken):
        await evidence.verify()


# --- usage ----------------------------------------------------------------------------------------------


async def by_outcome(counts: UsageReader) -> dict[str, int]:
    return {str(t.group["outcome"]): t.count for t in await counts.totals(group_by=["outcome"])}


async def test_usage_is_what_a_plain_count_says(ledger: LedgerWriter, counts: UsageReader) -> None:
    rng = seeded(7)
    several = [a_random_record(rng) for _ in range(400)]
    await append_all(ledger, several)

    assert await by_outcome(counts) == Counter(str(r.outcome) for r in several)
    grouped = await counts.totals(
        group_by=["consumer", "counts"],
        filters={"environment": "production", "outcome": ["success", "unknown"], "counts": True},
    )
    plain = Counter(
        r.consumer
        for r in several
        if r.environment == "production" and r.outcome in {"success", "unknown"} and r.counts
    )
    assert {t.group["consumer"]: t.count for t in grouped} == plain
    assert all(sum(t.latency) == t.count for t in grouped)


async def test_days_and_months_are_those_of_vietnam(ledger: LedgerWriter, counts: UsageReader) -> None:
    instants = [
        datetime(2026, 8, 31, 16, 59, tzinfo=UTC),
        datetime(2026, 8, 31, 17, 0, tzinfo=UTC),
        datetime(2026, 9, 1, 16, 0, tzinfo=UTC),
        datetime(2026, 9, 1, 17, 0, tzinfo=UTC),
    ]
    await append_all(ledger, [a_record(at=int(t.timestamp()) * 1_000_000) for t in instants])

    days = await counts.totals(group_by=["day"])
    months = await counts.totals(group_by=["month"])
    hours = await counts.totals(group_by=["hour"], since=instants[1], until=instants[3])

    assert [(t.group["day"], t.count) for t in days] == [
        (date(2026, 8, 31), 1),
        (date(2026, 9, 1), 2),
        (date(2026, 9, 2), 1),
    ]
    assert [(t.group["month"], t.count) for t in months] == [("2026-08", 1), ("2026-09", 3)]
    assert [t.group["hour"] for t in hours] == instants[1:3]


async def test_usage_of_nothing_is_zero(counts: UsageReader) -> None:
    (total,) = await counts.totals()

    assert total.count == 0
    assert await counts.totals(group_by=["day"]) == []


async def test_unknown_groups_and_filters_are_refused(counts: UsageReader) -> None:
    with pytest.raises(Invalid):
        await counts.totals(group_by=["officer"])
    with pytest.raises(Invalid):
        await counts.totals(filters={"chain": "1"})


async def test_a_daily_quota_counts_what_was_tried_that_day(
    ledger: LedgerWriter, counts: UsageReader
) -> None:
    outcomes = [*Outcome, Outcome.SUCCESS]
    await append_all(ledger, [a_record(grant="g", outcome=outcome) for outcome in outcomes])
    await ledger.append(a_record(grant="g", at=NOON_US - 24 * 3600 * 1_000_000))

    day = NOON.date()

    assert await counts.day_counts(["g", "unused"], day, node=NODE, slot=0) == {"g": (6, 0), "unused": (0, 0)}
    assert await counts.day_counts(["g"], day, node=NODE, slot=1) == {"g": (0, 6)}


async def test_successes_tell_who_with_whom_to_which_database(
    ledger: LedgerWriter, counts: UsageReader
) -> None:
    await append_all(
        ledger,
        [
            a_record(),
            a_record(),
            a_record(counts=False),
            a_record(outcome=Outcome.BUSINESS_FAILURE),
            a_record(national_database=""),
            a_record(at=NOON_US + 48 * 3600 * 1_000_000),
        ],
    )

    (found,) = await counts.successes(NOON.date(), NOON.date())

    assert (found.consumer, found.national_database, found.mode) == (CONSUMERS[0], "database-0", "lgsp")
    assert (found.day, found.count) == (NOON.date(), 2)


async def test_a_rebuild_finds_live_usage_right(ledger: LedgerWriter, counts: UsageReader) -> None:
    rng = seeded(11)
    for _ in range(10):
        await append_all(ledger, [a_random_record(rng) for _ in range(50)])

    rebuilt = await counts.rebuild()

    assert (rebuilt.records, rebuilt.corrected) == (500, 0)


async def test_a_rebuild_gives_the_same_numbers_as_live_counting(
    ledger: LedgerWriter, counts: UsageReader, engine: AsyncEngine
) -> None:
    rng = seeded(13)
    await append_all(ledger, [a_random_record(rng) for _ in range(300)])
    async with engine.connect() as connection:
        live = (await connection.execute(select(usage).order_by(*usage.primary_key))).all()

    async with writing(engine).begin() as connection:
        await connection.execute(delete(usage).where(usage.c.outcome == "success"))
        await connection.execute(update(usage).values(count=usage.c.count + 5))
        await connection.execute(insert(usage).values({**live[0]._mapping, "consumer": "nobody", "count": 9}))
    await append_all(ledger, [record := a_record()])
    await counts.rebuild()

    async with engine.connect() as connection:
        rebuilt = (await connection.execute(select(usage).order_by(*usage.primary_key))).all()
    expected: dict[UsageKey, list[int]] = {UsageKey(row[0], *row[2:13]): list(row[13:]) for row in live}
    add(expected, [counted(record)])
    assert {UsageKey(row[0], *row[2:13]): list(row[13:]) for row in rebuilt} == expected


# --- when the database is away --------------------------------------------------------------------------


async def test_a_file_moved_away_is_noticed_and_its_return_too(
    sqlite_location: Location, tmp_path: Path
) -> None:
    file = tmp_path / "ledger.db"
    async with a_ledger(sqlite_location, tmp_path) as ledger:
        await ledger.append(a_record())
        file.rename(tmp_path / "away.db")
        late = a_record()
        with pytest.raises(LedgerUnavailable):
            await ledger.append(late)
        assert not ledger.writable
        with pytest.raises(LedgerUnavailable):
            await ledger.append(a_record())

        (tmp_path / "away.db").rename(file)
        await until_writable(ledger)
        await ledger.append(a_record())

    engine = open_engine(sqlite_location.ledger)
    reader = EvidenceReader(engine)
    assert (await reader.verify()).records == 4
    (found,) = await reader.get(late.exchange)
    assert (found.record.outcome, found.record.reason) == ("node_failure", "ledger-lost")
    await engine.dispose()


async def test_an_exchange_that_could_not_be_opened_ends_once(
    sqlite_location: Location, tmp_path: Path
) -> None:
    file = tmp_path / "ledger.db"
    opened = an_open()
    async with a_ledger(sqlite_location, tmp_path) as ledger:
        file.rename(tmp_path / "away.db")
        with pytest.raises(LedgerUnavailable):
            await ledger.append(opened)
        ledger.leave(replace(opened, kind="final", outcome=Outcome.NODE_FAILURE, reason="ledger-unavailable"))
        (tmp_path / "away.db").rename(file)
        await until_writable(ledger)

    engine = open_engine(sqlite_location.ledger)
    (found,) = await EvidenceReader(engine).get(opened.exchange)
    assert (found.record.kind, found.record.reason) == ("final", "ledger-unavailable")
    await engine.dispose()


async def test_a_full_queue_refuses_at_once(sqlite_location: Location, tmp_path: Path) -> None:
    backend = SQLiteBackend(tmp_path / "ledger.db", node=NODE, slot=0, data_dir=tmp_path)
    ledger = LedgerWriter(backend, capacity=3)
    await ledger.start()
    (tmp_path / "ledger.db").rename(tmp_path / "away.db")

    with pytest.raises(LedgerUnavailable):
        await ledger.append(a_record())
    ledger.leave(a_record())
    ledger.leave(a_record())
    with pytest.raises(LedgerUnavailable, match="too many"):
        await ledger.append(a_record())

    await ledger.close()
    assert ledger.counters.lost == 3


async def test_a_node_restored_from_a_backup_does_not_fork_its_chain(
    sqlite_location: Location, tmp_path: Path
) -> None:
    async with a_ledger(sqlite_location, tmp_path) as ledger:
        await ledger.append(a_record())
    file, backup = tmp_path / "ledger.db", tmp_path / "backup.db"
    with sqlite3.connect(file) as source, sqlite3.connect(backup) as copy:
        source.backup(copy)
    source.close()
    copy.close()

    heads = []
    for _ in range(2):
        async with a_ledger(sqlite_location, tmp_path) as ledger:
            await ledger.append(a_record())
        heads.append(await the_last_batch(sqlite_location))
        restore(file, backup)

    assert heads[0][0] == heads[1][0] == 2
    assert heads[0][1] < heads[1][1], "two batches of one number must be told apart by their epochs"


def restore(file: Path, backup: Path) -> None:
    for each in file.parent.glob("ledger.db*"):
        each.unlink()
    file.write_bytes(backup.read_bytes())


async def test_who_comes_alone_waits_for_nobody(
    ledger: LedgerWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    gather = ledger._gather

    def counted() -> None:
        waited.append(ledger.counters.last_batch)
        gather()

    monkeypatch.setattr(ledger, "_gather", counted)
    for _ in range(20):
        await ledger.append(a_record())
    assert waited == []

    await asyncio.gather(*(ledger.append(a_record()) for _ in range(20)))
    await asyncio.gather(*(ledger.append(a_record()) for _ in range(20)))
    assert waited
    assert min(waited) > 1
    for _ in range(3):
        await ledger.append(a_record())
    waited.clear()
    for _ in range(20):
        await ledger.append(a_record())

    assert waited == []


async def the_last_batch(where: Location) -> tuple[int, int]:
    engine = open_engine(where.ledger)
    async with engine.connect() as connection:
        row = (await connection.execute(select(batches).order_by(batches.c.number.desc()))).first()
    await engine.dispose()
    assert row is not None
    return row.number, row.epoch


async def test_no_open_exchange_is_remembered_after_its_end(
    ledger: LedgerWriter, engine: AsyncEngine
) -> None:
    opened = an_open()
    await ledger.append(opened)
    await ledger.append(replace(opened, kind="final", outcome=Outcome.SUCCESS))

    async with engine.connect() as connection:
        assert (await connection.execute(select(opens))).all() == []
