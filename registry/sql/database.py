"""Where the databases are, how they are opened, and their schemas.

The registry and the ledger are two SQLite files, or two schemas of one PostgreSQL database, so that a large
change of the registry does not hold up the ledger.
"""

import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anyio
from sqlalchemy import URL, Connection, event, exc, inspect, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from registry.errors import SchemaUnknown, StoreUnavailable

Part = Literal["registry", "ledger"]
PARTS: tuple[Part, ...] = ("registry", "ledger")

_REVISION = re.compile(r'^revision = "(\d{4})"$', re.MULTILINE)
_MIGRATIONS = Path(__file__).parent / "migrations"
_CONNECT_SECONDS = 5.0
_STATEMENT_MILLISECONDS = 30_000
_DISPOSE_SECONDS = 10.0
_LOCK_MILLISECONDS = 10_000
_SQLITE_BUSY_MILLISECONDS = 5_000
_UPGRADE_LOCK = 0x6C677370  # "lgsp": any number that nobody else locks

_NO_DATABASE = "there is no database yet: run `lgsp database upgrade`"

_SCHEMA = "search_path"
"""The query parameter of our PostgreSQL addresses that says which schema is meant."""


@dataclass(frozen=True, slots=True)
class Location:
    """SQLAlchemy addresses of the registry and the ledger. PostgreSQL ones say their schema in `search_path`."""

    registry: str
    ledger: str

    def of(self, part: Part) -> str:
        """Return the address of one part."""
        return self.registry if part == "registry" else self.ledger


def location(database: str | None, data_dir: Path) -> Location:
    """Return where the data is: two files in the folder, or two schemas of a `postgresql://…` database.

    Raises:
        ValueError: the address is not one of PostgreSQL; it is not repeated, for it may hold a password.
    """
    if database is None:
        folder = data_dir.absolute()
        return Location(
            *(str(URL.create("sqlite+aiosqlite", database=str(folder / f"{part}.db"))) for part in PARTS)
        )
    try:
        url = make_url(database)
    except exc.ArgumentError:
        raise ValueError("the database's address is not a URL") from None
    if url.get_backend_name() not in {"postgresql", "postgres"} or not url.database:
        raise ValueError("the database's address must be postgresql://user@host/name")
    url = url.set(drivername="postgresql+asyncpg")
    return Location(*(_text(url.update_query_dict({_SCHEMA: part})) for part in PARTS))


def open_engine(url: str) -> AsyncEngine:
    """Return an engine for one address of a Location; nothing is connected yet. Dispose of it in the end."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    return _postgresql(parsed)


def writing(engine: AsyncEngine) -> AsyncEngine:
    """Return the engine for transactions that write: SQLite takes its write lock at their beginning."""
    return engine.execution_options(lgsp_write=True)


def reading(engine: AsyncEngine) -> AsyncEngine:
    """Return the engine for transactions whose reads all see one state, while others write."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return engine


async def dispose(engine: AsyncEngine) -> None:
    """Close an engine's connections, even while the task is being cancelled."""
    with anyio.move_on_after(_DISPOSE_SECONDS, shield=True):
        await engine.dispose()


def _driver_errors() -> tuple[type[Exception], ...]:
    """Return what asyncpg raises, where it is in use: a node on SQLite does not load it.

    The internal one comes when the server cuts the connection just as a statement is being sent.
    """
    driver = sys.modules.get("asyncpg")
    if driver is None:
        return ()
    return driver.PostgresError, driver.InterfaceError, driver.InternalClientError


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the drivers say about an absent, broken or full database into StoreUnavailable."""
    try:
        yield
    except (exc.IntegrityError, exc.ProgrammingError, exc.DataError):
        raise
    except (exc.DBAPIError, exc.TimeoutError, OSError) as error:
        raise StoreUnavailable(_reason(error)) from error
    except Exception as error:
        if isinstance(error, _driver_errors()):
            raise StoreUnavailable(_reason(error)) from error
        raise


async def upgrade(location: Location) -> None:
    """Bring both schemas to what this program knows, making the databases when they are not there.

    Several processes may do this at once, but only one task of each: Alembic keeps its state in globals.
    """
    for part in PARTS:
        _make_private(location.of(part))
        async with _opened(location.of(part)) as connection:
            await connection.run_sync(_upgrade, part)


def _make_private(url: str) -> None:
    """Make an SQLite file that only its owner reads, before SQLite makes one for everybody; its WAL is alike."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        file = Path(parsed.database)
        with translated():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600, exist_ok=True)


