"""The data plane's HTTP client against real sockets, friendly and hostile."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from time import monotonic

import psutil
import pytest

from connectors.contract import HTTPReply, HTTPRequest
from connectors.errors import BadAnswer, ConnectorError, EgressDenied, NoAnswer, NotSent
from connectors.message import Body, Headers
from gateway.aiohttp_transport import REASONS, AiohttpTransport
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from tests import hostile as h

MB = 1024 * 1024


@pytest.fixture
async def http() -> AsyncIterator[AiohttpTransport]:
    egress = parse_egress(networks=["127.0.0.0/8"])
    async with AiohttpTransport(egress=egress, deadlines=Deadlines()) as transport:
        yield transport


def a_request(
    url: str,
    method: str = "GET",
    *,
    seconds: float = 2.0,
    headers: Headers | None = None,
    body: Body = b"",
) -> HTTPRequest:
    return HTTPRequest(
        method=method,
        url=url,
        headers=headers or [],
        body=body,
        deadline=monotonic() + seconds,
        connect_seconds=1.0,
    )


async def body_of(reply: HTTPReply) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    return b"".join([piece async for piece in reply.body])


async def read_slowly(reply: HTTPReply) -> None:
    assert not isinstance(reply.body, bytes)
    async for _ in reply.body:
        await asyncio.sleep(0.01)


async def failure(http: AiohttpTransport, request: HTTPRequest) -> tuple[type[ConnectorError], str]:
    with pytest.raises(ConnectorError) as caught:
        await body_of(await http.send(request))
    assert str(caught.value) in REASONS
    return type(caught.value), str(caught.value)


async def pieces(*parts: bytes, pause: float = 0.0) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
        await asyncio.sleep(pause)


# --- what is sent ---------------------------------------------------------------------------------------


async def test_the_request_goes_out_as_it_was_given(http: AiohttpTransport) -> None:
    heads: list[bytes] = []

    async def script(talk: h.Conversation) -> None:
        heads.append((await talk.read_request())[0])
        await talk.send(h.OK)

    async with h.hostile(script) as server:
        url = f"{server.address}/a%2Fb//c;x=1/%E1%BB%87/?q=%20+a&&b=%"
        await http.send(
            a_request(url, headers=[(b"x-one", "Sở".encode()), (b"X-Two", b"a"), (b"x-two", b"b")])
        )

    assert heads[0] == (
        b"GET /a%2Fb//c;x=1/%E1%BB%87/?q=%20+a&&b=% HTTP/1.1\r\n"
        + f"Host: 127.0.0.1:{server.port}\r\n".encode()
        + "x-one: Sở\r\n".encode()
        + b"X-Two: a\r\nx-two: b\r\n\r\n"
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_an_empty_body_has_a_length_and_no_type(http: AiohttpTransport, method: str) -> None:
    heads: list[bytes] = []

    async def script(talk: h.Conversation) -> None:
        heads.append((await talk.read_request())[0])
        await talk.send(h.OK)

    async with h.hostile(script) as server:
        await http.send(a_request(server.address + "/", method))

    assert h.fields_of(heads[0]) == {"host": f"127.0.0.1:{server.port}", "content-length": "0"}


@pytest.mark.parametrize(
    ("headers", "framing"),
    [
        pytest.param([], {"transfer-encoding": "chunked"}, id="chunked"),
        pytest.param([(b"content-length", b"7")], {"content-length": "7"}, id="declared"),
    ],
)
async def test_a_stream_is_framed_as_declared(
    http: AiohttpTransport, headers: Headers, framing: dict[str, str]
) -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def script(talk: h.Conversation) -> None:
        seen.append(await talk.read_request())
        await talk.send(h.OK)

    async with h.hostile(script) as server:
        await http.send(a_request(server.address, "POST", headers=headers, body=pieces(b"abc", b"defg")))

    head, body = seen[0]
    assert body == b"abcdefg"
    assert h.fields_of(head) == {"host": f"127.0.0.1:{server.port}"} | framing


async def test_fields_of_framing_and_connection_are_the_clients_own(http: AiohttpTransport) -> None:
    heads: list[bytes] = []
    forged = [
        (b"host", b"elsewhere"),
        (b"transfer-encoding", b"chunked"),
        (b"content-length", b"99"),
        (b"connection", b"close"),
        (b"expect", b"100-continue"),
    ]

    async def script(talk: h.Conversation) -> None:
        heads.append((await talk.read_request())[0])
        await talk.send(h.OK)

    async with h.hostile(script) as server:
        await http.send(a_request(server.address, "POST", headers=forged, body=b"abc"))

    assert h.fields_of(heads[0]) == {"host": f"127.0.0.1:{server.port}", "content-length": "3"}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(b"x-a", b"1\r\nx-b: 2")], id="line break"),
        pytest.param([(b"x-a", b"\xff")], id="not UTF-8"),
        pytest.param([(b"x-\xc3\xa9", b"1")], id="name"),
    ],
)
async def test_a_field_that_would_break_the_head_is_not_sent(
    http: AiohttpTransport, headers: Headers
) -> None:
    async with h.hostile(h.answering()) as server:
        outcome = await failure(http, a_request(server.address, headers=headers))

    assert outcome == (NotSent, "header-invalid")
    assert sum(server.requests) == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/a b",
        "http://127.0.0.1:1/\r\n",
        "ftp://127.0.0.1/",
        "http:///",
        "nó",
        "http://[::1/",
    ],
)
async def test_an_address_that_is_none_is_not_sent(http: AiohttpTransport, url: str) -> None:
    assert await failure(http, a_request(url)) == (NotSent, "address-invalid")


# --- what comes back ------------------------------------------------------------------------------------


async def test_headers_come_back_whole_and_connections_are_kept(http: AiohttpTransport) -> None:
    answer = (
        b"HTTP/1.1 207 Any\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Encoding: gzip\r\n"
        b"Connection: keep-alive\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x00\x00"
    )
    async with h.hostile(h.answering(answer)) as server:
        reply = await http.send(a_request(server.address))
        again = await http.send(a_request(server.address, "POST", body=b"x"))

    assert (reply.status, reply.body, again.status) == (207, b"\x1f\x8b\x00\x00", 207)
    assert reply.headers == [
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"content-encoding", b"gzip"),
        (b"content-length", b"4"),
    ]
    assert server.requests == [2]


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        pytest.param(b"HTTP/1.1 204 No\r\n\r\n", 204, b"", id="204"),
        pytest.param(b"HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", 304, b"", id="304 with a length"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nold", 200, b"old", id="HTTP/1.0, ends with the connection"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
            200,
            b"abc",
            id="chunked with a trailer",
        ),
        pytest.param(
            b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz",
            200,
            b"z",
            id="1xx first",
        ),
        pytest.param(
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            302,
            b"",
            id="redirect",
        ),
    ],
)
async def test_every_framing_is_read(http: AiohttpTransport, answer: bytes, status: int, body: bytes) -> None:
    async with h.hostile(h.answering_once(answer)) as server:
        reply = await http.send(a_request(server.address))

    assert (reply.status, await body_of(reply)) == (status, body)


async def test_a_head_request_has_no_body_and_keeps_its_connection(http: AiohttpTransport) -> None:
    async with h.hostile(h.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")) as server:
        replies = [await http.send(a_request(server.address, "HEAD")) for _ in range(2)]

    assert [reply.body for reply in replies] == [b"", b""]
    assert (b"content-length", b"1000") in replies[0].headers
    assert server.requests == [2]


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_reply_read_to_its_end_frees_its_connection(http: AiohttpTransport, framing: str) -> None:
    async with h.hostile(h.large(MB, chunked=framing == "chunks")) as server:
        reply = await http.send(a_request(server.address))
        streamed = not isinstance(reply.body, bytes)
        size = len(await body_of(reply))
        with pytest.raises(NoAnswer):
            await http.send(a_request(server.address, "POST", body=b"x"))

    assert (streamed, size) == (True, MB)
    assert server.requests == [2]


@pytest.mark.parametrize("how", ["close", "drop", "cancel"])
async def test_a_reply_left_unread_gives_its_connection_up(http: AiohttpTransport, how: str) -> None:
    async with h.hostile(h.large(50 * MB)) as server:
        reply = await http.send(a_request(server.address))
        assert not isinstance(reply.body, bytes)
        await anext(reply.body)
        if how == "close":
            await reply.close()
            await reply.close()
        elif how == "drop":
            del reply
            gc.collect()
        else:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(read_slowly(reply), 0.05)
            await reply.close()
        await asyncio.sleep(0.1)

        assert server.conversations[0].writer.transport.is_closing()


# --- what goes wrong before anything is sent ------------------------------------------------------------


async def test_nothing_is_sent_where_nobody_listens(http: AiohttpTransport) -> None:
    assert await failure(http, a_request(f"http://127.0.0.1:{h.free_port()}/")) == (NotSent, "refused")


async def test_a_name_without_address_is_not_sent(http: AiohttpTransport) -> None:
    assert await failure(http, a_request("http://nowhere.invalid/")) == (NotSent, "dns")


async def test_a_connection_that_is_not_made_in_time_is_not_sent(http: AiohttpTransport) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003 (the standard library's signature)
            filler.connect_ex(full.getsockname())
        request = a_request(f"http://127.0.0.1:{full.getsockname()[1]}/")
        request.connect_seconds = 0.2
        outcome = await failure(http, request)
        for filler in fillers:
            filler.close()

    assert outcome == (NotSent, "connect-timeout")


async def test_tls_to_a_server_without_it_is_not_sent(http: AiohttpTransport) -> None:
    async with h.hostile(h.deaf) as server:
        assert await failure(http, a_request(f"https://127.0.0.1:{server.port}/")) == (NotSent, "tls")


async def test_a_denied_address_is_never_connected_to() -> None:
    async with (
        h.hostile(h.answering()) as server,
        AiohttpTransport(egress=parse_egress(), deadlines=Deadlines()) as http,
    ):
        outcomes = [
            await failure(http, a_request(f"http://{host}:{server.port}/"))
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "127.1", "0")
        ]

    assert outcomes == [(EgressDenied, "egress-denied")] * 7
    assert server.conversations == []


async def test_a_narrowed_client_reaches_less(http: AiohttpTransport) -> None:
    async with h.hostile(h.answering()) as server:
        near, far = http.narrowed(["127.0.0.1/32"]), http.narrowed(["10.0.0.0/8"])
        reply = await near.send(a_request(server.address))
        outcome = await failure(far, a_request(server.address))
        await near.close()
        await near.close()

    assert reply.status == 200
    assert outcome == (EgressDenied, "egress-denied")


# --- what goes wrong afterwards -------------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        pytest.param(h.answering_once(b""), (NoAnswer, "cut"), id="closed without a word"),
        pytest.param(h.resetting(), (NoAnswer, "cut"), id="reset without a word"),
        pytest.param(h.half_open, (NoAnswer, "cut"), id="half open"),
        pytest.param(h.silent, (NoAnswer, "timeout"), id="silent"),
        pytest.param(
            h.answering_once(b"HTTP/1.1 200 OK\r\nX-A", hold=0.1), (NoAnswer, "cut"), id="cut in the head"
        ),
        pytest.param(
            h.answering_once(OK_CUT := h.OK[:-1], hold=0.05), (NoAnswer, "cut"), id="shorter than declared"
        ),
        pytest.param(
            h.answering_once(OK_CUT, hold=9), (NoAnswer, "timeout"), id="shorter than declared, then held"
        ),
        pytest.param(h.answering_once(h.OK + b"}"), (BadAnswer, "rubbish"), id="longer than declared"),
        pytest.param(
            h.resetting(b"HTTP/1.1 200 OK\r\n\r\nabc"), (NoAnswer, "cut"), id="no length, then reset"
        ),
        pytest.param(h.answering_once(CHUNKED + b"5\r\nabc"), (NoAnswer, "cut"), id="cut in a chunk"),
        pytest.param(h.answering_once(CHUNKED + b"3\r\nabc\r\n"), (NoAnswer, "cut"), id="cut between chunks"),
        pytest.param(
            h.answering_once(CHUNKED + b"zz\r\nabc\r\n", hold=1), (BadAnswer, "rubbish"), id="no chunk size"
        ),
        pytest.param(
            h.answering_once(CHUNKED, b"3\r\nabcdef\r\n", pause=0.05, hold=1),
            (BadAnswer, "rubbish"),
            id="chunk longer than declared",
        ),
        pytest.param(
            h.answering_once(CHUNKED + b"3\r\nabc\r\n", b"garbage", pause=0.05, hold=1),
            (BadAnswer, "rubbish"),
            id="garbage between chunks",
        ),
        pytest.param(h.answering_once(b"rubbish all over\r\n\r\n"), (BadAnswer, "rubbish"), id="garbage"),
        pytest.param(h.answering_once(b"SSH-2.0-x\r\n"), (BadAnswer, "rubbish"), id="another protocol"),
        pytest.param(
            h.answering_once(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            (BadAnswer, "rubbish"),
            id="two lengths",
        ),
        pytest.param(
            h.answering_once(
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            (BadAnswer, "rubbish"),
            id="length and chunks",
        ),
        pytest.param(
            h.answering_once(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", hold=1),
            (BadAnswer, "rubbish"),
            id="101 unasked",
        ),
        pytest.param(
            h.answering_once(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100_000),
            (BadAnswer, "head-too-large"),
            id="one endless field",
        ),
        pytest.param(
            h.answering_once(b"HTTP/1.1 200 OK\r\n", *[b"X-A: a\r\n" * 10_000] * 120),
            (BadAnswer, "head-too-large"),
            id="10 MB of headers",
        ),
    ],
)
async def test_a_bad_answer_is_told_apart_and_its_connection_not_used_again(
    http: AiohttpTransport, script: h.Script, outcome: tuple[type[ConnectorError], str]
) -> None:
    async with h.hostile(script) as server:
        first = await failure(http, a_request(server.address, "POST", seconds=0.6, body=b"x"))
        second = await failure(http, a_request(server.address, "POST", seconds=0.6, body=b"x"))

    assert (first, second) == (outcome, outcome)
    assert server.requests == [1, 1]


async def test_an_answer_cut_at_any_byte_is_never_taken_for_whole(http: AiohttpTransport) -> None:
    answer = CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"
    outcomes = []
    for at in range(len(answer)):
        async with h.hostile(h.answering_once(answer[:at])) as server:
            outcomes.append((await failure(http, a_request(server.address, "POST", body=b"x")))[0])

    assert set(outcomes) <= {NoAnswer, BadAnswer}


async def test_two_answers_in_one_segment_spoil_the_connection_only(http: AiohttpTransport) -> None:
    async with h.hostile(h.answering(h.OK + h.OK.replace(b"{}", b"[]"))) as server:
        bodies = [(await http.send(a_request(server.address))).body for _ in range(3)]

    assert bodies == [b"{}"] * 3
    assert server.requests == [1, 1, 1]


async def test_what_comes_unasked_on_an_idle_connection_answers_nobody(http: AiohttpTransport) -> None:
    async def script(talk: h.Conversation) -> None:
        await talk.read_request()
        await talk.send(h.OK, h.OK.replace(b"{}", b"[]"), pause=0.05)
        await talk.read_request()
        await talk.send(h.OK)

    async with h.hostile(script) as server:
        first = await http.send(a_request(server.address))
        await asyncio.sleep(0.15)
        second = await http.send(a_request(server.address))

    assert (first.body, second.body) == (b"{}", b"{}")
    assert server.requests == [1, 1]


async def test_endless_chunks_end_at_the_deadline(http: AiohttpTransport) -> None:
    async with h.hostile(h.endless_chunks) as server:
        started = monotonic()
        outcome = await failure(http, a_request(server.address, seconds=0.4))

    assert outcome == (NoAnswer, "timeout")
    assert monotonic() - started < 0.8


async def test_a_slow_answer_within_the_deadline_is_whole(http: AiohttpTransport) -> None:
    async with h.hostile(
        h.answering_once(*[h.OK[i : i + 7] for i in range(0, len(h.OK), 7)], pause=0.01)
    ) as server:
        reply = await http.send(a_request(server.address))

    assert reply.body == b"{}"


async def test_a_call_that_meets_a_closing_connection_is_repeated_once_if_harmless(
    http: AiohttpTransport,
) -> None:
    async with h.hostile(h.closing_idle) as server:
        first = await http.send(a_request(server.address))
        second = await http.send(a_request(server.address))

    assert (first.body, second.body) == (b"{}", b"{}")
    assert server.requests == [2, 1]


@pytest.mark.parametrize("streamed", ["whole", "streamed"])
async def test_a_call_that_may_have_an_effect_is_never_repeated(
    http: AiohttpTransport, streamed: str
) -> None:
    async with h.hostile(h.closing_idle) as server:
        await http.send(a_request(server.address))
        body = pieces(b"x") if streamed == "streamed" else b"x"
        outcome = await failure(
            http, a_request(server.address, "GET" if streamed == "streamed" else "POST", body=body)
        )

    assert outcome == (NoAnswer, "cut")
    assert server.requests == [2]


async def test_an_early_answer_is_taken_and_the_rest_not_sent(http: AiohttpTransport) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"z" * 65536
            await asyncio.sleep(0.005)

    async with h.hostile(h.early_answer) as server:
        reply = await http.send(a_request(server.address, "POST", body=slowly()))
        again = await http.send(a_request(server.address, "POST", body=b""))

    assert (reply.status, reply.body, again.status) == (413, b"big", 413)
    assert server.requests == [1, 1]


async def test_the_error_of_the_callers_own_stream_comes_through(http: AiohttpTransport) -> None:
    class CallerGone(Exception):
        pass

    async def broken() -> AsyncIterator[bytes]:
        yield b"abc"
        raise CallerGone

    async with h.hostile(h.swallowing) as server:
        with pytest.raises(CallerGone):
            await http.send(a_request(server.address, "POST", body=broken()))
        await asyncio.sleep(0.05)

        assert (
            server.conversations[0].writer.transport.is_closing() or server.conversations[0].reader.at_eof()
        )


@pytest.mark.parametrize("length", [2, 9])
async def test_a_stream_that_belies_its_length_is_cut(http: AiohttpTransport, length: int) -> None:
    declared = [(b"content-length", b"%d" % length)]
    async with h.hostile(h.swallowing) as server:
        outcome = await failure(
            http, a_request(server.address, "POST", headers=declared, body=pieces(b"abc", b"de"))
        )

    assert outcome == (NoAnswer, "cut")


async def test_a_cancelled_call_frees_its_connection(http: AiohttpTransport) -> None:
    async with h.hostile(h.silent) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await http.send(a_request(server.address, seconds=9))
        await asyncio.sleep(0.05)
        talk = server.conversations[0]

        assert talk.reader.at_eof()


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_memory_stays_flat_for_100_mb_each_way(http: AiohttpTransport, framing: str) -> None:
    total = 100 * MB
    process = psutil.Process()

    async def source() -> AsyncIterator[bytes]:
        for _ in range(total // 65536):
            yield b"u" * 65536

    headers = [] if framing == "chunks" else [(b"content-length", b"%d" % total)]
    async with h.hostile(h.swallowing) as up, h.hostile(h.large(total, chunked=framing == "chunks")) as down:
        before = process.memory_info().rss
        peak = before
        reply = await http.send(a_request(up.address, "POST", headers=headers, body=source(), seconds=30))
        answer = await http.send(a_request(down.address, seconds=30))
        size = 0
        assert not isinstance(answer.body, bytes)
        async for piece in answer.body:
            size += len(piece)
            peak = max(peak, process.memory_info().rss)

    assert (reply.body, size) == (b"%d" % total, total)
    assert peak - before < 20 * MB
