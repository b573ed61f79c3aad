"""What the cases about messages declare and send: a person of 1 KB, a SOAP service with 2 KB, documents of 10 MB."""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

Work = Literal["", "messages", "stall"]
"""What a node does with messages: nothing, or what the case of that name needs."""

KILOBYTE: Final = 1024
MEGABYTE: Final = 1024 * 1024
LARGE_BYTES: Final = 10 * MEGABYTE - 64 * KILOBYTE

_FIELDS: Final = (
    "MaYeuCau", "MaDonVi", "HoTen", "SoDinhDanh", "NgaySinh", "GioiTinh", "DanToc", "TonGiao", "QueQuan", "ThuongTru",
    "TamTru", "NgheNghiep", "TrinhDo", "DienThoai", "HopThu",
)  # fmt: skip
_TEXT: Final = "Giá trị giả lập"
_RELEASED: Final = 12


def person() -> bytes:
    """Return an invented person in 1 KB of JSON, as the provider has it."""
    document = {
        "Status": "1",
        **{name: f"{_TEXT} {number}" for number, name in enumerate(_FIELDS)},
        "GhiChu": "",
    }
    spare = KILOBYTE - len(_json(document))
    return _json(document | {"GhiChu": "x" * spare})


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def contract_operation() -> dict[str, Any]:
    """Declare an operation whose answer is mapped, 15 fields of it, and checked."""
    pairs = ", ".join(f'"truong{number}": {name}' for number, name in enumerate(_FIELDS))
    text = {"type": "string", "maxLength": 100}
    schema = {
        "type": "object",
        "required": ["Status", "truong2", "truong3"],
        "additionalProperties": False,
        "properties": {"Status": text, **{f"truong{number}": text for number in range(len(_FIELDS))}},
    }
    mapping = f'{{"Status": Status, {pairs}}}'
    return {
        "name": "person",
        "method": "GET",
        "path": "/person",
        "transforms": {"reply": [{"kind": "jsonata", "settings": {"mapping": mapping}}]},
        "reply": {"schema": schema},
    }


def contract_fields() -> dict[str, list[str]]:
    """Release most of what is mapped."""
    return {"*": ["Status", *(f"truong{number}" for number in range(_RELEASED))]}


# --- REST to SOAP and back --------------------------------------------------------------------------------

_NAMESPACE: Final = "urn:vi-du:do"
_ITEMS: Final = 20


def _wsdl() -> str:
    fields = "".join(f'<xs:element name="{name}" type="xs:string"/>' for name in ("ma", "hoTen", "diaChi"))
    listed = '<xs:element name="nguoi" type="t:Nguoi" maxOccurs="unbounded"/>'
    return f"""<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:t="{_NAMESPACE}" targetNamespace="{_NAMESPACE}"
 xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/">
 <types><xs:schema targetNamespace="{_NAMESPACE}" elementFormDefault="qualified">
  <xs:complexType name="Nguoi"><xs:sequence>{fields}</xs:sequence></xs:complexType>
  <xs:element name="hoi"><xs:complexType><xs:sequence>{listed}</xs:sequence></xs:complexType></xs:element>
  <xs:element name="dap"><xs:complexType><xs:sequence><xs:element name="Status" type="xs:string"/>{listed}
  </xs:sequence></xs:complexType></xs:element></xs:schema></types>
 <message name="Hoi"><part name="p" element="t:hoi"/></message><message name="Dap"><part name="p" element="t:dap"/></message>
 <portType name="Cua"><operation name="soap"><input message="t:Hoi"/><output message="t:Dap"/></operation></portType>
 <binding name="Noi" type="t:Cua"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <operation name="soap"><soap:operation soapAction="urn:hoi"/><input><soap:body use="literal"/></input>
  <output><soap:body use="literal"/></output></operation></binding>
 <service name="Do"><port name="Cua" binding="t:Noi"><soap:address location="http://do.invalid/"/></port></service>
</definitions>"""


