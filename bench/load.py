"""The load generator: keep-alive connections that each send the next request when the last is answered.

With a `rate` they send at set times instead, answered or not, and latency counts from the time set (an open loop).
`python -m bench.load` takes jobs on standard input and gives results on standard output, one line of JSON each. A job
is over when everything that was sent has been answered, so that `answered` can be compared with what was recorded.
"""

import asyncio
import json
import math
import ssl
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to send: requests in turn, over so many connections, for so long (or so many, when `count` is set).

    `rate`: so many a second, evenly, whatever the answers do. `trusted`: the certificate to trust; TLS with one.
    """

    port: int
    requests: list[str]
    connections: int = 64
    seconds: float = 1.0
    count: int = 0
    rate: float = 0.0
    trusted: str = ""


@dataclass(slots=True, kw_only=True)
class Result:
    """What came of a job. `refused` counts answers other than 2xx, `broken` those that never came."""

    answered: int = 0
    refused: int = 0
    broken: int = 0
    seconds: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    first_refused: str = ""


@dataclass(slots=True)
class Run:
    """What the connections of one job share."""

    requests: list[bytes]
    count: int
    sent: int = 0
    open: int = 0
    stopping: bool = False
    refused: int = 0
    broken: int = 0
    first_refused: str = ""
    nanoseconds: list[int] = field(default_factory=list)
    paced: bool = False
    resting: "list[Connection]" = field(default_factory=list)
    due: deque[int] = field(default_factory=deque)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def next_request(self) -> bytes | None:
        """Return what to send next, or None when there is nothing more."""
        if (self.stopping and not self.paced) or (self.count and self.sent >= self.count):
            return None
        self.sent += 1
        return self.requests[self.sent % len(self.requests)]

    def arrive(self, at: int) -> None:
        """Send a request that was due at `at`, now or when a connection is free."""
        if self.resting:
            self.resting.pop().send(at)
        else:
            self.due.append(at)

    def close_one(self) -> None:
        """Count a connection as finished."""
        self.open -= 1
        if self.open == 0:
            self.done.set()


class Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._transport: asyncio.Transport
        self._data = b""
        self._began = 0
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an instance of asyncio.Transport under uvloop, though it has its methods.
        self._transport = cast(asyncio.Transport, transport)
        self._run.open += 1

    def send(self, due: int = 0) -> None:
        """Send the next request, or close when there is none. `due`: since when its latency counts, 0 for now."""
        request = self._run.next_request()
        if request is None:
            self.close()
            return
        self._waiting = True
        self._began = due or time.perf_counter_ns()
        self._transport.write(request)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _go_on(self) -> None:
        run = self._run
        if not run.paced:
            self.send()
        elif run.due:
            self.send(run.due.popleft())
        elif run.stopping:
            self.close()
        else:
            run.resting.append(self)

    def data_received(self, data: bytes) -> None:
        data = self._data = self._data + data if self._data else data
        end = data.find(b"\r\n\r\n")
        if end < 0 or not _is_whole(data, end):
            return
        self._waiting = False
        self._data = b""
        run = self._run
        run.nanoseconds.append(time.perf_counter_ns() - self._began)
        if data[9:10] != b"2":
            run.refused += 1
            run.first_refused = run.first_refused or data[:2000].decode("utf-8", "replace")
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._run.broken += 1
        self._run.close_one()


def _is_whole(data: bytes, end: int) -> bool:
    head = data[:end].lower()
    at = head.find(b"content-length:")
    if at < 0:
        return data.endswith(b"0\r\n\r\n")
    line_end = head.find(b"\r\n", at)
    length = int(head[at + 15 : line_end if line_end >= 0 else end])
    return len(data) >= end + 4 + length


async def carry_out(job: Job) -> Result:
    """Send the job's requests and return what came of them."""
    loop = asyncio.get_running_loop()
    run = Run([request.encode() for request in job.requests], job.count, paced=job.rate > 0)
    secure = ssl.create_default_context(cafile=job.trusted) if job.trusted else None
    connections = []
    for _ in range(job.connections):
        _, connection = await loop.create_connection(
            lambda: Connection(run), "127.0.0.1", job.port, ssl=secure
        )
        connections.append(connection)
    began = time.perf_counter()
    if run.paced:
        await _send_in_time(job, run, connections)
    else:
        for connection in connections:
            connection.send()
        try:
            await asyncio.wait_for(run.done.wait(), job.seconds if not job.count else GRACE_SECONDS)
        except TimeoutError:
            run.stopping = True
    await asyncio.wait_for(run.done.wait(), GRACE_SECONDS)
    return _summary(run, time.perf_counter() - began)


async def _send_in_time(job: Job, run: Run, connections: list[Connection]) -> None:
    """Have requests sent at even distances; returns when the last one was due."""
    loop = asyncio.get_running_loop()
    run.resting.extend(connections)
    step, count = int(1e9 / job.rate), int(job.rate * job.seconds)

    def pace() -> None:
        # A thread's sleep is exact to a tenth of a millisecond, the loop's timers to a whole one.
        began = time.perf_counter_ns()
        for number in range(count):
            at = began + number * step
            if (ahead := at - time.perf_counter_ns()) > 0:
                time.sleep(ahead / 1e9)
            loop.call_soon_threadsafe(run.arrive, at)

    await loop.run_in_executor(None, pace)
    await asyncio.sleep(0)
    run.stopping = True
    while run.resting:
        run.resting.pop().close()


def _summary(run: Run, seconds: float) -> Result:
    times = sorted(run.nanoseconds)
    return Result(
        answered=len(times),
        refused=run.refused,
        broken=run.broken,
        seconds=seconds,
        p50_ms=percentile(times, 0.50) / 1e6,
        p99_ms=percentile(times, 0.99) / 1e6,
        first_refused=run.first_refused,
    )


def percentile(ordered: list[int], share: float) -> float:
    """Return the value below which `share` of the ordered values lie (nearest rank), 0 for none."""
    return float(ordered[max(0, math.ceil(share * len(ordered)) - 1)]) if ordered else 0.0


async def serve() -> None:
    """Carry out jobs until standard input closes."""
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(asdict(await carry_out(Job(**json.loads(line))))), flush=True)


if __name__ == "__main__":
    uvloop.run(serve())
