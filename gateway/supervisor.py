"""Keeps so many workers running, each with its own slot, on the same sockets."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.logs import get_logger
from gateway.metrics import MULTIPROCESS_VARIABLE, mark_process_dead
from gateway.settings import Settings, child_environment, handed_on
from gateway.starting import CannotStart

LOOK_SECONDS = 0.05
LONG_LIFE_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
ATTEMPTS = 2
SETTLE_SECONDS = 10.0


@dataclass(slots=True)
class Slot:
    """One worker's place: its process, and how its starts have gone. `due` is when the next start may be."""

    number: int
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    due: float = 0.0
    failures: int = 0
    is_ready: bool = False
    refusal: dict[str, Any] | None = None  # Any: what the worker says, the arguments of CannotStart
    _said: bytes = field(default=b"", repr=False)

    def begin(self, process: "subprocess.Popen[bytes]") -> None:
        """Take a new process."""
        self.process, self.started = process, time.monotonic()
        self.is_ready, self.refusal, self._said = False, None, b""

    def hear(self) -> None:
        """Read what the worker has said about its start."""
        if self.process is None or self.process.stdout is None:
            return
        with suppress(BlockingIOError):
            while piece := os.read(self.process.stdout.fileno(), 65536):
                self._said += piece
        *lines, self._said = self._said.split(b"\n")
        for line in lines:
            said = json.loads(line)
            self.is_ready = self.is_ready or said == "ready"
            if isinstance(said, dict):
                self.refusal = said

    def release(self) -> None:
        """Close our ends of the pipes of a process that has ended, and say when the next one may start."""
        process, self.process = self.process, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        lived_long = self.is_ready and time.monotonic() - self.started >= LONG_LIFE_SECONDS
        self.failures = 0 if lived_long else self.failures + 1
        pause = min(FIRST_PAUSE_SECONDS * 2 ** max(self.failures - 1, 0), LONGEST_PAUSE_SECONDS)
        self.due = time.monotonic() + pause


class Supervisor:
    """Starts the workers, starts again those that end, and stops all when it is told to.

    Until a first worker has been ready it gives up soon, so that whoever starts the node (systemd, Kubernetes, a
    person) hears why. Afterwards it never gives up: the others go on, and the database may come back.
    """

    def __init__(self, settings: Settings, sockets: Sequence[socket.socket]) -> None:
        self._settings = settings
        self._sockets = sockets
        self._slots = [Slot(number) for number in range(settings.workers)]
        self._log = get_logger("supervisor")
        self._has_run = False
        self._stopping = False

    @property
    def is_ready(self) -> bool:
        """Whether every worker takes requests."""
        return all(slot.is_ready and slot.process is not None for slot in self._slots)

    def run(self, started: Callable[[], None]) -> None:
        """Keep the workers until SIGINT or SIGTERM; `started` is called once, when all take requests.

        Raises:
            CannotStart: no worker came up; the text is what the worker said.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        told = False
        with TemporaryDirectory(prefix="lgsp-metrics-") as folder:
            try:
                while not self._stopping:
                    self._look(Path(folder))
                    if self.is_ready and not told:
                        started()
                        told = True
                    time.sleep(LOOK_SECONDS)
            finally:
                self._stop_all()

    def _on_signal(self, number: int, frame: object) -> None:
        self._stopping = True

    def _look(self, folder: Path) -> None:
        for slot in self._slots:
            slot.hear()
            self._has_run = self._has_run or slot.is_ready
            if slot.process is not None and slot.process.poll() is not None:
                self._ended(slot, slot.process, folder)
            if slot.process is None and time.monotonic() >= slot.due:
                slot.begin(self._start(slot.number, folder))

    def _ended(self, slot: Slot, process: "subprocess.Popen[bytes]", folder: Path) -> None:
        slot.hear()
        mark_process_dead(folder, process.pid)
        slot.release()
        why = slot.refusal["en"] if slot.refusal else how_ended(process.returncode)
        self._log.warning(
            "worker.ended", slot=slot.number, pid=process.pid, why=why, restart_in_seconds=_until(slot.due)
        )
        if not self._has_run:
            self._give_up(slot, why)

    def _give_up(self, slot: Slot, why: str) -> None:
        """Raise CannotStart when trying again is of no use."""
        if slot.refusal is not None and not slot.refusal["may_pass"]:
            raise CannotStart(**slot.refusal)
        if slot.failures >= ATTEMPTS:
            if slot.refusal is not None:
                raise CannotStart(**slot.refusal)
            raise CannotStart(
                f"Các tiến trình của nút không khởi động được ({why}); xem nhật ký ở trên.",
                f"The node's workers do not start ({why}); see the log above.",
            )

    def _start(self, slot: int, folder: Path) -> "subprocess.Popen[bytes]":
        files = [bound.fileno() for bound in self._sockets]
        worker = subprocess.Popen(
            [sys.executable, "-m", "gateway.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=files,
            env=child_environment(**{MULTIPROCESS_VARIABLE: str(folder)}),
            start_new_session=True,
        )
        task = {"slot": slot, "sockets": files, "settings": handed_on(self._settings)}
        if worker.stdin is not None and worker.stdout is not None:
            os.set_blocking(worker.stdout.fileno(), False)
            # It may have died already: `_look` will find that.
            with suppress(BrokenPipeError):
                worker.stdin.write(json.dumps(task).encode() + b"\n")
                worker.stdin.flush()
        return worker

    def _stop_all(self) -> None:
        living = [slot.process for slot in self._slots if slot.process is not None]
        for worker in living:
            worker.terminate()
        settings = self._settings
        deadline = time.monotonic() + settings.stop_notice_seconds + settings.drain_seconds + SETTLE_SECONDS
        for worker in living:
            try:
                worker.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                self._log.warning("worker.killed", pid=worker.pid)
                worker.kill()
                worker.wait()
        for slot in self._slots:
            slot.release()


def how_ended(code: int) -> str:
    """Say how a process has ended."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _until(moment: float) -> float:
    return round(max(moment - time.monotonic(), 0.0), 1)
