"""One reading of a request's path: what is authorised is byte for byte what is forwarded.

Two programs that read `/a/%2e%2e/b` or `/a%2Fb` differently are how rules get walked around, so a path that can
be read in two ways is refused, not repaired.
"""

import re
from typing import Final

from gateway.exchange import Reason, Refusal

# Nearly every path: segments of plain characters that do not begin with a dot. Nothing to decode or to check.
_PLAIN: Final = re.compile(rb"(?:/[A-Za-z0-9_~!$&'()*+,;=:@\-][A-Za-z0-9._~!$&'()*+,;=:@\-]*)+/?|/")
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ENCODED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
# What may not stand raw in a path, but does when a client forgets to escape: spaces, UTF-8, brackets.
_UNESCAPED: Final = re.compile(rb"[^A-Za-z0-9._~!$&'()*+,;=:@/%\-]")
_BAD_PERCENT: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
# A segment is a dot segment for servers that cut off path parameters too (`/..;x/`).
_DOTS: Final = re.compile(rb"/\.{1,2}(?:;[^/]*)?(?=/|$)")


class PathAmbiguous(Refusal):
    """A path can be read in more than one way; `why` is a stable word, the path itself is nowhere."""

    def __init__(self, why: str) -> None:
        super().__init__(Reason.PATH_AMBIGUOUS, why=why)
        self.why = why


def normalise(raw_path: bytes) -> str:
    """Return the canonical percent-encoded form of a path; the same for its own result.

    Unreserved characters stand plain, all others encoded in capitals; a final slash or `%20` is kept.

    Raises:
        PathAmbiguous: an encoded slash, a backslash, NUL or another control character, a dot segment (each
            raw or encoded), a double slash, a percent sign without two digits, bytes that are not UTF-8.
    """
    if _PLAIN.fullmatch(raw_path):
        return raw_path.decode("ascii")
    if not raw_path.startswith(b"/"):
        raise PathAmbiguous("not-absolute")
    if b"?" in raw_path or b"#" in raw_path:
        raise PathAmbiguous("delimiter")
    if b"%" not in raw_path:
        return _checked(raw_path)
    if _BAD_PERCENT.search(raw_path):
        raise PathAmbiguous("percent-sequence")
    if b"%2f" in raw_path.lower():
        raise PathAmbiguous("encoded-slash")
    return _checked(raw_path)


def _checked(raw_path: bytes) -> str:
    decoded = _ENCODED.sub(lambda match: bytes((int(match[1], 16),)), raw_path)
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise PathAmbiguous("not-utf-8") from None
    if b"\\" in decoded:
        raise PathAmbiguous("backslash")
    if _CONTROL.search(text):
        raise PathAmbiguous("control-character")
    if b"//" in decoded:
        raise PathAmbiguous("double-slash")
    if _DOTS.search(decoded):
        raise PathAmbiguous("dot-segment")
    return _ENCODED.sub(_canonical, _UNESCAPED.sub(_escaped, raw_path)).decode("ascii")


def _canonical(match: re.Match[bytes]) -> bytes:
    """Write one encoded byte as RFC 3986 (6.2.2) wants it; a reserved one stays encoded: `%3A` is not `:`."""
    byte = int(match[1], 16)
    return bytes((byte,)) if byte in _UNRESERVED else b"%%%02X" % byte


def _escaped(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match[0][0]
