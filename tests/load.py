"""A paced load: consumers that call at a steady rate over connections of their own, and note every answer."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer. `sent` is when its request was sent (monotonic)."""

    sent: float
    seconds: float
    status: int
    exchange: str
    body: bytes


@dataclass
class Load:
    """So many requests a second, until it is told to stop; a connection that breaks is opened again."""

    port: int
    requests: list[bytes]
    per_second: float = 200.0
    connections: int = 16
    answers: list[Answer] = field(default_factory=list)
    broken: int = 0
    stopping: bool = False
    _sent: int = 0

    @property
    def statuses(self) -> Counter[int]:
        """How often each status was answered."""
        return Counter(answer.status for answer in self.answers)

    def answered(self, *statuses: int) -> set[str]:
        """Return the exchanges that were answered with one of these statuses (without any: with any)."""
        return {it.exchange for it in self.answers if it.exchange and (not statuses or it.status in statuses)}

    async def run(self) -> None:
        """Send until told to stop, and then wait for what is under way."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.connections):
                tasks.create_task(self._consumer(number))

    async def _consumer(self, number: int) -> None:
        every = self.connections / self.per_second
        due = time.monotonic() + every * number / self.connections
        while not self.stopping:
            try:
                due = await self._connection(due, every)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.02)

    async def _connection(self, due: float, every: float) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)
        try:
            while not self.stopping:
                await asyncio.sleep(max(due - time.monotonic(), 0.0))
                # One that is late does not catch up: the rate is a rate, not a debt.
                due = max(due + every, time.monotonic())
                await self._exchange(reader, writer)
        finally:
            writer.transport.abort()
        return due

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = self.requests[self._sent % len(self.requests)]
        self._sent += 1
        sent = time.monotonic()
        try:
            writer.write(request)
            status, headers, body = await read_answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            self.broken += 1
            raise
        exchange = headers.get("lgsp-exchange-id", "")
        self.answers.append(Answer(sent, time.monotonic() - sent, status, exchange, body))
        if headers.get("connection") == "close":
            raise ConnectionResetError


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read one answer to its end. Raises IncompleteReadError for one that is cut."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if headers.get("transfer-encoding") != "chunked":
        return int(first[9:12]), headers, await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return int(first[9:12]), headers, body


def request(path: str, token: str, *, method: str = "GET", body: bytes = b"") -> bytes:
    """Return the bytes of a call."""
    head = f"{method} {path} HTTP/1.1\r\nHost: node.example\r\nAuthorization: Bearer {token}\r\n"
    length = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
    return f"{head}{length}\r\n".encode() + body


@asynccontextmanager
async def under_load(load: Load) -> AsyncIterator[Load]:
    """Run a load beside the body of the `async with`, and wait for its last answers."""
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(load.run())
        try:
            yield load
            load.stopping = True
            await running
        finally:
            load.stopping = True


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Return when something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


def tell(line: str) -> None:
    """Say a figure to whoever runs the tests with `-s`."""
    sys.stdout.write(f"\n{line}\n")
