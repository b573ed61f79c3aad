"""A provider that does not exist: it answers as its description says, with invented data or described examples."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import orjson

from connectors.builtin.mock.invent import Inventor
from connectors.builtin.mock.operations import Answer, MockOperation, operations_of, variables_of
from connectors.builtin.mock.people import Register, Subject, random_for
from connectors.builtin.mock.question import Question, members, subject_of
from connectors.builtin.mock.settings import MockSettings, Scheduled, is_fault
from connectors.builtin.mock.soap import SOAPProvider
from connectors.builtin.mock.xml_text import render_xml
from connectors.builtin.soap.fields import Unfit
from connectors.builtin.soap.wsdl import WSDLRefused
from connectors.builtin.soap.xml import XMLRefused
from connectors.contract import (
    Busy,
    Call,
    Capabilities,
    CheckStep,
    ConnectorContext,
    ConnectorSettings,
    DescribedOperation,
    Done,
    Rejected,
    Result,
    Unknown,
    Unreachable,
)
from connectors.errors import ConnectorError, SettingsRefused
from connectors.message import Body, Message

MOST_BODY = 65_536
MOST_DELAY_SECONDS = 60.0
VIETNAM = timedelta(hours=7)
INVENTED = (b"mock", b"invented")
_NOT_FOUND = 404
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
        self._register = Register(settings.seed, settings.households)
        self._soap: SOAPProvider | None = None
        self._description: Mapping[str, Any] = settings.description or {}
        try:
            self._operations = operations_of(self._description) if self._description else []
        except ValueError as error:
            raise SettingsRefused(f"/description: {error}") from None
        self._calls = 0
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    async def open(self) -> None:
        """Load a WSDL and know everybody's name, off the event loop. Raises ConnectorError."""
        settings = self._settings
        await asyncio.to_thread(self._register.learn_names)
        if settings.wsdl and self._soap is None:
            try:
                self._soap = await asyncio.to_thread(
                    SOAPProvider, settings.wsdl, settings.schemas, settings.service, settings.port
                )
            except WSDLRefused as error:
                raise ConnectorError(str(error)) from error

    async def call(self, call: Call) -> Result:
        """Answer, or fail as ordered. May raise what the call's own body stream raises."""
        if self._closed:
            return Unreachable(reason="closed")
        self._running += 1
        self._calls += 1
        self._idle.clear()
        try:
            return await self._call(call)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def _call(self, call: Call) -> Result:
        orders = self._orders(call)
        body = await _collect(call.message.body)
        fault, delay = self._planned(call)
        fault = orders.get(b"mock-fault", fault)
        delay = _seconds(orders.get(b"mock-delay", ""), delay)
        left = call.deadline - self._clock.monotonic()
        if fault == "timeout" or delay >= left:
            await asyncio.sleep(max(left, 0))
            return Unknown(reason="timeout")
        if delay:
            await asyncio.sleep(delay)
        if is_fault(fault):
            return _fault(fault)
        if body is None:
            return _said(_TOO_LARGE, "the body is too large for a mock")
        if self._settings.wsdl:
            return self._answer_soap(call, body)
        try:
            return self._answer(call, body, orders.get(b"mock-example", ""))
        except (ValueError, TypeError, AttributeError, KeyError):
            # A schema that is none: descriptions are other people's, and nobody checked this part before.
            return Unknown(reason="description", rubbish=True)

    def _orders(self, call: Call) -> dict[bytes, str]:
        """Return what the caller orders, if it may."""
        if not (call.sandbox and self._settings.headers_in_sandbox):
            return {}
        return {
            name: value.decode("latin-1") for name, value in call.message.headers if name.startswith(b"mock-")
        }

    def _planned(self, call: Call) -> tuple[str, float]:
        """Return the fault and the delay that the schedule has for this call."""
        fault, delay = "", 0.0
        for planned in self._settings.schedule:
            if self._is_due(planned, call.operation):
                fault, delay = fault or planned.fault or "", max(delay, planned.delay_seconds)
        return fault, delay

    def _is_due(self, planned: Scheduled, operation: str) -> bool:
        if planned.operations and operation not in planned.operations:
            return False
        if self._calls % planned.every:
            return False
        now = (datetime.fromtimestamp(self._clock.time(), UTC) + VIETNAM).strftime("%H:%M")
        since, until = planned.daily_from or "00:00", planned.daily_until or "24:00"
        return since <= now < until if since <= until else not until <= now < since

    def _answer(self, call: Call, body: bytes, example: str) -> Done:
        found = self._find(call)
        if found is None:
            return _said(_NOT_FOUND, "the description has no such operation")
        operation, variables = found
        asked = {**members(_document(body)), **dict(parse_qsl(call.query, max_num_fields=500)), **variables}
        question = self._question(call, body, asked)
        answer = operation.by_name(example) or operation.by_question(
            question.asked, found=question.subject is not None
        )
        if answer is None and self._settings.prefer == "examples":
            answer = operation.usual()
        if answer is not None:
            return _described(answer)
        if question.subject is None:
            return _said(_NOT_FOUND, "nobody in the register")
        if operation.content is None:
            return Done(status=operation.status, reply=Message(b"", "", [INVENTED]))
        schema = operation.content.get("schema", {})
        value = self._inventor(question, question.subject).make(schema)
        return _reply(operation.status, operation.media_type, value, schema)

    def _answer_soap(self, call: Call, body: bytes) -> Result:
        """Answer by a WSDL."""
        if self._soap is None:
            return Unreachable(reason="not-open")
        name = self._settings.operations.get(call.operation, call.operation)
        try:
            asked = self._soap.question(call, name, body)
        except (Unfit, XMLRefused) as error:
            return Rejected(reason=f"unfit {error}")
        question = self._question(call, body, members(asked.asked))
        try:
            schema = self._soap.schema(asked.operation, sparse=question.subject is None)
            subject = question.subject or subject_of({}, self._register, question.random)
            value = None
            if schema is not None and subject is not None:
                value = self._inventor(question, subject).make(schema)
            document, media_type = self._soap.answer(asked, value)
        except (ValueError, TypeError, AttributeError, KeyError):
            return Unknown(reason="description", rubbish=True)
        headers = [(b"content-type", media_type.encode()), INVENTED]
        return Done(status=200, reply=Message(document, media_type, headers))

    def _inventor(self, question: Question, subject: Subject) -> Inventor:
        return Inventor(self._description, self._settings.seed, question, subject)

    def _question(self, call: Call, body: bytes, asked: Mapping[str, Any]) -> Question:
        """Return what a call asks. The same question has the same source of chance."""
        words = (call.operation, call.path, call.query, body.decode("latin-1"))
        random = random_for(self._settings.seed, *words)
        subject = subject_of(asked, self._register, random)
        return Question(asked=asked, subject=subject, random=random, repeats=not self._register.count)

    def _find(self, call: Call) -> tuple[MockOperation, dict[str, str]] | None:
        """Return the operation of the call's name, or else of its method and path."""
        by_path: tuple[MockOperation, dict[str, str]] | None = None
        wanted = self._settings.operations.get(call.operation, call.operation)
        for operation in self._operations:
            variables = variables_of(call.path, operation.path)
            if operation.name == wanted:
                return operation, variables or {}
            if variables is not None and operation.method == call.method and by_path is None:
                by_path = operation, variables
        return by_path

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
        if self._soap is not None:
            offered = self._soap.description.operations.values()
            return [
                DescribedOperation(name=it.name, method="POST", path=f"/{it.name}")
                for it in offered
                if not it.problem
            ]
        return [DescribedOperation(name=it.name, method=it.method, path=it.path) for it in self._operations]

    async def drain(self) -> None:
        """Return when no call is under way."""
        self._closed = True
        await self._idle.wait()

    async def close(self) -> None:
        """Nothing is held. Idempotent."""
        self._closed = True


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


