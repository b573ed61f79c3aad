"""Descriptions of services: checked when they are registered, loaded by zeep when an endpoint opens.

Nothing is ever fetched: what a description imports has to be given with it. zeep is imported only when the first
description is loaded, so that a node without SOAP providers does not pay for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

from lxml import etree

from connectors.builtin.soap.fields import Anything, Complex, Field, Simple, Type
from connectors.builtin.soap.xml import SafeReader, XMLRefused, local, namespace

MAX_BYTES = 8 * 1024 * 1024
MAX_ELEMENTS = 200_000
MAX_SCHEMA_NODES = 1000
WSDL = "http://schemas.xmlsoap.org/wsdl/"
WSDL_2 = "http://www.w3.org/ns/wsdl"
XSD = "http://www.w3.org/2001/XMLSchema"
SOAP_BINDINGS = {
    "http://schemas.xmlsoap.org/wsdl/soap/": "1.1",
    "http://schemas.xmlsoap.org/wsdl/soap12/": "1.2",
}
KNOWN_ELSEWHERE = frozenset(
    {XSD, WSDL, "http://www.w3.org/XML/1998/namespace", "http://schemas.xmlsoap.org/soap/encoding/"}
    | {"http://schemas.xmlsoap.org/soap/envelope/", *SOAP_BINDINGS}
)
"""Namespaces whose schemas everybody means and nobody has to give."""


class WSDLRefused(ValueError):
    """A description that cannot be taken; the text says why, and names what is missing."""


@dataclass(slots=True, kw_only=True)
class Operation:
    """One operation: how its messages look."""

    name: str
    action: str
    request: Field | None
    """None: the body stays empty."""
    request_is_content: bool = False
    """Several parts stand directly in the body."""
    reply_is_content: bool = False
    reply: Type | None = None
    """None: nothing is answered."""
    reply_element: Field | None = None
    """The same as an element: what a provider writes."""
    reply_name: str = ""
    """The element that is answered; empty where no name is prescribed."""
    problem: str = ""
    """Why it cannot be called."""


@dataclass(slots=True, kw_only=True)
class Description:
    """What a port offers, ready for calls."""

    version: str
    address: str
    operations: dict[str, Operation]
    prefixes: dict[str, str]


class Sources:
    """A description and its schemas, each safe to read, every import leading to one of them."""

    def __init__(self, wsdl: str, schemas: Mapping[str, str]) -> None:
        if len(wsdl) + sum(map(len, schemas.values())) > MAX_BYTES:
            raise WSDLRefused(f"the description is larger than {MAX_BYTES} characters")
        read = SafeReader()
        self.root = _parse(read, wsdl, "the description")
        self._by_location = {location: f"/{number}" for number, location in enumerate(schemas)}
        self.documents = {
            self._by_location[location]: _parse(read, text, location[:200])
            for location, text in schemas.items()
        }
        if namespace(self.root.tag) == WSDL_2:
            raise WSDLRefused("this is WSDL 2.0; WSDL 1.1 is needed")
        if self.root.tag != f"{{{WSDL}}}definitions":
            raise WSDLRefused("this is no WSDL 1.1: its root is not wsdl:definitions")
        if sum(1 for document in self.all() for _ in document.iter()) > MAX_ELEMENTS:
            raise WSDLRefused(f"the description has more than {MAX_ELEMENTS} elements")
        for document in self.all():
            self._settle_imports(document)

    def all(self) -> Iterator[etree._Element]:
        """Return every document, the description first."""
        yield self.root
        yield from self.documents.values()

    def offered(self) -> set[str]:
        """Return the names of the operations in all bindings."""
        return {
            operation.get("name", "")
            for document in self.all()
            for operation in document.iterfind(f"{{{WSDL}}}binding/{{{WSDL}}}operation")
        }

    def encoded(self) -> set[str]:
        """Return the operations whose messages are `encoded`, which nobody should offer any more."""
        return {
            operation.get("name", "")
            for document in self.all()
            for operation in document.iterfind(f"{{{WSDL}}}binding/{{{WSDL}}}operation")
            if any(part.get("use") == "encoded" for part in operation.iter() if local(part.tag) == "body")
        }

    def load(self, location: str) -> bytes:
        """Return a document that zeep asks for. Raises WSDLRefused for anything that was not given."""
        document = self.documents.get(location)
        if document is not None:
            return etree.tostring(document)
        if location in KNOWN_ELSEWHERE:
            return f'<schema xmlns="{XSD}" targetNamespace="{location}"/>'.encode()
        raise WSDLRefused(f"nothing is fetched: {location[:200]!r}")

    def _settle_imports(self, document: etree._Element) -> None:
        """Make every import lead to a given document. Raises WSDLRefused."""
        for element in document.iter(
            f"{{{XSD}}}import", f"{{{XSD}}}include", f"{{{XSD}}}redefine", f"{{{WSDL}}}import"
        ):
            if local(element.tag) == "redefine":
                raise WSDLRefused("xsd:redefine is not supported")
            attribute = "location" if element.tag == f"{{{WSDL}}}import" else "schemaLocation"
            location = element.get(attribute)
            if location is None:
                continue
            given = self._given(location)
            if given is not None:
                element.set(attribute, given)
            elif element.get("namespace") in KNOWN_ELSEWHERE:
                del element.attrib[attribute]
            else:
                raise WSDLRefused(
                    f"the description imports {location[:200]!r}, which is not among its schemas (nothing is fetched)"
                )

    def _given(self, location: str) -> str | None:
        """Return the given document that a location means: by the whole of it, or by its last part when only one fits."""
        if location in self._by_location:
            return self._by_location[location]
        last = location.replace("\\", "/").rpartition("/")[2]
        fitting = [path for known, path in self._by_location.items() if known.rpartition("/")[2] == last]
        return fitting[0] if last and len(fitting) == 1 else None


def load(sources: Sources, service: str | None, port: str | None, version: str | None) -> Description:
    """Return what a port offers. Slow for large descriptions: not for the event loop. Raises WSDLRefused."""
    from zeep.settings import Settings  # noqa: PLC0415 (see the module's docstring)
    from zeep.wsdl import Document  # noqa: PLC0415

    from connectors.builtin.soap.compile import Compiler  # noqa: PLC0415

    settings = Settings(
        strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=True, xml_huge_tree=False
    )
    try:
        document = Document(BytesIO(etree.tostring(sources.root)), cast(Any, sources), settings=settings)
        chosen = _choose(document, service, port, version)
        compiler = Compiler(document.types.types)
        encoded = sources.encoded()
        operations = {
            name: _operation(compiler, one, is_encoded=name in encoded)
            for name, one in chosen.binding.all().items()
        }
    except WSDLRefused:
        raise
    except RecursionError:
        raise WSDLRefused("the description is nested too deeply") from None
    except Exception as error:  # zeep raises whatever its reading trips over
        raise WSDLRefused(f"the description cannot be read: {type(error).__name__}: {error}"[:300]) from error
    address = str(chosen.binding_options.get("address") or "")
    return Description(
        version=_version_of(chosen.binding) or "1.1",
        address=address,
        operations=operations,
        prefixes=compiler.prefixes,
    )


def _choose(
    document: Any, service: str | None, port: str | None, version: str | None
) -> Any:  # Any: zeep is not typed
    """Return the port that was asked for, or the first one that speaks SOAP."""
    ports = [
        one
        for name, holder in document.services.items()
        if service in (None, name)
        for label, one in holder.ports.items()
        if port in (None, label) and _version_of(one.binding) and version in (None, _version_of(one.binding))
    ]
    if not ports:
        raise WSDLRefused("the description has no SOAP port of this service, name and version")
    return ports[0]


def _version_of(binding: Any) -> str | None:  # Any: zeep is not typed
    return {"Soap11Binding": "1.1", "Soap12Binding": "1.2"}.get(type(binding).__name__)


def _operation(compiler: Any, declared: Any, *, is_encoded: bool) -> Operation:  # Any: zeep is not typed
    made = Operation(name=declared.name, action=declared.soapaction or "", request=None)
    if is_encoded:
        made.problem = "its messages are rpc/encoded"
        return made
    try:
        _messages(compiler, declared, made)
    except ValueError as error:
        made.problem = str(error)[:200]
    return made


def _messages(compiler: Any, declared: Any, made: Operation) -> None:
    asked, answered = declared.input, declared.output
    if asked is not None and asked.body is not None:
        made.request = compiler.element(asked.body)
        made.request_is_content = asked._is_body_wrapped  # noqa: SLF001 (zeep shows it nowhere else)
    if answered is not None:
        made.reply = Anything()
        if getattr(answered, "body", None) is not None:
            made.reply = compiler.type(answered.body.type)
            made.reply_element = compiler.element(answered.body)
            if declared.style == "rpc":  # zeep names it after the message; WS-I BP 1.1, 4.7.19
                prefix = made.reply_element.tag.rpartition(":")[0]
                made.reply_element.tag = f"{prefix}:{made.name}Response" if prefix else f"{made.name}Response"
            made.reply_is_content = answered._is_body_wrapped  # noqa: SLF001
            if declared.style != "rpc" and not made.reply_is_content:
                made.reply_name = answered.body.name


def namespaces_of(start: Type | None) -> set[str]:
    """Return the prefixes that stand in what is written of a type."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, Complex) or id(one) in seen:
            continue
        seen.add(id(one))
        names = [one.name, *(name for name, _, _ in one.attributes.values())]
        for of, *_ in one.readers.values():
            names.append(of.tag)
            waiting.append(of.type)
        waiting += one.derived.values()
        found |= {name.partition(":")[0] for name in names if ":" in name}
    return found


