"""Reading XML from strangers: no DTD, no entities, no network, bounded in size and depth; and escaping text for it."""

import codecs
import re
from email.message import Message as MIMEHeader
from typing import Any, cast

from lxml import etree

MAX_DEPTH = 200

_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ENCODINGS = frozenset(
    {"utf-8", "utf-16", "us-ascii", "iso-8859-1", "windows-1252", "windows-1258"}
)  # what is met in the field; libxml2 knows many more, some of them dangerous
_SPECIAL = re.compile('[&<>"\r\n\t\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class XMLRefused(ValueError):
    """This is not XML that we read: `malformed`, `doctype`, `too-deep`, `too-large`, `encoding`."""


def make_parser(encoding: str | None = None) -> etree.XMLParser:
    """Return a parser that reads nothing but what it is given."""
    return etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


class SafeReader:
    """Reads documents, one parser for each encoding. A parser serves one thread at a time: one reader for each."""

    def __init__(self) -> None:
        self._parsers: dict[str | None, etree.XMLParser] = {}

    def __call__(self, document: bytes, media_type: str = "") -> etree._Element:
        """Return the root of a document. Raises XMLRefused."""
        encoding = None if document.startswith(_BOMS) else charset_of(media_type)
        parser = self._parsers.get(encoding)
        if parser is None:
            parser = self._parsers[encoding] = make_parser(encoding)
        try:
            root = etree.fromstring(document, parser)
        except etree.XMLSyntaxError as error:
            raise XMLRefused(_why(error)) from None
        except (ValueError, LookupError):
            raise XMLRefused("malformed") from None
        if cast(Any, root.getroottree().docinfo).doctype:  # the stubs take it for something else
            raise XMLRefused("doctype")
        return root


def charset_of(media_type: str) -> str | None:
    """Return the encoding that a media type names, by its usual name. Raises XMLRefused when it is unusual."""
    if "charset" not in media_type.lower():
        return None
    header = MIMEHeader()
    header["content-type"] = media_type
    named = header.get_content_charset()
    if not named:
        return None
    try:
        name = codecs.lookup(named).name
    except LookupError:
        raise XMLRefused("encoding") from None
    name = {
        "ascii": "us-ascii",
        "iso8859-1": "iso-8859-1",
        "cp1252": "windows-1252",
        "cp1258": "windows-1258",
    }.get(name, name)
    if name not in _ENCODINGS:
        raise XMLRefused("encoding")
    return name


def escape(text: str) -> str:
    """Return a text as it stands in an element or a quoted attribute. Raises ValueError for what XML cannot hold."""
    if _SPECIAL.search(text) is None:
        return text
    if _FORBIDDEN.search(text) is not None:
        raise ValueError("character")
    return (
        text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("\r", "&#13;")
    )


def local(tag: object) -> str:
    """Return an element's name without its namespace."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def namespace(tag: object) -> str:
    """Return an element's namespace, empty without one."""
    return tag[1:].partition("}")[0] if isinstance(tag, str) and tag.startswith("{") else ""


def _why(error: etree.XMLSyntaxError) -> str:
    text = str(error)
    if "Excessive depth" in text:
        return "too-deep"
    if "ncoding" in text:
        return "encoding"
    return "too-large" if "limit" in text else "malformed"
