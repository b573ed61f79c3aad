"""What every OpenAPI description of ours holds beside the version's own: the token, our headers, problems."""

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]  # Any: a part of a description

SCHEME: Final = "token"
_CODE: Final = {"type": "string", "maxLength": 200}
_PARAMETERS: Final[Mapping[str, tuple[str, str]]] = {
    "Lgsp-Purpose": (
        "Mục đích khai thác; cần khi quyền được cấp yêu cầu.",
        "Why the call is made; needed where the grant asks for it.",
    ),
    "Lgsp-Officer": (
        "Mã cán bộ thực hiện tra cứu; cần khi quyền được cấp yêu cầu.",
        "The officer on whose account the call is made; needed where the grant asks for it.",
    ),
    "Lgsp-Procedure": (
        "Mã thủ tục hành chính (TTHC); cần khi quyền được cấp yêu cầu.",
        "The code of the administrative procedure; needed where the grant asks for it.",
    ),
    "Lgsp-System": (
        "Hệ thống mà ứng dụng dùng chung gọi thay: mã hoặc id.",
        "The system for which a shared client calls: its code or id.",
    ),
    "Lgsp-Correlation-Id": (
        "Số của bên gọi, được ghi lại; tối đa 64 ký tự an toàn.",
        "The caller's own number, recorded; up to 64 safe characters.",
    ),
}
_KEY: Final = (
    "Khóa chống lặp của bên gọi: cùng một khóa khi gửi lại cùng một yêu cầu. Khóa được chuyển tới bên cung cấp.",
    "The caller's key against doing it twice: the same one when the same request is sent again. The provider gets it.",
)
OURS: Final = tuple(_PARAMETERS)
KEY: Final = "Idempotency-Key"
PROBLEMS: Final[Mapping[str, str]] = {
    "400": "Yêu cầu sai / The request is wrong",
    "401": "Token thiếu, hết hạn hoặc bị từ chối / No token, or one that is not good",
    "403": "Không có quyền / There is no grant for this",
    "404": "Không có dịch vụ hoặc thao tác này, hoặc bên cung cấp không tìm thấy / There is no such service or operation, or the provider found nothing",
    "429": "Quá hạn mức / Over the quota",
    "502": "Bên cung cấp trả lời sai / The provider's answer is broken",
    "503": "Tạm thời không phục vụ / Not available for the moment",
    "504": "Bên cung cấp không trả lời / The provider gave no answer",
}
"""The statuses that callers should be ready for; all others are described as `default`."""
_FAULT: Final[Json] = {
    "type": "object",
    "required": ["fault"],
    "properties": {
        "fault": {
            "type": "object",
            "required": ["code", "message", "description"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "description": {"type": "string"},
            },
        }
    },
}


def components(
    issuer: str, schemas: Json, problem: Mapping[str, Any], *, fault: bool
) -> Json:  # Any: a schema
    """Return the shared parts around the version's schemas; `fault`: errors may come as WSO2's."""
    content: Json = {"application/problem+json": {"schema": _own(problem)}}
    if fault:
        content["application/json"] = {"schema": _FAULT}
    return {
        "schemas": schemas,
        "parameters": {name: header(name, *texts) for name, texts in (*_PARAMETERS.items(), (KEY, _KEY))},
        "responses": {"Problem": {"description": "Problem (RFC 9457)", "content": content}},
        "headers": {
            "Lgsp-Exchange-Id": {
                "description": "Mã giao dịch, có trong bằng chứng / The exchange, as evidence names it",
                "schema": {"type": "string", "format": "uuid"},
            }
        },
        "securitySchemes": {
            SCHEME: {
                "type": "oauth2",
                "description": "POST, client_id:client_secret (Basic)",
                "flows": {"clientCredentials": {"tokenUrl": f"{issuer}/token", "scopes": {}}},
            }
        },
    }


def header(name: str, vi: str, en: str) -> Json:
    """Return one of our headers as a parameter."""
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": f"{vi} / {en}",
        "schema": _CODE,
        "x-lgsp-node": True,
    }


def problems() -> Json:
    """Return the answers that are ours."""
    shared = {"$ref": "#/components/responses/Problem"}
    return {status: shared | {"description": text} for status, text in PROBLEMS.items()} | {"default": shared}


def _own(problem: Mapping[str, Any]) -> Json:  # Any: a JSON Schema
    """Return the problem of the data plane: what only the admin API adds is left out."""
    admin = {"errors", "difference", "current"}
    kept = {name: one for name, one in problem["properties"].items() if name not in admin}
    return {**problem, "properties": kept}
