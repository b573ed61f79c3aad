"""A node whose settings bound how long providers may be silent, however long a call may take."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from gateway.exchange import Reason
from registry.evidence import Delivered, Outcome
from tests.e2e.plane import Plane, connect, raw, request_head, running_plane
from tests.hostile import Conversation

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 300000\r\n\r\n"


@pytest.fixture(scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    folder = tmp_path_factory.mktemp("plane")
    async with running_plane(
        folder / "node",
        provider_connections="2",
        provider_first_byte_seconds="0.3",
        provider_between_bytes_seconds="0.4",
        provider_write_seconds="0.5",
    ) as running:
        endpoint = {"deadline_seconds": 20, "settings": {"url": running.provider.url, "connect_seconds": 0.2}}
        await running.offer("Cham", endpoint=endpoint, max_body_bytes=1 << 30)
        await (await running.caller()).fetch_token()
        yield running


@pytest.fixture(autouse=True)
def _as_before(plane: Plane) -> None:
    plane.begin()


async def test_a_provider_that_says_nothing_is_given_up_before_the_deadline(plane: Plane) -> None:
    async def silent(talk: Conversation, head: bytes) -> None:
        await asyncio.sleep(2)

    plane.provider.behave = silent
    began = time.monotonic()
    answer = await (await plane.caller()).call("/Cham/1.0/x")

    await plane.refused(answer, Reason.PROVIDER_TIMEOUT, 504, "provider", sent=True)
    assert 0.3 <= time.monotonic() - began < 1.5


async def test_an_answer_that_stops_half_way_is_cut_before_the_deadline(plane: Plane) -> None:
    async def stalling(talk: Conversation, head: bytes) -> None:
        await talk.send(HEAD, *[b"x" * 10_000] * 10, pause=0.05)
        await asyncio.sleep(2)

    plane.provider.behave = stalling
    caller = await plane.caller()
    began = time.monotonic()
    answer = await raw(plane.node, request_head(caller, "GET /Cham/1.0/x"))

    assert (answer.status, answer.whole) == (200, False)
    assert 0 < len(answer.body) <= 100_000
    assert 0.9 <= time.monotonic() - began < 2.4
    record = await plane.until(lambda record: record.outcome == Outcome.UNKNOWN)
    assert record.delivered == Delivered.CUT


async def test_a_provider_that_takes_nothing_of_an_upload_is_given_up(plane: Plane) -> None:
    async def deaf(talk: Conversation, head: bytes) -> None:
        talk.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport too
        await asyncio.sleep(3)

    plane.provider.behave = deaf
    caller = await plane.caller()
    began = time.monotonic()
    reader, writer = await connect(plane.node)
    writer.write(request_head(caller, "POST /Cham/1.0/x", "Content-Length: 30000000") + b"x" * 30_000_000)
    status = await asyncio.wait_for(reader.readline(), 10)
    writer.transport.abort()

    assert b" 504 " in status
    assert time.monotonic() - began < 5
    record = await plane.until(lambda record: record.reason == Reason.PROVIDER_TIMEOUT)
    assert record.sent


async def test_who_finds_no_connection_free_is_unreachable_and_nothing_was_sent(plane: Plane) -> None:
    async def slow(talk: Conversation, head: bytes) -> None:
        await talk.send(HEAD)
        for _ in range(30):
            await talk.send(b"x" * 10_000, pause=0.02)

    plane.provider.behave = slow
    caller = await plane.caller()
    answers = await asyncio.gather(*(caller.call("/Cham/1.0/x") for _ in range(3)))

    assert sorted(answer.status_code for answer in answers) == [200, 200, 502]
    [refused] = [answer for answer in answers if answer.status_code == 502]
    await plane.refused(refused, Reason.PROVIDER_UNREACHABLE, 502, "provider")
