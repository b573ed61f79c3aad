"""One endpoint while it is called: its deadline, its cap with a bounded and timed queue, its breaker.

A streamed answer holds its place until it is read to its end or closed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Self

from connectors.contract import Call, Connector, Done, Rejected, Result, Unknown, Unreachable
from connectors.errors import (
    BadAnswer,
    ConnectorError,
    EgressDenied,
    NoAnswer,
    NotSent,
    SecretUnknown,
)
from connectors.heads import head_fits
from gateway.breaker import Breaker
from gateway.deadlines import Deadlines
from gateway.exchange import Reason, Refusal
from gateway.panics import ENDINGS
from registry.entities import Endpoint

BACKSTOP_SECONDS = 0.5
"""How much later than the call's own deadline a connector that does not keep it is cancelled."""
OPENING_SECONDS = 2.0
"""How long a call waits for an endpoint that is being opened for the first time."""
OPEN_SECONDS = 30.0
RETRY_SECONDS = 1.0

_SERVER_ERROR = 500


class EndpointHandle:
    """One endpoint, ready to be called."""

    def __init__(
        self,
        key: str,
        content: bytes,
        endpoint: Endpoint,
        connector: Connector,
        deadlines: Deadlines,
        monotonic: Callable[[], float],
    ) -> None:
        own_cap = connector.capabilities.max_in_flight
        self.key = key
        self.content = content
        self.connector = connector
        self.failure: str | None = None
        self.is_open = False
        self._cap = min(endpoint.max_in_flight, own_cap or endpoint.max_in_flight)
        self._max_queue = endpoint.max_queue
        self._queue_seconds = endpoint.queue_seconds
        self._deadline_seconds = endpoint.deadline_seconds
        self._breaker = Breaker(
            failures=endpoint.breaker.failures, open_seconds=endpoint.breaker.open_seconds
        )
        self._deadlines = deadlines
        self._monotonic = monotonic
        self._in_flight = 0
        self._queue: dict[asyncio.Future[bool], None] = {}
        self._opened = asyncio.Event()
        self._changing = asyncio.Lock()
        self._over = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def in_flight(self) -> int:
        """How many calls are under way, streamed answers included."""
        return self._in_flight

    @property
    def queued(self) -> int:
        """How many calls wait for a place."""
        return len(self._queue)

    @property
    def breaker_open(self) -> bool:
        """Whether the breaker refuses calls."""
        return self._breaker.is_open

    async def call(self, call: Call) -> Result:
        """Carry one call within the endpoint's limits.

        Raises:
            Refusal: not tried: BREAKER_OPEN, CAPACITY, CONNECTOR_UNAVAILABLE.
            EgressDenied, SecretUnknown: not tried, for a reason on our side.
        """
        if not self.is_open:
            await self._wait_until_open()
        now = self._monotonic()
        call.deadline = min(call.deadline, now + self._deadline_seconds)
        self._breaker.check(now)
        self._idle.clear()
        if self._in_flight < self._cap and not self._queue:
            self._in_flight += 1
        else:
            await self._queue_up(now, call.deadline)
            now = self._monotonic()
        try:
            probe = self._breaker.admit(now)
        except Refusal:
            self._leave()
            raise
        return await self._carry(call, probe=probe)

    def correct(self, *, ok: bool) -> None:
        """Correct what an answer's status alone said: a 5xx that the success rule claims, a 2xx that is none.

        To be called as soon as `call` has returned, before anything else is awaited.
        """
        self._breaker.correct(self._monotonic(), ok=ok)

    def report(self, *, ok: bool) -> None:
        """Take in how a streamed answer went on."""
        self._breaker.end(self._monotonic(), ok=ok)

    async def _carry(self, call: Call, *, probe: bool) -> Result:
        """Call the connector; give the place back unless a streamed answer goes on holding it."""
        ok: bool | None = None
        held = False
        try:
            result = await self._ask(call)
            if type(result) is Done and not head_fits(result.status, result.reply.headers):
                result = await _unfit(result)
            ok = _verdict(result)
            if type(result) is Done and not isinstance(result.reply.body, bytes):
                result.reply.body = HeldStream(self, result.reply.body, call.deadline + BACKSTOP_SECONDS)
                held = True
            return result
        finally:
            self._breaker.end(self._monotonic(), ok=ok, probe=probe)
            if not held:
                self._leave()

    async def _ask(self, call: Call) -> Result:
        try:
            with self._deadlines.until(call.deadline + BACKSTOP_SECONDS):
                return await self.connector.call(call)
        except (EgressDenied, SecretUnknown):
            raise
        except NotSent as error:
            return Unreachable(reason=str(error))
        except (NoAnswer, BadAnswer) as error:
            return Unknown(reason=str(error), rubbish=isinstance(error, BadAnswer))
        except ConnectorError as error:
            return Rejected(reason=type(error).__name__)
        except TimeoutError:
            return Unknown(reason="timeout")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return Unknown(reason="connector", rubbish=True)  # one of its own: nobody has cancelled the call
        except ENDINGS:
            return Unknown(reason="connector", rubbish=True)

    async def _queue_up(self, now: float, deadline: float) -> None:
        """Wait for a place in the order of arrival. Raises Refusal."""
        if len(self._queue) >= self._max_queue or not self._queue_seconds:
            raise Refusal(Reason.CAPACITY, retry_after=max(self._queue_seconds, 1.0))
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue[turn] = None
        give_up = partial(_settle, turn, value=False)
        alarm = self._deadlines.call_at(min(now + self._queue_seconds, deadline), give_up)
        try:
            if not await turn:
                raise Refusal(Reason.CAPACITY, retry_after=max(self._queue_seconds, 1.0))
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self._leave()  # the place came together with the cancellation
            raise
        finally:
            alarm.cancel()
            self._queue.pop(turn, None)

    def _leave(self) -> None:
        """Hand the place to who waits longest, or give it back."""
        while self._queue:
            turn = next(iter(self._queue))
            del self._queue[turn]
            if _settle(turn, value=True):
                return
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()

    async def _wait_until_open(self) -> None:
        if self.failure is None:
            try:
                with self._deadlines.until(self._monotonic() + OPENING_SECONDS):
                    await self._opened.wait()
            except TimeoutError:
                pass
        if not self.is_open:
            raise Refusal(Reason.CONNECTOR_UNAVAILABLE, retry_after=RETRY_SECONDS)

    async def open(self) -> None:
        """Open the connector and take calls from then on, unless the endpoint is over meanwhile."""
        async with self._changing:
            if self._over:
                return
            try:
                async with asyncio.timeout(OPEN_SECONDS):
                    await self.connector.open()
            except BaseException as error:
                self.failure = type(error).__name__
                self._opened.set()
                if isinstance(error, ENDINGS):
                    raise ConnectorError(f"the connector raised {self.failure}") from error
                raise
            self.is_open, self.failure = True, None
            self._opened.set()

    async def close(self) -> None:
        """Take no more calls and close the connector. Idempotent."""
        self._over = True
        self.is_open, self.failure = False, "closed"
        self._opened.set()
        await self.connector.close()

    async def finish(self, grace: float) -> None:
        """Take calls for a while yet, wait for those under way, close the connector."""
        await asyncio.sleep(grace)
        if self._in_flight:
            await self._idle.wait()
        async with self._changing:
            self._over, self.is_open = True, False
            await self.connector.drain()
            await self.close()


