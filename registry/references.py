"""Which fields of a document refer to other objects, and to what kind."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from registry.documents import pointer_of
from registry.entities import Kind
from registry.stores import Document


@dataclass(frozen=True, slots=True)
class Link:
    """One reference: where it stands in its document, what kind it names, and the id or code there."""

    pointer: str
    kind: Kind
    target: str


FIELDS: dict[Kind, Mapping[str, Kind]] = {
    Kind.ORGANISATION: {"parent": Kind.ORGANISATION, "successor": Kind.ORGANISATION},
    Kind.NATIONAL_DATABASE: {"owner": Kind.ORGANISATION},
    Kind.SYSTEM: {"organisation": Kind.ORGANISATION, "acts_for": Kind.SYSTEM},
    Kind.NEED: {"system": Kind.SYSTEM, "national_database": Kind.NATIONAL_DATABASE},
    Kind.SERVICE: {"provider": Kind.SYSTEM, "blocked_consumers": Kind.SYSTEM},
    Kind.VERSION: {"service": Kind.SERVICE, "national_database": Kind.NATIONAL_DATABASE},
    Kind.GRANT: {"consumer": Kind.SYSTEM, "service": Kind.SERVICE},
    Kind.CLIENT: {"system": Kind.SYSTEM, "organisation": Kind.ORGANISATION},
    Kind.OFFICER: {"organisation": Kind.ORGANISATION},
    Kind.DELEGATION: {"organisation": Kind.ORGANISATION},
    Kind.CODE_LIST: {},
}
"""The referring fields of each kind: one reference, a list of them, or a mapping from them."""


def links(kind: Kind, document: Document) -> Iterator[Link]:
    """Yield every reference in the document."""
    for name, target in FIELDS[kind].items():
        value = document.get(name)
        if isinstance(value, str):
            yield Link(pointer_of([name]), target, value)
        elif isinstance(value, Mapping):
            yield from (Link(pointer_of([name, key]), target, key) for key in value)
        elif value is not None:
            yield from (Link(pointer_of([name, i]), target, item) for i, item in enumerate(value))


def with_targets(kind: Kind, document: Document, target_of: Callable[[Link], str]) -> Document:
    """Return the document with every reference replaced by what `target_of` gives for it."""
    changed = dict(document)
    for name, target in FIELDS[kind].items():
        value = document.get(name)
        if isinstance(value, str):
            changed[name] = target_of(Link(pointer_of([name]), target, value))
        elif isinstance(value, Mapping):
            changed[name] = {
                target_of(Link(pointer_of([name, key]), target, key)): item for key, item in value.items()
            }
        elif value is not None:
            changed[name] = [
                target_of(Link(pointer_of([name, i]), target, item)) for i, item in enumerate(value)
            ]
    return changed
