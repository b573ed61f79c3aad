"""Answers that come in pages: which one is next, and all of them as one."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import unquote, urljoin, urlsplit

from connectors.builtin.rest.json_pages import Page, found_at, parsed_pointer
from connectors.builtin.rest.operation_settings import CursorPages, LinkedPages, NumberedPages, Pages
from connectors.builtin.rest.operations import encoded, without
from connectors.contract import HTTPReply
from connectors.credentials import authority_of
from connectors.errors import BadAnswer
from connectors.message import Body, Headers

NOT_FOR_PAGES = frozenset(
    {b"accept-encoding", b"range", b"if-range", b"if-none-match", b"if-modified-since", b"if-match"}
)
"""Headers of a caller's that would bring something else than a page."""

NOT_OF_THE_WHOLE = frozenset(
    {b"content-length", b"content-range", b"content-md5", b"content-digest", b"digest", b"etag", b"link"}
)
"""Headers of the first page that are not true of all together."""

_LARGE = 128 * 1024
_MOST_LINK = 8192


class Walk:
    """The way through the pages of one call. `target` is path and query of the page to ask for."""

    def __init__(self, settings: Pages, target: str) -> None:
        self._settings = settings
        self._steps = parsed_pointer(settings.items)
        self._path, _, self._query = target.partition("?")
        self._first: Page | None = None
        self._elements: list[str] = []
        self._items = 0
        self._bytes = 0
        self._pages = 0
        self._seen: set[str] = set()
        self.target = self._first_target(target)

    async def take(self, reply: HTTPReply, base: str) -> bool:
        """Take a page in; say whether another is to be asked for. Raises BadAnswer, and what the body's stream raises.

        `base` is the address that the page came from, without `target`.
        """
        body = await self._whole(reply.body)
        page = (
            await asyncio.to_thread(Page, body, self._steps)
            if len(body) > _LARGE
            else Page(body, self._steps)
        )
        self._first = self._first or page
        if page.count:
            self._elements.append(page.inside)
        self._items += page.count
        self._pages += 1
        following = self._following(page, reply.headers, base)
        if following is None:
            return False
        if self._pages >= self._settings.max_pages:
            raise BadAnswer("too-large")
        if following in self._seen:
            raise BadAnswer("rubbish")
        self._seen.add(following)
        self.target = following
        return True

    def whole(self) -> bytes:
        """Return the first page with the elements of all in its array."""
        return self._first.joined(self._elements) if self._first is not None else b""

    async def _whole(self, body: Body) -> bytes:
        pieces: list[bytes] = []
        async for piece in _pieces(body):
            self._bytes += len(piece)
            if self._bytes > self._settings.max_bytes:
                raise BadAnswer("too-large")
            pieces.append(piece)
        return b"".join(pieces)

    def _first_target(self, target: str) -> str:
        settings = self._settings
        if isinstance(settings, LinkedPages):
            return target
        if isinstance(settings, CursorPages):
            return self._with({settings.parameter: None})
        number = settings.first if isinstance(settings, NumberedPages) else 0
        asked: dict[str, str | None] = {settings.parameter: str(number)}
        if settings.size_parameter is not None and settings.size is not None:
            asked[settings.size_parameter] = str(settings.size)
        return self._with(asked)

    def _following(self, page: Page, headers: Headers, base: str) -> str | None:
        """Return the target of the next page; None after the last."""
        settings = self._settings
        if isinstance(settings, LinkedPages):
            return _linked(headers, base, self.target)
        if isinstance(settings, CursorPages):
            cursor = found_at(page.value, parsed_pointer(settings.cursor))
            if cursor is None or cursor == "":
                return None
            if not isinstance(cursor, str | int) or isinstance(cursor, bool):
                raise BadAnswer("rubbish")
            return self._with({settings.parameter: str(cursor)})
        if not page.count or (settings.size is not None and page.count < settings.size):
            return None
        total = (
            found_at(page.value, parsed_pointer(settings.total_at)) if settings.total_at is not None else None
        )
        if isinstance(total, int | str) and str(total).isdecimal() and self._items >= int(total):
            return None
        following = settings.first + self._pages if isinstance(settings, NumberedPages) else self._items
        asked: dict[str, str | None] = {settings.parameter: str(following)}
        if settings.size_parameter is not None and settings.size is not None:
            asked[settings.size_parameter] = str(settings.size)
        return self._with(asked)

    def _with(self, asked: dict[str, str | None]) -> str:
        """Return the target with these parameters instead of a caller's of the same names."""
        kept = without(self._query, frozenset(asked))
        fields = [kept] if kept else []
        fields += [
            f"{encoded(name.encode())}={encoded(value.encode())}"
            for name, value in asked.items()
            if value is not None
        ]
        return f"{self._path}?{'&'.join(fields)}" if fields else self._path


async def _pieces(body: Body) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    async for piece in body:
        yield piece


def _linked(headers: Headers, base: str, target: str) -> str | None:
    """Return the target that `Link` names as the next one. Raises BadAnswer when it leaves the base address."""
    link = next_link(", ".join(value.decode("latin-1") for name, value in headers if name == b"link"))
    if link is None:
        return None
    try:
        address = urljoin(base + target, link)
        found, own = urlsplit(address), urlsplit(base)
        same = found.scheme == own.scheme and authority_of(address) == authority_of(base)
        same = same and "@" not in found.netloc
    except ValueError:
        raise BadAnswer("rubbish") from None
    path = found.path or "/"
    inside = path == own.path or path.startswith(own.path.rstrip("/") + "/")
    if not same or not inside or _climbs(path) or not (path + found.query).isascii() or " " in found.query:
        raise BadAnswer("link-outside")
    below = path[len(own.path.rstrip("/")) :]
    return f"{below}?{found.query}" if found.query else below


def next_link(text: str) -> str | None:
    """Return the address with the relation `next` in a `Link` field (RFC 8288). Raises BadAnswer."""
    if len(text) > _MOST_LINK:
        raise BadAnswer("rubbish")
    at = text.find("<")
    while at >= 0:
        end = text.find(">", at)
        if end < 0:
            return None
        parameters, after = _parameters(text, end + 1)
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "rel" and "next" in value.strip(' \t"').lower().split():
                return text[at + 1 : end].strip()
        at = text.find("<", after)
    return None


def _parameters(text: str, at: int) -> tuple[list[str], int]:
    """Return what stands between semicolons up to the next comma, neither of them in quotes, and where that ends."""
    found = [""]
    quoted = False
    while at < len(text) and (quoted or text[at] != ","):
        character = text[at]
        if quoted and character == "\\":
            at += 1
        elif character == '"':
            quoted = not quoted
        if character == ";" and not quoted:
            found.append("")
        else:
            found[-1] += character
        at += 1
    return found, at


def _climbs(path: str) -> bool:
    plain = unquote(path)
    return "\\" in plain or any(segment.partition(";")[0] in (".", "..") for segment in plain.split("/"))
