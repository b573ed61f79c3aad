"""SOAP providers: JSON becomes a message by the provider's own description, and its answer becomes JSON.

What a provider answers ends as `Done` also when it is a fault: the caller's fault with 400, the provider's with 500,
both with the fault as JSON and its code in the header `soap-fault`, so that a success rule can read it.
"""

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import orjson
from lxml import etree

from connectors.builtin.soap.attachments import join
from connectors.builtin.soap.envelope import (
    NAMESPACES,
    Fault,
    NoEnvelope,
    Shell,
    Version,
    body_of,
    content_of,
    fault_in,
)
from connectors.builtin.soap.fields import Field, Unfit
from connectors.builtin.soap.json_text import dump, read_json
from connectors.builtin.soap.reading import read
from connectors.builtin.soap.security import Security
from connectors.builtin.soap.settings import SOAPSettings
from connectors.builtin.soap.wire import CHECK_SECONDS, Answer, Poster, TooLarge, whole
from connectors.builtin.soap.wsdl import (
    Description,
    Operation,
    Sources,
    WSDLRefused,
    load,
    namespaces_of,
    schema_of,
)
from connectors.builtin.soap.xml import SafeReader, XMLRefused, escape, local
from connectors.calls import Calls
from connectors.contract import (
    Call,
    Capabilities,
    CheckStep,
    ConnectorContext,
    ConnectorSettings,
    DescribedOperation,
    Done,
    Rejected,
    Result,
    Unknown,
    Unreachable,
)
from connectors.credentials import SECRET, make_credentials
from connectors.errors import ConnectorError
from connectors.message import Headers, Message
from connectors.over_http import result_of

if find_spec("zeep") is None:
    raise ImportError("the extra `soap` is not installed (pip install 'lgsp[soap]')")

LARGE = 64 * 1024
"""Above this many bytes, messages are read and written off the event loop."""
JSON, XML = "application/json", "text/xml; charset=utf-8"
MEDIA_TYPES = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}

_REFUSED = frozenset({401, 407})
_UNAUTHORISED, _BAD_GATEWAY, _SERVER_ERROR = 401, 502, 500
_ACCEPTED = 202


class _Plan:
    """All that is known of one operation before anybody calls it."""

    __slots__ = ("headers", "operation", "shell")

    def __init__(self, operation: Operation, shell: Shell, headers: Headers) -> None:
        self.operation = operation
        self.shell = shell
        self.headers = headers


