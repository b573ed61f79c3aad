"""Invented people and enterprises. Who a number belongs to follows from the number and the seed alone.

So every mock with the same seed tells the same of the same person, whatever it is asked and wherever it runs. Numbers of
people begin with 999, a province that does not exist; an insurance number is the last ten digits of the personal number,
an old identity number the last nine. A household is everybody whose numbers differ in the last digit only.
"""

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from random import Random

from connectors.builtin.mock.places import PROVINCES, STREETS, WARDS

FAMILY = (
    "Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương", "Lý",
)  # fmt: skip
MEN = (
    ("Văn", "An"), ("Quốc", "Bảo"), ("Minh", "Đức"), ("Hữu", "Khang"), ("Gia", "Long"), ("Thanh", "Sơn"), ("Đình", "Tùng"),
    ("Xuân", "Vinh"), ("Đức", "Cường"), ("Văn", "Dũng"), ("Hữu", "Phúc"), ("Hồng", "Quân"),
)  # fmt: skip
WOMEN = (
    ("Thị", "Ánh"), ("Ngọc", "Diệp"), ("Thu", "Hà"), ("Mỹ", "Linh"), ("Bảo", "Ngọc"), ("Phương", "Thảo"), ("Thanh", "Trúc"),
    ("Hải", "Yến"), ("Thị", "Hương"), ("Hoài", "Giang"), ("Ngọc", "Lan"), ("Thị", "Nga"),
)  # fmt: skip
TRADES = (
    ("4711", "Bán lẻ tổng hợp"), ("4101", "Xây dựng nhà để ở"), ("5610", "Nhà hàng và dịch vụ ăn uống"),
    ("6201", "Lập trình máy vi tính"), ("0118", "Trồng rau, đậu các loại và trồng hoa"),
    ("4933", "Vận tải hàng hóa bằng đường bộ"),
)  # fmt: skip
WORDS = ("Mây Trắng", "Sông Xanh", "Đồi Chè", "Trăng Non", "Gió Mới", "Hạt Sương", "Bến Mơ", "Núi Biếc")
FIRST = "99999"
"""With these digits the personal numbers of a register begin."""
MOST_HOUSEHOLD = 5
_ELDEST, _DAYS = date(1950, 1, 1), 33 * 365
_CHILD, _RELATIVE = 2, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An invented person."""

    number: str
    family: str
    middle: str
    given: str
    woman: bool
    born: date
    house: str
    ward: str
    province: tuple[str, str]

    @property
    def name(self) -> str:
        return f"{self.family} {self.middle} {self.given}"

    @property
    def address(self) -> str:
        return f"{self.house}, {self.ward}, {self.province[1]} (giả lập)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enterprise:
    """An invented enterprise; `head` stands for it."""

    number: str
    name: str
    founded: date
    capital: int
    trade: tuple[str, str]
    dissolved: bool
    head: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom an answer is about: a person with an enterprise, or an enterprise with its head."""

    person: Person
    enterprise: Enterprise


def digits(random: Random, count: int) -> str:
    """Return digits that begin with 9: no province has such a code."""
    return "9" + "".join(random.choice("0123456789") for _ in range(count - 1))


def random_for(*parts: str) -> Random:
    """Return a source of chance that is the same for the same words."""
    return Random(hashlib.sha256("\0".join(parts).encode()).digest())  # noqa: S311 (invents data, guards nothing)


@lru_cache(maxsize=10_000)
def person(seed: str, number: str, woman: bool | None = None) -> Person:  # noqa: FBT001 (a fact, no switch)
    """Return the person with a personal number; of the given sex, where it is known.

    The last digit is the place in the household: 0 and 1 are the couple, 2 to 4 their children, 5 and more relatives.
    """
    home = random_for("household", seed, number[:-1])
    families = home.sample(FAMILY, 3)
    province, ward, turn = home.choice(PROVINCES), home.choice(WARDS), home.randrange(len(MEN))
    house = f"Số {home.randrange(1, 300)}, đường {home.choice(STREETS)}"
    head_is_woman, since = home.random() < 0.3, _ELDEST + timedelta(days=home.randrange(_DAYS))  # noqa: PLR2004
    own = random_for("person", seed, number)
    place = int(number[-1])
    drawn = (head_is_woman, not head_is_woman)[place] if place < _CHILD else own.random() < 0.5  # noqa: PLR2004
    is_woman = drawn if woman is None else woman
    # Nobody in a household has the name of another; wives keep their own family's, children have their father's.
    names = WOMEN if is_woman else MEN
    middle, given = names[(turn + place) % len(names)]
    family = families[1 if place < _CHILD else 2 if place >= _RELATIVE else 0] if is_woman else families[0]
    years = 22 if _CHILD <= place < _RELATIVE else 0
    born = since + timedelta(days=years * 365 + own.randrange(4 * 365 * (4 if years else 1)))
    return Person(
        number=number, family=family, middle=middle, given=given, woman=is_woman, born=born,
        house=house, ward=ward, province=province,
    )  # fmt: skip


