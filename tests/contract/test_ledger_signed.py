"""Signed batches and checkpoints keep their promises on SQLite and on PostgreSQL alike."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from registry.errors import ChainBroken, KeysUnreadable, LedgerUnavailable, SlotTaken
from registry.signing import KeyList, Signer
from registry.sql.checkpoints import Checkpoints
from registry.sql.database import Location, open_engine, writing
from registry.sql.evidence import EvidenceReader
from registry.sql.ledger import open_ledger
from registry.sql.ledger_keys import LedgerKeys, now_us, open_signer
from registry.sql.ledger_tables import batches, checkpoints, keys, metadata
from registry.writer import LedgerWriter
from tests.exports import proven_ledger, seen
from tests.records import a_record, an_open, until_writable

NODE = "H26"
NODE_KEY = bytes(range(32))


@pytest.fixture
async def engine(database_location: Location) -> AsyncIterator[AsyncEngine]:
    opened = open_engine(database_location.ledger)
    yield opened
    await opened.dispose()


@pytest.fixture
async def ledger_keys(engine: AsyncEngine) -> LedgerKeys:
    return LedgerKeys(engine, NODE_KEY, node=NODE)


@pytest.fixture
async def signer(ledger_keys: LedgerKeys) -> Signer:
    return await ledger_keys.signer()


@pytest.fixture
async def taking(engine: AsyncEngine, ledger_keys: LedgerKeys) -> Checkpoints:
    return Checkpoints(engine, ledger_keys)


@pytest.fixture
async def evidence(engine: AsyncEngine) -> EvidenceReader:
    return EvidenceReader(engine)


@pytest.fixture
async def ledger(database_location: Location, tmp_path: Path, signer: Signer) -> AsyncIterator[LedgerWriter]:
    async with open_ledger(database_location.ledger, node=NODE, data_dir=tmp_path, signer=signer) as opened:
        yield opened


async def run(engine: AsyncEngine, statement: Any) -> None:
    async with writing(engine).begin() as connection:
        await connection.execute(statement)


async def test_the_migrations_make_the_tables_that_the_code_knows(engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {"include_name": lambda name, kind, _: kind != "table" or name in metadata.tables}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []


# --- signatures -----------------------------------------------------------------------------------------


async def test_every_batch_is_signed_with_the_nodes_key(
    ledger: LedgerWriter, evidence: EvidenceReader, ledger_keys: LedgerKeys, engine: AsyncEngine
) -> None:
    for _ in range(3):
        await ledger.append(a_record())

    (key,) = await ledger_keys.introductions()
    async with engine.connect() as connection:
        rows = (await connection.execute(select(batches))).all()
    assert {row.key for row in rows} == {key.statement.id}
    assert (await evidence.verify()).batches == 3


async def test_a_chain_goes_on_with_a_new_key_and_verifies_across_it(
    ledger: LedgerWriter,
    evidence: EvidenceReader,
    ledger_keys: LedgerKeys,
    signer: Signer,
    engine: AsyncEngine,
) -> None:
    await ledger.append(a_record())
    made = await ledger_keys.rotate()
    await ledger_keys.refresh(signer)
    # Dated when the new key has begun: the chain's time never runs backwards, so all that follows is, too.
    await ledger.append(a_record(at=made.statement.start))
    await ledger.append(a_record())

    async with engine.connect() as connection:
        used = (await connection.execute(select(batches.c.key).order_by(batches.c.number))).scalars().all()
    first, second = [each.statement.id for each in await ledger_keys.introductions()]
    assert used == [first, second, second]
    assert (await evidence.verify()).records == 3


async def test_what_the_old_key_signs_after_its_time_is_refused(
    ledger: LedgerWriter, evidence: EvidenceReader, ledger_keys: LedgerKeys
) -> None:
    made = await ledger_keys.rotate(leaked=True)
    # The writer is not told: as a process that goes on with a stolen or forgotten key.
    await ledger.append(a_record(at=made.statement.retires))

    with pytest.raises(ChainBroken, match="outside its time"):
        await evidence.verify()


async def test_keys_that_sign_no_more_lose_their_private_halves(
    signer: Signer, ledger_keys: LedgerKeys, engine: AsyncEngine
) -> None:
    await ledger_keys.rotate()
    in_an_hour = LedgerKeys(engine, NODE_KEY, node=NODE, now=lambda: now_us() + 3_600_000_000)
    await in_an_hour.rotate()
    await ledger_keys.refresh(signer)

    async with engine.connect() as connection:
        kept = (await connection.execute(select(keys).order_by(keys.c.number))).all()
    assert [bool(row.sealed) for row in kept] == [False, True, True]
    assert len(KeyList(await ledger_keys.introductions())) == 3


async def test_many_processes_at_once_make_one_first_key(database_location: Location) -> None:
    found = await asyncio.gather(
        *(open_signer(database_location.ledger, NODE_KEY, node=NODE) for _ in range(5))
    )

    assert len({signer.key_at(now_us()).id for signer in found}) == 1


async def test_keys_sealed_under_another_node_key_are_refused(signer: Signer, engine: AsyncEngine) -> None:
    del signer
    with pytest.raises(KeysUnreadable):
        await LedgerKeys(engine, bytes(32), node=NODE).signer()


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(update(batches).values(signature=bytes(64)), id="another signature"),
        pytest.param(update(batches).where(batches.c.number == 2).values(key=b"", signature=b""), id="none"),
        pytest.param(update(keys).values(signature=bytes(64)), id="a key unsigned"),
        pytest.param(delete(keys), id="the keys gone"),
    ],
)
async def test_tampering_with_signatures_is_found(
    ledger: LedgerWriter, evidence: EvidenceReader, engine: AsyncEngine, tamper: Any
) -> None:
    for _ in range(3):
        await ledger.append(a_record())
    await evidence.verify()

    await run(engine, tamper)

    with pytest.raises(ChainBroken):
        await evidence.verify()


async def test_a_ledger_from_before_there_were_keys_goes_on_signed(
    database_location: Location, tmp_path: Path, evidence: EvidenceReader
) -> None:
    async with open_ledger(database_location.ledger, node=NODE, data_dir=tmp_path) as unsigned:
        await unsigned.append(left := an_open())
    signer = await open_signer(database_location.ledger, NODE_KEY, node=NODE)
    async with open_ledger(database_location.ledger, node=NODE, data_dir=tmp_path, signer=signer) as signed:
        await signed.append(a_record())

    assert len(await evidence.get(left.exchange)) == 2
    assert (await evidence.verify()).batches == 3


async def test_a_clock_that_was_moved_back_stops_nobody(
    database_location: Location, tmp_path: Path, signer: Signer, evidence: EvidenceReader, engine: AsyncEngine
) -> None:
    ahead = now_us() + 3_600_000_000
    for at in (ahead, 0):
        async with open_ledger(
            database_location.ledger, node=NODE, data_dir=tmp_path, signer=signer
        ) as ledger:
            await ledger.append(a_record(at=at))

    async with engine.connect() as connection:
        dated = (await connection.execute(select(batches.c.at).order_by(batches.c.number))).scalars().all()
    assert dated == [ahead, ahead]
    await evidence.verify()


async def test_two_writers_of_one_slot_are_refused_also_when_they_sign(
    ledger: LedgerWriter, database_location: Location, tmp_path: Path, signer: Signer
) -> None:
    with pytest.raises(SlotTaken):
        async with open_ledger(database_location.ledger, node=NODE, data_dir=tmp_path, signer=signer):
            pass
    assert ledger.writable


async def test_a_ledger_that_was_made_read_only_refuses_clearly_and_loses_nothing(
    postgres_location: Location, tmp_path: Path
) -> None:
    async with proven_ledger(postgres_location, tmp_path) as ledger:
        await ledger.write(seen())
        writer = await ledger.writer()
        await read_only(ledger.engine, "on")

        refused = seen()
        with pytest.raises(LedgerUnavailable, match="read-only"):
            await writer.append(refused)
        with pytest.raises(LedgerUnavailable, match="read-only"):
            await writer.append(seen())
        assert not writer.writable

        await read_only(ledger.engine, "off")
        await until_writable(writer)
        await ledger.write(seen())
        (final,) = await EvidenceReader(ledger.engine).get(refused.exchange)
        assert (final.record.outcome, final.record.reason) == ("node_failure", "ledger-lost")
        assert (await EvidenceReader(ledger.engine).verify()).records == 4


async def read_only(engine: AsyncEngine, setting: str) -> None:
    """Set what new sessions may do, and end the writer's."""
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        name = (await connection.execute(text("SELECT current_database()"))).scalar_one()
        await connection.execute(text("SET default_transaction_read_only = off"))
        await connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = {setting}"))
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lgsp ledger'"
            )
        )