def _people() -> list[dict[str, str]]:
    return [
        {"ma": f"00109900{n:04}", "hoTen": "Trần Thị Bưởi", "diaChi": "Xã Giả Lập"} for n in range(_ITEMS)
    ]


def soap_request() -> str:
    """Return a request of 2 KB, in JSON."""
    return _json({"nguoi": _people()}).decode()


def soap_answer() -> bytes:
    """Return the provider's answer, in XML."""
    people = "".join(
        "<t:nguoi>" + "".join(f"<t:{name}>{value}</t:{name}>" for name, value in one.items()) + "</t:nguoi>"
        for one in _people()
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<s:Body><t:dap xmlns:t="{_NAMESPACE}"><t:Status>1</t:Status>{people}</t:dap></s:Body></s:Envelope>'
    ).encode()


def soap_endpoint(url: str) -> dict[str, Any]:
    """Declare the provider's SOAP endpoint."""
    return {"connector": "soap", "settings": {"url": f"{url}/soap", "wsdl": _wsdl()}, "max_in_flight": 256}


def soap_operation() -> dict[str, Any]:
    """Declare the operation that a consumer calls with JSON."""
    return {"name": "soap", "method": "POST", "path": "/soap"}


# --- 10 MB ------------------------------------------------------------------------------------------------

_MAPPING: Final = '{"Status": Status, "ds": ds.{"ma": so, "ten": hoTen}}'
_LARGE_SCHEMA: Final = {
    "type": "object",
    "properties": {"ds": {"type": "array", "items": {"type": "object", "required": ["so"]}}},
}
_LAYOUT: Final = {
    "root": "a",
    "fields": {
        "ds": {"element": "nguoi", "list": True, "fields": {"so": None, "hoTen": None, "diaChi": None}}
    },
    "unknown": "drop",
}
LARGE_FIELDS: Final = {"*": ["Status", "ds.so", "ds.hoTen", "a.nguoi.so"]}
"""What is released of 10 MB by the service that limits its answers."""


def large_json() -> bytes:
    """Return 10 MB of JSON: a list of people."""
    one = {"so": "001099012345", "hoTen": "Trần Thị Bưởi", "diaChi": "Xã Giả Lập, tỉnh Mẫu", "tuoi": 30}
    count = LARGE_BYTES // (len(_json(one)) + 1)
    return b'{"Status":"1","ds":[' + b",".join([_json(one)] * count) + b"]}"


def large_xml() -> bytes:
    """Return 10 MB of XML: the same."""
    one = (
        "<nguoi><so>001099012345</so><hoTen>Trần Thị Bưởi</hoTen><diaChi>Xã Giả Lập</diaChi></nguoi>".encode()
    )
    return b"<a>" + one * (LARGE_BYTES // len(one)) + b"</a>"


class Large(NamedTuple):
    """One thing that is done with 10 MB: by a service that limits its answers or not, and what is declared for it."""

    path: str
    limited: bool = False
    sends: bool = False
    declared: Mapping[str, Any] = {}


LARGE: Final[Mapping[str, Large]] = {
    "map": Large(
        "/large-json/map",
        declared={"transforms": {"reply": [{"kind": "jsonata", "settings": {"mapping": _MAPPING}}]}},
    ),
    "check": Large("/large-json/check", declared={"reply": {"schema": _LARGE_SCHEMA}}),
    "xml-to-json": Large(
        "/large-xml/map", declared={"transforms": {"reply": [{"kind": "xml-to-json", "settings": _LAYOUT}]}}
    ),
    "json-to-xml": Large(
        "/items/map",
        sends=True,
        declared={"transforms": {"request": [{"kind": "json-to-xml", "settings": _LAYOUT}]}},
    ),
    "limit-json": Large("/large-json/limit", limited=True),
    "limit-xml": Large("/large-xml/limit", limited=True),
}


def large_operations(*, limited: bool) -> list[dict[str, Any]]:
    """Declare what is done with 10 MB by one of the two services."""
    return [
        {"name": name, "method": "POST" if what.sends else "GET", "path": what.path, **what.declared}
        for name, what in LARGE.items()
        if what.limited is limited
    ]
