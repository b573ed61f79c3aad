"""What the connector needs of a database: connections, and statements on them. Implemented once for each kind."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from connectors.builtin.sql.parameters import Value
from connectors.builtin.sql.text import StatementText


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where one connection goes, and as whom. Made for each connection, so that a new password is used at once."""

    address: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A statement with its values, and what it may take."""

    key: str
    text: StatementText
    values: Mapping[str, Value] = field(repr=False)
    writes: bool
    most_rows: int
    seconds: float


Row = Sequence[Any]  # Any: what a driver makes of a value


class Rows(Protocol):
    """The result of a statement, fetched in pieces."""

    names: Sequence[str]

    async def fetch(self, count: int) -> Sequence[Row]:
        """Return the next rows, fewer than asked for at the end. Raises StatementFailed."""
        ...

    def affected(self) -> int:
        """Return how many rows were changed; once all were fetched."""
        ...


class Session(Protocol):
    """One connection to the database."""

    async def begin(self, work: Work) -> None:
        """Begin a transaction, read-only unless the work writes. Raises StatementFailed."""
        ...

    async def start(self, work: Work) -> Rows:
        """Start the statement. Raises StatementFailed."""
        ...

    async def commit(self) -> None:
        """End the transaction; nothing of it stays with the connection. Raises StatementFailed."""
        ...

    async def recover(self) -> bool:
        """Stop what is under way, undo the transaction, and say whether the connection can be used again."""
        ...

    async def describe(self, work: Work) -> Sequence[str] | None:
        """Return the names of a statement's columns without running it, where the database says. Raises StatementFailed."""
        ...

    async def excess_rights(self) -> Sequence[str]:
        """Return the rights of the role that a reader does not need. Raises StatementFailed."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether the connection is known to be over."""
        ...

    async def close(self) -> None:
        """Say good-bye and close, within a second."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class Driver(Protocol):
    """Makes connections to one kind of database."""

    async def connect(self, target: Target) -> Session:
        """Connect and log in. Raises NotSent, StatementFailed (credentials, database, busy)."""
        ...
