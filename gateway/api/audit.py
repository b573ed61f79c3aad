"""What is done to evidence that no revision of the registry tells: written to the log, whatever its level."""

from gateway.api.visit import Visit
from gateway.logs import AUDIT, get_logger


def note(visit: Visit, event: str, **fields: object) -> None:
    """Write down who did what. `fields` hold no id of a person: ids of keys, kinds and counts only."""
    actor, author = visit.caller.actor, visit.caller.author
    get_logger(AUDIT).info(
        event,
        client=actor.client,
        client_name=actor.name,
        role=actor.role,
        organisation=actor.organisation,
        via=author.via,
        **fields,
    )
