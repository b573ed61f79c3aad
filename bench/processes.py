"""Processes of the benchmark: started on one core, their CPU time and memory read from /proc."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

START_SECONDS = 20
STOP_SECONDS = 20
PROC = Path("/proc")


class Process:
    """A child process on one core; ends when its `with` block does.

    `out` takes its standard output, which is a pipe otherwise (`hear`), and `log` its standard error.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        core: int | None = None,
        environ: Mapping[str, str] | None = None,
        out: IO[bytes] | None = None,
        log: IO[bytes] | None = None,
    ) -> None:
        self._command = list(command)
        self._core = core
        self._environ = None if environ is None else dict(environ)
        self._out = out
        self._log = log
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603  (our own modules, and proxies found on this machine)
            self._command,
            stdin=subprocess.PIPE,
            stdout=self._out or subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=self._environ,
        )
        pin(self._process.pid, self._core)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def tell(self, line: str) -> None:
        """Write a line to the process."""
        if self._process.stdin is None:
            raise ValueError("the process has no standard input")
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        """Wait for a line of the process. Raises `ProcessEnded`."""
        if self._process.stdout is None:
            raise ValueError("the process has no standard output")
        line = self._process.stdout.readline()
        if not line:
            raise ProcessEnded(f"{' '.join(self._command[:3])} ended")
        return line.rstrip("\n")


class ProcessEnded(Exception):
    """A process of the benchmark ended before its time."""


def module(name: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of ours."""
    return [sys.executable, "-m", name, *arguments]


def wait_until_open(port: int, process: Process, log: Path) -> None:
    """Return when somebody listens on a port. Raises ProcessEnded with what the process said."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and not process.ended:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise ProcessEnded(f"nobody listens on {port}: {log.read_text('utf-8', 'replace')[-1000:]}")


def pin(pid: int, core: int | None) -> None:
    """Keep a process, with all threads that it has by now, on one core, where the system can do that."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        return
    for thread in (PROC / str(pid) / "task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), {core})


def cores() -> tuple[int | None, int | None]:
    """Return a core for the subject and one for everything else; None where there are not two."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (usable[1], usable[0]) if len(usable) > 1 else (None, None)


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for one in found:
        for task in (PROC / str(one) / "task").glob("*/children"):
            with suppress(OSError):
                found.extend(int(child) for child in task.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process, its threads and its descendants."""
    return sum(_ticks(one) for one in family(pid)) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    # proc(5): fields 14 to 17 are utime, stime, and both of children already waited for.
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15])


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process and its descendants."""
    total = 0
    for one in family(pid):
        for line in (PROC / str(one) / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total / 1024
