"""How flaws, and steps that are not possible now, are told: in Vietnamese and English."""

import re
from collections.abc import Mapping
from typing import Any, Final

from registry.errors import Flaw
from registry.wording import FLAWS, Words

WORDS: Final[Mapping[str, Words]] = {
    **FLAWS,
    "json-broken": Words("Nội dung không phải JSON hợp lệ.", "The body is not valid JSON."),
    "description": Words(
        "Không dùng được mô tả này (OpenAPI hoặc WSDL); chi tiết bằng tiếng Anh ở `message`.",
        "This description (OpenAPI or WSDL) cannot be used.",
    ),
    "connector-unknown": Words("Nút này không cài loại đầu nối đó.", "No installed connector has this kind."),
    "transform-refused": Words(
        "Phép biến đổi khai báo sai hoặc không biên dịch được.",
        "The transform cannot be made as it is declared.",
    ),
    "contract-refused": Words(
        "Không kiểm tra được thông điệp theo lược đồ này.", "Messages cannot be checked by this schema."
    ),
    "example-differs": Words(
        "Ví dụ đã lưu cho kết quả khác với kết quả mong đợi.", "A saved example gives something else."
    ),
    "examples-slow": Words("Các ví dụ chạy quá lâu.", "The examples take too long."),
    "settings-refused": Words(
        "Đầu nối không nhận cấu hình này.", "The connector does not take this setting."
    ),
}
"""Every code of a flaw -> what kind of mistake it is."""

QUOTED: Final = re.compile(r"(?<!\w)'([^']*)'(?!\w)|(?<!\w)\"([^\"]*)\"")
PLACE: Final = re.compile(r"\(line ([0-9]+), column ([0-9]+)\)$")
CHOICES: Final = re.compile(r"(?:one of:?|One of:|sort by) ([^:]+)\.?$")


def render_flaw(flaw: Flaw, place: str = "pointer") -> dict[str, Any]:  # Any: JSON
    """Write a flaw as a member of a problem's `errors`, under the name of its place."""
    return {
        place: flaw.pointer if place == "pointer" else flaw.pointer.removeprefix("/"),
        "code": flaw.code,
        "message": flaw.message,
        "messages": {"vi": _vietnamese(flaw), "en": flaw.message},
    }


def _vietnamese(flaw: Flaw) -> str:
    """Say the kind of mistake, with the values that the English sentence names."""
    words = WORDS.get(flaw.code)
    if words is None:
        return flaw.message
    named = [f"«{first or second}»" for first, second in QUOTED.findall(flaw.message)]
    if place := PLACE.search(flaw.message):
        named.append(f"dòng {place[1]}, cột {place[2]}")
    choices = CHOICES.search(flaw.message)
    if choices is not None:
        named.append(f"được chọn: {choices[1].rstrip('.')}")
    return f"{words.vi.rstrip('.')}: {'; '.join(named)}." if named else words.vi


STATES: Final[Mapping[str, str]] = {
    r"the need is withdrawn(?: already)?": "nhu cầu đã được rút",
    r"a need is withdrawn, never removed: it counts in the figures of its time": (
        "nhu cầu chỉ được rút, không xóa, vì vẫn được tính trong số liệu của thời kỳ đó"
    ),
    r"a version that is published is retired before it is removed": (
        "phiên bản đã công bố phải được ngừng hẳn trước khi xóa"
    ),
    r"a grant that holds is revoked before it is removed": "quyền còn hiệu lực phải được thu hồi trước khi xóa",
    r"the version is retired": "phiên bản đã ngừng hẳn",
    r"the grant is (\w+): request a new one": r"quyền đang ở trạng thái «\1»; hãy đề nghị quyền mới",
    r"the service is not blocked": "dịch vụ không bị khóa",
    r"the service is not blocked for this consumer": "dịch vụ không bị khóa đối với bên gọi này",
    r"a maintenance that begins then is planned already": "đã có lịch bảo trì bắt đầu vào lúc đó",
    r"(\d+) maintenance windows are planned already": r"đã có \1 lịch bảo trì",
    r"no maintenance that begins then is planned": "không có lịch bảo trì nào bắt đầu vào lúc đó",
    r"nobody approves a grant that they requested themselves": (
        "không ai được phê duyệt quyền do chính mình đề nghị"
    ),
    r"the node (\S+) decides on this grant": r"quyền này do nút \1 quyết định",
    r"this is not possible while the status is '([\w-]+)'": r"không thực hiện được khi trạng thái là «\1»",
    r"this subject key is destroyed already": "khóa băm chủ thể này đã bị hủy",
    r"records are written under this subject key: rotate before destroying it": (
        "khóa băm này đang dùng để ghi; hãy tạo khóa mới trước khi hủy"
    ),
}
"""What the registry says of a step that is not possible now -> the same in Vietnamese."""


def state_in_vietnamese(told: str) -> str:
    """Return in Vietnamese why a step is not possible now; as it is when nothing is known of it."""
    for english, vietnamese in STATES.items():
        found = re.fullmatch(english, told)
        if found is not None:
            return found.expand(vietnamese)
    return told
