"""Bodies of all sizes, both ways and through both doors: whole, streamed, over the limit, cut by anybody."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

import psutil
import pytest

from gateway.exchange import Reason
from registry.entities import Kind
from registry.evidence import Delivered, Outcome
from tests.e2e.node import PROVIDER, Caller
from tests.e2e.plane import (
    EXCHANGE,
    JSON_OK,
    MARK,
    WAYS,
    HangUp,
    Plane,
    connect,
    parse,
    raw,
    request_head,
    running_plane,
)
from tests.factories import an_operation, an_organisation
from tests.hostile import Conversation, _swallow, fields_of

KIB = 1024
MB = 1024 * KIB
WHOLE = 64 * KIB
LIMIT = 100 * KIB
PIECE = MARK.encode() * 3000


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way["door"])
async def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path_factory.mktemp("plane") / "node", **request.param) as running:
        await running.offer("Lon", max_body_bytes=1 << 30, endpoint={"deadline_seconds": 30})
        await running.offer("Nho", max_body_bytes=LIMIT)
        operations = [an_operation("ghi", "/ghi", method="POST", effect="write")]
        await running.offer("Ghi", operations=operations)
        await running.caller()
        await running.callers["một cửa"].fetch_token()
        yield running


@pytest.fixture(autouse=True)
def _as_before(plane: Plane) -> None:
    plane.begin()


def body(size: int) -> bytes:
    return (PIECE * (size // len(PIECE) + 1))[:size]


async def drip(talk: Conversation, head: bytes) -> None:
    """Answer with a stream that goes on until somebody ends it."""
    await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await talk.send(b"%x\r\n%s\r\n" % (len(PIECE), PIECE), pause=0.05)


# --- sizes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [1, WHOLE - 1, WHOLE, WHOLE + 1, 5 * MB])
async def test_a_body_goes_there_and_comes_back(plane: Plane, size: int, chunked: bool) -> None:  # noqa: FBT001
    sent = body(size)
    plane.provider.replies(body=sent)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 50_000):
            yield sent[start : start + 50_000]

    caller = plane.callers["một cửa"]
    answer = await caller.call("/Lon/1.0/x", "POST", content=pieces() if chunked else sent)

    assert answer.content == sent
    assert answer.headers["content-length"] == str(size)
    assert plane.provider.bodies[-1] == sent
    assert chunked or plane.provider.head["content-length"] == str(size)
    record = await plane.final(answer, request=sent)
    assert (record.outcome, record.delivered) == (Outcome.SUCCESS, Delivered.YES)
    assert len(await plane.records(answer.headers[EXCHANGE])) == (2 if size > WHOLE else 1)


async def test_an_answer_without_a_length_is_streamed_in_chunks(plane: Plane) -> None:
    sent = body(300 * KIB)
    plane.provider.sends(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", sent, then="close")
    answer = await plane.callers["một cửa"].call("/Lon/1.0/x")
    assert answer.content == sent
    assert answer.headers["transfer-encoding"] == "chunked"
    assert (await plane.final(answer)).delivered == Delivered.YES


async def test_a_hundred_megabytes_both_ways_take_little_memory(plane: Plane) -> None:
    total = 100 * MB
    piece = body(256 * KIB)
    seen = sha256()

    async def mirror_size(talk: Conversation, head: bytes) -> None:
        size = await _swallow(talk, fields_of(head))
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(piece)):
            await talk.send(piece)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(total // len(piece)):
            yield piece

    plane.provider.behave = mirror_size
    process = psutil.Process(plane.node.process.pid)
    caller = plane.callers["một cửa"]
    await caller.call("/Lon/1.0/x", "POST", content=b"")
    before = most = process.memory_info().rss
    headers = {"authorization": f"Bearer {caller.token}", "content-length": str(total)}
    received = 0
    async with plane.node.http.stream("POST", "/Lon/1.0/x", content=pieces(), headers=headers) as answer:
        async for got in answer.aiter_raw():
            seen.update(got)
            received += len(got)
            most = max(most, process.memory_info().rss)
    record = (await plane.records(answer.headers[EXCHANGE]))[-1].record
    assert received == total == record.request_bytes == record.reply_bytes
    assert most - before < 20 * MB, f"{(most - before) / MB:.1f} MB"
    assert record.delivered == Delivered.YES


async def test_a_caller_that_reads_slowly_holds_the_provider_back(plane: Plane) -> None:
    handed = 0

    async def pour(talk: Conversation, head: bytes) -> None:
        nonlocal handed
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (50 * MB))
        for _ in range(50 * MB // (64 * KIB)):
            await talk.send(body(64 * KIB))
            handed += 64 * KIB

    plane.provider.behave = pour
    process = psutil.Process(plane.node.process.pid)
    before = process.memory_info().rss
    reader, writer = await connect(plane.node)
    writer.write(request_head(plane.callers["một cửa"], "GET /Lon/1.0/x"))
    await reader.readexactly(100)
    await asyncio.sleep(0.5)
    assert handed < 20 * MB
    assert process.memory_info().rss - before < 10 * MB
    writer.transport.abort()
    record = await plane.until(lambda it: it.delivered == Delivered.CUT)
    assert (record.outcome, record.reason) == (Outcome.UNKNOWN, Reason.CALLER_GONE)


# --- over the limit -------------------------------------------------------------------------------------


async def test_a_body_at_the_limit_passes(plane: Plane) -> None:
    sent = body(LIMIT)
    answer = await plane.callers["một cửa"].call("/Nho/1.0/x", "POST", content=sent)
    assert (answer.content, plane.provider.bodies[-1]) == (JSON_OK, sent)
    await plane.final(answer, request=sent)


async def test_a_declared_length_over_the_limit_is_refused_before_anything_is_read(plane: Plane) -> None:
    head = request_head(plane.callers["một cửa"], "POST /Nho/1.0/x", f"Content-Length: {LIMIT + 1}")
    answer = await raw(plane.node, head)  # not a byte of the body is sent
    assert answer.status == 413
    assert b"body-too-large" in answer.body
    record = (await plane.records(answer.headers[EXCHANGE]))[-1].record
    assert (record.outcome, record.sent, record.request_bytes) == (Outcome.INVALID, False, 0)


async def test_a_chunked_body_over_the_limit_is_refused_as_soon_as_it_is(plane: Plane) -> None:
    piece = body(10 * KIB)
    chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
    head = request_head(plane.callers["một cửa"], "POST /Nho/1.0/x", "Transfer-Encoding: chunked")
    answer = await raw(plane.node, head, *[chunk] * 12, pause=0.002)
    assert answer.status == 413
    record = (await plane.records(answer.headers[EXCHANGE]))[-1].record
    assert (record.outcome, record.reason) == (Outcome.INVALID, Reason.BODY_TOO_LARGE)
    assert record.sent is True  # the provider had begun to get it, and saw it cut
    assert record.request_bytes <= LIMIT


# --- callers that go ------------------------------------------------------------------------------------


@pytest.mark.parametrize("declared", [1000, 5 * MB])
async def test_a_caller_that_stops_half_way_in_its_body_is_recorded(plane: Plane, declared: int) -> None:
    async def patient(talk: Conversation, head: bytes) -> None:
        await talk.reader.read(-1)
        raise HangUp

    plane.provider.behave = patient
    before = len(plane.provider.heads)
    _, writer = await connect(plane.node)
    writer.write(request_head(plane.callers["một cửa"], "POST /Lon/1.0/x", f"Content-Length: {declared}"))
    writer.write(body(declared // 2))
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.transport.abort()

    record = await plane.until(lambda it: it.reason == Reason.BODY_CUT)
    assert (record.outcome, record.delivered) == (Outcome.INVALID, Delivered.NO)
    assert record.sent is (declared > WHOLE)
    assert len(plane.provider.heads) - before == (1 if declared > WHOLE else 0)


async def test_a_caller_that_hangs_up_before_a_whole_answer_is_recorded(plane: Plane) -> None:
    async def slowly(talk: Conversation, head: bytes) -> None:
        await asyncio.sleep(0.3)
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    plane.provider.behave = slowly
    _, writer = await connect(plane.node)
    writer.write(request_head(plane.callers["một cửa"], "GET /Lon/1.0/x"))
    await asyncio.sleep(0.1)
    writer.transport.abort()
    record = await plane.until(lambda it: it.delivered == Delivered.NO)
    assert (record.outcome, record.sent, record.status) == (Outcome.SUCCESS, True, 200)


async def test_a_caller_that_hangs_up_in_a_stream_is_recorded(plane: Plane) -> None:
    plane.provider.behave = drip
    reader, writer = await connect(plane.node)
    writer.write(request_head(plane.callers["một cửa"], "GET /Lon/1.0/x"))
    await reader.readexactly(1000)
    writer.transport.abort()
    record = await plane.until(lambda it: it.delivered == Delivered.CUT)
    assert (record.outcome, record.reason, record.sent) == (Outcome.UNKNOWN, Reason.CALLER_GONE, True)
    assert record.reply_bytes >= WHOLE


# --- providers that go, in the middle of a stream -------------------------------------------------------


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
async def test_a_stream_that_the_provider_breaks_reaches_the_caller_broken(
    plane: Plane, framing: str, then: str
) -> None:
    part = body(200 * KIB)
    if "chunked" in framing:
        part = b"%x\r\n%s\r\n" % (len(part), part)
    plane.provider.sends(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode(), part, pause=0.05, then=then)
    answer = await raw(plane.node, request_head(plane.callers["một cửa"], "GET /Lon/1.0/x"))
    assert answer.status == 200
    assert not answer.whole
    record = (await plane.records(answer.headers[EXCHANGE]))[-1].record
    assert (record.outcome, record.reason) == (Outcome.UNKNOWN, Reason.PROVIDER_CUT)
    assert record.delivered == Delivered.CUT


async def test_a_caller_of_http_1_0_sees_a_broken_stream_as_a_reset(plane: Plane) -> None:
    part = body(200 * KIB)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    plane.provider.sends(head, b"%x\r\n%s\r\n" % (len(part), part), pause=0.05, then="close")
    old = request_head(plane.callers["một cửa"], "GET /Lon/1.0/x").replace(b"HTTP/1.1", b"HTTP/1.0")
    with pytest.raises(ConnectionResetError):
        await raw(plane.node, old)


async def test_a_stream_that_takes_too_long_is_cut_at_the_deadline(plane: Plane) -> None:
    await plane.offer(f"Cham{plane.node.environment['LGSP_DOOR'][:4]}", endpoint={"deadline_seconds": 0.6})
    plane.provider.behave = drip
    name = f"Cham{plane.node.environment['LGSP_DOOR'][:4]}"
    answer = await raw(plane.node, request_head(plane.callers["một cửa"], f"GET /{name}/1.0/x"))
    assert (answer.status, answer.whole) == (200, False)
    record = (await plane.records(answer.headers[EXCHANGE]))[-1].record
    assert (record.reason, record.delivered) == (Reason.PROVIDER_CUT, Delivered.CUT)


# --- revocation -----------------------------------------------------------------------------------------


class Running:
    """A caller in the middle of a stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.data = b""

    async def read_for(self, seconds: float) -> bool:
        """Read on; says whether the node closed the connection in this time."""
        try:
            async with asyncio.timeout(seconds):
                while piece := await self.reader.read(65536):
                    self.data += piece
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True


