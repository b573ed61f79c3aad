"""A provider inside the node: it answers with what it was asked. For tutorials, tests and connection tests."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

from pydantic import Field

from connectors.calls import Calls
from connectors.contract import (
    Body,
    Call,
    Capabilities,
    CheckStep,
    ConnectorContext,
    ConnectorSettings,
    DescribedOperation,
    Done,
    Result,
    Unreachable,
)
from connectors.credentials import HeaderName
from connectors.message import Headers, Message

JSON = "application/json"
_SHOWN = ("accept", "accept-language", "content-type", "user-agent")


class EchoSettings(ConnectorSettings):
    """Settings of the `echo` connector."""

    delay_seconds: float = Field(0.0, ge=0, le=600, description="Time to wait before answering.")
    status: int = Field(200, ge=200, le=599, description="HTTP status of the answer.")
    mirror: bool = Field(
        default=False, description="Answer with the body itself, streamed, instead of a report on it."
    )
    shown_headers: tuple[HeaderName, ...] = Field(
        _SHOWN, description="Which of the caller's headers the report shows."
    )


class EchoConnector:
    """Answers with a JSON report on the call, or with its body. Reads streams without keeping them."""

    kind: ClassVar[str] = "echo"
    version: ClassVar[str] = "1"
    capabilities: ClassVar[Capabilities] = Capabilities(streaming=True, idempotence="native")
    Settings: ClassVar[type[ConnectorSettings]] = EchoSettings

    def __init__(self, settings: EchoSettings, context: ConnectorContext) -> None:
        self._settings = settings
        self._shown = frozenset(name.encode() for name in settings.shown_headers)
        self._calls = Calls()

    async def open(self) -> None:
        """Nothing is taken up."""

    async def call(self, call: Call) -> Result:
        """Answer with what was asked."""
        if self._calls.closed:
            return Unreachable(reason="closed")
        with self._calls:
            if self._settings.delay_seconds:
                await asyncio.sleep(self._settings.delay_seconds)
            return Done(status=self._settings.status, reply=await self._reply(call))

    async def _reply(self, call: Call) -> Message:
        if self._settings.mirror:
            media_type = call.message.media_type or "application/octet-stream"
            return Message(call.message.body, media_type, [(b"content-type", media_type.encode())])
        size, digest = await _measure(call.message.body)
        report: dict[str, Any] = {
            "exchange": call.exchange,
            "operation": call.operation,
            "method": call.method,
            "path": call.path,
            "query": call.query,
            "headers": _text(call.message.headers, self._shown),
            "context": dict(call.context),
            "body": {"size": size, "sha256": digest, "media_type": call.message.media_type},
        }
        text = json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode()
        return Message(text, JSON, [(b"content-type", JSON.encode())])

    async def check(self) -> Sequence[CheckStep]:
        """There is nothing on the way that could fail."""
        way = [
            CheckStep(step=step, ok=None, detail="not needed")
            for step in ("dns", "tcp", "tls", "credentials")
        ]
        return [*way, CheckStep(step="contract", ok=True)]

    async def describe(self) -> Sequence[DescribedOperation]:
        """It answers anything, so it has no operations of its own."""
        return ()

    async def drain(self) -> None:
        """Return when no call is under way."""
        await self._calls.drain()

    async def close(self) -> None:
        """Nothing is held. Idempotent."""
        self._calls.close()


async def _measure(body: Body) -> tuple[int, str]:
    digest = hashlib.sha256()
    if isinstance(body, bytes):
        digest.update(body)
        return len(body), digest.hexdigest()
    size = 0
    pieces: AsyncIterator[bytes] = body
    async for piece in pieces:
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def _text(headers: Headers, shown: frozenset[bytes]) -> dict[str, str]:
    return {
        name.decode("latin-1"): value.decode("utf-8", "replace") for name, value in headers if name in shown
    }
