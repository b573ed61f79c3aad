"""Many random days with many crashes: usage agrees with the evidence to the last byte, on both databases."""

from pathlib import Path

import pytest

from registry.sql.database import Location, open_engine
from registry.sql.ledger import EvidenceReader, UsageReader
from tests.faults.days import counted_again, counted_by_the_ledger, crash, recover
from tests.records import seeded

pytestmark = pytest.mark.faults


async def test_usage_equals_evidence_after_every_crash(
    database_location: Location, tmp_path: Path, rounds: int
) -> None:
    rng = seeded(rounds)
    engine = open_engine(database_location.ledger)
    try:
        for seed in range(rounds):
            await crash(database_location, tmp_path, seed, rng)
            if seed % 10 == 9 or seed == rounds - 1:
                await recover(database_location, tmp_path)
                told, kinds = await counted_again(engine)
                assert told == await counted_by_the_ledger(engine)
                rebuilt = await UsageReader(engine).rebuild()
                assert (rebuilt.records, rebuilt.corrected) == (kinds["final"], 0)
        await EvidenceReader(engine).verify()
    finally:
        await engine.dispose()
