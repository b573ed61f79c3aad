"""What is found where a message breaks its contract: a place and a rule, never a value."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from registry.documents import pointer_of

Place = Literal["body", "path", "query", "header"]

MOST_TOLD: Final = 20
"""So many violations of one message are told and counted."""
LONGEST_POINTER: Final = 300
ANY: Final = "*"
"""Stands in pointers for indexes of lists, and for names that the contract does not know: they may be values."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong: `pointer` leads into what `at` names, `rule` is the broken keyword (`required`, `maxLength`)."""

    at: Place
    pointer: str
    rule: str

    def __str__(self) -> str:
        return f"{self.at} {self.pointer or '/'}: {self.rule}"


class BadContract(Exception):
    """A declaration that cannot be checked by. `pointer` leads into the version."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer}: {message}")
        self.pointer = pointer
        self.message = message


class NotChecked(Exception):
    """The check took longer, or used more, than it may."""


def pointer_within(steps: Iterable[str | int], known: Collection[str]) -> str:
    """Return a pointer in which all but known names is `*`, cut where it gets too long."""
    shown = [step if isinstance(step, str) and step in known else ANY for step in steps]
    return pointer_of(shown)[:LONGEST_POINTER]


def distinct(violations: Iterable[Violation]) -> tuple[Violation, ...]:
    """Return the first few violations, each once."""
    found: dict[Violation, None] = {}
    for violation in violations:
        found[violation] = None
        if len(found) == MOST_TOLD:
            break
    return tuple(found)
