"""Whom a call looks at: noted as a keyed hash before anything is decided, so that refused attempts name it too."""

from typing import Protocol

from gateway.exchange import Exchange, Refusal
from registry.subjects import SubjectType


class SubjectNames(Protocol):
    """What gives a data subject the name that records hold."""

    def name(self, type_: SubjectType, normalised: str) -> tuple[str, str]:
        """Return the hash under the newest key, and that key's id."""
        ...


def note_subject(exchange: Exchange, names: SubjectNames) -> Refusal | None:
    """Note the declared data subject in the record; return why it cannot be read.

    That is told only to those who may call: so it is raised after the grant was found.
    """
    operation = exchange.operation
    if operation is None or operation.subject is None:
        return None
    place = operation.subject
    try:
        id_ = place.read(exchange.request, exchange.body)
    except Refusal as refusal:
        return refusal
    if id_ is not None:
        exchange.record.subject, exchange.record.subject_key = names.name(place.type, id_)
    return None
