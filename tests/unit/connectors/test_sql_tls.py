"""TLS to databases: the certificate has to be the host's, whatever address was connected to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from connectors.builtin.sql.connector import SQLConnector
from connectors.builtin.sql.settings import SQLSettings
from connectors.contract import CheckStep, Done, HTTPClient, Result, Unreachable
from connectors.errors import SettingsRefused
from tests.connectors import a_call, a_context
from tests.databases import PASSWORD, Database
from tests.unit.gateway.http1.certificates import Authority

NAME = "csdl.demo.invalid"
STATEMENT = {"text": "SELECT :a AS a", "parameters": {"a": {"at": "query:a"}}, "columns": {"a": "string"}}


@asynccontextmanager
async def tls_before(database: Database, authority: Authority) -> AsyncIterator[int]:
    """Yield the port of a door that speaks PostgreSQL's TLS and passes on to a server that has none."""
    context = authority.server_context(authority.issue(NAME, label="door"))

    async def pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(65536):
                sink.write(piece)
                await sink.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(8)
            writer.write(b"S")
            await writer.start_tls(context)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        inner, behind = await asyncio.open_connection("127.0.0.1", database.port)
        await asyncio.gather(pour(reader, behind), pour(inner, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def with_tls(database: Database, folder: Path) -> AsyncIterator[tuple[int, str]]:
    """Yield a port and the authority of the certificate behind it."""
    if database.kind == "mariadb":
        yield database.port, database.tls_authority
        return
    authority = Authority(folder)
    async with tls_before(database, authority) as port:
        yield port, authority.file.read_text("ascii")


async def outcome(database: Database, **given: Any) -> tuple[Result, list[CheckStep]]:
    document = database.settings(statements={"traCuu": STATEMENT}, tls=True, **given)
    context = a_context(cast("HTTPClient", None), secrets={"mat-khau": PASSWORD})
    connector = SQLConnector(SQLSettings.model_validate(document), context)
    try:
        return await connector.call(a_call(query="a=1")), list(await connector.check())
    finally:
        await connector.close()
        await asyncio.sleep(0.05)


async def test_a_good_certificate_for_the_host_is_taken(provider_database: Database, tmp_path: Path) -> None:
    async with with_tls(provider_database, tmp_path) as (port, authority):
        result, steps = await outcome(provider_database, port=port, tls_name=NAME, tls_authority=authority)

    assert isinstance(result, Done)
    assert [step.ok for step in steps] == [True, True, True, True, True]


@pytest.mark.parametrize("flaw", ["another name", "the address", "another authority", "no authority"])
async def test_any_other_certificate_is_refused_before_the_password_goes(
    provider_database: Database, tmp_path: Path, flaw: str
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    async with with_tls(provider_database, tmp_path) as (port, authority):
        given: dict[str, Any] = {"tls_name": NAME, "tls_authority": authority}
        match flaw:
            case "another name":
                given["tls_name"] = "khac.demo.invalid"
            case "the address":
                given["tls_name"] = None
            case "another authority":
                given["tls_authority"] = Authority(other).file.read_text("ascii")
            case _:
                given["tls_authority"] = None
        result, steps = await outcome(provider_database, port=port, **given)

    assert result == Unreachable(reason="tls")
    assert [step.ok for step in steps] == [True, True, False, None, None]


async def test_a_server_without_tls_is_not_spoken_to_in_the_clear(postgresql_provider: Database) -> None:
    result, _ = await outcome(postgresql_provider)

    assert result == Unreachable(reason="tls")


def test_an_authority_that_is_none_is_refused(postgresql_provider: Database) -> None:
    document = postgresql_provider.settings(
        statements={"traCuu": STATEMENT}, tls=True, tls_authority="không phải"
    )
    context = a_context(cast("HTTPClient", None))

    with pytest.raises(SettingsRefused, match="/tls_authority"):
        SQLConnector(SQLSettings.model_validate(document), context)
