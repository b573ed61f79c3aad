"""Requests as bytes, sans I/O: addresses taken apart, heads written, bodies framed.

Nothing goes out that could end a line early: whatever a name or value holds, a head has exactly the lines that
we wrote, or it is refused before a connection is made.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from connectors.contract import HTTPRequest
from connectors.errors import NoAnswer, NotSent

WRITTEN_AT_ONCE: Final = 256 * 1024
"""Bodies up to this size leave in one write with their head; larger ones in pieces, as the peer takes them."""

PIECE: Final = 64 * 1024
_REMEMBERED: Final = 4096
_KEPT_BACK: Final = frozenset(
    {b"host", b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"te", b"trailer"}
    | {b"upgrade", b"expect", b"content-length"}
)
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 65535

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH: Final = re.compile(rb"\d{1,18}")
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?(?=[/?#]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a connection leads. `host` is in lower case, an IPv6 address without its brackets."""

    scheme: str
    host: str
    port: int

    @property
    def after_target(self) -> bytes:
        """Return what stands in every head between the target and the first field."""
        name = self.host.rstrip(".")
        host = f"[{name}]" if ":" in name else name
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f" HTTP/1.1\r\nHost: {host}{port}".encode("ascii")


def parse_address(url: str) -> tuple[Destination, int]:
    """Return where an address leads, and at which character its path, query or fragment begins.

    Raises:
        NotSent: it is not an http or https address, or holds user info.
    """
    found = _ADDRESS.match(url)
    if found is None:
        raise NotSent("address-invalid")
    scheme, host = found["scheme"].lower(), found["host"].lower().strip("[]")
    port = _DEFAULT_PORTS[scheme] if found["port"] is None else int(found["port"])
    if not 0 < port <= _LAST_PORT:
        raise NotSent("address-invalid")
    return Destination(scheme, host, port), found.end()


def check_characters(url: str) -> None:
    """Check that an address can stand in a request line.

    Raises:
        NotSent: it holds something else than visible ASCII.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise NotSent("address-invalid")


def target_of(rest: str) -> str:
    """Return the request target, from what follows an address's host and port."""
    if "#" in rest:
        rest = rest.partition("#")[0]
    if not rest:
        return "/"
    return rest if rest.startswith("/") else "/" + rest


class Outgoing:
    """A request ready to be sent. `data` goes out first; then what `upload` gives, if there is something."""

    __slots__ = ("_body", "data", "head_only", "length", "repeatable", "streamed")

    def __init__(self, request: HTTPRequest, target: str, after_target: bytes) -> None:
        """Write the head. Raises NotSent when a method or field cannot be sent."""
        method = request.method
        body = request.body
        parts = [f"{method} {target}".encode("ascii") + after_target if method in _KNOWN_METHODS else b""]
        if not parts[0]:
            parts[0] = _unusual(method) + b" " + target.encode("ascii") + after_target
        for name, value in request.headers:
            before = _FIELDS.get(name)
            if before is None:
                before = _field(name)
            if before:
                parts.append(before)
                parts.append(value)
        _check_values(parts[2::2])
        self._body = body
        self.head_only = method == "HEAD"
        self.length: int | None = None
        self.streamed = False
        if isinstance(body, bytes):
            self.repeatable = method in _REPEATABLE and not request.once
            self._frame_whole(parts, body, method)
        else:
            self.repeatable = False
            self._frame_stream(parts, request)
        self.data = b"".join(parts)

    def _frame_whole(self, parts: list[bytes], body: bytes, method: str) -> None:
        if not body:
            parts.append(b"\r\n\r\n" if method in _WITHOUT_BODY else b"\r\nContent-Length: 0\r\n\r\n")
            return
        parts.append(b"\r\nContent-Length: %d\r\n\r\n" % len(body))
        if len(body) <= WRITTEN_AT_ONCE:
            parts.append(body)
        else:
            self.streamed = True
            self.length = len(body)

    def _frame_stream(self, parts: list[bytes], request: HTTPRequest) -> None:
        self.streamed = True
        self.length = _declared_length(request)
        if self.length is None:
            parts.append(b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        else:
            parts.append(b"\r\nContent-Length: %d\r\n\r\n" % self.length)

    def upload(self) -> AsyncIterator[tuple[bytes, ...]]:
        """Return what is to be written after `data`, piece by piece.

        Raises, while it is read:
            NoAnswer: the body is shorter or longer than it was declared to be; no byte too many was given.
        """
        pieces = _in_pieces(self._body) if isinstance(self._body, bytes) else self._body
        return chunks(pieces) if self.length is None else measured(pieces, self.length)


async def chunks(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[bytes, ...]]:
    """Frame pieces as the chunks of a body of unknown length."""
    async for piece in pieces:
        if piece:
            yield b"%x\r\n" % len(piece), piece, b"\r\n"
    yield (b"0\r\n\r\n",)


async def measured(pieces: AsyncIterator[bytes], length: int) -> AsyncIterator[tuple[bytes, ...]]:
    """Give the pieces of a body of declared length, which it must have."""
    left = length
    async for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise NoAnswer("cut")
        if piece:
            yield (piece,)
    if left:
        raise NoAnswer("cut")


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE):
        yield body[start : start + PIECE]


def _declared_length(request: HTTPRequest) -> int | None:
    declared = {value for name, value in request.headers if name.lower() == b"content-length"}
    if not declared:
        return None
    value = declared.pop()
    if declared or not _LENGTH.fullmatch(value):
        raise NotSent("header-invalid")
    return int(value)


_KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})


def _unusual(method: str) -> bytes:
    """Return a method that is not among the usual ones. CONNECT would turn the connection into a tunnel."""
    text = method.encode("ascii", "replace")
    if not method.isascii() or not _TOKEN.fullmatch(text) or text.upper() == b"CONNECT":
        raise NotSent("header-invalid")
    return text


_FIELDS: Final[dict[bytes, bytes]] = {}
"""Field names seen so far, to what is written before their value: empty for those that are ours to write."""


def _field(name: bytes) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise NotSent("header-invalid")
    before = b"" if name.lower() in _KEPT_BACK else b"\r\n" + name + b": "
    if len(_FIELDS) < _REMEMBERED:
        _FIELDS[name] = before
    return before


def _check_values(values: list[bytes]) -> None:
    """Refuse what is not UTF-8, and every control character but the tab."""
    together = b" ".join(values)
    try:
        text = together.decode()
    except UnicodeDecodeError:
        raise NotSent("header-invalid") from None
    # Unicode has unprintable letters that harm nobody; the common case is settled by one fast look.
    if not text.isprintable() and _CONTROLS.search(together):
        raise NotSent("header-invalid")
