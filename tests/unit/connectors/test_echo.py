"""The echo connector."""

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from time import monotonic
from typing import Any

from connectors.builtin.echo import EchoConnector, EchoSettings
from connectors.contract import Done, HTTPClient, HTTPReply, HTTPRequest, OwnHTTPClient
from connectors.errors import NotSent
from tests.connectors import a_call, a_context


class NoHTTP:
    """A client for connectors that need none."""

    async def send(self, request: HTTPRequest) -> HTTPReply:
        raise NotSent("closed")

    def narrowed(self, networks: object) -> OwnHTTPClient:
        raise NotImplementedError

    def with_tls(self, identity: object) -> OwnHTTPClient:
        raise NotImplementedError


HTTP: HTTPClient = NoHTTP()


def an_echo(**settings: Any) -> EchoConnector:  # Any: settings
    return EchoConnector(EchoSettings.model_validate(settings), a_context(HTTP))


async def pieces() -> AsyncIterator[bytes]:
    for piece in (b"ab", b"", b"c"):
        yield piece


async def test_it_reports_what_it_was_asked() -> None:
    call = a_call(
        method="POST",
        query="msdn=1",
        body="Sở".encode(),
        media_type="text/plain",
        headers=[(b"accept", b"*/*"), (b"x-private", b"no")],
        context={"x-officer": "cb-01"},
    )
    result = await an_echo(status=202).call(call)

    assert isinstance(result, Done)
    assert isinstance(result.reply.body, bytes)
    assert (result.status, result.reply.media_type) == (202, "application/json")
    assert json.loads(result.reply.body) == {
        "exchange": call.exchange,
        "operation": "traCuu",
        "method": "POST",
        "path": "/tra-cuu",
        "query": "msdn=1",
        "headers": {"accept": "*/*"},
        "context": {"x-officer": "cb-01"},
        "body": {"size": 4, "sha256": sha256("Sở".encode()).hexdigest(), "media_type": "text/plain"},
    }


async def test_a_stream_is_measured() -> None:
    result = await an_echo().call(a_call(method="POST", body=pieces()))

    assert isinstance(result, Done)
    assert isinstance(result.reply.body, bytes)
    assert json.loads(result.reply.body)["body"]["sha256"] == sha256(b"abc").hexdigest()


async def test_a_mirror_streams_the_body_back() -> None:
    result = await an_echo(mirror=True).call(a_call(method="POST", body=pieces()))

    assert isinstance(result, Done)
    assert not isinstance(result.reply.body, bytes)
    assert b"".join([piece async for piece in result.reply.body]) == b"abc"


async def test_it_can_take_its_time() -> None:
    started = monotonic()
    await an_echo(delay_seconds=0.05).call(a_call())

    assert monotonic() - started >= 0.05
