"""An invented version with something of everything, for the tests of descriptions."""

from typing import Any

from registry.documents import parse
from registry.entities import Kind, Service, Version
from tests.factories import a_service, a_version

ISSUER = "https://lgsp.example.invalid"
NGUOI: dict[str, Any] = {
    "type": "object",
    "description": "Một người (giả lập)",
    "required": ["hoTen"],
    "properties": {
        "hoTen": {"type": "string"},
        "ngaySinh": {"type": ["string", "null"], "format": "date"},
        "con": {"type": "array", "items": {"$ref": "#/schemas/Nguoi"}},
        "giayTo": {"$ref": "#/schemas/GiayTo"},
    },
}
GIAY_TO: dict[str, Any] = {
    "oneOf": [{"$ref": "#/schemas/Giay-CCCD"}, {"type": "object"}],
    "discriminator": {"propertyName": "loai", "mapping": {"cccd": "#/schemas/Giay-CCCD"}},
}
CCCD: dict[str, Any] = {"type": "object", "properties": {"so": {"type": "string", "pattern": "^[0-9]{12}$"}}}


def operations() -> list[dict[str, Any]]:
    """Return operations that differ in all that a description says."""
    person = {"schema": {"$ref": "#/schemas/Nguoi"}}
    return [
        {
            "name": "chiTiet",
            "path": "/nguoi/{so}",
            "title_vi": "Xem một người (giả lập)",
            "title_en": "See a person (invented)",
            "subject_at": "path:so",
            "subject_type": "citizen-id",
            "parameters": [
                {"name": "so", "at": "path", "required": True, "schema": {"type": "string"}, "note": "Số"},
                {"name": "ngày", "at": "query", "schema": {"type": "string", "format": "date"}},
                {"name": "X-Can-Bo", "at": "header", "required": True, "schema": {"type": "string"}},
            ],
            "reply": person | {"examples": {"mot": {"hoTen": "Nguyễn Văn Ví Dụ"}}},
        },
        {
            "name": "suaNguoi", "method": "PUT", "path": "/nguoi/{ma}", "effect": "write", "title_vi": "Sửa (giả lập)",
            "request": person | {"required": True},
        },
        {"name": "tim", "method": "POST", "path": "/nguoi/tim-kiem", "request": {"schema": {"type": "object"}}},
        {"name": "demDong", "path": "/dong", "counts": False, "title_en": "Count rows (invented)"},
        {"name": "tep", "path": "/tep/{duong*}", "reply": {"media_type": "application/pdf"}},
        {"name": "khac", "method": "ANY", "path": "/khac/{duong*}"},
        {"name": "bao.cao_1", "method": "HEAD", "path": "/báo cáo/a.b"},
    ]  # fmt: skip


def a_described_version(**given: Any) -> Version:
    """Return the version."""
    what = {
        "schemas": {"Nguoi": NGUOI, "GiayTo": GIAY_TO, "Giay-CCCD": CCCD},
        "operations": operations(),
    } | given
    version = parse(Kind.VERSION, a_version("HoTich", **what))
    assert isinstance(version, Version)
    return version


def its_service(**given: Any) -> Service:
    """Return the service of that version."""
    service = parse(Kind.SERVICE, a_service("HoTich", **given))
    assert isinstance(service, Service)
    return service
