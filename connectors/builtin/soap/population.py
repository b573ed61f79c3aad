"""The national population database: JSON in, JSON out, and every one of its traps on our side of it.

Elements stand in one fixed order; the log-in hashes address, user, time and secret; officer and procedure are those
that the node has checked, never what a body says; nobody found is an empty answer, which is not an outage.
"""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson
from lxml import etree

from connectors.builtin.soap.envelope import Fault, NoEnvelope, Shell, body_of, content_of, fault_in
from connectors.builtin.soap.fields import Anything, Unfit
from connectors.builtin.soap.json_text import dump, read_json
from connectors.builtin.soap.person import birth_in, name_in, number_of
from connectors.builtin.soap.population_settings import LENGTHS, OperationName, PopulationSettings
from connectors.builtin.soap.reading import read
from connectors.builtin.soap.wire import CHECK_SECONDS, Answer, Poster, TooLarge, whole
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
from connectors.credentials import basic, make_credentials
from connectors.errors import ConnectorError
from connectors.message import Headers, Message
from connectors.over_http import result_of

JSON = "application/json"
PAGES = ("TuNgay", "DenNgay", "Loai", "Trang", "SoBanGhi")
MESSAGES: Mapping[str, tuple[str, str]] = {
    "004": (
        "Thủ tục chưa được cấp phép khai thác CSDL dân cư.",
        "The procedure is not licensed to use the population database.",
    ),
    "005": (
        "Tài khoản cán bộ không có quyền thao tác.",
        "The officer's account is not allowed to do this.",
    ),
    "": ("Lỗi truy cập hệ thống tra cứu.", "The look-up system cannot be used."),
}
"""What its errors mean to an officer; whatever else it says means the last one."""

LARGE = 64 * 1024
MAX_REQUEST_BYTES = 64 * 1024
MAX_REPLY_BYTES = 16 * 1024 * 1024
_ANYTHING = Anything()
_OF_PERSON = frozenset({"SoDinhDanh", "SoCMND", "HoVaTen", "NgayThangNamSinh"})
_CODE = re.compile(r"(?<!\d)(00\d)(?!\d)")
_CODE_ELEMENTS = frozenset({"MaLoi", "errorCode", "ErrorCode", "error_code", "code", "Code"})
_NOT_ALLOWED, _UNAUTHORISED, _BAD_GATEWAY, _SERVER_ERROR = 403, 401, 502, 500
_REFUSED = frozenset({401, 407})