class SOAPConnector:
    """Carries calls as SOAP messages. Messages are held whole."""

    kind: ClassVar[str] = "soap"
    version: ClassVar[str] = "1"
    capabilities: ClassVar[Capabilities] = Capabilities(streaming=False, idempotence="none")
    Settings: ClassVar[type[ConnectorSettings]] = SOAPSettings

    def __init__(self, settings: SOAPSettings, context: ConnectorContext) -> None:
        self._settings = settings
        self._context = context
        self._calls = Calls()
        self._poster = Poster(
            settings.url,
            context,
            egress=settings.egress,
            connect_seconds=settings.connect_seconds,
            max_reply_bytes=settings.max_reply_bytes,
        )
        self._credentials = make_credentials(
            settings.credentials, settings.headers, self._poster.http, context
        )
        self._security = (
            Security(settings.security, context.secrets, context.clock)
            if settings.security is not None
            else None
        )
        self._read = SafeReader()
        self._description: Description | None = None
        self._plans: dict[str, _Plan] = {}

    async def open(self) -> None:
        """Load the description, off the event loop. Raises ConnectorError."""
        settings = self._settings
        version: Version = settings.version or "1.1"
        if not settings.wsdl:
            self._description = Description(version=version, address="", operations={}, prefixes={})
            return
        try:
            self._description = await asyncio.to_thread(
                lambda: load(
                    Sources(settings.wsdl, settings.schemas),
                    settings.service,
                    settings.port,
                    settings.version,
                )
            )
        except WSDLRefused as error:
            raise ConnectorError(str(error)) from error

    async def call(self, call: Call) -> Result:
        """Carry a call. May raise EgressDenied, SecretUnknown, and what the call's own body stream raises."""
        description = self._description
        if self._calls.closed or description is None:
            return Unreachable(reason="closed" if self._calls.closed else "not-open")
        with self._calls:
            try:
                plan = self._plan(call.operation, description)
                document = await self._write(call, plan)
                answer = await self._poster.post(
                    document, self._outgoing(call, plan), call.deadline, self._credentials
                )
            except (Unfit, XMLRefused, TooLarge) as error:
                return Rejected(reason=_rule(error))
            except ConnectorError as error:
                return result_of(error)
            return await self._take(answer, plan)

    def _plan(self, name: str, description: Description) -> _Plan:
        """Return the plan of an operation. Raises Unfit when it cannot be called."""
        plan = self._plans.get(name)
        if plan is not None:
            return plan
        settings = self._settings
        operation = description.operations.get(settings.operations.get(name, name))
        if operation is None or operation.problem:
            if settings.passthrough == "no":
                raise Unfit("operation-unknown" if operation is None else "operation-unsupported")
            operation = Operation(name=name, action=operation.action if operation else "", request=None)
        action = settings.actions.get(name, operation.action)
        version = description.version
        request = operation.request
        used = namespaces_of(request.type) | {request.tag.partition(":")[0]} if request else set()
        prefixes = {uri: prefix for uri, prefix in description.prefixes.items() if prefix in used}
        media_type = settings.content_type or MEDIA_TYPES[version]
        headers: Headers = [(b"accept", b"text/xml, application/soap+xml, multipart/related")]
        if version == "1.2":
            # In 1.2 the action is a parameter of the media type, and only there when there is one.
            media_type += f'; action="{action}"' if action else ""
        else:
            headers.append((b"soapaction", f'"{action}"'.encode()))
        headers.append((b"content-type", media_type.encode()))
        plan = self._plans[name] = _Plan(operation, Shell(_version(version), prefixes), headers)
        return plan

    def _outgoing(self, call: Call, plan: _Plan) -> Headers:
        if not call.context:
            return plan.headers
        return plan.headers + [
            (name.lower().encode(), value.encode()) for name, value in call.context.items()
        ]

    # --- the request ------------------------------------------------------------------------------------

    async def _write(self, call: Call, plan: _Plan) -> bytes:
        """Return the message to send. Raises Unfit, XMLRefused, TooLarge, SecretUnknown."""
        body = await whole(call.message.body, self._settings.max_request_bytes)
        write = self._write_xml if self._settings.passthrough == "xml" else self._write_json
        if len(body) > LARGE:
            return await asyncio.to_thread(write, body, call, plan, SafeReader())
        return write(body, call, plan, self._read)

    def _write_json(self, body: bytes, call: Call, plan: _Plan, _: SafeReader) -> bytes:
        given = read_json(body) if body.strip() else _from_query(call.query)
        content: list[str] = []
        _render(plan.operation, given, content)
        return self._sealed(plan.shell.around(content, self._header()))

    def _write_xml(self, body: bytes, call: Call, plan: _Plan, read_xml: SafeReader) -> bytes:
        root = read_xml(body, call.message.media_type)
        if local(root.tag) != "Envelope":
            text = etree.tostring(root, encoding="unicode")
            return self._sealed(plan.shell.around([text], self._header()))
        body_of_message(root)
        header = self._header()
        if not header:
            return self._sealed(body)
        _add_header(root, header)
        return self._sealed(etree.tostring(root, encoding="utf-8", xml_declaration=True))

    def _header(self) -> str:
        """Return what stands in every envelope's header. Raises SecretUnknown."""
        authority = self._poster.authority
        made = self._security.header(authority) if self._security is not None else ""
        for header in self._settings.soap_headers:
            prefix, declared = "", ""
            if header.namespace:
                prefix, declared = "h:", f' xmlns:h="{escape(header.namespace)}"'
            values = "".join(
                f"<{prefix}{name}>{escape(self._value(value))}</{prefix}{name}>"
                for name, value in header.values.items()
            )
            made += f"<{prefix}{header.name}{declared}>{values}</{prefix}{header.name}>"
        return made

    def _value(self, value: str) -> str:
        if not value.startswith(SECRET):
            return value
        return self._context.secrets.get(value, host=self._poster.authority)

    def _sealed(self, document: bytes) -> bytes:
        if self._security is not None and self._security.signs:
            return self._security.sign(document, self._poster.authority)
        return document

    # --- the answer -------------------------------------------------------------------------------------

    async def _take(self, answer: Answer, plan: _Plan) -> Result:
        if len(answer.body) > LARGE:
            return await asyncio.to_thread(self._read_answer, answer, plan, SafeReader())
        return self._read_answer(answer, plan, self._read)

    def _read_answer(self, answer: Answer, plan: _Plan, read_xml: SafeReader) -> Result:
        """Return what an answer means. Pure but for the clock; runs on any thread."""
        if answer.status in _REFUSED:
            return _done(_UNAUTHORISED, b"")
        if answer.is_success and not answer.body.strip():
            return self._nothing(answer.status, plan)
        try:
            return self._read_message(answer, plan, read_xml)
        except (XMLRefused, NoEnvelope, Unfit) as error:
            if answer.is_success:
                return Unknown(reason=_rule(error), rubbish=True)
        return answer.busy(self._context.clock.time()) or _failure(answer.status)

    def _read_message(self, answer: Answer, plan: _Plan, read_xml: SafeReader) -> Result:
        """Return what a SOAP message means, whatever its HTTP status. Raises XMLRefused, NoEnvelope, Unfit."""
        body = body_of(self._root(answer, read_xml))
        element = content_of(body)
        fault = fault_in(element)
        if fault is not None:
            return self._fault(fault, answer)
        if element is None:
            return self._nothing(answer.status, plan)
        return self._content(body, element, answer, plan)

    def _root(self, answer: Answer, read_xml: SafeReader) -> etree._Element:
        if answer.media_type.lower().startswith("multipart/"):
            if not self._settings.attachments:
                raise XMLRefused("attachments")
            return join(answer.body, answer.media_type, read_xml)
        return read_xml(answer.body, answer.media_type)

    def _content(self, body: etree._Element, element: etree._Element, answer: Answer, plan: _Plan) -> Result:
        operation = plan.operation
        if self._settings.passthrough == "xml":
            return _done(answer.status, answer.body, answer.media_type or XML)
        if operation.reply is None:
            return _done(answer.status, b"{}")
        if operation.reply_name and local(element.tag) != operation.reply_name:
            raise Unfit("another-message")
        start = body if operation.reply_is_content else element
        value = read(start, operation.reply)
        return _done(answer.status, dump(value, gently=len(answer.body) > LARGE))

    def _nothing(self, status: int, plan: _Plan) -> Result:
        """Return what an empty answer means: nothing was due, nothing was found, or it is none."""
        if self._settings.passthrough == "xml":
            return _done(status, b"", XML)
        if plan.operation.reply is None or status == _ACCEPTED or self._settings.empty_reply == "nothing":
            return _done(status, b"{}")
        return Unknown(reason="empty", rubbish=True)

    def _fault(self, fault: Fault, answer: Answer) -> Result:
        code = fault.code if fault.code.isascii() and fault.code.isprintable() else "?"
        more: Headers = [(b"soap-fault", code[:100].encode())]
        if self._settings.passthrough == "xml":
            return _done(fault.status, answer.body, answer.media_type or XML, more)
        return _done(fault.status, orjson.dumps(fault.as_json()), JSON, more)

    # --- the rest of a connector's life -----------------------------------------------------------------

    async def check(self) -> Sequence[CheckStep]:
        """Test the way there, and that the description can be used."""
        problem = None
        if self._description is None:
            try:
                await self.open()
            except ConnectorError as error:
                problem = str(error)
        return await self._poster.check(problem, self._prove)

    async def _prove(self) -> None:
        """Get the credentials ready. Raises SecretUnknown, CredentialsRefused, and what asking for a token raises."""
        self._header()
        await self._credentials.headers(
            self._poster.authority, self._context.clock.monotonic() + CHECK_SECONDS
        )

    async def describe(self) -> Sequence[DescribedOperation]:
        """Return the operations of the description that can be called."""
        operations = self._description.operations.values() if self._description else ()
        return [
            DescribedOperation(
                name=one.name,
                method="POST",
                path=f"/{one.name}",
                request_schema=schema_of(one.request.type) if one.request else None,
                reply_schema=schema_of(one.reply) if one.reply else None,
            )
            for one in operations
            if not one.problem
        ]

    async def drain(self) -> None:
        """Return when no call is under way."""
        await self._calls.drain()

    async def close(self) -> None:
        """Close what is our own. Idempotent."""
        self._calls.close()
        await self._poster.close()


