"""Months are archived and dropped, and the ledger verifies across the gap, with the archive and without."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from registry.errors import ChainBroken, NotFound, WrongState
from registry.months import bounds, month_of
from registry.sql.database import Location, location, writing
from registry.sql.evidence import EvidenceReader
from registry.sql.ledger_keys import now_us
from registry.sql.ledger_tables import records, salts, segments
from registry.sql.proofs import Proofs
from registry.sql.segments import Archive, Dropped, Segments, archives, sha256_of
from registry.sql.usage import UsageReader
from registry.verification import verify
from tests.exports import NODE, NODE_KEY, ProvenLedger, check, fill, proven_ledger, record_at, seen
from tests.records import an_open

NOW = now_us()
MONTH = month_of(NOW)
AFTER = bounds(MONTH)[1]


@pytest.fixture
async def ledger(database_location: Location, tmp_path: Path) -> AsyncIterator[ProvenLedger]:
    """A ledger as it is seen when the month in which it was filled is over."""
    async with proven_ledger(database_location, tmp_path) as opened:
        opened.proofs = Proofs(opened.engine, NODE_KEY, node=NODE, now=lambda: AFTER + 3_600_000_000)
        yield opened


async def archived(ledger: ProvenLedger, folder: Path, *, month: str = MONTH) -> Path:
    file = folder / f"{month}.jsonl"
    file.write_bytes(await ledger.export(month=month, with_salts=True))
    return file


async def drop(ledger: ProvenLedger, file: Path, *, month: str = MONTH) -> Dropped:
    archive = Archive(file, month, now=ledger.proofs.keys.now())
    return await Segments(ledger.engine, ledger.proofs.keys).drop(archive)


async def a_filled_month(ledger: ProvenLedger) -> None:
    """Two chains with a month, and one of them goes on in the next."""
    await ledger.write(*(seen() for _ in range(3)))
    await ledger.write(seen(), slot=1)
    await ledger.write(seen())
    await ledger.write(record_at(seen(), AFTER + 1))
    await ledger.checkpoint()


async def test_an_archive_holds_a_whole_month_and_proves_itself(ledger: ProvenLedger) -> None:
    await a_filled_month(ledger)

    report = verify(
        (await ledger.export(month=MONTH, with_salts=True)).splitlines(keepends=True),
        now=AFTER + 7_200_000_000,
    )

    assert report.flaws == []
    assert len(report.records) == 5
    assert all(held.holds and held.salt for held in report.records)


async def test_a_month_that_is_not_over_is_not_archived(sqlite_location: Location, tmp_path: Path) -> None:
    async with proven_ledger(sqlite_location, tmp_path) as ledger:
        await ledger.write(seen())

        with pytest.raises(ValueError, match="not over"):
            await ledger.export(month=MONTH)


async def test_a_dropped_month_leaves_heads_totals_and_usage(ledger: ProvenLedger, tmp_path: Path) -> None:
    await a_filled_month(ledger)
    evidence, counts = EvidenceReader(ledger.engine), UsageReader(ledger.engine)
    before = await counts.totals(group_by=["hour", "outcome"])
    file = await archived(ledger, tmp_path)

    done = await drop(ledger, file)

    assert (done.chains, done.records) == (2, 5)
    verified = await evidence.verify()
    assert (verified.records, verified.dropped, verified.checkpoints) == (1, done.batches, 1)
    assert await counts.totals(group_by=["hour", "outcome"]) == before
    rebuilt = await counts.rebuild()
    assert (rebuilt.records, rebuilt.corrected) == (1, 0)
    assert list(await archives(ledger.engine, NODE)) == [sha256_of(file)]
    async with ledger.engine.connect() as connection:
        assert (await connection.execute(select(salts).where(salts.c.chain == 2))).all() == []


async def test_the_chain_goes_on_after_the_gap_and_is_exported(ledger: ProvenLedger, tmp_path: Path) -> None:
    await a_filled_month(ledger)
    gone = (
        check(
            await ledger.export(),
        )
        .records[0]
        .record
    )
    await drop(ledger, await archived(ledger, tmp_path))

    await ledger.write(later := record_at(seen(), AFTER + 2))
    await ledger.write(record_at(seen(), AFTER + 3), slot=1)

    export = await ledger.export(exchanges=(later.exchange,))
    report = verify(export.splitlines(keepends=True), now=AFTER + 7_200_000_000)
    assert (report.flaws, len(report.records)) == ([], 1)
    assert (await EvidenceReader(ledger.engine).verify()).records == 3
    with pytest.raises(NotFound):
        await EvidenceReader(ledger.engine).get(gone.exchange)


async def test_dropping_again_does_nothing_more(ledger: ProvenLedger, tmp_path: Path) -> None:
    await a_filled_month(ledger)
    file = await archived(ledger, tmp_path)
    await drop(ledger, file)

    await drop(ledger, file)

    assert (await UsageReader(ledger.engine).rebuild()).corrected == 0


async def test_months_are_dropped_one_after_the_other(ledger: ProvenLedger, tmp_path: Path) -> None:
    await a_filled_month(ledger)
    following = month_of(AFTER)
    end = bounds(following)[1]
    await ledger.write(record_at(seen(), end + 1))
    ledger.proofs = Proofs(ledger.engine, NODE_KEY, node=NODE, now=lambda: end + 3_600_000_000)
    first, second = [await archived(ledger, tmp_path, month=month) for month in (MONTH, following)]

    with pytest.raises(WrongState, match="earlier month"):
        await drop(ledger, second, month=following)
    await drop(ledger, first)
    assert (await drop(ledger, second, month=following)).records == 1

    verified = await EvidenceReader(ledger.engine).verify()
    assert verified.records == 1
    assert (await UsageReader(ledger.engine).rebuild()).corrected == 0


async def test_an_exchange_that_is_still_open_keeps_its_month(ledger: ProvenLedger, tmp_path: Path) -> None:
    await ledger.write(an_open(at=NOW))
    await ledger.write(record_at(seen(), AFTER + 1))

    with pytest.raises(WrongState, match="has not ended"):
        await drop(ledger, await archived(ledger, tmp_path))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: data[:-1], id="cut off"),
        pytest.param(lambda data: data.replace(b'status\\":200', b'status\\":201', 1), id="changed"),
        pytest.param(lambda data: b"".join(data.splitlines(keepends=True)[:4]), id="cut short"),
    ],
)
async def test_a_spoilt_archive_drops_nothing(
    ledger: ProvenLedger, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    await a_filled_month(ledger)
    file = await archived(ledger, tmp_path)
    file.write_bytes(spoil(file.read_bytes()))

    with pytest.raises(WrongState, match="does not prove itself"):
        await drop(ledger, file)

    assert (await EvidenceReader(ledger.engine).verify()).records == 6


async def test_an_export_is_no_archive(ledger: ProvenLedger, tmp_path: Path) -> None:
    await a_filled_month(ledger)
    file = tmp_path / "export"
    file.write_bytes(await ledger.export())

    with pytest.raises(WrongState, match="not the archive"):
        await drop(ledger, file)


async def test_an_archive_of_another_ledger_drops_nothing(
    ledger: ProvenLedger, tmp_path: Path, sqlite_template: Path
) -> None:
    await a_filled_month(ledger)
    for file in sqlite_template.iterdir():
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / file.name).write_bytes(file.read_bytes())
    async with proven_ledger(location(None, tmp_path / "other"), tmp_path / "other") as other:
        other.proofs = Proofs(other.engine, NODE_KEY, node=NODE, now=ledger.proofs.keys.now)
        await a_filled_month(other)
        file = await archived(other, tmp_path)

    with pytest.raises(WrongState, match="not one of this node"):
        await drop(ledger, file)


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(delete(segments), id="the statement gone"),
        pytest.param(update(segments).values(signature=bytes(64)), id="unsigned"),
        pytest.param(update(segments).values(body=b"{}"), id="no statement"),
        pytest.param(
            text(
                "UPDATE segments SET header = (SELECT header FROM segments s WHERE s.chain <> segments.chain)"
            ),
            id="another end",
        ),
    ],
)
async def test_tampering_with_a_dropped_month_is_found(
    ledger: ProvenLedger, tmp_path: Path, tamper: Any
) -> None:
    await a_filled_month(ledger)
    await drop(ledger, await archived(ledger, tmp_path))
    await EvidenceReader(ledger.engine).verify()

    async with writing(ledger.engine).begin() as connection:
        await connection.execute(tamper)

    with pytest.raises(ChainBroken):
        await EvidenceReader(ledger.engine).verify()


async def test_two_keys_and_many_checkpoints_are_archived_as_well(
    ledger: ProvenLedger, tmp_path: Path
) -> None:
    await fill(ledger)

    done = await drop(ledger, await archived(ledger, tmp_path))

    async with ledger.engine.connect() as connection:
        left = len((await connection.execute(select(records))).all())
    assert (done.records + left, (await EvidenceReader(ledger.engine).verify()).records) == (19, left)


@pytest.mark.parametrize(
    ("month", "start", "end"),
    [
        ("2026-10", "2026-09-30T17:00:00+00:00", "2026-10-31T17:00:00+00:00"),
        ("2026-12", "2026-11-30T17:00:00+00:00", "2026-12-31T17:00:00+00:00"),
    ],
)
def test_months_are_those_of_vietnam(month: str, start: str, end: str) -> None:
    expected = tuple(int(datetime.fromisoformat(each).timestamp()) * 1_000_000 for each in (start, end))
    assert bounds(month) == expected
    assert (month_of(expected[0]), month_of(expected[1] - 1)) == (month, month)


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "2026-1", "1970-01", "2026-10-01", "２０２６-10"])
def test_other_texts_are_no_months(month: str) -> None:
    with pytest.raises(ValueError, match="not a month"):
        bounds(month)
