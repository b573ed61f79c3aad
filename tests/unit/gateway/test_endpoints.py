"""Endpoints: opened in the background, guarded while called, drained when replaced."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Sequence
from time import monotonic
from typing import Any, ClassVar

import pytest

from connectors.builtin.echo import EchoConnector
from connectors.catalogue import Catalogue
from connectors.contract import (
    Call,
    Capabilities,
    CheckStep,
    ConnectorContext,
    ConnectorSettings,
    DescribedOperation,
    Done,
    Result,
    Unknown,
    Unreachable,
)
from connectors.errors import ConnectorError, ConnectorUnknown, NotSent, SettingsRefused
from connectors.message import Headers, Message
from gateway.aiohttp_transport import AiohttpTransport
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from gateway.endpoints import EndpointHandle, Endpoints
from gateway.exchange import Reason, Refusal
from registry.entities import Breaker, Endpoint
from tests.connectors import KeptLog, a_call, a_context

LOG = KeptLog()


class WaitingSettings(ConnectorSettings):
    fail_to_open: int = 0


class WaitingConnector:
    """Ends each call when the test says how."""

    kind: ClassVar[str] = "waiting"
    version: ClassVar[str] = "1"
    capabilities: ClassVar[Capabilities] = Capabilities(streaming=True)
    Settings: ClassVar[type[ConnectorSettings]] = WaitingSettings
    made: ClassVar[list["WaitingConnector"]] = []

    def __init__(self, settings: WaitingSettings, context: ConnectorContext) -> None:
        self.left = settings.fail_to_open
        self.calls: list[asyncio.Future[Result]] = []
        self.opened = self.closed = 0
        self.made.append(self)

    async def open(self) -> None:
        if self.left:
            self.left -= 1
            raise NotSent("refused")
        self.opened += 1

    async def call(self, call: Call) -> Result:
        future = asyncio.get_running_loop().create_future()
        self.calls.append(future)
        result: Result = await future
        return result

    async def check(self) -> Sequence[CheckStep]:
        return [CheckStep(step="contract", ok=True)]

    async def describe(self) -> Sequence[DescribedOperation]:
        return ()

    async def drain(self) -> None:
        pass

    async def close(self) -> None:
        self.closed += 1


class FailingConnector(WaitingConnector):
    """Another author's, whose own connection test fails."""

    kind: ClassVar[str] = "failing"

    async def check(self) -> Sequence[CheckStep]:
        raise RuntimeError("mat-khau")

    async def close(self) -> None:
        raise OSError("mat-khau")


OK = Done(status=200, reply=Message(b"{}"))


@pytest.fixture
async def endpoints() -> AsyncIterator[Endpoints]:
    deadlines = Deadlines()
    async with AiohttpTransport(egress=parse_egress(networks=["127.0.0.0/8"]), deadlines=deadlines) as http:
        context = a_context(http, log=LOG)
        catalogue = Catalogue([WaitingConnector, FailingConnector, EchoConnector])
        made = Endpoints(catalogue, lambda _: context, deadlines=deadlines, grace_seconds=0.1)
        WaitingConnector.made.clear()
        running = asyncio.ensure_future(made.run())
        yield made
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def an_endpoint(**given: Any) -> Endpoint:  # Any: fields of the entity
    fields: dict[str, Any] = {"connector": "waiting", "deadline_seconds": 5.0} | given
    return Endpoint(**fields)


def the_connector(handle: EndpointHandle) -> WaitingConnector:
    assert isinstance(handle.connector, WaitingConnector)
    return handle.connector


async def started(handle: EndpointHandle, count: int = 1) -> Sequence[asyncio.Future[Result]]:
    """Start so many calls and let them get as far as they can."""
    tasks = [asyncio.ensure_future(handle.call(a_call(seconds=600))) for _ in range(count)]
    await asyncio.sleep(0.02)
    return tasks


def reason_of(task: asyncio.Future[Result]) -> Reason:
    error = task.exception()
    assert isinstance(error, Refusal)
    return error.reason


# --- opening and closing --------------------------------------------------------------------------------


