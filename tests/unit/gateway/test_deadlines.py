"""Deadlines on one timer."""

import asyncio
from time import monotonic

import pytest

from gateway.deadlines import Deadlines


async def test_what_takes_too_long_times_out() -> None:
    deadlines = Deadlines()
    started = monotonic()
    with pytest.raises(TimeoutError), deadlines.until(started + 0.1):
        await asyncio.sleep(5)

    assert 0.1 <= monotonic() - started < 0.3


async def test_what_is_in_time_is_left_alone() -> None:
    deadlines = Deadlines()
    with deadlines.until(monotonic() + 0.05):
        await asyncio.sleep(0)
    await asyncio.sleep(0.2)

    assert deadlines._timer is None


async def test_a_moment_that_has_passed_ends_the_next_wait() -> None:
    with pytest.raises(TimeoutError), Deadlines().until(monotonic() - 1):
        await asyncio.sleep(5)


async def test_an_inner_deadline_does_not_end_the_outer_block() -> None:
    deadlines = Deadlines()
    with deadlines.until(monotonic() + 5):
        with pytest.raises(TimeoutError), deadlines.until(monotonic() + 0.05):
            await asyncio.sleep(5)
        await asyncio.sleep(0.1)


async def test_somebody_elses_cancellation_stays_one() -> None:
    deadlines = Deadlines()

    async def work() -> None:
        with deadlines.until(monotonic() + 5):
            await asyncio.sleep(5)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0.01)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_in_the_same_moment_as_the_deadline_is_not_swallowed() -> None:
    deadlines = Deadlines()

    async def work() -> None:
        with deadlines.until(monotonic() + 5) as until:
            asyncio.get_running_loop().call_soon(until.expire)
            asyncio.get_running_loop().call_soon(task.cancel)
            await asyncio.sleep(5)

    task = asyncio.ensure_future(work())

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_hundred_deadlines_end_in_their_order() -> None:
    deadlines = Deadlines()
    ended: list[int] = []

    async def wait(number: int) -> None:
        try:
            with deadlines.until(monotonic() + 0.06 * number):
                await asyncio.sleep(5)
        except TimeoutError:
            ended.append(number)

    await asyncio.gather(*(wait(number) for number in (5, 1, 4, 2, 3)))

    assert ended == [1, 2, 3, 4, 5]


async def test_an_alarm_rings_unless_it_is_cancelled() -> None:
    deadlines, rung = Deadlines(), []
    deadlines.call_at(monotonic() + 0.05, lambda: rung.append("one"))
    deadlines.call_at(monotonic() + 0.05, lambda: rung.append("two")).cancel()
    await asyncio.sleep(0.2)

    assert rung == ["one"]
