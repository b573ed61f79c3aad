"""The functions that mappings can call besides JSONata's own: what they are called, take and mean.

All treat what is absent, null or empty as absent: the result is then absent as well. Anything else that cannot be
read is an error, never a guess.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from inspect import signature
from typing import Any, Final, NoReturn

from gateway.transforms import dates, people, provinces
from gateway.transforms.code_tables import CodeTable, Tables, translate_code
from gateway.transforms.dates import DateUnreadable, read_date, write_date
from gateway.transforms.people import NoSuchCode

ORG_FORMS: Final = ("new", "old")


class ValueUnreadable(Exception):
    """A function was given something that it cannot read. `code` is how the engine reports it."""

    code = "value-unreadable"


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the mapping language. `tables` makes it for the lists that a mapping declares."""

    name: str
    parameters: str
    summary: str
    example: tuple[str, object]
    make: Callable[[Tables, Sequence[str]], Callable[..., object]]


def _pure(call: Callable[..., object]) -> Callable[[Tables, Sequence[str]], Callable[..., object]]:
    return lambda _tables, _lists: call


def guarded(call: Callable[..., object]) -> Callable[..., object]:
    """Return the function with absence passed through, numbers taken as text, and errors told as our own."""

    most = len(signature(call).parameters)

    def apply(*arguments: object) -> object:
        if len(arguments) > most:
            raise ValueUnreadable(f"The function takes at most {most} arguments.")
        value = _text(arguments[0]) if arguments else None
        if not value:
            return None
        try:
            return call(value, *arguments[1:])
        except (DateUnreadable, NoSuchCode, ValueError, OverflowError) as error:
            raise ValueUnreadable(str(error)) from error

    return apply


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else value.strip()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueUnreadable("The value is neither a text nor a number.")
    return str(int(value)) if value == int(value) else str(value)


def _day(value: object) -> date:
    """Return the day that an argument says. Raises ValueUnreadable: without its day a code means nothing."""
    text = _text(value)
    if not text:
        raise ValueUnreadable("The day is missing.")
    return dates.day_of(read_date(text))


def _day_or_none(value: object) -> date | None:
    return _day(value) if _text(value) else None


def _word(value: object, default: str) -> str:
    if value is None:
        return default
    if not isinstance(value, str):
        raise ValueUnreadable("The form must be a text.")
    return value


