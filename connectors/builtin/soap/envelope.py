"""Envelopes: written around a message, opened from an answer; and faults, which are answers too."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lxml import etree

from connectors.builtin.soap.fields import XSI, Anything, Type
from connectors.builtin.soap.reading import read
from connectors.builtin.soap.xml import escape, local

Version = Literal["1.1", "1.2"]

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
NAMESPACES: Mapping[str, str] = {"1.1": SOAP_11, "1.2": SOAP_12}
ANYTHING = Anything()

_CALLER = frozenset({"Client", "Sender", "VersionMismatch", "MustUnderstand", "DataEncodingUnknown"})
_CALLER_STATUS, _PROVIDER_STATUS = 400, 500
_MAX_REASON = 2000


class NoEnvelope(ValueError):
    """XML that is not a SOAP message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault. `code` is its first part without a prefix, `subcode` the rest; `status` is the HTTP status we give it."""

    code: str
    subcode: str
    reason: str
    actor: str
    detail: Any  # Any: JSON
    status: int

    def as_json(self) -> dict[str, Any]:
        """Return the fault as the caller sees it and as success rules read it."""
        shown = {"code": self.code, "subcode": self.subcode, "reason": self.reason, "actor": self.actor}
        return {"fault": {**{name: value for name, value in shown.items() if value}, "detail": self.detail}}


class Shell:
    """The envelope of one operation's requests: all that stays the same around the body's content."""

    def __init__(self, version: Version, prefixes: Mapping[str, str]) -> None:
        declared = {"s": NAMESPACES[version], "xsi": XSI}
        declared |= {prefix: uri for uri, prefix in prefixes.items()}
        names = "".join(f' xmlns:{prefix}="{escape(uri)}"' for prefix, uri in declared.items())
        self._opening = f'<?xml version="1.0" encoding="utf-8"?><s:Envelope{names}>'

    def around(self, content: Iterable[str], header: str = "") -> bytes:
        """Return the whole message."""
        head = f"<s:Header>{header}</s:Header>" if header else ""
        return f"{self._opening}{head}<s:Body>{''.join(content)}</s:Body></s:Envelope>".encode()


def body_of(root: etree._Element) -> etree._Element:
    """Return the body of a message of either version. Raises NoEnvelope."""
    if root.tag not in (f"{{{SOAP_11}}}Envelope", f"{{{SOAP_12}}}Envelope"):
        raise NoEnvelope
    for child in root.iterchildren("*"):
        if local(child.tag) == "Body":
            return child
    raise NoEnvelope


def content_of(body: etree._Element) -> etree._Element | None:
    """Return the first element in a body, None when it is empty."""
    return next(iter(body.iterchildren("*")), None)


def fault_in(element: etree._Element | None, detail: Type = ANYTHING) -> Fault | None:
    """Return the fault that an element is, if it is one. Raises Unfit when it is nested too deeply."""
    if element is None or element.tag not in (f"{{{SOAP_11}}}Fault", f"{{{SOAP_12}}}Fault"):
        return None
    found = {local(child.tag): child for child in element.iterchildren("*")}
    if "faultcode" in found or "Code" not in found:
        # Servers that speak 1.2 with the parts of 1.1, and the other way round, are no rarity.
        code, _, subcode = _name(found.get("faultcode")).partition(".")
        reason, actor = _said(found.get("faultstring")), _said(found.get("faultactor"))
    else:
        code, *deeper = [_name(value) for value in found["Code"].iter() if local(value.tag) == "Value"] or [
            ""
        ]
        subcode = ".".join(deeper)
        texts = (
            [text for text in found["Reason"].iter() if local(text.tag) == "Text"]
            if "Reason" in found
            else []
        )
        reason, actor = _said(texts[0] if texts else None), _said(found.get("Role"))
    inside = found.get("detail", found.get("Detail"))
    status = _CALLER_STATUS if code in _CALLER else _PROVIDER_STATUS
    return Fault(
        code=code,
        subcode=subcode,
        reason=reason,
        actor=actor,
        detail=None if inside is None else read(inside, detail),
        status=status,
    )


def _name(element: etree._Element | None) -> str:
    return _said(element).rpartition(":")[2]


def _said(element: etree._Element | None) -> str:
    return "" if element is None else " ".join("".join(map(str, element.itertext())).split())[:_MAX_REASON]