async def test_an_endpoint_is_opened_in_the_background_and_retried(endpoints: Endpoints) -> None:
    handle = endpoints.prepare("v/production", an_endpoint(settings={"fail_to_open": 1}), "H26")
    (first,) = await started(handle)
    await asyncio.wait([first])
    for _ in range(100):
        if handle.is_open:
            break
        await asyncio.sleep(0.02)
    (second,) = await started(handle)
    the_connector(handle).calls[0].set_result(OK)

    assert reason_of(first) is Reason.CONNECTOR_UNAVAILABLE
    assert await second == OK
    assert any("connector.not_opened" in line for line in LOG.lines)


async def test_a_call_waits_for_the_first_opening(endpoints: Endpoints) -> None:
    handle = endpoints.prepare("v/production", an_endpoint(), "H26")
    (task,) = await started(handle)
    the_connector(handle).calls[0].set_result(OK)

    assert await task == OK


@pytest.mark.parametrize(
    ("endpoint", "error"),
    [
        (an_endpoint(connector="nobody"), ConnectorUnknown),
        (an_endpoint(settings={"surprise": 1}), SettingsRefused),
        (an_endpoint(settings={"fail_to_open": "many"}), SettingsRefused),
    ],
)
async def test_what_cannot_be_used_is_refused_at_once(
    endpoints: Endpoints, endpoint: Endpoint, error: type[ConnectorError]
) -> None:
    with pytest.raises(error):
        endpoints.prepare("v/production", endpoint, "H26")


async def test_an_unchanged_endpoint_keeps_its_handle(endpoints: Endpoints) -> None:
    first = endpoints.prepare("v/production", an_endpoint(), "H26")
    same = await asyncio.to_thread(endpoints.prepare, "v/production", an_endpoint(), "H26")
    other_organisation = endpoints.prepare("v/production", an_endpoint(), "H27")
    other_content = endpoints.prepare("v/production", an_endpoint(max_queue=1), "H27")

    assert first is same
    assert len({first, other_organisation, other_content}) == 3


async def test_a_replaced_endpoint_ends_its_calls_before_it_closes(endpoints: Endpoints) -> None:
    old = endpoints.prepare("v/production", an_endpoint(), "H26")
    (under_way,) = await started(old)
    new = endpoints.prepare("v/production", an_endpoint(max_queue=1), "H26")
    endpoints.retain({"v/production"})
    (late,) = await started(old)
    await asyncio.sleep(0.3)
    closed_early = the_connector(old).closed
    for call in the_connector(old).calls:
        call.set_result(OK)
    results = [await under_way, await late]
    await asyncio.sleep(0.05)
    (too_late,) = await started(old)

    assert closed_early == 0
    assert results == [OK, OK]
    assert the_connector(old).closed == 1
    assert reason_of(too_late) is Reason.CONNECTOR_UNAVAILABLE
    assert (the_connector(new).closed, new.is_open) == (0, True)


async def test_an_endpoint_no_longer_used_is_closed(endpoints: Endpoints) -> None:
    kept, gone = (endpoints.prepare(f"{name}/production", an_endpoint(), "H26") for name in "ab")
    await asyncio.sleep(0.02)
    endpoints.retain({"a/production"})
    await asyncio.sleep(0.2)

    assert (the_connector(kept).closed, the_connector(gone).closed) == (0, 1)
    assert [it["key"] for it in endpoints.describe()] == ["a/production"]


async def test_stopping_closes_everything() -> None:
    made = Endpoints(Catalogue([WaitingConnector]), lambda _: a_context(None), deadlines=Deadlines())  # type: ignore[arg-type]  # no HTTP here
    WaitingConnector.made.clear()
    for name in "abc":
        made.prepare(name, an_endpoint(settings={"fail_to_open": 9} if name == "c" else {}), "H26")
    running = asyncio.ensure_future(made.run())
    await asyncio.sleep(0.02)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

    assert [it.closed for it in WaitingConnector.made] == [1, 1, 1]


# --- cap and queue --------------------------------------------------------------------------------------


async def test_the_cap_queues_in_order_and_the_queue_is_bounded(endpoints: Endpoints) -> None:
    handle = endpoints.prepare("v", an_endpoint(max_in_flight=2, max_queue=3, queue_seconds=5), "H26")
    tasks = await started(handle, 6)
    calls = the_connector(handle).calls
    seen = [len(calls)]
    for number in range(5):
        calls[number].set_result(Done(status=200, reply=Message(b"%d" % number)))
        await asyncio.sleep(0.01)
        seen.append(len(calls))
    results = [await task for task in tasks[:5]]

    assert reason_of(tasks[5]) is Reason.CAPACITY
    assert seen == [2, 3, 4, 5, 5, 5]
    assert [result.reply.body for result in results if isinstance(result, Done)] == [
        b"0",
        b"1",
        b"2",
        b"3",
        b"4",
    ]
    assert handle.in_flight == 0