async def begun(plane: Plane, caller: Caller, *parts: bytes) -> Running:
    """Return a caller whose exchange has begun, with what it has sent so far."""
    reader, writer = await connect(plane.node)
    for part in parts:
        writer.write(part)
    return Running(reader, writer)


async def test_a_stream_survives_an_unrelated_edit_and_is_cut_with_its_grant(plane: Plane) -> None:
    await plane.offer("Thu", granted=False, endpoint={"deadline_seconds": 20})
    grant = await plane.node.grant("Thu")
    await plane.node.settled()
    plane.provider.behave = drip
    caller = plane.callers["một cửa"]
    running = await begun(plane, caller, request_head(caller, "GET /Thu/1.0/x"))
    assert not await running.read_for(0.3)
    await plane.node.add(Kind.ORGANISATION, an_organisation("H98"))
    await plane.node.settled()
    assert not await running.read_for(0.3)

    await plane.node.step(Kind.GRANT, grant.id, "revoke", PROVIDER, note="thôi")
    assert await running.read_for(1.0)
    answer = parse(running.data)
    assert (answer.status, answer.whole) == (200, False)
    record = (await plane.records(answer.headers[EXCHANGE]))[-1].record
    assert (record.outcome, record.reason) == (Outcome.UNKNOWN, Reason.CUT_BY_REVOCATION)
    assert (record.delivered, record.sent) == (Delivered.CUT, True)
    running.writer.close()


