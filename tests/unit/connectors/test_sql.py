"""The `sql` connector against real databases: what calls get, what never happens, and what becomes of connections."""

import asyncio
import time
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import orjson
import psutil
import pytest

from connectors.builtin.sql.connector import SQLConnector
from connectors.builtin.sql.settings import SQLSettings
from connectors.contract import Busy, Call, Done, HTTPClient, Rejected, Result, Unknown, Unreachable
from connectors.errors import BadAnswer, EgressDenied, NoAnswer, SecretUnknown
from tests.connectors import a_call, a_context
from tests.databases import NAME_NFC, PASSWORD, READER, WRITER, Database
from tests.hostile import free_port

MB = 1024 * 1024
HTTP = cast("HTTPClient", None)

ONE = {
    "text": "SELECT so_dinh_danh, ho_ten, ngay_sinh, le_phi, so_lon, con_song, ghi_chu FROM ho_tich"
    " WHERE so_dinh_danh = :so",
    "parameters": {"so": {"at": "query:so"}},
    "result": "one",
    "columns": {
        "soDinhDanh": {"type": "string", "column": "so_dinh_danh"},
        "hoTen": {"type": "string", "column": "ho_ten"},
        "ngaySinh": {"type": "date", "column": "ngay_sinh"},
        "lePhi": {"type": "decimal", "column": "le_phi"},
        "soLon": {"type": "bigint", "column": "so_lon"},
        "conSong": {"type": "boolean", "column": "con_song"},
    },
}
SLEEP = {"postgresql": "SELECT 1 AS a FROM pg_sleep(:s)", "mariadb": "SELECT SLEEP(:s) AS a"}
MANY = {
    "postgresql": "SELECT i AS stt, 'Nguyễn Thị Ngọc Ánh' AS ten FROM generate_series(1, :n) AS i",
    "mariadb": "SELECT seq AS stt, 'Nguyễn Thị Ngọc Ánh' AS ten FROM seq_1_to_100000 WHERE seq <= :n",
}
INSERT = {
    "text": "INSERT INTO ho_tich (so_dinh_danh, ho_ten, ghi_chu) VALUES (:so, :ten, :ghi)",
    "parameters": {
        "so": {"at": "pointer:/so"},
        "ten": {"at": "pointer:/ten", "required": False},
        "ghi": {"at": "pointer:/ghi", "required": False},
    },
    "result": "count",
    "writes": True,
}


def many(kind: str, **given: Any) -> dict[str, Any]:
    return {
        "text": MANY[kind],
        "parameters": {"n": {"at": "query:n", "type": "integer"}},
        "columns": {"stt": "integer", "ten": "string"},
        "max_rows": 200_000,
    } | given


def sleep(kind: str, **given: Any) -> dict[str, Any]:
    return {
        "text": SLEEP[kind],
        "parameters": {"s": {"at": "query:s", "type": "decimal"}},
        "columns": {"a": "integer"},
    } | given


@asynccontextmanager
async def connecting(
    to: Database,
    statements: dict[str, Any],
    *,
    role: str = READER,
    secrets: str = PASSWORD,
    **given: Any,
) -> AsyncIterator[SQLConnector]:
    settings = SQLSettings.model_validate(to.settings(role=role, statements=statements, **given))
    connector = SQLConnector(settings, a_context(HTTP, secrets={"mat-khau": secrets}))
    await connector.open()
    try:
        yield connector
    finally:
        await asyncio.wait_for(connector.drain(), 5)
        await connector.close()


def ask(query: str = "", *, operation: str = "traCuu", **given: Any) -> Call:
    return a_call(query=query, operation=operation, **given)


def write(document: dict[str, Any], *, operation: str = "ghi", **given: Any) -> Call:
    return a_call(method="POST", body=orjson.dumps(document), operation=operation, writes=True, **given)


async def body_of(result: Result) -> bytes:
    assert isinstance(result, Done), result
    body = result.reply.body
    return body if isinstance(body, bytes) else b"".join([piece async for piece in body])


async def document(result: Result) -> Any:
    return orjson.loads(await body_of(result))


def status(result: Result) -> int:
    assert isinstance(result, Done), result
    return result.status


# --- answers --------------------------------------------------------------------------------------------


