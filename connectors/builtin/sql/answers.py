"""What a caller is told by this connector itself: problems in both languages, without values, SQL or servers' texts."""

import orjson

from connectors.contract import Done
from connectors.message import Message

JSON = "application/json"
PROBLEM = "application/problem+json"

_TEXTS: dict[str, tuple[int, str, str]] = {
    "parameter-invalid": (
        400,
        "Tham số không hợp lệ.",
        "A parameter is not valid.",
    ),
    "body-too-large": (413, "Nội dung gửi lên quá lớn.", "The body is too large."),
    "nothing-found": (404, "Không tìm thấy dữ liệu.", "Nothing was found."),
    "conflict": (409, "Dữ liệu này đã tồn tại.", "This is there already."),
    "values-refused": (
        422,
        "Cơ sở dữ liệu không chấp nhận các giá trị này.",
        "The database does not take these values.",
    ),
    "too-many-rows": (
        422,
        "Kết quả có quá nhiều dòng; hãy thu hẹp điều kiện tra cứu.",
        "The result has too many rows; ask for less.",
    ),
}


def answer(body: bytes, media_type: str = JSON) -> Done:
    """Return a good answer."""
    return Done(status=200, reply=Message(body, media_type, [(b"content-type", media_type.encode())]))


def problem(code: str, *, parameter: str = "", rule: str = "") -> Done:
    """Return an answer that says what is wrong; `parameter` and `rule` are words of the statement's declaration."""
    status, vi, en = _TEXTS[code]
    told: dict[str, object] = {"title": en, "status": status, "code": code, "messages": {"vi": vi, "en": en}}
    if parameter:
        told["parameter"] = parameter
    if rule:
        told["rule"] = rule
    return Done(
        status=status, reply=Message(orjson.dumps(told), PROBLEM, [(b"content-type", PROBLEM.encode())])
    )