# --- checkpoints ----------------------------------------------------------------------------------------


async def test_a_checkpoint_lists_the_heads_of_all_chains(
    ledger: LedgerWriter, database_location: Location, tmp_path: Path, signer: Signer, taking: Checkpoints,
    engine: AsyncEngine,
) -> None:  # fmt: skip
    async with open_ledger(
        database_location.ledger, node=NODE, data_dir=tmp_path, signer=signer, slot=1
    ) as other:
        await ledger.append(a_record())
        await ledger.append(a_record())
        await other.append(a_record())

    made = await taking.take_when_due()

    assert made is not None
    async with engine.connect() as connection:
        heads = (await connection.execute(select(batches.c.number, batches.c.head))).all()
    assert [(chain.slot, chain.number) for chain in made.chains] == [(0, 2), (1, 1)]
    assert {chain.head for chain in made.chains} <= {head for _, head in heads}
    assert await taking.latest() == made


async def test_one_of_many_workers_takes_the_checkpoint(ledger: LedgerWriter, taking: Checkpoints) -> None:
    await ledger.append(a_record())

    taken = await asyncio.gather(*(taking.take_when_due() for _ in range(8)))

    assert len([each for each in taken if each is not None]) == 1
    assert await taking.take_when_due() is None


async def test_a_checkpoint_is_due_once_a_minute(
    ledger: LedgerWriter, ledger_keys: LedgerKeys, taking: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.append(a_record())
    first = await taking.take_when_due()
    assert first is not None
    taken = []
    for seconds in (0.0, 30.0, 59.999, 60.0, 60.1, 119.0, 120.0):
        monkeypatch.setattr(ledger_keys, "now", lambda at=first.at + int(seconds * 1_000_000): at)
        made = await taking.take_when_due()
        taken.append(None if made is None else (made.number, (made.at - first.at) / 1_000_000))

    assert taken == [None, None, None, (2, 60.0), None, None, (3, 120.0)]


async def test_checkpoints_follow_each_other_and_verify(
    ledger: LedgerWriter, taking: Checkpoints, evidence: EvidenceReader
) -> None:
    for _ in range(3):
        await ledger.append(a_record())
        await taking.covering_all()
    assert (await taking.covering_all()).number == 3

    assert (await evidence.verify()).checkpoints == 3


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(update(checkpoints).values(signature=bytes(64)), id="another signature"),
        pytest.param(update(checkpoints).values(at=checkpoints.c.at + 1), id="another time"),
        pytest.param(update(checkpoints).values(body=b"{}"), id="no checkpoint"),
        pytest.param(delete(checkpoints).where(checkpoints.c.number == 2), id="one gone"),
        pytest.param(delete(checkpoints).where(checkpoints.c.number == 1), id="the first one gone"),
    ],
)
async def test_tampering_with_checkpoints_is_found(
    ledger: LedgerWriter, taking: Checkpoints, evidence: EvidenceReader, engine: AsyncEngine, tamper: Any
) -> None:
    for _ in range(3):
        await ledger.append(a_record())
        await taking.covering_all()
    await evidence.verify()

    await run(engine, tamper)

    with pytest.raises(ChainBroken):
        await evidence.verify()


async def test_a_chain_cut_off_behind_a_checkpoint_is_found(
    ledger: LedgerWriter, taking: Checkpoints, evidence: EvidenceReader, engine: AsyncEngine
) -> None:
    await ledger.append(a_record())
    await ledger.append(a_record())
    await taking.covering_all()

    await run(engine, delete(batches).where(batches.c.number == 2))
    await run(engine, text("DELETE FROM records WHERE batch = 2"))
    async with engine.connect() as connection:
        head = (await connection.execute(select(batches.c.head))).scalar_one()
    await run(engine, text("UPDATE chains SET number = 1, head = :head").bindparams(head=head))

    with pytest.raises(ChainBroken, match="ends before it"):
        await evidence.verify()
