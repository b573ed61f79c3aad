"""What can go wrong with a request to the admin API, beside what the registry and auth say.

AdminError
├── TokenWrong               no token, or one that is not good for this node; carries a Reason
├── Forbidden                the role, or whose object it is, does not allow this
├── QueryWrong               something in the query breaks a rule (an Invalid whose pointers name parameters)
├── PreconditionMissing      a change without If-Match
├── PreconditionBroken       an If-Match that is not one strong ETag of ours
├── Stale                    the object has changed since it was read; carries it and the difference
├── PlanStale                the registry has changed since a plan was made
├── BodyTooLarge             the body is over the limit
├── MediaTypeWrong           the body is of a type that this address does not take
└── Unavailable              a part of the node that this answer needs does not answer
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.exchange import Reason
from registry.errors import Invalid
from registry.stores import Stored


class AdminError(Exception):
    """The root of this package's errors."""


class TokenWrong(AdminError):
    """No token, or one that is not good for this node."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Forbidden(AdminError):
    """The role, or whose object it is, does not allow this; `why` is a stable word for it."""

    def __init__(self, action: str, why: str) -> None:
        super().__init__(f"{action}: {why}")
        self.action = action
        self.why = why


class QueryWrong(AdminError, Invalid):
    """Something in the query breaks a rule; the pointers name parameters."""


class PreconditionMissing(AdminError):
    """A change without If-Match."""


class PreconditionBroken(AdminError):
    """An If-Match that is not one strong ETag of ours."""


class Stale(AdminError):
    """The object has changed since it was read."""

    def __init__(self, current: Stored, *, given: int, difference: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(f"the object is at version {current.version}, not {given}")
        self.current = current
        self.given = given
        self.difference = difference


class PlanStale(AdminError):
    """The registry has changed since a plan was made; `labels` names what is no longer as planned."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__("changed since the plan: " + ", ".join(labels))
        self.labels = tuple(labels)


class BodyTooLarge(AdminError):
    """The body is over the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes")
        self.limit = limit


class MediaTypeWrong(AdminError):
    """The body is of a type that this address does not take."""

    def __init__(self, given: str, accepted: Sequence[str]) -> None:
        super().__init__(f"{given or 'no media type'} is not one of {', '.join(accepted)}")
        self.given = given
        self.accepted = tuple(accepted)


class Unavailable(AdminError):
    """A part of the node that this answer needs does not answer."""
