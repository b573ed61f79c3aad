"""An invented service as a version offered as SOAP, for the tests of the facade and its clients."""

from typing import Any

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


def operations() -> list[dict[str, Any]]:
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
    return {"operations": operations(), "schemas": {"Nguoi": PERSON}, "soap": soap}
