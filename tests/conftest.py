"""Fixtures used everywhere: real databases, fresh for each test."""

import shutil
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import anyio
import pytest

from registry.sql.database import Location, location, upgrade
from registry.sql.registry import SQLRegistry, open_registry
from tests.databases import Database, running_mariadb, running_postgresql_database
from tests.factories import NODE
from tests.postgres import PostgresServer, running_postgres

pytest_plugins = ["connectors.testing"]

_numbers = count(1)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test session."""
    with running_postgres() as server:
        # Nothing of it outlives the session; tests of crashes run a server of their own.
        server.run("ALTER SYSTEM SET fsync = off")
        server.run("SELECT pg_reload_conf()")
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """The address of the session's PostgreSQL server; make a database of your own on it."""
    return postgres_server.url


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of an empty PostgreSQL database, gone after the test."""
    name = f"test_{next(_numbers)}"
    postgres_server.run(f"CREATE DATABASE {name}")
    yield postgres_server.database(name)
    postgres_server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgresql_provider() -> Iterator[Database]:
    """The PostgreSQL database of another system, on TCP."""
    with running_postgresql_database() as database:
        yield database


@pytest.fixture(scope="session")
def mariadb_provider() -> Iterator[Database]:
    """The MariaDB database of another system."""
    with running_mariadb() as database:
        yield database


@pytest.fixture(params=["postgresql", "mariadb"])
def provider_database(request: pytest.FixtureRequest) -> Database:
    """The database of another system, PostgreSQL and MariaDB in turn; tests leave its rows as they were."""
    found = request.getfixturevalue(f"{request.param}_provider")
    assert isinstance(found, Database)
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """What `LGSP_DATABASE` would say: nothing (SQLite), then an empty PostgreSQL database."""
    return None if request.param == "sqlite" else str(request.getfixturevalue("postgres_database"))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with upgraded SQLite databases, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    anyio.run(upgrade, location(None, folder))
    return folder


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of an upgraded PostgreSQL database, to be copied."""
    name = "lgsp_template"
    postgres_server.run(f"CREATE DATABASE {name}")
    anyio.run(upgrade, location(postgres_server.database(name), tmp_path_factory.mktemp("unused")))
    return name


@pytest.fixture
def postgres_location(
    postgres_server: PostgresServer, postgres_template: str, tmp_path: Path
) -> Iterator[Location]:
    """An upgraded PostgreSQL database, gone after the test."""
    name = f"test_{next(_numbers)}"
    postgres_server.run(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield location(postgres_server.database(name), tmp_path)
    postgres_server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_location(sqlite_template: Path, tmp_path: Path) -> Location:
    """An upgraded SQLite database, for tests in which the database does not matter."""
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return location(None, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_location(request: pytest.FixtureRequest) -> Location:
    """An upgraded database: the test runs on SQLite and on PostgreSQL."""
    name = "sqlite_location" if request.param == "sqlite" else "postgres_location"
    found = request.getfixturevalue(name)
    assert isinstance(found, Location)
    return found


@pytest.fixture
async def registry(database_location: Location) -> AsyncIterator[SQLRegistry]:
    """An empty registry, on SQLite and on PostgreSQL."""
    async with open_registry(database_location, node=NODE) as opened:
        yield opened


@pytest.fixture
async def sqlite_registry(sqlite_location: Location) -> AsyncIterator[SQLRegistry]:
    """An empty registry on SQLite."""
    async with open_registry(sqlite_location, node=NODE) as opened:
        yield opened
