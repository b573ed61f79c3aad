"""Start sandbox databases, each at an address of its own: `python -m deploy.sandbox dkdn bhxh`.

Prints one line of JSON when they are ready, for each its address, its base address for a gateway, and example arguments; with the
secret, unless a file with it was given (`dkdn=FILE`). Ends on SIGTERM and SIGINT, and when a pipe on its standard input closes, so
that it never outlives the program that started it.
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
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette

from deploy.sandbox import dancu, described, dmdc, world
from deploy.sandbox.faults import Faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """How a database is made, and where in it a gateway begins."""

    base: str
    create_app: Callable[[str], Starlette]
    examples: Mapping[str, str]


def _described(name: str) -> Database:
    description = described.read_description(name)
    create_app = partial(described.create_app, description)
    return Database(base=described.base_of(description), create_app=create_app, examples={})


DATABASES: Mapping[str, Callable[[], Database]] = {
    **{name: partial(_described, name) for name in described.NAMES},
    "dmdc": lambda: Database(base=dmdc.BASE, create_app=dmdc.create_app, examples=dmdc.examples()),
    "dancu": lambda: Database(base=dancu.BASE, create_app=dancu.create_app, examples=dancu.examples()),
}


class _Server(uvicorn.Server):
    """uvicorn, with signals left to us: it would end the process by the signal again after a clean stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main(arguments: list[str] | None = None) -> int:
    """Serve databases on loopback until told to end."""
    parser = argparse.ArgumentParser(prog="deploy.sandbox", description=__doc__)
    parser.add_argument("databases", nargs="+", metavar="NAME[=FILE]", help=", ".join(sorted(DATABASES)))
    parser.add_argument("--port", type=int, default=0, help="of the first database; 0 takes a free one")
    given = parser.parse_args(arguments)
    wanted = [one.partition("=")[::2] for one in given.databases]
    unknown = [name for name, _ in wanted if name not in DATABASES]
    if unknown:
        parser.error(f"no database {unknown[0]!r}; there are {', '.join(sorted(DATABASES))}")
    missing = [file for _, file in wanted if file and not Path(file).is_file()]
    if missing:
        parser.error(f"no file {missing[0]!r}")
    with ExitStack() as stack:
        servers, ready = [], {}
        for place, (name, file) in enumerate(wanted):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0 if place else given.port)))
            server, ready[name] = _prepare(DATABASES[name](), file, listener)
            servers.append((server, listener))
        # asyncio's own loop would leave Nagle's algorithm on for these sockets: 40 ms for each answer.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(servers, ready))
    return 0


def _prepare(database: Database, file: str, listener: socket.socket) -> tuple[_Server, dict[str, Any]]:
    """Return the server of a database, and what its caller has to know."""
    secret = Path(file).read_text("utf-8").strip() if file else secrets.token_urlsafe(24)
    config = uvicorn.Config(
        Faults(database.create_app(secret)),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ready = {
        "address": address,
        "base": address + database.base,
        "examples": {**world.examples(), **database.examples},
    }
    return _Server(config), ready if file else {**ready, "secret": secret}


async def _serve(servers: Iterable[tuple[_Server, socket.socket]], ready: Mapping[str, Any]) -> None:
    _end_with([server for server, _ in servers])
    # The sockets listen already: who connects before the servers run waits a moment, and is answered.
    print(json.dumps(ready), flush=True)  # noqa: T201  (told to the parent)
    async with asyncio.TaskGroup() as running:
        for server, listener in servers:
            running.create_task(server.serve(sockets=[listener]))


def _end_with(servers: Iterable[uvicorn.Server]) -> None:
    """End the servers on a signal, or when the parent's pipe closes."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
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
