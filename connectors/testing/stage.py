"""The stage on which each test puts a connector: its provider, the proxy before it, its host."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from connectors.contract import Call, CheckStep, Connector, ConnectorSettings, Done, Result, Unknown
from connectors.errors import ConnectorError
from connectors.heads import head_fits
from connectors.message import Body, Message
from connectors.testing.host import LOOPBACK, Host, KeptLog
from connectors.testing.proxy import FaultProxy, fault_proxy

__all__ = ["TEXT", "UNHEARD_NAME", "Address", "Stage", "Subject", "body_of", "stage_for", "whole"]

TEXT = "Nguyễn Thị Ngọc Ánh"
UNHEARD_NAME = "khong-co-may-nay.invalid"
"""A host name that has no address (RFC 6761)."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a provider is, as far as the connector is told; `tls` when it has to be reached by TLS."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Subject(Protocol):
    """What a stage has to know of a connector; the promises stand in `connectors.testing.ConnectorContract`."""

    connector: ClassVar[type[Connector]]
    secrets: ClassVar[Mapping[str, str]]
    method: ClassVar[str]
    path: ClassVar[str]
    operation: ClassVar[str]
    context: ClassVar[Mapping[str, str]]

    def settings(self, address: Address) -> Mapping[str, Any]: ...

    async def provider(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...

    def message(self, text: str) -> Message: ...

    def text_of(self, body: bytes) -> str: ...


class Stage:
    """A connector's provider, the proxy before it, and its host, for one test."""

    def __init__(self, subject: Subject, host: Host, proxy: FaultProxy) -> None:
        self.subject = subject
        self.host = host
        self.proxy = proxy
        self.log = KeptLog()

    @property
    def address(self) -> Address:
        """Where the connector finds the proxy."""
        return Address(LOOPBACK, self.proxy.port)

    def checked(self, document: Mapping[str, Any]) -> ConnectorSettings:
        """Return settings as the connector reads them. Raises ValidationError."""
        return self.subject.connector.Settings.model_validate(document)

    def make(
        self,
        *,
        address: Address | None = None,
        secrets: Mapping[str, str] | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> Connector:
        """Make a connector; nothing is opened."""
        settings = {**self.subject.settings(address or self.address), **(changes or {})}
        given = self.subject.secrets if secrets is None else secrets
        return self.subject.connector(self.checked(settings), self.host.context(given, self.log))

    @asynccontextmanager
    async def opened(
        self, *, secrets: Mapping[str, str] | None = None, changes: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Connector]:
        """Make a connector, open it, and close it."""
        connector = self.make(secrets=secrets, changes=changes)
        try:
            await connector.open()
            yield connector
        finally:
            await connector.close()

    def call_of(self, text: str = TEXT, *, seconds: float = 5.0, writes: bool = False) -> Call:
        """Return a call that carries a text."""
        return Call(
            exchange="01890000-0000-7000-8000-000000000001",
            operation=self.subject.operation,
            method=self.subject.method,
            path=self.subject.path,
            query="",
            message=self.subject.message(text),
            deadline=self.host.clock.monotonic() + seconds,
            context=dict(self.subject.context),
            read_only=not writes,
            writes=writes,
        )

    async def ask(
        self, connector: Connector, text: str = TEXT, *, seconds: float = 5.0, writes: bool = False
    ) -> Result:
        """Carry a text; the answer's body is read whole, and one that breaks off is Unknown, as a node sees it."""
        result = await whole(await connector.call(self.call_of(text, seconds=seconds, writes=writes)))
        if isinstance(result, Done):
            fits = head_fits(result.status, result.reply.headers)
            assert fits, (
                "the answer's head cannot be sent: a status not from 200 to 599, a name not in lower case, ..."
            )
        return result

    async def carry(self, connector: Connector, text: str = TEXT, *, seconds: float = 5.0) -> str:
        """Carry a text and return the one that came back; anything but an answer fails the test."""
        result = await self.ask(connector, text, seconds=seconds)
        assert isinstance(result, Done), f"the provider answered, and the connector says {result}"
        return self.subject.text_of(await body_of(result.reply.body))

    async def steps(self, connector: Connector) -> dict[str, CheckStep]:
        """Open as far as possible, run the connection test, and close; return its steps by name."""
        try:
            with suppress(ConnectorError):
                await connector.open()
            return {step.step: step for step in await connector.check()}
        finally:
            await connector.close()


@asynccontextmanager
async def stage_for(
    subject: Subject, host: Host, upstream: tuple[str, int] | None = None, *, talks: bool = True
) -> AsyncIterator[Stage]:
    """Set a stage: with the declared provider, or with one that runs elsewhere."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if not talks:
                return
            await subject.provider(reader, writer)
        writer.close()

    server = None
    if upstream is None:
        server = await asyncio.start_server(serve, LOOPBACK, 0)
        upstream = server.sockets[0].getsockname()[:2]
    try:
        async with fault_proxy(upstream) as proxy:
            yield Stage(subject, host, proxy)
    finally:
        if server is not None:
            server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def body_of(body: Body) -> bytes:
    """Return a body whole."""
    return body if isinstance(body, bytes) else b"".join([piece async for piece in body])


async def whole(result: Result) -> Result:
    """Return a result with its body read."""
    if isinstance(result, Done) and not isinstance(result.reply.body, bytes):
        try:
            body = await body_of(result.reply.body)
        except ConnectorError as error:
            return Unknown(reason=str(error))
        return replace(result, reply=replace(result.reply, body=body))
    return result
