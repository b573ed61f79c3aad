"""How long a node answers nobody while it works on a document of 10 MB."""

import http.client
import threading
import time

from bench.messages import LARGE, Large, large_json
from bench.rounds import Figures
from bench.subjects import Subject

SECONDS = 120
PING_SECONDS = 0.001
QUIET_SECONDS = 1.0


class _Pings:
    """Asks a node whether it lives, again and again, on a connection of its own; keeps the longest wait in ms."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.longest = 0.0

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
        try:
            while not self._done.wait(PING_SECONDS):
                began = time.perf_counter()
                connection.request("GET", "/health/live")
                connection.getresponse().read()
                self.longest = max(self.longest, (time.perf_counter() - began) * 1000)
        finally:
            connection.close()

    def __enter__(self) -> "_Pings":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def measure_stalls(subject: Subject, rounds: int) -> dict[str, Figures]:
    """Have a node do each thing with 10 MB, and return the longest waits of others meanwhile; `quiet` is without any."""
    with _Pings(subject.port) as pings:
        time.sleep(QUIET_SECONDS)
    found: dict[str, Figures] = {"quiet": {"longest_ms": round(pings.longest, 1)}}
    for name, what in LARGE.items():
        _once(subject, what)  # a first time, in which guest processes start
        began = time.perf_counter()
        with _Pings(subject.port) as pings:
            for _ in range(rounds):
                _once(subject, what)
        each = (time.perf_counter() - began) / rounds * 1000
        found[name] = {"longest_ms": round(pings.longest, 1), "each_ms": round(each)}
    return found


def _once(subject: Subject, what: Large) -> None:
    headers = dict(header.split(": ", 1) for header in subject.headers)
    body = large_json() if what.sends else None
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection("127.0.0.1", subject.port, timeout=SECONDS)
    try:
        path = subject.bases[int(what.limited)] + what.path
        connection.request("POST" if what.sends else "GET", path, body, headers)
        reply = connection.getresponse()
        text = reply.read()
        if reply.status != 200:  # noqa: PLR2004
            raise RuntimeError(f"{what.path} was answered {reply.status}: {text[:1000]!r}")
    finally:
        connection.close()
