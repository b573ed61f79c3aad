"""Running transforms on a sample for their author: what was read, what came out, or what is wrong and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from gateway.transforms.chain import chain_of
from gateway.transforms.code_tables import Tables
from gateway.transforms.contract import BadSettings, Document, Place, Transform, Unfit
from gateway.transforms.guests import Guests
from registry.entities import TransformSpec


@runtime_checkable
class Reading(Protocol):
    """A transform that knows which fields of its input it reads."""

    def reads(self) -> list[str]:
        """Return the fields, as dotted paths."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong: in which transform (from 0), with its settings, its mapping, or the document, and where."""

    transform: int
    at: str
    code: str
    message: str
    pointer: str = ""
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a trial gave. `reads` is of the first transform, None where it does not know."""

    output: bytes | None = None
    media_type: str = ""
    reads: list[str] | None = None
    fault: Fault | None = None


def try_transforms(
    specs: Sequence[TransformSpec], body: bytes, tables: Tables, guests: Guests, media_type: str = ""
) -> Trial:
    """Make the transforms and run them on a body. Blocks for as long as they may take."""
    try:
        steps = chain_of(specs, tables, guests).steps
    except BadSettings as error:
        number, _, rest = error.pointer.removeprefix("/").partition("/")
        fault = Fault(
            transform=int(number or 0), at="settings", code="settings-refused", message=error.message,
            pointer="/" + rest, **_place(error.place),
        )  # fmt: skip
        return Trial(fault=fault)
    return _run(steps, Document(body, media_type))


def _run(steps: Sequence[Transform], document: Document) -> Trial:
    first: object = steps[0] if steps else None
    reads = first.reads() if isinstance(first, Reading) else None
    for number, step in enumerate(steps):
        try:
            document = step(document)
        except Unfit as error:
            fault = Fault(
                transform=number,
                at=error.subject,
                code=error.code,
                message=error.message,
                **_place(error.place),
            )
            return Trial(reads=reads, fault=fault)
    return Trial(output=document.body, media_type=document.media_type, reads=reads)


def _place(place: Place | None) -> dict[str, Any]:  # Any: members of a fault
    return {} if place is None else {"line": place.line, "column": place.column}