async def test_waiting_in_the_queue_ends(endpoints: Endpoints) -> None:
    handle = endpoints.prepare("v", an_endpoint(max_in_flight=1, queue_seconds=0.1), "H26")
    first, second = await started(handle, 2)
    await asyncio.wait([second])
    the_connector(handle).calls[0].set_result(OK)

    assert reason_of(second) is Reason.CAPACITY
    assert await first == OK
    assert (handle.in_flight, handle.queued) == (0, 0)


async def test_who_leaves_the_queue_passes_the_place_on(endpoints: Endpoints) -> None:
    handle = endpoints.prepare("v", an_endpoint(max_in_flight=1, queue_seconds=5), "H26")
    first, second, third = await started(handle, 3)
    calls = the_connector(handle).calls
    calls[0].set_result(OK)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0.02)
    for call in calls[1:]:
        if not call.done():
            call.set_result(OK)

    assert [await first, await third] == [OK, OK]
    assert handle.in_flight == 0


async def test_a_cancelled_call_gives_its_place_back(endpoints: Endpoints) -> None:
    handle = endpoints.prepare("v", an_endpoint(max_in_flight=1), "H26")
    first, second = await started(handle, 2)
    first.cancel()
    await asyncio.sleep(0.02)
    the_connector(handle).calls[1].set_result(OK)

    assert await second == OK
    assert handle.in_flight == 0


# --- deadline and breaker -------------------------------------------------------------------------------


async def test_a_connector_that_keeps_no_deadline_is_cut_off(endpoints: Endpoints) -> None:
    handle = endpoints.prepare("v", an_endpoint(deadline_seconds=0.1), "H26")
    begun = monotonic()
    (task,) = await started(handle)

    assert await task == Unknown(reason="timeout")
    assert monotonic() - begun < 1.0
    assert handle.in_flight == 0


async def test_failures_in_a_row_open_the_breaker_and_one_probe_closes_it(endpoints: Endpoints) -> None:
    handle = endpoints.prepare("v", an_endpoint(breaker=Breaker(failures=3, open_seconds=0.2)), "H26")
    calls = the_connector(handle).calls
    failures: list[Result] = [
        Unreachable(reason="refused"),
        Unknown(reason="cut"),
        Done(status=500, reply=Message()),
    ]
    for failure in failures:
        (task,) = await started(handle)
        calls[-1].set_result(failure)
        await task
    (refused,) = await started(handle)
    await asyncio.sleep(0.25)
    probes = await started(handle, 20)
    waiting = [task for task in probes if not task.done()]
    reasons = {reason_of(task) for task in probes if task.done()}
    calls[-1].set_result(OK)
    await waiting[0]
    (after,) = await started(handle)
    calls[-1].set_result(OK)

    assert {reason_of(refused)} == reasons == {Reason.BREAKER_OPEN}
    assert len(waiting) == 1
    assert await after == OK
    assert len(calls) == 5


async def test_a_cancelled_probe_leaves_the_breaker_open(endpoints: Endpoints) -> None:
    handle = endpoints.prepare("v", an_endpoint(breaker=Breaker(failures=1, open_seconds=0.1)), "H26")
    (task,) = await started(handle)
    the_connector(handle).calls[-1].set_result(Unknown(reason="cut"))
    await task
    await asyncio.sleep(0.12)
    (probe,) = await started(handle)
    probe.cancel()
    await asyncio.sleep(0)
    (refused,) = await started(handle)
    await asyncio.sleep(0.12)
    (again,) = await started(handle)

    assert reason_of(refused) is Reason.BREAKER_OPEN
    assert not again.done()
    the_connector(handle).calls[-1].set_result(OK)
    await again


async def test_the_pipeline_can_correct_what_a_status_said(endpoints: Endpoints) -> None:
    handle = endpoints.prepare("v", an_endpoint(breaker=Breaker(failures=1)), "H26")
    handle.report(ok=False)
    (refused,) = await started(handle)

    assert handle.breaker_open
    assert reason_of(refused) is Reason.BREAKER_OPEN


