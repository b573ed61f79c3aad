"""What a transform is: a pure change of a message, made ready from declared settings before any message comes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, runtime_checkable

from connectors.message import Headers
from gateway.transforms.code_tables import Tables

NOT_READ: Final = object()
"""Stands for a document that nobody has read yet."""


@dataclass(frozen=True, slots=True)
class Document:
    """A message that is whole in memory, as transforms see it.

    `value` is the JSON in it, where that was at hand when the body was written.
    """

    body: bytes
    media_type: str = ""
    headers: Headers = field(default_factory=list)
    value: Any = field(default=NOT_READ, repr=False, compare=False)  # Any: JSON


class Transform(Protocol):
    """Changes a message. Pure: the same message gives the same result, now and next year, on every node."""

    def __call__(self, document: Document, *, hurry: bool = False) -> Document:
        """Return the changed message. Raises Unfit when this message cannot be transformed.

        With `hurry` it may raise OutOfTime early: the caller then tries again where it blocks nobody.
        """
        ...


@runtime_checkable
class Bounded(Protocol):
    """A transform that says how long it may take; what does not say so has the time of all large documents."""

    def seconds(self, size: int) -> float:
        """Return the most seconds for a document of so many bytes."""
        ...


Build = Callable[[Mapping[str, Any], Tables], Transform]  # Any: settings as written; checked by who builds
"""Makes a transform from its settings. Raises BadSettings."""


class TransformError(Exception):
    """The root of what goes wrong with transforms."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a text something is: line and column count from 1."""

    line: int
    column: int

    @classmethod
    def of(cls, text: str, offset: int) -> "Place":
        """Return the place of an offset in a text."""
        before = text[:offset]
        return cls(before.count("\n") + 1, offset - before.rfind("\n"))


class BadSettings(TransformError):
    """What is declared cannot become a transform. `pointer` leads to the setting, `place` into its text."""

    def __init__(self, message: str, pointer: str = "", place: Place | None = None) -> None:
        where = f" (line {place.line}, column {place.column})" if place else ""
        super().__init__(f"{pointer}: {message}{where}" if pointer else message + where)
        self.message = message
        self.pointer = pointer
        self.place = place


UnfitCode = Literal[
    "malformed", "duplicate-key", "number-out-of-range", "encoding", "too-large", "too-deep", "doctype", "xinclude",
    "unexpected", "missing", "value-unreadable", "mapping-failed", "limit", "nothing",
]  # fmt: skip
"""Why a message cannot be transformed: stable, and safe to tell anybody."""


class Unfit(TransformError):
    """This message cannot be transformed.

    The text of the error may quote the message and is for the author of a mapping only; everybody else is told
    `code`, `place` and `subject` (a place in the mapping or the document, or the name of what is missing there).
    """

    def __init__(
        self,
        code: UnfitCode,
        message: str,
        place: Place | None = None,
        subject: Literal["document", "mapping"] = "document",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.place = place
        self.subject = subject


class OutOfTime(Unfit):
    """The transform took longer than it may."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__("limit", message, place, "mapping")
