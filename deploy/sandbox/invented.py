"""Invented people and enterprises, the same ones at every start.

Every number begins with 99, which no province, tax office or insurance office uses, so that none of them can belong to
anybody. Every record carries `sandbox: true` and the words "dữ liệu giả lập".
"""

import random
from dataclasses import dataclass
from datetime import date, timedelta

MARK = {"sandbox": True, "ghiChu": "Dữ liệu giả lập"}
"""Stands in every record and every answer."""

FAMILY_NAMES = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương")
MEN = ("Văn An", "Quốc Bảo", "Minh Đức", "Hữu Khang", "Gia Long", "Thanh Sơn", "Đình Tùng", "Xuân Vinh")
WOMEN = ("Thị Ánh", "Ngọc Diệp", "Thu Hà", "Mỹ Linh", "Bảo Ngọc", "Phương Thảo", "Thanh Trúc", "Hải Yến")
TRADES = (
    ("4711", "Bán lẻ tổng hợp"),
    ("4101", "Xây dựng nhà để ở"),
    ("5610", "Nhà hàng và dịch vụ ăn uống"),
    ("6201", "Lập trình máy vi tính"),
    ("0118", "Trồng rau, đậu các loại và trồng hoa"),
    ("4933", "Vận tải hàng hóa bằng đường bộ"),
)
WORDS = ("Mây Trắng", "Sông Xanh", "Đồi Chè", "Trăng Non", "Gió Mới", "Hạt Sương", "Bến Mơ", "Núi Biếc")
STREETS = ("Hoa Giấy", "Bằng Lăng", "Cầu Vồng", "Lá Phong", "Ánh Sao")
PROVINCE_CODE = "99"
PROVINCE = "tỉnh Sông Mây (giả lập)"
SEED = 20_26
ENTERPRISES = 40
HOUSEHOLDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An invented person; `insurance` is a social insurance number."""

    insurance: str
    name: str
    born: date
    woman: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Enterprise:
    """An invented enterprise; `number` is its enterprise number, `filed` the days of its dossiers."""

    number: str
    name: str
    founded: date
    capital: int
    trade: tuple[str, str]
    address: str
    representative: str
    dissolved: bool
    filed: date


def enterprises() -> dict[str, Enterprise]:
    """Return the invented enterprises by number."""
    rng = random.Random(SEED)  # noqa: S311  (invented data, not a secret)
    made = [_enterprise(rng, index) for index in range(1, ENTERPRISES + 1)]
    return {enterprise.number: enterprise for enterprise in made}


def households() -> list[list[Person]]:
    """Return the invented households."""
    rng = random.Random(SEED + 1)  # noqa: S311  (invented data, not a secret)
    return [_household(rng, index) for index in range(1, HOUSEHOLDS + 1)]


def _enterprise(rng: random.Random, index: int) -> Enterprise:
    founded = date(2001, 1, 1) + timedelta(days=rng.randrange(8500))
    trade = rng.choice(TRADES)
    return Enterprise(
        number=f"99{index:06d}{rng.randrange(100):02d}",
        name=f"Công ty TNHH {trade[1]} {rng.choice(WORDS)} {index:02d} (giả lập)",
        founded=founded,
        capital=rng.randrange(1, 200) * 100_000_000,
        trade=trade,
        address=f"Số {rng.randrange(1, 200)}, đường {rng.choice(STREETS)}, phường {rng.choice(WORDS)}, {PROVINCE}",
        representative=_name(rng, woman=rng.choice((True, False))),
        dissolved=rng.randrange(10) == 0,
        filed=date(2026, 1, 5) + timedelta(days=index),
    )


def _household(rng: random.Random, index: int) -> list[Person]:
    family = rng.choice(FAMILY_NAMES)
    size = rng.randrange(1, 6)
    return [
        _person(rng, family, f"99{index:05d}{number:01d}{rng.randrange(100):02d}") for number in range(size)
    ]


def _person(rng: random.Random, family: str, insurance: str) -> Person:
    woman = rng.choice((True, False))
    born = date(1950, 1, 1) + timedelta(days=rng.randrange(25_000))
    return Person(insurance=insurance, name=_name(rng, woman=woman, family=family), born=born, woman=woman)


def _name(rng: random.Random, *, woman: bool, family: str | None = None) -> str:
    return f"{family or rng.choice(FAMILY_NAMES)} {rng.choice(WOMEN if woman else MEN)}"
