"""The codes of flaws in documents, with a sentence for people in Vietnamese and English.

A flaw's own message says more, in English; these say the kind of mistake, in both languages. Codes are stable:
other programs rely on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """The same sentence in Vietnamese and in English."""

    vi: str
    en: str


FLAWS: Mapping[str, Words] = {
    # form
    "unknown-field": Words("Không có trường này.", "There is no such field."),
    "missing": Words("Thiếu trường bắt buộc.", "A required field is missing."),
    "wrong-type": Words("Sai kiểu dữ liệu.", "The value is of the wrong type."),
    "pattern": Words("Giá trị không đúng định dạng quy định.", "The value does not have the required form."),
    "length": Words("Độ dài vượt giới hạn cho phép.", "The length is outside what is allowed."),
    "range": Words("Giá trị nằm ngoài khoảng cho phép.", "The value is outside what is allowed."),
    "choice": Words("Giá trị không thuộc danh sách cho phép.", "The value is not one of those allowed."),
    "unknown": Words("Không có tên này trong danh sách cho phép.", "There is nothing of this name."),
    "value": Words("Giá trị không hợp lệ.", "The value is not valid."),
    "control-character": Words(
        "Không được dùng ký tự điều khiển.", "Control characters are not allowed here."
    ),
    "too-deep": Words("Dữ liệu lồng nhau quá sâu.", "This is nested too deeply."),
    "description": Words("Không dùng được bản mô tả này.", "This description cannot be used."),
    "cursor": Words(
        "Con trỏ trang không thuộc lần tìm kiếm này.", "The cursor does not belong to this search."
    ),
    # codes, names and references
    "taken": Words("Mã hoặc tên này đã được dùng.", "The code or name is taken."),
    "reserved": Words(
        "Tên này được hệ thống dành riêng.", "The name is reserved for the node's own addresses."
    ),
    "duplicate": Words("Giá trị bị lặp.", "This stands here twice."),
    "reference-unknown": Words(
        "Không tìm thấy đối tượng được tham chiếu.", "What this refers to is not known."
    ),
    "cycle": Words("Quan hệ tạo thành vòng lặp.", "The relation leads back to itself."),
    "fixed": Words(
        "Không thể thay đổi trường này; hãy tạo đối tượng mới.", "This cannot be changed; make a new object."
    ),
    "unusual-code": Words(
        "Mã không theo quy tắc thông thường (vẫn được chấp nhận).", "The code is unusual (it is accepted)."
    ),
    # rules between fields
    "one-of": Words("Chỉ được điền đúng một trong hai trường.", "Exactly one of two fields must be given."),
    "range-order": Words(
        "Thời điểm kết thúc phải sau thời điểm bắt đầu.", "The end must be after the beginning."
    ),
    "delegation": Words(
        "Văn bản uỷ quyền không phải của bên cung cấp hoặc không còn hiệu lực.",
        "The delegation is not the provider's, or is not valid now.",
    ),
    "operation-unknown": Words(
        "Không phiên bản đã công bố nào có thao tác này.", "No published version has this operation."
    ),
    "path-template": Words("Mẫu đường dẫn không hợp lệ.", "The path template is not valid."),
    "json-pointer": Words("Không phải JSON Pointer hợp lệ.", "This is not a JSON pointer."),
    "condition": Words("Điều kiện không có ý nghĩa.", "The condition makes no sense."),
    "place": Words("Vị trí trong thông điệp không hợp lệ.", "The place in the message is not valid."),
    "field-path": Words("Đường dẫn đến trường dữ liệu không hợp lệ.", "The path to the field is not valid."),
    "field-rule": Words("Quy tắc cho trường dữ liệu không hợp lệ.", "The rule for the field makes no sense."),
    "field-conflict": Words(
        "Hai quy tắc cùng áp dụng cho một trường dữ liệu.", "Two rules are about the same field."
    ),
    "purpose-unknown": Words(
        "Quyền truy cập không dành cho mục đích này.", "The grant is not for this purpose."
    ),
    "purpose-uncovered": Words(
        "Có mục đích chưa được khai báo trường dữ liệu.", "A purpose has no rules for fields."
    ),
    "header-name": Words("Tên tiêu đề HTTP không được phép.", "The HTTP header is not allowed here."),
    "network": Words("Không phải địa chỉ mạng hợp lệ.", "This is not a network."),
    "jwks": Words("Bộ khoá công khai không hợp lệ.", "The set of public keys is not valid."),
    "private-key": Words(
        "Có khoá bí mật trong dữ liệu gửi lên; hãy thay khoá này.",
        "A private key was sent; replace that key.",
    ),
    "state": Words(
        "Trạng thái hiện tại không cho phép bước này.", "The life cycle does not allow this step now."
    ),
    # files
    "yaml": Words("Không đọc được nội dung YAML.", "The YAML cannot be read."),
    "csv": Words("Không đọc được tệp CSV.", "The CSV file cannot be read."),
    "xlsx": Words("Không đọc được tệp XLSX.", "The XLSX file cannot be read."),
    "encoding": Words("Tệp không dùng bảng mã UTF-8.", "The file is not in UTF-8."),
    "headers": Words("Không tìm thấy bảng có tiêu đề cột đã biết.", "No table with known headers was found."),
}
"""Every code -> what it means."""
