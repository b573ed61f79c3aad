"""A version offered as SOAP: its operations, each a pair of messages, and how such a message becomes a request."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, urlencode

import orjson
from lxml import etree

from connectors.builtin.soap.envelope import NAMESPACES, Version
from connectors.builtin.soap.xml import escape
from connectors.message import Headers
from gateway.soap.names import element_name, unique
from gateway.soap.nodes import PREFIX, XSI, Leaf, Member, Open, Structure, Unfit, has, member_json
from gateway.soap.schemas import Remark, SchemaCompiler, Shape, mark_replied
from registry.entities import BodyContract, Operation, Parameter
from registry.entities import Version as Registered

_DECLARATION: Final = '<?xml version="1.0" encoding="utf-8"?>'
_SLICE: Final = 5000
_VARIABLE: Final = re.compile(r"\{([^{}/*]+)(\*?)\}")
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]{0,4000}")
_JSON: Final = re.compile(r"(application/([a-z0-9.+-]+\+)?json|text/json|\*/\*|)\Z", re.IGNORECASE)
_NOT_A_PARAMETER: Final = frozenset(
    {
        "authorization",
        "connection",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
    }
)
"""Headers that carry the message itself or somebody's credentials."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message asks for, as the one Request has it. `path` is below the version and not normalised yet."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes


@dataclass(slots=True, kw_only=True)
class OfferedOperation:
    """One operation: its messages, and where each field of the request goes."""

    name: str
    method: str
    path: str
    title: str
    request: Structure
    response: Structure
    response_name: str
    places: Mapping[str, tuple[Literal["path", "query", "header"], str]]
    """By tag: where a parameter goes, and by which name."""
    body: Member | None
    result: Member
    answers_text: bool = False

    def asked(self, element: etree._Element) -> Asked:
        """Return what a message asks for. Raises Unfit."""
        found = self.request.parts(element)
        query: list[tuple[str, str]] = []
        headers: Headers = []
        variables: dict[str, str] = {}
        for member in self.request.members:
            place = self.places.get(member.tag)
            if place is None:
                continue
            at, name = place
            texts = [_plain(value) for value in found.get(member.tag, ()) if value != "null"]
            if at == "path":
                variables[name] = ",".join(texts)
            elif at == "query":
                query += [(name, text) for text in texts]
            elif texts:
                headers.append((name.encode(), _header(",".join(texts), member.key)))
        return Asked(self.method, self._path(variables), urlencode(query), headers, self._body(found))

    def _path(self, variables: Mapping[str, str]) -> str:
        def filled(found: re.Match[str]) -> str:
            value = variables.get(found[1], "")
            if not value:
                raise Unfit("missing", f"/{found[1]}")
            return quote(value, safe="/" if found[2] else "")

        return _VARIABLE.sub(filled, self.path)

    def _body(self, found: dict[str, list[str]]) -> bytes:
        if self.body is None or not has(self.body, found):
            return b""
        return member_json(self.body, found).partition(":")[2].encode()


