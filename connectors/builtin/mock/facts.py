"""What the name of a member says that it holds, and how its schema wants that written.

Dates are written as `format`, `pattern` or the length say, genders by the values that the schema allows: services of one and the
same province have three forms of the one and two of the other.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from connectors.builtin.mock.people import Subject

Schema = Mapping[str, Any]  # Any: a part of a description
Fact = str | int | date | bool | None

FACTS: Mapping[str, Callable[[Subject], Fact]] = {
    "person.number": lambda it: it.person.number,
    "person.old-number": lambda it: it.person.number[3:],
    "person.insurance": lambda it: it.person.number[2:],
    "person.name": lambda it: it.person.name,
    "person.upper-name": lambda it: it.person.name.upper(),
    "person.family": lambda it: it.person.family,
    "person.middle": lambda it: it.person.middle,
    "person.given": lambda it: it.person.given,
    "person.born": lambda it: it.person.born,
    "person.sex": lambda it: it.person.woman,
    "person.address": lambda it: it.person.address,
    "person.house": lambda it: it.person.house,
    "person.ward": lambda it: it.person.ward,
    "person.province": lambda it: it.person.province[1],
    "person.province-code": lambda it: it.person.province[0],
    "person.nationality": lambda _: "Việt Nam",
    "enterprise.number": lambda it: it.enterprise.number,
    "enterprise.name": lambda it: it.enterprise.name,
    "enterprise.founded": lambda it: it.enterprise.founded,
    "enterprise.capital": lambda it: it.enterprise.capital,
    "enterprise.trade": lambda it: it.enterprise.trade[1],
    "enterprise.trade-code": lambda it: it.enterprise.trade[0],
    "enterprise.dissolved": lambda it: it.enterprise.dissolved,
    "enterprise.head": lambda it: it.enterprise.head.name,
    "enterprise.address": lambda it: it.enterprise.head.address,
}
"""What can be said of an invented person and enterprise: the values of `x-mock` in a description."""

_BY_WORD: tuple[tuple[str, str], ...] = (
    (r"^(sodinhdanh.*|socccd|cccd|.*cancuoc.*|identitynumber|idnumber)$", "person.number"),
    (r"^(socmnd|cmnd)$", "person.old-number"),
    (r"^(so|ma|maso)(so)?bhxh$", "person.insurance"),
    (r"^(masothue|masodn|msdn|masodoanhnghiep|madoanhnghiep|taxcode|enterprise(gdt)?code)$", "enterprise.number"),
    (r"tendoanhnghiep|tencongty|tendn|companyname|enterprisename", "enterprise.name"),
    (r"ngaythanhlap|foundingdate", "enterprise.founded"),
    (r"daidien|legalname", "enterprise.head"),
    (r"^(nam|ngay|ngaythangnam)sinh$|birthda|dateofbirth|ngaysinh", "person.born"),
    (r"hoten|hovaten|hochudemvaten|^tencha$|^tenme$|tenvo|tenchong|fullname|^chuho$|^ten(cong)?(dan|nguoi).*|^nguoi(nop|khai|yeucau)$", "person.name"),
    (r"^ho$|lastname|familyname|surname", "person.family"),
    (r"^(chudem|tendem|middlename)$", "person.middle"),
    (r"^(ten|firstname|givenname)$", "person.given"),
    (r"gioitinh|gender|^sex$", "person.sex"),
    (r"diachi|noio|noithuongtru|tamtru|^quequan$|noisinh|address", "person.address"),
    (r"^ma(tinh|tinhthanh|tinhks)$|provincecode", "person.province-code"),
    (r"^(ten)?(tinh|tinhthanh|thanhpho|province|city)$", "person.province"),
    (r"^(ten)?(xa|phuong|phuongxa|ward|commune)$", "person.ward"),
    (r"quoctich|nationality", "person.nationality"),
)  # fmt: skip
_RULES = tuple((re.compile(words), fact) for words, fact in _BY_WORD)
_MOST_NAME = 100
_DAY_FORMATS = frozenset({"date", "date-time", "time", "dd/MM/yyyy"})
_FREE_FORMATS = frozenset({"int32", "int64", "float", "double", "decimal", "password"})
"""What these formats allow is said by the type already."""
_MALE = frozenset({"nam", "male", "m", "1"})
_FEMALE = frozenset({"nu", "female", "f", "2", "0"})
_PATTERNS = re.compile(r"\^?(?:\\d|\[0-9\])\{(\d{1,2})(?:,\d*)?\}\$?")
_DAYS = tuple(
    (re.compile(shape), form, known)
    for shape, form, known in (
        (r"\d{4}-\d\d-\d\d", "%Y-%m-%d", 8),
        (r"\d\d/\d\d/\d{4}", "%d/%m/%Y", 8),
        (r"\d{8}", "%Y%m%d", 8),
        (r"\d{6}", "%Y%m", 6),
        (r"\d\d/\d{4}", "%m/%Y", 6),
        (r"\d{4}", "%Y", 4),
    )
)
_FORMS: Mapping[int, str] = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 14: "%Y%m%d080000"}


def plain(member: str) -> str:
    """Return a member's name as rules compare it: `hoTen`, `HO_TEN` and `Họ tên` are the same."""
    spelled = unicodedata.normalize("NFD", member.lower().replace("đ", "d"))
    return "".join(letter for letter in spelled if letter.isascii() and letter.isalnum())


