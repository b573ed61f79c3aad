"""A person as the population database wants one: names, birth dates and numbers in its forms. Pure."""

import re
import unicodedata
from datetime import date
from typing import Literal

from connectors.builtin.soap.fields import Unfit

NameForm = Literal["as-given", "upper", "unaccented", "unaccented-joined"]
BirthForm = Literal["compact", "dashed"]

_FULL = (
    re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"),
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"),
    re.compile(r"(?P<day>\d{1,2})[/.-](?P<month>\d{1,2})[/.-](?P<year>\d{4})"),
)
_YEAR_ONLY = (
    re.compile(r"(?P<year>\d{4})"),
    re.compile(r"(?P<year>\d{4})-(0?[1-9]|1[0-2])"),
    re.compile(r"(0?[1-9]|1[0-2])[/.-](?P<year>\d{4})"),
)
_YEARS = range(1850, 2101)


def name_in(form: NameForm, text: str) -> str:
    """Return a name in the form that the database compares: composed (NFC), single spaces, then as the form says."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if form == "as-given":
        return name
    name = name.upper()
    if form == "upper":
        return unicodedata.normalize("NFC", name)
    plain = unicodedata.normalize("NFD", name.replace("Đ", "D"))
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return plain.replace(" ", "") if form == "unaccented-joined" else plain


def birth_in(form: BirthForm, text: str) -> tuple[Literal["Nam", "NgayThangNam"], str]:
    """Return the element that a birth date stands in, and how it is written there.

    Of a date without its day (`05/1990`, `00/05/1990`) only the year is asked for: the database knows days or years.
    Date-times are refused, because a time zone may move them to the day before. Raises Unfit.
    """
    word = text.strip()
    if not word.isascii():
        raise Unfit("date")
    for pattern in _YEAR_ONLY:
        found = pattern.fullmatch(word)
        if found:
            return "Nam", _year(found["year"])
    for pattern in _FULL:
        found = pattern.fullmatch(word)
        if found:
            break
    else:
        raise Unfit("date")
    year, month, day = _year(found["year"]), int(found["month"]), int(found["day"])
    if day == 0 and 0 <= month <= 12:  # noqa: PLR2004 (months)
        return "Nam", year
    try:
        born = date(int(year), month, day)
    except ValueError:
        raise Unfit("date") from None
    return "NgayThangNam", born.strftime("%Y%m%d" if form == "compact" else "%Y-%m-%d")


def number_of(text: str, digits: int) -> str:
    """Return a personal number without the blanks people put into it. Raises Unfit."""
    number = re.sub(r"[\s.]", "", text)
    if not (number.isascii() and number.isdecimal() and len(number) == digits):
        raise Unfit("number")
    return number


def _year(text: str) -> str:
    if int(text) not in _YEARS:
        raise Unfit("date")
    return text
