"""Starting a node: sockets, workers, signals. The one place that starts processes of our own."""

import asyncio
import gc
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import uvicorn
import uvloop

from gateway.logs import configure, get_logger
from gateway.settings import Settings, SettingsWrong, address_of
from gateway.starting import EXPECTED, CannotStart, check_together, explain, settings_wrong
from gateway.supervisor import Supervisor

if TYPE_CHECKING:
    from gateway.build import Node

BACKLOG = 2048
SETTLE_SECONDS = 5.0
COLLECT_AFTER = (50_000, 20, 100)
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(settings: Settings) -> int:
    """Run a node until it is told to stop; returns the exit code.

    Raises:
        CannotStart: why it does not run, and what helps.
    """
    try:
        check_together(settings)
        sockets = listen(settings)
    except SettingsWrong as error:
        raise settings_wrong(error) from error
    configure(level=settings.log_level, form=settings.log_format)
    started = _telling(settings, sockets)
    if settings.workers == 1:
        run_worker(settings, 0, sockets, ready=started)
    else:
        Supervisor(settings, sockets).run(started)
    get_logger("node").info("node.stopped", node=settings.node)
    return 0


def _telling(settings: Settings, sockets: Sequence[socket.socket]) -> Callable[[], None]:
    """Return a function that tells the log that the node takes requests, and where."""
    addresses = [f"{host}:{port}" for host, port in (bound.getsockname()[:2] for bound in sockets)]

    def started() -> None:
        get_logger("node").info(
            "node.started",
            node=settings.node,
            role=settings.role,
            version=version("lgsp"),
            listen=addresses[0],
            admin_listen=addresses[-1],
            tls=settings.tls_certificate is not None,
            workers=settings.workers,
            pid=os.getpid(),
        )

    return started


def listen(settings: Settings) -> list[socket.socket]:
    """Bind the public address and, when there is one, the admin address. Raises SettingsWrong, CannotStart."""
    sockets: list[socket.socket] = []
    for listening in filter(None, (settings.listen, settings.admin_listen)):
        host, port = address_of(listening)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            sockets.append(socket.create_server((host, port), family=family, backlog=BACKLOG))
        except (OSError, OverflowError) as error:
            for bound in sockets:
                bound.close()
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise CannotStart(
                f"Không mở được địa chỉ {listening} ({why}). "
                "Hãy dừng chương trình đang dùng địa chỉ đó, hoặc đổi LGSP_LISTEN hay LGSP_ADMIN_LISTEN.",
                f"Cannot listen on {listening} ({why}). "
                "Stop the program that uses the address, or change LGSP_LISTEN or LGSP_ADMIN_LISTEN.",
            ) from error
    return sockets


def run_worker(
    settings: Settings,
    slot: int,
    sockets: Sequence[socket.socket],
    *,
    ready: Callable[[], None],
    tied: bool = False,
) -> None:
    """Run one worker on sockets that are bound already; `tied`: stop when standard input ends.

    `ready` is called when it takes requests. Raises CannotStart.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_worker(settings, slot, sockets, ready, tied=tied))


async def _worker(
    settings: Settings, slot: int, sockets: Sequence[socket.socket], ready: Callable[[], None], *, tied: bool
) -> None:
    # Imported here: the supervisor of several workers, and a start that is refused, need none of it.
    from gateway.build import build  # noqa: PLC0415

    addresses = [bound.getsockname()[:2] for bound in sockets]
    async with AsyncExitStack() as stack:
        try:
            node = await stack.enter_async_context(build(settings, slot=slot, addresses=addresses))
        except EXPECTED as error:
            raise explain(error) from error
        server = NodeServer(_config(settings, node), node.stopping, ready, settings.stop_notice_seconds)
        if tied:
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), server.stop)
        await server.serve(list(sockets))
        await server.settle()


def _config(settings: Settings, node: "Node") -> uvicorn.Config:
    return uvicorn.Config(
        node.app,
        http=node.protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(settings.keep_alive_seconds),
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )


class NodeServer(uvicorn.Server):
    """uvicorn's server with our own signals: the node is closed in order before the process ends."""

    def __init__(
        self,
        config: uvicorn.Config,
        stopping: Callable[[], None],
        ready: Callable[[], None],
        notice_seconds: float,
    ) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._ready = ready
        self._notice_seconds = notice_seconds
        self._close_at = math.inf

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM; a second one on a terminal stops waiting for requests under way."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections, and say so."""
        await super().startup(sockets)
        settle_memory()
        self._ready()

    def stop(self) -> None:
        """Be not ready any more; after the notice take no new connections, and end with the requests under way."""
        self._stopping()
        self.force_exit = self.should_exit and sys.stdin is not None and sys.stdin.isatty()
        if not self.should_exit:
            self._close_at = time.monotonic() + self._notice_seconds
        self.should_exit = True
        asyncio.get_running_loop().remove_reader(0)

    async def on_tick(self, counter: int) -> bool:
        """Say whether to take no new connections from now on."""
        wanted = await super().on_tick(counter)
        return wanted and (self.force_exit or time.monotonic() >= self._close_at)

    async def settle(self) -> None:
        """Wait until requests that were cut short have recorded it."""
        if self.server_state.tasks:
            await asyncio.wait(tuple(self.server_state.tasks), timeout=SETTLE_SECONDS)


def settle_memory() -> None:
    """Have the garbage collector look at new objects only, and seldom.

    An exchange leaves no cycles behind, and what a started node consists of stays: walking it again and again took
    a tenth of the time under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
