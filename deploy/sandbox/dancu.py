"""The national population database, as its clients in the field see it: SOAP 1.1, with all its traps.

The log-in hashes address, user, time and secret; elements stand in one order and have their lengths; a procedure or an
officer that is not allowed is a fault (004, 005); nobody found is an empty answer with status 200. The persons are those
of the other sandbox databases: nobody real.
"""

import base64
import hashlib
import time
from collections.abc import Mapping
from hmac import compare_digest
from xml.sax.saxutils import escape

from lxml import etree
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.builtin.mock.people import Person, household, kin
from deploy.sandbox.credentials import USER
from deploy.sandbox.world import REGISTER, SEED, find

BASE = "/dancu"
CLIENT = "VN/GOV/DEMO/lgsp"
API_KEY = "khoa-gia-lap"
INTEGRATION = "037"
FORBIDDEN_PROCEDURE, FORBIDDEN_OFFICER = "9.999999", "CB-KHONG-QUYEN"
BROKEN_NUMBER = "990000000500"
"""Looked up, it makes the database fail with a fault of its own."""
TIMESTAMP_SECONDS = 300
MAX_BYTES = 64 * 1024

ASKED = "http://dancuquocgia.bca"
ANSWERED = "http://www.mic.gov.vn/dancu/1.0"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ORDER = (
    "MaYeuCau", "MaDVC", "MaTichHop", "MaCanBo", "MaDonVi", "TaiKhoan", "SoDienThoai", "SoDinhDanh", "SoCMND", "HoVaTen",
    "NgayThangNamSinh",
)  # fmt: skip
PAGES = ("TuNgay", "DenNgay", "Loai", "Trang", "SoBanGhi")
"""What the bulk form asks with: from and until (milliseconds), a kind, a page from 0, and its size."""
MOST_ON_A_PAGE = 50
FIRST_CHANGE = 1_767_200_400_000
"""The first person's record changed at midnight of 2026-01-01 in Vietnam, the next one's a day later, and so on."""
DAY = 86_400_000
NEEDED = frozenset({"MaYeuCau", "MaDVC", "MaTichHop", "MaCanBo", "MaDonVi", "HoVaTen", "NgayThangNamSinh"})
LENGTHS = {
    "MaYeuCau": 40, "MaDVC": 20, "MaTichHop": 20, "MaCanBo": 20, "MaDonVi": 35, "SoDinhDanh": 12, "SoCMND": 9, "HoVaTen": 100,
}  # fmt: skip
SAID = {
    "004": "Thủ tục chưa được cấp phép khai thác CSDL dân cư",
    "005": "Tài khoản cán bộ không có quyền thao tác",
}


def create_app(secret: str) -> Starlette:
    """Return the database; `secret` is what the user `lgsp` hashes into its log-in."""
    database = PopulationDatabase(secret)
    return Starlette(
        routes=[
            Route(BASE, database.describe, methods=["GET"]),
            Route(BASE, database.answer, methods=["POST"]),
        ]
    )


def examples() -> Mapping[str, str]:
    """Return what this database alone knows: what breaks it, who is not allowed, how we log in."""
    return {
        "soDinhDanh_broken": BROKEN_NUMBER,
        "maDVC_forbidden": FORBIDDEN_PROCEDURE,
        "maCanBo_forbidden": FORBIDDEN_OFFICER,
        "client": CLIENT,
        "apiKey": API_KEY,
    }