def household(seed: str, number: str) -> list[Person]:
    """Return who lives with the person of this number, the head first, and the person in any case."""
    members = range(random_for("size", seed, number[:-1]).randrange(1, MOST_HOUSEHOLD + 1))
    numbers = dict.fromkeys([*(f"{number[:-1]}{member}" for member in members), number])
    return [person(seed, one) for one in numbers]


def kin(seed: str, of: Person, member: str) -> Person | None:
    """Return the relative that a member is named after (`cha`, `me`, `chuHo`), None when it names none."""
    relation = _KIN.get(member)
    if relation is None:
        return None
    home, place = of.number[:-1], int(of.number[-1])
    is_child = _CHILD <= place < _RELATIVE
    if relation in ("father", "mother"):
        woman = relation == "mother"
        if is_child:
            return next(one for one in (person(seed, home + at) for at in "01") if one.woman == woman)
        older = person(seed, f"{home}{_RELATIVE + woman + 2 * min(place, 1)}", woman)
        return replace(older, family=older.family if woman else of.family, born=_years(of.born, woman - 25))
    if relation == "spouse":
        return (
            person(seed, home + str(1 - place)) if place < _CHILD else person(seed, home + "9", not of.woman)
        )
    if relation == "child":
        younger = person(seed, home + ("2" if place < _CHILD else "9"))
        return replace(younger, born=max(younger.born, _years(of.born, 20)))
    return person(seed, home + "0")


_KIN: Mapping[str, str] = {
    **dict.fromkeys(("cha", "bo", "father"), "father"),
    **dict.fromkeys(("me", "mother"), "mother"),
    **dict.fromkeys(("vochong", "vo", "chong", "spouse"), "spouse"),
    **dict.fromkeys(("con", "child"), "child"),
    **dict.fromkeys(("chuho", "head"), "head"),
}


def _years(day: date, years: int) -> date:
    return date(day.year + years, day.month, min(day.day, 28))


@lru_cache(maxsize=10_000)
def enterprise(seed: str, number: str) -> Enterprise:
    """Return the enterprise with a number."""
    own = random_for("enterprise", seed, number)
    trade = own.choice(TRADES)
    head = person(seed, f"{FIRST}{own.randrange(10**6):06d}0")
    return Enterprise(
        number=number,
        name=f"Công ty TNHH {trade[1]} {own.choice(WORDS)} {number[-4:]} (giả lập)",
        founded=date(2001, 1, 1) + timedelta(days=own.randrange(8500)),
        capital=own.randrange(1, 200) * 100_000_000,
        trade=trade,
        dissolved=own.randrange(10) == 0,
        head=head,
    )


class Register:
    """Who exists: so many households and enterprises, or with 0 whoever is asked after."""

    def __init__(self, seed: str, count: int) -> None:
        self.seed = seed
        self.count = count
        self._by_name: dict[str, list[str]] = {}

    def numbers(self) -> Iterator[str]:
        """Return the personal numbers of everybody in the register."""
        for index in range(1, self.count + 1):
            for one in household(self.seed, f"{FIRST}{index:06d}0"):
                yield one.number

    def enterprise_number(self, index: int) -> str:
        """Return the number of an enterprise by its place."""
        return f"99{index:06d}{index * 37 % 100:02d}"

    def has_person(self, number: str) -> bool:
        """Say whether there is somebody with this personal number."""
        if not self.count:
            return True
        middle = number[len(FIRST) : -1]
        is_ours = number.startswith(FIRST) and middle.isdecimal() and 1 <= int(middle) <= self.count
        return is_ours and any(one.number == number for one in household(self.seed, number[:-1] + "0"))

    def has_enterprise(self, number: str) -> bool:
        """Say whether there is an enterprise with this number, or a branch of it."""
        index = int(number[2:8]) if number[:8].isdecimal() else 0
        return not self.count or (1 <= index <= self.count and number[:10] == self.enterprise_number(index))

    def learn_names(self) -> None:
        """Make the index of names; slow for a large register, and done by itself at the first search."""
        if self.count and not self._by_name:
            made: dict[str, list[str]] = {}
            for number in self.numbers():
                made.setdefault(person(self.seed, number).name.casefold(), []).append(number)
            self._by_name = made

    def search(self, name: str) -> Iterator[Person]:
        """Return everybody of this name, in upper case, lower case or NFD as well: in the order of their numbers."""
        self.learn_names()
        wanted = " ".join(unicodedata.normalize("NFC", name).split()).casefold()
        for number in self._by_name.get(wanted, ()):
            yield person(self.seed, number)

    def somebody(self, random: Random) -> Person:
        """Return anybody who exists."""
        index = random.randrange(1, (self.count or 10**6 - 1) + 1)
        return person(self.seed, f"{FIRST}{index:06d}0")

    def some_enterprise(self, random: Random) -> Enterprise:
        """Return any enterprise that exists."""
        return enterprise(
            self.seed, self.enterprise_number(random.randrange(1, (self.count or 10**6 - 1) + 1))
        )