class PopulationConnector:
    """Asks the population database."""

    kind: ClassVar[str] = "population"
    version: ClassVar[str] = "1"
    capabilities: ClassVar[Capabilities] = Capabilities(streaming=False, idempotence="none")
    Settings: ClassVar[type[ConnectorSettings]] = PopulationSettings

    def __init__(self, settings: PopulationSettings, context: ConnectorContext) -> None:
        self._settings = settings
        self._context = context
        self._calls = Calls()
        self._poster = Poster(
            settings.url,
            context,
            egress=settings.egress,
            connect_seconds=settings.connect_seconds,
            max_reply_bytes=MAX_REPLY_BYTES,
        )
        self._credentials = make_credentials(
            settings.credentials, settings.headers, self._poster.http, context
        )
        self._shell = Shell("1.1", {settings.namespace: "d"})
        self._read = SafeReader()

    async def open(self) -> None:
        """Nothing is taken up."""

    async def call(self, call: Call) -> Result:
        """Look a person up. May raise EgressDenied, SecretUnknown, and what the call's own body stream raises."""
        if self._calls.closed:
            return Unreachable(reason="closed")
        with self._calls:
            try:
                name = self._operation(call.operation)
                body = await whole(call.message.body, MAX_REQUEST_BYTES)
                document = self._shell.around(self._content(name, read_json(body), call))
                answer = await self._poster.post(
                    document, self._login(call), call.deadline, self._credentials
                )
            except Unfit as error:
                return Rejected(reason=f"unfit {error}")
            except TooLarge:
                return Rejected(reason="too-large")
            except ConnectorError as error:
                return result_of(error)
            if len(answer.body) > LARGE:
                return await asyncio.to_thread(self._answer, answer, name, SafeReader())
            return self._answer(answer, name, self._read)

    # --- the question -----------------------------------------------------------------------------------

    def _operation(self, name: str) -> OperationName:
        known: dict[str, OperationName] = {
            "TraCuuThongTinCongDan": "TraCuuThongTinCongDan",
            "XacThucThongTinCongDan": "XacThucThongTinCongDan",
            "CungCapThongTinCongDan": "CungCapThongTinCongDan",
        }
        found = self._settings.operations.get(name) or known.get(name)
        if found is None:
            raise Unfit("operation-unknown")
        return found

    def _content(self, name: str, asked: Any, call: Call) -> list[str]:  # Any: JSON
        """Return the request's elements in the database's order. Raises Unfit."""
        if not isinstance(asked, dict):
            raise Unfit("type")
        settings, told = self._settings, {key.lower(): value for key, value in call.context.items()}
        pages = any(key in asked for key in PAGES)
        ours = {
            "MaYeuCau": call.exchange,
            "MaDVC": told.get(settings.procedure_from, ""),
            "MaTichHop": settings.integration,
            "MaCanBo": told.get(settings.officer_from, ""),
            "MaDonVi": settings.unit,
            "TaiKhoan": settings.account,
            "SoDienThoai": settings.phone,
        }
        elements = [_element(key, value) for key, value in ours.items() if value is not None]
        elements += _page(asked) if pages else self._person(asked)
        return [f"<d:{name}>", *elements, f"</d:{name}>"]

    def _person(self, asked: Mapping[str, Any]) -> list[str]:
        _refuse_others(asked, _OF_PERSON)
        given = {key: _text(asked, key) for key in _OF_PERSON - {"NgayThangNamSinh"}}
        if bool(given["SoDinhDanh"]) == bool(given["SoCMND"]):
            raise Unfit("choice", "/SoCMND") if given["SoCMND"] else Unfit("missing", "/SoDinhDanh")
        key, digits = ("SoDinhDanh", 12) if given["SoDinhDanh"] else ("SoCMND", 9)
        try:
            number = number_of(given[key], digits)
        except Unfit as error:
            raise error.under(key) from None
        name = name_in(self._settings.name_form, given["HoVaTen"])
        try:
            inside, born = birth_in(self._settings.birth_form, _birth(asked))
        except Unfit as error:
            raise error.under("NgayThangNamSinh") from None
        return [
            _element(key, number),
            _element("HoVaTen", name),
            f"<d:NgayThangNamSinh><d:{inside}>{born}</d:{inside}></d:NgayThangNamSinh>",
        ]

    def _login(self, call: Call) -> Headers:
        """Return the request's headers. Raises SecretUnknown."""
        settings = self._settings
        headers: Headers = [
            (b"content-type", settings.content_type.encode()),
            (b"soapaction", b'""'),
            (b"accept", b"text/xml, application/xml"),
        ]
        kept_back = (settings.officer_from, settings.procedure_from)
        headers += [
            (key.lower().encode(), value.encode())
            for key, value in call.context.items()
            if key.lower() not in kept_back
        ]
        if settings.client:
            headers.append((b"x-road-client", settings.client.encode()))
        return headers + self._proofs()

    def _proofs(self) -> Headers:
        """Return the headers that hold our log-in. Raises SecretUnknown."""
        settings, get, authority = self._settings, self._context.secrets.get, self._poster.authority
        headers: Headers = []
        if settings.api_key is not None:
            headers.append((b"apikey", get(settings.api_key, host=authority).encode()))
        if settings.secret is not None:
            timestamp = str(int(self._context.clock.time() * 1000))
            secret = get(settings.secret, host=authority)
            hashed = f"{settings.login_url or settings.url}{settings.user}{timestamp}{secret}"
            proof = hashlib.sha256(hashed.encode()).hexdigest()
            headers.append((b"timestamp", timestamp.encode()))
            headers.append((b"authorization", basic(settings.user, proof)))
        return headers

    # --- the answer -------------------------------------------------------------------------------------

    def _answer(self, answer: Answer, name: OperationName, read_xml: SafeReader) -> Result:
        """Return what an answer means. Runs on any thread."""
        if answer.status in _REFUSED:
            return Done(status=_UNAUTHORISED, reply=Message())
        document = answer.body.strip()
        try:
            if self._settings.wrapped and answer.is_success and document:
                code, document = _unwrap(document)
                if code:
                    return _error(code, "", _SERVER_ERROR)
            if answer.is_success and not document:
                return _done(200, _nobody(name))
            body = body_of(read_xml(document, "" if self._settings.wrapped else answer.media_type))
            element = content_of(body)
            fault = fault_in(element)
            if fault is not None:
                return _of_fault(fault)
            if answer.is_success:
                return _found(body, name)
        except (XMLRefused, NoEnvelope, Unfit, UnicodeDecodeError) as error:
            if answer.is_success:
                return Unknown(reason=f"unfit {error}".strip(), rubbish=True)
        busy = answer.busy(self._context.clock.time())
        return busy or _error("", "", answer.status if answer.status >= _SERVER_ERROR else _BAD_GATEWAY)

    async def check(self) -> Sequence[CheckStep]:
        """Test the way there; only a look-up could test the log-in, and every look-up is somebody's."""
        return await self._poster.check(None, self._prove)

    async def _prove(self) -> None:
        """Get the log-in ready. Raises SecretUnknown, CredentialsRefused, and what asking for a token raises."""
        self._proofs()
        await self._credentials.headers(
            self._poster.authority, self._context.clock.monotonic() + CHECK_SECONDS
        )

    async def describe(self) -> Sequence[DescribedOperation]:
        """Return the look-ups."""
        text = {"type": "string"}
        person = {
            "type": "object",
            "properties": dict.fromkeys(sorted(_OF_PERSON), text),
            "required": ["HoVaTen", "NgayThangNamSinh"],
            "oneOf": [{"required": ["SoDinhDanh"]}, {"required": ["SoCMND"]}],
            "additionalProperties": False,
        }
        return [
            DescribedOperation(name=name, method="POST", path=f"/{name}", request_schema=person)
            for name in ("TraCuuThongTinCongDan", "XacThucThongTinCongDan", "CungCapThongTinCongDan")
        ]

    async def drain(self) -> None:
        """Return when no call is under way."""
        await self._calls.drain()

    async def close(self) -> None:
        """Close what is our own. Idempotent."""
        self._calls.close()
        await self._poster.close()