def _document(body: bytes) -> Any:  # Any: JSON
    """Return a JSON body, None for anything else."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _described(answer: Answer) -> Done:
    return _reply(answer.status, answer.media_type, answer.value, {})


def _reply(status: int, media_type: str, value: Any, schema: Mapping[str, Any]) -> Done:  # Any: JSON
    plain = media_type.partition(";")[0]
    if isinstance(value, str) and not plain.endswith("json"):
        body = value.encode()
    elif plain.endswith("xml"):
        body = f'<?xml version="1.0" encoding="utf-8"?>{render_xml(value, schema, "answer")}'.encode()
    else:
        body = orjson.dumps(value)
    headers = [(b"content-type", media_type.encode()), INVENTED]
    return Done(status=status, reply=Message(body, media_type, headers))


def _said(status: int, text: str) -> Done:
    body = orjson.dumps({"title": text, "status": status})
    media_type = "application/problem+json"
    return Done(
        status=status, reply=Message(body, media_type, [(b"content-type", media_type.encode()), INVENTED])
    )


def _fault(fault: str) -> Result:
    match fault:
        case "unreachable":
            return Unreachable(reason="refused")
        case "cut":
            return Unknown(reason="cut")
        case "rubbish":
            return Unknown(reason="rubbish", rubbish=True)
        case "busy":
            return Busy(after=1.0)
        case _:
            return _said(int(fault), "a fault that was asked for")


def _seconds(text: str, otherwise: float) -> float:
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        return otherwise
    return min(float(text), MOST_DELAY_SECONDS)