class _Fault(Exception):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class PopulationDatabase:
    """Answers look-ups."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
        )

    async def describe(self, request: Request) -> Response:
        """Return the description of the service."""
        return Response(wsdl(_address(request)), media_type="text/xml; charset=utf-8")

    async def answer(self, request: Request) -> Response:
        """Answer a look-up."""
        refused = self._refuse(request)
        if refused is not None:
            return refused
        try:
            document = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)  # who asked is gone
        try:
            if len(document) > MAX_BYTES:
                raise _Fault("Client", "Thông điệp quá lớn")
            return self._look_up(self._read(document))
        except _Fault as fault:
            return _fault(fault.code, str(fault))

    def _refuse(self, request: Request) -> Response | None:
        """Refuse who does not log in as the real database wants it."""
        headers = request.headers
        stamp = headers.get("timestamp", "")
        fresh = stamp.isdigit() and abs(int(stamp) / 1000 - time.time()) < TIMESTAMP_SECONDS
        hashed = hashlib.sha256(f"{_address(request)}{USER}{stamp}{self._secret}".encode()).hexdigest()
        expected = "Basic " + base64.b64encode(f"{USER}:{hashed}".encode()).decode()
        if not fresh or not compare_digest(headers.get("authorization", "").encode(), expected.encode()):
            return Response("Unauthorized", 401)
        if headers.get("x-road-client") != CLIENT or headers.get("apikey") != API_KEY:
            return Response("Forbidden", 403)
        if headers.get("soapaction") != '""' or "xml" not in headers.get("content-type", ""):
            return _fault("Client", "SOAPAction hoặc Content-Type không hợp lệ")
        return None

    def _read(self, document: bytes) -> etree._Element:
        try:
            root = etree.fromstring(document, self._parser)
        except etree.XMLSyntaxError:
            raise _Fault("Client", "XML không hợp lệ") from None
        body = root.find(f"{{{SOAP}}}Body") if root.tag == f"{{{SOAP}}}Envelope" else None
        if body is None or len(body) != 1 or b"<!DOCTYPE" in document:
            raise _Fault("Client", "Thông điệp SOAP không hợp lệ")
        return body[0]

    def _look_up(self, asked: etree._Element) -> Response:
        operation = etree.QName(asked.tag).localname
        if operation not in ("TraCuuThongTinCongDan", "XacThucThongTinCongDan", "CungCapThongTinCongDan"):
            raise _Fault("Client", "Không có dịch vụ này")
        names = [etree.QName(child.tag).localname for child in asked]
        is_bulk = operation == "CungCapThongTinCongDan" and PAGES[0] in names
        fields = _checked(asked, names, is_bulk=is_bulk)
        if fields["MaDVC"] == FORBIDDEN_PROCEDURE:
            raise _Fault("Server.004", SAID["004"])
        if fields["MaCanBo"] == FORBIDDEN_OFFICER:
            raise _Fault("Server.005", SAID["005"])
        if fields.get("SoDinhDanh") == BROKEN_NUMBER:
            raise _Fault("Server", "ORA-00600 (giả lập)")
        if is_bulk:
            return _page(fields)
        person = find(fields.get("SoDinhDanh") or "999" + fields["SoCMND"])
        born = asked[-1][0]
        if person is None or fields["HoVaTen"] != person.name.upper() or not _is_born(person, born):
            return Response(b"", 200, media_type="text/xml")
        if operation == "XacThucThongTinCongDan":
            return _answer(
                f'<KetQuaXacThucResponse xmlns="{ANSWERED}"><TonTai>true</TonTai></KetQuaXacThucResponse>'
            )
        return _answer(_shown(person))


def _checked(asked: etree._Element, names: list[str], *, is_bulk: bool) -> dict[str, str]:
    """Return the request's fields. Raises _Fault for a wrong order, length or namespace."""
    order = (*ORDER[: ORDER.index("SoDinhDanh")], *PAGES) if is_bulk else ORDER
    right = [name for name in order if name in names]
    needed = (NEEDED & set(order)) | (set(PAGES) if is_bulk else set())
    one_number = is_bulk or ("SoDinhDanh" in names) != ("SoCMND" in names)
    if names != right or not set(names) >= needed or not one_number:
        raise _Fault("Client", "Thứ tự hoặc thành phần của thông điệp không hợp lệ")
    if any(etree.QName(child.tag).namespace != ASKED for child in asked.iter()):
        raise _Fault("Client", "Không gian tên không hợp lệ")
    fields = {name: child.text or "" for name, child in zip(names, asked, strict=True)}
    for name, limit in LENGTHS.items():
        value = fields.get(name)
        if value is not None and not 0 < len(value) <= limit:
            raise _Fault("Client", f"Độ dài của {name} không hợp lệ")
    if fields["MaTichHop"] != INTEGRATION or len(asked[-1]) != (0 if is_bulk else 1):
        raise _Fault("Client", "MaTichHop hoặc NgayThangNamSinh không hợp lệ")
    return fields


