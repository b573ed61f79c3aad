"""What a call asks, and whom it is about."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

from connectors.builtin.mock.facts import fact_of, parse_day
from connectors.builtin.mock.people import Register, Subject, enterprise, person, random_for
from connectors.contract import Call

_MOST_DEPTH = 4
MOST_MEMBERS = 500
_DIGITS = 12
_BEFORE: Mapping[str, Mapping[int, str]] = {
    "person.number": {12: "", 9: "999"},
    "person.old-number": {9: "999"},
    "person.insurance": {10: "99"},
}
"""What stands before a number of so many digits to make it a personal number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question's values by name, whom it is about (None: nobody of the register), and its own source of chance."""

    asked: Mapping[str, Any]  # Any: JSON
    subject: Subject | None
    random: Random
    repeats: bool
    """Whoever is asked after exists, so an answer repeats what the question knows of them."""


class Questions:
    """Turns calls into questions about the people of one register."""

    def __init__(self, register: Register) -> None:
        self.register = register
        self.seed = register.seed

    def about(self, asked: Mapping[str, Any], call: Call, body: bytes) -> Question:  # Any: JSON
        """Return what a call asks. The same question has the same source of chance."""
        words = (call.operation, call.path, call.query, body.decode("latin-1"))
        random = random_for(self.seed, *words)
        subject = subject_of(asked, self.register, random)
        return Question(asked=asked, subject=subject, random=random, repeats=not self.register.count)


def members(value: Any) -> dict[str, Any]:  # Any: JSON
    """Return what a body says by name, of an endless one the beginning; outer members go before inner ones."""
    return dict(reversed(list(islice(_members(value), MOST_MEMBERS))))


def _members(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:  # Any: JSON
    if isinstance(value, dict) and depth < _MOST_DEPTH:
        yield from value.items()
        for inner in value.values():
            yield from _members(inner, depth + 1)


def subject_of(asked: Mapping[str, Any], register: Register, random: Random) -> Subject | None:
    """Return whom a question names: by number, or else by name and birth date; anybody when it names nobody."""
    known = {fact_of({}, name): value for name, value in asked.items() if isinstance(value, str)}
    for fact, before in _BEFORE.items():
        number = known.get(fact, "")
        if number:
            whole = before.get(len(number), "") + number
            is_one = len(whole) == _DIGITS and whole.isascii() and whole.isdecimal()
            if is_one and register.has_person(whole):
                return _of_person(whole, register)
            return None if register.count else _anybody(register, random)
    number = known.get("enterprise.number", "")
    if number:
        return _of_enterprise(number[:20], register) if register.has_enterprise(number) else None
    if known.get("person.name") and register.count:
        return _by_name(known["person.name"], known.get("person.born", ""), register)
    return _anybody(register, random)


def _anybody(register: Register, random: Random) -> Subject:
    return Subject(person=register.somebody(random), enterprise=register.some_enterprise(random))


def _by_name(name: str, born: str, register: Register) -> Subject | None:
    day = parse_day(born) if born else None
    for found in register.search(name):
        if day is None or f"{day[0]:%Y%m%d}"[: day[1]] == f"{found.born:%Y%m%d}"[: day[1]]:
            return _of_person(found.number, register)
    return None


def _of_person(number: str, register: Register) -> Subject:
    own = enterprise(register.seed, f"99{number[-8:]}")
    return Subject(person=person(register.seed, number), enterprise=own)


def _of_enterprise(number: str, register: Register) -> Subject:
    found = enterprise(register.seed, number)
    return Subject(person=found.head, enterprise=found)
