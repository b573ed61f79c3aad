"""JSON: read strictly, and written without holding up the event loop."""

import json
from typing import Any, NoReturn

import orjson

from connectors.builtin.soap.fields import Unfit

_SLICE = 200
_DEPTH = 6


class NumberText(str):
    """A JSON number, as it was written."""

    __slots__ = ()


def read_json(document: bytes) -> object:
    """Read JSON strictly: numbers as their text, no key twice, no NaN. Raises Unfit."""
    try:
        return json.loads(
            document.decode("utf-8-sig"),
            parse_int=NumberText,
            parse_float=NumberText,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError:
        raise Unfit("encoding") from None
    except RecursionError:
        raise Unfit("depth") from None
    except json.JSONDecodeError:
        raise Unfit("malformed") from None


def dump(value: Any, *, gently: bool) -> bytes:  # Any: JSON
    """Return a value as JSON. `gently`: it is taken apart on the way, and other threads get their turn."""
    if not gently:
        return orjson.dumps(value)
    pieces: list[bytes] = []
    _take_apart(value, pieces, 0)
    return b"".join(pieces)


def _take_apart(value: Any, pieces: list[bytes], depth: int) -> None:
    if isinstance(value, dict) and depth < _DEPTH:
        pieces.append(b"{")
        for number, (key, inner) in enumerate(value.items()):
            pieces.append((b"," if number else b"") + orjson.dumps(key) + b":")
            _take_apart(inner, pieces, depth + 1)
        pieces.append(b"}")
    elif isinstance(value, list) and len(value) > _SLICE:
        pieces.append(b"[")
        for start in range(0, len(value), _SLICE):
            part = value[start : start + _SLICE]
            value[start : start + _SLICE] = [None] * len(part)
            pieces.append((b"," if start else b"") + orjson.dumps(part)[1:-1])
        pieces.append(b"]")
    else:
        pieces.append(orjson.dumps(value))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Unfit("duplicate-key")
    return made


def _refuse_constant(_: str) -> NoReturn:
    raise Unfit("number")
