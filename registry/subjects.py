"""Data subjects: what kinds of id there are, how an id is written, and the keyed hash by which records name it. Pure.

Nobody without the key can tell from a hash whom it stands for, not even by trying all numbers; with the key, the
same person is found under every way in which the number is commonly written.
"""

import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

LONGEST = 64
"""Characters of an id as it is given; no kind of id is nearly as long."""


class SubjectType(StrEnum):
    """The kinds of id by which a data subject is named."""

    CITIZEN_ID = "citizen-id"
    OLD_CITIZEN_ID = "old-citizen-id"
    INSURANCE_NUMBER = "insurance-number"
    ENTERPRISE = "enterprise"
    PASSPORT = "passport"


class IdUnreadable(ValueError):
    """A text cannot be an id of this type. The message does not repeat it."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How ids of a type are written: how many characters at least and most, and whether letters are among them.

    Numbers are filled up with zeros to one of the `full` lengths: spreadsheets and JSON numbers lose leading ones.
    """

    shortest: int
    longest: int
    full: tuple[int, ...] = ()
    letters: bool = False


_FORMS: Mapping[SubjectType, _Form] = {
    SubjectType.CITIZEN_ID: _Form(9, 12, (12,)),
    SubjectType.OLD_CITIZEN_ID: _Form(7, 12, (9, 12)),
    SubjectType.INSURANCE_NUMBER: _Form(8, 10, (10,)),
    SubjectType.ENTERPRISE: _Form(8, 13, (10, 13)),
    SubjectType.PASSPORT: _Form(5, 20, letters=True),
}


def normalise(type_: SubjectType, given: str) -> str:
    """Return an id in the one spelling that is hashed.

    Blanks, dots, dashes and what cannot be seen are dropped, letters are upper case in NFC, digits are ASCII.

    Raises:
        IdUnreadable: what is left cannot be an id of this type.
    """
    if len(given) > LONGEST:
        raise IdUnreadable("this is too long for an id")
    form = _FORMS[type_]
    if len(given) in form.full and given.isascii() and given.isdigit():
        return given  # as nearly all are written
    text = "".join(_kept(char) for char in unicodedata.normalize("NFC", given)).upper()
    if not (text.isascii() and (text.isalnum() if form.letters else text.isdigit())):
        raise IdUnreadable("this holds other characters than an id of this type")
    if not form.shortest <= len(text) <= form.longest:
        raise IdUnreadable("this has another length than an id of this type")
    return text.zfill(next((length for length in form.full if len(text) <= length), 0))


def _kept(char: str) -> str:
    """Return what is kept of one character: nothing of separators, the ASCII digit of any decimal digit."""
    if char.isascii() and char.isalnum():
        return char
    if char in ".-/" or unicodedata.category(char) in _SEPARATORS:
        return ""
    digit = unicodedata.decimal(char, None)
    return char if digit is None else str(digit)


_SEPARATORS = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Pd"})


def subject_hash(key: bytes, type_: SubjectType, normalised: str) -> str:
    """Return HMAC-SHA256(key, type ‖ 00 ‖ normalised id) in hex: what a record holds of a data subject."""
    return hmac.digest(key, f"{type_.value}\0{normalised}".encode(), "sha256").hex()