def _element(key: str, value: str) -> str:
    """Write one element. Raises Unfit when it is empty, or longer than the database takes."""
    if not value.strip():
        raise Unfit("missing", f"/{key}")
    if len(value) > LENGTHS.get(key, 40):
        raise Unfit("length", f"/{key}")
    try:
        return f"<d:{key}>{escape(value)}</d:{key}>"
    except ValueError:
        raise Unfit("character", f"/{key}") from None


def _page(asked: Mapping[str, Any]) -> list[str]:
    """Return the elements of the bulk variant: moments in milliseconds, a kind, a page and its size."""
    _refuse_others(asked, frozenset(PAGES))
    values = {key: _text(asked, key) for key in PAGES}
    for key, value in values.items():
        if key != "Loai" and not (value.isascii() and value.isdecimal()):
            raise Unfit("number" if value else "missing", f"/{key}")
    return [_element(key, value) for key, value in values.items()]


def _text(asked: Mapping[str, Any], key: str) -> str:
    value = asked.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unfit("type", f"/{key}")
    return value


def _birth(asked: Mapping[str, Any]) -> str:
    """Return a birth date as given: as text, or as the database's own object."""
    value = asked.get("NgayThangNamSinh")
    if isinstance(value, dict) and len(value) == 1 and value.keys() <= {"Nam", "NgayThangNam"}:
        (value,) = value.values()
    if value is None or value == "":
        raise Unfit("missing")
    if not isinstance(value, str):
        raise Unfit("type")
    return value


def _refuse_others(asked: Mapping[str, Any], known: frozenset[str]) -> None:
    for key in asked.keys() - known:
        raise Unfit("unknown").under(str(key)[:100])


def _unwrap(document: bytes) -> tuple[str, bytes]:
    """Return the error code of a wrapped answer, empty when it is none, and the message inside. Raises XMLRefused."""
    try:
        answer = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise XMLRefused("malformed") from None
    if not isinstance(answer, dict):
        raise XMLRefused("malformed")
    message = answer.get("message")
    text = message.strip() if isinstance(message, str) else ""
    if text.startswith("<"):
        return "", text.encode()
    code = str(answer.get("error_code", "")).strip()
    return ("", b"") if not text and code in ("", "0", "00", "000", "200") else (code or "?", b"")


def _nobody(name: OperationName) -> dict[str, Any]:
    return (
        {"found": False, "TonTai": False}
        if name == "XacThucThongTinCongDan"
        else {"found": False, "CongDan": []}
    )


def _found(body: etree._Element, name: OperationName) -> Result:
    """Return the persons in an answer, or that there are none. Raises Unfit for what is neither."""
    code = next((one for one in body.iter() if local(one.tag) in _CODE_ELEMENTS and one.text), None)
    people = [one for one in body.iter("*") if local(one.tag) == "CongDan"]
    if name == "XacThucThongTinCongDan":
        exists = next((one for one in body.iter("*") if local(one.tag) == "TonTai"), None)
        if exists is not None:
            known = (exists.text or "").strip() in ("true", "1")
            return _done(200, {"found": known, "TonTai": known})
    elif people:
        return _done(200, {"found": True, "CongDan": [read(one, _ANYTHING) for one in people]})
    if code is not None:
        return _error((code.text or "").strip(), "", _SERVER_ERROR)
    if any("".join(map(str, one.itertext())).strip() for one in body.iterchildren("*")):
        raise Unfit("another-message")
    return _done(200, _nobody(name))


def _of_fault(fault: Fault) -> Result:
    """Return a fault; its code stands now here, now there."""
    said = (fault.code, fault.subcode, orjson.dumps(fault.detail).decode(), fault.reason)
    code = next((found[1] for text in said if (found := _CODE.search(text))), "")
    return _error(code or fault.code, fault.reason, fault.status)


def _error(code: str, reason: str, status: int) -> Result:
    """Return an error of the database, with what it means to an officer."""
    vi, en = MESSAGES.get(code, MESSAGES[""])
    error: dict[str, Any] = {"code": code, "messages": {"vi": vi, "en": en}}
    if reason:
        error["reason"] = reason
    return _done(_NOT_ALLOWED if code in ("004", "005") else status, {"error": error})


def _done(status: int, answer: Mapping[str, Any]) -> Done:
    people = answer.get("CongDan")
    body = dump(answer, gently=isinstance(people, list) and len(people) > 1)
    return Done(status=status, reply=Message(body, JSON, [(b"content-type", JSON.encode())]))
