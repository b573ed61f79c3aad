"""Requests as bytes: what goes out is what was meant, and nothing can add a line to it."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import HTTPRequest
from connectors.errors import NoAnswer, NotSent
from connectors.message import Body, Headers
from gateway.http1.framing import Destination, Outgoing, check_characters, parse_address, target_of

AFTER = Destination("http", "h.example", 80).after_target


def outgoing(
    method: str = "GET", *, headers: Headers | None = None, body: Body = b"", target: str = "/"
) -> Outgoing:
    request = HTTPRequest(method=method, url="", headers=headers or [], body=body, deadline=0.0)
    return Outgoing(request, target, AFTER)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def collect(request: Outgoing, given_out: list[bytes]) -> None:
    async for parts in request.upload():
        given_out.extend(parts)


async def written(request: Outgoing) -> bytes:
    given_out: list[bytes] = []
    await collect(request, given_out)
    return b"".join(given_out)


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("http://h.example", b"h.example", "/"),
        ("http://h.example:80/", b"h.example", "/"),
        ("http://h.example:8080?a=/b", b"h.example:8080", "/?a=/b"),
        ("HTTP://H.Example./a#b?c", b"h.example", "/a"),
        ("https://h.example:443/a?b#c", b"h.example", "/a?b"),
        ("https://h.example:80/", b"h.example:80", "/"),
        ("http://[2001:DB8::1]:81//x/../y", b"[2001:db8::1]:81", "//x/../y"),
    ],
)
def test_an_address_is_taken_apart(url: str, host: bytes, target: str) -> None:
    destination, end = parse_address(url)

    assert destination.after_target == b" HTTP/1.1\r\nHost: " + host
    assert target_of(url[end:]) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "http://",
        "http:///a",
        "ftp://h/",
        "http://user@h/",
        "http://user:secret@h/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:/",
        "http://h:8o/",
        "http://h\\a/",
        "http://h%2ea/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://[h]/",
        "http://a b/",
    ],
)
def test_an_address_in_doubt_is_refused(url: str) -> None:
    with pytest.raises(NotSent, match="address-invalid"):
        parse_address(url)


@pytest.mark.parametrize(
    "url", ["http://h/a b", "http://h/\r\nX: y", "http://h/\x7f", "http://h/\xe9", "http://h/\u2028"]
)
def test_an_address_with_other_characters_is_refused(url: str) -> None:
    with pytest.raises(NotSent, match="address-invalid"):
        check_characters(url)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-a", b"1\r\nx-b: 2")],
        [(b"x-a", b"1\nx-b: 2")],
        [(b"x-a", b"1\r")],
        [(b"x-a", b"\x00")],
        [(b"x-a", b"a\x1bb")],
        [(b"x-a", b"a\x7fb")],
        [(b"x-a", b"\xff")],
        [(b"x-a", b"\xc3"), (b"x-b", b"\xa9")],
        [(b"x-a\r\nx-b", b"1")],
        [(b"x-a:", b"1")],
        [(b"x a", b"1")],
        [(b"", b"1")],
        [(b"x-\xc3\xa9", b"1")],
    ],
)
def test_a_field_that_could_add_a_line_is_refused(headers: Headers) -> None:
    with pytest.raises(NotSent, match="header-invalid"):
        outgoing(headers=headers)


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\nX: y", "GÉT", "CONNECT", "connect"])
def test_a_method_that_is_none_is_refused(method: str) -> None:
    with pytest.raises(NotSent, match="header-invalid"):
        outgoing(method)


@given(
    st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=12)), max_size=5),
    st.text(max_size=6),
)
def test_a_head_has_the_lines_that_were_meant_or_is_refused(headers: Headers, method: str) -> None:
    try:
        data = outgoing(method, headers=headers).data
    except NotSent:
        return

    ours = {b"host", b"connection", b"te", b"trailer", b"upgrade", b"expect"}
    meant = [(name, value) for name, value in headers if name.lower() not in ours]
    lines = data.split(b"\r\n")
    assert lines[0] == method.encode() + b" / HTTP/1.1"
    assert lines[1] == b"Host: h.example"
    assert lines[2 : 2 + len(meant)] == [name + b": " + value for name, value in meant]
    assert lines[-2:] == [b"", b""]
    assert data.count(b"\n") == data.count(b"\r\n") == len(lines) - 1


def test_letters_that_are_not_printable_harm_nobody() -> None:
    assert b"x-a: S\xe1\xbb\x9f\xc2\xad\tY" in outgoing(headers=[(b"x-a", "Sở\u00ad\tY".encode())]).data


def test_a_small_body_leaves_with_its_head() -> None:
    request = outgoing("POST", headers=[(b"content-length", b"99")], body=b"abc")

    assert request.data == b"POST / HTTP/1.1\r\nHost: h.example\r\nContent-Length: 3\r\n\r\nabc"
    assert not request.streamed


async def test_a_large_body_follows_in_pieces() -> None:
    body = b"x" * 300_000
    request = outgoing("PUT", body=body)

    assert request.data.endswith(b"Content-Length: 300000\r\n\r\n")
    assert await written(request) == body
    assert await written(request) == body


async def test_a_stream_is_written_in_chunks() -> None:
    request = outgoing("POST", body=pieces(b"abc", b"", b"x" * 20))

    assert request.data.endswith(b"Transfer-Encoding: chunked\r\n\r\n")
    assert await written(request) == b"3\r\nabc\r\n14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize("length", [b"4", b"6"])
async def test_a_stream_of_another_length_is_cut(length: bytes) -> None:
    request = outgoing("POST", headers=[(b"content-length", length)], body=pieces(b"abc", b"de"))
    given_out: list[bytes] = []
    with pytest.raises(NoAnswer, match="cut"):
        await collect(request, given_out)

    assert len(b"".join(given_out)) <= int(length)


@pytest.mark.parametrize("lengths", [[b"+5"], [b"5", b"6"], [b""], [b"5 "], [b"0x5"], ["५".encode()]])
def test_a_stream_with_a_length_in_doubt_is_refused(lengths: list[bytes]) -> None:
    with pytest.raises(NotSent, match="header-invalid"):
        outgoing("POST", headers=[(b"content-length", value) for value in lengths], body=pieces(b"abcde"))


@pytest.mark.parametrize(
    ("method", "body", "repeatable"),
    [
        ("GET", b"", True),
        ("HEAD", b"", True),
        ("OPTIONS", b"x", True),
        ("GET", pieces(b"x"), False),
        ("PUT", b"", False),
        ("DELETE", b"", False),
        ("POST", b"", False),
        ("REPORT", b"", False),
    ],
)
def test_only_harmless_requests_may_be_repeated(method: str, body: Body, repeatable: bool) -> None:  # noqa: FBT001
    assert outgoing(method, body=body).repeatable is repeatable
