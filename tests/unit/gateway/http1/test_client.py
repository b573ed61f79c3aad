"""What the fast client promises beyond the reference: its pool, its deadlines, TLS, and nobody's leftovers."""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import psutil
import pytest

from connectors.contract import HTTPReply, HTTPRequest
from connectors.errors import BadAnswer, ConnectorError, EgressDenied, NoAnswer, NotSent
from connectors.message import Body, Headers
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from gateway.http1 import Certificate, HTTP1Transport, Limits
from gateway.http1.connection import ClosedBefore
from gateway.http1.framing import Outgoing, parse_address
from gateway.http1.pool import Pool
from gateway.http1.replies import ReplyStream
from tests import hostile as h
from tests.unit.gateway.http1.certificates import Authority

MB = 1024 * 1024

Open = Callable[..., HTTP1Transport]


@pytest.fixture(params=["asyncio", "uvloop"], scope="module")
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Make clients that are closed after the test."""
    async with AsyncExitStack() as stack:

        def make(
            *,
            limits: Limits | None = None,
            idle_seconds: float = 4.0,
            ca_file: Path | None = None,
            certificate: Certificate | None = None,
        ) -> HTTP1Transport:
            client = HTTP1Transport(
                egress=parse_egress(networks=["127.0.0.0/8"]),
                deadlines=Deadlines(),
                limits=limits,
                idle_seconds=idle_seconds,
                ca_file=ca_file,
                certificate=certificate,
            )
            stack.push_async_callback(client.close)
            return client

        yield make


@pytest.fixture
def http(opened: Open) -> HTTP1Transport:
    return opened()


def a_request(
    url: str,
    method: str = "GET",
    *,
    seconds: float = 2.0,
    connect_seconds: float = 1.0,
    headers: Headers | None = None,
    body: Body = b"",
) -> HTTPRequest:
    return HTTPRequest(
        method=method,
        url=url,
        headers=headers or [],
        body=body,
        deadline=monotonic() + seconds,
        connect_seconds=connect_seconds,
    )


async def body_of(reply: HTTPReply) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    return b"".join([piece async for piece in reply.body])


async def collect(stream: AsyncIterator[bytes], came: list[bytes]) -> None:
    async for piece in stream:
        came.append(piece)  # noqa: PERF401 (what came before an error counts)


async def failure(http: HTTP1Transport, request: HTTPRequest) -> tuple[type[ConnectorError], str]:
    with pytest.raises(ConnectorError) as caught:
        await body_of(await http.send(request))
    return type(caught.value), str(caught.value)


# --- the pool -------------------------------------------------------------------------------------------


async def test_connections_are_limited_and_handed_from_one_to_the_next(opened: Open) -> None:
    http = opened(limits=Limits(connections=3))
    async with h.hostile(h.answering()) as server, asyncio.TaskGroup() as tasks:
        sent = [tasks.create_task(http.send(a_request(server.address))) for _ in range(50)]

    assert all(task.result().body == b"{}" for task in sent)
    assert len(server.conversations) == 3
    assert sum(server.requests) == 50


async def test_who_finds_no_free_connection_in_time_sends_nothing(opened: Open) -> None:
    http = opened(limits=Limits(connections=1))
    async with h.hostile(h.silent) as server, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(failure(http, a_request(server.address, "POST", seconds=0.8)))
        await asyncio.sleep(0.05)
        second = await failure(http, a_request(server.address, "POST", connect_seconds=0.2))

    assert (first.result(), second) == ((NoAnswer, "timeout"), (NotSent, "connect-timeout"))
    assert server.requests == [1]


async def test_a_waiter_takes_the_place_of_a_connection_that_broke(opened: Open) -> None:
    http = opened(limits=Limits(connections=1))

    async def script(talk: h.Conversation) -> None:
        await talk.read_request()
        await asyncio.sleep(0.1)

    async with h.hostile(script) as server, asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(failure(http, a_request(server.address, "POST"))) for _ in range(3)]

    assert [call.result() for call in calls] == [(NoAnswer, "cut")] * 3
    assert server.requests == [1, 1, 1]


async def test_waiters_that_leave_take_no_place_with_them(opened: Open) -> None:
    http = opened(limits=Limits(connections=2))

    async def script(talk: h.Conversation) -> None:
        while (await talk.read_request())[0]:
            await asyncio.sleep(0.01)
            await talk.send(h.OK)

    async with h.hostile(script) as server:
        for round_ in range(20):
            calls = [asyncio.ensure_future(http.send(a_request(server.address))) for _ in range(8)]
            await asyncio.sleep(0.001 * (round_ % 7))
            for call in calls[round_ % 3 :: 2]:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        replies = await asyncio.gather(*(http.send(a_request(server.address)) for _ in range(8)))

    assert [reply.body for reply in replies] == [b"{}"] * 8


async def test_only_so_many_connections_rest(opened: Open) -> None:
    http = opened(limits=Limits(idle_connections=2))
    async with h.hostile(h.answering()) as server:
        await asyncio.gather(*(http.send(a_request(server.address)) for _ in range(6)))
        await asyncio.sleep(0.05)
        left = [talk for talk in server.conversations if not talk.reader.at_eof()]

    assert len(server.conversations) == 6
    assert len(left) == 2


async def test_a_connection_that_rested_too_long_is_closed(opened: Open) -> None:
    http = opened(idle_seconds=0.15)
    async with h.hostile(h.answering()) as server:
        await http.send(a_request(server.address))
        await asyncio.sleep(0.4)
        closed = server.conversations[0].reader.at_eof()
        await http.send(a_request(server.address))

    assert closed
    assert server.requests == [1, 1]


async def test_a_peer_that_says_it_closes_soon_is_believed(opened: Open) -> None:
    answer = h.OK.replace(b"Content-Length", b"Keep-Alive: timeout=1\r\nContent-Length")
    async with h.hostile(h.answering(answer)) as server:
        http = opened()
        for _ in range(2):
            await http.send(a_request(server.address, "POST"))

    assert server.requests == [1, 1]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_connection_closed_just_before_use_is_not_used(http: HTTP1Transport, method: str) -> None:
    async with h.hostile(h.answering()) as server:
        await http.send(a_request(server.address, "POST"))
        peer = server.conversations[0].writer.get_extra_info("socket")
        with socket.socket(fileno=os.dup(peer.fileno())) as behind_the_loops_back:
            behind_the_loops_back.shutdown(socket.SHUT_RDWR)
        reply = await http.send(a_request(server.address, method))

    assert reply.body == b"{}"
    assert server.requests == [1, 1]


async def test_a_connection_closed_while_it_rests_is_never_used(http: HTTP1Transport) -> None:
    async with h.hostile(h.answering_once(h.OK)) as server:
        for _ in range(3):
            await http.send(a_request(server.address, "POST"))
            await asyncio.sleep(0.02)

    assert server.requests == [1, 1, 1]


async def test_destinations_share_nothing(http: HTTP1Transport) -> None:
    async with h.hostile(h.answering()) as one, h.hostile(h.answering()) as two:
        for server in (one, two, one, two):
            await http.send(a_request(server.address.replace("http", "HTTP")))
            await http.send(a_request(server.address + "/x?y#z"))
        narrowed = http.narrowed(["127.0.0.0/8"])
        await narrowed.send(a_request(one.address))

    assert (one.requests, two.requests) == ([4, 1], [4])


async def test_a_closed_client_sends_nothing_more(http: HTTP1Transport) -> None:
    async with h.hostile(h.silent) as server, asyncio.TaskGroup() as tasks:
        narrowed = http.narrowed(["127.0.0.0/8"])
        under_way = tasks.create_task(failure(http, a_request(server.address)))
        await asyncio.sleep(0.05)
        await http.close()
        await http.close()
        outcomes = [await failure(client, a_request(server.address)) for client in (http, narrowed)]

    assert under_way.result() == (NoAnswer, "cut")
    assert outcomes == [(NotSent, "closed")] * 2


async def test_a_connection_being_made_does_not_outlive_the_client(http: HTTP1Transport) -> None:
    async with h.hostile(h.answering()) as server, asyncio.TaskGroup() as tasks:
        calls = []
        for turns in range(4):
            client = http.narrowed(["127.0.0.0/8"])
            call = tasks.create_task(failure_or_reply(client, a_request(server.address)))
            for _ in range(turns):
                await asyncio.sleep(0)
            pools = list(client._pools.values())
            await client.close()
            calls.append((call, pools))
        await asyncio.sleep(0.1)

    for call, pools in calls:
        assert isinstance(call.result(), ConnectorError)
        assert all(pool.is_unused for pool in pools)


async def test_a_deadline_that_has_passed_sends_nothing(http: HTTP1Transport) -> None:
    async with h.hostile(h.answering()) as server:
        outcome = await failure(http, a_request(server.address, seconds=-1))

    assert outcome == (NotSent, "connect-timeout")
    assert server.conversations == []


# --- deadlines ------------------------------------------------------------------------------------------


async def test_the_first_byte_has_a_deadline_of_its_own(opened: Open) -> None:
    http = opened(limits=Limits(first_byte_seconds=0.2))
    async with h.hostile(h.silent) as server:
        started = monotonic()
        outcomes = [
            await failure(http, a_request(server.address, "POST", body=body, seconds=9))
            for body in (b"x", pieces(b"x"))
        ]

    assert outcomes == [(NoAnswer, "timeout")] * 2
    assert monotonic() - started < 1.5


async def test_the_time_between_bytes_has_a_deadline_of_its_own(opened: Open) -> None:
    http = opened(limits=Limits(first_byte_seconds=5, between_bytes_seconds=0.25))
    steady = [h.OK[at : at + 8] for at in range(0, len(h.OK), 8)]
    async with (
        h.hostile(h.answering_once(h.OK[:-1], hold=9)) as halting,
        h.hostile(h.answering_once(*steady, pause=0.06)) as slow,
    ):
        started = monotonic()
        outcome = await failure(http, a_request(halting.address, seconds=9))
        halted = monotonic() - started
        reply = await http.send(a_request(slow.address, seconds=9))

    assert outcome == (NoAnswer, "timeout")
    assert halted < 1
    assert reply.body == b"{}"


async def test_a_slow_reader_is_not_taken_for_a_slow_peer(opened: Open) -> None:
    http = opened(limits=Limits(between_bytes_seconds=0.15))
    async with h.hostile(h.large(4 * MB)) as server:
        reply = await http.send(a_request(server.address, seconds=9))
        await asyncio.sleep(0.5)
        size = len(await body_of(reply))

    assert size == 4 * MB


async def test_writing_has_a_deadline_of_its_own(opened: Open) -> None:
    http = opened(limits=Limits(write_seconds=0.2))
    async with h.hostile(h.silent) as server:
        started = monotonic()
        outcome = await failure(http, a_request(server.address, "POST", seconds=9, body=bytes(32 * MB)))

    assert outcome == (NoAnswer, "timeout")
    assert monotonic() - started < 1.5


async def test_a_stream_ends_at_the_deadline_with_what_had_come(http: HTTP1Transport) -> None:
    async def script(talk: h.Conversation) -> None:
        await talk.read_request()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200_000)
        await asyncio.sleep(9)

    async with h.hostile(script) as server:
        reply = await http.send(a_request(server.address, seconds=0.4))
        assert isinstance(reply.body, ReplyStream)
        came: list[bytes] = []
        for _ in range(2):
            with pytest.raises(NoAnswer, match="timeout"):
                await collect(reply.body, came)

    assert sum(map(len, came)) == 200_000


# --- early answers, both directions at once -------------------------------------------------------------


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_an_early_answer_does_not_wait_for_a_caller_that_hangs(http: HTTP1Transport) -> None:
    async def hanging() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(60)

    async with h.hostile(h.early_answer) as server:
        started = monotonic()
        reply = await http.send(a_request(server.address, "POST", body=hanging(), seconds=9))
        await http.send(a_request(server.address, "POST"))

    assert (reply.status, reply.body) == (413, b"big")
    assert monotonic() - started < 1
    assert server.requests == [1, 1]


async def test_an_early_answer_to_a_large_body_is_read_though_the_peer_closes(http: HTTP1Transport) -> None:
    async def script(talk: h.Conversation) -> None:
        await talk.read_head()
        await talk.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
        await asyncio.sleep(0.3)

    async with h.hostile(script) as server:
        replies = [
            await http.send(a_request(server.address, "POST", body=bytes(64 * MB), seconds=9))
            for _ in range(3)
        ]

    assert [(reply.status, reply.body) for reply in replies] == [(413, b"big")] * 3


async def test_a_peer_may_answer_while_it_reads(http: HTTP1Transport) -> None:
    total, piece = 8 * MB, b"z" * 65536

    async def source() -> AsyncIterator[bytes]:
        for _ in range(total // len(piece)):
            yield piece

    async def echo(talk: h.Conversation) -> None:
        await talk.read_head()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        left = total
        while left:
            data = await talk.reader.read(min(left, 65536))
            left -= len(data)
            await talk.send(data)
        await talk.read_head()

    async with h.hostile(echo) as server:
        length = [(b"content-length", b"%d" % total)]
        reply = await http.send(a_request(server.address, "POST", headers=length, body=source(), seconds=9))
        size = len(await body_of(reply))
        await failure(http, a_request(server.address, "POST", seconds=0.3))

    assert size == total
    assert server.requests == [2]


# --- cancelling -----------------------------------------------------------------------------------------


async def test_cancelling_at_any_moment_hurts_no_other_exchange(http: HTTP1Transport) -> None:
    counter = 0

    async def script(talk: h.Conversation) -> None:
        while head := (await talk.read_request())[0]:
            path = head.split(b" ")[1]
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))

    async def call(number: int) -> None:
        nonlocal counter
        reply = await http.send(a_request(f"{server.address}/{number}"))
        assert reply.body == b"/%d" % number
        counter += 1

    async with h.hostile(script) as server:
        for number in range(400):
            left = asyncio.ensure_future(call(1_000_000 + number))
            stays = asyncio.ensure_future(call(number))
            for _ in range(number % 9):
                await asyncio.sleep(0)
            left.cancel()
            await asyncio.gather(left, return_exceptions=True)
            await stays

    assert counter >= 400


async def test_a_cancelled_upload_ends_its_connection(http: HTTP1Transport) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    async with h.hostile(h.swallowing) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await http.send(a_request(server.address, "POST", body=endless(), seconds=9))
        await asyncio.sleep(0.1)

        assert server.conversations[0].writer.transport.is_closing()


# --- hostile --------------------------------------------------------------------------------------------


async def ten_mb_of_headers(talk: h.Conversation) -> None:
    await talk.read_request()
    await talk.send(b"HTTP/1.1 200 OK\r\n")
    for _ in range(160):
        await talk.send(b"X-A: a\r\n" * 8192)


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        pytest.param(ten_mb_of_headers, (BadAnswer, "head-too-large"), id="10 MB of headers"),
        pytest.param(h.endless_chunks, (NoAnswer, "timeout"), id="endless chunks"),
        pytest.param(h.half_open, (NoAnswer, "cut"), id="half open"),
        pytest.param(h.silent, (NoAnswer, "timeout"), id="silent"),
        pytest.param(h.resetting(), (NoAnswer, "cut"), id="reset"),
        pytest.param(h.resetting(h.OK[:30]), (NoAnswer, "cut"), id="reset in the head"),
        pytest.param(h.resetting(b"HTTP/1.1 200 OK\r\n\r\nabc"), (NoAnswer, "cut"), id="reset, no length"),
        pytest.param(h.answering_once(b"\x16\x03\x01\x02\x00"), (BadAnswer, "rubbish"), id="TLS unasked"),
        pytest.param(h.answering_once(h.OK[:-1]), (NoAnswer, "cut"), id="too short"),
        pytest.param(h.answering_once(h.OK + b"}"), (BadAnswer, "rubbish"), id="too long"),
    ],
)
async def test_a_hostile_answer_has_its_name_and_its_connection_ends(
    http: HTTP1Transport, script: h.Script, outcome: tuple[type[ConnectorError], str]
) -> None:
    async def enduring(talk: h.Conversation) -> None:
        with suppress(RuntimeError):  # how uvloop says that a connection is gone
            await script(talk)

    async with h.hostile(enduring) as server:
        outcomes = [
            await failure(http, a_request(server.address, "POST", seconds=0.4, body=b"x")) for _ in range(2)
        ]

    assert outcomes == [outcome] * 2
    assert server.requests == [1, 1]


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_memory_stays_flat_for_100_mb_each_way(http: HTTP1Transport, framing: str) -> None:
    total = 100 * MB
    process = psutil.Process()
    peak = before = process.memory_info().rss

    async def source() -> AsyncIterator[bytes]:
        nonlocal peak
        for _ in range(total // 65536):
            yield b"u" * 65536
            peak = max(peak, process.memory_info().rss)

    headers = [] if framing == "chunks" else [(b"content-length", b"%d" % total)]
    async with h.hostile(h.swallowing) as up, h.hostile(h.large(total, chunked=framing == "chunks")) as down:
        reply = await http.send(a_request(up.address, "POST", headers=headers, body=source(), seconds=30))
        answer = await http.send(a_request(down.address, seconds=30))
        size = 0
        assert isinstance(answer.body, ReplyStream)
        async for piece in answer.body:
            size += len(piece)
            if size % 7 == 0:
                await asyncio.sleep(0.001)
            peak = max(peak, process.memory_info().rss)

    assert (reply.body, size) == (b"%d" % total, total)
    assert peak - before < 20 * MB


async def test_a_server_that_closes_at_once_was_sent_nothing_or_did_not_answer(http: HTTP1Transport) -> None:
    async def script(talk: h.Conversation) -> None:
        talk.reset()

    async with h.hostile(script) as server:
        outcomes = {await failure(http, a_request(server.address, "POST", body=b"x")) for _ in range(20)}

    assert outcomes <= {(NotSent, "unreachable"), (NoAnswer, "cut")}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", id="length"),
        pytest.param(h.OK.replace(b"200", b"404"), id="another status"),
        pytest.param(
            b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\n\r\n",
            id="chunks after 1xx",
        ),
    ],
)
async def test_an_answer_cut_at_any_byte_is_never_whole(http: HTTP1Transport, answer: bytes) -> None:
    for at in range(len(answer)):
        async with h.hostile(h.answering_once(answer[:at])) as server:
            outcome = await failure(http, a_request(server.address))
            assert outcome == (NoAnswer, "cut")
            assert server.requests == [1]


async def test_an_answer_in_single_bytes_is_whole_and_keeps_its_connection(http: HTTP1Transport) -> None:
    answer = b"HTTP/1.1 103 Early\r\n\r\n" + h.OK

    async def script(talk: h.Conversation) -> None:
        talk.writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (await talk.read_request())[0]:
            await talk.send(*(answer[at : at + 1] for at in range(len(answer))), pause=0.0005)

    async with h.hostile(script) as server:
        replies = [await http.send(a_request(server.address, "POST")) for _ in range(2)]

    assert [reply.body for reply in replies] == [b"{}", b"{}"]
    assert server.requests == [2]


UNASKED = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nunasked"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_answer_that_nobody_asked_for_answers_nobody(http: HTTP1Transport, method: str) -> None:
    async with h.hostile(h.answering()) as server:
        for _ in range(20):
            await http.send(a_request(server.address))
            peer = server.conversations[-1].writer.get_extra_info("socket")
            with socket.socket(fileno=os.dup(peer.fileno())) as behind_the_loops_back:
                behind_the_loops_back.send(UNASKED)
            reply = await http.send(a_request(server.address, method))
            assert reply.body == b"{}"
            await asyncio.sleep(0)

    assert sum(server.requests) == 40
    assert len(server.requests) == 21


async def test_resting_connections_are_tried_before_a_new_one_is_made(http: HTTP1Transport) -> None:
    async with h.hostile(h.answering_once(h.OK, hold=0.1)) as server:
        await asyncio.gather(*(http.send(a_request(server.address)) for _ in range(3)))
    async with h.hostile(h.answering()) as server:
        await asyncio.gather(*(http.send(a_request(server.address)) for _ in range(3)))
        newest = next(iter(http._origins[server.address]._idle[-1:]))
        ours = newest._transport.get_extra_info("sockname")  # type: ignore[union-attr]
        [peer] = [
            it.writer.get_extra_info("socket")
            for it in server.conversations
            if it.writer.get_extra_info("peername") == ours
        ]
        with socket.socket(fileno=os.dup(peer.fileno())) as behind_the_loops_back:
            behind_the_loops_back.send(UNASKED)
        reply = await http.send(a_request(server.address, "POST"))

    assert reply.body == b"{}"
    assert sorted(server.requests) == [1, 1, 2]


@pytest.mark.parametrize("first", [UNASKED, b""], ids=["speaks first", "hangs up"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nothing_is_sent_to_one_who_speaks_first_or_hangs_up(
    http: HTTP1Transport, method: str, first: bytes
) -> None:
    """A listener in a thread, so that what it says is there before the client's loop looks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        said = threading.Event()

        def speak() -> bytes:
            talk, _ = listener.accept()
            with talk:
                talk.settimeout(2)
                talk.send(first) if first else talk.shutdown(socket.SHUT_WR)
                said.set()
                try:
                    return talk.recv(1000)
                except ConnectionResetError:
                    return b""

        pool = Pool(parse_address(f"http://127.0.0.1:{listener.getsockname()[1]}/")[0], http._terms)
        with ThreadPoolExecutor(1) as thread:
            heard = thread.submit(speak)
            connection = await pool.open(1, fresh=False)
            assert said.wait(1)
            request = a_request("http://127.0.0.1/", method)
            with pytest.raises(ClosedBefore) as refused:
                await connection.begin(Outgoing(request, "/", pool.after_target), request.deadline)

            assert await asyncio.wrap_future(heard) == b""

    assert not refused.value.sent
    assert isinstance(refused.value.for_caller(), NotSent)
    assert pool.is_unused


