"""Plausible Vietnamese values, all of them invented: numbers of no province, names put together, addresses of nowhere."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from random import Random

FAMILY = (
    "Nguyễn",
    "Trần",
    "Lê",
    "Phạm",
    "Hoàng",
    "Huỳnh",
    "Phan",
    "Vũ",
    "Võ",
    "Đặng",
    "Bùi",
    "Đỗ",
    "Hồ",
    "Ngô",
)
MIDDLE = ("Văn", "Thị", "Hữu", "Đức", "Minh", "Ngọc", "Thanh", "Quốc", "Thu", "Hoài")
GIVEN = (
    "Ánh",
    "Bình",
    "Cường",
    "Dũng",
    "Giang",
    "Hà",
    "Hương",
    "Khánh",
    "Lan",
    "Long",
    "Nga",
    "Phúc",
    "Quân",
    "Yến",
)
STREETS = ("Ví Dụ", "Giả Lập", "Thử Nghiệm", "Minh Hoạ")
WARDS = ("phường Giả Lập", "xã Ví Dụ", "phường Thử Nghiệm")
BUSINESSES = ("Thương mại", "Xây dựng", "Nông sản", "Vận tải", "Phần mềm", "Thuỷ sản")
_FIRST_DAY = date(1950, 1, 1)
_DAYS = 26_000

Make = Callable[[Random], str]


def name(random: Random) -> str:
    """Return a person's name."""
    return f"{random.choice(FAMILY)} {random.choice(MIDDLE)} {random.choice(GIVEN)}"


def day(random: Random) -> str:
    """Return a day between 1950 and 2021, as ISO 8601 writes it."""
    return (_FIRST_DAY + timedelta(days=random.randrange(_DAYS))).isoformat()


def digits(random: Random, count: int) -> str:
    """Return digits that begin with 9: no province has such a code."""
    return "9" + "".join(random.choice("0123456789") for _ in range(count - 1))


def _address(random: Random) -> str:
    return f"Số {random.randrange(1, 300)}, đường {random.choice(STREETS)}, {random.choice(WARDS)}"


def _business(random: Random) -> str:
    return f"Công ty TNHH {random.choice(BUSINESSES)} {random.choice(GIVEN)} {random.choice(GIVEN)} (giả lập)"


_BY_WORD: tuple[tuple[str, Make], ...] = (
    (r"sodinhdanh|socccd|cccd|cancuoc|identitynumber", lambda random: digits(random, 12)),
    (r"socmnd|cmnd", lambda random: digits(random, 9)),
    (r"sobhxh|masobhxh|mabhxh", lambda random: digits(random, 10)),
    (r"masothue|masodn|madoanhnghiep|taxcode|enterprisecode", lambda random: digits(random, 10)),
    (r"ngay|date|birthday", day),
    (r"tendoanhnghiep|tencongty|tencoquan|tendn|company|enterprisename", _business),
    (r"hoten|hovaten|hochudemvaten|tencha|tenme|tenvo|tenchong|nguoi|fullname|chuho", name),
    (r"gioitinh|gender|sex", lambda random: random.choice(("Nam", "Nữ"))),
    (r"diachi|noio|thuongtru|tamtru|quequan|noisinh|address", _address),
    (r"dienthoai|sodt|phone|mobile", lambda random: "0" + digits(random, 9)),
    (r"email|thudientu", lambda random: f"nguoi-{random.randrange(10_000)}@demo.invalid"),
    (r"dantoc", lambda random: random.choice(("Kinh", "Tày", "Thái", "Mường", "Khmer"))),
    (r"tongiao", lambda random: random.choice(("Không", "Phật giáo", "Công giáo"))),
    (r"quoctich|nationality", lambda _: "Việt Nam"),
    (r"tinh|thanhpho|province|city", lambda _: "Tỉnh Giả Lập"),
    (r"(xa|phuong|ward|commune)$", lambda random: random.choice(WARDS)),
)
_RULES = tuple((re.compile(words), make) for words, make in _BY_WORD)


def maker_for(member: str) -> Make | None:
    """Return what makes values for a member of this name (`hoTen`, `HO_TEN`, `Họ tên`), if its name says what it is."""
    plain = unicodedata.normalize("NFD", member.lower().replace("đ", "d"))
    plain = "".join(letter for letter in plain if letter.isascii() and letter.isalnum())
    return next((make for words, make in _RULES if words.search(plain)), None)
