import pytest

from connectors.message import Headers
from gateway.framing import body_head, flaw_of, origin_form, target_flaw
from gateway.notices import GUARD


def headers(*more: tuple[bytes, bytes]) -> Headers:
    return [(b"host", b"node.example:8080"), (b"accept", b"*/*"), *more]


@pytest.mark.parametrize(
    "more",
    [
        (),
        ((b"content-length", b"0"),),
        ((b"content-length", b"123456789"),),
        ((b"transfer-encoding", b"chunked"),),
        ((b"x", b""),),
        ((b"upgrade", b"h2c"),),
    ],
)
def test_a_plain_head_has_no_flaw(more: tuple[tuple[bytes, bytes], ...]) -> None:
    assert flaw_of(b"POST", "1.1", b"/a", headers(*more)) is None


@pytest.mark.parametrize(
    ("version", "more", "flaw"),
    [
        ("2.0", (), "http-version"),
        ("0.9", (), "http-version"),
        ("1.1", ((b"host", b"node.example:8080"),), "host-ambiguous"),
        ("1.1", ((b"x_y", b""),), "header-name"),
        ("1.1", ((b"content-length", b"1"), (b"content-length", b"1")), "length-ambiguous"),
        ("1.1", ((b"content-length", b"+1"),), "length-ambiguous"),
        ("1.1", ((b"content-length", b"1" * 19),), "length-ambiguous"),
        ("1.1", ((b"content-length", b"1"), (b"transfer-encoding", b"chunked")), "length-ambiguous"),
        ("1.1", ((b"transfer-encoding", b"chunked"),) * 2, "coding-ambiguous"),
        ("1.1", ((b"transfer-encoding", b"CHUNKED"),), "coding-ambiguous"),
        ("1.0", ((b"transfer-encoding", b"chunked"),), "coding-ambiguous"),
        ("1.1", ((b"upgrade", b"h2c, WebSocket"),), "upgrade-refused"),
    ],
)
def test_a_flaw_is_named(version: str, more: tuple[tuple[bytes, bytes], ...], flaw: str) -> None:
    assert flaw_of(b"POST", version, b"/a", headers(*more)) == flaw
    assert flaw in GUARD


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        (b"node", True),
        (b"node:80", True),
        (b"[2001:db8::1]:443", True),
        (b"my_node.example", True),
        (b"", False),
        (b"a b", False),
        (b"a,b", False),
        (b"u@a", False),
        (b"a/b", False),
        (b"a:", False),
        (b"a:123456", False),
    ],
)
def test_a_host_is_a_name_or_an_address_with_a_port(host: bytes, fine: bool) -> None:  # noqa: FBT001
    assert (flaw_of(b"GET", "1.1", b"/", [(b"host", host)]) is None) is fine


@pytest.mark.parametrize(
    ("target", "host", "flaw"),
    [
        (b"/a?b=http://c", b"node", None),
        (b"http://node/a", b"node", None),
        (b"HTTP://NODE:80/a", b"node", None),
        (b"https://node/a", b"node:443", None),
        (b"http://node:443/a", b"node", "target-authority"),
        (b"http://node.other/a", b"node", "target-authority"),
        (b"node:443", b"node:443", "target-form"),
        (b"*", b"node", "target-form"),
        (b"a", b"node", "target-form"),
    ],
)
def test_an_absolute_target_names_the_host(target: bytes, host: bytes, flaw: str | None) -> None:
    assert target_flaw(b"GET", target, host) == flaw


@pytest.mark.parametrize(
    ("target", "origin"),
    [
        (b"/a?b", b"/a?b"),
        (b"http://node/a?b", b"/a?b"),
        (b"http://node", b"/"),
        (b"http://node?b", b"/?b"),
    ],
)
def test_an_absolute_target_has_an_origin_form(target: bytes, origin: bytes) -> None:
    assert origin_form(target) == origin


def test_a_body_is_said_again_as_it_was() -> None:
    assert body_head(headers()) == b""
    assert body_head(headers((b"content-length", b"0"))) == b""
    assert b"content-length: 5\r\n" in body_head(headers((b"content-length", b"5")))
    assert b"transfer-encoding: chunked\r\n" in body_head(headers((b"transfer-encoding", b"chunked")))
