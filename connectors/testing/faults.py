"""The contract's tests of what goes wrong on the way: each fault has its outcome, and ends with it."""

import asyncio
from dataclasses import replace

import pytest

from connectors.contract import Connector, Done, Rejected, Result, Unknown, Unreachable
from connectors.testing.proxy import Fault
from connectors.testing.stage import TEXT, Stage
from connectors.testing.subject import ContractTests

SECONDS = 0.6
"""How long a call on a way that fails has."""
MOST_READ = 16 * 1024 * 1024
"""How much of a flood may be read before it is given up, what the system's own buffers take included."""

FAULTS = {
    "reset-at-once": Fault(kind="reset", side="question"),
    "reset-before-the-answer": Fault(kind="reset"),
    "reset-in-the-answer": Fault(kind="reset", after=-2),
    "half-open-at-once": Fault(kind="half_open", side="question"),
    "half-open-before-the-answer": Fault(kind="half_open"),
    "half-open-in-the-answer": Fault(kind="half_open", after=-2),
    "cut-at-once": Fault(kind="cut", side="question"),
    "cut-before-the-answer": Fault(kind="cut"),
    "cut-after-a-byte": Fault(kind="cut", after=1),
    "cut-in-the-answer": Fault(kind="cut", after=-2),
    "cut-before-the-last-byte": Fault(kind="cut", after=-1),
    "too-slow": Fault(kind="slow", piece=1, pause=0.25),
    "rubbish": Fault(kind="rubbish"),
    "flood": Fault(kind="flood"),
}
"""Faults of calls that were sent; a negative `after` counts from the end of the answer."""


class FaultTests(ContractTests):
    """What the proxy does to a connection, and what the connector makes of it."""

    async def test_a_provider_that_refuses_connections_is_unreachable(self, stage: Stage) -> None:
        self.needs_a_provider()
        connector = stage.make()
        await stage.proxy.refuse()
        try:
            result = await stage.ask(connector, seconds=2.0)
        finally:
            await connector.close()

        assert isinstance(result, Unreachable), f"nothing was sent: Unreachable, not {result}"

    @pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
    async def test_each_fault_has_its_outcome_and_passes(self, stage: Stage, fault: Fault) -> None:
        self.needs_a_provider()
        async with stage.opened() as connector:
            length = await _answer_length(stage, connector)
            stage.proxy.play(replace(_placed(fault, length), instead=self.rubbish))
            result = await asyncio.wait_for(stage.ask(connector, seconds=SECONDS), SECONDS + 3)
            stage.proxy.play(None)
            self._expect(fault, result)
            read = max((link.flooded for link in stage.proxy.links), default=0)
            assert read <= MOST_READ or self.handshake, f"it reads {read} bytes of an answer that never ends"
            assert await self._recovered(stage, connector), "it does not recover when the fault is over"

    async def test_a_slow_answer_in_time_is_an_answer(self, stage: Stage) -> None:
        self.needs_a_provider()
        async with stage.opened() as connector:
            stage.proxy.play(Fault(kind="slow", piece=7, pause=0.001))
            carried = await stage.carry(connector, TEXT, seconds=10)

        assert carried == TEXT or self.normalises, "an answer in small pieces is read wrongly"

    async def test_a_duplicated_answer_is_never_another_calls(self, stage: Stage) -> None:
        self.needs_a_provider()
        async with stage.opened() as connector:
            for number in range(4):
                stage.proxy.play(Fault(kind="duplicated") if number % 2 == 0 else None)
                text = f"Lan {number}"
                result = await stage.ask(connector, text, seconds=2.0)
                if isinstance(result, Done):
                    assert isinstance(result.reply.body, bytes)
                    carried = self.text_of(result.reply.body)
                    assert carried == text, f"asked for {text!r}, and was given the answer of {carried!r}"
                else:
                    allowed = (Unknown, Unreachable) if self.handshake else (Unknown,)
                    assert isinstance(result, allowed), f"an answer that comes twice became {result}"

    @pytest.mark.parametrize("kind", ["reset", "cut"])
    async def test_what_writes_is_sent_once(self, stage: Stage, kind: str) -> None:
        self.needs_a_provider()
        if self.handshake:
            pytest.skip("a new connection begins with a conversation: what is sent again cannot be told")
        async with stage.opened() as connector:
            await stage.carry(connector)
            stage.proxy.play(Fault(kind="reset" if kind == "reset" else "cut"))
            result = await stage.ask(connector, seconds=SECONDS, writes=True)
        asked = len(stage.proxy.asked)

        assert isinstance(result, Unknown), f"it was sent, and no answer came: Unknown, not {result}"
        assert asked <= 1, f"a call that writes was sent on {asked} connections"

    def _expect(self, fault: Fault, result: Result) -> None:
        if self.handshake and isinstance(result, Unreachable):
            return  # it came in the conversation before the call, of which nothing was sent
        if fault.kind == "rubbish":
            refused = isinstance(result, Done) and result.status >= 400
            assert isinstance(result, Unknown) or refused, f"rubbish came, and it became {result}"
            return
        if not self.ends_answers and isinstance(result, Done):
            return
        assert isinstance(result, Unknown), (
            f"something was sent and no whole answer came: Unknown, not {result}"
        )

    async def _recovered(self, stage: Stage, connector: Connector) -> bool:
        for _ in range(2):  # the first may find a connection that is no longer there
            result = await stage.ask(connector, seconds=3.0)
            if isinstance(result, Done):
                return True
            assert not isinstance(result, Rejected), f"a call after the fault became {result}"
        return False


async def _answer_length(stage: Stage, connector: Connector) -> int:
    """Return how many bytes the provider's answer to a call has; the connection is there, and known, after that."""
    await stage.carry(connector)
    stage.proxy.play(None)
    await stage.carry(connector)
    return max((link.answered for link in stage.proxy.asked), default=0)


def _placed(fault: Fault, length: int) -> Fault:
    return (
        replace(fault, after=max(length // 2 if fault.after == -2 else length - 1, 0))
        if fault.after < 0
        else fault
    )