async def failure_or_reply(http: HTTP1Transport, request: HTTPRequest) -> object:
    try:
        return await http.send(request)
    except (NotSent, NoAnswer, BadAnswer) as error:
        return error


async def test_a_denied_address_is_never_connected_to() -> None:
    async with (
        h.hostile(h.answering()) as server,
        HTTP1Transport(egress=parse_egress(), deadlines=Deadlines()) as http,
    ):
        outcomes = [
            await failure(http, a_request(f"http://{host}:{server.port}/"))
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "127.1", "0")
        ]

    assert outcomes == [(EgressDenied, "egress-denied")] * 7
    assert server.conversations == []


# --- TLS ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def tls_server(context: ssl.SSLContext) -> AsyncIterator[tuple[int, list[str]]]:
    """Answer over TLS with the name of the client's certificate; note the server names asked for."""
    names: list[str] = []

    def note(_: object, name: str | None, __: object) -> None:
        names.append(name or "")

    context.sni_callback = note

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                peer = writer.get_extra_info("peercert") or {"subject": ()}
                subject = ",".join(value for group in peer["subject"] for _, value in group).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(subject), subject))
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], names
    finally:
        server.close()
        await asyncio.sleep(0.02)


async def test_tls_is_verified_named_and_kept(opened: Open, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context(authority.issue("localhost", "127.0.0.1", label="server"))
    async with tls_server(context) as (port, names):
        http = opened(ca_file=authority.file)
        for host in ("localhost", "localhost", "127.0.0.1"):
            assert (await http.send(a_request(f"https://{host}:{port}/", "POST"))).status == 200
        await http.close()

    assert names == ["localhost", ""]


async def test_tls_that_does_not_verify_is_not_spoken(opened: Open, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context(authority.issue("other.example", label="server"))
    async with tls_server(context) as (port, _):
        unknown = await failure(opened(), a_request(f"https://localhost:{port}/"))
        misnamed = await failure(opened(ca_file=authority.file), a_request(f"https://localhost:{port}/"))

    assert (unknown, misnamed) == ((NotSent, "tls"), (NotSent, "tls"))


async def test_a_client_certificate_is_shown(opened: Open, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context(authority.issue("127.0.0.1", label="server"), client_needed=True)
    async with tls_server(context) as (port, _):
        certificate = authority.issue("node.example", label="node")
        known = opened(ca_file=authority.file, certificate=certificate)
        reply = await known.narrowed(["127.0.0.0/8"]).send(a_request(f"https://127.0.0.1:{port}/"))
        outcome = await failure(opened(ca_file=authority.file), a_request(f"https://127.0.0.1:{port}/"))
        await known.close()

    assert reply.body == b"node"
    # TLS 1.3 tells a client that it is not welcome only after the handshake.
    assert outcome in {(NotSent, "tls"), (NoAnswer, "cut"), (NotSent, "unreachable")}
