"""PostgreSQL through asyncpg: statements are prepared on the server and their values sent beside them."""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import asyncpg
from asyncpg import exceptions as e

from connectors.builtin.sql.driver import Row, Session, Target, Work
from connectors.builtin.sql.failures import Code, StatementFailed
from connectors.builtin.sql.framing import GuardedLoop
from connectors.errors import NotSent

if TYPE_CHECKING:
    from collections.abc import Iterator

RECOVER_SECONDS = 1.0
CLOSE_SECONDS = 1.0

_CODES: dict[str, Code] = {
    "23505": "conflict",
    "23P01": "conflict",
    "57014": "timeout",
    "40001": "busy",
    "40P01": "busy",
    "55P03": "busy",
    "53300": "busy",
    "25006": "read-only",
    "57P01": "cut",
    "57P02": "cut",
    "57P05": "cut",
    "25P03": "cut",
    "25P04": "timeout",
    "P0001": "invalid",
    "44000": "invalid",
}
"""What a failure means, by SQLSTATE; where only its class says it, below."""

_CLASSES: dict[str, Code] = {
    "08": "cut",
    "22": "invalid",
    "23": "invalid",
    "28": "credentials",
    "3D": "database",
}

# One round trip: the transaction, and everything that the statement might have left with the connection.
_CLEAN = "; RESET SESSION AUTHORIZATION; RESET ALL; SELECT pg_advisory_unlock_all()"

_RIGHTS = """
SELECT CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolcreaterole THEN 'create roles' END,
  CASE WHEN rolcreatedb THEN 'create databases' END, CASE WHEN rolbypassrls THEN 'bypass row security' END
FROM pg_roles WHERE rolname = current_user
"""
_OBJECTS = """
SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname !~ '^(pg_|information_schema$)'
  AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')),
 (SELECT count(*) FROM pg_namespace n WHERE n.nspname !~ '^(pg_|information_schema$)'
  AND has_schema_privilege(n.oid, 'CREATE'))
"""


class PostgreSQL:
    """Makes connections to PostgreSQL."""

    async def connect(self, target: Target) -> Session:
        """Connect and log in. Raises NotSent, StatementFailed."""
        try:
            connection = await asyncpg.connect(
                host=target.address,
                port=target.port,
                user=target.user,
                password=target.password,
                database=target.database,
                ssl=target.tls if target.tls is not None else False,
                statement_cache_size=0,
                server_settings={"application_name": "lgsp"},
                loop=GuardedLoop(),
            )
        except e.PostgresError as error:
            if error.sqlstate == "57P03":
                raise NotSent("starting") from error
            raise StatementFailed(_code(error)) from error
        except (OSError, e.InterfaceError, e.InternalClientError, TimeoutError) as error:
            raise _not_sent(error) from error
        return PostgreSQLSession(connection)


