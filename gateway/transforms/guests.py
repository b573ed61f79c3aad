"""The node's guest processes: started when first needed, a few at most, killed when one takes too long."""

import os
import select
import subprocess
import sys
import threading
from hashlib import sha256
from time import monotonic
from typing import Any, Final

from gateway.transforms.contract import OutOfTime, Place, Unfit
from gateway.transforms.frames import read_frame, render_frame

MOST: Final = 2
GRACE_SECONDS: Final = 1.0
START_SECONDS: Final = 10.0
WAIT_SECONDS: Final = 10.0


class Work:
    """A kind of work for guests: the job's name (`guest.JOBS`), and what it is made of, which is sent once to each."""

    __slots__ = ("known", "more")

    def __init__(self, job: str, make: dict[str, Any]) -> None:  # Any: JSON
        self.more: dict[str, Any] = {"job": job, "make": make}
        self.known = {"key": sha256(repr(self.more).encode()).hexdigest()}


class _Process:
    """One guest process."""

    def __init__(self) -> None:
        # It gets no environment: nothing in it is a guest's business.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "gateway.transforms.guest"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, bufsize=0,
        )  # fmt: skip
        self.is_fresh = True

    def ask(self, frame: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:  # Any: JSON
        """Send a frame and return the answer. Raises EOFError when the guest ended, TimeoutError."""
        if self._process.stdin is None or self._process.stdout is None:
            raise EOFError
        deadline = monotonic() + seconds + (START_SECONDS if self.is_fresh else 0.0)
        try:
            _write(self._process.stdin.fileno(), frame, deadline)
        except BrokenPipeError:
            raise EOFError from None
        descriptor = self._process.stdout.fileno()
        answer = read_frame(lambda size: _read(descriptor, size, deadline))
        self.is_fresh = False
        return answer

    def end(self) -> None:
        """Kill the process."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


def _write(descriptor: int, data: bytes, deadline: float) -> None:
    os.set_blocking(descriptor, False)
    rest = memoryview(data)
    while rest:
        _, ready, _ = select.select([], [descriptor], [], max(deadline - monotonic(), 0.0))
        if not ready:
            raise TimeoutError
        rest = rest[os.write(descriptor, rest[: 1 << 16]) :]


def _read(descriptor: int, size: int, deadline: float) -> bytes:
    pieces, missing = [], size
    while missing:
        ready, _, _ = select.select([descriptor], [], [], max(deadline - monotonic(), 0.0))
        if not ready:
            raise TimeoutError
        piece = os.read(descriptor, min(missing, 1 << 20))
        if not piece:
            raise EOFError
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


class Guests:
    """Has work done in guest processes. May be used by many threads; blocks the one that calls."""

    def __init__(self) -> None:
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()
        self._places = threading.BoundedSemaphore(MOST)
        self._lock = threading.Lock()
        self._closed = False

    def run(
        self, work: Work, body: bytes, seconds: float, **about: str
    ) -> tuple[dict[str, Any], bytes]:  # Any: JSON
        """Return what comes of a body, and what there is to say of it; `about` is what the work has to be told.

        Raises Unfit, and OutOfTime also when no guest becomes free in time.
        """
        if not self._places.acquire(timeout=WAIT_SECONDS):
            raise OutOfTime("All guest processes are busy.")
        try:
            return self._run({**work.known, **about}, work.more, body, seconds)
        finally:
            self._places.release()

    def _run(
        self, known: dict[str, Any], more: dict[str, Any], body: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytes]:  # Any: JSON
        for _ in range(MOST + 1):  # all that rest may be gone: the one after them is fresh
            process = self._take()
            was_fresh, keep = process.is_fresh, False
            try:
                header, result = process.ask(render_frame(known, body), seconds + GRACE_SECONDS)
                if header.get("unknown"):
                    header, result = process.ask(render_frame(known | more, body), seconds + GRACE_SECONDS)
                keep = True
                return _result(header, result)
            except TimeoutError:
                raise OutOfTime("The work took longer than it may, and was killed.") from None
            except EOFError:
                # One that has served before may have retired just now; a fresh one was brought down.
                if was_fresh:
                    raise Unfit("limit", "The work used more memory than it may.", None, "mapping") from None
            finally:
                self._give_back(process, keep=keep)
        raise Unfit("limit", "The work used more than it may.", None, "mapping")

    def _take(self) -> _Process:
        with self._lock:
            if self._closed:
                raise OutOfTime("The node is stopping.")
            process = self._idle.pop() if self._idle else _Process()
            self._all.add(process)
            return process

    def _give_back(self, process: _Process, *, keep: bool) -> None:
        with self._lock:
            if keep and not self._closed:
                self._idle.append(process)
                return
            self._all.discard(process)
        process.end()

    def close(self) -> None:
        """End all guests. Idempotent."""
        with self._lock:
            self._closed = True
            ending, self._idle = self._idle, []
            self._all.difference_update(ending)
        for process in ending:
            process.end()


def _result(header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:  # Any: JSON
    if "code" not in header:
        return header, body
    place = Place(*header["place"]) if header.get("place") else None
    if header.get("late"):
        raise OutOfTime(header["message"], place)
    raise Unfit(header["code"], header["message"], place, header["subject"])
