"""A body of 100 MB up and down, with the memory that it takes."""

import http.client
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench.processes import cpu_seconds, memory_mb
from bench.subjects import Subject
from bench.upstream import LARGE, PIECE

SECONDS = 60


def measure_large_bodies(
    running: Mapping[str, Subject], rounds: int, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Send and fetch 100 MB in turn, round by round, and return the medians of each subject.

    `extra_mb` is by how much the memory rose at its highest, in the worst round; it is looked at every few milliseconds.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in running}
    for subject in running.values():
        _fetch(subject, "GET")  # a first time, so that what is kept for good is not counted
    for number in range(rounds):
        for name, subject in running.items():
            say(f"body100m: round {number + 1} of {rounds}, {name}")
            found[name].append(_both_ways(subject))
    return {name: _median(each) for name, each in found.items()}


def _median(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    medians = {name: round(statistics.median(each[name] for each in rounds), 3) for name in rounds[0]}
    return medians | {"extra_mb": max(each["extra_mb"] for each in rounds)}


def _both_ways(subject: Subject) -> dict[str, Any]:
    before, cpu = memory_mb(subject.pid), cpu_seconds(subject.pid)
    with _Watch(lambda: memory_mb(subject.pid)) as watch:
        down = _fetch(subject, "GET")
        up = _fetch(subject, "POST")
    return {
        "us_cpu": round((cpu_seconds(subject.pid) - cpu) * 1e6 / 2, 1),
        "rps": round(2 / (down + up), 3),
        "p50_ms": round(min(down, up) * 1000, 1),
        "p99_ms": round(max(down, up) * 1000, 1),
        "extra_mb": round(watch.highest - before, 1),
    }


class _Watch:
    """Reads a value every few milliseconds, and keeps the highest."""

    def __init__(self, read: Callable[[], float]) -> None:
        self._read = read
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.highest = 0.0

    def _look(self) -> None:
        while not self._done.wait(0.005):
            self.highest = max(self.highest, self._read())

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def _fetch(subject: Subject, method: str) -> float:
    headers = dict(header.split(": ", 1) for header in subject.headers)
    path = subject.bases[0] + ("/items" if method == "POST" else "/large")
    body: Iterator[bytes] | None = None
    if method == "POST":
        headers["Content-Length"] = str(LARGE)
        body = (PIECE for _ in range(LARGE // len(PIECE)))
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", subject.port, timeout=SECONDS)
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        received, last = 0, b""
        while piece := reply.read(len(PIECE)):
            received, last = received + len(piece), piece
        if reply.status != 200 or (method == "GET" and received != LARGE):  # noqa: PLR2004
            raise RuntimeError(f"{method} was answered {reply.status} with {received} bytes: {last[:1000]!r}")
    finally:
        connection.close()
    return time.perf_counter() - began
