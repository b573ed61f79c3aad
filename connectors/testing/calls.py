"""The contract's tests of calls that go well: text, streams, many at once, order, most in flight."""

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Sequence
from typing import Literal

import pytest

from connectors.contract import Busy, Connector, Done, Rejected, Unreachable
from connectors.testing.proxy import Fault
from connectors.testing.stage import TEXT, Stage, body_of, whole
from connectors.testing.subject import ContractTests

MANY = 40
NAME = "Nguyễn Thị Ngọc Ánh, Sở Kế hoạch và Đầu tư, xã Đắk Ơ"


class CallerGone(Exception):
    """What a caller's stream raises here."""


class CallTests(ContractTests):
    """Messages come through as they are, each to its own call."""

    @pytest.mark.parametrize("form", ["NFC", "NFD"])
    async def test_vietnamese_text_goes_through_unchanged(
        self, stage: Stage, form: Literal["NFC", "NFD"]
    ) -> None:
        text = unicodedata.normalize(form, NAME)
        async with stage.opened() as connector:
            carried = await stage.carry(connector, text)

        if self.normalises:
            assert unicodedata.normalize("NFC", carried) == unicodedata.normalize("NFC", text)
        else:
            assert carried == text, f"{text!a} came back as {carried!a}"

    async def test_many_calls_at_once_keep_their_answers_apart(self, stage: Stage) -> None:
        texts = [f"So {number}" for number in range(MANY)]
        async with stage.opened() as connector:
            carried = await self._carry_all(stage, connector, texts)

        assert carried == texts, "answers went to other calls"

    async def test_no_more_are_in_flight_than_declared(self, stage: Stage) -> None:
        most = self.connector.capabilities.max_in_flight
        if most is None:
            pytest.skip("it declares no limit")
        self.needs_a_provider()
        async with stage.opened() as connector:
            await stage.carry(connector)
            stage.proxy.play(Fault(kind="slow", pause=0.02))
            await self._carry_all(stage, connector, [f"So {number}" for number in range(most * 3)])

        assert stage.proxy.most_waiting <= most, "more waited at the provider than the host let in"

    async def test_order_is_kept_if_it_is_declared(self, stage: Stage) -> None:
        if not self.connector.capabilities.ordering:
            pytest.skip("it declares no order")
        self.needs_a_provider()
        marks = [f"THU-TU-{number:02}" for number in range(20)]
        async with stage.opened() as connector:
            await stage.carry(connector)
            stage.proxy.play(None)
            await self._carry_all(stage, connector, marks)
        asked = [bytes(link.question) for link in stage.proxy.asked]

        assert len(asked) == 1, "order over several connections is not kept"
        places = [asked[0].find(mark.encode()) for mark in marks]
        if -1 in places:
            pytest.skip("the text of a call cannot be read on the wire")
        assert places == sorted(places), "calls reached the provider in another order than they were made"

    async def _carry_all(self, stage: Stage, connector: Connector, texts: Sequence[str]) -> list[str]:
        """Carry texts side by side, as a host does: begun in order, no more at once than the connector declares."""
        places = asyncio.Semaphore(self.connector.capabilities.max_in_flight or MANY)

        async def carry(text: str) -> str:
            async with places:
                return await stage.carry(connector, text, seconds=20)

        return list(await asyncio.gather(*(carry(text) for text in texts)))

    async def test_a_streamed_message_goes_through_or_is_refused(self, stage: Stage) -> None:
        async with stage.opened() as connector:
            call = stage.call_of()
            call.message.body = _pieces(await body_of(call.message.body))
            result = await whole(await connector.call(call))

        if isinstance(result, Rejected) and not self.connector.capabilities.streaming:
            return
        assert isinstance(result, Done), f"a streamed message that is whole became {result}"
        assert self.text_of(await body_of(result.reply.body)) == TEXT or self.normalises

    async def test_the_error_of_the_callers_stream_is_not_hidden(self, stage: Stage) -> None:
        async with stage.opened() as connector:
            call = stage.call_of()
            raised: list[bool] = []
            call.message.body = _broken(await body_of(call.message.body), raised)
            try:
                result = await whole(await connector.call(call))
            except CallerGone:
                pass
            else:
                # One that takes no streams may refuse, but without having read.
                takes_none = isinstance(result, Rejected) and not self.connector.capabilities.streaming
                assert takes_none, f"the caller's stream raised, and the call became {result}"
                assert not raised, f"the caller's stream raised, and the call became {result}"
            assert await stage.carry(connector, "sau") == "sau" or self.normalises

    async def test_a_result_says_nothing_of_the_message(self, stage: Stage) -> None:
        self.needs_a_provider()
        text = "0123-BI-MAT-4567"
        shown: list[str] = []
        for fault in (
            Fault(kind="reset"),
            Fault(kind="rubbish", instead=self.rubbish),
            Fault(kind="cut", after=1),
        ):
            async with stage.opened() as connector:
                stage.proxy.play(fault)
                result = await stage.ask(connector, text, seconds=1.0)
                shown.append(repr(result) if not isinstance(result, Done | Busy) else "")
        await stage.proxy.refuse()
        connector = stage.make()
        refused = await stage.ask(connector, text, seconds=1.0)
        await connector.close()

        assert isinstance(refused, Unreachable), f"nobody listens there: Unreachable, not {refused}"
        assert text not in "".join(shown) + repr(refused) + "".join(stage.log.lines)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 7):
        yield body[start : start + 7]


async def _broken(body: bytes, raised: list[bool]) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    raised.append(True)
    raise CallerGone
