"""A provider that does not exist: it answers as its description says, with invented data or described examples."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import orjson

from connectors.builtin.mock.faults import Faults, as_result
from connectors.builtin.mock.openapi import OpenAPIProvider
from connectors.builtin.mock.people import Register
from connectors.builtin.mock.question import Questions
from connectors.builtin.mock.replies import said
from connectors.builtin.mock.settings import MockSettings, is_fault
from connectors.builtin.mock.soap import SOAPProvider
from connectors.builtin.soap.wsdl import WSDLRefused
from connectors.calls import Calls
from connectors.contract import (
    Call,
    Capabilities,
    CheckStep,
    ConnectorContext,
    ConnectorSettings,
    DescribedOperation,
    Result,
    Unknown,
    Unreachable,
)
from connectors.errors import ConnectorError, SettingsRefused
from connectors.message import Body

MOST_BODY = 65_536
LARGE = 32_768
"""From so many bytes of description on, answers are made in a thread: inventing one may take a third of a second."""
_TOO_LARGE = 413


class MockConnector:
    """Answers by a description. Nothing in its data is anybody's."""

    kind: ClassVar[str] = "mock"
    version: ClassVar[str] = "1"
    capabilities: ClassVar[Capabilities] = Capabilities(idempotence="native")
    Settings: ClassVar[type[ConnectorSettings]] = MockSettings

    def __init__(self, settings: MockSettings, context: ConnectorContext) -> None:
        self._settings = settings
        self._clock = context.clock
        self._faults = Faults(settings, context.clock)
        self._register = Register(settings.seed, settings.households)
        self._questions = Questions(self._register)
        self._provider: OpenAPIProvider | SOAPProvider | None = None
        if settings.description is not None:
            try:
                self._provider = OpenAPIProvider(
                    settings.description, self._questions, prefers_examples=settings.prefer == "examples"
                )
            except ValueError as error:
                raise SettingsRefused(f"/description: {error}") from None
        self._is_large = _size(settings) > LARGE
        self._calls = Calls()

    async def open(self) -> None:
        """Know everybody's name and load a WSDL, off the event loop. Raises ConnectorError."""
        settings = self._settings
        await asyncio.to_thread(self._register.learn_names)
        if self._provider is None:
            try:
                self._provider = await asyncio.to_thread(SOAPProvider, settings, self._questions)
            except WSDLRefused as error:
                raise ConnectorError(str(error)) from error

    async def call(self, call: Call) -> Result:
        """Answer, or fail as ordered. May raise what the call's own body stream raises."""
        if self._calls.closed:
            return Unreachable(reason="closed")
        with self._calls:
            return await self._call(call)

    async def _call(self, call: Call) -> Result:
        fault, delay = self._faults.planned(call)
        body = await _collect(call.message.body)
        left = call.deadline - self._clock.monotonic()
        if fault == "timeout" or delay >= left:
            await asyncio.sleep(max(left, 0))
            return Unknown(reason="timeout")
        if delay:
            await asyncio.sleep(delay)
        if is_fault(fault):
            return as_result(fault)
        if body is None:
            return said(_TOO_LARGE, "the body is too large for a mock")
        if self._provider is None:
            return Unreachable(reason="not-open")
        name = self._settings.operations.get(call.operation, call.operation)
        example = self._faults.orders(call).get(b"mock-example", "")
        if self._is_large:
            return await asyncio.to_thread(self._provider.answer, call, name, body, example)
        return self._provider.answer(call, name, body, example)

    async def check(self) -> Sequence[CheckStep]:
        """There is nothing on the way; the contract is the description."""
        way = [
            CheckStep(step=step, ok=None, detail="not needed")
            for step in ("dns", "tcp", "tls", "credentials")
        ]
        try:
            await self.open()
        except ConnectorError as error:
            return [*way, CheckStep(step="contract", ok=False, detail=str(error))]
        return [*way, CheckStep(step="contract", ok=True, detail=f"{len(await self.describe())} operations")]

    async def describe(self) -> Sequence[DescribedOperation]:
        """Return the description's operations."""
        return self._provider.describe() if self._provider is not None else []

    async def drain(self) -> None:
        """Return when no call is under way."""
        await self._calls.drain()

    async def close(self) -> None:
        """Nothing is held. Idempotent."""
        self._calls.close()


def _size(settings: MockSettings) -> int:
    """Return how large a description is."""
    if settings.description is not None:
        return len(orjson.dumps(settings.description, default=str))
    return len(settings.wsdl) + sum(map(len, settings.schemas.values()))


async def _collect(body: Body) -> bytes | None:
    """Return a whole body, None for one that is too large; its stream is read to the end all the same."""
    if isinstance(body, bytes):
        return body if len(body) <= MOST_BODY else None
    kept = bytearray()
    size = 0
    async for piece in body:
        size += len(piece)
        if size <= MOST_BODY:
            kept += piece
    return bytes(kept) if size <= MOST_BODY else None
