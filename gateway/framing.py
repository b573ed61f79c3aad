"""Whether a request's head says one thing only: what another server on the way could read differently is refused.

Pure. What llhttp refuses by itself (bare line feeds, NUL, folded lines, spaces in names, two lengths) is pinned
by tests/contract/test_uvicorn.py and not looked for again.
"""

import re
from typing import Final

from connectors.message import Headers

_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~\-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_LENGTH: Final = re.compile(rb"0|[1-9]\d{0,17}")
_ABSOLUTE: Final = re.compile(rb"(https?)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_DEFAULT_PORTS: Final = {b"http": b":80", b"https": b":443"}


def flaw_of(method: bytes, version: str, target: bytes, headers: Headers) -> str | None:
    """Return the guard's reason to refuse a head (a key of `notices.GUARD`), or None. Names are in lower case."""
    if version not in {"1.1", "1.0"}:
        return "http-version"
    names = [name for name, _ in headers]
    if b"_" in b"".join(names):
        return "header-name"
    if names.count(b"host") != 1:
        return "host-ambiguous"
    host = headers[names.index(b"host")][1].strip()
    if not _HOST.fullmatch(host):
        return "host-ambiguous"
    if b"upgrade" in names and any(
        b"websocket" in value.lower() for name, value in headers if name == b"upgrade"
    ):
        return "upgrade-refused"
    return length_flaw(version, names, headers) or target_flaw(method, target, host)


def length_flaw(version: str, names: list[bytes], headers: Headers) -> str | None:
    """Return what is wrong with how a head says where its body ends."""
    lengths, codings = names.count(b"content-length"), names.count(b"transfer-encoding")
    if codings:
        plain = codings == 1 and headers[names.index(b"transfer-encoding")][1] == b"chunked"
        if not plain or version == "1.0":
            return "coding-ambiguous"
        return "length-ambiguous" if lengths else None
    if lengths:
        plain = lengths == 1 and _LENGTH.fullmatch(headers[names.index(b"content-length")][1]) is not None
        return None if plain else "length-ambiguous"
    return None


def target_flaw(method: bytes, target: bytes, host: bytes) -> str | None:
    """Return what is wrong with a request target, given the Host."""
    if method == b"CONNECT" or b"#" in target:
        return "target-form"
    if target.startswith(b"/"):
        return None
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return "target-form"
    scheme, authority, _ = absolute.groups()
    if _without_port(authority, scheme) != _without_port(host, scheme):
        return "target-authority"
    return None


def origin_form(target: bytes) -> bytes:
    """Return path and query of a target that has no flaw."""
    absolute = None if target.startswith(b"/") else _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return target
    rest = absolute[3]
    return rest if rest.startswith(b"/") else b"/" + rest


def body_head(headers: Headers) -> bytes:
    """Return a head that says of its body what these fields say; b"" when they say that there is none."""
    for name, value in headers:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return b"POST / HTTP/1.1\r\n%s: %s\r\n\r\n" % (name, value)
    return b""


def _without_port(authority: bytes, scheme: bytes) -> bytes:
    """Return an authority in lower case, without its scheme's own port."""
    return authority.lower().removesuffix(_DEFAULT_PORTS[scheme.lower()])
