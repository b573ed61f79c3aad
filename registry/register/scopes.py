"""What makes the field rules of grants, and the envelope of versions, sound. Pure."""

from collections.abc import Iterator, Sequence

from registry.documents import pointer_of
from registry.entities import FieldRule, Grant
from registry.errors import Flaw
from registry.field_paths import FieldPath, read_path

ANY_PURPOSE = "*"


def scope_flaws(grant: Grant) -> Iterator[Flaw]:
    """Each purpose has one clear rule for a field, and no purpose is left without rules."""
    yield from _purpose_flaws(grant)
    for purpose, rules in grant.fields.items():
        yield from _rules_flaws(rules, ["fields", purpose])


def envelope_flaws(paths: Sequence[str]) -> Iterator[Flaw]:
    """An envelope names single fields: a whole subtree may come to hold anything."""
    for index, text in enumerate(paths):
        at = pointer_of(["envelope", index])
        try:
            path = read_path(text)
        except ValueError as error:
            yield Flaw(at, "field-path", str(error))
            continue
        if path.whole:
            yield Flaw(at, "field-path", "An envelope names single fields, without `*`.")
        if text in paths[:index]:
            yield Flaw(at, "duplicate", "This stands in the list twice.")


def releases_more(before: Grant, after: Grant) -> bool:
    """Say whether a changed grant may release anything that the old one did not."""
    if not before.fields:
        return False
    if not after.fields or before.namespaces != after.namespaces:
        return True
    return any(
        not set(_rules_for(purpose, after)) <= set(_rules_for(purpose, before))
        for purpose in {*before.fields, *after.fields, ANY_PURPOSE}
    )


def _rules_for(purpose: str, grant: Grant) -> Sequence[FieldRule]:
    return grant.fields.get(purpose, grant.fields.get(ANY_PURPOSE, ()))


def _purpose_flaws(grant: Grant) -> Iterator[Flaw]:
    if not grant.fields:
        return
    for purpose in grant.fields:
        if grant.purposes and purpose not in {ANY_PURPOSE, *grant.purposes}:
            yield Flaw(
                pointer_of(["fields", purpose]), "purpose-unknown", "The grant is not for this purpose."
            )
    if ANY_PURPOSE not in grant.fields and (not grant.purposes or set(grant.purposes) - set(grant.fields)):
        yield Flaw(
            "/fields",
            "purpose-uncovered",
            "Some purposes of the grant have no rules: name them, or give rules for `*`.",
        )


def _rules_flaws(rules: Sequence[FieldRule], place: Sequence[str | int]) -> Iterator[Flaw]:
    known: list[FieldPath] = []
    seen: set[FieldPath] = set()
    subtrees: list[FieldPath] = []
    for index, rule in enumerate(rules):
        at = pointer_of([*place, index])
        try:
            path = read_path(rule.path)
        except ValueError as error:
            yield Flaw(at, "field-path", str(error))
            continue
        yield from _rule_flaws(rule, path, at)
        if path in seen:
            yield Flaw(at, "duplicate", "Another rule is about the same field.")
        elif any(tree.covers(path) for tree in subtrees) or (
            path.whole and any(path.covers(other) for other in known)
        ):
            yield Flaw(at, "field-conflict", "A field lies in a subtree that another rule keeps whole.")
        known.append(path)
        seen.add(path)
        if path.whole:
            subtrees.append(path)


def _rule_flaws(rule: FieldRule, path: FieldPath, at: str) -> Iterator[Flaw]:
    if path.whole and rule.action != "keep":
        yield Flaw(at, "field-rule", "A whole subtree can only be kept.")
    if rule.keep_last is not None and rule.action != "mask":
        yield Flaw(f"{at}/keep_last", "field-rule", "This belongs to `mask` alone.")
    if rule.to is not None and rule.action != "generalise":
        yield Flaw(f"{at}/to", "field-rule", "This belongs to `generalise` alone.")
    if rule.to is None and rule.action == "generalise":
        yield Flaw(f"{at}/to", "missing", "Say to what a date is generalised: year or month.")
