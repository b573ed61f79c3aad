"""What a route of the admin API is: a row in one table. `gateway.api.app` lists the tables."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import Response

from gateway.api.bodies import SMALL
from gateway.api.visit import Query, Visit

ANY_ROLE = "any-role"
"""The action of routes that everybody with a role may use."""
ANY_CLIENT = "any-client"
"""The action of routes that every client with a token may use, those of the data plane too."""

Run = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a route takes: media types with the name of their schema, an example of the first, and most bytes."""

    types: Mapping[str, str]
    example: Any = None  # Any: whatever the schema describes
    required: bool = True
    limit: int = SMALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a route answers when all is well: the name of its schema ("" for none), and headers it sends."""

    status: int = 200
    schema: str = ""
    media_type: str = "application/json"
    description: str = "Done"
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route: how it is reached, the action that must be allowed, and what it does.

    `action` is one of `auth.decide`, or ANY_ROLE, or ANY_CLIENT. `check` decides for the object in question and is awaited before `run`; `problems` lists the statuses of
    the problems that it can answer beside 401, 403 and 503.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    action: str
    check: Callable[[Visit], Awaitable[None]]
    run: Run
    summary: str
    description: str = ""
    tag: str
    query: type[Query] | None = None
    body: Body | None = None
    answer: Answer = field(default_factory=Answer)
    if_match: bool = False
    problems: Sequence[int] = ()

    @property
    def any_client(self) -> bool:
        """Whether clients without a role may use it."""
        return self.action == ANY_CLIENT