async def test_a_row_is_an_object_of_the_declared_members(provider_database: Database) -> None:
    async with connecting(provider_database, {"traCuu": ONE}) as connector:
        result = await connector.call(ask("so=001099000001"))

    assert await document(result) == {
        "soDinhDanh": "001099000001",
        "hoTen": NAME_NFC,
        "ngaySinh": "1990-02-28",
        "lePhi": "1234567890123.45",
        "soLon": "9007199254740993",
        "conSong": True,
    }


async def test_nothing_found_is_said_as_declared(provider_database: Database) -> None:
    listing = ONE | {"result": "list"}
    statements = {
        "mot": ONE,
        "motRong": ONE | {"nothing_found": "empty"},
        "nhieu": listing,
        "nhieu404": listing | {"nothing_found": "404"},
    }
    async with connecting(provider_database, statements) as connector:
        found = [await connector.call(ask("so=0", operation=name)) for name in statements]

    assert [status(result) for result in found] == [404, 200, 200, 404]
    assert (await document(found[0]))["code"] == "nothing-found"
    assert await document(found[1]) is None
    assert await document(found[2]) == []


async def test_several_rows_where_one_was_declared_are_no_answer(provider_database: Database) -> None:
    statement = ONE | {"text": str(ONE["text"]).replace("so_dinh_danh = :so", "ho_ten <> :so")}
    async with connecting(provider_database, {"traCuu": statement}) as connector:
        result = await connector.call(ask("so=0"))

    assert result == Unknown(reason="several-rows", rubbish=True)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("integer", "'mười'"),
        ("integer", "9007199254740992"),
        ("integer", "1.5"),
        ("bigint", "'1 '"),
        ("decimal", "'1e3'"),
        ("number", "'x'"),
        ("boolean", "2"),
        ("date", "'28/02/1990'"),
        ("datetime", "'1990-02-28'"),
        ("json", "'{'"),
    ],
)
@pytest.mark.parametrize("result", ["one", "list"])
async def test_a_value_of_another_type_than_declared_never_leaves(
    provider_database: Database, column: str, value: str, result: str
) -> None:
    statement = {"text": f"SELECT {value} AS a", "result": result, "columns": {"a": column}}
    async with connecting(provider_database, {"traCuu": statement}) as connector:
        results = [await connector.call(ask()) for _ in range(2)]

    assert results == [Unknown(reason="result", rubbish=True)] * 2


async def test_a_document_that_is_not_alone_is_no_answer(provider_database: Database) -> None:
    statement = {"text": "SELECT '{}' AS a, 'y' AS b", "result": "document"}
    async with connecting(provider_database, {"traCuu": statement}) as connector:
        assert await connector.call(ask()) == Unknown(reason="result", rubbish=True)


async def test_a_wrong_value_in_the_middle_of_a_stream_breaks_it_off(provider_database: Database) -> None:
    kind = provider_database.kind
    text = MANY[kind].replace("AS stt", "AS dung", 1)
    number = "i" if kind == "postgresql" else "seq"
    text = text.replace(
        "SELECT ", f"SELECT CASE WHEN {number} = 9000 THEN 9007199254740992 ELSE {number} END AS stt, "
    )
    async with connecting(provider_database, {"traCuu": many(kind, text=text)}, pool_size=1) as connector:
        result = await connector.call(ask("n=10000", seconds=30))
        with pytest.raises(BadAnswer, match="rubbish"):
            await body_of(result)
        assert len(await document(await connector.call(ask("n=10")))) == 10


async def test_the_databases_own_json_goes_out_as_it_stands(provider_database: Database) -> None:
    text = '{"soRatLon": 123456789012345678901234567890, "ten": "Ánh"}'
    statement = {
        "text": "SELECT :t AS t",
        "parameters": {"t": {"at": "body"}},
        "result": "document",
    }
    async with connecting(provider_database, {"traCuu": statement}) as connector:
        result = await connector.call(ask(method="POST", body=text.encode()))

    assert await body_of(result) == text.encode()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_vietnamese_text_goes_both_ways_unchanged(provider_database: Database, form: Any) -> None:
    text = unicodedata.normalize(form, NAME_NFC) + " 𠀀"
    statement = {
        "text": "SELECT :t AS t",
        "parameters": {"t": {"at": "pointer:/t"}},
        "columns": {"t": "string"},
    }
    async with connecting(provider_database, {"traCuu": statement}) as connector:
        result = await connector.call(ask(method="POST", body=orjson.dumps({"t": text})))

    assert await document(result) == [{"t": text}]


