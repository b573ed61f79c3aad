"""The guard, spoken to over raw sockets as no well-behaved client would."""

import asyncio
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.guard import GuardLimits, guarded_protocol
from gateway.limiter import parse_networks

LIMITS = GuardLimits(
    connections=12,
    connections_per_address=8,
    head_seconds=0.6,
    body_seconds=0.6,
    keep_alive_seconds=1.2,
    pipelined=5,
)
GET = b"GET /echo HTTP/1.1\r\nHost: node\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: node\r\n"


@dataclass
class Counted:
    """Counts refusals."""

    reasons: Counter[str] = field(default_factory=Counter)

    def refused(self, reason: str) -> None:
        self.reasons[reason] += 1


async def app(scope: Any, receive: Any, send: Any) -> None:  # Any: ASGI
    """Echo what arrived; `/early` answers before reading, `/slow` later, `/drip` begins to answer at once."""
    if scope["path"] == "/early":
        await respond(send, 413, {"early": True})
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    if scope["path"] == "/drip":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"drop", "more_body": True})
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            SEEN["disconnected"] += 1
            return
        body += event["body"]
        if not event["more_body"]:
            break
    SEEN[scope["path"]] += 1
    if scope["path"] == "/drip":
        await send({"type": "http.response.body", "body": b"end"})
        return
    told = {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": body.decode("latin-1"),
    }
    await respond(send, 200, told)


SEEN: Counter[str] = Counter()


async def respond(send: Any, status: int, told: dict[str, Any]) -> None:  # Any: ASGI, JSON
    body = json.dumps(told).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass
class Node:
    """A running server."""

    port: int
    counted: Counted
    protocol: Any  # Any: the class that `guarded_protocol` made
    server: uvicorn.Server

    def connect(self) -> "Caller":
        return Caller(socket.create_connection(("127.0.0.1", self.port), timeout=5))


class Caller:
    """One raw connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.pending = b""

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self, *, bare: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Return one answer: status, headers, body; `bare` for the answer to a HEAD."""
        while b"\r\n\r\n" not in self.pending:
            self.more()
        head, _, self.pending = self.pending.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        size = 0 if bare else int(headers.get("content-length", "0"))
        while len(self.pending) < size:
            self.more()
        body, self.pending = self.pending[:size], self.pending[size:]
        return int(lines[0].split()[1]), headers, body

    def more(self) -> None:
        data = self.connection.recv(65536)
        if not data:
            raise EOFError(self.pending)
        self.pending += data

    def told(self) -> dict[str, Any]:  # Any: JSON
        status, _, body = self.answer()
        assert status == 200
        told: dict[str, Any] = json.loads(body)
        return told

    def is_closed(self) -> bool:
        return self.connection.recv(65536) == b""


def serve(limits: GuardLimits, **more: Any) -> Iterator[Node]:  # Any: uvicorn's settings
    listening = socket.create_server(("127.0.0.1", 0))
    counted = Counted()
    protocol = guarded_protocol(limits, counted)
    config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None, **more)
    server = uvicorn.Server(config)

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve([listening]))

    thread = threading.Thread(target=run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Node(listening.getsockname()[1], counted, protocol, server)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Node]:
    yield from serve(LIMITS)


@pytest.fixture
def node(running: Node) -> Node:
    wait_until(lambda: not running.protocol.watch.connections)
    running.counted.reasons.clear()
    SEEN.clear()
    return running


def wait_until(condition: Any, seconds: float = 5.0) -> None:  # Any: a callable
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def refusal(caller: Caller) -> tuple[int, str]:
    """Return status and code of a refusal, after which the connection is closed."""
    status, headers, body = caller.answer()
    problem = json.loads(body)
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert set(problem["messages"]) == {"vi", "en"}
    assert caller.is_closed()
    return status, problem["code"]


def pour(node: Node, caller: Caller, piece: bytes) -> int:
    """Send the same piece again and again until the guard has had enough; returns how much was sent."""
    sent = 0
    while not node.counted.reasons and sent < 20 * 1024 * 1024:
        caller.send(piece)
        sent += len(piece)
        time.sleep(0.0005)
    return sent


