"""How what a person writes becomes, or changes, what is kept: the life cycle's own fields. Pure."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from registry.entities import ENTITIES, SPECS, Entity, Grant, Kind, Need, Version
from registry.errors import WrongState
from registry.register.rules import widens
from registry.register.steps import Moment

NOUNS: Mapping[Kind, str] = {
    Kind.ORGANISATION: "organisation",
    Kind.NATIONAL_DATABASE: "national-database",
    Kind.SYSTEM: "system",
    Kind.NEED: "need",
    Kind.SERVICE: "service",
    Kind.VERSION: "version",
    Kind.GRANT: "grant",
    Kind.CLIENT: "client",
    Kind.OFFICER: "officer",
    Kind.DELEGATION: "delegation",
    Kind.CODE_LIST: "code-list",
}
"""The first half of an audit tag."""


def begun(kind: Kind, spec: Entity, at: Moment, *, authority: str) -> Entity:
    """Return a new object's first state; `authority` is the node that decides on a grant."""
    entity = ENTITIES[kind](**_written(kind, spec))
    if isinstance(entity, Grant):
        return replace(entity, requested_by=at.author.id, authority=authority)
    return entity


def rewritten(kind: Kind, before: Entity, spec: Entity, at: Moment) -> Entity:
    """Return an object with what a person may write replaced, its life cycle kept.

    A grant that is made wider must be approved again; narrowed, it stays as it was decided.

    Raises:
        WrongState: the object is at its end.
    """
    _check_alive(before)
    after = replace(before, **_written(kind, spec))
    if not isinstance(before, Grant) or not isinstance(after, Grant) or after == before:
        return after
    if before.status == "requested" or widens(before, after):
        return replace(after, status="requested", decision=None, requested_by=at.author.id)
    return after


def check_removable(entity: Entity) -> None:
    """Raise WrongState for what must first be ended, or is never removed."""
    if isinstance(entity, Need):
        raise WrongState("a need is withdrawn, never removed: it counts in the figures of its time")
    if isinstance(entity, Version) and entity.status in {"published", "deprecated"}:
        raise WrongState("a version that is published is retired before it is removed")
    if isinstance(entity, Grant) and entity.status in {"approved", "suspended"}:
        raise WrongState("a grant that holds is revoked before it is removed")


def _written(kind: Kind, spec: Entity) -> dict[str, Any]:
    return {field.name: getattr(spec, field.name) for field in fields(SPECS[kind])}


def _check_alive(entity: Entity) -> None:
    if isinstance(entity, Need) and entity.withdrawn is not None:
        raise WrongState("the need is withdrawn")
    if isinstance(entity, Version) and entity.status == "retired":
        raise WrongState("the version is retired")
    if isinstance(entity, Grant) and entity.status in {"refused", "revoked"}:
        raise WrongState(f"the grant is {entity.status}: request a new one")