def _page(fields: Mapping[str, str]) -> Response:
    """Return one page of those whose records changed between two moments."""
    if not all(fields[name].isascii() and fields[name].isdecimal() for name in PAGES if name != "Loai"):
        raise _Fault("Client", "TuNgay, DenNgay, Trang và SoBanGhi phải là số")
    since, until, page, size = (int(fields[name][:15]) for name in PAGES if name != "Loai")
    if since > until or not 0 < size <= MOST_ON_A_PAGE:
        raise _Fault("Client", f"Khoảng ngày hoặc SoBanGhi (1 đến {MOST_ON_A_PAGE}) không hợp lệ")
    changed = [
        number
        for place, number in enumerate(REGISTER.numbers())
        if since <= FIRST_CHANGE + place * DAY <= until
    ]
    found = [person for number in changed[page * size : (page + 1) * size] if (person := find(number))]
    return _answer(_shown(*found)) if found else Response(b"", 200, media_type="text/xml")


def _is_born(person: Person, given: etree._Element) -> bool:
    form = {"Nam": "%Y", "NgayThangNam": "%Y%m%d"}.get(etree.QName(given.tag).localname)
    return form is not None and given.text == person.born.strftime(form)


def _shown(*persons: Person) -> str:
    """Return persons as an answer has them."""
    found = "".join(f"<CongDan>{_person(person)}</CongDan>" for person in persons)
    return f'<CongdanCollection xmlns="{ANSWERED}">{found}</CongdanCollection>'


def _person(person: Person) -> str:
    """Return a person in the order of the database; districts are no more, so no place has one."""
    members = household(SEED, person.number)
    parts = {
        "SoDinhDanh": person.number,
        "SoCMND": person.number[3:],
        "HoVaTen": _parts({"Ho": person.family, "ChuDem": person.middle, "Ten": person.given}),
        "GioiTinh": "2" if person.woman else "1",
        "DanToc": "01",
        "TonGiao": "00",
        "TinhTrangHonNhan": "1",
        "NhomMau": "00",
        "NgayThangNamSinh": _parts({"NgayThangNam": f"{person.born:%Y%m%d}"}),
        "NoiDangKyKhaiSinh": _place(person, person.ward),
        "QuocTich": "VN",
        "QueQuan": _place(person, person.ward),
        "ThuongTru": _place(person, person.address),
        "NoiOHienTai": _place(person, person.address),
        "Cha": _relative(kin(SEED, person, "cha")),
        "Me": _relative(kin(SEED, person, "me")),
        "ChuHo": _relative(members[0], "01" if members[0] == person else "99"),
        "GhiChu": "Dữ liệu giả lập",
    }
    return _parts(parts)


def _parts(parts: Mapping[str, str]) -> str:
    """Return elements; what holds others is written already."""
    return "".join(
        f"<{name}>{text if text.startswith('<') else escape(text)}</{name}>" for name, text in parts.items()
    )


def _place(person: Person, details: str) -> str:
    return _parts({"MaTinhThanh": person.province[0], "ChiTiet": details, "QuocGia": "VN"})


def _relative(person: Person | None, relation: str = "") -> str:
    shown = {"HoVaTen": person.name, "QuocTich": "VN"} if person else {"QuocTich": "VN"}
    return _parts({"QuanHe": relation, **shown} if relation else shown)