CHUNKED = b"Transfer-Encoding: chunked\r\n"
SHAPES = [
    pytest.param(POST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n", id="CL.TE"),
    pytest.param(POST + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n", id="TE.CL"),
    pytest.param(POST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n", id="TE.TE twice"),
    pytest.param(POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", id="TE xchunked"),
    pytest.param(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="TE gzip, chunked"),
    pytest.param(POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", id="TE chunked, gzip"),
    pytest.param(POST + b"Transfer-Encoding: identity\r\n\r\n", id="TE identity"),
    pytest.param(POST + b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", id="TE in capitals"),
    pytest.param(POST + b"Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n", id="TE with a space behind"),
    pytest.param(POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", id="TE with a tab before"),
    pytest.param(
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", id="TE with a space before the colon"
    ),
    pytest.param(POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", id="TE folded"),
    pytest.param(POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', id="TE quoted"),
    pytest.param(POST + b"Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n", id="TE with an underscore"),
    pytest.param(b"POST / HTTP/1.0\r\nHost: n\r\n" + CHUNKED + b"\r\n0\r\n\r\n", id="TE on HTTP/1.0"),
    pytest.param(POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", id="CL twice"),
    pytest.param(POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", id="CL twice, differing"),
    pytest.param(POST + b"Content-Length: +1\r\n\r\na", id="CL with plus"),
    pytest.param(POST + b"Content-Length: -1\r\n\r\na", id="CL negative"),
    pytest.param(POST + b"Content-Length: 1 1\r\n\r\na", id="CL with a space inside"),
    pytest.param(POST + b"Content-Length: 1 \r\n\r\na", id="CL with a space behind"),
    pytest.param(POST + b"Content-Length: 1, 1\r\n\r\na", id="CL as a list"),
    pytest.param(POST + b"Content-Length: 0x1\r\n\r\na", id="CL in hexadecimal"),
    pytest.param(POST + b"Content-Length: 01\r\n\r\na", id="CL with a zero before"),
    pytest.param(POST + b"Content-Length: \r\n\r\n", id="CL empty"),
    pytest.param(POST + b"Content-Length: 99999999999999999999\r\n\r\n", id="CL beyond 64 bits"),
    pytest.param(POST + CHUNKED + b"\r\n1;a=b\nx\r\n0\r\n\r\n", id="chunk extension with a bare LF"),
    pytest.param(POST + CHUNKED + b"\r\n1;a=\x01\r\nx\r\n0\r\n\r\n", id="chunk extension with a control"),
    pytest.param(POST + CHUNKED + b"\r\n1\nx\r\n0\r\n\r\n", id="chunk size with a bare LF"),
    pytest.param(POST + CHUNKED + b"\r\n0x1\r\nx\r\n0\r\n\r\n", id="chunk size with 0x"),
    pytest.param(POST + CHUNKED + b"\r\n-1\r\nx\r\n0\r\n\r\n", id="chunk size negative"),
    pytest.param(POST + CHUNKED + b"\r\n1 \r\nx\r\n0\r\n\r\n", id="chunk size with a space"),
    pytest.param(POST + CHUNKED + b"\r\nfffffffffffffffff\r\nx", id="chunk size too large"),
    pytest.param(POST + CHUNKED + b"\r\n1\r\nxx\r\n0\r\n\r\n", id="chunk longer than it says"),
    pytest.param(b"GET / HTTP/1.1\nHost: n\n\n", id="bare LF"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: n\nX: y\r\n\r\n", id="bare LF in a header"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: n\rX: y\r\n\r\n", id="bare CR in a header"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: n\r\nX: a\0b\r\n\r\n", id="NUL in a header"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: n\r\nX: a\x01b\r\n\r\n", id="a control in a header"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: n\r\nX Y: z\r\n\r\n", id="a space in a header name"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: n\r\nX_Y: z\r\n\r\n", id="an underscore in a header name"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: n\r\n: z\r\n\r\n", id="no header name"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: n\r\nX\r\n\r\n", id="no colon"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: n\r\nX: a\r\n b\r\n\r\n", id="obs-fold"),
    pytest.param(b"GET / HTTP/1.1\r\n Host: n\r\n\r\n", id="obs-fold before the first header"),
    pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no Host"),
    pytest.param(b"GET / HTTP/1.0\r\n\r\n", id="no Host on HTTP/1.0"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: n\r\nHost: n\r\n\r\n", id="Host twice"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: \r\n\r\n", id="Host empty"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", id="Host as a list"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: u@n\r\n\r\n", id="Host with a user"),
    pytest.param(b"GET http://other/ HTTP/1.1\r\nHost: n\r\n\r\n", id="another authority in the target"),
    pytest.param(b"GET http://u@n/ HTTP/1.1\r\nHost: n\r\n\r\n", id="a user in the target"),
    pytest.param(b"GET ftp://n/ HTTP/1.1\r\nHost: n\r\n\r\n", id="another scheme in the target"),
    pytest.param(b"CONNECT n:443 HTTP/1.1\r\nHost: n:443\r\n\r\n", id="CONNECT"),
    pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: n\r\n\r\n", id="asterisk form"),
    pytest.param(b"GET /a#b HTTP/1.1\r\nHost: n\r\n\r\n", id="a fragment in the target"),
    pytest.param(b"GET /a b HTTP/1.1\r\nHost: n\r\n\r\n", id="a raw space in the target"),
    pytest.param("GET /huyện HTTP/1.1\r\nHost: n\r\n\r\n".encode(), id="raw UTF-8 in the target"),
    pytest.param(b"GET /a\x00 HTTP/1.1\r\nHost: n\r\n\r\n", id="NUL in the target"),
    pytest.param(b"GET / HTTP/0.9\r\nHost: n\r\n\r\n", id="HTTP/0.9"),
    pytest.param(b"GET /\r\n\r\n", id="no version"),
    pytest.param(b"GET / HTTP/1.2\r\nHost: n\r\n\r\n", id="HTTP/1.2"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS on a plain port"),
    pytest.param(b"get / HTTP/1.1\r\nHost: n\r\n\r\n", id="a method in small letters"),
    pytest.param(
        b"GET / HTTP/1.1\r\nHost: n\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        id="WebSocket",
    ),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pieces", ["whole", "byte by byte"])
def test_what_can_be_read_in_two_ways_is_refused_and_never_reaches_the_application(
    node: Node, shape: bytes, pieces: str
) -> None:
    with node.connect() as caller:
        caller.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in [shape] if pieces == "whole" else [shape[i : i + 1] for i in range(len(shape))]:
            try:
                caller.send(piece)
            except (BrokenPipeError, ConnectionResetError):
                break

        assert refusal(caller)[0] == 400

    assert sum(node.counted.reasons.values()) == 1
    assert not SEEN.keys() - {"disconnected"}


@pytest.mark.parametrize(
    ("reason", "shape"),
    [
        ("host-ambiguous", b"GET / HTTP/1.1\r\n\r\n"),
        ("header-name", b"GET / HTTP/1.1\r\nHost: n\r\nX_Y: z\r\n\r\n"),
        ("coding-ambiguous", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("length-ambiguous", POST + b"Content-Length: 1 \r\n\r\na"),
        ("target-authority", b"GET http://other/ HTTP/1.1\r\nHost: n\r\n\r\n"),
        ("target-form", b"CONNECT n:1 HTTP/1.1\r\nHost: n\r\n\r\n"),
        ("http-version", b"GET / HTTP/0.9\r\nHost: n\r\n\r\n"),
        ("http-malformed", b"GET / HTTP/1.1\nHost: n\n\n"),
        ("headers-too-many", b"GET / HTTP/1.1\r\nHost: n\r\n" + b"X: y\r\n" * 100 + b"\r\n"),
        ("header-too-large", b"GET / HTTP/1.1\r\nHost: n\r\nX: " + b"y" * 17000 + b"\r\n\r\n"),
        ("head-too-large", b"GET / HTTP/1.1\r\nHost: n\r\n" + (b"X: " + b"y" * 9000 + b"\r\n") * 4 + b"\r\n"),
        ("target-too-long", b"GET /" + b"y" * 17000 + b" HTTP/1.1\r\nHost: n\r\n\r\n"),
    ],
)
def test_a_refusal_is_counted_by_its_reason(node: Node, reason: str, shape: bytes) -> None:
    with node.connect() as caller:
        caller.send(shape)

        assert refusal(caller)[1] == reason
    assert node.counted.reasons == {reason: 1}


@pytest.mark.parametrize(
    "request_head",
    [
        pytest.param(b"GET /echo HTTP/1.1\r\nHost: n\r\n" + b"X: y\r\n" * 99 + b"\r\n", id="100 headers"),
        pytest.param(b"GET /echo HTTP/1.1\r\nHost: n\r\nX: " + b"y" * 16000 + b"\r\n\r\n", id="one of 16 KB"),
        pytest.param(b"GET /echo HTTP/1.1\r\nHost: n\r\nX:\r\nY: \r\n\r\n", id="empty values"),
        pytest.param(b"GET /echo HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", id="an IPv6 Host"),
        pytest.param(b"GET http://Node:80/echo HTTP/1.1\r\nHost: node\r\n\r\n", id="absolute form"),
        pytest.param(b"\r\n\r\n" + GET, id="empty lines before"),
        pytest.param(POST + b"\r\n", id="POST with neither body nor length"),
        pytest.param(POST + b"Content-Length: 0\r\n\r\n", id="POST with an empty body"),
        pytest.param(b"GET /echo HTTP/1.1\r\nHost: n\r\nX: \xe1\xbb\x87\r\n\r\n", id="UTF-8 in a value"),
    ],
)
def test_what_real_clients_send_is_taken(node: Node, request_head: bytes) -> None:
    with node.connect() as caller:
        caller.send(request_head)

        assert caller.told()["path"] == "/echo"
    assert not node.counted.reasons


def test_path_and_query_reach_the_application_as_they_came(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"GET /Statistic/Update%20?q=%2F&a=b?c HTTP/1.1\r\nHost: n\r\n\r\n")
        told = caller.told()

    assert told["path"] == "/Statistic/Update "
    assert told["raw_path"] == "/Statistic/Update%20"
    assert told["query"] == "q=%2F&a=b?c"


def test_an_absolute_target_is_seen_in_origin_form(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"GET http://node?x=1 HTTP/1.1\r\nHost: node\r\n\r\n")
        told = caller.told()

    assert (told["raw_path"], told["query"]) == ("/", "x=1")


def test_a_huge_head_is_refused_long_before_it_is_whole(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"GET / HTTP/1.1\r\nHost: n\r\nX: ")
        sent = pour(node, caller, b"y" * 1024)

        assert sent < 512 * 1024
        assert refusal(caller) == (431, "head-too-large")


def test_many_small_headers_sent_slowly_are_counted_as_they_arrive(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"GET / HTTP/1.1\r\nHost: n\r\n")
        for _ in range(102):
            caller.send(b"X: y\r\n")
            time.sleep(0.001)

        assert refusal(caller) == (431, "headers-too-many")


def test_a_head_that_is_never_finished_gets_408_in_time(node: Node) -> None:
    with node.connect() as caller:
        started = time.monotonic()
        caller.send(b"GET / HTTP/1.1\r\n")
        for _ in range(20):
            time.sleep(0.1)
            try:
                caller.send(b"X: y\r\n")
            except OSError:
                break
            if node.counted.reasons:
                break
        took = time.monotonic() - started

        assert refusal(caller) == (408, "head-timeout")
    assert 0.4 < took < 1.5


def test_a_connection_that_says_nothing_is_closed_without_a_word(node: Node) -> None:
    with node.connect() as caller:
        assert caller.is_closed()
    assert not node.counted.reasons


def test_a_body_that_stops_gets_408(node: Node) -> None:
    with node.connect() as caller:
        caller.send(POST + b"Content-Length: 10\r\n\r\nabc")

        assert refusal(caller) == (408, "body-timeout")
    assert SEEN == {"disconnected": 1}


def test_a_slow_body_that_keeps_coming_is_taken(node: Node) -> None:
    with node.connect() as caller:
        caller.send(POST + b"Content-Length: 10\r\n\r\n")
        for _ in range(10):
            time.sleep(0.1)
            caller.send(b"x")

        assert caller.told()["body"] == "x" * 10


def test_a_body_that_stops_while_the_answer_is_under_way_is_cut(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"POST /drip HTTP/1.1\r\nHost: n\r\nContent-Length: 10\r\n\r\nabc")
        received = b""
        while data := caller.connection.recv(65536):
            received += data

    assert received.startswith(b"HTTP/1.1 200")
    assert b"drop" in received
    assert not received.endswith(b"0\r\n\r\n")
    assert node.counted.reasons == {"body-timeout": 1}


def test_chunk_extensions_without_end_are_refused(node: Node) -> None:
    with node.connect() as caller:
        caller.send(POST + CHUNKED + b"\r\n1;x=")
        pour(node, caller, b"y" * 1024)
    assert node.counted.reasons == {"chunk-overhead": 1}


def test_much_framing_for_little_body_is_refused(node: Node) -> None:
    with node.connect() as caller:
        caller.send(POST + CHUNKED + b"\r\n")
        pour(node, caller, b"1;x=" + b"y" * 3000 + b"\r\nz\r\n")
    assert node.counted.reasons == {"chunk-overhead": 1}


def test_chunks_of_one_byte_are_fine(node: Node) -> None:
    with node.connect() as caller:
        caller.send(POST + CHUNKED + b"\r\n" + b"1\r\nx\r\n" * 30_000 + b"0\r\n\r\n")

        assert len(caller.told()["body"]) == 30_000


def test_trailers_are_not_headers(node: Node) -> None:
    with node.connect() as caller:
        caller.send(POST + CHUNKED + b"\r\n1\r\nx\r\n0\r\nHost: evil\r\nLgsp-Purpose: forged\r\n\r\n" + GET)
        first, second = caller.told(), caller.told()

    assert [value for name, value in first["headers"] if name == "host"] == ["node"]
    assert "lgsp-purpose" not in dict(first["headers"])
    assert second["method"] == "GET"


def test_too_many_trailers_are_refused(node: Node) -> None:
    with node.connect() as caller:
        caller.send(POST + CHUNKED + b"\r\n0\r\n" + b"X: y\r\n" * 200 + b"\r\n")

        assert refusal(caller) == (400, "chunk-overhead")


def test_pipelined_requests_are_answered_in_order(node: Node) -> None:
    with node.connect() as caller:
        slow = b"GET /slow?1 HTTP/1.1\r\nHost: n\r\n\r\n"
        caller.send(slow + b"".join(b"GET /echo?%d HTTP/1.1\r\nHost: n\r\n\r\n" % n for n in (2, 3, 4)))

        assert [caller.told()["query"] for _ in range(4)] == ["1", "2", "3", "4"]


def test_a_pipelined_body_goes_with_its_own_request(node: Node) -> None:
    with node.connect() as caller:
        slow = b"POST /slow HTTP/1.1\r\nHost: n\r\nContent-Length: 3\r\n\r\none"
        caller.send(slow + POST + b"Content-Length: 3\r\n\r\nt")
        time.sleep(0.05)
        caller.send(b"wo" + GET)

        assert [caller.told()["body"] for _ in range(3)] == ["one", "two", ""]


def test_a_refusal_waits_for_the_answers_before_it(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"GET /slow HTTP/1.1\r\nHost: n\r\n\r\n" + GET + b"GET / HTTP/1.1\r\nX_Y: z\r\n\r\n")

        assert caller.told()["path"] == "/slow"
        assert caller.told()["path"] == "/echo"
        assert refusal(caller) == (400, "header-name")
    assert SEEN == {"/slow": 1, "/echo": 1}


def test_a_pipelined_request_whose_body_breaks_is_refused_in_its_turn(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"GET /slow HTTP/1.1\r\nHost: n\r\n\r\n" + POST + CHUNKED + b"\r\nzz\r\n")

        assert caller.told()["path"] == "/slow"
        assert refusal(caller) == (400, "http-malformed")
    assert SEEN == {"/slow": 1}


def test_too_many_pipelined_requests_are_refused_after_those_taken(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"GET /slow HTTP/1.1\r\nHost: n\r\n\r\n" + GET * 50)

        assert [caller.told()["path"] for _ in range(6)] == ["/slow", *["/echo"] * 5]
        assert refusal(caller) == (400, "pipeline-too-deep")


def test_a_connection_is_kept_and_ends_when_idle(node: Node) -> None:
    with node.connect() as caller:
        started = time.monotonic()
        for _ in range(3):
            caller.send(GET)
            assert caller.told()["path"] == "/echo"
            time.sleep(0.7)
        assert caller.is_closed()
        took = time.monotonic() - started

    assert 2.4 < took < 4.0
    assert not node.counted.reasons


def test_what_follows_connection_close_is_not_answered(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"GET /echo HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n" + GET)
        _, headers, _ = caller.answer()

        assert headers["connection"] == "close"
        assert caller.is_closed()
    assert SEEN == {"/echo": 1}


def test_a_body_is_read_though_the_connection_will_close(node: Node) -> None:
    with node.connect() as caller:
        caller.send(POST + b"Connection: close\r\nContent-Length: 6\r\n\r\nabc")
        time.sleep(0.05)
        caller.send(b"def")

        assert caller.told()["body"] == "abcdef"
        assert caller.is_closed()


def test_http_1_0_is_answered_and_closed(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"GET /echo HTTP/1.0\r\nHost: n\r\nConnection: keep-alive\r\n\r\n")

        assert caller.told()["path"] == "/echo"
        assert caller.is_closed()


def test_the_answer_to_a_head_has_no_body(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"HEAD /echo HTTP/1.1\r\nHost: n\r\n\r\n")
        status, headers, _ = caller.answer(bare=True)
        caller.send(GET)

        assert status == 200
        assert int(headers["content-length"]) > 0
        assert caller.told()["method"] == "GET"


def test_a_caller_that_waits_for_100_gets_it(node: Node) -> None:
    with node.connect() as caller:
        caller.send(POST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert caller.answer()[0] == 100
        caller.send(b"abc")

        assert caller.told()["body"] == "abc"
        caller.send(GET)
        assert caller.told()["method"] == "GET"


def test_an_answer_instead_of_100_closes_the_connection(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"POST /early HTTP/1.1\r\nHost: n\r\nContent-Length: 60\r\nExpect: 100-continue\r\n\r\n")
        status, headers, _ = caller.answer()

        assert status == 413
        assert headers["connection"] == "close"
        caller.send(GET)
        assert caller.is_closed()
    assert not SEEN


def test_an_early_answer_is_read_by_a_caller_that_is_still_sending(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"POST /early HTTP/1.1\r\nHost: n\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 200_000)
        time.sleep(0.1)
        caller.send(b"x" * 200_000)

        status, headers, body = caller.answer()
        assert (status, headers["connection"], json.loads(body)) == (413, "close", {"early": True})
        assert caller.is_closed()


def test_an_offer_of_h2c_is_passed_over(node: Node) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
    with node.connect() as caller:
        caller.send(GET.replace(b"\r\n\r\n", b"\r\n" + offer + b"\r\n") + GET)
        assert [caller.told()["body"] for _ in range(2)] == ["", ""]
        caller.send(POST + offer + b"Content-Length: 3\r\n\r\nabc" + GET)
        assert [caller.told()["body"] for _ in range(2)] == ["abc", ""]
        caller.send(POST + offer + CHUNKED + b"\r\n3\r\nde")
        time.sleep(0.05)
        caller.send(b"f\r\n0\r\n\r\n" + GET)
        assert [caller.told()["body"] for _ in range(2)] == ["def", ""]
    assert not node.counted.reasons


def test_an_offer_of_h2c_cannot_hide_a_request_in_its_body(node: Node) -> None:
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    hidden = b"GET /hidden HTTP/1.1\r\nHost: node\r\n\r\n"
    with node.connect() as caller:
        caller.send(POST + offer + b"Content-Length: %d\r\n\r\n" % len(hidden) + hidden + GET)

        assert caller.told()["body"] == hidden.decode()
        assert caller.told()["path"] == "/echo"
    assert "/hidden" not in SEEN


def test_too_many_connections_of_one_address_get_503(node: Node) -> None:
    kept = [node.connect() for _ in range(8)]
    try:
        for caller in kept:
            caller.send(GET)
            assert caller.told()["path"] == "/echo"
        with node.connect() as ninth:
            ninth.send(GET)
            assert refusal(ninth) == (503, "connections-per-address")
        kept.pop().connection.close()
        wait_until(lambda: sum(node.protocol.watch.addresses.values()) == 7)
        with node.connect() as again:
            again.send(GET)
            assert again.told()["path"] == "/echo"
    finally:
        for caller in kept:
            caller.connection.close()
    wait_until(lambda: not node.protocol.watch.addresses)


def test_too_many_connections_in_all_get_503_though_the_address_is_trusted() -> None:
    trusted = parse_networks(["127.0.0.0/8"])
    for node in serve(GuardLimits(connections=6, connections_per_address=1, trusted=trusted)):
        kept = [node.connect() for _ in range(6)]
        for caller in kept:
            caller.send(GET)
            assert caller.told()["path"] == "/echo"
        with node.connect() as seventh:
            seventh.send(GET)
            assert refusal(seventh) == (503, "connections-all")
        for caller in kept:
            caller.connection.close()


def test_a_caller_who_reads_nothing_does_not_hold_a_refused_connection(node: Node) -> None:
    with node.connect() as caller:
        caller.send(b"GET / HTTP/1.1\r\n\r\n")

        wait_until(lambda: node.counted.reasons)
        wait_until(lambda: not node.protocol.watch.connections, seconds=3)
        assert node.protocol.watch.lingering == 0


def test_a_large_body_flows_through(node: Node) -> None:
    with node.connect() as caller:
        body = b"x" * 3_000_000
        threading.Thread(target=caller.send, args=(POST + b"Content-Length: 3000000\r\n\r\n" + body,)).start()

        assert len(caller.told()["body"]) == len(body)
    assert not node.counted.reasons


def test_a_server_that_stops_answers_what_it_has_taken() -> None:
    for node in serve(LIMITS):
        with node.connect() as busy, node.connect() as idle:
            idle.send(GET)
            assert idle.told()["path"] == "/echo"
            busy.send(b"GET /slow HTTP/1.1\r\nHost: n\r\n\r\n")
            time.sleep(0.05)
            node.server.should_exit = True

            assert busy.told()["path"] == "/slow"
            assert busy.is_closed()
            assert idle.is_closed()


def test_the_guard_stands_behind_tls_too(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    trusting = ssl.create_default_context(cafile=str(certificate))
    for node in serve(LIMITS, ssl_certfile=certificate, ssl_keyfile=key):
        for data, status in ((GET, 200), (b"GET / HTTP/1.1\r\nHost: n\r\nX_Y: z\r\n\r\n", 400)):
            plain = socket.create_connection(("127.0.0.1", node.port), timeout=5)
            with Caller(trusting.wrap_socket(plain, server_hostname="localhost")) as caller:
                caller.send(data)
                assert caller.answer()[0] == status


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for localhost that trusts itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, private
