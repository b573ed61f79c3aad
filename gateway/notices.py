"""What callers are told outside an exchange: by the guard, by `/token` and by the admin API."""

from dataclasses import dataclass
from typing import Final, Literal

from gateway.texts import Text, text

Turn = Literal["consumer", "province", "hub", "provider"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A problem that belongs to no exchange: its status, whose turn it is, whether a retry helps, its text."""

    status: int
    turn: Turn
    helps: bool
    text: Text


def _bad(title_vi: str, title_en: str, detail_vi: str, detail_en: str, *, status: int = 400) -> Notice:
    """Make a notice of a request that has to be changed by its caller."""
    return Notice(status, "consumer", helps=False, text=text(title_vi, title_en, detail_vi, detail_en))


def _late(turn: Turn, status: int, title_vi: str, title_en: str, detail_vi: str, detail_en: str) -> Notice:
    """Make a notice of something that may be gone when the caller comes again."""
    return Notice(status, turn, helps=True, text=text(title_vi, title_en, detail_vi, detail_en))


GUARD: Final[dict[str, Notice]] = {
    "http-malformed": _bad(
        "Yêu cầu HTTP sai cú pháp",
        "Malformed HTTP",
        "Yêu cầu không đúng cú pháp HTTP/1.1 nên kết nối bị đóng.",
        "The request does not follow the syntax of HTTP/1.1; the connection is closed.",
    ),
    "http-version": _bad(
        "Phiên bản HTTP không được hỗ trợ",
        "HTTP version not supported",
        "Nút chỉ nhận HTTP/1.0 và HTTP/1.1.",
        "The node takes HTTP/1.0 and HTTP/1.1 only.",
    ),
    "host-ambiguous": _bad(
        "Tiêu đề Host không rõ ràng",
        "Ambiguous Host",
        "Yêu cầu phải có đúng một tiêu đề Host hợp lệ.",
        "A request must have exactly one valid Host header.",
    ),
    "length-ambiguous": _bad(
        "Content-Length không rõ ràng",
        "Ambiguous Content-Length",
        "Content-Length phải có một lần, chỉ gồm chữ số, và không đi cùng Transfer-Encoding.",
        "Content-Length must stand once, hold digits only, and not stand beside Transfer-Encoding.",
    ),
    "coding-ambiguous": _bad(
        "Transfer-Encoding không rõ ràng",
        "Ambiguous Transfer-Encoding",
        "Transfer-Encoding chỉ được là «chunked», có một lần, và chỉ trong HTTP/1.1.",
        "Transfer-Encoding may only be “chunked”, once, and in HTTP/1.1.",
    ),
    "header-name": _bad(
        "Tên tiêu đề không được phép",
        "Header name not allowed",
        "Tên tiêu đề có dấu gạch dưới bị từ chối vì các máy chủ hiểu khác nhau.",
        "Header names with an underscore are refused, because servers read them differently.",
    ),
    "target-authority": _bad(
        "Địa chỉ yêu cầu khác với Host",
        "The target is not the Host",
        "Máy chủ nêu trong địa chỉ tuyệt đối phải trùng với tiêu đề Host.",
        "The authority in an absolute address must be the one in Host.",
    ),
    "target-form": _bad(
        "Dạng địa chỉ yêu cầu không được phép",
        "Form of the target not allowed",
        "Nút không nhận CONNECT, «*» hay phần «#» trong địa chỉ yêu cầu.",
        "The node takes no CONNECT, no “*” and no fragment in the request target.",
    ),
    "upgrade-refused": _bad(
        "Không hỗ trợ chuyển giao thức",
        "No upgrade here",
        "Nút không hỗ trợ WebSocket.",
        "The node does not speak WebSocket.",
    ),
    "pipeline-too-deep": _bad(
        "Quá nhiều yêu cầu gửi dồn",
        "Too many pipelined requests",
        "Bên gọi gửi dồn quá nhiều yêu cầu trên một kết nối mà chưa chờ trả lời.",
        "The caller sent too many requests on one connection without waiting for answers.",
    ),
    "chunk-overhead": _bad(
        "Phần mở rộng của khối quá lớn",
        "Too much in chunk extensions",
        "Phần mở rộng hoặc phần đuôi của nội dung chia khối lớn hơn mức cho phép.",
        "The extensions or trailers of the chunked body are larger than allowed.",
    ),
    "head-too-large": _bad(
        "Phần đầu yêu cầu quá lớn",
        "The head is too large",
        "Tổng kích thước các tiêu đề lớn hơn mức cho phép.",
        "All headers together are larger than allowed.",
        status=431,
    ),
    "header-too-large": _bad(
        "Tiêu đề quá lớn",
        "A header is too large",
        "Một tiêu đề lớn hơn mức cho phép.",
        "One header is larger than allowed.",
        status=431,
    ),
    "headers-too-many": _bad(
        "Quá nhiều tiêu đề",
        "Too many headers",
        "Yêu cầu có nhiều tiêu đề hơn mức cho phép.",
        "The request has more headers than allowed.",
        status=431,
    ),
    "target-too-long": _bad(
        "Địa chỉ yêu cầu quá dài",
        "The target is too long",
        "Địa chỉ yêu cầu dài hơn mức cho phép.",
        "The request target is longer than allowed.",
        status=414,
    ),
    "head-timeout": _late(
        "consumer",
        408,
        "Phần đầu yêu cầu đến quá chậm",
        "The head took too long",
        "Phần đầu của yêu cầu không đến đủ trong thời gian cho phép.",
        "The head of the request did not arrive in the time allowed.",
    ),
    "body-timeout": _late(
        "consumer",
        408,
        "Nội dung yêu cầu đến quá chậm",
        "The body took too long",
        "Nội dung của yêu cầu bị ngừng gửi quá lâu.",
        "The body of the request stopped arriving for too long.",
    ),
    "connections-per-address": _late(
        "consumer",
        503,
        "Quá nhiều kết nối từ một địa chỉ",
        "Too many connections from one address",
        "Địa chỉ này đang mở nhiều kết nối hơn mức cho phép.",
        "This address has more connections open than allowed.",
    ),
    "connections-all": _late(
        "province",
        503,
        "Nút đang có quá nhiều kết nối",
        "The node has too many connections",
        "Số kết nối của nút đã đạt giới hạn. Hãy thử lại sau.",
        "The node's limit of open connections is reached. Try again later.",
    ),
}
"""By the guard's reason."""

ADMIN: Final[dict[str, Notice]] = {
    "validation-failed": _bad(
        "Dữ liệu không hợp lệ",
        "The document is not valid",
        "Dữ liệu gửi lên vi phạm quy tắc; «errors» nêu từng trường bị lỗi.",
        "The document breaks the rules; “errors” names each field.",
        status=422,
    ),
    "settings-refused": _bad(
        "Cấu hình điểm kết nối không hợp lệ",
        "The endpoint's settings are not valid",
        "Cấu hình điểm kết nối không đúng với loại đầu nối đã chọn.",
        "The endpoint's settings are not what its kind of connector takes.",
        status=422,
    ),
    "connector-unknown": _bad(
        "Không có loại đầu nối này",
        "No such connector",
        "Nút này không cài loại đầu nối được nêu.",
        "No connector of that kind is installed on this node.",
        status=422,
    ),
    "forbidden": _bad(
        "Không có quyền thực hiện",
        "Not allowed",
        "Vai trò của bạn không cho phép thực hiện việc này[[: {why}]].",
        "Your role does not allow this[[: {why}]].",
        status=403,
    ),
    "not-found": _bad(
        "Không tìm thấy",
        "Not found",
        "Không có đối tượng nào với mã hoặc tên đó[[ ({kind}: {label})]].",
        "No object has this id or code[[ ({kind}: {label})]].",
        status=404,
    ),
    "method-unsupported": _bad(
        "Phương thức không được hỗ trợ",
        "Method not supported",
        "Địa chỉ này không nhận phương thức đã dùng[[; các phương thức được phép: {allow}]].",
        "This address does not take the method that was used[[; it takes: {allow}]].",
        status=405,
    ),
    "not-acceptable": _bad(
        "Không có dạng trả lời được yêu cầu",
        "Not available in that form",
        "Địa chỉ này không trả lời theo dạng nêu trong Accept.",
        "This address does not answer in the form that Accept asks for.",
        status=406,
    ),
    "media-type": _bad(
        "Kiểu nội dung không được hỗ trợ",
        "Media type not supported",
        "Hãy gửi nội dung theo kiểu mà địa chỉ này quy định[[ ({expected})]].",
        "Send the body in the media type that this address takes[[ ({expected})]].",
        status=415,
    ),
    "conflict": _bad(
        "Mâu thuẫn với dữ liệu hiện có",
        "Conflict with what is there",
        "Thay đổi mâu thuẫn với dữ liệu hiện có[[: {why}]].",
        "The change contradicts what is there[[: {why}]].",
        status=409,
    ),
    "wrong-state": _bad(
        "Không thực hiện được ở trạng thái này",
        "Not possible in this state",
        "Trạng thái hiện tại của đối tượng không cho phép bước này[[: {why}]].",
        "The object's present state does not allow this step[[: {why}]].",
        status=409,
    ),
    "version-stale": _bad(
        "Đối tượng đã được thay đổi",
        "The object has changed",
        "Đối tượng đã thay đổi sau khi bạn đọc[[ (hiện ở bản {current}, bạn gửi bản {given})]]. Hãy đọc lại, xem «difference» rồi gửi lại.",
        "The object has changed since you read it[[ (now at {current}, you sent {given})]]. Read it again, look at “difference” and repeat.",
        status=412,
    ),
    "precondition-required": _bad(
        "Thiếu If-Match",
        "If-Match is required",
        "Khi thay đổi đối tượng, hãy gửi ETag đã đọc trong tiêu đề If-Match.",
        "To change an object, send the ETag that you read in If-Match.",
        status=428,
    ),
    "client-refused": _bad(
        "Không xác thực được ứng dụng",
        "The client cannot be verified",
        "Thông tin xác thực của ứng dụng không được chấp nhận[[ ({why})]].",
        "The client's credentials are not accepted[[ ({why})]].",
        status=401,
    ),
    "store-unavailable": _late(
        "province",
        503,
        "Cơ sở dữ liệu của nút không sẵn sàng",
        "The node's database is not available",
        "Nút không truy cập được cơ sở dữ liệu. Hãy thử lại sau.",
        "The node cannot reach or write its database. Try again later.",
    ),
    "schema-unknown": Notice(
        503,
        "province",
        helps=False,
        text=text(
            "Cấu trúc cơ sở dữ liệu không đúng phiên bản",
            "The database's schema is not the right one",
            "Quản trị nút cần chạy «lgsp database upgrade».",
            "The node's administrator has to run “lgsp database upgrade”.",
        ),
    ),
    "key-missing": Notice(
        503,
        "province",
        helps=True,
        text=text(
            "Nút chưa có khóa ký",
            "The node has no signing key",
            "Nút chưa có khóa để cấp mã truy cập. Hãy thử lại sau.",
            "The node has no key to sign access tokens with. Try again later.",
        ),
    ),
    "not-ready": _late(
        "province",
        503,
        "Nút chưa sẵn sàng",
        "The node is not ready",
        "Nút đang khởi động. Hãy thử lại sau ít giây.",
        "The node is starting. Try again in a few seconds.",
    ),
}
"""By the code of the admin API's problem."""

TOKEN: Final[dict[str, Notice]] = {
    "invalid_request": _bad(
        "Yêu cầu không hợp lệ",
        "Invalid request",
        "Yêu cầu lấy mã thiếu tham số, lặp tham số hoặc dùng hai cách xác thực cùng lúc.",
        "A parameter is missing or repeated, or the client authenticates in two ways at once.",
    ),
    "invalid_client": _bad(
        "Không xác thực được ứng dụng",
        "Client authentication failed",
        "Mã ứng dụng hoặc khóa bí mật không đúng, đã hết hạn, hoặc ứng dụng bị khóa.",
        "The client id or its credentials are wrong or expired, or the client is disabled.",
        status=401,
    ),
    "invalid_grant": _bad(
        "Thông tin cấp mã không hợp lệ",
        "Invalid grant",
        "Thông tin dùng để lấy mã không hợp lệ hoặc đã hết hạn.",
        "What the token was asked for with is invalid or has expired.",
    ),
    "unauthorized_client": _bad(
        "Ứng dụng không được dùng cách này",
        "Client not allowed",
        "Ứng dụng không được phép lấy mã theo cách này hoặc từ mạng này.",
        "The client may not get a token in this way or from this network.",
    ),
    "unsupported_grant_type": _bad(
        "grant_type không được hỗ trợ",
        "Unsupported grant_type",
        "Nút chỉ hỗ trợ grant_type=client_credentials.",
        "The node supports grant_type=client_credentials only.",
    ),
    "invalid_scope": _bad(
        "Phạm vi không hợp lệ",
        "Invalid scope",
        "Phạm vi được yêu cầu không có hoặc không dành cho ứng dụng này.",
        "The scope asked for does not exist or is not for this client.",
    ),
    "slow_down": _late(
        "consumer",
        429,
        "Quá nhiều lần thất bại",
        "Too many failures",
        "Địa chỉ này đã xác thực sai quá nhiều lần cho ứng dụng này. Hãy chờ rồi thử lại.",
        "This address has failed too often for this client. Wait, then try again.",
    ),
    "temporarily_unavailable": _late(
        "province",
        503,
        "Tạm thời không cấp được mã",
        "Temporarily unavailable",
        "Nút tạm thời không cấp được mã truy cập. Hãy thử lại sau.",
        "The node cannot issue tokens at the moment. Try again later.",
    ),
    "server_error": _late(
        "province",
        500,
        "Lỗi của nút",
        "Server error",
        "Nút gặp lỗi ngoài dự kiến và đã ghi nhật ký.",
        "The node met an unexpected error and has logged it.",
    ),
}
"""By the error code of RFC 6749 (`slow_down` of RFC 8628), as `/token` answers it."""
