"""Start one sandbox database: `python -m deploy.sandbox dkdn --port 0`.

Prints one line of JSON when it is ready: its address, its base address for a gateway, and example arguments; with the
secret, when it made one itself. Ends on SIGTERM and SIGINT, and when a pipe on its standard input closes, so that it
never outlives the program that started it.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from deploy.sandbox import bhxh, dancu, dkdn, dmdc
from deploy.sandbox.faults import Faults

DATABASES = {"dkdn": dkdn, "bhxh": bhxh, "dmdc": dmdc, "dancu": dancu}


class _Server(uvicorn.Server):
    """uvicorn, with signals left to us: it would end the process by the signal again after a clean stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main(arguments: list[str] | None = None) -> int:
    """Serve one database on loopback until told to end."""
    parser = argparse.ArgumentParser(prog="deploy.sandbox", description=__doc__)
    parser.add_argument("database", choices=sorted(DATABASES))
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--secret-file", type=Path, help="file with the secret; without it one is made")
    given = parser.parse_args(arguments)
    secret = given.secret_file.read_text("utf-8").strip() if given.secret_file else secrets.token_urlsafe(24)
    with socket.create_server(("127.0.0.1", given.port)) as listener:
        asyncio.run(_serve(given.database, secret, listener, show_secret=given.secret_file is None))
    return 0


async def _serve(name: str, secret: str, listener: socket.socket, *, show_secret: bool) -> None:
    database = DATABASES[name]
    config = uvicorn.Config(
        Faults(database.create_app(secret)),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    _end_with(server)
    # The socket listens already: who connects before the server runs waits a moment, and is answered.
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ready = {
        "database": name,
        "address": address,
        "base": address + database.BASE,
        "examples": database.examples(),
    }
    print(json.dumps(ready | ({"secret": secret} if show_secret else {})), flush=True)  # noqa: T201  (told to the parent)
    await server.serve(sockets=[listener])


def _end_with(server: uvicorn.Server) -> None:
    """End the server on a signal, or when the parent's pipe closes."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

    def read_parent() -> None:
        if not os.read(0, 1024):
            loop.remove_reader(0)
            stop()

    if stat.S_ISFIFO(os.fstat(0).st_mode):
        loop.add_reader(0, read_parent)


if __name__ == "__main__":
    sys.exit(main())
