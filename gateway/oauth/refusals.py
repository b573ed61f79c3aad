"""Everything that `/token` can refuse for: the OAuth error that it is, and what to tell the caller.

Status and turn are those of the OAuth error in `gateway.notices`; a few flaws of HTTP have a status of their own.
"""

from dataclasses import dataclass
from enum import StrEnum

from auth.errors import ClientReason
from gateway.notices import TOKEN


class Flaw(StrEnum):
    """What can be wrong with a token request itself, or with us. Stable codes, beside those of `ClientReason`."""

    METHOD = "method-not-allowed"
    BODY_TOO_LARGE = "body-too-large"
    BODY_TYPE = "body-type"
    BODY_UNREADABLE = "body-unreadable"
    PARAMETER_REPEATED = "parameter-repeated"
    GRANT_TYPE_MISSING = "grant-type-missing"
    GRANT_TYPE_UNSUPPORTED = "grant-type-unsupported"
    CREDENTIALS_MISSING = "credentials-missing"
    CREDENTIALS_TWICE = "credentials-twice"
    CREDENTIALS_IN_QUERY = "credentials-in-query"
    BASIC_UNREADABLE = "basic-unreadable"
    ASSERTION_TYPE = "assertion-type"
    TOO_MANY_FAILURES = "too-many-failures"
    STORE_UNAVAILABLE = "store-unavailable"
    KEY_MISSING = "key-missing"


class TokenRefused(Exception):
    """A token request ends here. `retry_after` is in seconds."""

    def __init__(self, code: Flaw | ClientReason, *, retry_after: int | None = None) -> None:
        super().__init__(code.value)
        self.code = code
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Telling:
    """How a refusal is told: the OAuth error, the text in both languages, a status unless the error's own."""

    error: str
    vi: str
    en: str
    own_status: int | None = None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.own_status or TOKEN[self.error].status

    def document(self, code: str) -> dict[str, object]:
        """Return the answer's body: RFC 6749, 5.2, with the code, whose turn it is, and both texts beside it."""
        turn = TOKEN[self.error].turn
        who_vi, who_en = TURNS[turn]
        vi, en = f"{self.vi} {who_vi}", f"{self.en} {who_en}"
        return {
            "error": self.error,
            "error_description": f"{vi} / {en}",
            "code": code,
            "turn": turn,
            "messages": {"vi": vi, "en": en},
        }


TURNS = {
    "consumer": ("Bên sử dụng cần xử lý.", "The consumer has to act."),
    "province": ("Đơn vị vận hành nút cần xử lý.", "The operator of this node has to act."),
}


def _request(vi: str, en: str, status: int | None = None) -> Telling:
    return Telling("invalid_request", vi, en, status)


def _client(vi: str, en: str) -> Telling:
    return Telling("invalid_client", vi, en)


def _node(vi: str, en: str) -> Telling:
    return Telling("temporarily_unavailable", vi, en)