async def test_a_decomposed_name_finds_the_composed_one_when_it_is_declared(
    provider_database: Database,
) -> None:
    statement = ONE | {
        "text": str(ONE["text"]).replace("so_dinh_danh = :so", "ho_ten = :ten"),
        "parameters": {"ten": {"at": "pointer:/ten", "normalise": "NFC"}},
    }
    body = orjson.dumps({"ten": unicodedata.normalize("NFD", NAME_NFC)})
    async with connecting(provider_database, {"traCuu": statement}) as connector:
        result = await connector.call(ask(method="POST", body=body))

    assert (await document(result))["soDinhDanh"] == "001099000001"


# --- SQL in values --------------------------------------------------------------------------------------

HOSTILE = [
    "' OR '1'='1",
    "'; DROP TABLE ho_tich; --",
    "\\'; DROP TABLE ho_tich; -- ",
    "\\",
    "' UNION SELECT so_dinh_danh FROM ho_tich -- ",
    '" OR ""="',
    "`; DROP TABLE ho_tich",
    "$1 $$ :so ? %s %(so)s {so}",
    "/*! DROP TABLE ho_tich */",
    "\xbf' OR 1=1 -- ",
    "縗' OR 1=1 -- ",
    "a\nb\r\tc\x1a\x08",
    "ʼ OR ʼ1ʼ=ʼ1",
    "1); DELETE FROM ho_tich; SELECT (1",
]


@pytest.mark.parametrize("value", HOSTILE)
async def test_sql_in_a_text_is_a_text(provider_database: Database, value: str) -> None:
    mirror = {
        "text": "SELECT :t AS t",
        "parameters": {"t": {"at": "pointer:/t"}},
        "columns": {"t": "string"},
    }
    body = orjson.dumps({"t": value})
    lookup = ONE | {"parameters": {"so": {"at": "pointer:/t"}}}
    async with connecting(provider_database, {"soi": mirror, "traCuu": lookup}) as connector:
        mirrored = await connector.call(ask(method="POST", body=body, operation="soi"))
        found = await connector.call(ask(method="POST", body=body))
    rows = await provider_database.run("SELECT count(*) FROM ho_tich")

    assert await document(mirrored) == [{"t": value}]
    assert status(found) == 404
    assert rows == [(2,)]


@pytest.mark.parametrize("kind", ["integer", "decimal", "date", "boolean"])
@pytest.mark.parametrize("value", HOSTILE)
async def test_sql_in_any_other_type_is_refused_before_the_database(
    provider_database: Database, kind: str, value: str
) -> None:
    statement = {
        "text": "SELECT :t AS t",
        "parameters": {"t": {"at": "pointer:/t", "type": kind}},
        "columns": {"t": "string"},
    }
    async with connecting(provider_database, {"traCuu": statement}, port=free_port()) as connector:
        result = await connector.call(ask(method="POST", body=orjson.dumps({"t": value})))

    assert status(result) == 400
    assert (await document(result))["parameter"] == "t"


async def test_every_type_gets_to_the_database_as_itself(provider_database: Database) -> None:
    casts = {
        "postgresql": "SELECT CAST(:i AS bigint) + 1 AS i, CAST(:d AS numeric) + 1 AS d, CAST(:n AS date) + 1 AS n,"
        " NOT CAST(:b AS boolean) AS b, CAST(:k AS text) IS NULL AS k",
        "mariadb": "SELECT :i + 1 AS i, :d + 1 AS d, DATE_ADD(:n, INTERVAL 1 DAY) AS n, NOT :b AS b, :k IS NULL AS k",
    }
    statement = {
        "text": casts[provider_database.kind],
        "parameters": {
            "i": {"at": "query:i", "type": "integer"},
            "d": {"at": "query:d", "type": "decimal"},
            "n": {"at": "query:n", "type": "date"},
            "b": {"at": "query:b", "type": "boolean"},
            "k": {"at": "query:k", "required": False},
        },
        "columns": {"i": "bigint", "d": "decimal", "n": "date", "b": "boolean", "k": "boolean"},
        "result": "one",
    }
    async with connecting(provider_database, {"traCuu": statement}) as connector:
        result = await connector.call(
            ask("i=-9007199254740993&d=-99999999999999999999.05&n=2000-02-28&b=false")
        )

    assert await document(result) == {
        "i": "-9007199254740992",
        "d": "-99999999999999999998.05",
        "n": "2000-02-29",
        "b": True,
        "k": True,
    }


