"""Names and genders of people as Vietnam's systems write them. Pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

GENDERS: Final[Mapping[str, Mapping[str, str]]] = {
    "1-2-3": {"male": "1", "female": "2", "other": "3"},
    "1-0": {"male": "1", "female": "0"},
    "vi": {"male": "Nam", "female": "Nữ", "other": "Khác"},
    "en": {"male": "male", "female": "female", "other": "other"},
    "M-F": {"male": "M", "female": "F", "other": "X"},
}
"""The codings of gender, by name: 1 nam, 2 nữ, 3 khác (social insurance); 1 nam, 0 nữ (criminal records); ..."""


_WORD: Final = re.compile(r"[^\s'’\-]+")
"""What begins with a capital: H'Wăn Niê, Nguyễn-Văn."""
_STROKED: Final = str.maketrans("đĐðÐ", "dDdD")
"""Đ, and the letter of Iceland that keyboards and fonts take for it."""


class NoSuchCode(ValueError):
    """A code that its list does not hold, or that has no counterpart in the other list."""


class FormUnknown(ValueError):
    """A form that does not exist."""


def translate_gender(value: str, source: str, target: str) -> str:
    """Turn a gender from one coding into another one; it is never guessed. Raises NoSuchCode, FormUnknown."""
    for coding in (source, target):
        if coding not in GENDERS:
            raise FormUnknown(f"{coding!r} is no coding of gender: use one of {', '.join(GENDERS)}.")
    folded = _plain(value)
    meaning = next((what for what, code in GENDERS[source].items() if _plain(code) == folded), None)
    if meaning is None:
        raise NoSuchCode(f"The value is no gender in the coding {source}.")
    if meaning not in GENDERS[target]:
        raise NoSuchCode(f"The coding {target} has no code for {meaning!r}.")
    return GENDERS[target][meaning]


def _tidy(name: str) -> str:
    """Return a name composed (NFC), with single spaces."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def unaccented(text: str) -> str:
    """Return a text without its accents, case kept (`Đắk Lắk` -> `Dak Lak`)."""
    plain = unicodedata.normalize("NFD", text.translate(_STROKED))
    return unicodedata.normalize("NFC", "".join(char for char in plain if not unicodedata.combining(char)))


def _plain(text: str) -> str:
    return unaccented(_tidy(text)).casefold()


def _title(name: str) -> str:
    return _WORD.sub(lambda word: word[0][:1].upper() + word[0][1:].lower(), name)


NAME_FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    "nfc": lambda name: name,
    "upper": str.upper,
    "title": _title,
    "plain": unaccented,
    "upper-plain": lambda name: unaccented(name).upper(),
    "upper-plain-joined": lambda name: unaccented(name).upper().replace(" ", ""),
    "key": lambda name: unaccented(name).casefold(),
}
"""The forms of a name. All are composed, with single spaces: `nfc` as it is, `upper` NGUYỄN VĂN A, `title` Nguyễn
Văn A, `plain` without accents, `upper-plain` NGUYEN VAN A, `upper-plain-joined` NGUYENVANA, `key` to compare by
(old and new placement of tone marks are the same in it)."""


def write_name(name: str, form: str) -> str:
    """Return a name in one of the forms. Raises FormUnknown."""
    if form not in NAME_FORMS:
        raise FormUnknown(f"{form!r} is no form of name: use one of {', '.join(NAME_FORMS)}.")
    return NAME_FORMS[form](_tidy(name))


def split_name(name: str) -> dict[str, str]:
    """Split a full name into family name, middle and given name; of one word, it is the given name."""
    words = _tidy(name).split(" ")
    family = words[0] if len(words) > 1 else ""
    return {"Ho": family, "ChuDem": " ".join(words[1:-1]), "Ten": words[-1]}


def join_name(family: str | None, middle: str | None, given: str | None) -> str:
    """Join the parts of a name; absent ones leave no gap."""
    return _tidy(" ".join(part for part in (family, middle, given) if part))


def mask(value: str, first: int, last: int) -> str:
    """Hide the middle of a text: so many characters stay at each end, none when that would show it all."""
    if first < 0 or last < 0:
        raise FormUnknown("A mask keeps no fewer than 0 characters.")
    value = unicodedata.normalize("NFC", value)
    if first + last >= len(value):
        return "*" * len(value)
    return value[:first] + "*" * (len(value) - first - last) + (value[-last:] if last else "")
