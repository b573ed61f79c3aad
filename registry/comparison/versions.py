"""Two versions of a service: everything that is not as it was, with what it means for those who call."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from registry.comparison.changes import Change, Verdict, Way, judged
from registry.comparison.fields import FieldComparison
from registry.comparison.schemas import At, Pair, SchemaComparison
from registry.entities import BodyContract, Operation, Parameter, VersionSpec
from registry.register.contracts import path_shape

MOST_CHANGES: Final = 20_000
_STRICTER: Final = ("off", "shadow", "enforce")


@dataclass(slots=True)
class VersionComparison:
    """What is between two versions. `pairs` are the operations that both have: old index, old and new."""

    old: VersionSpec
    new: VersionSpec
    changes: list[Change]
    pairs: dict[str, tuple[int, Operation, Operation]]
    schemas: Pair
    followed: dict[str, FieldComparison | None] = field(default_factory=dict)

    def fields(self, operation: str) -> FieldComparison | None:
        """Return what follows single fields of an operation's answers; None where they are not described twice."""
        if operation not in self.followed:
            self.followed[operation] = self._fields(operation)
        return self.followed[operation]

    def _fields(self, operation: str) -> FieldComparison | None:
        known = self.pairs.get(operation)
        if known is None:
            return None
        index, before, after = known
        if (
            before.reply is None
            or after.reply is None
            or before.reply.schema is None
            or after.reply.schema is None
        ):
            return None
        at = f"/operations/{index}/reply/schema"
        return FieldComparison(self.schemas, operation, before.reply.schema, after.reply.schema, at)


def compare(old: VersionSpec, new: VersionSpec) -> VersionComparison:
    """Return what has changed from one version to the other."""
    made = VersionComparison(old, new, [], {}, Pair(old.schemas, new.schemas))
    for change in _all(made):
        if len(made.changes) >= MOST_CHANGES:
            made.changes.append(Change(verdict="unknown", rule="too-large", way="request", pointer=""))
            break
        made.changes.append(change)
    return made


def _all(made: VersionComparison) -> Iterator[Change]:
    yield from _version(made.old, made.new)
    yield from _offered(made.old, made.new)
    by_name = {one.name: one for one in made.new.operations}
    by_route = {_route(one): one for one in made.new.operations}
    old_names = {one.name for one in made.old.operations}
    renamed: set[str] = set()
    for index, before in enumerate(made.old.operations):
        at = f"/operations/{index}"
        after = by_name.get(before.name)
        if after is None:
            after = by_route.get(_route(before))
            if after is None or after.name in old_names:
                yield _of("operation-removed", "breaking", at, before)
                continue
            renamed.add(after.name)
            yield _of("operation-renamed", "unknown", f"{at}/name", before, after.name)
        made.pairs[before.name] = index, before, after
        yield from _operation(made, before, after, at)
    for index, after in enumerate(made.new.operations):
        if after.name not in old_names | renamed:
            yield _of("operation-added", "compatible", f"/operations/{index}", after)


def _route(operation: Operation) -> tuple[str, str]:
    return operation.method, path_shape(operation.path)


def _version(old: VersionSpec, new: VersionSpec) -> Iterator[Change]:
    if new.max_body_bytes < old.max_body_bytes:
        yield Change(verdict="breaking", rule="body-limit", way="request", pointer="/max_body_bytes")
    for index, path in enumerate(old.envelope):
        if path not in new.envelope:
            yield Change(
                verdict="unknown", rule="envelope", way="reply", pointer=f"/envelope/{index}", detail=path
            )
    for name in ("officer_at", "procedure_at", "subject_at", "subject_type"):
        if getattr(old, name) != getattr(new, name):
            yield Change(verdict="unknown", rule="place", way="request", pointer=f"/{name}", detail=name)
    ways: tuple[Way, Way] = ("request", "reply")
    for way in ways:
        if _STRICTER.index(getattr(new.checks, way)) > _STRICTER.index(getattr(old.checks, way)):
            verdict: Verdict = "unknown" if getattr(new.checks, way) == "enforce" else "compatible"
            yield Change(verdict=verdict, rule="checks", way=way, pointer=f"/checks/{way}")
    if old.success_rule != new.success_rule:
        yield Change(verdict="unknown", rule="success-rule", way="reply", pointer="/success_rule")


def _offered(old: VersionSpec, new: VersionSpec) -> Iterator[Change]:
    for environment in old.endpoints:
        if environment not in new.endpoints:
            yield Change(
                verdict="breaking", rule="environment-removed", way="request",
                pointer=f"/endpoints/{environment.value}", detail=environment.value, environment=environment.value,
            )  # fmt: skip
    if old.soap is not None and new.soap is None:
        yield Change(verdict="unknown", rule="soap-removed", way="request", pointer="/soap")