# --- writes ---------------------------------------------------------------------------------------------

HIDDEN_WRITES = {
    "postgresql": [
        "WITH x AS (DELETE FROM ho_tich RETURNING so_dinh_danh) SELECT so_dinh_danh AS a FROM x",
        "SELECT lo_create(0)::text AS a",
        "SELECT so_dinh_danh AS a FROM ho_tich FOR UPDATE",
    ],
    "mariadb": [
        "WITH x AS (SELECT 1) SELECT so_dinh_danh AS a FROM ho_tich INTO OUTFILE 'x'",
        "SELECT xoa_het() AS a",
    ],
}


async def test_a_statement_that_reads_cannot_write_even_with_a_role_that_may(
    provider_database: Database,
) -> None:
    if provider_database.kind == "mariadb":
        await provider_database.run(
            "CREATE OR REPLACE FUNCTION xoa_het() RETURNS INT MODIFIES SQL DATA SQL SECURITY DEFINER"
            " BEGIN DELETE FROM ho_tich; RETURN 1; END",
            f"GRANT EXECUTE ON ho_tich.* TO '{WRITER}'@'127.0.0.1'",
        )
    statements = {
        f"thu{number}": {"text": text, "columns": {"a": "string"}}
        for number, text in enumerate(HIDDEN_WRITES[provider_database.kind])
    }
    async with connecting(provider_database, statements, role=WRITER) as connector:
        results = [await connector.call(ask(operation=name)) for name in statements]
    rows = await provider_database.run("SELECT count(*) FROM ho_tich")

    assert {result.reason for result in results if isinstance(result, Rejected)} <= {"read-only", "statement"}
    assert all(isinstance(result, Rejected) for result in results)
    assert Rejected(reason="read-only") in results
    assert rows == [(2,)]


async def test_what_a_function_changes_in_its_session_is_gone_for_the_next_call(
    postgresql_provider: Database,
) -> None:
    statements = {
        "doi": {
            "text": "SELECT set_config('default_transaction_read_only', 'off', false) AS a,"
            " set_config('search_path', 'pg_temp', false) AS b, pg_advisory_lock(7) AS c",
            "columns": {"a": "string"},
        },
        "xem": {
            "text": "SELECT current_setting('search_path') AS a, (SELECT count(*) FROM pg_locks"
            " WHERE locktype = 'advisory') AS b",
            "columns": {"a": "string", "b": "integer"},
            "result": "one",
        },
    }
    async with connecting(postgresql_provider, statements, pool_size=1) as connector:
        await connector.call(ask(operation="doi"))
        result = await connector.call(ask(operation="xem"))

    assert await document(result) == {"a": '"$user", public', "b": 0}


async def test_a_declared_write_needs_an_operation_that_says_so(provider_database: Database) -> None:
    async with connecting(provider_database, {"ghi": INSERT}, role=WRITER) as connector:
        result = await connector.call(ask(method="POST", body=b'{"so": "9", "ten": "X"}', operation="ghi"))

    assert result == Rejected(reason="write-not-declared")


async def test_writes_are_committed_or_refused_with_a_safe_text(provider_database: Database) -> None:
    removal = {
        "text": "DELETE FROM ho_tich WHERE so_dinh_danh = :so",
        "parameters": {"so": {"at": "pointer:/so"}},
        "result": "count",
        "nothing_found": "404",
        "writes": True,
    }
    values = {"so": "001099000009", "ten": "Lê Thị Hoa"}
    async with connecting(provider_database, {"ghi": INSERT, "xoa": removal}, role=WRITER) as connector:
        written = await connector.call(write(values))
        count = await provider_database.run("SELECT count(*) FROM ho_tich")
        again = await connector.call(write(values))
        unnamed = await connector.call(write({"so": "001099000010"}))
        forbidden = await connector.call(write({"so": "001099000010", "ten": "X", "ghi": "cam"}))
        long = await connector.call(write({"so": "0" * 50, "ten": "X"}))
        removed = await connector.call(write(values, operation="xoa"))
        gone = await connector.call(write(values, operation="xoa"))

    assert await document(written) == {"affected": 1}
    assert count == [(3,)]
    assert [status(it) for it in (again, unnamed, forbidden, long)] == [409, 422, 422, 422]
    assert await document(removed) == {"affected": 1}
    assert status(gone) == 404
    for refused in (again, unnamed, forbidden, long):
        text = (await body_of(refused)).decode()
        assert not any(word in text for word in ("Hoa", "001099", "ho_tich", "INSERT", "cam"))


