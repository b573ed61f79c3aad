"""The mapping language, JSONata, behind an interface of our own: the only module that knows the engine.

The engine's limits are all set, always: time, steps, depth, length of texts and arrays, size of the result; they grow
with the document. `evaluate_json` lets other threads run.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final, TypedDict

from jlens import Expression, JlensError, Read
from pydantic import BaseModel, ConfigDict, Field

from gateway.panics import is_panic
from gateway.transforms.calls import foreign_calls
from gateway.transforms.code_tables import ListUnknown, Tables
from gateway.transforms.contract import NOT_READ, BadSettings, Document, OutOfTime, Place, Unfit
from gateway.transforms.functions import BARRED, FUNCTIONS, REPLACED, ValueUnreadable, barred, guarded
from gateway.transforms.json_text import (
    LARGE_BYTES,
    Numbers,
    parse_json,
    plain_json,
    readable_json,
    render_json,
)

HURRY_SECONDS: Final = 0.015
_LIMITS: Final = frozenset({"U1001", "U1006", "D1011", "D2016"})
_OUT_OF_TIME: Final = "D1012"
_WHERE: Final = re.compile(r"at line ([0-9]+) column ([0-9]+)$")


class Limits(BaseModel):
    """The most that one run of a mapping may use; a small document is given less (see `limits_for`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: Annotated[float, Field(gt=0, le=10)] = 5.0
    steps: Annotated[int, Field(ge=1, le=50_000_000)] = 25_000_000
    depth: Annotated[int, Field(ge=10, le=500)] = 300
    text_bytes: Annotated[int, Field(ge=1, le=64 << 20)] = 24 << 20
    items: Annotated[int, Field(ge=1, le=2_000_000)] = 1_000_000
    result_bytes: Annotated[int, Field(ge=1, le=64 << 20)] = 24 << 20


class Settings(BaseModel):
    """The settings of a `jsonata` transform.

    `numbers`: `exact` keeps numbers that a double carries as they are and turns the others into text with the same
    digits; `text` turns all into text. `code_lists` names the registry's code lists that the mapping uses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mapping: Annotated[str, Field(min_length=1, max_length=100_000)]
    numbers: Numbers = "exact"
    code_lists: Annotated[tuple[Annotated[str, Field(max_length=63)], ...], Field(max_length=50)] = ()
    limits: Limits = Limits()


class EngineLimits(TypedDict):
    """What one run is told."""

    timeout: float
    max_steps: int
    max_depth: int
    max_string_length: int
    max_array_length: int
    max_result_size: int


def limits_for(limits: Limits, size: int) -> EngineLimits:
    """Return what a document of so many bytes may use: a megabyte and half a second, and more for each byte."""
    return EngineLimits(
        timeout=min(limits.seconds, 0.5 + size * 1e-6),
        max_steps=min(limits.steps, 1_000_000 + 4 * size),
        max_depth=limits.depth,
        max_string_length=min(limits.text_bytes, (1 << 20) + 2 * size),
        max_array_length=min(limits.items, 20_000 + size // 2),
        max_result_size=min(limits.result_bytes, (1 << 20) + 4 * size),
    )


class Mapping:
    """A compiled mapping."""

    def __init__(self, settings: Settings, tables: Tables) -> None:
        self._numbers = settings.numbers
        self._source = settings.mapping
        self._limits = settings.limits
        # What a small document may use hardly depends on its size.
        self._small = limits_for(settings.limits, LARGE_BYTES)
        self._in_a_hurry = EngineLimits(**self._small)
        self._in_a_hurry["timeout"] = min(HURRY_SECONDS, self._small["timeout"])
        self._expression = compiled(settings, tables)

    def reads(self) -> list[str]:
        """Return the fields of the input that the mapping reads, as dotted paths; `*` is all of what it follows."""
        read = self._expression.reads()
        return sorted(_paths(read["input"])) if "input" in read else []

    def seconds(self, size: int) -> float:
        """Return how long a document of so many bytes may take."""
        return limits_for(self._limits, size)["timeout"]

    def __call__(self, document: Document, *, hurry: bool = False) -> Document:
        """Return what the mapping makes of the document."""
        size = len(document.body)
        limits = self._in_a_hurry if hurry else self._small
        if size > LARGE_BYTES:
            limits = limits_for(self._limits, size)
        made = self._of_value(document, limits) if self._numbers == "exact" else None
        return made or self._of_text(document, limits)

    def _of_value(self, document: Document, limits: EngineLimits) -> Document | None:
        """Map values without going through text; None where only that tells what comes out: null, or nothing."""
        value = document.value if document.value is not NOT_READ else plain_json(document.body)
        if value is NOT_READ:
            return None
        with self._translated(document):
            result = self._expression.evaluate(value, **limits)
        if result is None:
            return None
        return Document(render_json(result), "application/json", document.headers, result)

    def _of_text(self, document: Document, limits: EngineLimits) -> Document:
        text = readable_json(document.body, self._numbers)
        with self._translated(document):
            result = self._expression.evaluate_json(text, **limits)
        if result is None:
            raise Unfit("nothing", "The mapping finds nothing in this document.", subject="mapping")
        return Document(result.encode(), "application/json", document.headers)

    @contextmanager
    def _translated(self, document: Document) -> Iterator[None]:
        """Turn what the engine says into Unfit."""
        try:
            yield
        except JlensError as error:
            raise self._failure(error) from error
        except ValueUnreadable as error:
            place = self._place_of_call(document.body)
            raise Unfit("value-unreadable", str(error), place, "mapping") from error
        except ValueError as error:
            raise Unfit("malformed", str(error), _place_in(str(error))) from error
        except BaseException as error:
            if is_panic(error):
                raise Unfit("limit", "The engine gave up on this document.", None, "mapping") from None
            raise

    def _failure(self, error: JlensError) -> Unfit:
        place = place_of(self._source, error)
        if error.code == _OUT_OF_TIME:
            return OutOfTime(str(error), place)
        return Unfit(
            "limit" if error.code in _LIMITS else "mapping-failed", f"{error.code}: {error}", place, "mapping"
        )

    def _place_of_call(self, body: bytes) -> Place | None:
        """Return where the function of ours was called that failed, which only an audit tells."""
        if len(body) > LARGE_BYTES:
            return None
        limits = limits_for(self._limits, len(body))
        audit = self._expression.evaluate_with_audit(parse_json(body, self._numbers), level="off", **limits)
        position = audit["error"]["start"] if audit["error"] else None
        return None if position is None else Place.of(self._source, position)


def compiled(settings: Settings, tables: Tables) -> Expression:
    """Compile a mapping with the functions that it calls. Raises BadSettings."""
    source = settings.mapping
    try:
        expression = Expression(source)
    except JlensError as error:
        raise BadSettings(str(error), "/mapping", place_of(source, error)) from error
    except BaseException as error:
        if is_panic(error):
            raise BadSettings("The engine gives up on this mapping.", "/mapping") from None
        raise
    _check_calls(source)
    for name, call in REPLACED.items():
        if f"${name}" in source:
            expression.register_function(name, guarded(call))
    for name, what in BARRED.items():
        expression.register_function(name, barred(what))
    try:
        for function in FUNCTIONS:
            if f"${function.name}" in source:
                call = function.make(tables, settings.code_lists)
                expression.register_function(function.name, guarded(call))
    except ListUnknown as error:
        raise BadSettings(f"The registry holds no code list {error}.", "/code_lists") from error
    return expression


def _check_calls(source: str) -> None:
    """Refuse calls of what is barred and of what there is not. What is handed on by name is met when it runs."""
    ours = {function.name for function in FUNCTIONS}
    for name, at in foreign_calls(source):
        if name in BARRED:
            told = f"${name} is barred: a mapping may not depend on {BARRED[name]}."
            raise BadSettings(told, "/mapping", Place.of(source, at))
        if name not in ours and not Expression(f"$exists(${name})").evaluate(None):
            raise BadSettings(f"There is no function ${name}.", "/mapping", Place.of(source, at))


def place_of(source: str, error: JlensError) -> Place | None:
    """Return where in the mapping the engine found an error."""
    offset = error.start if error.start is not None else error.position
    return None if offset is None else Place.of(source, min(offset, len(source)))


def _place_in(message: str) -> Place | None:
    found = _WHERE.search(message)
    return Place(int(found[1]), int(found[2])) if found else None


def _paths(read: Read, prefix: str = "") -> Iterator[str]:
    if read is True:
        yield prefix or "*"
        return
    if not read and prefix:
        yield prefix
    for name, inner in read.items():
        yield from _paths(inner, f"{prefix}.{name}" if prefix else name)