def _answer(content: str, status: int = 200) -> Response:
    text = f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}"><s:Body>{content}</s:Body></s:Envelope>'
    return Response(text.encode(), status, media_type="text/xml; charset=utf-8")


def _fault(code: str, text: str) -> Response:
    said = f"<s:Fault><faultcode>s:{code}</faultcode><faultstring>{escape(text)}</faultstring></s:Fault>"
    return _answer(said, 500)


def _address(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host', '')}{request.url.path}"


def wsdl(address: str) -> str:
    """Return the description of the service; the real one is not public, so this one is ours."""
    fields = "".join(
        f'<xs:element name="{name}" type="{"t:Ngay" if name == "NgayThangNamSinh" else "xs:string"}"'
        f"{_occurs(name)}/>"
        for name in ORDER
    )
    operations = ("TraCuuThongTinCongDan", "XacThucThongTinCongDan", "CungCapThongTinCongDan")
    head = "".join(
        f'<xs:element name="{name}" type="xs:string"{_occurs(name)}/>'
        for name in ORDER[: ORDER.index("SoDinhDanh")]
    ) + "".join(f'<xs:element name="{name}" type="xs:string"/>' for name in PAGES)
    roots = "".join(
        f'<xs:element name="{name}" type="t:{"Trang" if name == operations[-1] else "YeuCau"}"/>'
        for name in operations
    )
    messages = "".join(
        f'<message name="{name}"><part name="p" element="t:{name}"/></message>'
        f'<message name="{name}Ra"><part name="p" element="a:{_root_of(name)}"/></message>'
        for name in operations
    )
    ports = "".join(
        f'<operation name="{name}"><input message="t:{name}"/><output message="t:{name}Ra"/></operation>'
        for name in operations
    )
    bound = "".join(
        f'<operation name="{name}"><soap:operation soapAction=""/><input><soap:body use="literal"/></input>'
        '<output><soap:body use="literal"/></output></operation>'
        for name in operations
    )
    return f"""<?xml version="1.0" encoding="utf-8"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="{ASKED}"
  xmlns:a="{ANSWERED}" xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{ASKED}"><types>
<xs:schema targetNamespace="{ASKED}" elementFormDefault="qualified"><xs:complexType name="Ngay"><xs:choice>
<xs:element name="Nam" type="xs:string"/><xs:element name="NgayThangNam" type="xs:string"/></xs:choice></xs:complexType>
<xs:complexType name="YeuCau"><xs:sequence>{fields}</xs:sequence></xs:complexType>
<xs:complexType name="Trang"><xs:sequence>{head}</xs:sequence></xs:complexType>{roots}</xs:schema>
<xs:schema targetNamespace="{ANSWERED}" elementFormDefault="qualified"><xs:element name="CongdanCollection"><xs:complexType>
<xs:sequence><xs:element name="CongDan" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
<xs:any minOccurs="0" maxOccurs="unbounded" processContents="skip"/></xs:sequence></xs:complexType></xs:element></xs:sequence>
</xs:complexType></xs:element><xs:element name="KetQuaXacThucResponse"><xs:complexType><xs:sequence>
<xs:element name="TonTai" type="xs:boolean"/></xs:sequence></xs:complexType></xs:element></xs:schema></types>{messages}
<portType name="DanCu">{ports}</portType><binding name="DanCu" type="t:DanCu">
<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>{bound}</binding>
<service name="DanCu"><port name="DanCu" binding="t:DanCu"><soap:address location="{escape(address)}"/></port></service>
</definitions>"""


def _occurs(name: str) -> str:
    return "" if name in NEEDED else ' minOccurs="0"'


def _root_of(operation: str) -> str:
    return "KetQuaXacThucResponse" if operation == "XacThucThongTinCongDan" else "CongdanCollection"
