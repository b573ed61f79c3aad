"""When a described example is the answer: `x-mock-when` in it says for which questions.

`asked` is a JSON Schema that the question fits (its parameters and the members of its body by name), `nobody` holds when
the question is about nobody of the register, and `span` when two days of it are further apart than the provider allows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.builtin.mock.facts import Schema, parse_day

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Two days of a question and how far apart they may be."""

    since: str
    until: str
    days: int

    def is_broken(self, asked: Mapping[str, Any]) -> bool:  # Any: JSON
        """Say whether the days are too far apart, in the wrong order, or not there to be read."""
        found = [parse_day(str(asked.get(name, ""))[:20]) for name in (self.since, self.until)]
        if found[0] is None or found[1] is None:
            return True
        return not 0 <= (found[1][0] - found[0][0]).days <= self.days


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """All that has to hold of a question."""

    asked: "Draft202012Validator | None"
    nobody: bool | None
    span: Span | None

    def holds(self, asked: Mapping[str, Any], *, found: bool) -> bool:  # Any: JSON
        """Say whether the question is one of these."""
        return (
            (self.nobody is None or self.nobody == (not found))
            and (self.span is None or self.span.is_broken(asked))
            and (self.asked is None or self.asked.is_valid(dict(asked)))
        )


def parse_when(written: Schema) -> When:
    """Return what `x-mock-when` says. Raises ValueError."""
    unknown = sorted(set(written) - {"asked", "nobody", "span"})
    if unknown or not written:
        raise ValueError("x-mock-when has asked, nobody or span, and nothing else")
    nobody = written.get("nobody")
    if nobody is not None and not isinstance(nobody, bool):
        raise ValueError("x-mock-when: nobody is true or false")
    asked = written.get("asked")
    return When(
        asked=None if asked is None else _schema(asked), nobody=nobody, span=_span(written.get("span"))
    )


def _schema(asked: object) -> "Draft202012Validator":
    """Compile a schema; it refers to nothing outside, and its patterns cannot run away."""
    import jsonschema_rs  # noqa: PLC0415 (8 MB that a node without such a mock does not pay for)

    if not isinstance(asked, Mapping):
        raise ValueError("x-mock-when: asked is no JSON Schema")
    try:
        return jsonschema_rs.Draft202012Validator(
            dict(asked), offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        raise ValueError("x-mock-when: asked is no JSON Schema that is taken here") from None


def _span(written: object) -> Span | None:
    if written is None:
        return None
    if not isinstance(written, Mapping) or set(written) != {"from", "to", "days"}:
        raise ValueError("x-mock-when: span has from, to and days")
    if not isinstance(written["days"], int):
        raise ValueError("x-mock-when: span: days is a number")
    return Span(since=str(written["from"]), until=str(written["to"]), days=written["days"])
