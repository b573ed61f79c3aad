"""Reading XML that strangers wrote: no document type, no entities, no network, no inclusion, bounded depth and size."""

import codecs
from typing import Any, Final, Literal

from lxml import etree

from gateway.transforms.contract import Place, Unfit

ByteOrderMark = Literal["refuse", "drop"]

MAX_BYTES: Final = 32 << 20
_BOM: Final = codecs.BOM_UTF8
_ENCODINGS: Final = frozenset({"UTF-8", "UTF8", "US-ASCII", "ASCII", "UTF-16", "UTF-16LE", "UTF-16BE"})
_XINCLUDE: Final = "{http://www.w3.org/2001/XInclude}"


def parse_xml(body: bytes, byte_order_mark: ByteOrderMark = "refuse") -> etree._Element:
    """Return the root of a document. Raises Unfit.

    A byte order mark before UTF-8 says nothing and hides from many programs; it is dropped only where that is
    declared. UTF-16 needs its own.
    """
    if len(body) > MAX_BYTES:
        raise Unfit("too-large", f"The document has more than {MAX_BYTES} bytes.")
    if body.startswith(_BOM):
        if byte_order_mark == "refuse":
            raise Unfit("encoding", "The document begins with a byte order mark.", Place(1, 1))
        body = body[len(_BOM) :]
    try:
        root = etree.fromstring(body, _parser())
    except etree.XMLSyntaxError as error:
        raise _unfit(error) from error
    about: Any = root.getroottree().docinfo  # Any: the stubs lack half of it
    if about.doctype or about.internalDTD is not None:
        raise Unfit("doctype", "The document has a document type declaration.")
    if (about.encoding or "UTF-8").upper() not in _ENCODINGS:
        raise Unfit("encoding", "The document is in another encoding than UTF-8 or UTF-16.")
    return root


def refuse_inclusion(element: etree._Element) -> None:
    """Raise Unfit for an element of XInclude."""
    if str(element.tag).startswith(_XINCLUDE):
        raise Unfit("xinclude", "The document includes another one (XInclude).", place_of(element))


def place_of(element: etree._Element) -> Place:
    """Return where an element begins: only its line is known."""
    known: Any = element  # Any: the stubs do not know the type of its line
    return Place(known.sourceline or 1, 1)


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True,
        remove_pis=True, dtd_validation=False, attribute_defaults=False, strip_cdata=True,
    )  # fmt: skip


def _unfit(error: etree.XMLSyntaxError) -> Unfit:
    told = (error.msg or "").split(", line ")[0]
    place = Place(error.lineno or 1, max(error.offset or 1, 1))
    lowered = told.lower()
    if "depth" in lowered:
        return Unfit("too-deep", "The document has too many levels.", place)
    if "encoding" in lowered:
        return Unfit("encoding", f"The document is not in the encoding that it declares: {told}.", place)
    if "entity" in lowered and "not defined" in lowered:
        return Unfit("malformed", "The document uses an entity that does not exist.", place)
    return Unfit("malformed", f"The document is not XML: {told}.", place)
