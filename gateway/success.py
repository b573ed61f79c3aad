"""Reading a provider's answer: the success rule of a service, compiled. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson
from lxml import etree

from connectors.message import Body, Headers
from gateway.exchange import Reason
from gateway.transforms.minimise.documents import Unreadable, read_xml
from registry.entities import Condition, SuccessRule
from registry.evidence import Outcome

_ABSENT = object()
_CHARSET = re.compile(rb"""charset\s*=\s*"?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)


class _Answer:
    """What a provider answered. `body` None: it is not looked into, being a stream or none at all."""

    __slots__ = ("_json", "_xml", "body", "headers", "is_broken", "status")

    def __init__(self, status: int, headers: Headers, body: bytes | None) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.is_broken = False
        self._json: Any = _ABSENT  # Any: foreign JSON
        self._xml: etree._Element | None = None

    def json(self) -> Any:  # Any: foreign JSON
        """Return the body as JSON; one that is none is noted as broken, and everything in it is absent."""
        if self._json is _ABSENT and not self.is_broken:
            try:
                self._json = orjson.loads(self.body or b"")
            except orjson.JSONDecodeError:
                self.is_broken = True
        return self._json

    def xml(self) -> etree._Element | None:
        """Return the body's root element; None for a body that is no XML, which is noted as broken."""
        if self._xml is None and not self.is_broken:
            charset = _CHARSET.search(dict(self.headers).get(b"content-type", b""))
            try:
                self._xml = read_xml(self.body or b"", charset[1].decode() if charset else "")
            except Unreadable:
                self.is_broken = True
        return self._xml


@lru_cache(maxsize=4096)
def _keys(pointer: str) -> tuple[str, ...]:
    """Return the keys of an RFC 6901 pointer, unescaped."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def pointed(document: Any, pointer: str) -> Any:  # Any: foreign JSON
    """Return what an RFC 6901 pointer points at, or the marker that `is_absent` knows."""
    for key in _keys(pointer):
        if isinstance(document, dict):
            document = document.get(key, _ABSENT)
        elif isinstance(document, list) and key.isascii() and key.isdecimal():
            document = document[int(key)] if int(key) < len(document) else _ABSENT
        else:
            return _ABSENT
        if document is _ABSENT:
            return _ABSENT
    return document


def found_in(root: etree._Element | None, steps: Sequence[str]) -> object:
    """Return the text of the first element, or attribute (`@name`), that a path of local names leads to."""
    if root is None or etree.QName(root).localname != steps[0]:
        return _ABSENT
    return next(_texts(root, steps[1:]), _ABSENT)


def _texts(element: etree._Element, steps: Sequence[str]) -> Iterator[str]:
    if not steps:
        text = "".join(map(str, element.itertext())).strip()
        yield text or (" " if len(element) else "")  # with elements in it, it is not empty
    elif steps[0].startswith("@"):
        yield from (
            str(value)
            for name, value in element.attrib.items()
            if etree.QName(name).localname == steps[0][1:]
        )
    else:
        for child in element:
            if etree.QName(child).localname == steps[0]:
                yield from _texts(child, steps[1:])


def is_absent(value: object) -> bool:
    """Say whether `pointed` found nothing."""
    return value is _ABSENT


def spelled(value: object) -> str:
    """Return a JSON value as text: strings as they are, the rest in its JSON spelling."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


_Test = Callable[[_Answer], bool | None]
"""Says whether a condition holds; None when it cannot be told from this answer."""


def _reader(at: str) -> Callable[[_Answer], object]:
    if at == "status":
        return lambda answer: str(answer.status)
    if at == "body":
        return lambda answer: answer.body
    kind, _, rest = at.partition(":")
    if kind == "header":
        name = rest.lower().encode()
        return lambda answer: dict(answer.headers).get(name, _ABSENT)
    if kind == "xml":
        steps = rest.split("/")[1:]
        return lambda answer: found_in(answer.xml(), steps)
    return lambda answer: pointed(answer.json(), rest)


def _test(condition: Condition) -> _Test:
    read = _reader(condition.at)
    reads_body = _reads_body(condition)
    equals, starts = frozenset(condition.equals), condition.starts_with

    def holds(answer: _Answer) -> bool | None:
        if reads_body and answer.body is None:
            return None
        value = read(answer)
        if answer.is_broken and reads_body and condition.at != "body":
            return None
        absent = value is _ABSENT
        if condition.present is not None and condition.present == absent:
            return False
        if condition.empty is not None and condition.empty != (absent or value in (None, "", b"", [], {})):
            return False
        if not equals and not starts:
            return True
        text = "" if absent else value.decode("latin-1") if isinstance(value, bytes) else spelled(value)
        return not absent and (text in equals or text.startswith(starts or ("\0",)))

    return holds


def _reads_body(condition: Condition) -> bool:
    return condition.at == "body" or condition.at.startswith(("pointer:", "xml:"))


class Judge:
    """A success rule made ready: says how an exchange ended from what the provider answered.

    `reads_body` says that the rule looks into bodies, so that they must not come compressed.
    """

    def __init__(self, rule: SuccessRule) -> None:
        conditions = (*rule.success, *rule.nothing_found, *rule.business_failure)
        self._success = [_test(c) for c in rule.success]
        self._nothing = [_test(c) for c in rule.nothing_found]
        self._failure = [_test(c) for c in rule.business_failure]
        self._plain = not conditions
        self.reads_body = any(_reads_body(c) for c in conditions)

    def judge(self, status: int, headers: Headers, body: Body | None) -> tuple[Outcome, Reason | None]:
        """Return the outcome and, unless it is a success, the reason.

        What is streamed, or has no body by its nature (None), is judged by status and headers alone. An answer of
        2xx that should be JSON, or XML, by the rule and is not is a provider failure.
        """
        if self._plain:
            return _by_status(status)
        return self._by_rule(_Answer(status, headers, body if isinstance(body, bytes) else None))

    def _by_rule(self, answer: _Answer) -> tuple[Outcome, Reason | None]:
        for test in self._nothing:
            if test(answer):
                return Outcome.SUCCESS, None
        for test in self._failure:
            if test(answer):
                return Outcome.BUSINESS_FAILURE, Reason.PROVIDER_SAID_NO
        outcome, reason = _by_status(answer.status)
        if outcome is not Outcome.SUCCESS:
            return outcome, reason
        for test in self._success:
            if test(answer) is False:
                return Outcome.BUSINESS_FAILURE, Reason.PROVIDER_SAID_NO
        return (Outcome.PROVIDER_FAILURE, Reason.PROVIDER_RUBBISH) if answer.is_broken else (outcome, reason)


def _by_status(status: int) -> tuple[Outcome, Reason | None]:
    if 200 <= status < 300:  # noqa: PLR2004  (RFC 9110 status classes)
        return Outcome.SUCCESS, None
    if status in (401, 407):
        return Outcome.PROVIDER_FAILURE, Reason.PROVIDER_CREDENTIALS
    if status == 304:  # noqa: PLR2004  (answer to the caller's own condition)
        return Outcome.SUCCESS, None
    if status < 400:  # noqa: PLR2004
        return Outcome.PROVIDER_FAILURE, Reason.PROVIDER_REDIRECT
    if status < 500:  # noqa: PLR2004
        return Outcome.BUSINESS_FAILURE, Reason.PROVIDER_SAID_NO
    return Outcome.PROVIDER_FAILURE, Reason.PROVIDER_ERROR
