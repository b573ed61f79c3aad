"""What a worker does beside requests goes on, whatever happens to one turn of it."""

import asyncio
from collections.abc import Callable
from functools import partial

from gateway.chores import Chore, persist, repeat
from registry.errors import StoreUnavailable


class Work:
    """Fails at first, and counts its turns."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.turns = 0

    async def __call__(self) -> None:
        self.turns += 1
        if self.failures:
            raise self.failures.pop()


class Told:
    """A log that is kept in memory."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def debug(self, event: str, **fields: object) -> None:
        self.events.append(event)

    info = warning = debug


async def some_turns(chore: Chore, enough: Callable[[], bool]) -> list[str]:
    log = Told()
    task = asyncio.ensure_future(persist(chore.name, partial(repeat, chore, log), log))
    try:
        async with asyncio.timeout(5):
            while not enough():
                assert not task.done()
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
    return log.events


async def test_a_database_that_is_away_is_told_once_and_when_it_is_back() -> None:
    work = Work(StoreUnavailable("away"), StoreUnavailable("away"))

    told = await some_turns(Chore(name="keys", seconds=0.01, work=work), lambda: work.turns > 4)

    assert told == ["chore.failed", "chore.recovered"]


async def test_a_fault_of_ours_ends_neither_the_chore_nor_the_node() -> None:
    work = Work(KeyError("a mistake"))

    chore = Chore(name="figures", seconds=0.01, work=work, at_once=True)

    assert await some_turns(chore, lambda: work.turns > 2) == ["background.fault"]


async def test_a_bell_brings_the_next_turn_forward() -> None:
    work, bell = Work(), asyncio.Event()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            some_turns(Chore(name="acknowledge", seconds=60, work=work, bell=bell), lambda: work.turns > 0)
        )
        await asyncio.sleep(0.05)
        assert work.turns == 0
        bell.set()
