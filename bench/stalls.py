"""How long a node answers nobody while it works on a document of 10 MB.

`python -m bench.stalls PORT` asks a node whether it lives, again and again, and prints the longest wait in ms whenever it
gets a line; then it begins anew. It is a process of its own, so that it waits for nothing but the node.
"""

import http.client
import select
import statistics
import sys
import time

from bench.messages import LARGE, Large, large_json
from bench.processes import Process, cores, module
from bench.rounds import Figures
from bench.subjects import Subject

SECONDS = 120
PING_SECONDS = 0.001
QUIET_SECONDS = 1.0


def measure_stalls(subject: Subject, rounds: int) -> dict[str, Figures]:
    """Have a node do each thing with 10 MB, and return how long others waited meanwhile.

    That is the longest wait of all rounds, and the median of the rounds' longest. `quiet` is without any work: what the
    machine and the other processes on it do to everybody.
    """
    with Process(module("bench.stalls", str(subject.port)), core=cores()[1]) as pings:
        _longest(pings)
        time.sleep(QUIET_SECONDS)
        found: dict[str, Figures] = {"quiet": {"longest_ms": _longest(pings)}}
        for name, what in LARGE.items():
            body = large_json() if what.sends else None
            _once(subject, what, body)  # a first time, in which guest processes start
            found[name] = _measured(pings, subject, what, body, rounds)
    return found


def _measured(pings: Process, subject: Subject, what: Large, body: bytes | None, rounds: int) -> Figures:
    longest, took = [], []
    for _ in range(rounds):
        _longest(pings)
        began = time.perf_counter()
        _once(subject, what, body)
        took.append((time.perf_counter() - began) * 1000)
        longest.append(_longest(pings))
    return {
        "longest_ms": max(longest),
        "median_ms": statistics.median(longest),
        "each_ms": round(statistics.median(took)),
    }


def _longest(pings: Process) -> float:
    pings.tell("")
    return round(float(pings.hear()), 1)


def _once(subject: Subject, what: Large, body: bytes | None) -> None:
    headers = dict(header.split(": ", 1) for header in subject.headers)
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


def ping(port: int) -> None:
    """Ask a node until standard input closes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    longest = 0.0
    while True:
        began = time.perf_counter()
        connection.request("GET", "/health/live")
        connection.getresponse().read()
        longest = max(longest, (time.perf_counter() - began) * 1000)
        if select.select([sys.stdin], [], [], PING_SECONDS)[0]:
            if not sys.stdin.readline():
                return
            print(longest, flush=True)
            longest = 0.0


if __name__ == "__main__":
    ping(int(sys.argv[1]))
