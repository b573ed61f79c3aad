"""Children of the demonstration: started apart from the terminal, and ended with it in any case."""

import json
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

START_SECONDS = 30.0
STOP_SECONDS = 15.0


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""By which somebody asks a program to end."""


@contextmanager
def held_signals() -> Iterator[None]:
    """Have signals wait until the block has ended.

    A handler that raises while a process is being started would leave one behind that nobody knows.
    """
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    ours = {number: handler for number, handler in handlers.items() if callable(handler)}
    if threading.current_thread() is not threading.main_thread():
        ours = {}
    came: list[int] = []
    try:
        for number in ours:
            signal.signal(number, lambda given, _: came.append(given))
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        for each in came[:1]:
            signal.raise_signal(each)


class ChildFailed(Exception):
    """A child did not start, or ended before its time; the text ends with what it said last."""


class Child:
    """A child process. Its standard input is a pipe that closes with us, by which it knows when to end.

    One that `speaks` says on standard output that it is ready; of the others that goes to the log as well.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        log: Path,
        environ: Mapping[str, str] | None = None,
        speaks: bool = True,
    ) -> None:
        self.name = f"{module} {arguments[0]}" if arguments else module
        self._log = log
        with log.open("ab") as errors:
            # A session of its own: Ctrl+C reaches us alone, and we end our children in order.
            self._process = _started(
                [module, *arguments],
                environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if speaks else errors,
                stderr=errors,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def hear(self) -> dict[str, Any]:  # Any: JSON of our own child
        """Wait for the line of JSON with which a child says that it is ready. Raises ChildFailed."""
        output = self._process.stdout
        if output is None or not select.select([output], [], [], START_SECONDS)[0]:
            raise self._failure()
        line = output.readline()
        if not line:
            raise self._failure()
        said: dict[str, Any] = json.loads(line)
        return said

    def check_alive(self) -> None:
        """Raise ChildFailed if the child has ended."""
        if self._process.poll() is not None:
            raise self._failure()

    def kill(self) -> None:
        """End the child at once, as a machine that fails does."""
        self._process.kill()
        self._close()

    def stop(self) -> None:
        """Ask the child to end, and make it after a while. Idempotent."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        self.kill()

    def _close(self) -> None:
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _failure(self) -> ChildFailed:
        said = self._log.read_text("utf-8", "replace")[-2000:] if self._log.exists() else ""
        return ChildFailed(f"{self.name}:\n{said}")


def run(module: str, arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Run a command to its end and return what it printed. Raises ChildFailed."""
    process = _started(
        [module, *arguments],
        environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            out, errors = map(str, process.communicate(timeout=START_SECONDS))
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise ChildFailed(f"{module} {' '.join(arguments[:2])}:\n{errors[-2000:]}")
    return out


def _started(
    arguments: Sequence[str],
    environ: Mapping[str, str] | None,
    **how: Any,  # Any: as Popen takes it
) -> "subprocess.Popen[Any]":
    """Start a module of ours; when we are asked to end meanwhile, it ends with us."""
    process = None
    try:
        with held_signals():
            process = subprocess.Popen(  # noqa: S603  (our own modules)
                [sys.executable, "-m", *arguments], env=None if environ is None else dict(environ), **how
            )
    except BaseException:
        if process is not None:
            with process:
                process.kill()
        raise
    return process


def free_port(wanted: int = 0) -> int:
    """Return `wanted` or, when it is taken, the next free port; any free one for 0."""
    while True:
        try:
            with socket.create_server(("127.0.0.1", wanted)) as listener:
                return int(listener.getsockname()[1])
        except OSError:
            if wanted == 0:
                raise
            wanted += 1


def wait_until(ready: Any, child: Child, seconds: float = START_SECONDS) -> None:  # Any: a callable
    """Wait until `ready()` is true. Raises ChildFailed when the child ends or the time is up."""
    until = time.monotonic() + seconds
    while not ready():
        child.check_alive()
        if time.monotonic() > until:
            raise ChildFailed(f"{child.name} was not ready in {seconds:.0f} s")
        time.sleep(0.02)