async def test_a_reader_cannot_write_by_its_rights_either(provider_database: Database) -> None:
    async with connecting(provider_database, {"ghi": INSERT}) as connector:
        result = await connector.call(write({"so": "9", "ten": "X"}))

    assert result == Rejected(reason="statement")


async def test_what_a_write_returns_is_told_after_the_commit(provider_database: Database) -> None:
    statement = INSERT | {
        "text": f"{INSERT['text']} RETURNING so_dinh_danh",
        "result": "list",
        "columns": {"so_dinh_danh": "string"},
    }
    async with connecting(provider_database, {"ghi": statement}, role=WRITER) as connector:
        result = await connector.call(write({"so": "001099000011", "ten": "X"}))
        removed = await provider_database.run("DELETE FROM ho_tich WHERE so_dinh_danh = '001099000011'")
    rows = await provider_database.run("SELECT count(*) FROM ho_tich")

    assert await document(result) == [{"so_dinh_danh": "001099000011"}]
    assert removed == []
    assert rows == [(2,)]


# --- limits and cancellation ----------------------------------------------------------------------------


async def gone(database: Database) -> None:
    """Return when no statement of the connector's runs on the server any more."""
    for _ in range(100):
        if not await database.working():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("a statement still runs on the server")


async def test_the_server_stops_a_statement_at_its_limit(provider_database: Database) -> None:
    statements = {"cho": sleep(provider_database.kind, seconds=0.2), "traCuu": ONE}
    async with connecting(provider_database, statements, pool_size=1) as connector:
        started = time.monotonic()
        result = await connector.call(ask("s=20", operation="cho", seconds=10))
        seconds = time.monotonic() - started
        after = await connector.call(ask("so=001099000001"))

    assert result == Unknown(reason="timeout")
    assert seconds < 2
    assert status(after) == 200


async def test_a_calls_deadline_stops_its_statement_on_the_server(provider_database: Database) -> None:
    statements = {"cho": sleep(provider_database.kind), "traCuu": ONE}
    async with connecting(provider_database, statements, pool_size=1) as connector:
        result = await connector.call(ask("s=20", operation="cho", seconds=0.3))
        await gone(provider_database)
        after = await connector.call(ask("so=001099000001"))

    assert result == Unknown(reason="timeout")
    assert status(after) == 200


async def test_a_cancelled_call_frees_its_connection_on_both_sides(provider_database: Database) -> None:
    statements = {"cho": sleep(provider_database.kind), "traCuu": ONE}
    async with connecting(provider_database, statements, pool_size=2) as connector:
        for _ in range(3):
            tasks = [
                asyncio.ensure_future(connector.call(ask("s=20", operation="cho", seconds=30))) for _ in "ab"
            ]
            await asyncio.sleep(0.15)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await gone(provider_database)
        after = await connector.call(ask("so=001099000001"))
        connections = await provider_database.connections()

    assert status(after) == 200
    assert connections <= 2


async def test_a_call_that_finds_no_free_connection_sent_nothing(provider_database: Database) -> None:
    statements = {"cho": sleep(provider_database.kind), "traCuu": ONE}
    async with connecting(provider_database, statements, pool_size=1) as connector:
        holding = asyncio.ensure_future(connector.call(ask("s=0.5", operation="cho")))
        await asyncio.sleep(0.1)
        result = await connector.call(ask("so=001099000001", seconds=0.1))
        await holding

    assert isinstance(result, Unreachable)


