"""What a description comes to: operations, schemas, an address, and what could not be taken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from registry.descriptions.notes import NotTaken
from registry.entities import Endpoint, Environment, Operation

Schema = dict[str, Any]  # Any: a JSON Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A description, as far as it was taken. `connector` and `settings` are those of an endpoint that fits it."""

    kind: str
    title: str = ""
    number: str = ""
    """The description's own version, for people."""
    operations: tuple[Operation, ...] = ()
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    connector: str = "rest"
    settings: Mapping[str, Any] = field(default_factory=dict)
    mock: Mapping[str, Any] | None = None
    """The settings of a mock that answers by it, when it was read for one."""
    not_taken: tuple[NotTaken, ...] = ()

    def endpoints(self, environment: Environment, url: str | None) -> dict[Environment, Endpoint]:
        """Return the endpoint at `url`, or at the address that the description names; none without either."""
        settings = dict(self.settings) | ({"url": url} if url else {})
        if not settings.get("url"):
            return {}
        return {environment: Endpoint(connector=self.connector, settings=settings)}