REFUSALS: dict[Flaw | ClientReason, Telling] = {
    # the request
    Flaw.METHOD: _request("Chỉ chấp nhận phương thức POST.", "Only POST is accepted.", 405),
    Flaw.BODY_TOO_LARGE: _request("Nội dung yêu cầu quá lớn.", "The request's body is too large.", 413),
    Flaw.BODY_TYPE: _request(
        "Kiểu nội dung phải là application/x-www-form-urlencoded hoặc application/json.",
        "The content type must be application/x-www-form-urlencoded or application/json.",
    ),
    Flaw.BODY_UNREADABLE: _request(
        "Không đọc được nội dung yêu cầu: cần biểu mẫu, hoặc một đối tượng JSON chỉ gồm các chuỗi.",
        "The body cannot be read: a form, or a JSON object of strings, is needed.",
    ),
    Flaw.PARAMETER_REPEATED: _request("Có tham số bị lặp lại.", "A parameter is given more than once."),
    Flaw.GRANT_TYPE_MISSING: _request("Thiếu tham số grant_type.", "The parameter grant_type is missing."),
    Flaw.GRANT_TYPE_UNSUPPORTED: Telling(
        "unsupported_grant_type",
        "Chỉ hỗ trợ grant_type=client_credentials.",
        "Only grant_type=client_credentials is supported.",
    ),
    Flaw.CREDENTIALS_MISSING: _client(
        "Thiếu thông tin xác thực của ứng dụng.", "The client's credentials are missing."
    ),
    Flaw.CREDENTIALS_TWICE: _request(
        "Thông tin xác thực phải nằm ở đúng một nơi: tiêu đề Authorization, nội dung, hoặc client_assertion.",
        "Credentials must stand in exactly one place: the Authorization header, the body, or client_assertion.",
    ),
    Flaw.CREDENTIALS_IN_QUERY: _request(
        "Không được gửi thông tin xác thực trên địa chỉ: hãy thay mã bí mật này vì nó có thể đã bị ghi nhật ký.",
        "Credentials must not stand in the address: replace this secret, since it may have been logged.",
    ),
    Flaw.BASIC_UNREADABLE: _client(
        "Không đọc được tiêu đề Authorization: cần Basic và base64 của client_id:client_secret.",
        "The Authorization header cannot be read: Basic and the base64 of client_id:client_secret are needed.",
    ),
    Flaw.ASSERTION_TYPE: _request(
        "client_assertion_type phải là urn:ietf:params:oauth:client-assertion-type:jwt-bearer.",
        "client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer.",
    ),
    Flaw.TOO_MANY_FAILURES: Telling(
        "slow_down",
        "Xác thực thất bại quá nhiều lần từ địa chỉ này; thông tin xác thực đúng vẫn được chấp nhận.",
        "Too many failed sign-ins from this address; the right credentials are still accepted.",
    ),
    # the client
    ClientReason.CREDENTIALS_WRONG: _client(
        "Mã ứng dụng hoặc mã bí mật không đúng.", "The client id or the secret is wrong."
    ),
    ClientReason.SECRET_EXPIRED: _client(
        "Mã bí mật này đã được thay và không còn hiệu lực.",
        "This secret has been replaced and is no longer valid.",
    ),
    ClientReason.DISABLED: _client(
        "Ứng dụng đã bị khóa; hãy liên hệ quản trị nút.",
        "The client is disabled; contact the node's administrator.",
    ),
    ClientReason.NETWORK: _client(
        "Ứng dụng không được phép gọi từ địa chỉ mạng này.",
        "The client is not allowed to call from this network address.",
    ),
    ClientReason.ASSERTION_MALFORMED: _client(
        "client_assertion không phải là JWT hợp lệ.", "client_assertion is not a proper JWT."
    ),
    ClientReason.ASSERTION_KEY: _client(
        "Chữ ký của client_assertion không khớp với khóa nào đã đăng ký của ứng dụng.",
        "No registered key of the client made the signature of client_assertion.",
    ),
    ClientReason.ASSERTION_ISSUER: _client(
        "iss và sub của client_assertion phải là mã ứng dụng.",
        "iss and sub of client_assertion must be the client id.",
    ),
    ClientReason.ASSERTION_AUDIENCE: _client(
        "aud của client_assertion phải là một chuỗi, đúng bằng issuer của nút này.",
        "aud of client_assertion must be one string, exactly this node's issuer.",
    ),
    ClientReason.ASSERTION_EXPIRED: _client(
        "client_assertion đã hết hạn; hãy kiểm tra đồng hồ của máy.",
        "client_assertion has expired; check the machine's clock.",
    ),
    ClientReason.ASSERTION_NOT_YET: _client(
        "client_assertion chưa có hiệu lực; hãy kiểm tra đồng hồ của máy.",
        "client_assertion is not valid yet; check the machine's clock.",
    ),
    ClientReason.ASSERTION_TOO_LONG: _client(
        "client_assertion chỉ được có hiệu lực tối đa 5 phút.",
        "client_assertion may be valid for 5 minutes at most.",
    ),
    ClientReason.ASSERTION_JTI: _client(
        "client_assertion phải có jti là chuỗi từ 1 đến 255 ký tự.",
        "client_assertion needs a jti, a string of 1 to 255 characters.",
    ),
    ClientReason.ASSERTION_REPLAYED: _client(
        "client_assertion này đã được dùng; mỗi lần gọi cần một jti mới.",
        "This client_assertion has been used; every request needs a new jti.",
    ),
    # the node
    Flaw.STORE_UNAVAILABLE: _node(
        "Nút không truy cập được cơ sở dữ liệu; hãy thử lại sau.",
        "The node cannot reach its database; try again later.",
    ),
    Flaw.KEY_MISSING: _node("Nút chưa có khóa ký.", "The node has no signing key."),
}