def body_of_message(root: etree._Element) -> etree._Element:
    """Return the body of a caller's message. Raises XMLRefused."""
    try:
        return body_of(root)
    except NoEnvelope:
        raise XMLRefused("no-envelope") from None


def _render(operation: Operation, given: Any, out: list[str]) -> None:  # Any: JSON
    """Write a request's content. Raises Unfit."""
    request = operation.request
    if request is None:
        if given not in ({}, None):
            raise Unfit("unknown")
        return
    if not operation.request_is_content:
        request.write_one({} if given is None else given, out, 0)
        return
    inner: list[str] = []
    Field(key=request.key, tag="s:Body", type=request.type).write_one(given, inner, 0)
    out += inner[1:-1]  # the body's own tags are the envelope's


def _from_query(query: str) -> dict[str, Any]:
    """Return a query's fields as JSON: a request by GET has no other place for them."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=200):
        before = found.get(name)
        if before is None:
            found[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            found[name] = [before, value]
    return found


def _add_header(root: etree._Element, header: str) -> None:
    """Put our elements into a caller's envelope."""
    soap = etree.QName(root.tag).namespace or ""
    place = root.find(f"{{{soap}}}Header")
    if place is None:
        place = etree.Element(f"{{{soap}}}Header")
        root.insert(0, place)
    for element in SafeReader()(f'<s:Header xmlns:s="{soap}">{header}</s:Header>'.encode()):
        place.append(element)


def _failure(status: int) -> Result:
    """Return what a status means that came without a SOAP message."""
    if 300 <= status < 400:  # noqa: PLR2004 (RFC 9110 status classes)
        return _done(status, b"")
    # An address that is wrong answers 404: that is nobody's "not found", but an endpoint that fails.
    failure = {"fault": {"code": "HTTP", "reason": f"HTTP {status}", "detail": None}}
    return _done(status if status >= _SERVER_ERROR else _BAD_GATEWAY, orjson.dumps(failure))


def _version(text: str) -> Version:
    return "1.2" if text == "1.2" and text in NAMESPACES else "1.1"


def _rule(error: Exception) -> str:
    """Return why a message was not taken: rule and place, never a value."""
    return "too-large" if isinstance(error, TooLarge) else f"unfit {error}"


def _done(status: int, body: bytes, media_type: str = JSON, more: Headers | None = None) -> Done:
    headers: Headers = (
        [(b"content-type", media_type.encode("latin-1", "replace")), *(more or [])] if body else []
    )
    return Done(status=status, reply=Message(body, media_type if body else "", headers))