def fact_of(schema: Schema, member: str) -> str | None:
    """Return the fact that a member holds: by `x-mock`, or else by its name."""
    said = schema.get("x-mock")
    if isinstance(said, str) and said in FACTS:
        return said
    return _by_name(member) if len(member) <= _MOST_NAME else None


@lru_cache(maxsize=4096)
def _by_name(member: str) -> str | None:
    name = plain(member)
    return next((fact for words, fact in _RULES if words.search(name)), None) if name else None


def counted(schema: Schema) -> int:
    """Return how many digits a schema's pattern asks for, 0 when it asks for something else."""
    found = _PATTERNS.fullmatch(str(schema.get("pattern", "")))
    return int(found[1]) if found else 0


def tell(fact: str, subject: Subject, schema: Schema, kind: str) -> Any:  # Any: JSON
    """Return a fact as a schema of this kind wants it written, None when it does not fit there."""
    value = FACTS[fact](subject)
    form = schema.get("format")
    is_free = form is None or form in _FREE_FORMATS
    if isinstance(value, date) and (is_free or form in _DAY_FORMATS):
        told: Any = written(value, schema, kind)
    elif isinstance(value, date) or not is_free:
        return None
    elif isinstance(value, bool):
        told = _sex(schema, kind, is_woman=value) if fact == "person.sex" else _truth(schema, value)
    elif kind in ("integer", "number"):
        told = int(str(value)) if str(value).isdecimal() else None
    else:
        told = str(value)[: int(schema.get("maxLength", 10_000))]
    return told if is_allowed(told, schema, kind) else None


def is_allowed(told: Any, schema: Schema, kind: str) -> bool:  # Any: JSON
    """Say whether a schema takes a value, as far as that can be said without running its pattern."""
    if "enum" in schema:
        return told in schema["enum"]
    if isinstance(told, bool):
        return kind == "boolean"
    if isinstance(told, int):
        inside = schema.get("minimum", told) <= told <= schema.get("maximum", told)
        return kind in ("integer", "number") and bool(inside)
    if not isinstance(told, str) or kind != "string":
        return False
    count = counted(schema)
    long_enough = int(schema.get("minLength", 0)) <= len(told) <= int(schema.get("maxLength", 10_000))
    return long_enough and (not count or (told.isdecimal() and len(told) == count))


def written(day: date, schema: Schema, kind: str) -> str | int:
    """Return a day in the form that a schema wants."""
    if kind in ("integer", "number"):
        return day.year if int(schema.get("maximum", 10**8)) < 10**5 else int(f"{day:%Y%m%d}")
    pattern, form = str(schema.get("pattern", "")), schema.get("format")
    if form == "time":
        return "08:00:00"
    if form == "date-time":
        return f"{day:%Y-%m-%d}T08:00:00+07:00"
    if "/" in pattern or form == "dd/MM/yyyy":
        return f"{day:%d/%m/%Y}"
    return day.strftime(_FORMS.get(counted(schema), "%Y-%m-%d"))


def _sex(schema: Schema, kind: str, *, is_woman: bool) -> Any:  # Any: JSON
    """Return a gender by the values that are allowed, or else as 1 and 2, true for a man, or in Vietnamese."""
    wanted = _FEMALE if is_woman else _MALE
    for value in schema.get("enum") or ():
        if plain(str(value)) in wanted:
            return value
    if kind in ("integer", "number"):
        return 2 if is_woman else 1
    return not is_woman if kind == "boolean" else "Nữ" if is_woman else "Nam"


def _truth(schema: Schema, value: bool) -> Any:  # noqa: FBT001  Any: JSON
    """Return the second of the allowed values for true, the first for false."""
    allowed = schema.get("enum") or (False, True)
    return allowed[min(int(value), len(allowed) - 1)]


def parse_day(text: str) -> tuple[date, int] | None:
    """Return a day that a question names, with how many digits of yyyyMMdd are known of it."""
    for shape, form, known in _DAYS:
        if shape.fullmatch(text):
            try:
                return datetime.strptime(text, form).date(), known  # noqa: DTZ007 (a day, no moment)
            except ValueError:
                return None
    return None
