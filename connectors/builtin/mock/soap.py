"""A SOAP provider made from a WSDL: it takes envelopes, and the JSON that the connector `soap` would take in its place."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from lxml import etree

from connectors.builtin.mock.facts import Schema
from connectors.builtin.mock.xsd import TooDeep, facets_of, schema_for
from connectors.builtin.soap.envelope import NoEnvelope, Shell, Version, body_of, content_of
from connectors.builtin.soap.fields import Field, Unfit
from connectors.builtin.soap.json_text import dump, read_json
from connectors.builtin.soap.reading import read
from connectors.builtin.soap.wsdl import Description, Operation, Sources, load
from connectors.builtin.soap.xml import SafeReader, XMLRefused, local
from connectors.contract import Call

JSON = "application/json"
MEDIA_TYPES = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}


class SOAPQuestion:
    """What a call asks of a described service."""

    def __init__(self, operation: Operation, asked: dict[str, Any], *, is_xml: bool) -> None:
        self.operation = operation
        self.asked = asked
        self.is_xml = is_xml


class SOAPProvider:
    """Reads questions and writes answers by a description. Slow to make: not on the event loop."""

    def __init__(self, wsdl: str, schemas: Mapping[str, str], service: str | None, port: str | None) -> None:
        sources = Sources(wsdl, schemas)
        self.description: Description = load(sources, service, port, None)
        self._facets = facets_of(sources)
        self._schemas: dict[tuple[str, bool], Schema] = {}
        version: Version = "1.2" if self.description.version == "1.2" else "1.1"
        self._shell = Shell(version, self.description.prefixes)
        self._read = SafeReader()

    def question(self, call: Call, name: str, body: bytes) -> SOAPQuestion:
        """Return what a call asks. Raises Unfit, XMLRefused."""
        if body.lstrip()[:1] == b"<" or "xml" in call.message.media_type:
            return self._question_in_xml(body, call.message.media_type)
        operation = self._operation(name)
        given = read_json(body) if body.strip() else {}
        _check_request(operation, given)
        return SOAPQuestion(operation, given if isinstance(given, dict) else {}, is_xml=False)

    def _question_in_xml(self, body: bytes, media_type: str) -> SOAPQuestion:
        try:
            element = content_of(body_of(self._read(body, media_type)))
        except NoEnvelope:
            raise XMLRefused("no-envelope") from None
        wanted = "" if element is None else local(element.tag)
        for operation in self.description.operations.values():
            if wanted in (operation.name, operation.request.key if operation.request else ""):
                return SOAPQuestion(operation, dict(_texts(element)), is_xml=True)
        raise Unfit("operation-unknown")

    def _operation(self, name: str) -> Operation:
        operation = self.description.operations.get(name)
        if operation is None or operation.problem:
            raise Unfit("operation-unknown" if operation is None else "operation-unsupported")
        return operation

    def schema(self, operation: Operation, *, sparse: bool) -> Schema | None:
        """Return what the answer is invented by, None when there is none. Raises ValueError."""
        if operation.reply_element is None:
            return None
        key = (operation.name, sparse)
        made = self._schemas.get(key)
        if made is None:
            try:
                made = schema_for(operation.reply_element, self._facets, sparse=sparse)
            except TooDeep:
                if sparse:
                    raise
                made = schema_for(operation.reply_element, self._facets, sparse=True)
            self._schemas[key] = made
        return made

    def answer(self, question: SOAPQuestion, value: Any) -> tuple[bytes, str]:  # Any: JSON
        """Return an answer as the caller wants it, with its media type. Raises Unfit."""
        operation, content = question.operation, list[str]()
        if operation.reply_element is not None:
            given = read_json(orjson.dumps(value))
            _write(operation.reply_element, given, content, is_content=operation.reply_is_content)
        envelope = self._shell.around(content)
        if question.is_xml:
            return envelope, MEDIA_TYPES[self.description.version]
        body = body_of(self._read(envelope, ""))
        element = body if operation.reply_is_content else content_of(body)
        if element is None or operation.reply is None:
            return b"{}", JSON
        return dump(read(element, operation.reply), gently=False), JSON


def _write(element: Field, value: Any, out: list[str], *, is_content: bool) -> None:  # Any: JSON
    """Write a message's content, checked against its types. Raises Unfit."""
    if not is_content:
        element.write_one(value, out, 0)
        return
    inner: list[str] = []
    Field(key=element.key, tag="s:Body", type=element.type).write_one(value, inner, 0)
    out += inner[1:-1]  # the body's own tags are the envelope's


def _check_request(operation: Operation, given: Any) -> None:  # Any: JSON
    """Refuse what the provider's description does not take. Raises Unfit."""
    if operation.request is not None:
        _write(operation.request, given, [], is_content=operation.request_is_content)
    elif given not in ({}, None):
        raise Unfit("unknown")


def _texts(element: etree._Element | None) -> Iterator[tuple[str, str]]:
    """Return all texts in an element, by the names of their elements."""
    for one in () if element is None else element.iter("*"):
        if not len(one) and one.text:
            yield local(one.tag), one.text
