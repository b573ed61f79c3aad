"""The codes and names by which people know objects: dated, in several forms, found without regard to case.

Ids never change; labels do. A label belongs to one object of its kind at an instant, so that the code of an
organisation that has ended can be given to another one later.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from registry.entities import Kind
from registry.stores import Document, Stored

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
_LONGEST_KEY = 400

OWN: Mapping[Kind, str] = {
    Kind.ORGANISATION: "code",
    Kind.NATIONAL_DATABASE: "code",
    Kind.SYSTEM: "code",
    Kind.SERVICE: "name",
    Kind.CLIENT: "name",
    Kind.OFFICER: "code",
    Kind.CODE_LIST: "code",
}
"""Kinds that carry their own label, and the field it stands in."""

COMPOSED: Mapping[Kind, tuple[str, ...]] = {
    Kind.NEED: ("system", "national_database"),
    Kind.VERSION: ("service", "version"),
    Kind.GRANT: ("consumer", "service"),
    Kind.DELEGATION: ("organisation",),
}
"""Kinds whose label is made of the labels (or values) of these fields, with a slash between."""

_NAMES = ("name_vi", "name_en", "title_vi", "title_en", "old_code", "legal_basis")


@dataclass(frozen=True, slots=True)
class Label:
    """One label of an object, with the days on which it holds (`valid_to` is exclusive)."""

    code: str
    valid_from: date | None = None
    valid_to: date | None = None

    def holds_on(self, day: date) -> bool:
        """Say whether the label is good on that day."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day < self.valid_to
        )

    def overlaps(self, other: "Label") -> bool:
        """Say whether there is a day on which both hold."""
        return (self.valid_to is None or other.valid_from is None or other.valid_from < self.valid_to) and (
            other.valid_to is None or self.valid_from is None or self.valid_from < other.valid_to
        )


def today() -> date:
    """Return the day it is in Vietnam."""
    return datetime.now(VIETNAM).date()


def own_labels(kind: Kind, document: Document) -> Iterator[Label]:
    """Yield the labels that the document carries itself, the chief one first; none for composed kinds."""
    if kind not in OWN:
        return
    dated = kind in {Kind.ORGANISATION, Kind.OFFICER}
    since, until = (
        (_day(document.get("valid_from")), _day(document.get("valid_to"))) if dated else (None, None)
    )
    chief = Label(document[OWN[kind]], since, until)
    yield chief
    others = [Label(document["old_code"], since, until)] if document.get("old_code") else []
    others += [
        Label(alias["code"], _day(alias.get("valid_from")), _day(alias.get("valid_to")))
        for alias in document.get("aliases", ())
    ]
    yield from (label for label in others if label != chief)


def choose(candidates: Iterable[tuple[Label, str]], on: date | None) -> str | None:
    """Return the object that a label means on a day, of all objects that ever had it.

    Without a day it is today's holder; when there is none today, the last one that was, else the first
    that will be, so that an organisation that has ended can still be looked at.
    """
    day = on or today()
    known = list(candidates)
    holding = [target for label, target in known if label.holds_on(day)]
    if holding or on is not None:
        return holding[0] if holding else None
    ended = [(label.valid_to, target) for label, target in known if label.valid_to and label.valid_to <= day]
    if ended:
        return max(ended)[1]
    coming = [(label.valid_from, target) for label, target in known if label.valid_from]
    return min(coming)[1] if coming else None


def newest_in_use(candidates: Sequence[Stored]) -> Stored | None:
    """Return the newest that is neither withdrawn, refused nor revoked, else the newest of all."""
    newest_first = sorted(candidates, key=lambda item: item.id, reverse=True)
    return next((item for item in newest_first if is_in_use(item)), newest_first[0] if newest_first else None)


def is_in_use(item: Stored) -> bool:
    """Say whether a need still stands, a grant may still be used or decided; other kinds always."""
    return not item.document.get("withdrawn") and not (
        item.kind is Kind.GRANT and item.document.get("status") in {"refused", "revoked"}
    )


def other_forms(kind: Kind, code: str) -> Iterator[str]:
    """Yield the same organisation code in the other form (with a system's slug behind it, for a system).

    This is a rule of thumb, good only where no object carries the code itself: the two forms do not
    always convert (a three-digit group has no old form).
    """
    if kind not in {Kind.ORGANISATION, Kind.SYSTEM}:
        return
    organisation, colon, slug = code.partition(":")
    for form in (new_form(organisation), old_form(organisation)):
        if form is not None and form != organisation:
            yield form + colon + slug


def new_form(code: str) -> str | None:
    """Turn a code of QCVN 102:2016 (`000.00.12.H26`) into one of Decision 20/2020 (`H26.12`)."""
    groups = code.split(".")
    if len(groups) < 2 or groups[0][:1].isalpha() or not groups[-1][:1].isalpha():  # noqa: PLR2004
        return None
    groups.reverse()
    while len(groups) > 1 and set(groups[-1]) == {"0"}:
        groups.pop()
    return ".".join(groups)


def old_form(code: str) -> str | None:
    """Turn a code of Decision 20/2020 (`H26.12`) into one of QCVN 102:2016, where that has room for it."""
    groups = code.split(".")
    widths = (2, 2, 3)
    if not groups[0][:1].isalpha() or len(groups) > len(widths) + 1:
        return None
    padded = [*groups[1:], *("0" * width for width in widths[len(groups) - 1 :])]
    if any(len(group) != width for group, width in zip(padded, widths, strict=True)):
        return None
    return ".".join([*reversed(padded), groups[0]])


def key(code: str) -> str:
    """Return what a label is compared by: without regard to case or the way its letters are composed."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", code.strip()).casefold())
    if len(folded.encode()) <= _LONGEST_KEY:
        return folded
    # An index of PostgreSQL does not hold long texts.
    return folded[:60] + "#" + sha256(folded.encode()).hexdigest()


def fold(text: str) -> str:
    """Return the text in lower case without accents, as it is searched in (`Đắk Lắk` -> `dak lak`)."""
    plain = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(char for char in plain if not unicodedata.combining(char))


def search_text(kind: Kind, label: str, document: Document) -> str:
    """Return what a search looks through: label, further codes and names, folded."""
    further = [label_.code for label_ in own_labels(kind, document)]
    names = [document.get(name) or "" for name in _NAMES]
    return fold("\n".join(dict.fromkeys([label, *further, *names])))


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
