"""A SOAP provider made from a WSDL: it takes envelopes, and the JSON that the connector `soap` would take in its place."""

from collections.abc import Iterator
from typing import Any

import orjson
from lxml import etree

from connectors.builtin.mock.facts import Schema
from connectors.builtin.mock.invent import Inventor
from connectors.builtin.mock.question import Questions, members, subject_of
from connectors.builtin.mock.replies import sent
from connectors.builtin.mock.settings import MockSettings
from connectors.builtin.mock.xsd import TooDeep, facets_of, schema_for
from connectors.builtin.soap.envelope import NoEnvelope, Shell, Version, body_of, content_of
from connectors.builtin.soap.fields import Field, Unfit
from connectors.builtin.soap.json_text import dump, read_json
from connectors.builtin.soap.reading import read
from connectors.builtin.soap.wsdl import Description, Operation, Sources, load, schema_of
from connectors.builtin.soap.xml import SafeReader, XMLRefused, local
from connectors.contract import Call, DescribedOperation, Rejected, Result, Unknown

JSON = "application/json"
MEDIA_TYPES = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}


class _Asked:
    """What a call asks of a described service, and whether it did so in XML."""

    def __init__(self, operation: Operation, asked: dict[str, Any], *, is_xml: bool) -> None:
        self.operation = operation
        self.asked = asked
        self.is_xml = is_xml


class SOAPProvider:
    """Reads questions and writes answers by a description. Slow to make: not on the event loop."""

    def __init__(self, settings: MockSettings, questions: Questions) -> None:
        sources = Sources(settings.wsdl, settings.schemas)
        self._description: Description = load(sources, settings.service, settings.port, None)
        self._questions = questions
        self._facets = facets_of(sources)
        self._schemas: dict[tuple[str, bool], Schema] = {}
        version: Version = "1.2" if self._description.version == "1.2" else "1.1"
        self._shell = Shell(version, self._description.prefixes)
        self._media_type = MEDIA_TYPES[version]
        self._read = SafeReader()

    def answer(self, call: Call, name: str, body: bytes, _example: str) -> Result:
        """Answer a call of the operation `name`, or of the one that an envelope asks for."""
        try:
            asked = self._question(call, name, body)
        except (Unfit, XMLRefused) as error:
            return Rejected(reason=f"unfit {error}")
        question = self._questions.about(members(asked.asked), call, body)
        subject = question.subject or subject_of({}, self._questions.register, question.random)
        try:
            schema = self._schema(asked.operation, sparse=question.subject is None)
            value = None
            if schema is not None and subject is not None:
                value = Inventor({}, self._questions.seed, question, subject).make(schema)
            return sent(200, *self._written(asked, value))
        except (ValueError, TypeError, AttributeError, KeyError):
            # A type that has no end, or that its own description contradicts.
            return Unknown(reason="description", rubbish=True)

    def describe(self) -> list[DescribedOperation]:
        """Return the operations that can be called."""
        offered = self._description.operations.values()
        return [
            DescribedOperation(
                name=it.name,
                method="POST",
                path=f"/{it.name}",
                request_schema=schema_of(it.request.type) if it.request else None,
                reply_schema=schema_of(it.reply) if it.reply else None,
            )
            for it in offered
            if not it.problem
        ]

    def _question(self, call: Call, name: str, body: bytes) -> _Asked:
        """Return what a call asks. Raises Unfit, XMLRefused."""
        if body.lstrip()[:1] == b"<" or "xml" in call.message.media_type:
            return self._question_in_xml(body, call.message.media_type)
        operation = self._operation(name)
        given = read_json(body) if body.strip() else {}
        _check_request(operation, given)
        return _Asked(operation, given if isinstance(given, dict) else {}, is_xml=False)

    def _question_in_xml(self, body: bytes, media_type: str) -> _Asked:
        try:
            element = content_of(body_of(self._read(body, media_type)))
        except NoEnvelope:
            raise XMLRefused("no-envelope") from None
        wanted = "" if element is None else local(element.tag)
        for operation in self._description.operations.values():
            if wanted in (operation.name, operation.request.key if operation.request else ""):
                return _Asked(operation, dict(_texts(element)), is_xml=True)
        raise Unfit("operation-unknown")

    def _operation(self, name: str) -> Operation:
        operation = self._description.operations.get(name)
        if operation is None or operation.problem:
            raise Unfit("operation-unknown" if operation is None else "operation-unsupported")
        return operation

    def _schema(self, operation: Operation, *, sparse: bool) -> Schema | None:
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

    def _written(self, question: _Asked, value: Any) -> tuple[bytes, str]:  # Any: JSON
        """Return an answer as the caller wants it, with its media type. Raises Unfit."""
        operation, content = question.operation, list[str]()
        if operation.reply_element is not None:
            given = read_json(orjson.dumps(value))
            _write(operation.reply_element, given, content, is_content=operation.reply_is_content)
        envelope = self._shell.around(content)
        if question.is_xml:
            return envelope, self._media_type
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