def _operation(made: VersionComparison, old: Operation, new: Operation, at: str) -> Iterator[Change]:
    if old.method != new.method:
        yield _of(
            "method-changed",
            "compatible" if new.method == "ANY" else "breaking",
            f"{at}/method",
            old,
            new.method,
        )
    if path_shape(old.path) != path_shape(new.path):
        yield _of("path-changed", "breaking", f"{at}/path", old, new.path)
    if old.effect != new.effect:
        yield _of("effect-changed", "unknown", f"{at}/effect", old, new.effect)
    if old.success_rule != new.success_rule:
        yield _of("success-rule", "unknown", f"{at}/success_rule", old, way="reply")
    yield from _parameters(made.schemas, old, new, at)
    yield from _body(made.schemas, old, old.request, new.request, f"{at}/request", "request")
    yield from _body(made.schemas, old, old.reply, new.reply, f"{at}/reply", "reply")


def _of(
    rule: str, verdict: Verdict, pointer: str, operation: Operation, detail: str = "", way: Way = "request"
) -> Change:
    return Change(
        verdict=verdict, rule=rule, way=way, pointer=pointer, operation=operation.name, detail=detail[:200]
    )


def _parameters(pair: Pair, old: Operation, new: Operation, at: str) -> Iterator[Change]:
    before, after = _known(old), _known(new)
    for key, (index, one) in before.items():
        place = f"{at}/parameters/{index}"
        if key not in after:
            if one.at != "path":  # what a path has is compared as a path
                yield _of("parameter-removed", "unknown", place, old, one.name)
            continue
        other = after[key][1]
        if one.at != "path" and other.required is not one.required:
            rule, verdict = _required("parameter", is_required=other.required)
            yield _of(rule, verdict, f"{place}/required", old, one.name)
        comparison = SchemaComparison(pair, old.name, "request")
        yield from comparison.compare(one.schema, other.schema, At(f"{place}/schema", ()))
    for key, (index, one) in after.items():
        if key not in before and one.at != "path":
            verdict = "breaking" if one.required else "compatible"
            yield _of("parameter-added", verdict, f"{at}/parameters/{index}", old, one.name)


def _known(operation: Operation) -> Mapping[tuple[str, str], tuple[int, Parameter]]:
    """Return the parameters by where they stand and their names; variables of a path by their place in it."""
    variables = [part.strip("{}*") for part in operation.path.split("/") if part.startswith("{")]
    found: dict[tuple[str, str], tuple[int, Parameter]] = {}
    for index, one in enumerate(operation.parameters):
        if one.at == "path":
            name = str(variables.index(one.name)) if one.name in variables else one.name
        else:
            name = one.name.lower() if one.at == "header" else one.name
        found[one.at, name] = index, one
    return found


def _required(what: str, *, is_required: bool) -> tuple[str, Verdict]:
    return (f"{what}-required", "breaking") if is_required else (f"{what}-optional", "compatible")


def _body(
    pair: Pair, operation: Operation, old: BodyContract | None, new: BodyContract | None, at: str, way: Way
) -> Iterator[Change]:
    if old is None or new is None:
        yield from _one_body(operation, old, new, at, way)
        return
    if _media_type(old) != _media_type(new):
        yield _of("media-type", "breaking", f"{at}/media_type", operation, new.media_type, way)
    if way == "request" and old.required is not new.required:
        rule, verdict = _required("body", is_required=new.required)
        yield _of(rule, verdict, f"{at}/required", operation)
    if old.xsd != new.xsd:
        yield _of("xsd", "unknown", f"{at}/xsd", operation, new.xsd or "", way)
    if old.schema is None or new.schema is None:
        if old.schema is not new.schema:
            yield from _one_schema(operation, old.schema, at, way)
        return
    yield from SchemaComparison(pair, operation.name, way).compare(
        old.schema, new.schema, At(f"{at}/schema", ())
    )


def _one_body(
    operation: Operation, old: BodyContract | None, new: BodyContract | None, at: str, way: Way
) -> Iterator[Change]:
    if old is None and new is not None:
        verdict: Verdict = "compatible" if way == "reply" else "breaking" if new.required else "unknown"
        yield _of("body-added", verdict, at, operation, way=way)
    elif old is not None:
        yield _of("body-removed", "unknown" if way == "request" else "breaking", at, operation, way=way)


def _one_schema(
    operation: Operation, old: Any, at: str, way: Way
) -> Iterator[Change]:  # Any: a JSON Schema or None
    """A body that was not described promises nothing: nobody can say whether what is described now is the same."""
    rule = "described" if old is None else "not-described"
    relation: Verdict = judged("narrower" if old is None else "wider", way)
    yield _of(
        rule, "compatible" if relation == "compatible" else "unknown", f"{at}/schema", operation, way=way
    )


def _media_type(contract: BodyContract) -> str:
    return contract.media_type.partition(";")[0].strip().lower()
