"""Which functions a mapping calls that it does not make itself, read from its text. Pure."""

import re
from collections.abc import Iterator
from typing import Final

_SKIPPED: Final = r"/\*.*?\*/|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`|\\."
_NAMED: Final = re.compile(rf"{_SKIPPED}|\$(?P<name>[^\W\d]\w*)(?P<call>\s*\()?", re.DOTALL)


def foreign_calls(mapping: str) -> Iterator[tuple[str, int]]:
    """Yield names that are called and stand nowhere else, with their first place: nothing in the mapping can have bound them."""
    called: dict[str, int] = {}
    bound: set[str] = set()
    for found in _NAMED.finditer(mapping):
        name = found["name"]
        if name is None:
            continue
        if found["call"]:
            called.setdefault(name, found.start())
        else:
            bound.add(name)
    return ((name, at) for name, at in called.items() if name not in bound)
