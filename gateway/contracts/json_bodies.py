"""Checking JSON by a JSON Schema: nothing is fetched, patterns take linear time, and what is told holds no value."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from gateway.contracts.effort import is_bounded
from gateway.contracts.violations import BadContract, Place, Violation, distinct, pointer_within
from registry.contract_schemas import ReferenceWrong, parts, whole_schema
from registry.documents import pointer_of

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

_SHARED: Final = "$defs"
_REGEX_BYTES: Final = 1 << 20
_MASK: Final = "*"  # stands for values of messages in what the library says, which nobody is shown anyway


class JSONCheck:
    """One schema, compiled. `is_bounded` says that its cost grows no faster than the document."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self._validator = _compiled(schema)
        self._known = frozenset(_names(schema))
        self.is_bounded = is_bounded(schema)
        self.size = len(orjson.dumps(schema, default=str))
        self.passes = self._validator.is_valid
        """Says whether a document fits; stops at the first thing that does not."""

    def violations(
        self, document: Any, at: Place = "body", before: tuple[str, ...] = ()
    ) -> tuple[Violation, ...]:  # Any: foreign JSON
        """Return what is wrong; the library finds all of it, so the document must be small or time plenty."""
        return distinct(
            Violation(at, pointer_of(before) + self._pointer(error), error.kind.name)
            for error in self._validator.iter_errors(document)
        )

    def _pointer(self, error: "ValidationError") -> str:
        steps = list(error.instance_path)
        if error.kind.name == "required":
            steps.append(error.kind.as_dict()["property"])
        return pointer_within(steps, self._known)


def check_of(schema: Mapping[str, Any], shared: Mapping[str, Any], pointer: str) -> JSONCheck:
    """Compile the schema at `pointer` of a version with those that it shares. Raises BadContract."""
    from jsonschema_rs import ValidationError  # noqa: PLC0415  (megabytes, for those who check)

    try:
        whole = whole_schema(schema, shared)
    except ReferenceWrong as error:
        raise BadContract(_placed(error.pointer, pointer), _said(error, error.pointer)) from error
    try:
        return JSONCheck(whole)
    except ValidationError as error:
        steps = error.instance_path
        if len(steps) > 1 and steps[0] == _SHARED and steps[1] in shared:
            at = pointer_of(["schemas", *steps[1:]])
        else:
            at = pointer + pointer_of(steps)
        raise BadContract(at, _why(error, whole)) from error
    except (ValueError, RecursionError) as error:
        raise BadContract(pointer, "This is no JSON Schema that can be checked by.") from error


def _placed(found: str, pointer: str) -> str:
    return found if found.startswith("/schemas/") else pointer + found


def _said(error: ReferenceWrong, pointer: str) -> str:
    return str(error).removeprefix(f"{pointer or '/'}: ").rstrip(".") + "."


def _why(error: "ValidationError", schema: Mapping[str, Any]) -> str:
    if error.kind.name == "format":
        return (
            "This pattern cannot be checked by: it is no regular expression, is too large, or asks for what takes more than "
            "linear time (looking ahead or behind, references back)."
        )
    said = error.message
    try:
        _compiled(schema, mask=None)  # what a schema itself says may be told
    except type(error) as told:
        said = told.message
    said = said.partition("\n")[0][:200].rstrip(".")
    return f"This is no JSON Schema that can be checked by: {said}."


def _compiled(schema: Mapping[str, Any], mask: str | None = _MASK) -> "Validator":
    from jsonschema_rs import Draft202012Validator, RegexOptions  # noqa: PLC0415  (as above)

    return Draft202012Validator(
        dict(schema),
        offline=True,
        pattern_options=RegexOptions(size_limit=_REGEX_BYTES, dfa_size_limit=_REGEX_BYTES),
        validate_formats=True,
        mask=mask,
    )


def _names(schema: Any) -> Iterator[str]:  # Any: a JSON Schema
    """Yield the names of members that a schema knows."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, Mapping):
            continue
        yield from part.get("properties") or ()
        yield from (name for name in part.get("required") or () if isinstance(name, str))
        waiting.extend(inner for _, inner in parts(part))
