"""For whom a change matters: the consumers whose grants reach it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from registry.comparison.changes import Change, Verdict
from registry.comparison.versions import VersionComparison
from registry.entities import Grant
from registry.field_paths import FieldPath, read_path

WORST_FIRST: tuple[Verdict, ...] = ("breaking", "unknown", "compatible")


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What changes for one consumer: `grant` and `consumer` are ids; the worst verdict of all stands for it."""

    grant: str
    consumer: str
    changes: tuple[Change, ...]

    @property
    def verdict(self) -> Verdict:
        """How bad it is for this consumer."""
        return min((one.verdict for one in self.changes), key=WORST_FIRST.index, default="compatible")


def touched(comparison: VersionComparison, grant_id: str, grant: Grant) -> Touched:
    """Return what changes for the holder of a grant."""
    found = dict.fromkeys(_changes(comparison, grant))
    return Touched(grant=grant_id, consumer=grant.consumer, changes=tuple(found))


def _changes(comparison: VersionComparison, grant: Grant) -> Iterator[Change]:
    fields = list(_fields(comparison, grant)) if grant.fields else None
    for change in comparison.changes:
        if _concerns(change, grant) and (fields is None or change.field is None or change.way == "request"):
            yield _worse(change, grant)
    if fields is not None:
        for name in comparison.pairs:
            if grant.operations and name not in grant.operations:
                continue
            followed = comparison.fields(name)
            if followed is not None:
                for path in fields:
                    yield from followed.compare(path)


def _concerns(change: Change, grant: Grant) -> bool:
    if change.environment and change.environment not in grant.environments:
        return False
    return not (change.operation and grant.operations) or change.operation in grant.operations


def _worse(change: Change, grant: Grant) -> Change:
    """A grant that names an operation does not hold for it under another name."""
    if change.rule == "operation-renamed" and grant.operations:
        return Change(
            verdict="breaking", rule=change.rule, way=change.way, pointer=change.pointer, operation=change.operation,
            detail=change.detail,
        )  # fmt: skip
    return change


def _fields(comparison: VersionComparison, grant: Grant) -> Iterator[FieldPath]:
    """Yield the fields that reach the holder of a grant: its own, and the version's envelope."""
    named = (rule.path for rules in grant.fields.values() for rule in rules)
    for path in dict.fromkeys([*named, *comparison.old.envelope]):
        try:
            yield read_path(path)
        except ValueError:
            continue  # refused when it was written; nothing of it is released


def counted(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Return how many there are of each verdict."""
    found = list(verdicts)
    return {verdict: found.count(verdict) for verdict in WORST_FIRST}
