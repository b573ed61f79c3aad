"""MariaDB and MySQL through asyncmy: statements are prepared on the server, their values given to it as variables.

A value gets to the server as a number, a date or hexadecimal digits, so that there is nothing in it to be read as SQL,
whatever the server's mode and character set; the statement's own text is never put together with it.
"""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import anyio
import asyncmy
from asyncmy import errors as e
from asyncmy.cursors import SSCursor

from connectors.builtin.sql.driver import Row, Session, Target, Work
from connectors.builtin.sql.failures import Code, StatementFailed
from connectors.builtin.sql.parameters import Value
from connectors.errors import NotSent

RECOVER_SECONDS = 1.0
CLOSE_SECONDS = 1.0

_CONFLICT = {1062, 1169, 1586}
_INVALID = {
    1048,
    1216,
    1217,
    1264,
    1265,
    1292,
    1364,
    1365,
    1366,
    1406,
    1411,
    1451,
    1452,
    1644,
    1690,
    3819,
    4025,
}
_CODES: dict[int, Code] = {
    **dict.fromkeys(_CONFLICT, "conflict"),
    **dict.fromkeys(_INVALID, "invalid"),
    **dict.fromkeys((1317, 1969, 3024), "timeout"),
    **dict.fromkeys((1040, 1203, 1205, 1213, 1226), "busy"),
    **dict.fromkeys((1792, 1290, 1836), "read-only"),
    **dict.fromkeys((1045, 1251, 1698, 2059), "credentials"),
    **dict.fromkeys((1044, 1049), "database"),
    **dict.fromkeys((0, 1053, 1077, 1927, 2003, 2006, 2013, 2014), "cut"),
}
_COULD_NOT_CONNECT = 2003
_EXCESS = (
    "ALL PRIVILEGES|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|INDEX|TRIGGER|EVENT|FILE|SUPER|PROCESS|RELOAD|SHUTDOWN|"
    "GRANT OPTION"
)


class MySQL:
    """Makes connections to MariaDB or MySQL."""

    def __init__(self, kind: Literal["mariadb", "mysql"]) -> None:
        self._kind = kind

    async def connect(self, target: Target) -> Session:
        """Connect and log in. Raises NotSent, StatementFailed."""
        try:
            connection = await self._connect(target)
        except e.MySQLError as error:
            if isinstance(error.__cause__, OSError) or _number(error) == _COULD_NOT_CONNECT:
                raise _not_sent(error.__cause__) from error
            code = _code(error)
            raise (NotSent("cut") if code == "cut" else StatementFailed(code)) from error
        except (OSError, EOFError, RuntimeError) as error:
            raise _not_sent(error) from error
        return MySQLSession(connection, self._kind, target)

    async def _connect(self, target: Target) -> Any:  # Any: asyncmy is only partly typed
        return await asyncmy.connect(
            host=target.address,
            port=target.port,
            user=target.user,
            password=target.password,
            database=target.database,
            charset="utf8mb4",
            ssl=target.tls,
            autocommit=None,
            conv={},  # values as the server writes them; what they are is declared
            init_command="SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
            auth_plugin_map={} if target.tls is not None else _NO_CLEAR_TEXT,
        )