async def test_a_stream_is_cut_with_its_client(plane: Plane) -> None:
    caller = await plane.caller("sắp khoá")
    await caller.fetch_token()
    plane.provider.behave = drip
    running = await begun(plane, caller, request_head(caller, "GET /Lon/1.0/x"))
    assert not await running.read_for(0.3)
    await plane.node.step(Kind.CLIENT, caller.id, "disable")
    assert await running.read_for(1.0)
    record = await plane.until(lambda it: it.reason == Reason.CUT_BY_REVOCATION)
    assert record.client == caller.id
    running.writer.close()


async def test_an_upload_is_cut_with_its_client(plane: Plane) -> None:
    async def patient(talk: Conversation, head: bytes) -> None:
        while await talk.reader.read(65536):
            pass
        raise HangUp

    caller = await plane.caller("sắp khoá nữa")
    await caller.fetch_token()
    plane.provider.behave = patient
    head = request_head(caller, "POST /Lon/1.0/x", f"Content-Length: {5 * MB}")
    running = await begun(plane, caller, head, body(200 * KIB))
    assert not await running.read_for(0.3)
    await plane.node.step(Kind.CLIENT, caller.id, "disable")
    assert await running.read_for(2.0)
    answer = parse(running.data)
    assert answer.status == 504
    record = (await plane.records(answer.headers[EXCHANGE]))[-1].record
    assert (record.reason, record.sent) == (Reason.CUT_BY_REVOCATION, True)
    running.writer.close()


async def test_a_streamed_exchange_has_an_open_record_before_the_provider_is_called(plane: Plane) -> None:
    opened: list[str] = []

    async def look(talk: Conversation, head: bytes) -> None:
        await _swallow(talk, fields_of(head))
        page = await plane.evidence.search(limit=1)
        opened.append(page.items[0].record.exchange if page.items else "")
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    plane.provider.behave = look
    for path, sent in (("/Lon/1.0/x", body(WHOLE + 1)), ("/Ghi/1.0/ghi", b"{}")):
        answer = await plane.callers["một cửa"].call(path, "POST", content=sent)
        first, last = await plane.records(answer.headers[EXCHANGE])
        assert (first.record.kind, last.record.kind) == ("open", "final")
        assert (first.batch, first.position) < (last.batch, last.position)
        assert opened[-1] != answer.headers[EXCHANGE]  # it had no final record yet
