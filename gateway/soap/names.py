"""Names of JSON as names of XML elements."""

import re
from collections.abc import Container
from functools import lru_cache
from typing import Final

# XML 1.0, production 4, without the colon.
_START: Final = (
    "A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff"
    "\uf900-\ufdcf\ufdf0-\ufffd"
)
_BAD_START: Final = re.compile(f"[^{_START}]")
_BAD: Final = re.compile(f"[^{_START}0-9.\xb7\u0300-\u036f\u203f\u2040-]")
_MOST: Final = 100


@lru_cache(maxsize=4096)
def element_name(key: str) -> str:
    """Return a name that XML takes: as it is wherever possible, else with `_` for what must not stand there."""
    name = _BAD.sub("_", key)[:_MOST]
    return f"_{name}" if _BAD_START.match(name) or not name else name


def unique(name: str, taken: Container[str]) -> str:
    """Return the name, with a number behind it when it is taken."""
    if name not in taken:
        return name
    return next(one for number in range(2, 1_000_000) if (one := f"{name}_{number}") not in taken)