@pytest.mark.parametrize(
    ("status", "headers"),
    [(101, []), (999, []), (200, [(b"X-Ma", b"1")]), (200, [(b"x", b"1\r\nset-cookie: a")])],
)
async def test_an_answer_whose_head_cannot_be_sent_is_none(
    endpoints: Endpoints, status: int, headers: Headers
) -> None:
    handle = endpoints.prepare("v", an_endpoint(breaker=Breaker(failures=1)), "H26")
    closed: list[str] = []
    stream = streamed(closed)
    await anext(stream)
    (task,) = await started(handle)
    the_connector(handle).calls[-1].set_result(Done(status=status, reply=Message(stream, "", headers)))

    assert await task == Unknown(reason="head", rubbish=True)
    assert (handle.in_flight, closed, handle.breaker_open) == (0, ["closed"], True)


# --- streamed answers -----------------------------------------------------------------------------------


async def streamed(closed: list[str], *, broken: bool = False) -> AsyncIterator[bytes]:
    try:
        yield b"a"
        if broken:
            raise NotSent("cut")
        yield b"b"
    finally:
        closed.append("closed")


async def a_streamed_reply(handle: EndpointHandle, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    (task,) = await started(handle)
    the_connector(handle).calls[-1].set_result(Done(status=200, reply=Message(stream)))
    result = await task
    assert isinstance(result, Done)
    assert not isinstance(result.reply.body, bytes)
    return result.reply.body


async def test_a_streamed_answer_holds_its_place_to_its_end(endpoints: Endpoints) -> None:
    handle = endpoints.prepare("v", an_endpoint(), "H26")
    closed: list[str] = []
    body = await a_streamed_reply(handle, streamed(closed))
    held = handle.in_flight
    pieces = [piece async for piece in body]

    assert (held, pieces, handle.in_flight, closed) == (1, [b"a", b"b"], 0, ["closed"])


@pytest.mark.parametrize("how", ["close", "close unread", "drop", "cancel", "break"])
async def test_a_streamed_answer_left_alone_gives_its_place_back(endpoints: Endpoints, how: str) -> None:
    handle = endpoints.prepare("v", an_endpoint(), "H26")
    closed: list[str] = []
    body: Any = await a_streamed_reply(handle, streamed(closed, broken=how == "break"))
    if how != "close unread":
        await anext(body)
    if how == "break":
        with pytest.raises(ConnectorError):
            await anext(body)
    elif how == "drop":
        del body
        the_connector(handle).calls.clear()
        gc.collect()
        await asyncio.sleep(0.02)
    else:
        await body.aclose()
        await body.aclose()

    assert handle.in_flight == 0
    assert closed == ([] if how == "close unread" else ["closed"])


async def test_a_stream_that_stalls_ends_at_the_deadline(endpoints: Endpoints) -> None:
    async def stalling() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(10)

    handle = endpoints.prepare("v", an_endpoint(deadline_seconds=0.1), "H26")
    body = await a_streamed_reply(handle, stalling())

    with pytest.raises(ConnectorError, match="timeout"):
        _ = [piece async for piece in body]
    assert handle.in_flight == 0


async def test_a_connection_test_needs_no_handle(endpoints: Endpoints) -> None:
    steps = await endpoints.check(an_endpoint(connector="echo"), "H26")

    assert [step.ok for step in steps] == [None, None, None, None, True]


async def test_an_echo_answers_through_its_handle(endpoints: Endpoints) -> None:
    handle = endpoints.prepare("v", an_endpoint(connector="echo"), "H26")
    result = await handle.call(a_call())

    assert isinstance(result, Done)
    assert isinstance(result.reply.body, bytes)


async def test_a_connection_test_names_the_step_also_when_nothing_can_be_opened(endpoints: Endpoints) -> None:
    steps = await endpoints.check(an_endpoint(settings={"fail_to_open": 1}), "H99")

    assert steps == [CheckStep(step="contract", ok=True)]
    assert WaitingConnector.made[-1].closed == 1


async def test_a_connector_whose_own_test_fails_is_told_from_a_provider_that_does(
    endpoints: Endpoints,
) -> None:
    [step] = await endpoints.check(an_endpoint(connector="failing"), "H99")

    assert (step.step, step.ok) == ("contract", False)
    assert step.detail.startswith("the connector failed: ")
    assert "mat-khau" not in step.detail + " ".join(LOG.lines)
