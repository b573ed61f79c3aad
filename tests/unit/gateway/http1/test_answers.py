"""Reading answers, sans I/O: any split of the bytes gives the same result, and doubt is never passed on."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import BadAnswer, NoAnswer
from connectors.message import Headers
from gateway.http1.answers import MAX_FIELDS, AnswerReader

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass
class Written:
    """An answer as bytes, and what a reader has to make of it."""

    data: bytes
    head_only: bool
    status: int
    headers: Headers
    body: bytes
    ends_with_connection: bool
    reusable: bool


def read(*pieces: bytes, head_only: bool = False, ended: bool = False) -> AnswerReader:
    reader = AnswerReader(head_only=head_only)
    for piece in pieces:
        reader.feed(piece)
    if ended:
        reader.end()
    return reader


def flaw(*pieces: bytes, head_only: bool = False) -> str:
    with pytest.raises(BadAnswer) as caught:
        read(*pieces, head_only=head_only)
    return str(caught.value)


# --- generated answers ----------------------------------------------------------------------------------

TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789-_!#$%&'*+.^`|~", min_size=1, max_size=12).map(
    lambda name: b"x-" + name.encode()
)
VALUE = st.binary(max_size=40).map(
    lambda value: bytes(byte for byte in value if byte == 9 or (byte >= 32 and byte != 127)).strip(b" \t")
)
FIELDS = st.lists(st.tuples(TOKEN, VALUE), max_size=8)


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    written, left = b"", body
    while left:
        size = draw(st.integers(1, len(left)))
        extension = draw(st.sampled_from([b"", b";a=b", b';q="x y"']))
        written += b"%x%s\r\n%s\r\n" % (size, extension, left[:size])
        left = left[size:]
    trailer = draw(st.sampled_from([b"", b"X-Trailer: 1\r\n"]))
    return written + b"0\r\n" + trailer + b"\r\n"


@st.composite
def answers(draw: st.DrawFn) -> Written:
    status = draw(st.sampled_from([200, 201, 204, 302, 304, 404, 500, 599]))
    head_only = draw(st.booleans())
    body = b"" if head_only or status in {204, 304} else draw(st.binary(max_size=300))
    framings = ["length", "chunks", "close"] if status != 204 else ["none"]
    framing = draw(st.sampled_from(framings))
    keeps = draw(st.booleans())
    fields = draw(FIELDS)
    lines = [
        b"%s:%s%s%s" % (name, b" " * (len(name) % 3), value, b" " * (len(value) % 2))
        for name, value in fields
    ]
    expected = [(name.lower(), value) for name, value in fields]
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
        expected.append((b"content-length", b"%d" % len(body)))
    elif framing == "chunks":
        lines.append(b"Transfer-Encoding: chunked")
    if not keeps:
        lines.append(b"Connection: close")
    interim = b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" * draw(st.integers(0, 2))
    head = interim + b"HTTP/1.1 %d Any\r\n" % status + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    bodiless = head_only or status in {204, 304}
    wire = draw(chunked(body)) if framing == "chunks" and not bodiless else body
    return Written(
        data=head + wire,
        head_only=head_only,
        status=status,
        headers=expected,
        body=body,
        ends_with_connection=framing == "close" and not bodiless,
        reusable=keeps and (framing != "close" or status == 304),
    )


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


@settings(max_examples=400, deadline=None)
@given(answers(), st.lists(st.integers(0, 5000), max_size=12))
def test_an_answer_is_the_same_however_it_is_cut(written: Written, cuts: list[int]) -> None:
    reader = read(*split(written.data, cuts), head_only=written.head_only)
    whole_before_the_end = reader.whole
    reader.end()

    assert (reader.status, reader.headers, b"".join(reader.pieces)) == (
        written.status,
        written.headers,
        written.body,
    )
    assert whole_before_the_end is not written.ends_with_connection
    assert reader.reusable is (written.reusable and not written.ends_with_connection)


@settings(max_examples=100, deadline=None)
@given(answers(), st.data())
def test_a_beginning_is_never_whole(written: Written, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(written.data) - 1))
    reader = AnswerReader(head_only=written.head_only)
    if at:
        reader.feed(written.data[:at])

    assert not reader.whole
    if not (written.ends_with_connection and reader.headed):
        with pytest.raises(NoAnswer):
            reader.end()


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=200), st.lists(st.integers(0, 300), max_size=4))
def test_noise_is_refused_or_waited_for(noise: bytes, cuts: list[int]) -> None:
    reader = AnswerReader(head_only=False)
    try:
        for piece in split(noise, cuts):
            reader.feed(piece)
    except BadAnswer:
        return

    assert not reader.headed


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.lists(st.integers(0, 400), max_size=6))
def test_noise_after_a_head_is_no_chunk(noise: bytes, cuts: list[int]) -> None:
    reader = AnswerReader(head_only=False)
    try:
        for piece in split(CHUNKED + noise, cuts):
            reader.feed(piece)
    except BadAnswer:
        return

    assert reader.size <= len(noise)
    assert not reader.reusable or noise.endswith(b"\r\n\r\n")


# --- refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", id="two lengths, equal"),
        pytest.param(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", id="two lengths"),
        pytest.param(OK + b"Content-Length: 2, 2\r\n\r\n{}", id="a list of lengths"),
        pytest.param(OK + b"Content-Length: +2\r\n\r\n{}", id="a signed length"),
        pytest.param(OK + b"Content-Length: -2\r\n\r\n{}", id="a negative length"),
        pytest.param(OK + b"Content-Length: 0x2\r\n\r\n{}", id="a hexadecimal length"),
        pytest.param(OK + b"Content-Length:\r\n\r\n{}", id="an empty length"),
        pytest.param(OK + b"Content-Length: 99999999999999999999\r\n\r\n", id="an endless length"),
        pytest.param(
            OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", id="length and coding"
        ),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", id="coding and length"
        ),
        pytest.param(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="two codings"),
        pytest.param(OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", id="chunked twice"),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="coding twice",
        ),
        pytest.param(OK + b"Transfer-Encoding: gzip\r\n\r\n", id="another coding"),
        pytest.param(OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", id="nearly chunked"),
        pytest.param(OK + b"X: a\r\n b\r\n\r\n", id="a folded line"),
        pytest.param(OK + b"X : a\r\n\r\n", id="a space before the colon"),
        pytest.param(OK + b": a\r\n\r\n", id="no name"),
        pytest.param(OK + b"X\r\n\r\n", id="no colon"),
        pytest.param(OK + b"X: a\x00b\r\n\r\n", id="NUL in a value"),
        pytest.param(OK + b"X: a\x01b\r\n\r\n", id="a control character in a value"),
        pytest.param(OK + b"X: a\rb\r\n\r\n", id="a bare CR in a value"),
        pytest.param(b"HTTP/1.1 200 OK\nX: a\n\n", id="bare line feeds"),
        pytest.param(b"\r\nHTTP/1.1 200 OK\r\n\r\n", id="an empty line first"),
        pytest.param(b"RTSP/1.0 200 OK\r\n\r\n", id="another protocol of the parser's"),
        pytest.param(b"ICE/1.0 200 OK\r\n\r\n", id="and another"),
        pytest.param(b"SSH-2.0-x\r\n", id="another protocol"),
        pytest.param(b"HTTP/2.0 200 OK\r\n\r\n", id="version 2.0"),
        pytest.param(b"HTTP/0.9 200 OK\r\n\r\n", id="version 0.9"),
        pytest.param(b"HTTP/1.1 099 No\r\n\r\n", id="status 099"),
        pytest.param(b"HTTP/1.1 000 No\r\n\r\n", id="status 000"),
        pytest.param(b"HTTP/1.1 20 No\r\n\r\n", id="two digits"),
        pytest.param(b"HTTP/1.1 2000 No\r\n\r\n", id="four digits"),
        pytest.param(b"HTTP/1.1 101 Up\r\n\r\n", id="101"),
        pytest.param(
            b"HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", id="101 with an upgrade"
        ),
        pytest.param(OK + b"Content-Length: 2\r\n\r\n{}}", id="longer than its length"),
        pytest.param(b"HTTP/1.1 204 No\r\n\r\n{}", id="204 with a body"),
        pytest.param(CHUNKED + b"zz\r\n", id="no chunk size"),
        pytest.param(CHUNKED + b"-1\r\n", id="a negative chunk size"),
        pytest.param(CHUNKED + b"1 \r\nx\r\n", id="a space after a chunk size"),
        pytest.param(CHUNKED + b"1\nx\n", id="bare line feeds round a chunk"),
        pytest.param(CHUNKED + b"11111111111111111\r\n", id="an endless chunk size"),
        pytest.param(CHUNKED + b"3\r\nabcdef\r\n", id="longer than its chunk"),
        pytest.param(CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n", id="a length in the trailer"),
        pytest.param(CHUNKED + b"0\r\n\r\ngarbage", id="garbage after the last chunk"),
    ],
)
def test_an_answer_in_doubt_is_rubbish(data: bytes) -> None:
    whole = flaw(data)
    byte_by_byte = AnswerReader(head_only=False)
    refused = False
    try:
        for at in range(len(data)):
            byte_by_byte.feed(data[at : at + 1])
    except BadAnswer:
        refused = True

    assert whole == "rubbish"
    assert refused
    assert not byte_by_byte.reusable


def test_a_body_answering_head_is_rubbish() -> None:
    assert flaw(OK + b"Content-Length: 2\r\n\r\n{}", head_only=True) == "rubbish"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(OK + b"X: a\r\n" * (MAX_FIELDS + 1) + b"\r\n", id="fields"),
        pytest.param(OK + b"X: " + b"a" * 17_000 + b"\r\n\r\n", id="one field"),
        pytest.param(OK + b"X: " + b"a" * 40_000, id="one endless field"),
        pytest.param(OK + b"".join(b"X: %s\r\n" % (b"a" * 8000) for _ in range(5)) + b"\r\n", id="bytes"),
        pytest.param(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" * 2000, id="1xx without end"),
        pytest.param(CHUNKED + b"0\r\nX: " + b"a" * 70_000, id="an endless trailer"),
        pytest.param(CHUNKED + b"1;" + b"a" * 70_000, id="an endless chunk line"),
    ],
)
@pytest.mark.parametrize("size", [100, 1460, 65_536])
def test_a_head_too_large_is_refused_before_it_fills_the_memory(data: bytes, size: int) -> None:
    assert flaw(*(data[at : at + size] for at in range(0, len(data), size))) == "head-too-large"


def test_the_largest_heads_pass() -> None:
    fields = b"".join(b"X-%d: a\r\n" % number for number in range(MAX_FIELDS - 1))
    reader = read(OK + fields + b"Content-Length: 0\r\n\r\n")
    large = read(OK + b"X: " + b"a" * 16_000 + b"\r\nContent-Length: 0\r\n\r\n")

    assert reader.whole
    assert len(reader.headers) == MAX_FIELDS
    assert large.whole


# --- taken, but its connection is not used again --------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(OK + b"Content-Length: 0\r\n\r\n" + OK, id="a second answer"),
        pytest.param(OK + b"Content-Length: 0\r\n\r\nHTT", id="the beginning of one"),
        pytest.param(OK + b"Content-Length: 2\r\n\r\n{}\r\n", id="an empty line"),
        pytest.param(CHUNKED + b"0\r\n\r\n\r\n", id="an empty line after chunks"),
        pytest.param(CHUNKED + b"0\r\n\r\n\n", id="a line feed after chunks"),
        pytest.param(CHUNKED + b"0\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n", id="an answer after chunks"),
        pytest.param(CHUNKED + b"0\r\n\r\nHTTP/1.", id="the beginning of one after chunks"),
        pytest.param(b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", id="204 with a length"),
        pytest.param(b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", id="204 with chunks"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", id="HTTP/1.0"),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="chunks in HTTP/1.0"
        ),
        pytest.param(OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n", id="close"),
        pytest.param(OK + b"Connection: x, Close\r\nContent-Length: 0\r\n\r\n", id="close in a list"),
    ],
)
def test_an_answer_with_something_odd_spoils_its_connection(data: bytes) -> None:
    reader = read(data)

    assert reader.whole
    assert not reader.reusable


@pytest.mark.parametrize(
    ("data", "head_only"),
    [
        pytest.param(OK + b"Content-Length: 2\r\n\r\n{}", False, id="length"),
        pytest.param(OK + b"content-length: 2 \r\n\r\n{}", False, id="length with a space after it"),
        pytest.param(CHUNKED + b"2;x=y\r\n{}\r\n0\r\nX-T: 1\r\n\r\n", False, id="chunks"),
        pytest.param(OK + b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", False, id="chunks, other spelling"),
        pytest.param(b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", False, id="304"),
        pytest.param(b"HTTP/1.1 204 No\r\n\r\n", False, id="204"),
        pytest.param(OK + b"Content-Length: 99\r\n\r\n", True, id="HEAD"),
        pytest.param(CHUNKED, True, id="HEAD with chunks"),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
            False,
            id="HTTP/1.0 kept",
        ),
    ],
)
def test_a_plain_answer_keeps_its_connection(data: bytes, head_only: bool) -> None:  # noqa: FBT001
    reader = read(data, head_only=head_only)

    assert (reader.whole, reader.reusable) == (True, True)


def test_what_a_peer_says_of_its_patience_is_heard() -> None:
    reader = read(OK + b"Keep-Alive: max=100, timeout=2\r\nContent-Length: 0\r\n\r\n")

    assert reader.idle_seconds == 2
    assert reader.headers == [(b"content-length", b"0")]