async def test_a_hundred_thousand_rows_are_streamed_with_flat_memory(provider_database: Database) -> None:
    process = psutil.Process()
    kind = provider_database.kind
    async with connecting(provider_database, {"traCuu": many(kind)}, pool_size=1) as connector:
        await body_of(await connector.call(ask("n=3000", seconds=60)))
        before = process.memory_info().rss
        peak = before
        result = await connector.call(ask("n=100000", seconds=60))
        assert isinstance(result, Done)
        body = result.reply.body
        assert not isinstance(body, bytes)
        size = commas = 0
        last = b""
        async for piece in body:
            size, commas, last = size + len(piece), commas + piece.count(b"stt"), piece
            peak = max(peak, process.memory_info().rss)

    assert commas == 100_000
    assert size > 4 * MB
    assert last.endswith(b"]")
    assert peak - before < 8 * MB


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 999, 1000, 1001, 2500])
async def test_arrays_of_every_length_are_json(provider_database: Database, count: int) -> None:
    async with connecting(provider_database, {"traCuu": many(provider_database.kind)}) as connector:
        rows = await document(await connector.call(ask(f"n={count}")))

    assert [row["stt"] for row in rows] == list(range(1, count + 1))


async def test_a_stream_that_is_not_read_to_its_end_frees_its_connection(provider_database: Database) -> None:
    statements = {"nhieu": many(provider_database.kind), "traCuu": ONE}
    async with connecting(provider_database, statements, pool_size=1) as connector:
        for started in (False, True):
            result = await connector.call(ask("n=100000", operation="nhieu", seconds=60))
            assert isinstance(result, Done)
            body = cast("Any", result.reply.body)
            if started:
                await anext(body)
            await body.aclose()
            await body.aclose()
            after = await connector.call(ask("so=001099000001"))
            assert status(after) == 200
        await gone(provider_database)


async def test_a_stream_that_is_forgotten_frees_its_place(provider_database: Database) -> None:
    statements = {"nhieu": many(provider_database.kind), "traCuu": ONE}
    async with connecting(provider_database, statements, pool_size=1) as connector:
        await connector.call(ask("n=100000", operation="nhieu", seconds=60))
        after = await connector.call(ask("so=001099000001"))

    assert status(after) == 200


async def test_more_rows_than_declared_are_refused_or_cut_but_never_left_out(
    provider_database: Database,
) -> None:
    kind = provider_database.kind
    statements = {"it": many(kind, max_rows=10), "nhieu": many(kind, max_rows=50_000)}
    async with connecting(provider_database, statements, pool_size=1) as connector:
        exact = await connector.call(ask("n=10", operation="it"))
        refused = await connector.call(ask("n=11", operation="it"))
        cut = await connector.call(ask("n=50001", operation="nhieu", seconds=60))
        with pytest.raises(NoAnswer, match="too-many-rows"):
            await body_of(cut)
        after = await connector.call(ask("n=1", operation="it"))

    assert len(await document(exact)) == 10
    assert status(refused) == 422
    assert status(after) == 200


# --- the way there --------------------------------------------------------------------------------------


async def test_connections_are_kept_and_no_more_than_declared(provider_database: Database) -> None:
    async with connecting(provider_database, {"traCuu": ONE}, pool_size=3) as connector:
        results = await asyncio.gather(
            *(connector.call(ask("so=001099000001", seconds=10)) for _ in range(60))
        )
        connections = await provider_database.connections()

    assert [status(result) for result in results] == [200] * 60
    assert 1 <= connections <= 3


async def test_connections_that_ended_while_idle_are_passed_over(provider_database: Database) -> None:
    kill = {
        "postgresql": ["SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lgsp_doc'"],
        "mariadb": [f"KILL USER '{READER}'"],
    }
    async with connecting(provider_database, {"traCuu": ONE}, pool_size=2) as connector:
        await asyncio.gather(*(connector.call(ask("so=001099000001")) for _ in range(4)))
        await provider_database.run(*kill[provider_database.kind])
        results = [await connector.call(ask("so=001099000001")) for _ in range(4)]

    assert [status(result) for result in results] == [200] * 4


async def test_a_connection_that_ends_under_a_statement_leaves_it_open_what_happened(
    provider_database: Database,
) -> None:
    kill = {
        "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lgsp_doc'",
        "mariadb": f"KILL USER '{READER}'",
    }
    async with connecting(provider_database, {"cho": sleep(provider_database.kind)}) as connector:
        task = asyncio.ensure_future(connector.call(ask("s=5", operation="cho", seconds=10)))
        await asyncio.sleep(0.3)
        await provider_database.run(kill[provider_database.kind])
        result = await asyncio.wait_for(task, 3)

    assert result == Unknown(reason="cut")


