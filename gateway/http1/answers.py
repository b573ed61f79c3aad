"""One answer as bytes, sans I/O: what httptools reads, and the rules about framing that it does not keep.

The parser reads heads and chunks; where a body ends by its length we count ourselves, because the parser
neither says how much of a segment it used nor knows that the answer to HEAD has no body. A reader lives for
one answer: nothing that a peer said once can be taken for a part of what it says next.
"""

import re
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from connectors.errors import BadAnswer, NoAnswer
from connectors.message import Headers

MAX_HEAD: Final = 32 * 1024
"""Bytes of all heads of an answer together, the 1xx before it included; also of trailers and chunk lines."""

MAX_FIELD: Final = 16 * 1024
MAX_FIELDS: Final = 100

_HEAD_END: Final = b"\r\n\r\n"
_OWS: Final = b" \t"
_BEGINNING: Final = b"HTTP/1."
_USUAL_START: Final = b"HTTP/1.1 "
_NOT_PASSED_ON: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"te", b"trailer", b"upgrade"}
)
_KEEP_ALIVE: Final = re.compile(rb"(?:^|[,;\s])timeout\s*=\s*(\d{1,6})(?:$|[,;\s])", re.IGNORECASE)
_VERSIONS: Final = frozenset({"1.0", "1.1"})
_OK: Final = 200
_SWITCHING_PROTOCOLS: Final = 101
_NO_CONTENT: Final = 204
_WITHOUT_BODY: Final = frozenset({_NO_CONTENT, 304})

_USUAL: Final = (
    *("Accept-Ranges", "Age", "Allow", "Cache-Control", "Content-Disposition", "Content-Encoding"),
    *("Content-Language", "Content-Type", "Date", "ETag", "Expires", "Last-Modified", "Location", "Pragma"),
    *("Retry-After", "Server", "Set-Cookie", "Strict-Transport-Security", "Vary", "Via", "WWW-Authenticate"),
    *("X-Content-Type-Options", "X-Frame-Options", "X-Powered-By", "X-Request-Id", "X-XSS-Protection"),
)
_LOWER: Final[dict[bytes, bytes]] = {
    spelling.encode(): name.lower().encode() for name in _USUAL for spelling in (name, name.lower())
}
"""Names that need no look, as servers spell them, in lower case."""

_CHUNKED: Final = -1
_UNTIL_CLOSE: Final = -2


