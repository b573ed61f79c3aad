"""Signing keys and used assertions are kept alike on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator

import anyio
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from auth.keys import KeyRing, SigningKey
from auth.tokens import issue, verify
from gateway.oauth import KeyWatch
from registry.errors import KeysUnreadable, RegistryError, StoreUnavailable
from registry.sql.database import Location, open_engine
from registry.sql.keys import (
    LEAD_SECONDS,
    MARGIN_SECONDS,
    AssertionStore,
    KeyStore,
    StoredKey,
    signing_keys,
    used_assertions,
)

NODE_KEY = bytes(range(32))
NOW = 1_800_000_000
ISSUER = "https://lgsp.example"


@pytest.fixture
async def engine(database_location: Location) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(database_location.registry)
    yield engine
    await engine.dispose()


def a_store(engine: AsyncEngine) -> KeyStore:
    return KeyStore(engine, NODE_KEY, token_seconds=3600)


def a_token(ring: KeyRing, now: float) -> str:
    return issue(
        ring, issuer=ISSUER, client="c", system="s", environment="sandbox", scope="x", now=now, seconds=3600
    )


async def test_many_processes_that_start_at_once_make_one_key(engine: AsyncEngine) -> None:
    seen: list[str] = []

    async def start() -> None:
        keys = await a_store(engine).ensure(NOW)
        seen.extend(key.kid for key in keys)

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(start)

    assert len(seen) == 6
    assert len(set(seen)) == 1


async def test_a_key_read_back_is_the_one_that_was_made(engine: AsyncEngine) -> None:
    (made,) = await a_store(engine).ensure(NOW)
    (again,) = await a_store(engine).search(NOW)

    assert again == made
    token = a_token(KeyRing([SigningKey.parse(made)]), NOW)
    assert verify(token, KeyRing([SigningKey.parse(again)]), issuer=ISSUER, now=NOW).client == "c"


async def test_the_private_key_is_not_readable_in_the_database(engine: AsyncEngine) -> None:
    (made,) = await a_store(engine).ensure(NOW)
    async with engine.connect() as connection:
        (sealed,) = (await connection.execute(select(signing_keys.c.sealed))).one()

    assert made.private[-32:] not in sealed


async def test_another_node_key_opens_nothing(engine: AsyncEngine) -> None:
    await a_store(engine).ensure(NOW)

    with pytest.raises(KeysUnreadable):
        await KeyStore(engine, bytes(32)).search(NOW)


async def test_a_rotated_key_is_known_before_it_signs_and_the_old_one_ends_after_its_last_token(
    engine: AsyncEngine,
) -> None:
    store = a_store(engine)
    (old,) = await store.ensure(NOW)
    new = await store.rotate(NOW)

    keys = await store.search(NOW)

    assert [key.kid for key in keys] == [new.kid, old.kid]
    assert new.active_from == NOW + LEAD_SECONDS
    assert keys[1].verifies_until == NOW + LEAD_SECONDS + 3600 + MARGIN_SECONDS
    assert [key.kid for key in await store.search(keys[1].verifies_until)] == [new.kid]


async def test_a_leaked_key_ends_at_once(engine: AsyncEngine) -> None:
    store = a_store(engine)
    await store.ensure(NOW)
    pending = await store.rotate(NOW)
    new = await store.rotate(NOW, lead_seconds=0, overlap_seconds=0)

    assert [key.kid for key in await store.search(NOW)] == [new.kid]
    assert pending.kid != new.kid


async def test_rotations_at_the_same_moment_leave_one_newest_key(engine: AsyncEngine) -> None:
    await a_store(engine).ensure(NOW)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(a_store(engine).rotate, NOW)

    keys = await a_store(engine).search(NOW)
    open_ended = [key.kid for key in keys if key.verifies_until is None]
    ring = KeyRing(SigningKey.parse(key) for key in keys)
    assert open_ended == [ring.current(NOW + LEAD_SECONDS).kid]


async def test_keys_that_verify_nothing_any_more_are_deleted(engine: AsyncEngine) -> None:
    store = a_store(engine)
    await store.ensure(NOW)
    await store.rotate(NOW)
    await store.rotate(NOW + 100_000)

    async with engine.connect() as connection:
        kept = (await connection.execute(select(signing_keys.c.number))).scalars().all()
    assert sorted(kept) == [2, 3]


async def test_another_worker_sees_a_new_key_before_it_signs(engine: AsyncEngine) -> None:
    first, second = KeyRing(), KeyRing()
    one, other = (KeyWatch(a_store(engine), ring, now=lambda: NOW) for ring in (first, second))
    await one.open()
    await other.open()
    failures: list[RegistryError] = []
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: other.run(failures.append, poll_seconds=0.02))
        kid = await one.rotate()
        with anyio.fail_after(5):
            while kid not in second.kids():  # noqa: ASYNC110  (another worker would have no event either)
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()

    later = NOW + LEAD_SECONDS
    assert verify(a_token(first, later), second, issuer=ISSUER, now=later).client == "c"
    assert first.current(NOW).kid != kid == first.current(later).kid
    assert failures == []


async def test_of_many_replays_at_once_one_is_let_through(engine: AsyncEngine) -> None:
    stores = [AssertionStore(engine), AssertionStore(engine)]
    answers: list[bool] = []

    async def use(store: AssertionStore) -> None:
        answers.append(await store.use_once("jti-1", "client-1", NOW + 60))

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(use, stores[number % 2])

    assert sorted(answers) == [False] * 19 + [True]


async def test_two_clients_may_use_the_same_jti(engine: AsyncEngine) -> None:
    store = AssertionStore(engine)

    assert await store.use_once("jti-1", "client-1", NOW + 60)
    assert await store.use_once("jti-1", "client-2", NOW + 60)


async def test_assertions_are_forgotten_after_they_have_expired(engine: AsyncEngine) -> None:
    clock = [float(NOW)]
    store = AssertionStore(engine, now=lambda: clock[0])
    await store.use_once("old", "client-1", NOW + 60)
    await store.use_once("living", "client-1", NOW + 1000)
    clock[0] += 300
    await store.use_once("new", "client-1", NOW + 360)

    async with engine.connect() as connection:
        kept = (await connection.execute(select(used_assertions.c.jti))).scalars().all()
    assert sorted(kept) == ["living", "new"]
    assert not await store.use_once("living", "client-1", NOW + 1000)


async def test_a_database_that_is_gone_is_said_to_be() -> None:
    engine = open_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    try:
        with pytest.raises(StoreUnavailable):
            await AssertionStore(engine).use_once("jti", "client", NOW)
        with pytest.raises(StoreUnavailable):
            await a_store(engine).search(NOW)
    finally:
        await engine.dispose()


def test_a_stored_key_shows_no_secret() -> None:
    key = StoredKey(number=1, kid="k", private=b"hidden", active_from=0, verifies_until=None)

    assert "hidden" not in repr(key)