class MySQLSession:
    """One connection. Statements stay prepared as long as it lives."""

    def __init__(
        self, connection: Any, kind: str, target: Target
    ) -> None:  # Any: asyncmy is only partly typed
        self._connection = connection
        self._kind = kind
        self._target = target
        self._prepared: dict[str, str] = {}
        self._rows: MySQLRows | None = None

    async def begin(self, work: Work) -> None:
        """Begin a transaction."""
        with _translated():
            await self._connection.query(f"START TRANSACTION READ {'WRITE' if work.writes else 'ONLY'}")

    async def start(self, work: Work) -> "MySQLRows":
        """Give the server the values and the limits, then run the statement; rows come as they are read."""
        with _translated():
            name = await self._prepare(work)
            variables = [f"@lgsp_{at}" for at in range(len(work.text.names))]
            settings = [
                f"{variable} = {_literal(work.values[of])}"
                for variable, of in zip(variables, work.text.names, strict=True)
            ]
            await self._connection.query("SET " + ", ".join(settings + self._limits(work)))
            cursor = self._connection.cursor(SSCursor)
            rows = self._rows = MySQLRows(cursor)
            await cursor.execute(f"EXECUTE {name}" + (f" USING {', '.join(variables)}" if variables else ""))
            rows.begun()
            return rows

    def _limits(self, work: Work) -> list[str]:
        limits = [f"SESSION sql_select_limit = {work.most_rows + 1}"]
        if self._kind == "mariadb":
            limits.append(f"SESSION max_statement_time = {max(work.seconds, 0.001):.3f}")
        else:
            limits.append(f"SESSION max_execution_time = {max(int(work.seconds * 1000), 1)}")
        return limits

    async def _prepare(self, work: Work) -> str:
        name = self._prepared.get(work.key)
        if name is None:
            name = f"lgsp_{len(self._prepared)}"
            await self._connection.query(f"SET @lgsp_text = {_literal(work.text.text)}")
            await self._connection.query(f"PREPARE {name} FROM @lgsp_text")
            self._prepared[work.key] = name
        return name

    async def commit(self) -> None:
        """Commit, whatever else the statement had to say being read first."""
        with _translated():
            if self._rows is not None:
                await self._rows.finish()
                self._rows = None
            await self._connection.query("COMMIT")

    async def recover(self) -> bool:
        """Roll back after an error of the server's; what was under way otherwise ends with the connection."""
        with anyio.move_on_after(RECOVER_SECONDS, shield=True):
            try:
                if self._connection.connected and (self._rows is None or self._rows.is_over):
                    await self._connection.query("ROLLBACK")
                    self._rows = None
                    return True
                await self._kill()
            except (e.MySQLError, OSError, NotSent, StatementFailed):
                return False
        return False

    async def _kill(self) -> None:
        """Stop the statement on the server: it would not notice by itself that nobody waits any more."""
        number = int(self._connection.thread_id())
        self._connection.close()
        killer = await MySQL("mysql")._connect(self._target)  # noqa: SLF001 (one module, one class in two)
        try:
            await killer.query(f"KILL {number}")
        finally:
            killer.close()

    async def describe(self, work: Work) -> Sequence[str] | None:
        """Prepare the statement; the server does not tell its columns that way."""
        with _translated():
            await self._prepare(work)
        return None

    async def excess_rights(self) -> Sequence[str]:
        """Name what the role may do beyond reading, as its grants say it."""
        with _translated():
            cursor = self._connection.cursor()
            await cursor.execute("SHOW GRANTS")
            grants = [str(row[0]) for row in await cursor.fetchall()]
            await cursor.close()
        found: dict[str, None] = {}
        for grant in grants:
            rights, _, rest = grant.partition(" ON ")
            words = [word.strip().partition(" (")[0] for word in rights.removeprefix("GRANT ").split(",")]
            found |= dict.fromkeys(word.lower() for word in words if word in _EXCESS.split("|") and rest)
        return list(found)

    @property
    def is_closed(self) -> bool:
        """Whether the connection is known to be over."""
        return not self._connection.connected or self._connection._stream_broken  # noqa: SLF001 (not public)

    async def close(self) -> None:
        """Close in good order."""
        with anyio.move_on_after(CLOSE_SECONDS):
            with suppress(e.MySQLError, OSError):
                await self._connection.ensure_closed()
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._connection.close()


class MySQLRows:
    """The rows of a statement, read from the connection as they are asked for."""

    def __init__(self, cursor: Any) -> None:  # Any: asyncmy is only partly typed
        self._cursor = cursor
        self._began = False
        self._ended = False
        self._affected = 0
        self.names: Sequence[str] = ()

    def begun(self) -> None:
        """Take in what the server said first."""
        self._began = True
        self.names = [column[0] for column in self._cursor.description or ()]
        self._affected = max(self._cursor.rowcount, 0)
        self._ended = not self.names

    @property
    def is_over(self) -> bool:
        """Whether nothing more of it will come on the connection."""
        return self._ended or not self._began

    async def fetch(self, count: int) -> Sequence[Row]:
        """Return the next rows."""
        if self._ended:
            return ()
        try:
            with _translated():
                rows: Sequence[Row] = await self._cursor.fetchmany(count)
        except StatementFailed as failed:
            self._ended = failed.code != "cut"
            raise
        self._ended = len(rows) < count
        return rows

    def affected(self) -> int:
        """Return how many rows the server said were changed."""
        return self._affected

    async def finish(self) -> None:
        """Read to the end."""
        await self._cursor.close()
        self._ended = True


class _ClearText:
    """Stands for the ways to log in that would hand the password over as it is, where nothing encrypts it."""

    def __init__(self, connection: object) -> None:
        pass

    def authenticate(self, packet: object) -> None:
        """Refuse."""
        raise e.OperationalError(2059, "clear text")


_NO_CLEAR_TEXT = dict.fromkeys((b"mysql_clear_password", b"dialog", b"mysql_old_password"), _ClearText)


def _literal(value: Value) -> str:
    """Return a value in a spelling that holds nothing but digits, signs and what is written here."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return f"DATE'{value.isoformat()}'"
    return f"CONVERT(X'{value.encode().hex()}' USING utf8mb4)"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except e.MySQLError as error:
        raise StatementFailed(_code(error)) from error
    except (OSError, EOFError) as error:
        raise StatementFailed("cut") from error


def _number(error: BaseException) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def _code(error: BaseException) -> Code:
    return _CODES.get(_number(error), "statement")


def _not_sent(error: BaseException | None) -> NotSent:
    if isinstance(error, ssl.SSLError):
        return NotSent("tls")
    if isinstance(error, ConnectionRefusedError):
        return NotSent("refused")
    if isinstance(error, TimeoutError):
        return NotSent("connect-timeout")
    return NotSent("unreachable")
