"""How objects are named in addresses.

A label is an id or a code. Needs, versions and grants have codes of two segments (`H26.12:mot-cua/CSDL-DC`),
all others of one. What stands below an object (`…/history`) is never taken for the second segment of a code;
an object whose code ends so is reached by its id.
"""

import re
from typing import ClassVar

from starlette.convertors import Convertor, register_url_convertor

from registry.entities import Kind

BELOW = ("actions", "changes", "check", "history", "scopes")
"""What stands below an object in addresses."""
TWO_SEGMENTS = frozenset({Kind.NEED, Kind.VERSION, Kind.GRANT})
_UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"


class LabelConvertor(Convertor[str]):
    """A label of one segment, or an id."""

    regex: ClassVar[str] = "[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class PairConvertor(LabelConvertor):
    """A label of two segments, or an id."""

    regex: ClassVar[str] = f"{_UUID}|[^/]+/(?!(?:{'|'.join(BELOW)})(?:/|$))[^/]+"


class ExchangeConvertor(LabelConvertor):
    """The id of an exchange; `subject` beside it is an address of its own."""

    regex: ClassVar[str] = "(?!subject$)[^/]+"


def register_convertors() -> None:
    """Make `{label:one}`, `{label:pair}` and `{exchange:exchange}` known to the router; doing it twice changes nothing."""
    register_url_convertor("exchange", ExchangeConvertor())
    register_url_convertor("one", LabelConvertor())
    register_url_convertor("pair", PairConvertor())


def plain(path: str) -> str:
    """Return a path template as readers know it: `{label}` without the name of its convertor."""
    return re.sub(r":[a-z]+\}", "}", path)


def label_path(kind: Kind) -> str:
    """Return the path template of one object of `kind`."""
    return f"/admin/v1/{kind.value}/{{label:{'pair' if kind in TWO_SEGMENTS else 'one'}}}"