class PostgreSQLSession:
    """One connection. Statements stay prepared as long as it lives."""

    def __init__(self, connection: Any) -> None:  # Any: asyncpg ships no types
        self._connection = connection
        self._prepared: dict[str, Any] = {}

    async def begin(self, work: Work) -> None:
        """Begin a transaction whose limits the server keeps, too."""
        mode = "READ WRITE" if work.writes else "READ ONLY"
        milliseconds = max(int(work.seconds * 1000), 1)
        with _translated():
            await self._connection.execute(
                f"BEGIN TRANSACTION {mode}; SET LOCAL statement_timeout = {milliseconds}"
            )

    async def start(self, work: Work) -> "PostgreSQLRows":
        """Start the statement, through a cursor of the server's where it has rows."""
        with _translated():
            prepared = await self._prepare(work)
            values = [work.values[name] for name in work.text.names]
            if prepared.get_attributes():
                return PostgreSQLRows(prepared, await prepared.cursor(*values))
            await prepared.fetch(*values)
            return PostgreSQLRows(prepared, None)

    async def _prepare(self, work: Work) -> Any:  # Any: asyncpg ships no types
        prepared = self._prepared.get(work.key)
        if prepared is None:
            prepared = self._prepared[work.key] = await self._connection.prepare(work.text.text)
        return prepared

    async def commit(self) -> None:
        """Commit, and leave the connection as it was when new."""
        with _translated():
            await self._connection.execute("COMMIT" + _CLEAN)

    async def recover(self) -> bool:
        """Roll back; asyncpg has asked the server to stop a statement whose wait was cancelled."""
        self._prepared.clear()
        with anyio.move_on_after(RECOVER_SECONDS, shield=True):
            try:
                await self._connection.execute("ROLLBACK" + _CLEAN)
            except (e.PostgresError, e.InterfaceError, e.InternalClientError, OSError):
                return False
            return True
        return False

    async def describe(self, work: Work) -> Sequence[str] | None:
        """Prepare the statement and return its columns."""
        with _translated():
            prepared = await self._prepare(work)
            return [attribute.name for attribute in prepared.get_attributes()]

    async def excess_rights(self) -> Sequence[str]:
        """Name what the role may do beyond reading."""
        with _translated():
            roles = await self._connection.fetchrow(_RIGHTS)
            tables, schemas = await self._connection.fetchrow(_OBJECTS)
        excess = [str(right) for right in roles or () if right]
        if tables:
            excess.append(f"write to {tables} tables")
        if schemas:
            excess.append(f"create in {schemas} schemas")
        return excess

    @property
    def is_closed(self) -> bool:
        """Whether asyncpg knows the connection to be over."""
        return bool(self._connection.is_closed())

    async def close(self) -> None:
        """Close in good order."""
        try:
            await self._connection.close(timeout=CLOSE_SECONDS)
        except (e.PostgresError, e.InterfaceError, OSError, TimeoutError):
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._connection.terminate()


class PostgreSQLRows:
    """The rows behind a cursor, which lives as long as its transaction; None for a statement without rows."""

    def __init__(self, prepared: Any, cursor: Any) -> None:  # Any: asyncpg ships no types
        self._cursor = cursor
        self._affected = 0 if cursor is not None else _number_in(prepared.get_statusmsg())
        self.names: Sequence[str] = [attribute.name for attribute in prepared.get_attributes()]

    async def fetch(self, count: int) -> Sequence[Row]:
        """Return the next rows."""
        if self._cursor is None:
            return ()
        with _translated():
            rows: Sequence[Row] = await self._cursor.fetch(count)
        self._affected += len(rows)
        return rows

    def affected(self) -> int:
        """Return how many rows the statement returned, or the server said it changed."""
        return self._affected


def _number_in(status: str | None) -> int:
    """Return the number at the end of what the server says of a command: `INSERT 0 1`, `DELETE 3`."""
    number = (status or "").rpartition(" ")[2]
    return int(number) if number.isdecimal() else 0


@contextmanager
def _translated() -> "Iterator[None]":
    try:
        yield
    except e.PostgresError as error:
        raise StatementFailed(_code(error)) from error
    except (ValueError, TypeError) as error:
        # How asyncpg refuses a value that does not fit what the server expects there.
        raise StatementFailed("parameter") from error
    except (e.InterfaceError, e.InternalClientError, OSError) as error:
        raise StatementFailed("cut") from error


def _code(error: Any) -> Code:  # Any: asyncpg ships no types
    state = error.sqlstate or ""
    return _CODES.get(state) or _CLASSES.get(state[:2]) or "statement"


def _not_sent(error: Exception) -> NotSent:
    if isinstance(error, ssl.SSLError) or "SSL" in str(error):
        return NotSent("tls")
    if isinstance(error, ConnectionRefusedError):
        return NotSent("refused")
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return NotSent("connect-timeout")
    return NotSent("unreachable" if isinstance(error, OSError) else "rubbish")
