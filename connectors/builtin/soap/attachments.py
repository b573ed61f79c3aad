"""Answers with attachments (MTOM): the parts are put back where the message refers to them, as base64."""

from base64 import b64encode
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import unquote

from lxml import etree

from connectors.builtin.soap.xml import SafeReader, XMLRefused

INCLUDE = "{http://www.w3.org/2004/08/xop/include}Include"
MAX_PARTS = 100


def join(document: bytes, media_type: str, read: SafeReader) -> etree._Element:
    """Return the message of a multipart answer, whole. Raises XMLRefused."""
    head = b"content-type: " + media_type.replace("\r", " ").replace("\n", " ").encode("latin-1", "replace")
    whole = BytesParser(policy=HTTP).parsebytes(head + b"\r\n\r\n" + document)
    parts = whole.get_payload()
    if not isinstance(parts, list) or not 0 < len(parts) <= MAX_PARTS:
        raise XMLRefused("malformed")
    start = whole.get_param("start")
    by_id = {_id(part): part for part in parts if isinstance(part, Message)}
    main = by_id.get(start.strip("<>")) if isinstance(start, str) else None
    root = read(_bytes(main or next(iter(by_id.values()))))
    for include in list(root.iter(INCLUDE)):
        part = by_id.get(unquote(include.get("href", "").removeprefix("cid:")))
        holder = include.getparent()
        if part is None or holder is None:
            raise XMLRefused("malformed")
        holder.remove(include)
        holder.text = b64encode(_bytes(part)).decode()
    return root


def _id(part: Message) -> str:
    return str(part.get("content-id", "")).strip().strip("<>")


def _bytes(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        raise XMLRefused("malformed")
    return payload