async def check_schema(location: Location) -> None:
    """Raise SchemaUnknown unless both schemas are exactly those that this program knows."""
    for part in PARTS:
        _check_there(location.of(part))
        async with _opened(location.of(part), write=False) as connection:
            found = await connection.run_sync(_found)
        wanted = _wanted(part)
        if found != wanted:
            if found is None:
                raise SchemaUnknown(_NO_DATABASE, missing=True)
            raise SchemaUnknown(
                f"the {part} database is at schema {found}, this program knows {wanted or 'none'}: "
                "run `lgsp database upgrade` of the newer of the two"
            )


@asynccontextmanager
async def _opened(url: str, *, write: bool = True) -> AsyncIterator[AsyncConnection]:
    engine = open_engine(url)
    try:
        with translated():
            async with (writing(engine) if write else engine).begin() as connection:
                yield connection
    finally:
        await dispose(engine)


def _upgrade(connection: Connection, part: Part) -> None:
    # Imported here: `lgsp --help` and a running node do without it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {part}"))
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS / part).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _check_there(url: str) -> None:
    """Looking would make an empty file."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        raise SchemaUnknown(_NO_DATABASE, missing=True)


def _found(connection: Connection) -> str | None:
    schema = connection.dialect.default_schema_name if connection.dialect.name == "postgresql" else None
    if not inspect(connection).has_table("alembic_version", schema=schema):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _wanted(part: Part) -> str | None:
    """Return the newest revision: read without Alembic, which would cost each starting node 10 MB and 0.2 s."""
    files = (_MIGRATIONS / part / "versions").glob("*.py")
    return max(
        (found for file in files for found in _REVISION.findall(file.read_text("utf-8"))), default=None
    )


def _sqlite(url: URL) -> AsyncEngine:
    file = Path(url.database or "")
    # `rw`: a file that has been moved away must not come back empty; SQLite would drop the WAL that it left behind.
    there = url.set(database=file.absolute().as_uri()).update_query_dict({"mode": "rw", "uri": "true"})
    engine = create_async_engine(there, pool_size=4, max_overflow=8, pool_timeout=10)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(dbapi: Any, record: Any) -> None:  # Any: SQLAlchemy's adapted driver connection
        # The driver would begin transactions only before a write; we say ourselves when they begin.
        dbapi.isolation_level = None
        cursor = dbapi.cursor()
        for pragma in (
            f"busy_timeout = {_SQLITE_BUSY_MILLISECONDS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        record.info["file"] = _identity(file)

    @event.listens_for(engine.sync_engine, "checkout")
    def still_there(_dbapi: Any, record: Any, _proxy: Any) -> None:  # Any: as above
        # An open SQLite connection goes on with a file that somebody has moved away or replaced.
        if record.info.get("file") != _identity(file):
            raise exc.DisconnectionError("the database file was replaced")

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("lgsp_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgresql(url: URL) -> AsyncEngine:
    schema = url.query.get(_SCHEMA)
    settings = {
        "application_name": "lgsp",
        "statement_timeout": str(_STATEMENT_MILLISECONDS),
        "lock_timeout": str(_LOCK_MILLISECONDS),
        "idle_in_transaction_session_timeout": str(2 * _STATEMENT_MILLISECONDS),
    }
    if isinstance(schema, str):
        settings[_SCHEMA] = schema
    return create_async_engine(
        url.difference_update_query([_SCHEMA]),
        pool_size=4,
        max_overflow=8,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={
            "timeout": _CONNECT_SECONDS,
            "command_timeout": 2 * _STATEMENT_MILLISECONDS / 1000,
            "server_settings": settings,
        },
    )


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _reason(error: Exception) -> str:
    """Say in a word what the driver said: not the statement, whose values may be private."""
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig else error
    return f"the database is not available ({type(cause).__name__})"


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