class AnswerReader:
    """Reads one answer from bytes in any pieces.

    `headed` when the final head has come, `whole` when the body has, `reusable` when the next request may go
    over the same connection. `pieces` are the body's bytes not yet taken, `size` how many there were in all.
    """

    __slots__ = (
        "_coding",
        "_complete",
        "_dirty",
        "_head_bytes",
        "_head_only",
        "_keeps",
        "_left",
        "_length",
        "_lines",
        "_named",
        "_odd",
        "_parser",
        "_silent",
        "_tail",
        "begun",
        "headed",
        "headers",
        "idle_seconds",
        "pieces",
        "reusable",
        "size",
        "status",
        "whole",
    )

    def __init__(self, *, head_only: bool) -> None:
        self.status = 0
        self.headers: Headers = []
        self.pieces: list[bytes] = []
        self.size = 0
        self.begun = self.headed = self.whole = self.reusable = False
        self.idle_seconds: float | None = None
        self._head_only = head_only
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._coding: bytes | None = None
        self._named: set[bytes] = set()
        self._length: int | None = None
        self._left = self._head_bytes = self._lines = self._silent = 0
        self._complete = self._keeps = self._dirty = self._odd = False
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Take in what came.

        Raises:
            BadAnswer: it is not an answer, contradicts itself, or is larger than allowed.
        """
        if not self.headed:
            end = 0 if self.begun else data.find(_HEAD_END) + len(_HEAD_END)
            if len(_HEAD_END) < end <= MAX_FIELD and data.startswith(_USUAL_START):
                # Nearly always: the whole head, of moderate size, at the beginning of one piece.
                data = self._feed_whole_head(data[:end], data[end:])
            else:
                data = self._feed_head(data)
        if data:
            self._feed_body(data)

    def end(self) -> None:
        """Take in that nothing more will come.

        Raises:
            NoAnswer: the answer was not whole.
        """
        if self.whole:
            return
        if not self.headed or self._left != _UNTIL_CLOSE:
            raise NoAnswer("cut")
        self._dirty = True
        self._finish()

    def close(self) -> None:
        """Let go of the parser, which holds this reader. Idempotent."""
        self._parser = None

    # --- heads ------------------------------------------------------------------------------------------

    def _feed_whole_head(self, head: bytes, rest: bytes) -> bytes:
        self.begun = True
        self._head_bytes = len(head)
        self._lines = head.count(b"\n")
        self._parse(head)
        self._end_head()
        if not self.headed:
            return self._feed_head(rest)
        self._begin_body()
        return rest

    def _feed_head(self, data: bytes) -> bytes:
        """Parse up to the end of the final head; return what follows it."""
        self.begun = True
        while data:
            end = self._head_end(data)
            part = data if end < 0 else data[:end]
            self._check_start(part)
            self._parse_head(part)
            if end < 0:
                self._tail = (self._tail + part)[-3:]
                break
            self._end_head()
            data = data[end:]
            if self.headed:
                self._begin_body()
                return data
        return b""

    def _head_end(self, data: bytes) -> int:
        tail = self._tail
        if not tail:
            at = data.find(_HEAD_END)
            return at if at < 0 else at + 4
        at = (tail + data).find(_HEAD_END)
        return at if at < 0 else at + 4 - len(tail)

    def _check_start(self, part: bytes) -> None:
        # The parser would pass over empty lines, and take RTSP for HTTP.
        if not self._tail and not part.startswith(_USUAL_START):
            if part[0] != _BEGINNING[0]:
                raise BadAnswer("rubbish")
            self._odd = True

    def _parse_head(self, part: bytes) -> None:
        self._head_bytes += len(part)
        excess = self._head_bytes - MAX_HEAD
        if excess > 0:
            part = part[: max(len(part) - excess, 0)]
        self._lines += part.count(b"\n")
        self._parse(part)
        if excess > 0:
            raise BadAnswer("head-too-large")

    def _end_head(self) -> None:
        """Settle what a complete head means: the final one, or one to pass over."""
        if not self.status or (self._odd and self._version() not in _VERSIONS):
            raise BadAnswer("rubbish")
        if self._lines > MAX_FIELDS + 2 or (self._head_bytes > MAX_FIELD and self._has_large_field()):
            raise BadAnswer("head-too-large")
        if self.status >= _OK:
            self.headed = True
            return
        if self.status == _SWITCHING_PROTOCOLS or self.status < _SWITCHING_PROTOCOLS - 1:
            raise BadAnswer("rubbish")
        self.status = self._lines = 0
        self.headers = []
        self._coding = self._length = None
        self._odd = False
        self._tail = b""

    def _version(self) -> str:
        return "" if self._parser is None else self._parser.get_http_version()

    def _has_large_field(self) -> bool:
        return any(len(name) + len(value) > MAX_FIELD for name, value in self.headers)

    def _parse(self, data: bytes) -> None:
        if self._parser is None:
            raise BadAnswer("rubbish")
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            raise BadAnswer("rubbish") from None

    # --- the parser's callbacks -------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a field; trailers are dropped."""
        lower = _LOWER.get(name)
        if lower is None or self.headed:
            self._unusual_field(name, value)
        else:
            self.headers.append((lower, value.rstrip(_OWS)))

    def _unusual_field(self, name: bytes, value: bytes) -> None:
        if self.headed:
            return
        lower, value = name.lower(), value.rstrip(_OWS)
        if lower == b"content-length":
            self._length = int(value)
        elif lower in _NOT_PASSED_ON:
            if lower == b"connection":
                self._named.update(option.strip(_OWS).lower() for option in value.split(b","))
            elif lower == b"transfer-encoding":
                self._coding = value.lower() if self._coding is None else b"several"
            elif lower == b"keep-alive" and (found := _KEEP_ALIVE.search(value)):
                self.idle_seconds = float(found[1])
            return
        self.headers.append((lower, value))

    def on_headers_complete(self) -> None:
        """Note what only the parser knows."""
        if self.headed or self._parser is None:
            self._dirty = True
            return
        self.status = self._parser.get_status_code()
        self._keeps = self._parser.should_keep_alive()
        if self._named:
            # RFC 9110, 7.6.1: what Connection names is for this connection only.
            self.headers = [field for field in self.headers if field[0] not in self._named]

    def on_body(self, data: bytes) -> None:
        """Take in a piece of a chunk."""
        self.pieces.append(data)
        self.size += len(data)

    def on_message_complete(self) -> None:
        """Note the end of a chunked body."""
        self._complete = True

    # --- bodies -----------------------------------------------------------------------------------------

    def _begin_body(self) -> None:
        """Decide how the body ends (RFC 9112, 6.3)."""
        self._complete = False
        coding = self._coding
        if coding is not None and coding != b"chunked":
            # Whatever it is, it is not ours to pass on undone, and not ours to undo.
            raise BadAnswer("rubbish")
        if self._head_only or self.status in _WITHOUT_BODY:
            # A length is only a statement here; on a 204 it is a contradiction.
            self._dirty = self.status == _NO_CONTENT and (coding is not None or bool(self._length))
            self._finish()
        elif coding is not None:
            self._left = _CHUNKED
            self._tail = b""
        elif self._length is None:
            self._left = _UNTIL_CLOSE
        else:
            self._left = self._length
            if not self._left:
                self._finish()

    def _feed_body(self, data: bytes) -> None:
        left = self._left
        if left == _CHUNKED:
            self._feed_chunks(data)
            return
        size = len(data)
        if left == _UNTIL_CLOSE:
            self.pieces.append(data)
            self.size += size
            return
        if size > left:
            self._surplus(data[left:])
            data, size = data[:left], left
        if size:
            self.pieces.append(data)
            self.size += size
            self._left = left = left - size
            if not left:
                self._finish()

    def _feed_chunks(self, data: bytes) -> None:
        if self.whole:
            self._surplus(data)
            return
        before = self.size
        self._parse(data)
        end = data[-5:] if len(data) >= len(_HEAD_END) + 1 else (self._tail + data)[-5:]
        self._tail = end
        if self._complete:
            # The parser passes over empty lines that follow; they are not the peer's to send.
            if end[1:] != _HEAD_END or end[0] in b"\r\n":
                self._dirty = True
            self._finish()
            return
        self._silent = self._silent + len(data) if self.size == before else 0
        if self._silent > MAX_HEAD:
            raise BadAnswer("head-too-large")

    def _surplus(self, data: bytes) -> None:
        """Something follows the body: the beginning of another answer, or proof that the length was wrong."""
        self._dirty = True
        self.reusable = False
        if data.strip(b"\r\n") and not data.startswith(_BEGINNING[: len(data)]):
            raise BadAnswer("rubbish")

    def _finish(self) -> None:
        self.whole = True
        self.reusable = self._keeps and not self._dirty
        self._parser = None
