"""Finding exchanges by their data subject, on both databases."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from registry.errors import ChainBroken, Invalid
from registry.evidence import Outcome, Record
from registry.sql.database import Location, open_engine
from registry.sql.ledger import EvidenceReader, open_ledger
from registry.sql.ledger_tables import records
from registry.sql.subjects import SubjectReader
from tests.records import NOON_US, a_record, an_open

PERSON, SAME_PERSON, OTHER = "a" * 64, "b" * 64, "c" * 64
"""Two keys give one person two names."""
NOON = datetime.fromtimestamp(NOON_US / 1e6, UTC)


@pytest.fixture
async def engine(database_location: Location) -> AsyncIterator[AsyncEngine]:
    made = open_engine(database_location.ledger)
    yield made
    await made.dispose()


async def keep(where: Location, folder: Path, *kept: Record) -> None:
    async with open_ledger(where.ledger, node="H26", data_dir=folder) as ledger:
        for record in kept:
            await ledger.append(record)


def about(name: str, minute: int = 0, **given: object) -> Record:
    at = NOON_US + minute * 60_000_000
    return a_record(at=at, subject=name, subject_key="key", **given)


async def test_a_person_is_found_under_every_name_the_newest_first(
    database_location: Location, engine: AsyncEngine, tmp_path: Path
) -> None:
    kept = [
        about(PERSON, 1),
        about(OTHER, 2),
        about(SAME_PERSON, 3, outcome=Outcome.REFUSED),
        about(PERSON, 2, consumer="consumer-3"),
        a_record(),
    ]
    await keep(database_location, tmp_path, *kept)

    page = await SubjectReader(engine).search([PERSON, SAME_PERSON])

    assert [record.exchange for record in page.items] == [kept[i].exchange for i in (2, 3, 0)]
    assert page.next is None


async def test_without_a_name_nobody_is_found(
    database_location: Location, engine: AsyncEngine, tmp_path: Path
) -> None:
    await keep(database_location, tmp_path, about(PERSON), a_record())

    for names in ([], [""], [OTHER]):
        assert (await SubjectReader(engine).search(names)).items == []


async def test_an_exchange_stands_once_also_when_it_was_opened_first(
    database_location: Location, engine: AsyncEngine, tmp_path: Path
) -> None:
    opened = an_open(subject=PERSON, subject_key="key")
    await keep(database_location, tmp_path, opened, about(PERSON, exchange=opened.exchange))

    page = await SubjectReader(engine).search([PERSON])

    assert [record.kind for record in page.items] == ["final"]


async def test_what_a_crash_left_open_is_found_as_unknown(
    database_location: Location, engine: AsyncEngine, tmp_path: Path
) -> None:
    await keep(database_location, tmp_path, an_open(subject=PERSON, subject_key="key"))
    await keep(database_location, tmp_path)

    page = await SubjectReader(engine).search([PERSON])

    assert [(record.outcome, record.subject_key) for record in page.items] == [(Outcome.UNKNOWN, "key")]


async def test_pages_follow_each_other_without_gap_or_repetition(
    database_location: Location, engine: AsyncEngine, tmp_path: Path
) -> None:
    kept = [about(PERSON, minute // 2) for minute in range(11)]
    await keep(database_location, tmp_path, *kept)
    reader, seen, cursor = SubjectReader(engine), [], None

    for _ in range(6):
        page = await reader.search([PERSON], cursor=cursor, limit=2)
        seen += [record.exchange for record in page.items]
        cursor = page.next

    assert cursor is None
    assert sorted(seen) == sorted(record.exchange for record in kept)
    assert len(set(seen)) == 11


async def test_only_the_exchanges_of_some_systems_and_of_a_time(
    database_location: Location, engine: AsyncEngine, tmp_path: Path
) -> None:
    kept = [
        about(PERSON, 1, consumer="ours"),
        about(PERSON, 2, provider="ours"),
        about(PERSON, 3),
        about(PERSON, 60, consumer="ours"),
    ]
    await keep(database_location, tmp_path, *kept)
    reader = SubjectReader(engine)

    ours = await reader.search([PERSON], systems={"ours"})
    within = await reader.search([PERSON], since=NOON + timedelta(minutes=2), until=NOON + timedelta(hours=1))
    limited = await reader.search([PERSON], systems={"ours"}, limit=1)

    assert [record.exchange for record in ours.items] == [kept[i].exchange for i in (3, 1, 0)]
    assert [record.exchange for record in within.items] == [kept[i].exchange for i in (2, 1)]
    assert (await reader.search([PERSON], systems=frozenset())).items == []
    assert (await reader.search([PERSON], systems={"ours"}, cursor=limited.next)).items == ours.items[1:]


@pytest.mark.parametrize("cursor", ["", "x", "1", "1.", "-1.x", "9" * 30 + ".x"])
async def test_a_made_up_cursor_is_refused(engine: AsyncEngine, cursor: str) -> None:
    with pytest.raises(Invalid):
        await SubjectReader(engine).search([PERSON], cursor=cursor)


async def test_who_hides_a_look_up_from_the_index_is_found_out(
    database_location: Location, engine: AsyncEngine, tmp_path: Path
) -> None:
    await keep(database_location, tmp_path, about(PERSON))
    async with engine.begin() as connection:
        await connection.execute(update(records).values(subject=None))

    with pytest.raises(ChainBroken):
        await EvidenceReader(engine).verify()


async def test_records_without_a_subject_stand_in_no_index(
    database_location: Location, engine: AsyncEngine, tmp_path: Path
) -> None:
    await keep(database_location, tmp_path, about(PERSON), *(a_record() for _ in range(50)))
    async with engine.begin() as connection:
        held = (
            await connection.execute(text("SELECT count(*) FROM records WHERE subject IS NOT NULL"))
        ).scalar()
        if connection.dialect.name == "sqlite":
            plan = await connection.execute(
                text(
                    "EXPLAIN QUERY PLAN SELECT body FROM records WHERE subject IN ('a', 'b') ORDER BY at DESC"
                )
            )
            assert "ix_records_subject" in str(plan.all())

    assert held == 1
