"""An invented service as a version offered as SOAP, for the tests of the facade and its clients."""

from pathlib import Path
from typing import Any

from lxml import etree

from connectors.builtin.soap.envelope import NAMESPACES
from connectors.builtin.soap.fields import XSI
from gateway.soap.offer import Offer
from gateway.soap.wsdl import render
from gateway.soap.xsd import COMMON
from registry.documents import parse
from registry.entities import Kind, Version

NAMESPACE = "urn:lgsp:HoTich:1.0"
XSD = "http://www.w3.org/2001/XMLSchema"
PERSON: dict[str, Any] = {
    "type": "object",
    "required": ["hoTen", "con"],
    "properties": {
        "hoTen": {"type": "string", "description": "Họ và tên"},
        "số định danh": {"type": ["string", "null"]},
        "ngaySinh": {"type": "string", "format": "date"},
        "luc": {"type": "string", "format": "date-time"},
        "gioiTinh": {"type": "string", "enum": ["Nam", "Nữ"]},
        "tuoi": {"type": "integer"},
        "luong": {"type": "number"},
        "conSong": {"type": "boolean"},
        "con": {"type": "array", "items": {"$ref": "#/schemas/Nguoi"}},
        "tenKhac": {"type": "array", "items": {"type": ["string", "null"]}},
        "bang": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        "diaChi": {"type": "object", "nullable": True, "properties": {"xa": {"type": "string"}}},
        "khac": {"oneOf": [{"type": "string"}, {"type": "object"}]},
    },
}


def json_reply(schema: dict[str, Any]) -> dict[str, Any]:
    return {"media_type": "application/json", "schema": schema}


def a_list_of_operations() -> list[dict[str, Any]]:
    """Return operations of every kind that the facade tells apart."""
    person = {"$ref": "#/schemas/Nguoi"}
    return [
        {
            "name": "chiTiet",
            "path": "/nguoi/{so}",
            "title_vi": "Xem một người (giả lập)",
            "parameters": [
                {"name": "ngày", "at": "query", "schema": {"type": "string", "format": "date"}},
                {"name": "truong", "at": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                {"name": "X-Can-Bo", "at": "header", "schema": {"type": "string"}},
            ],
            "reply": json_reply(person),
        },
        {"name": "danhSach", "path": "/nguoi", "reply": json_reply({"type": "array", "items": person})},
        {
            "name": "ghi",
            "path": "/nguoi",
            "method": "POST",
            "effect": "write",
            "request": json_reply(person) | {"required": True},
            "reply": json_reply({"type": "object", "properties": {"maSo": {"type": "integer"}}}),
        },
        {"name": "tuDo", "path": "/tu-do", "method": "POST"},
        {"name": "loiNhan", "path": "/loi-nhan", "reply": {"media_type": "text/plain"}},
        {"name": "tep", "path": "/tep", "reply": {"media_type": "application/pdf"}},
    ]


def an_offer(**soap: Any) -> dict[str, Any]:
    """Return what a version has beyond its endpoint."""
    return {"operations": a_list_of_operations(), "schemas": {"Nguoi": PERSON}, "soap": soap}


def an_offered_version(operations: list[dict[str, Any]] | None = None, **given: Any) -> Version:
    """Return a published version that is offered as SOAP."""
    document = {
        "service": "HoTich",
        "version": "1.0",
        "endpoints": {},
        "status": "published",
        "operations": operations if operations is not None else a_list_of_operations(),
        "schemas": {"Nguoi": PERSON},
        "soap": {},
    } | given
    version = parse(Kind.VERSION, document)
    assert isinstance(version, Version)
    return version


def compiled(version: Version | None = None) -> Offer:
    return Offer(version or an_offered_version(), "HoTich")


def wsdl_of(offer: Offer) -> str:
    return render(
        offer, service="HoTich", title="Hộ tịch (giả lập)", address="http://127.0.0.1/soap/HoTich/1.0"
    )


def schema_in(wsdl: str, folder: Path) -> etree.XMLSchema:
    """Return the schema of a WSDL's messages, as libxml2 reads it."""
    root = etree.fromstring(wsdl.encode())
    common, ours = root.findall(f".//{{{XSD}}}schema")
    (folder / "common.xsd").write_bytes(etree.tostring(common))
    imported = ours.find(f"{{{XSD}}}import")
    assert imported is not None
    imported.set("schemaLocation", "common.xsd")
    (folder / "ours.xsd").write_bytes(etree.tostring(ours))
    return etree.XMLSchema(etree.parse(folder / "ours.xsd"))


def message(element: str, inside: str = "", namespace: str = NAMESPACE) -> str:
    """Return what stands in an envelope's body."""
    return f'<t:{element} xmlns:t="{namespace}" xmlns:xsi="{XSI}">{inside}</t:{element}>'


def envelope(body: str, *, version: str = "1.1", header: str = "", before: str = "") -> bytes:
    """Return a message of either version."""
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return f'{before}<s:Envelope xmlns:s="{NAMESPACES[version]}">{head}<s:Body>{body}</s:Body></s:Envelope>'.encode()


def caller_block(**said: str) -> str:
    """Return the header block by which software says what it cannot say in HTTP headers."""
    inside = "".join(f"<c:{name}>{text}</c:{name}>" for name, text in said.items())
    return f'<c:Caller xmlns:c="{COMMON}">{inside}</c:Caller>'