async def test_who_cannot_be_reached_was_sent_nothing(provider_database: Database) -> None:
    async with connecting(provider_database, {"traCuu": ONE}, port=free_port()) as connector:
        refused = await connector.call(ask("so=1"))
    async with connecting(provider_database, {"traCuu": ONE}, host="csdl.demo.invalid") as connector:
        unknown = await connector.call(ask("so=1"))

    assert refused == Unreachable(reason="refused")
    assert unknown == Unreachable(reason="dns")


@pytest.mark.parametrize("host", ["169.254.169.254", "::1", "0x7f.1", "2130706433"])
async def test_the_egress_rule_stands_before_the_connection(provider_database: Database, host: str) -> None:
    async with connecting(provider_database, {"traCuu": ONE}, host=host) as connector:
        with pytest.raises(EgressDenied):
            await connector.call(ask("so=1"))
        steps = await connector.check()

    assert steps[0].step == "dns"
    assert steps[0].ok is False


async def test_a_refused_login_and_a_missing_database_are_rejections(provider_database: Database) -> None:
    async with connecting(provider_database, {"traCuu": ONE}, secrets="sai") as connector:
        wrong = await connector.call(ask("so=1"))
        steps = await connector.check()
    async with connecting(provider_database, {"traCuu": ONE}, database="khong_co") as connector:
        missing = await connector.call(ask("so=1"))

    assert wrong == Rejected(reason="credentials")
    assert [step.ok for step in steps] == [True, True, None, False, None]
    assert missing == Rejected(reason="database")


async def test_a_secret_that_is_not_bound_is_said(provider_database: Database) -> None:
    async with connecting(provider_database, {"traCuu": ONE}, password="secret:khac") as connector:
        with pytest.raises(SecretUnknown):
            await connector.call(ask("so=1"))
        steps = await connector.check()

    assert [step.ok for step in steps] == [True, True, None, False, None]


async def test_an_operation_without_a_statement_is_rejected(provider_database: Database) -> None:
    async with connecting(provider_database, {"traCuu": ONE}) as connector:
        assert await connector.call(ask(operation="khac")) == Rejected(reason="operation-unknown")


async def test_a_locked_row_asks_to_come_back(provider_database: Database) -> None:
    patience = {
        "postgresql": f"ALTER ROLE {WRITER} SET lock_timeout = '100ms'",
        "mariadb": "SET GLOBAL innodb_lock_wait_timeout = 1",
    }
    update = {
        "text": "UPDATE ho_tich SET ghi_chu = NULL WHERE so_dinh_danh = :so",
        "parameters": {"so": {"at": "pointer:/so"}},
        "result": "count",
        "writes": True,
    }
    await provider_database.run(patience[provider_database.kind])
    async with connecting(provider_database, {"ghi": update}, role=WRITER, pool_size=1) as connector:
        async with provider_database.holding("UPDATE ho_tich SET ghi_chu = 'khoá'"):
            locked = await connector.call(write({"so": "001099000002"}, seconds=5))
        free = await connector.call(write({"so": "001099000002"}, seconds=5))

    assert locked == Busy()
    assert status(free) == 200


# --- connection test ------------------------------------------------------------------------------------


async def test_a_connection_test_says_what_the_database_does_not_take(provider_database: Database) -> None:
    statements = {
        "tot": ONE,
        "sai": ONE | {"text": "SELECT khong_co FROM ho_tich WHERE so_dinh_danh = :so"},
    }
    async with connecting(provider_database, {"tot": ONE}) as connector:
        good = await connector.check()
    async with connecting(provider_database, statements) as connector:
        bad = await connector.check()

    assert [step.ok for step in good] == [True, True, None, True, True]
    assert bad[-1].ok is False
    assert bad[-1].detail == "sai: not what the database takes"


async def test_a_connection_test_says_when_a_readers_role_could_write(provider_database: Database) -> None:
    async with connecting(provider_database, {"traCuu": ONE}, role=WRITER) as connector:
        reading = await connector.check()
    async with connecting(provider_database, {"traCuu": ONE, "ghi": INSERT}, role=WRITER) as connector:
        writing = await connector.check()

    assert reading[-1].ok is False
    assert "the role may" in reading[-1].detail
    assert writing[-1].ok is True
