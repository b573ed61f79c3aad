"""Reading JSON that strangers wrote, so that what the mapping sees is what they wrote.

Refused: broken syntax, a key that stands twice in one object, NaN and infinity, numbers beyond a double, lone
surrogates, a byte order mark, bytes that are not UTF-8, more levels than `MAX_DEPTH`. Numbers that a double does
not carry exactly (integers beyond 2**53, more than 15 significant digits) become text with the same digits.
"""

import json
import re
from math import isinf
from typing import Any, Final, Literal, NoReturn

import orjson

from gateway.transforms.contract import NOT_READ, Place, Unfit

Numbers = Literal["exact", "text"]
"""`exact`: numbers stay numbers where a double carries them, else become text; `text`: all become text."""

MAX_DEPTH: Final = 100
LARGE_BYTES: Final = 64 * 1024
_SAFE_INTEGER: Final = 2**53
_SAFE_DIGITS: Final = 15
_DIGITS: Final = bytes.maketrans(b"123456789.", b"0" * 10)
_LONG_NUMBER: Final = b"0" * (_SAFE_DIGITS + 1)
"""How a number looks that may have more digits than a double carries, once all digits look alike."""
_BOM: Final = b"\xef\xbb\xbf"
_TOO_DEEP: Final = f"The document has more than {MAX_DEPTH} levels."


def readable_json(body: bytes, numbers: Numbers = "exact") -> str:
    """Return the document as JSON text that the mapping engine reads without loss. Raises Unfit."""
    return _parsed(_decoded(body), numbers)


def plain_json(body: bytes) -> Any:  # Any: foreign JSON
    """Return the document as values where `readable_json` would leave it as it is, NOT_READ where that takes a look.

    Most programs write JSON as we would: written again it is the same, so that no name stood there twice, and each number
    is what was written. Long numbers are left to those who look.
    """
    if _LONG_NUMBER in body.translate(_DIGITS):
        return NOT_READ
    try:
        value = orjson.loads(body)
        if orjson.dumps(value) != body:
            return NOT_READ
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # the writer takes fewer levels than the reader
        return NOT_READ
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _check_depth(value)
    return value


def parse_json(body: bytes, numbers: Numbers = "exact") -> Any:  # Any: foreign JSON
    """Return the document as values, with the same rules. Raises Unfit."""
    return _values(_decoded(body), numbers, [])


def render_json(value: Any) -> bytes:  # Any: JSON to be
    """Return values as JSON. Raises Unfit for text that cannot be written as UTF-8."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise Unfit("encoding", "The document holds half of a surrogate pair.") from error


def _decoded(body: bytes) -> str:
    if body.startswith(_BOM):
        raise Unfit("encoding", "The document begins with a byte order mark.", Place(1, 1))
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        before = body[: error.start].decode()
        place = Place.of(before, len(before))
        raise Unfit("encoding", "The document is not UTF-8.", place) from error


def _parsed(text: str, numbers: Numbers) -> str:
    changed: list[str] = []
    values = _values(text, numbers, changed)
    # Only a backslash can bring in half of a surrogate pair, and only then (or when a number was turned into
    # text) does the document have to be written anew.
    return render_json(values).decode() if changed or "\\u" in text else text


def _values(text: str, numbers: Numbers, changed: list[str]) -> Any:  # Any: foreign JSON
    def number(digits: str) -> int | float | str:
        kept = kept_number(digits) if numbers == "exact" else None
        if kept is None:
            changed.append(digits)
            return digits
        return kept

    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_int=number, parse_float=number, parse_constant=_no_constant
    )
    try:
        values = decoder.decode(text)
    except json.JSONDecodeError as error:
        raise Unfit(
            "malformed", f"The document is not JSON: {error.msg}.", Place(error.lineno, error.colno)
        ) from error
    except RecursionError as error:
        raise Unfit("too-deep", _TOO_DEEP) from error
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(values)
    return values


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: foreign JSON
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Unfit("duplicate-key", "A key stands twice in one object.")
    return made


def _no_constant(name: str) -> NoReturn:
    raise Unfit("malformed", f"The document is not JSON: {name} is no number.")


def _check_depth(value: Any) -> None:  # Any: foreign JSON
    level, depth = [value], 0
    while level:
        depth += 1
        nested = [item for item in level if isinstance(item, (dict, list))]
        if nested and depth > MAX_DEPTH:
            raise Unfit("too-deep", _TOO_DEEP)
        level = [item for held in nested for item in (held.values() if isinstance(held, dict) else held)]


def kept_number(digits: str) -> int | float | None:
    """Return a number that a double carries exactly as written, None for another one.

    Raises Unfit for one that no double carries at all.
    """
    if digits.lstrip("-").isdecimal():
        if len(digits) <= _SAFE_DIGITS:
            return int(digits)
        return int(digits) if len(digits) <= _SAFE_DIGITS + 2 and abs(int(digits)) <= _SAFE_INTEGER else None
    value = float(digits)
    if isinf(value):
        raise Unfit("number-out-of-range", "A number is larger than any that can be kept.")
    mantissa = re.split("[eE]", digits, maxsplit=1)[0]
    significant = mantissa.replace(".", "").lstrip("-0")
    if len(significant) > _SAFE_DIGITS or (value == 0.0 and significant):
        return None
    return value
