"""Field software asks for a token before every call: one core must give 300 a second through real HTTP."""

import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import psutil

from tests.e2e.oauth_server import SECRET

WANTED_PER_CORE = 300
TOKENS = 1500
CONNECTIONS = 16
BODY = f"grant_type=client_credentials&client_id=client-1&client_secret={SECRET}"
REQUEST = (
    "POST /token HTTP/1.1\r\nHost: lgsp.example\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
).encode()


@contextmanager
def running() -> Iterator[tuple[psutil.Process, int]]:
    command = [sys.executable, "-m", "tests.e2e.oauth_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert select.select([server.stdout], [], [], 20)[0], "the server did not start"
            yield psutil.Process(server.pid), int(server.stdout.readline().rpartition(b":")[2])
        finally:
            server.kill()


async def ask(port: int, times: int) -> None:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        for _ in range(times):
            await stream.send(REQUEST)
            answer = b""
            while not answer.endswith(b"}"):
                answer += await stream.receive()
            assert answer.startswith(b"HTTP/1.1 200"), answer


async def ask_from_all(port: int, times: int) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(CONNECTIONS):
            group.start_soon(ask, port, times)


def used_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def test_one_core_gives_three_hundred_tokens_a_second() -> None:
    with running() as (server, port):
        await ask_from_all(port, 5)
        before = used_seconds(server)
        await ask_from_all(port, TOKENS // CONNECTIONS)
        used = used_seconds(server) - before

    per_core = (TOKENS // CONNECTIONS) * CONNECTIONS / used
    assert per_core >= WANTED_PER_CORE, f"{per_core:.0f} tokens a second and core"
    print(f"{per_core:.0f} tokens a second and core, {1e6 / per_core:.0f} µs each")  # noqa: T201  (a measurement)
