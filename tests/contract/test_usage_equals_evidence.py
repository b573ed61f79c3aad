"""Usage is what the evidence says, whatever crashes; and damage done by hand is found and mended, no more and no less."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import and_, delete, insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from registry.sql.database import Location, open_engine, writing
from registry.sql.ledger import EvidenceReader, UsageReader
from registry.sql.ledger_tables import usage
from tests.faults.days import counted_again, counted_by_the_ledger, crash, recover, usage_rows
from tests.records import seeded

CRASHES = 3


@pytest.fixture
async def engine(database_location: Location) -> AsyncIterator[AsyncEngine]:
    made = open_engine(database_location.ledger)
    yield made
    await made.dispose()


def at(row: Any) -> Any:
    return and_(*(column == row._mapping[column.name] for column in usage.primary_key))


async def test_a_day_with_crashes_is_counted_as_it_was_and_damage_is_mended(
    database_location: Location, engine: AsyncEngine, tmp_path: Path
) -> None:
    rng = seeded(8)
    for seed in range(CRASHES):
        await crash(database_location, tmp_path, seed, rng)
    await recover(database_location, tmp_path)

    told, kinds = await counted_again(engine)
    assert kinds["final"] > 100
    assert kinds["open"] > 20
    assert told == await counted_by_the_ledger(engine)
    rebuilt = await UsageReader(engine).rebuild()
    assert (rebuilt.records, rebuilt.corrected) == (kinds["final"], 0)
    await EvidenceReader(engine).verify()

    await _check_that_damage_is_mended(engine)


async def _check_that_damage_is_mended(engine: AsyncEngine) -> None:
    before = await usage_rows(engine)
    more, bytes_, slower, dropped, other = before[:5]
    made_up = dict(before[5]._mapping) | {"grant": "made-up", "count": 3}
    async with writing(engine).begin() as connection:
        await connection.execute(update(usage).where(at(more)).values(count=usage.c["count"] + 5))
        await connection.execute(update(usage).where(at(bytes_)).values(reply_bytes=0, request_bytes=1))
        await connection.execute(update(usage).where(at(slower)).values(latency_slower=99))
        await connection.execute(delete(usage).where(at(dropped)))
        await connection.execute(update(usage).where(at(other)).values(outcome="invented"))
        await connection.execute(insert(usage).values(made_up))

    mended = await UsageReader(engine).rebuild()

    # The row whose outcome was changed is missing in one place and too much in another.
    assert mended.corrected == 7
    assert await usage_rows(engine) == before
    assert (await UsageReader(engine).rebuild()).corrected == 0