class HeldStream:
    """A streamed answer that keeps its place in the endpoint's cap until its end, its close or its loss."""

    __slots__ = ("_deadline", "_handle", "_stream")

    def __init__(self, handle: EndpointHandle, stream: AsyncIterator[bytes], deadline: float) -> None:
        self._handle = handle
        self._stream: AsyncIterator[bytes] | None = stream
        self._deadline = deadline

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece. Raises NoAnswer or BadAnswer when the answer breaks off."""
        if self._stream is None:
            raise StopAsyncIteration
        try:
            with self._handle._deadlines.until(self._deadline):  # noqa: SLF001 (one module, one class in two)
                return await anext(self._stream)
        except StopAsyncIteration:
            await self.aclose()
            raise
        except BaseException as error:
            if isinstance(error, ConnectorError | TimeoutError):
                self._handle.report(ok=False)
            await self.aclose()
            if isinstance(error, TimeoutError):
                raise NoAnswer("timeout") from error
            raise

    async def aclose(self) -> None:
        """Give connection and place back. Idempotent."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        try:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
        finally:
            self._handle._leave()  # noqa: SLF001 (one module, one class in two)

    def __del__(self) -> None:
        if self._stream is not None:
            self._handle._leave()  # noqa: SLF001 (one module, one class in two)


async def _unfit(answer: Done) -> Unknown:
    """Give up an answer whose head cannot be sent: a fault of the connector, or of what it was set up with."""
    close = getattr(answer.reply.body, "aclose", None)
    if close is not None:
        await close()
    return Unknown(reason="head", rubbish=True)


def _verdict(result: Result) -> bool | None:
    """Say what a result tells of the provider's health."""
    if type(result) is Done:
        return result.status < _SERVER_ERROR
    if isinstance(result, Unreachable | Unknown):
        return False
    return None


def _settle(turn: asyncio.Future[bool], *, value: bool) -> bool:
    if turn.done():
        return False
    turn.set_result(value)
    return True
