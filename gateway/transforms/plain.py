"""Which mappings are so simple that their cost is bounded by their text and the document. Pure.

The engine's limits have holes: comparing values that share their parts, `$distinct` and `$merge` run for ever without
looking at the clock, and a value that a loop nests a hundred thousand times brings the process down. None of that can
be written in a *plain* mapping: it reaches into the document, makes objects and lists of what it finds there, computes
and calls functions that are listed here, but binds no names, defines no functions, has no regular expressions, ranges
or wild cards of any depth, and reaches into nothing that it has itself made. A plain mapping runs in the node's own
process, every other one in a guest process (`guests.py`).
"""

import re
from dataclasses import dataclass
from typing import Final

from gateway.transforms.functions import FUNCTIONS

OURS: Final = frozenset(function.name for function in FUNCTIONS)
_CHEAP_OF_JSONATA: Final = (
    "string length substring substringBefore substringAfter uppercase lowercase trim contains join number abs floor "
    "ceil round sum max min average boolean not exists count type append reverse sort replace formatNumber "
    "base64encode base64decode toMillis fromMillis"
)
CHEAP: Final = OURS | frozenset(_CHEAP_OF_JSONATA.split())
BOUNDED: Final = frozenset({"join", "replace", "formatNumber"})
"""These make a text as large as one value times another: cheap only where the last one is a short text in the mapping."""
_SHORT: Final = 18
"""Characters of a text with its quotation marks."""

_TOKEN: Final = re.compile(
    r"(?P<space>\s+|/\*.*?\*/)"
    r"|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<name>`[^`]*`|[^\W\d]\w*)"
    r"|(?P<call>\$[^\W\d]\w*)"
    r"|(?P<context>\$\$?)"
    r"|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<sign>\?\?|\?:|!=|<=|>=|\.(?!\.)|:(?!=)|\*(?!\*)|[\[\]{}(),?&+=<>/%-])",
    re.DOTALL,
)
_WORD_OPERATORS: Final = frozenset({"and", "or", "in"})
_DEFINE: Final = frozenset({"function", "λ"})
_ARITHMETIC: Final = frozenset("*/%")
_VALUES: Final = frozenset({"name", "text", "context", "value", "number"})
_REACHING: Final = frozenset(".[{(")


@dataclass(slots=True)
class _Call:
    """What is open: a call of a function, or brackets of another kind (no name)."""

    name: str
    arguments: int = 1


class _Reader:
    """Reads a mapping token by token; `ok` goes false with the first thing that is not plain."""

    def __init__(self) -> None:
        self.ok = True
        self._before = ""  # the kind of the token before, or the sign itself
        self._called = ""
        self._open: list[str] = []
        self._calls: list[_Call] = []
        self._last = ("", "")  # the two tokens before

    def take(self, kind: str, text: str) -> None:
        """Take the next token that is not space."""
        if kind == "sign":
            self._bound(text)
            self._sign(text)
        elif kind == "name" and text in _WORD_OPERATORS:
            self._before = "operator"
        else:
            self.ok &= self._is_fit(kind, text)
            self._before = kind
        self._last = (self._last[1], text)

    def _bound(self, sign: str) -> None:
        """Follow calls of functions whose last argument has to be short."""
        if sign in "[{(":
            is_call = sign == "(" and self._before == "call"
            self._calls.append(_Call(self._called if is_call else ""))
        elif sign == "," and self._calls:
            self._calls[-1].arguments += 1
        elif sign in "]})" and self._calls:
            call = self._calls.pop()
            if call.name in BOUNDED and (call.arguments > 1 or call.name != "join"):
                comma, last = self._last
                self.ok &= comma == "," and last[:1] in "\"'" and len(last) <= _SHORT

    def _is_fit(self, kind: str, text: str) -> bool:
        if self._before == "call" or text in _DEFINE:
            return False
        self._called = text[1:] if kind == "call" else ""
        return kind != "call" or self._called in CHEAP

    def _sign(self, sign: str) -> None:
        if self._before == "call" and sign != "(":
            self.ok = False  # a name that is bound somewhere, or a function handed on
        if self._before == "?" and sign in {",", ")"}:
            self.ok = False  # a function with a gap
        if sign in _ARITHMETIC and not self._follows_value():
            self.ok = False  # a wild card, a regular expression, a parent
        if sign in _REACHING:
            self.ok &= self._may_reach(sign)
        if sign in "[{(":
            self._open.append(self._opened_as(sign))
            self._before = sign
        elif sign in "]})":
            opened = self._open.pop() if self._open else ""
            self._before = "value" if opened == "predicate" else f"made:{opened}"
        else:
            self._before = sign

    def _may_reach(self, sign: str) -> bool:
        if self._before.startswith("made:"):
            return sign == "." and self._before == "made:ours"
        return not (self._before in _VALUES and sign in "{(")

    def _follows_value(self) -> bool:
        return self._before in _VALUES or self._before.startswith("made:")

    def _opened_as(self, sign: str) -> str:
        if sign == "(":
            return "ours" if self._before == "call" and self._called in OURS else "other"
        is_predicate = sign == "[" and self._before in _VALUES
        return "predicate" if is_predicate else "constructor"


def is_plain(mapping: str) -> bool:
    """Say whether a mapping is plain. It errs on the side of caution."""
    reader, position = _Reader(), 0
    while position < len(mapping) and reader.ok:
        found = _TOKEN.match(mapping, position)
        if found is None:
            return False
        position = found.end()
        if found.lastgroup != "space":
            reader.take(found.lastgroup or "", found[0])
    reader.take("sign", ",")
    return reader.ok
