"""An offer as WSDL 1.1: document/literal wrapped, a port for SOAP 1.1 and one for 1.2."""

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import quoteattr

from gateway.soap.offer import Offer, OfferedOperation
from gateway.soap.schemas import Remark
from gateway.soap.xsd import COMMON, COMMON_SCHEMA, plain, schema

MEDIA_TYPE: Final = "text/xml; charset=utf-8"
SEGMENT: Final = "soap"
"""The first segment of every offer's address."""
_HTTP: Final = "http://schemas.xmlsoap.org/soap/http"
_MOST_REMARKS: Final = 200
WHY: Final = {
    "alternatives": "several forms are possible",
    "choices": "the choices are no texts",
    "further-fields": "further fields are possible; they are left out",
    "loop": "the schema is a list or a name of itself",
    "no-schema": "the version has no schema of it",
    "no-type": "the schema has no type",
    "not-json": "the message is not JSON: the operation is not offered",
    "open-object": "the schema names no fields",
    "parameter": "the parameter is a structure, or a header that is ours: it is left out",
    "reference": "the schema refers to something else than the version's schemas",
    "too-deep": "the schema has too many levels",
    "too-large": "the schemas have too many fields: from here on they are left out",
    "tuple": "the list has places of different types",
}
"""What is left open, and why, in words for who reads the WSDL."""


def render(offer: Offer, *, service: str, title: str, address: str) -> str:
    """Return the WSDL of an offer, which is reached at `address`."""
    name, namespace = quoteattr(service), quoteattr(offer.namespace)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<wsdl:definitions name={name} targetNamespace={namespace} xmlns:t={namespace} xmlns:c="{COMMON}"',
        '  xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:xs="http://www.w3.org/2001/XMLSchema"',
        '  xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/">',
        f"<wsdl:documentation>{plain(title)}{''.join(map(_remark, offer.remarks[:_MOST_REMARKS]))}</wsdl:documentation>",
        "<wsdl:types>",
        COMMON_SCHEMA,
        schema(offer.namespace, offer.types.values(), offer.messages()),
        "</wsdl:types>",
        '<wsdl:message name="Problem"><wsdl:part name="problem" element="c:Problem"/></wsdl:message>',
        '<wsdl:message name="Caller"><wsdl:part name="caller" element="c:Caller"/></wsdl:message>',
    ]
    operations = list(offer.operations.values())
    for operation in operations:
        lines += _messages(operation)
    lines.append(f'<wsdl:portType name="{service}PortType">')
    for operation in operations:
        lines += _signature(operation)
    lines.append("</wsdl:portType>")
    for prefix, suffix in (("soap", "11"), ("soap12", "12")):
        lines += _binding(prefix, f"{service}{suffix}", service, offer)
    lines.append(f"<wsdl:service name={name}>")
    for prefix, suffix in (("soap", "11"), ("soap12", "12")):
        port = f"{service}{suffix}"
        lines.append(
            f'<wsdl:port name="{port}" binding="t:{port}"><{prefix}:address location={quoteattr(address)}/></wsdl:port>'
        )
    return "\n".join([*lines, "</wsdl:service>", "</wsdl:definitions>", ""])


def address_of(issuer: str, service: str, number: str) -> str:
    """Return the public address of an offer; `issuer` is the node's."""
    return f"{issuer.rstrip('/')}/{SEGMENT}/{service}/{number}"


def _remark(remark: Remark) -> str:
    return plain(f"\n{remark.pointer}: {WHY[remark.why]}")


def _messages(operation: OfferedOperation) -> Iterator[str]:
    for message, element in (
        (f"{operation.name}.request", operation.name),
        (f"{operation.name}.response", operation.response_name),
    ):
        part = f'<wsdl:part name="parameters" element="t:{element}"/>'
        yield f'<wsdl:message name="{message}">{part}</wsdl:message>'


def _signature(operation: OfferedOperation) -> Iterator[str]:
    yield f'<wsdl:operation name="{operation.name}">'
    if operation.title:
        yield f"<wsdl:documentation>{plain(operation.title)}</wsdl:documentation>"
    yield f'<wsdl:input message="t:{operation.name}.request"/>'
    yield f'<wsdl:output message="t:{operation.name}.response"/>'
    yield '<wsdl:fault name="Problem" message="t:Problem"/>'
    yield "</wsdl:operation>"


def _binding(prefix: str, name: str, service: str, offer: Offer) -> Iterator[str]:
    yield f'<wsdl:binding name="{name}" type="t:{service}PortType">'
    yield f'<{prefix}:binding style="document" transport="{_HTTP}"/>'
    for operation in offer.operations.values():
        action = quoteattr(f"{offer.namespace}#{operation.name}")
        yield f'<wsdl:operation name="{operation.name}"><{prefix}:operation soapAction={action} style="document"/>'
        yield (
            f'<wsdl:input><{prefix}:header message="t:Caller" part="caller" use="literal"/>'
            f'<{prefix}:body use="literal"/></wsdl:input>'
        )
        yield f'<wsdl:output><{prefix}:body use="literal"/></wsdl:output>'
        yield f'<wsdl:fault name="Problem"><{prefix}:fault name="Problem" use="literal"/></wsdl:fault>'
        yield "</wsdl:operation>"
    yield "</wsdl:binding>"
