"""What of a description could not be taken: where, why, and what happens instead. The only place of these words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple


class Words(NamedTuple):
    """Why, and what happens instead, in Vietnamese and in English."""

    why_vi: str
    why_en: str
    instead_vi: str
    instead_en: str


_OPEN = ("chỗ này nhận mọi giá trị", "anything is allowed there")
_DROPPED = ("phần này được bỏ qua", "it is left out")
_NO_OPERATION = ("thao tác này không được nhận", "the operation is not taken")
_NO_PARAMETER = ("tham số này không được nhận", "the parameter is not taken")

REASONS: Final[Mapping[str, Words]] = {
    # the document
    "characters": Words(
        "có ký tự điều khiển", "there are control characters", "chúng được thay bằng U+FFFD", "they become U+FFFD"
    ),
    "numbers": Words(
        "có số nguyên quá 64 bit", "there are integers beyond 64 bits", "chúng được làm tròn", "they are rounded"
    ),
    "openapi-version": Words(
        "phiên bản OpenAPI chưa biết", "the version of OpenAPI is not known",
        "được đọc như OpenAPI 3.1", "it is read as OpenAPI 3.1",
    ),
    "swagger": Words(
        "mô tả theo Swagger 2.0", "the description is Swagger 2.0",
        "được chuyển sang OpenAPI 3.0 rồi đọc", "it is turned into OpenAPI 3.0 and read as such",
    ),
    "dialect": Words(
        "lược đồ theo phương ngữ khác", "the schemas are in another dialect",
        "được đọc như JSON Schema 2020-12", "they are read as JSON Schema 2020-12",
    ),
    "webhooks": Words("webhook không phải là thao tác để gọi", "webhooks are no operations to call", *_DROPPED),
    "callbacks": Words("nút không nhận lời gọi ngược", "the node takes no callbacks", *_DROPPED),
    "server": Words(
        "không có địa chỉ http(s) tuyệt đối", "there is no absolute http(s) address",
        "hãy nêu địa chỉ bằng --url", "give the address with --url",
    ),
    "server-elsewhere": Words(
        "thao tác có địa chỉ riêng", "the operation has an address of its own",
        "dùng địa chỉ chung của phiên bản", "that of the version is used",
    ),
    "security": Words(
        "mô tả không chứa thông tin đăng nhập của bên cung cấp", "a description holds no credentials for the provider",
        "hãy đặt `credentials` trong cấu hình của điểm kết nối", "set `credentials` in the endpoint's settings",
    ),
    "beside-reference": Words(
        "bên cạnh `$ref` của một đường dẫn không có gì được đọc", "nothing is read beside the `$ref` of a path", *_DROPPED
    ),
    # operations
    "structure": Words("không đúng cấu trúc của mô tả", "this is not what a description has here", *_DROPPED),
    "path": Words("đường dẫn không dùng được ở đây", "the path cannot be used here", *_NO_OPERATION),
    "path-segment": Words(
        "biến chỉ là một phần của đoạn đường dẫn", "a variable is only a part of a path's segment",
        "cả đoạn là một biến", "the whole segment is one variable",
    ),
    "path-name": Words(
        "tên biến có ký tự không dùng được", "the variable's name has characters that cannot be used",
        "biến được đổi tên", "the variable has another name",
    ),
    "path-taken": Words(
        "thao tác khác đã có phương thức và dạng đường dẫn này", "another operation has this method and form of path",
        *_NO_OPERATION,
    ),
    "method": Words("phương thức này không được chuyển tiếp", "this method is not carried", *_NO_OPERATION),
    "too-many-operations": Words(
        "quá nhiều thao tác cho một phiên bản", "there are too many operations for one version", *_NO_OPERATION
    ),
    "name": Words(
        "tên thao tác có ký tự không dùng được, hoặc quá dài", "the operation's name cannot be used as it is",
        "thao tác có tên khác", "the operation has another name",
    ),
    "name-taken": Words(
        "operationId bị lặp", "the operationId stands twice",
        "thao tác có tên khác", "the operation has another name",
    ),
    "deprecated": Words(
        "thao tác đã ngừng khuyến nghị", "the operation is deprecated",
        "vẫn được nhận, không kèm dấu này", "it is taken, without that mark",
    ),
    # parameters
    "parameter": Words("tham số không đọc được", "the parameter cannot be read", *_NO_PARAMETER),
    "cookie": Words("cookie không tới bên cung cấp", "cookies do not reach the provider", *_NO_PARAMETER),
    "header-ours": Words("tiêu đề này do nút dùng", "this header is the node's own", *_NO_PARAMETER),
    "parameter-style": Words(
        "cách viết tham số này không kiểm tra được", "this style of parameter cannot be checked", *_OPEN
    ),
    "parameter-undeclared": Words(
        "biến của đường dẫn không được khai báo", "the path's variable is not declared",
        "nhận mọi chuỗi", "it takes any text",
    ),
    "too-many-parameters": Words("quá nhiều tham số", "there are too many parameters", *_NO_PARAMETER),
    # bodies
    "media-type": Words(
        "chỉ nhận một kiểu nội dung cho mỗi chiều", "one media type is taken for each direction", *_DROPPED
    ),
    "not-json": Words(
        "nội dung không phải JSON", "the body is not JSON",
        "kiểu nội dung được nhận, lược đồ thì không", "the media type is taken, the schema is not",
    ),
    "reply-default": Words(
        "chỉ có trả lời `default`", "there is only a `default` response",
        "được coi là trả lời thành công", "it is taken for that of success",
    ),
    "reply-missing": Words(
        "không có trả lời thành công nào được mô tả", "no response of success is described",
        "không hứa gì về trả lời", "nothing is promised of the answer",
    ),
    "reply-others": Words(
        "có nhiều trả lời thành công khác nhau", "there are several responses of success",
        "lấy trả lời có mã nhỏ nhất", "the one with the lowest status is taken",
    ),
    "reply-headers": Words("tiêu đề của trả lời không được kiểm tra", "headers of answers are not checked", *_DROPPED),
    "example": Words("ví dụ quá lớn, ở nơi khác, hoặc quá nhiều", "an example is too large, elsewhere, or one too many", *_DROPPED),
    # schemas
    "reference-outside": Words("tham chiếu ra ngoài tài liệu; không tải gì cả", "it refers outside the document; nothing is fetched", *_OPEN),
    "reference-unknown": Words("tham chiếu tới chỗ không có", "it refers to what is not there", *_OPEN),
    "reference-loop": Words("tham chiếu quay vòng", "the references lead in a circle", *_OPEN),
    "too-many-schemas": Words("quá nhiều lược đồ cho một phiên bản", "there are too many schemas for one version", *_OPEN),
    "schema": Words("không phải lược đồ", "this is no schema", *_OPEN),
    "keyword": Words("từ khoá không có trong JSON Schema", "JSON Schema has no such keyword", *_DROPPED),
    "keyword-value": Words("giá trị của từ khoá không dùng được", "the keyword's value cannot be used", *_DROPPED),
    "keyword-here": Words("từ khoá này không được đọc ở đây", "this keyword is not read here", *_DROPPED),
    "pattern": Words(
        "biểu thức không chạy được trong thời gian tuyến tính", "the pattern cannot be run in linear time", *_DROPPED
    ),
    "type": Words(
        "kiểu không có trong JSON Schema", "JSON Schema has no such type",
        "lấy kiểu gần nhất, hoặc mọi kiểu", "the nearest type is taken, or any",
    ),
    "nullable-reference": Words(
        "`nullable` bên cạnh `$ref` bị OpenAPI 3.0 bỏ qua", "OpenAPI 3.0 ignores `nullable` beside `$ref`",
        "null vẫn được chấp nhận", "null is accepted all the same",
    ),
    "required-one-way": Words(
        "trường bắt buộc chỉ theo một chiều (readOnly, writeOnly)", "a field is required in one direction only (readOnly, writeOnly)",
        "không bắt buộc theo chiều nào", "it is required in neither",
    ),
    # WSDL
    "wsdl-operation": Words("thao tác SOAP không gọi được", "the SOAP operation cannot be called", *_NO_OPERATION),
    "wsdl-header": Words("tiêu đề SOAP không nằm trong JSON", "SOAP headers are no part of the JSON", *_DROPPED),
    "wsdl-port": Words(
        "mỗi phiên bản dùng một cổng SOAP", "a version uses one SOAP port", *_DROPPED
    ),
    "mock-answer": Words(
        "nơi giả lập không trả lời được theo mô tả này", "a mock cannot answer by this",
        "nơi giả lập trả lời rỗng cho thao tác này", "it answers this operation with nothing",
    ),
    "wsdl-any": Words(
        "chỗ này cho phép phần tử hoặc thuộc tính không nêu tên", "elements or attributes without a name are allowed here",
        "đọc được trong câu trả lời, không gửi đi được", "they are read in answers, and cannot be sent",
    ),
    "wsdl-facet": Words(
        "ràng buộc này của XML Schema không viết được bằng JSON Schema", "this facet of XML Schema cannot be said in JSON Schema",
        *_DROPPED,
    ),
    "wsdl-type": Words("kiểu XML không viết hết được bằng JSON Schema", "the XML type cannot be wholly said in JSON Schema", *_OPEN),
}  # fmt: skip
"""By code; codes are stable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """One thing that was not taken as it is written: where (a JSON pointer into the description), and why."""

    pointer: str
    code: str
    detail: str = ""

    @property
    def words(self) -> Words:
        """Why, and what happens instead."""
        return REASONS[self.code]


@dataclass(slots=True)
class Notes:
    """What was not taken so far, each item once."""

    items: dict[NotTaken, None] = field(default_factory=dict)

    def add(self, pointer: str, code: str, detail: str = "") -> None:
        """Note one item. `detail` is a name or a keyword of the description."""
        self.items[NotTaken(pointer=pointer, code=code, detail=detail[:200])] = None

    def all(self) -> tuple[NotTaken, ...]:
        """Return what was noted, in the order of noting."""
        return tuple(self.items)
