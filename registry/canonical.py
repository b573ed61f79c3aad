"""Canonical JSON of what the ledger signs: one spelling for each document, so that bytes can be compared."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

_HEX = re.compile(r"(?:[0-9a-f]{2})*\Z")


def render(values: Mapping[str, Any]) -> bytes:  # Any: JSON
    """Return JSON in UTF-8 without spaces, keys in ASCII order."""
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)


def load(body: bytes) -> dict[str, Any]:
    """Return the members of a canonical JSON object. Raises ValueError for any other bytes."""
    try:
        values = orjson.loads(body)
    except ValueError as error:
        raise ValueError("this is not JSON") from error
    if not isinstance(values, dict) or render(values) != body:
        raise ValueError("this is not the canonical spelling of an object")
    return values


def check_members(values: Mapping[str, Any], types: Mapping[str, type], kind: str, form: int = 1) -> None:
    """Check that an object has exactly these members, `kind` and `v`. Raises ValueError."""
    if values.get("kind") != kind or type(values.get("v")) is not int or values["v"] != form:
        raise ValueError(f"this is no {kind} of a known form")
    if values.keys() - {"kind", "v"} != types.keys():
        raise ValueError(f"this {kind} has other members")
    if any(type(values[name]) is not of for name, of in types.items()):
        raise ValueError(f"this {kind} has members of other types")


def parse(body: bytes, types: Mapping[str, type], *, kind: str, form: int = 1) -> dict[str, Any]:
    """Return the members of a canonical document, `kind` and `v` left out. Raises ValueError."""
    values = load(body)
    check_members(values, types, kind, form)
    return {name: values[name] for name in types}


def unhex(text: str, size: int) -> bytes:
    """Return the bytes that lower-case hex says. Raises ValueError unless there are exactly `size`."""
    if len(text) != 2 * size or not _HEX.match(text):
        raise ValueError(f"this is not {size} bytes in lower-case hex")
    return bytes.fromhex(text)