def _count(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise ValueUnreadable("A count must be a whole number.")
    return int(value)


def _date(value: str, target: object = None, source: object = None) -> str:
    return write_date(read_date(value, _word(source, "auto")), _word(target, "yyyy-MM-dd|yyyy-MM|yyyy"))


def _date_precision(value: str, source: object = None) -> str:
    return read_date(value, _word(source, "auto")).precision


def _gender(value: str, source: object = None, target: object = None) -> str:
    return people.translate_gender(value, _word(source, ""), _word(target, ""))


def _name(value: str, form: object = None) -> str:
    return people.write_name(value, _word(form, "nfc"))


def _name_parts(value: str) -> dict[str, str]:
    return people.split_name(value)


def _full_name(given: str, middle: object = None, family: object = None) -> str:
    return people.join_name(_text(family), _text(middle), given)


def _province(value: str, on: object = None, to: object = None) -> str:
    return provinces.translate_province(value, _day(on), _day_or_none(to) or provinces.MERGER)


def _province_name(value: str, on: object = None) -> str:
    return provinces.province_name(value, _day(on))


def _province_code(value: str, on: object = None) -> str:
    return provinces.province_code(value, _day(on))


def _district(value: str, on: object = None) -> str | None:
    return provinces.district(value, _day(on))


def _mask(value: str, first: object = None, last: object = None) -> str:
    return people.mask(value, _count(first), _count(last))


def _org_code(tables: Tables, _lists: Sequence[str]) -> Callable[..., object]:
    organisations = tables.organisations()

    def translate(value: str, form: object = None) -> str:
        wanted = _word(form, "new")
        if wanted not in ORG_FORMS:
            raise ValueUnreadable("The form of an organisation's code is new or old.")
        return organisations.translate(value, wanted)

    return translate


class _Lists:
    """The code lists that one mapping declares."""

    def __init__(self, tables: Tables, slugs: Sequence[str]) -> None:
        self._tables = {slug: tables.code_list(slug) for slug in slugs}

    def get(self, slug: object) -> CodeTable:
        try:
            return self._tables[_word(slug, "")]
        except KeyError:
            raise ValueUnreadable("A code list must be declared in `code_lists` to be used.") from None


def _code(tables: Tables, slugs: Sequence[str]) -> Callable[..., object]:
    lists = _Lists(tables, slugs)

    def translate(value: str, source: object = None, target: object = None, on: object = None) -> str:
        return translate_code(value, lists.get(source), lists.get(target), _day_or_none(on))

    return translate


def _code_name(tables: Tables, slugs: Sequence[str]) -> Callable[..., object]:
    lists = _Lists(tables, slugs)
    return lambda value, slug=None, on=None: lists.get(slug).get(value, _day_or_none(on)).name_vi


def _is_code(tables: Tables, slugs: Sequence[str]) -> Callable[..., object]:
    lists = _Lists(tables, slugs)
    return lambda value, slug=None, on=None: lists.get(slug).find(value, _day_or_none(on)) is not None


FUNCTIONS: Final[tuple[Function, ...]] = (
    Function(
        "date", "value, to?, from?",
        "Writes a date in the form `to` (else the shortest ISO form that says all). It is read in any form that "
        "cannot be mistaken, or in the form `from`. Forms with a bar between are alternatives.",
        ('$date("01/02/1980", "yyyyMMdd")', "19800201"), _pure(_date),
    ),
    Function(
        "datePrecision", "value, from?", "Says how far a date is known: `year`, `month`, `day` or `second`.",
        ('$datePrecision("02/1980")', "month"), _pure(_date_precision),
    ),
    Function(
        "gender", "value, from, to",
        f"Turns a gender from one coding into another one: {', '.join(f'`{name}`' for name in people.GENDERS)}.",
        ('$gender("2", "1-2-3", "1-0")', "0"), _pure(_gender),
    ),
    Function(
        "name", "value, form?",
        f"Writes a name in one of the forms {', '.join(f'`{name}`' for name in people.NAME_FORMS)}.",
        ('$name("Đặng  thị lan", "upper-plain")', "DANG THI LAN"), _pure(_name),
    ),
    Function(
        "nameParts", "value", "Splits a full name into `Ho`, `ChuDem` and `Ten`.",
        ('$nameParts("Đặng Thị Lan").Ten', "Lan"), _pure(_name_parts),
    ),
    Function(
        "fullName", "given, middle?, family?", "Joins a name from given, middle and family name.",
        ('$fullName("Lan", "Thị", "Đặng")', "Đặng Thị Lan"), _pure(_full_name),
    ),
    Function(
        "orgCode", "value, form?",
        "Writes an organisation's code in the form `new` (Decision 20/2020) or `old` (QCVN 102:2016), as the registry "
        "says, else by the rule.",
        ('$orgCode("000.00.12.H26")', "H26.12"), _org_code,
    ),
    Function(
        "province", "code, on, to?",
        "Turns the code that a province had on the day `on` (the message's date) into the one that it had on the day "
        "`to` (else since 1 July 2025).",
        ('$province("27", "2024-05-01")', "24"), _pure(_province),
    ),
    Function(
        "provinceName", "code, on", "Names the province that had this code on that day.",
        ('$provinceName("24", "2024-05-01")', "Bắc Giang"), _pure(_province_name),
    ),
    Function(
        "provinceCode", "name, on", "Returns the code that the province of this name had on that day.",
        ('$provinceCode("Tỉnh Bắc Ninh", "2025-07-01")', "24"), _pure(_province_code),
    ),
    Function(
        "district", "code, on", "Returns the code of a district while there were any; absent from 1 July 2025.",
        ('$district("001", "2024-05-01")', "001"), _pure(_district),
    ),
    Function(
        "code", "value, from, to, on?",
        "Turns a code of the registry's code list `from` into the code of the list `to` that means the same, on a day.",
        ('$code("trả kết quả", "tinh", "quoc-gia")', "10"), _code,
    ),
    Function(
        "codeName", "code, list, on?", "Names a code of a code list.",
        ('$codeName("10", "quoc-gia")', "Đã trả kết quả"), _code_name,
    ),
    Function(
        "isCode", "code, list, on?", "Says whether a code list holds the code.",
        ('$isCode("77", "quoc-gia")', False), _is_code,
    ),
    Function(
        "mask", "value, first?, last?", "Hides a text but for so many characters at its ends.",
        ('$mask("001099000001", 3, 2)', "001*******01"), _pure(_mask),
    ),
)  # fmt: skip


def _base64_of(value: str) -> str:
    return b64encode(value.encode()).decode()


def _text_of_base64(value: str) -> str:
    try:
        return b64decode(value, validate=True).decode()
    except ValueError:
        raise ValueError("The text is no base64 of UTF-8.") from None


REPLACED: Final[Mapping[str, Callable[..., object]]] = {
    "base64encode": _base64_of,
    "base64decode": _text_of_base64,
}
"""JSONata's own functions in whose place ours stand: the engine's lose what is no letter of Latin."""

BARRED: Final = {
    "now": "the time of day", "millis": "the time of day", "random": "chance", "shuffle": "chance",
    "eval": "text that is made while it runs",
}  # fmt: skip
"""JSONata's own functions that mappings may not call, and what their results would hang on."""


def barred(what: str) -> Callable[..., NoReturn]:
    """Return what stands in the place of a function that mappings may not call."""

    def refuse(*_arguments: Any) -> NoReturn:  # Any: whatever it is called with
        raise ValueUnreadable(f"This function is barred: a mapping may not depend on {what}.")

    return refuse