class Offer:
    """A version's operations as SOAP, by the names of their elements; what is not offered, or left open, in `remarks`."""

    def __init__(self, version: Registered, service: str) -> None:
        said = version.soap
        number = version.version.removeprefix("v")
        self.namespace = (said and said.namespace) or f"urn:lgsp:{service}:{number}"
        self.is_public = bool(said and said.public)
        self.remarks: list[Remark] = []
        self.operations: dict[str, OfferedOperation] = {}
        wanted = set(said.operations) if said else set()
        compiler = SchemaCompiler(version.schemas, self.namespace)
        self._taken = {operation.name for operation in version.operations}
        for index, operation in enumerate(version.operations):
            if not wanted or operation.name in wanted:
                self._add(operation, f"/operations/{index}", compiler)
        compiler.finish()
        for offered in self.operations.values():
            mark_replied(offered.result.node)
        self.types = compiler.types
        self.remarks += dict.fromkeys(compiler.remarks)
        names = f'xmlns:xsi="{XSI}" xmlns:{PREFIX}="{escape(self.namespace)}"'
        self._openings = {
            version: f'{_DECLARATION}<s:Envelope xmlns:s="{uri}" {names}><s:Body>'.encode()
            for version, uri in NAMESPACES.items()
        }

    def around(self, version: Version, content: list[str]) -> bytes:
        """Return the envelope around a message, which is used up: a large one never long in one go."""
        pieces = [self._openings[version]]
        for start in range(0, len(content), _SLICE):
            pieces.append("".join(content[start : start + _SLICE]).encode())
            content[start : start + _SLICE] = [""] * len(content[start : start + _SLICE])
        pieces.append(b"</s:Body></s:Envelope>")
        return b"".join(pieces)

    def messages(self) -> Iterable[tuple[str, Structure]]:
        """Return every element that is a message, with its type."""
        for operation in self.operations.values():
            yield operation.name, operation.request
            yield operation.response_name, operation.response

    def _add(self, operation: Operation, at: str, compiler: SchemaCompiler) -> None:
        for what, contract in (("request", operation.request), ("reply", operation.reply)):
            if contract is not None and not _is_described(contract, what):
                self.remarks.append(Remark(f"{at}/{what}/media_type", "not-json"))
                return
        request, places = self._parameters(operation, at, compiler)
        body = self._body(operation, at, compiler, request)
        result, answers_text = _result(operation, at, compiler)
        response = Structure(self.namespace, replied=True)
        response.add(result)
        response_name = unique(f"{operation.name}Response", self._taken)
        self._taken.add(response_name)
        self.operations[operation.name] = OfferedOperation(
            name=operation.name,
            method=_method(operation),
            path=operation.path,
            title=operation.title_vi or operation.title_en,
            request=request,
            response=response,
            response_name=response_name,
            places=places,
            body=body,
            result=result,
            answers_text=answers_text,
        )

    def _parameters(
        self, operation: Operation, at: str, compiler: SchemaCompiler
    ) -> tuple[Structure, dict[str, tuple[Literal["path", "query", "header"], str]]]:
        request = Structure(self.namespace)
        places: dict[str, tuple[Literal["path", "query", "header"], str]] = {}
        for parameter, where in _all_parameters(operation, at):
            shape = compiler.shape(parameter.schema or {"type": "string"}, f"{where}/schema")
            if not isinstance(shape.node, Leaf) or _is_ours(parameter):
                self.remarks.append(Remark(where, "parameter"))
                continue
            tag = unique(element_name(parameter.name), {*places, "body"})
            is_needed = parameter.required or parameter.at == "path"
            request.add(_member(parameter.name, tag, shape, required=is_needed, note=parameter.note))
            places[tag] = (parameter.at, parameter.name)
        return request, places

    def _body(
        self, operation: Operation, at: str, compiler: SchemaCompiler, request: Structure
    ) -> Member | None:
        contract = operation.request
        if contract is None and _method(operation) not in ("POST", "PUT", "PATCH"):
            return None
        schema: object = None if contract is None else contract.schema
        shape = compiler.shape(schema, f"{at}/request")
        body = _member("body", "body", shape, required=contract is not None and contract.required)
        request.add(body)
        return body


def _result(operation: Operation, at: str, compiler: SchemaCompiler) -> tuple[Member, bool]:
    contract = operation.reply
    if contract is not None and not _JSON.match(contract.media_type.partition(";")[0].strip()):
        return _member("result", "result", Shape(Leaf())), True
    shape = compiler.shape(None if contract is None else contract.schema, f"{at}/reply")
    return _member("result", "result", shape), isinstance(shape.node, Open)


def _member(key: str, tag: str, shape: Shape, *, required: bool = False, note: str = "") -> Member:
    return Member(
        key,
        tag,
        shape.node,
        repeated=shape.repeated,
        required=required,
        nillable=shape.nillable,
        note=note or shape.note,
    )


def _all_parameters(operation: Operation, at: str) -> Iterable[tuple[Parameter, str]]:
    """Yield the parameters, those that only the path names among them."""
    declared = {one.name for one in operation.parameters if one.at == "path"}
    for name, _ in _VARIABLE.findall(operation.path):
        if name not in declared:
            yield Parameter(name=name, at="path", required=True), f"{at}/path"
    for index, parameter in enumerate(operation.parameters):
        yield parameter, f"{at}/parameters/{index}"


def _is_ours(parameter: Parameter) -> bool:
    name = parameter.name.lower()
    if parameter.at != "header":
        return False
    is_ours = name in _NOT_A_PARAMETER or name.startswith(("lgsp-", "content-", "proxy-", "transfer-"))
    return is_ours or not re.fullmatch(r"[a-z0-9_-]+", name)


def _is_described(contract: BodyContract, what: str) -> bool:
    """Say whether a body can stand in an envelope: JSON can, and plain text as an answer."""
    media_type = contract.media_type.partition(";")[0].strip().lower()
    is_text = what == "reply" and media_type.startswith("text/") and not media_type.endswith("xml")
    return bool(_JSON.match(media_type)) or is_text


def _method(operation: Operation) -> str:
    if operation.method != "ANY":
        return operation.method
    return "GET" if operation.request is None else "POST"


def _plain(value: str) -> str:
    """Return a JSON value that is no list and no object as text."""
    return str(orjson.loads(value)) if value.startswith('"') else value


def _header(value: str, key: str) -> bytes:
    if not _HEADER_VALUE.fullmatch(value):
        raise Unfit("character", f"/{key}")
    return value.encode()
