"""Reading foreign JSON and XML so that nothing in it is misread, fetched, expanded or endless. Pure.

What can be read in two ways, or only by guessing, is not read at all.
"""

import codecs
import json
import math
import re
from typing import Any, Final

import orjson
from lxml import etree

MAX_DEPTH: Final = 200
LARGE_BYTES: Final = 100_000
"""From here on documents are read in a guest process."""
_EXACT_DIGITS = 18
_BOM = codecs.BOM_UTF8


class Unreadable(Exception):
    """The document cannot be read safely.

    `code`: `form` (neither JSON nor XML), `json`, `xml` (broken), `encoding`, `doctype`, `duplicate-name` (twice in
    one object), `number` (no finite one), `depth`.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Number:
    """A number as it was written, where a computer's own form would change it (`1.10`, 30 digits)."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


# --- JSON -----------------------------------------------------------------------------------------------


def read_json(body: bytes) -> Any:  # Any: foreign JSON
    """Return the document, its numbers exact. Raises Unreadable."""
    body = body.removeprefix(_BOM)
    document, is_exact = _loaded(body)
    return document if is_exact else _read_carefully(body)


def load_json(body: bytes) -> tuple[Any, bool]:  # Any: foreign JSON
    """Return the document with numbers in a computer's form, and whether they are those that were written.

    Raises Unreadable, for a name that stands twice in one object too.
    """
    body = body.removeprefix(_BOM)
    document, is_exact = _loaded(body)
    if not is_exact:
        _read_carefully(body)
    return document, is_exact


def _loaded(body: bytes) -> tuple[Any, bool]:  # Any: foreign JSON
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unreadable("json") from None
    # Most providers write JSON as we would: then nothing can have been lost.
    is_flat = body.count(b"{") + body.count(b"[") <= MAX_DEPTH
    return document, (is_flat and orjson.dumps(document) == body) or _is_plain(document, body)


def write_json(document: object) -> bytes:
    """Return a document that `read_json` gave, or a part of it, in UTF-8. Raises Unreadable."""
    try:
        return orjson.dumps(document, default=_written)
    except orjson.JSONEncodeError:
        raise Unreadable("encoding") from None


def _written(value: object) -> object:
    if isinstance(value, Number):
        return orjson.Fragment(value.text)
    raise TypeError


def _is_plain(document: object, body: bytes) -> bool:
    """Say whether the fast reading lost nothing: no doubled name, no number in a computer's form."""
    names = _names_in(document)
    if names is None:
        return False
    if names == body.count(b":"):
        return True
    # Colons inside texts. After a name stands `":`; where blanks may stand between, only the other reader can tell.
    loose = any(mark in body for mark in (b'" :', b'"\t:', b'"\n:', b'"\r:'))
    return not loose and names == body.count(b'":')


def _names_in(document: object) -> int | None:
    """Count the names of all objects; None when there are numbers that may have changed. Raises Unreadable."""
    if type(document) is float:
        return None
    names = 0
    level: list[Any] = [document] if type(document) in (dict, list) else []  # Any: foreign JSON
    for _ in range(MAX_DEPTH):
        below: list[Any] = []  # Any: foreign JSON
        for value in level:
            names += len(value) if type(value) is dict else 0
            for item in value.values() if type(value) is dict else value:
                kind = type(item)
                if kind is dict or kind is list:
                    below.append(item)
                elif kind is float:
                    return None
        if not below:
            return names
        level = below
    raise Unreadable("depth")


def _read_carefully(body: bytes) -> Any:  # Any: foreign JSON
    try:
        document = exact_decoder().decode(body.decode())
    except RecursionError:
        raise Unreadable("depth") from None
    _names_in(document)
    return document


def exact_decoder() -> json.JSONDecoder:
    """Return a decoder that keeps numbers exact. It raises Unreadable besides ValueError."""
    return json.JSONDecoder(
        object_pairs_hook=_object, parse_int=_whole, parse_float=_fraction, parse_constant=_constant
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: foreign JSON
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("duplicate-name")
    return found


def _whole(text: str) -> int | Number:
    return int(text) if len(text) <= _EXACT_DIGITS else Number(text)


def _fraction(text: str) -> Number:
    if math.isinf(float(text)):
        raise Unreadable("number")
    return Number(text)


def _constant(text: str) -> None:
    raise Unreadable("json")


# --- XML ------------------------------------------------------------------------------------------------

_DECLARED = re.compile(rb"""<\?xml[^>]{1,100}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_BEFORE_ROOT = re.compile(rb"(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_ENCODINGS = frozenset(
    ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "iso8859-1"]
    + [f"iso8859-{number}" for number in range(2, 17)]
    + [f"cp{number}" for number in range(1250, 1259)]
)
"""Python's names of the encodings in use; each reads the marks of XML as XML does."""


def read_xml(body: bytes, charset: str = "") -> etree._Element:
    """Return the root element. `charset` is what the headers say, which goes before what the document says.

    Comments and processing instructions are left out. Raises Unreadable; a DOCTYPE is refused before it is read.
    """
    body = _in_utf_8(body, charset)
    start = _BEFORE_ROOT.match(body)
    if start is not None and body.startswith(b"<!", start.end()):
        raise Unreadable("doctype")
    try:
        root = etree.fromstring(body, _parser())
    except etree.XMLSyntaxError:
        raise Unreadable("xml") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("doctype")
    return root


def _parser() -> etree.XMLParser:
    # A new one each time: one that is shared makes its threads wait for each other.
    return etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        attribute_defaults=False, huge_tree=False, recover=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip


def _in_utf_8(body: bytes, charset: str) -> bytes:
    """Return the document in UTF-8, read strictly by what a mark, the headers or the document itself say."""
    encoding = _encoding(body, charset)
    try:
        if encoding == "utf-8":
            body.decode()
            return body.removeprefix(_BOM)
        return body.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeError:
        raise Unreadable("encoding") from None


def _encoding(body: bytes, charset: str) -> str:
    if body.startswith(_BOM):
        return "utf-8"
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    declared = _DECLARED.match(body)
    try:
        encoding = codecs.lookup(charset or (declared[1].decode() if declared else "utf-8")).name
    except LookupError:
        encoding = ""
    if encoding not in _ENCODINGS:
        raise Unreadable("encoding")
    return encoding
