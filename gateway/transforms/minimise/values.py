"""Making single values say less: masks, and dates without their days. Pure."""

import re
from collections.abc import Callable
from datetime import date
from typing import Final

from gateway.transforms.minimise.documents import Number

GONE: Final = object()
"""Stands for a value that is not released."""

Change = Callable[[object], object]
"""Returns what is released of a single value, or GONE. Applied to its own result it changes nothing."""

FIRST_YEAR, LAST_YEAR = 1800, 2199
_FULL = (
    (re.compile(r"(?P<d>\d\d)/(?P<m>\d\d)/(?P<y>\d{4})", re.ASCII), "{m}/{y}"),
    (re.compile(r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)", re.ASCII), "{y}{m}"),
    (
        re.compile(
            r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)"
            r"(?:[T ][0-2]\d:[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)?",
            re.ASCII,
        ),
        "{y}-{m}",
    ),
)
"""A day in one of the field's forms -> its month in the same form."""
_MONTH = re.compile(r"(?:(?P<m1>\d\d)/(?P<y1>\d{4})|(?P<y2>\d{4})-?(?P<m2>\d\d))", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)
_STARTS: Final = frozenset('<{[" \t\r\n\ufeff')
_DOCUMENT: Final = re.compile(
    r"""
    [ \t\r\n\ufeff]* (?:
        < [A-Za-z_?!À-\uffff]                                # an element, a declaration
      | \{ [ \t\r\n]* "                                     # an object
      | \[ [ \t\r\n]* [\["] | (?P<list> \[ )                 # a list of lists or texts; one with an object in it
      | " (?: [ \t\r\n\ufeff] | \\ [nrt] | \\ ufeff )* [\[{<]  # one of these as a text of JSON
    )""",
    re.VERBOSE,
)
_OBJECT: Final = re.compile(r'\{[ \t\r\n]*"')


def is_document(text: str) -> bool:
    """Say whether a text begins as XML or JSON with names does: it holds fields of its own, which no rule names.

    Whole or broken off, markup or not: what looks like one is taken for one.
    """
    found = _DOCUMENT.match(text) if text[:1] in _STARTS else None
    return found is not None and (found["list"] is None or _OBJECT.search(text) is not None)


def text_of(value: object) -> str | None:
    """Return a text or a number as text; None for what is neither."""
    if isinstance(value, str):
        return value
    if isinstance(value, Number):
        return value.text
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def mask(keep_last: int) -> Change:
    """Replace all characters but the last ones; at least half of a value is always hidden."""

    def change(value: object) -> object:
        text = text_of(value)
        if text is None:
            return GONE
        shown = keep_last if 2 * keep_last <= len(text) else 0
        return "*" * (len(text) - shown) + text[len(text) - shown :]

    return change


def generalise(to: str) -> Change:
    """Leave a date's year, or its year and month, in the form that it came in; what is no date is not released."""

    def change(value: object) -> object:
        text = text_of(value)
        found = None if text is None else shortened(text, to)
        if found is None:
            return GONE
        return int(found) if isinstance(value, int) else found

    return change


def shortened(text: str, to: str) -> str | None:
    """Return year, or month, of a date; what says no more than that already stays. None: it is no date."""
    text = text.strip()
    for pattern, month in _FULL:
        found = pattern.fullmatch(text)
        if found is not None and _is_day(found["y"], found["m"], found["d"]):
            return found["y"] if to == "year" else month.format(y=found["y"], m=found["m"])
    found = _MONTH.fullmatch(text)
    if found is not None and _is_day(found["y1"] or found["y2"], found["m1"] or found["m2"], "01"):
        return text if to == "month" else found["y1"] or found["y2"]
    return text if _YEAR.fullmatch(text) and _is_day(text, "01", "01") else None


def _is_day(year: str, month: str, day: str) -> bool:
    if not FIRST_YEAR <= int(year) <= LAST_YEAR:
        return False
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True
