"""The words of inventories: headers and values in Vietnamese and English, without regard to accents."""

import re
from collections.abc import Iterator, Mapping

from registry.labels import fold

_LIST = re.compile(r"[;,\n\r|]+")
_LONGEST_SLUG = 60


def word(text: str) -> str:
    """Return a text as words are compared: letters and digits only, in lower case, without accents."""
    return re.sub(r"[^a-z0-9]+", "", fold(text))


def slug(text: str) -> str:
    """Return a text as the second half of a system's code."""
    return re.sub(r"[^a-z0-9]+", "-", fold(text)).strip("-")[:_LONGEST_SLUG].rstrip("-") or "he-thong"


def split_list(text: str) -> Iterator[str]:
    """Yield the items of a cell that holds several."""
    yield from (item.strip() for item in _LIST.split(text) if item.strip())


def level_of(text: str) -> int | None:
    """Return the security level in a cell such as `3`, `Cấp độ 3` or `level 3`, None when there is none."""
    numbers = re.findall(r"\d+", text)
    level = int(numbers[0]) if len(numbers) == 1 and len(numbers[0]) == 1 else 0
    return level if 1 <= level <= 5 else None  # noqa: PLR2004  (TCVN 11930: five levels)


def _by_word(table: Mapping[str, str]) -> dict[str, str]:
    """Turn {our word: "their words, with bars"} round."""
    return {word(theirs): ours for ours, all_ in table.items() for theirs in (ours, *all_.split("|"))}


HEADERS = _by_word(
    {
        "code": "mã hệ thống|mã HTTT|mã|system code|ma_doituong|mã đối tượng|mã định danh",
        "name_vi": "tên hệ thống|tên HTTT|tên hệ thống thông tin|tên|tên phần mềm|name|system|system name"
        "|tên đối tượng|ten_doituong|hệ thống|hệ thống thông tin",
        "name_en": "tên tiếng Anh|tên hệ thống (tiếng Anh)|English name|name (en)",
        "organisation": "cơ quan|đơn vị|mã đơn vị|mã cơ quan|cơ quan chủ quản|đơn vị chủ quản|đơn vị quản lý"
        "|cơ quan quản lý|mã định danh đơn vị|organization|organisation code|unit|owner",
        "kind": "loại|loại hệ thống|loại hình|loại đối tượng|type|system type",
        "security_level": "cấp độ|cấp độ ATTT|cấp độ an toàn|cấp độ an toàn thông tin|security level|level",
        "status": "trạng thái|tình trạng|hiện trạng",
        "national_databases": "CSDL quốc gia|cơ sở dữ liệu quốc gia|nhu cầu|nhu cầu kết nối|CSDL cần kết nối"
        "|nhu cầu kết nối CSDL quốc gia|CSDL quốc gia cần kết nối|needs|national database|databases needed",
        "legal_basis": "căn cứ|căn cứ pháp lý|cơ sở pháp lý|văn bản|legal basis",
        "mode": "hình thức kết nối|phương thức kết nối|kênh|kênh kết nối|mô hình kết nối|channel"
        "|connection mode",
        "source": "nguồn|hệ thống nguồn|bên gửi|từ|source system|from|he_thong_nguon|đối tượng nguồn",
        "target": "đích|hệ thống đích|bên nhận|đến|target system|to|he_thong_dich|đối tượng đích|kết nối đến",
        "relation": "quan hệ|loại quan hệ|mục đích kết nối",
        "frequency": "tần suất",
        "protocol": "giao thức",
        "number": "STT|TT|số thứ tự|no.|#",
        "note": "ghi chú|notes|remark",
    }
)
"""A header, as a word -> our field."""

KINDS = _by_word(
    {
        "one-stop-shop": "một cửa|hệ thống một cửa|một cửa điện tử|giải quyết TTHC|hệ thống thông tin giải quyết TTHC"
        "|hệ thống thông tin giải quyết thủ tục hành chính",
        "specialised": "chuyên ngành|phần mềm chuyên ngành|hệ thống chuyên ngành|specialized|specialised system",
        "database": "CSDL|cơ sở dữ liệu|cơ sở dữ liệu chuyên ngành|CSDL chuyên ngành",
        "portal": "cổng|cổng thông tin|cổng dịch vụ công|trang thông tin điện tử",
        "platform": "nền tảng|nền tảng số|trục|LGSP",
        "other": "khác",
    }
)
"""What kind of system it is."""

STATUSES = _by_word(
    {
        "active": "đang hoạt động|hoạt động|đang khai thác|đang sử dụng|đang vận hành|in use|operating|running",
        "suspended": "tạm dừng|tạm ngừng|dự kiến|chưa hoạt động|đang xây dựng|planned|paused",
        "retired": "ngừng hoạt động|dừng hoạt động|đã dừng|không sử dụng|thanh lý|stopped",
    }
)
"""Whether a system works."""

MODES = _by_word(
    {
        "lgsp-ngsp": "LGSP và NGSP|LGSP, NGSP|LGSP - NGSP|LGSP/NGSP|LGSP và NDXP|LGSP, NDXP|LGSP/NDXP|NDXP, LGSP"
        "|qua LGSP và NDXP|qua LGSP và NGSP|a",
        "ngsp": "NDXP|qua NGSP|qua NDXP|b",
        "lgsp": "qua LGSP|trục LGSP|c",
        "direct": "trực tiếp|kết nối trực tiếp|Internet|d",
    }
)
"""The four modes of Circular 13/2017/TT-BTTTT, as inventories write them."""

NO_WORDS = frozenset(word(text) for text in ("không", "không có", "chưa", "no", "none", "0", "n/a", "-"))
"""Said where nothing is needed."""
