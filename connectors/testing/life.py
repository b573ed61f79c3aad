"""The contract's tests of a connector's life: making, opening, calls, draining, closing."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from connectors.catalogue import installed
from connectors.conformance import contract_flaws
from connectors.contract import Connector, Done, Unknown, Unreachable
from connectors.errors import ConnectorError
from connectors.testing.proxy import Fault
from connectors.testing.stage import Stage, whole
from connectors.testing.subject import ContractTests
from connectors.testing.watching import held, watched_io

ROUNDS = 100
LATE = Fault(kind="slow", pause=0.3)
_FEW_DESCRIPTORS = 3
_FEW_THREADS = 8


class LifeTests(ContractTests):
    """From the constructor to `close`."""

    def test_the_class_declares_what_the_contract_asks(self) -> None:
        flaws = contract_flaws(self.connector)

        assert not flaws, f"the class breaks the contract: {'; '.join(flaws)}"

    def test_it_is_found_by_its_entry_point(self) -> None:
        if not self.entry_point:
            pytest.skip("declared to be not installed")
        catalogue = installed()
        kind = self.connector.kind
        why = "; ".join(f"{it.name}: {it.reason}" for it in catalogue.broken)

        assert self.connector in set(catalogue), (
            f"no entry point of lgsp.connectors leads to {kind!r} ({why})"
        )

    async def test_making_one_does_no_io(self, stage: Stage) -> None:
        await stage.make().close()  # what is imported when it is first needed, is by now

        def make() -> tuple[Connector, list[str]]:
            with watched_io() as seen:
                connector = stage.make()
            return connector, seen

        # No event loop runs in this thread, so nothing can be begun there either.
        connector, seen = await asyncio.to_thread(make)
        await connector.close()

        assert not seen, f"the constructor does I/O: {seen}"
        assert not stage.proxy.links, "the constructor connects"

    async def test_opening_and_closing_a_hundred_times_leaks_nothing(self, stage: Stage) -> None:
        async def once() -> None:
            async with stage.opened() as connector:
                await stage.carry(connector)
                await connector.drain()

        await once()
        await asyncio.sleep(0.05)
        before = held()
        for _ in range(ROUNDS):
            await once()
        for _ in range(20):
            await asyncio.sleep(0.05)
            if all(now <= then for now, then in zip(held(), before, strict=True)):
                break
        tasks, threads, descriptors = (now - then for now, then in zip(held(), before, strict=True))

        assert tasks <= 0, f"{tasks} tasks are left after {ROUNDS} rounds"
        # The loop's own pool grows by a few on a busy machine, whatever runs in it.
        assert threads <= _FEW_THREADS, f"{threads} threads are left after {ROUNDS} rounds"
        assert descriptors <= _FEW_DESCRIPTORS, f"{descriptors} descriptors are left after {ROUNDS} rounds"

    async def test_closing_is_idempotent_and_needs_no_opening(self, stage: Stage) -> None:
        connector = stage.make()
        await connector.close()
        await connector.close()

        assert not stage.proxy.links, "closing connects"

    async def test_closing_works_when_opening_failed(self, stage: Stage) -> None:
        self.needs_a_provider()
        await stage.proxy.refuse()
        connector = stage.make()
        before = held()
        with suppress(ConnectorError):  # nothing else may be raised
            await connector.open()
        await connector.close()
        await connector.close()
        await asyncio.sleep(0.05)

        assert held()[0] <= before[0], "tasks are left after an open that failed"

    async def test_opening_is_tried_again_by_the_host(self, stage: Stage) -> None:
        self.needs_a_provider()
        await stage.proxy.refuse()
        connector = stage.make()
        try:
            with suppress(ConnectorError):
                await connector.open()
            await stage.proxy.accept()
            with suppress(ConnectorError):
                await connector.open()
            assert await stage.carry(connector), "it does not recover when its provider comes up later"
        finally:
            await connector.close()

    async def test_after_closing_nothing_is_sent(self, stage: Stage) -> None:
        async with stage.opened() as connector:
            pass
        stage.proxy.play(None)
        result = await stage.ask(connector)

        assert isinstance(result, Unreachable), f"a closed connector has to say Unreachable, not {result}"
        assert not stage.proxy.asked, "a closed connector sends"

    async def test_closing_during_a_call_ends_it_or_lets_it_end(self, stage: Stage) -> None:
        stage.proxy.play(LATE)
        async with stage.opened(changes=self.slow_settings) as connector:
            task = asyncio.ensure_future(stage.ask(connector, seconds=2.0))
            await asyncio.sleep(0.1)
            await asyncio.wait_for(connector.close(), 5)
            result = await asyncio.wait_for(task, 5)

        assert isinstance(result, Done | Unknown | Unreachable), f"the call ended as {result}"

    async def test_draining_waits_for_calls_and_takes_no_new_ones(self, stage: Stage) -> None:
        ended: list[str] = []

        async def call(connector: Connector) -> None:
            result = await whole(await connector.call(stage.call_of()))
            ended.append("call" if isinstance(result, Done) else f"call: {result}")

        async with stage.opened(changes=self.slow_settings) as connector:
            await stage.ask(connector)
            stage.proxy.play(LATE)
            task = asyncio.ensure_future(call(connector))
            await asyncio.sleep(0.1)
            await asyncio.wait_for(connector.drain(), 5)
            ended.append("drain")
            await task
            stage.proxy.play(None)
            after = await stage.ask(connector)

        assert ended == ["call", "drain"], "draining has to wait for the call under way, and let it end well"
        assert isinstance(after, Unreachable), f"a drained connector has to say Unreachable, not {after}"
        if not self.handshake:  # else what is sent may be a farewell
            assert not stage.proxy.asked, "a drained connector sends"

    async def test_a_cancelled_call_frees_its_connection(self, stage: Stage) -> None:
        self.needs_a_provider()
        async with stage.opened() as connector:
            await stage.carry(connector)
            stage.proxy.play(Fault(kind="half_open"))
            task = asyncio.ensure_future(connector.call(stage.call_of(seconds=60)))
            await _until(lambda: bool(stage.proxy.waiting))
            assert stage.proxy.waiting, "the call did not reach the provider within 2 s"
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 2)
            await _until(lambda: not stage.proxy.waiting)
            assert not stage.proxy.waiting, "the connection of a cancelled call stays open, waiting"
            stage.proxy.play(None)
            assert await stage.carry(connector, "sau") == "sau", "the next call has another one's answer"
            await asyncio.wait_for(connector.drain(), 2)

    async def test_deadlines_are_kept_by_the_hosts_clock(self, stage: Stage) -> None:
        self.needs_a_provider()
        loop = asyncio.get_running_loop()
        async with stage.opened() as connector:
            await stage.carry(connector)
            stage.proxy.play(Fault(kind="half_open"))
            started = loop.time()
            try:
                result = await asyncio.wait_for(stage.ask(connector, seconds=0.4), 5)
            except TimeoutError:
                pytest.fail("a call with 0.4 s left is still under way after 5 s")
            took = loop.time() - started
            began = loop.time()
            late = await asyncio.wait_for(stage.ask(connector, seconds=-1.0), 5)
            late_took = loop.time() - began

        allowed = (Unknown, Unreachable) if self.handshake else (Unknown,)
        assert isinstance(result, allowed), f"something was sent and nothing came: Unknown, not {result}"
        assert took > 0.3, f"given up after {took:.2f} s of 0.4 s: another clock than the host's?"
        assert took < 2.5, f"a call with 0.4 s left took {took:.2f} s"
        assert isinstance(late, Unknown | Unreachable), f"its time was up before it began, and it is {late}"
        assert late_took < 1.0, f"a call whose time was up took {late_took:.2f} s"


async def _until(true: Callable[[], bool]) -> None:
    """Wait until something is so, for two seconds at most."""
    for _ in range(200):
        if true():
            return
        await asyncio.sleep(0.01)
