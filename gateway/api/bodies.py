"""Reading a request's body: bounded before it is read on, and strict about what it says."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from starlette.requests import Request

from gateway.api.errors import BodyTooLarge, MediaTypeWrong
from registry.documents import pointer_of
from registry.errors import Flaw, Invalid

MB = 1024 * 1024
SMALL = 1 * MB
LARGE = 10 * MB
DEEPEST = 100
JSON = "application/json"


class _Twice(dict[str, Any]):
    """An object in which a key stood twice; `key` says which."""

    key: str


async def read_body(request: Request, *, limit: int, accepted: Sequence[str]) -> tuple[bytes, str]:
    """Return the body and its media type.

    Raises:
        MediaTypeWrong: it is none of `accepted`, or compressed.
        BodyTooLarge: it is over `limit`; what is above is not read.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if media_type not in accepted or encoding != "identity":
        given = media_type if encoding == "identity" else f"{media_type} ({encoding})"
        raise MediaTypeWrong(given, accepted)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(limit)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise BodyTooLarge(limit)
    return bytes(body), media_type


def parse_json(body: bytes) -> Any:  # Any: whatever the JSON says; checked by who asked for it
    """Parse JSON strictly: UTF-8, no key twice, no NaN. What it says is for others to check.

    Raises:
        Invalid: with the pointer of what is wrong, the empty one for broken JSON.
    """
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise Invalid([Flaw("", "too-deep", f"This is nested deeper than {DEEPEST} levels.")]) from None
    except ValueError as error:
        raise Invalid([Flaw("", "json-broken", f"This is not JSON: {_where(error)}.")]) from None
    flaws = list(_twice(value, (), 0))
    if flaws:
        raise Invalid(flaws)
    return value


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object strictly; an empty body is an empty object. Raises Invalid."""
    value = parse_json(body) if body.strip() else {}
    if not isinstance(value, dict):
        raise Invalid([Flaw("", "wrong-type", "A JSON object is expected.")])
    return value


def _where(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    return str(error)[:200]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    twice = _Twice(value)
    keys = [key for key, _ in pairs]
    twice.key = next(key for key in value if keys.count(key) > 1)
    return twice


def _twice(value: Any, at: tuple[str | int, ...], depth: int) -> Iterator[Flaw]:
    """Yield where a key stood twice, and where nesting goes too deep."""
    if depth > DEEPEST:
        yield Flaw(pointer_of(at), "too-deep", f"This is nested deeper than {DEEPEST} levels.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _twice(item, (*at, index), depth + 1)
    elif isinstance(value, dict):
        if isinstance(value, _Twice):
            yield Flaw(pointer_of((*at, value.key)), "duplicate", "This key stands here twice.")
        for key, item in value.items():
            yield from _twice(item, (*at, key), depth + 1)


def is_storable(text: str) -> bool:
    """Whether a text holds no NUL and no half of a surrogate pair."""
    if "\x00" in text:
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
