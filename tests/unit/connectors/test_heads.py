"""Which heads can be sent: exactly those that a reader of HTTP takes for what was meant."""

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.heads import head_fits, is_media_type
from connectors.message import Headers

PIECES = st.sampled_from(
    [b"", b"a", b"x-ma", b"X-Ma", b" ", b"\t", b":", b"\r", b"\n", b"\r\n", b"\x00", b"\x7f", b"\xc3\xa1"]
)
TEXTS = st.lists(PIECES | st.binary(max_size=3), max_size=4).map(b"".join)


class Read:
    """What a parser finds in a head."""

    def __init__(self) -> None:
        self.headers: Headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))


def read(headers: Headers) -> Headers:
    """Write a head as the doors do, and return what a parser makes of it."""
    found = Read()
    lines = [b"HTTP/1.1 200 OK\r\n", *(b"%b: %b\r\n" % field for field in headers), b"\r\n"]
    httptools.HttpResponseParser(found).feed_data(b"".join(lines))
    return found.headers


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=4))
@example([(b"content-type", b"text/plain\r\nset-cookie: a=1")])
@example([(b"x\r\nset-cookie: a=1\r\nx", b"")])
def test_what_fits_is_read_as_it_was_meant(headers: Headers) -> None:
    if head_fits(200, headers):
        assert [(name, value.strip(b" \t")) for name, value in headers] == [
            (name, value.rstrip(b" \t")) for name, value in read(headers)
        ]


@pytest.mark.parametrize("status", [-1, 0, 99, 100, 101, 199, 600, 999])
def test_a_status_that_ends_no_exchange_does_not_fit(status: int) -> None:
    assert not head_fits(status, [])
    assert head_fits(200, [])
    assert head_fits(599, [])


@pytest.mark.parametrize(
    "field",
    [
        (b"", b"1"),
        (b"X-Ma", b"1"),
        (b"x ma", b"1"),
        (b"x-m\xc3\xa1", b"1"),
        (b"x:", b"1"),
        (b"x", b"\x00"),
        (b"x", b"1\n2"),
    ],
)
def test_fields_that_do_not_fit(field: tuple[bytes, bytes]) -> None:
    assert not head_fits(200, [(b"content-type", b"text/plain"), field])


def test_fields_that_fit() -> None:
    assert head_fits(204, [(b"x-ma", b""), (b"x!#$%&'*+-.^_`|~0", "xã Đắk Ơ\t".encode()), (b"etag", b'"1"')])


@pytest.mark.parametrize("text", ["text/plain\r\nset-cookie: a", "text/plain\x00", "văn/bản", "a" * 201])
def test_media_types_that_cannot_be_sent(text: str) -> None:
    assert not is_media_type(text)
    assert is_media_type('multipart/related; boundary="a b"')
    assert is_media_type("")
