"""Where the data subject stands in a caller's message, compiled; and reading it there, strictly.

A consumer must not be able to look at one person while the record names another, so what two programs may read in
two ways (a name that stands there twice, or in another case) is read in both, and refused if they differ.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from gateway.exchange import Reason, Refusal, Request
from registry.subjects import IdUnreadable, SubjectType, normalise


class SubjectPlace:
    """One declared place of a data subject: `query:NAME`, `header:NAME`, `pointer:/…` or `path:NAME`."""

    __slots__ = ("_from_end", "_is_ascii", "_kind", "_name", "_quoted", "_tokens", "at", "type")

    def __init__(self, at: str, type_: SubjectType, template: str) -> None:
        self.at = at
        self.type = type_
        self._kind, _, rest = at.partition(":")
        self._name = rest.lower()
        self._tokens: Sequence[str] = ()
        self._quoted: Sequence[bytes] = ()
        self._is_ascii = True
        self._from_end = 0
        if self._kind == "pointer":
            self._tokens = [part.replace("~1", "/").replace("~0", "~") for part in self._name.split("/")[1:]]
            self._quoted = [orjson.dumps(token) for token in self._tokens]
            self._is_ascii = self._name.isascii()
        elif self._kind == "path":
            # Counted from the end: before it stand the service's name and perhaps a version.
            self._from_end = template.split("/").index("{" + rest + "}") - len(template.split("/"))

    def read(self, request: Request, body: object) -> str | None:
        """Return the normalised id, None when there is none. Raises Refusal, which does not repeat it."""
        try:
            found = {normalise(self.type, value) for value in self._values(request, body) if value.strip()}
        except (ValueError, RecursionError):
            raise Refusal(Reason.SUBJECT_UNREADABLE, where=self.at) from None
        if len(found) > 1:
            raise Refusal(Reason.SUBJECT_UNREADABLE, where=self.at)
        return found.pop() if found else None

    def _values(self, request: Request, body: object) -> Iterable[str]:
        if self._kind == "query":
            return [value for name, value in parse_qsl(request.query) if name.lower() == self._name]
        if self._kind == "header":
            name = self._name.encode()
            return [value.decode("latin-1") for key, value in request.headers if key == name]
        if self._kind == "path":
            return [unquote(request.path.split("/")[self._from_end])]
        if not isinstance(body, bytes):
            raise IdUnreadable("the body is too large to be read whole")
        return _texts(_pointed(self._parse(body), self._tokens, 0)) if body else ()

    def _parse(self, body: bytes) -> Any:  # Any: foreign JSON
        """Return the JSON; with every pair of its objects when a name on the way may stand there twice."""
        lower = body.lower()
        if self._is_ascii and b"\\u" not in body and all(lower.count(name) <= 1 for name in self._quoted):
            return orjson.loads(body)
        return json.loads(body, object_pairs_hook=_Pairs)


class _Pairs(list[tuple[str, Any]]):  # Any: foreign JSON
    """An object as its pairs, doubled names kept."""


def _pointed(value: Any, tokens: Sequence[str], at: int) -> Iterator[Any]:  # Any: foreign JSON
    """Yield all that a pointer may mean, names without regard to case."""
    if at == len(tokens):
        yield value
    elif isinstance(value, dict | _Pairs):
        for name, item in value.items() if isinstance(value, dict) else value:
            if name.lower() == tokens[at]:
                yield from _pointed(item, tokens, at + 1)
    elif isinstance(value, list) and tokens[at].isascii() and tokens[at].isdecimal():
        index = int(tokens[at])
        if index < len(value):
            yield from _pointed(value[index], tokens, at + 1)


def _texts(values: Iterable[Any]) -> Iterator[str]:  # Any: foreign JSON
    """Yield texts and whole numbers as texts; null is no value, anything else is no id."""
    for value in values:
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise IdUnreadable("this is neither a text nor a number")
        yield str(value)
