"""Scopes: the field rules of a grant, compiled for each of its purposes."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import orjson

from gateway.transforms.contract import NOT_READ
from gateway.transforms.minimise.documents import Unreadable
from gateway.transforms.minimise.json import limit_json
from gateway.transforms.minimise.trees import Rule, json_tree, xml_tree
from gateway.transforms.minimise.xml import limit_xml
from registry.entities import FieldRule
from registry.field_paths import FieldPath, read_path, write_path

ANY_PURPOSE: Final = "*"
_DIGEST_DIGITS = 16
_CHARSET = re.compile(r"""charset\s*=\s*"?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_START_BYTES = 1024
_XML_MARKS = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe", b"\xfe\xff")
_JSON_MARKS = (b"{", b"[", b"\xef\xbb\xbf")


class Scope:
    """What one grant releases of one version's answers for one purpose.

    `name` goes into the evidence: the purpose whose rules these are, and a digest of all that is `said`.
    """

    __slots__ = ("_json", "_xml", "keeps_all", "name", "said")

    def __init__(
        self, key: str, rules: Sequence[Rule], envelope: Sequence[FieldPath], namespaces: Mapping[str, str]
    ) -> None:
        self._json = json_tree(rules, envelope)
        self._xml = xml_tree(rules, envelope, namespaces)
        self.keeps_all = self._json.whole
        self.said: dict[str, Any] = {
            "envelope": sorted(write_path(path) for path in envelope),
            "namespaces": dict(sorted(namespaces.items())),
            "rules": sorted([write_path(p), r.action, r.keep_last or 0, r.to or ""] for p, r in rules),
        }
        self.name = f"{key}#{sha256(orjson.dumps(self.said)).hexdigest()[:_DIGEST_DIGITS]}"

    def limit(self, body: bytes, media_type: str, document: object = NOT_READ) -> tuple[bytes, str]:
        """Return the answer with what is released of it, and its media type. Raises Unreadable.

        What it is, JSON or XML, is told from the answer itself: a label is easily wrong. `document` is the JSON in it,
        where somebody has read that without loss.
        """
        start = body[:_START_BYTES].lstrip(b" \t\r\n")
        if not start and not body.strip():
            return b"", media_type
        if start.startswith(_XML_MARKS):
            charset = _CHARSET.search(media_type)
            return limit_xml(body, charset[1] if charset else "", self._xml), in_utf_8(media_type)
        if not start.startswith(_JSON_MARKS) and "json" not in media_type.lower():
            raise Unreadable("form")
        return limit_json(body, self._json, document), in_utf_8(media_type)


class Scopes:
    """The scopes of a grant. A purpose without rules of its own has those of `*`, or else releases nothing."""

    __slots__ = ("_made", "_namespaces", "_rules")

    def __init__(self, fields: Mapping[str, Sequence[FieldRule]], namespaces: Mapping[str, str]) -> None:
        self._rules = {
            purpose: tuple((read_path(rule.path), rule) for rule in rules)
            for purpose, rules in fields.items()
        }
        self._namespaces = namespaces
        # One for each purpose and each envelope of the service's versions, made when first asked for.
        self._made: dict[tuple[str, tuple[str, ...]], Scope] = {}

    def scope(self, purpose: str, envelope: tuple[str, ...] = ()) -> Scope:
        """Return what is released for a purpose, of answers whose envelope has these fields."""
        key = purpose if purpose in self._rules else ANY_PURPOSE
        found = self._made.get((key, envelope))
        if found is None:
            paths = tuple(read_path(path) for path in envelope)
            found = Scope(key, self._rules.get(key, ()), paths, self._namespaces)
            self._made[key, envelope] = found
        return found


def in_utf_8(media_type: str) -> str:
    """Return the media type of an answer that is now in UTF-8."""
    return _CHARSET.sub("charset=utf-8", media_type).replace('charset=utf-8"', "charset=utf-8")
