"""Opening a caller's envelope: safely, strictly, bounded; and what its header says beside HTTP."""

from dataclasses import dataclass
from typing import Final, Literal

from lxml import etree

from connectors.builtin.soap.envelope import SOAP_11, SOAP_12, Version
from connectors.builtin.soap.xml import XMLRefused, charset_of, local, namespace
from connectors.message import Headers
from gateway.exchange import Reason, Refusal
from gateway.soap.xsd import COMMON
from gateway.transforms.contract import Unfit as Unreadable
from gateway.transforms.safe_xml import parse_xml

FaultCode = Literal["Client", "Server", "MustUnderstand", "VersionMismatch"]

_VERSIONS: Final[dict[str, Version]] = {SOAP_11: "1.1", SOAP_12: "1.2"}
_MEDIA_TYPES: Final = frozenset({"text/xml", "application/xml", "application/soap+xml", ""})
_CHARSETS: Final = frozenset({None, "utf-8", "utf-16", "us-ascii"})
_XINCLUDE: Final = "{http://www.w3.org/2001/XInclude}*"
_CALLER: Final = f"{{{COMMON}}}Caller"
_NEXT_11: Final = "http://schemas.xmlsoap.org/soap/actor/next"
_ROLE_12: Final = f"{SOAP_12}/role/"
_TRUE: Final = ("1", "true")
_HEADERS: Final = {
    "Token": b"authorization",
    "Purpose": b"lgsp-purpose",
    "Procedure": b"lgsp-procedure",
    "Officer": b"lgsp-officer",
    "System": b"lgsp-system",
    "CorrelationId": b"lgsp-correlation-id",
    "IdempotencyKey": b"idempotency-key",
}
"""What a `Caller` block holds, and the HTTP header that says the same."""


class EnvelopeRefused(Refusal):
    """This is no envelope that we take. `block` is the name of a header block that we do not understand."""

    def __init__(self, why: str, fault: FaultCode = "Client", block: str = "") -> None:
        super().__init__(Reason.ENVELOPE_UNREADABLE, why=why)
        self.fault: FaultCode = fault
        self.block = block


@dataclass(slots=True, kw_only=True)
class Envelope:
    """A caller's envelope. `content` is the one element in its body; `refused` why the rest must not be looked at."""

    version: Version
    caller: Headers
    content: etree._Element | None = None
    refused: Refusal | None = None


def version_of(media_type: str) -> Version:
    """Return the version of SOAP that a media type stands for, before an envelope says it."""
    return "1.2" if media_type.lower().startswith("application/soap+xml") else "1.1"


def check_media_type(media_type: str) -> None:
    """Refuse what is not XML by its own word. Raises EnvelopeRefused."""
    plain = media_type.partition(";")[0].strip().lower()
    if plain.startswith("multipart/"):
        raise EnvelopeRefused("attachments")
    if plain not in _MEDIA_TYPES:
        raise EnvelopeRefused("media-type")
    try:
        charset = charset_of(media_type)
    except XMLRefused:
        raise EnvelopeRefused("encoding") from None
    if charset not in _CHARSETS:
        raise EnvelopeRefused("encoding")


def open_envelope(message: bytes) -> Envelope:
    """Return what an envelope holds. Raises Refusal when not even its header can be read."""
    root = _root(message)
    version = _VERSIONS.get(namespace(root.tag))
    if local(root.tag) != "Envelope":
        raise EnvelopeRefused("no-envelope")
    if version is None:
        raise EnvelopeRefused("version", "VersionMismatch")
    parts = {local(child.tag): child for child in root.iterchildren(f"{{{namespace(root.tag)}}}*")}
    header = parts.get("Header")
    opened = Envelope(version=version, caller=[])
    if header is not None:
        opened.caller = _caller(header)
    try:
        _check_understood(header, version)
        opened.content = _content(parts.get("Body"))
    except Refusal as refusal:
        opened.refused = refusal
    return opened


def _root(message: bytes) -> etree._Element:
    if not message:
        raise EnvelopeRefused("empty")
    try:
        root = parse_xml(message)
    except Unreadable as unfit:
        where = f" {unfit.place.line}:{unfit.place.column}" if unfit.place else ""
        raise EnvelopeRefused(f"{unfit.code}{where}") from unfit
    if next(root.iter(_XINCLUDE), None) is not None:
        raise EnvelopeRefused("xinclude")
    return root


def _content(body: etree._Element | None) -> etree._Element:
    if body is None:
        raise EnvelopeRefused("no-body")
    content = list(body.iterchildren("*"))
    if len(content) != 1:
        raise EnvelopeRefused("body-elements")
    return content[0]


def _check_understood(header: etree._Element | None, version: Version) -> None:
    """Refuse a block that we must understand and do not. Raises EnvelopeRefused."""
    ours = SOAP_11 if version == "1.1" else SOAP_12
    for block in header.iterchildren("*") if header is not None else ():
        wanted = block.get(f"{{{ours}}}mustUnderstand", "").strip()
        if wanted in _TRUE and block.tag != _CALLER and _is_for_us(block, version):
            name = str(block.tag)[:150]
            raise EnvelopeRefused(f"must-understand {local(name)}", "MustUnderstand", name)


def _is_for_us(block: etree._Element, version: Version) -> bool:
    if version == "1.1":
        return block.get(f"{{{SOAP_11}}}actor", "").strip() in ("", _NEXT_11)
    role = block.get(f"{{{SOAP_12}}}role", "").strip()
    return role in ("", f"{_ROLE_12}next", f"{_ROLE_12}ultimateReceiver")


def _caller(header: etree._Element) -> Headers:
    """Return what the header says of the caller, as HTTP headers. Raises Refusal."""
    said: Headers = []
    for block in header.iterchildren(_CALLER):
        for child in block.iterchildren("*"):
            name = _HEADERS.get(local(child.tag)) if namespace(child.tag) == COMMON else None
            text = (child.text or "").strip()
            if name is None or len(child):
                raise EnvelopeRefused("caller")
            if text:
                said.append((name, _value(name, text)))
    return said


def _value(name: bytes, text: str) -> bytes:
    if name == b"authorization":
        if not text.isascii() or not text.isprintable():
            raise Refusal(Reason.TOKEN_MALFORMED)
        return f"Bearer {text.removeprefix('Bearer ')}".encode()
    if not text.isascii() or not text.isprintable():
        raise Refusal(Reason.HEADER_INVALID, header=name.decode())
    return text.encode()


def joined(headers: Headers, said: Headers) -> Headers:
    """Return HTTP's headers with those of the envelope. Raises Refusal for two that disagree."""
    made = list(headers)
    for name, value in said:
        given = [held for known, held in made if known == name]
        if not given:
            made.append((name, value))
        elif given != [value]:
            token = name == b"authorization"
            raise (
                Refusal(Reason.TOKEN_MALFORMED)
                if token
                else Refusal(Reason.HEADER_INVALID, header=name.decode())
            )
    return made