def schema_of(start: Type | None) -> dict[str, Any]:
    """Return a JSON Schema of how a type looks in JSON; what lies very deep, or in itself, is left open."""
    return _schema(start, (), [MAX_SCHEMA_NODES])


def _schema(start: Type | None, above: tuple[int, ...], left: list[int]) -> dict[str, Any]:
    if isinstance(start, Simple):
        return _simple_schema(start)
    left[0] -= 1
    if not isinstance(start, Complex) or id(start) in above or left[0] < 0:
        return {}
    above = (*above, id(start))
    properties = {key: _simple_schema(kind) for key, (_, kind, _) in start.attributes.items()}
    if start.text is not None:
        properties["#text"] = _simple_schema(start.text)
    for of, group, _, _ in start.readers.values():
        inner = _schema(of.type, above, left)
        inner = {"type": "array", "items": inner} if of.repeated else inner
        if group is None:
            properties[of.key] = inner
        else:
            items = properties.setdefault(
                group.key, {"type": "array", "items": {"type": "object", "properties": {}}}
            )
            items["items"]["properties"][of.key] = inner
    return {"type": "object", "properties": properties}


def _simple_schema(one: Simple) -> dict[str, Any]:
    words = {"boolean": "boolean", "small": "integer", "double": "number"}
    inner: dict[str, Any] = {"type": words.get(one.kind, "string")}
    return {"type": "array", "items": inner} if one.is_list else inner


def _parse(read: SafeReader, text: str, what: str) -> etree._Element:
    try:
        # A declaration of another encoding would be a lie by now: the text is read as UTF-8.
        return read(text.lstrip("\ufeff \r\n\t").encode(), "text/xml; charset=utf-8")
    except (XMLRefused, UnicodeEncodeError) as error:
        raise WSDLRefused(f"{what} is not XML that is read here: {error}") from None
