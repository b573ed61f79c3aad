"""Names of a description as names that the registry takes: as they are wherever possible, each once."""

import re
import unicodedata
from collections.abc import Container
from typing import Final

_BAD: Final = re.compile(r"[^A-Za-z0-9_.\-]+")
_LONGEST_OPERATION: Final = 64
_LONGEST_SCHEMA: Final = 120


def operation_name(wanted: str) -> str:
    """Return a text as the name of an operation; empty when nothing of it is left."""
    name = re.sub(r"^[^A-Za-z]+", "", _plain(wanted))
    return name[:_LONGEST_OPERATION].rstrip("_.-")


def name_of_route(method: str, path: str) -> str:
    """Name an operation after its method and path."""
    words = [part for part in re.split(r"[^\w]+", path) if part]
    return operation_name("_".join([method.lower(), *words])) or method.lower()


def schema_name(wanted: str) -> str:
    """Return a text as the name of a schema."""
    return _plain(wanted)[:_LONGEST_SCHEMA] or "_"


def unique(name: str, taken: Container[str], longest: int = _LONGEST_OPERATION) -> str:
    """Return the name, with a number behind it when it is taken."""
    if name not in taken:
        return name
    for number in range(2, 1_000_000):
        end = f"-{number}"
        if (one := name[: longest - len(end)] + end) not in taken:
            return one
    raise AssertionError(name)


def unique_schema(name: str, taken: Container[str]) -> str:
    """Return the name of a schema, with a number behind it when it is taken."""
    return unique(name, taken, _LONGEST_SCHEMA)


def _plain(text: str) -> str:
    """Return a text without accents (đ included), with `_` for what is no letter or digit."""
    spread = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    bare = "".join(char for char in spread if not unicodedata.combining(char))
    return _BAD.sub("_", bare)
