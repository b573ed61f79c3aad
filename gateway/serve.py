"""Starting a node: sockets, workers, signals. The one place that starts processes of our own."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
import uvloop

from gateway.build import build
from gateway.logs import configure
from gateway.metrics import mark_process_dead
from gateway.settings import Settings, SettingsWrong, address_of, child_environment, handed_on

BACKLOG = 2048
SETTLE_SECONDS = 5.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(settings: Settings) -> int:
    """Run a node until it is told to stop; returns the exit code.

    Raises:
        SettingsWrong: the settings do not go together, or an address is taken.
    """
    check_together(settings)
    sockets = listen(settings)
    if settings.workers == 1:
        return run_worker(settings, 0, sockets)
    return Supervisor(settings, sockets).run()


def check_together(settings: Settings) -> None:
    """Refuse settings that are each right and do not go together."""
    if settings.workers > 1 and settings.database is None:
        raise SettingsWrong(
            "more than one worker needs PostgreSQL (LGSP_DATABASE): with SQLite the ledger has one writer"
        )
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise SettingsWrong("LGSP_TLS_CERTIFICATE and LGSP_TLS_KEY go together")
    for listening in filter(None, (settings.listen, settings.admin_listen)):
        host, _ = address_of(listening)
        plain = settings.tls_certificate is None and not settings.trusted_proxies
        if plain and not _is_loopback(host):
            raise SettingsWrong(
                f"{listening} is not loopback: set LGSP_TLS_CERTIFICATE and LGSP_TLS_KEY, "
                "or say in LGSP_TRUSTED_PROXIES who ends TLS in front of this node"
            )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(settings: Settings) -> list[socket.socket]:
    """Bind the public address and, when there is one, the admin address."""
    sockets: list[socket.socket] = []
    for listening in filter(None, (settings.listen, settings.admin_listen)):
        host, port = address_of(listening)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            sockets.append(socket.create_server((host, port), family=family, backlog=BACKLOG))
        except OSError as error:
            for bound in sockets:
                bound.close()
            raise SettingsWrong(f"cannot listen on {listening}: {error.strerror or error}") from error
    return sockets


def run_worker(settings: Settings, slot: int, sockets: Sequence[socket.socket], *, tied: bool = False) -> int:
    """Run one worker on sockets that are bound already; `tied`: stop when standard input ends."""
    configure(level=settings.log_level, form=settings.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_worker(settings, slot, sockets, tied=tied))
    return 0


async def _worker(settings: Settings, slot: int, sockets: Sequence[socket.socket], *, tied: bool) -> None:
    addresses = [bound.getsockname()[:2] for bound in sockets]
    async with build(settings, slot=slot, addresses=addresses) as node:
        config = uvicorn.Config(
            node.app,
            http=node.protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(settings.keep_alive_seconds),
            timeout_graceful_shutdown=int(settings.drain_seconds),
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
        )
        server = NodeServer(config, node.stopping)
        if tied:
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), server.stop)
        await server.serve(list(sockets))
        await server.settle()


class NodeServer(uvicorn.Server):
    """uvicorn's server with our own signals: the node is closed in order before the process ends."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM; a second one stops waiting for requests under way."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Take no new connections and end when the requests under way have ended."""
        self._stopping()
        self.force_exit = self.should_exit and sys.stdin is not None and sys.stdin.isatty()
        self.should_exit = True
        asyncio.get_running_loop().remove_reader(0)

    async def settle(self) -> None:
        """Wait until requests that were cut short have recorded it."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while self.server_state.tasks and time.monotonic() < deadline:
            await asyncio.sleep(0.01)


class Supervisor:
    """Keeps so many workers running, each with its own slot, on the same sockets."""

    def __init__(self, settings: Settings, sockets: Sequence[socket.socket]) -> None:
        self._settings = settings
        self._sockets = sockets
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._started: dict[int, float] = {}
        self._stopping = False

    def run(self) -> int:
        """Start the workers, start again those that die, and stop all when told to."""
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        with TemporaryDirectory(prefix="lgsp-metrics-") as folder:
            failures = 0
            while not self._stopping:
                failures = self._keep(Path(folder), failures)
                if failures > 5 * self._settings.workers:
                    break
                time.sleep(0.1)
            self._stop_all()
        return 0 if self._stopping else 1

    def _on_signal(self, number: int, frame: object) -> None:
        self._stopping = True

    def _keep(self, folder: Path, failures: int) -> int:
        """Start the workers that are not running; returns how many in a row did not live for ten seconds."""
        for slot in range(self._settings.workers):
            worker = self._workers.get(slot)
            if worker is not None and worker.poll() is None:
                continue
            if worker is not None:
                lived = time.monotonic() - self._started[slot]
                failures = failures + 1 if lived < 10 else 0  # noqa: PLR2004  (said in the docstring)
                sys.stderr.write(f"worker {slot} ended with code {worker.returncode}; starting another\n")
                mark_process_dead(folder, worker.pid)
                time.sleep(min(0.1 * 2**failures, 5.0))
            self._workers[slot] = self._start(slot, folder)
            self._started[slot] = time.monotonic()
        return failures

    def _start(self, slot: int, folder: Path) -> "subprocess.Popen[bytes]":
        files = [bound.fileno() for bound in self._sockets]
        worker = subprocess.Popen(
            [sys.executable, "-m", "gateway.worker"],
            stdin=subprocess.PIPE,
            pass_fds=files,
            env=child_environment(PROMETHEUS_MULTIPROC_DIR=str(folder)),
            start_new_session=True,
        )
        if worker.stdin is not None:
            task = {"slot": slot, "sockets": files, "settings": handed_on(self._settings)}
            worker.stdin.write(json.dumps(task).encode() + b"\n")
            worker.stdin.flush()
        return worker

    def _stop_all(self) -> None:
        for worker in self._workers.values():
            worker.terminate()
        deadline = time.monotonic() + self._settings.drain_seconds + 2 * SETTLE_SECONDS
        for worker in self._workers.values():
            try:
                worker.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            if worker.stdin is not None:
                worker.stdin.close()

