"""What happens on one connection: requests after and on top of each other, 100 Continue, its end; through both doors, plain and TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from registry.evidence import Outcome
from tests.e2e.plane import JSON_OK, MARK, WAYS, Plane, body_of, connect, running_plane
from tests.factories import an_operation
from tests.hostile import Conversation, fields_of
from tests.unit.gateway.http1.certificates import Authority

SLOW = b"GET /slow"
LENGTH = f"Content-Length: {len(JSON_OK)}\r\n".encode()


@dataclass
class Line:
    """A caller's connection, read answer by answer."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    token: str

    def send(self, line: str, *fields: str, body: bytes = b"", version: str = "1.1") -> None:
        """Write a request; what has to stand in its head beside the token is in `fields`."""
        head = [
            f"{line} HTTP/{version}",
            "Host: node",
            f"Authorization: Bearer {self.token}",
            *fields,
            "",
            "",
        ]
        self.writer.write("\r\n".join(head).encode() + body)

    async def head(self) -> tuple[int, dict[str, str]]:
        """Return the status and the fields of the next answer."""
        data = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        return int(data.split()[1]), fields_of(data)

    async def answer(self, *, bare: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Return the next answer whole."""
        status, fields = await self.head()
        if bare:
            return status, fields, b""
        if "chunked" in fields.get("transfer-encoding", ""):
            return status, fields, await self._chunks()
        return status, fields, await self.reader.readexactly(int(fields.get("content-length", "0")))

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readuntil(b"\n"), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return body

    async def is_closed(self) -> bool:
        return await asyncio.wait_for(self.reader.read(1), 5) == b""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()


@dataclass
class Lines:
    """A plane whose connections the tests make themselves."""

    plane: Plane
    trust: ssl.SSLContext | None

    async def __call__(self) -> Line:
        caller = await self.plane.caller()
        if not caller.token:
            await caller.fetch_token()
        reader, writer = await connect(self.plane.node, self.trust)
        return Line(reader, writer, caller.token)


@pytest.fixture(
    scope="module",
    params=[(way, tls) for way in WAYS for tls in (False, True)],
    ids=[f"{way['door']}-{tls}" for way in WAYS for tls in ("plain", "tls")],
)
async def lines(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lines]:
    way, tls = request.param
    folder = tmp_path_factory.mktemp("plane")
    async with running(folder, tls=tls, **way) as made:
        operations = [
            an_operation("bat-ky", "/{duong*}", method="ANY"),
            an_operation("ghi", "/ghi", method="POST", effect="write"),
        ]
        await made.plane.offer("Mot", operations=operations, max_body_bytes=200_000)
        yield made


@asynccontextmanager
async def running(folder: Path, *, tls: bool, **settings: str) -> AsyncIterator[Lines]:
    trust = None
    if tls:
        authority = Authority(folder)
        issued = authority.issue("127.0.0.1", label="node")
        trust = ssl.create_default_context(cafile=str(authority.file))
        settings |= {"tls_certificate": str(issued.chain), "tls_key": str(issued.key)}
    async with running_plane(folder / "node", trust=trust, **settings) as plane:
        yield Lines(plane, trust)


@pytest.fixture(autouse=True)
def _as_before(lines: Lines) -> None:
    lines.plane.begin()

    async def behave(talk: Conversation, head: bytes) -> None:
        lines.plane.provider.bodies.append(await body_of(talk, head))
        if head.startswith(SLOW):
            await asyncio.sleep(0.2)
        target = head.split(b" ")[1]
        answer = b"HTTP/1.1 200 OK\r\nX-Target: " + target + b"\r\n"
        if head.startswith(b"HEAD"):
            await talk.send(answer + LENGTH + b"\r\n")
        elif b"/empty" in target:
            await talk.send(answer.replace(b"200 OK", b"204 No Content") + b"\r\n")
        elif b"/stream" in target:
            await talk.send(
                answer + b"Transfer-Encoding: chunked\r\n\r\n", *[b"4\r\nmanh\r\n"] * 30_000, b"0\r\n\r\n"
            )
        else:
            await talk.send(answer + LENGTH + b"\r\n" + JSON_OK)

    lines.plane.provider.behave = behave


async def test_requests_on_top_of_each_other_are_answered_in_order(lines: Lines) -> None:
    async with await lines() as line:
        for path in ("slow?1", "x?2", "stream?3", "slow?4", "empty?5", "x?6"):
            line.send(f"GET /Mot/1.0/{path}")
        answers = [await line.answer() for _ in range(6)]

    assert [fields["x-target"] for _, fields, _ in answers] == [
        "/slow?1", "/x?2", "/stream?3", "/slow?4", "/empty?5", "/x?6",
    ]  # fmt: skip
    assert [status for status, _, _ in answers] == [200, 200, 200, 200, 204, 200]
    assert [len(body) for _, _, body in answers] == [len(JSON_OK)] * 2 + [
        120_000,
        len(JSON_OK),
        0,
        len(JSON_OK),
    ]
    exchanges = [fields["lgsp-exchange-id"] for _, fields, _ in answers]
    assert len(set(exchanges)) == 6
    for exchange in exchanges:
        assert (await lines.plane.records(exchange))[-1].record.outcome == Outcome.SUCCESS


async def test_bodies_on_top_of_each_other_go_with_their_own_requests(lines: Lines) -> None:
    async with await lines() as line:
        line.send("POST /Mot/1.0/slow", "Content-Length: 3", body=b"mot")
        line.send("POST /Mot/1.0/ghi", "Transfer-Encoding: chunked", body=b"3\r\nhai\r\n")
        await asyncio.sleep(0.05)
        line.writer.write(b"2\r\n ba\r\n0\r\n\r\n".replace(b"2\r\n ba", b"3\r\n ba"))
        line.send("GET /Mot/1.0/x")
        statuses = [(await line.answer())[0] for _ in range(3)]

    assert statuses == [200] * 3
    assert lines.plane.provider.bodies[-3:] == [b"mot", b"hai ba", b""]


async def test_a_connection_is_kept_after_answers_of_every_form(lines: Lines) -> None:
    async with await lines() as line:
        for request, status, bare in (
            ("GET /Mot/1.0/x", 200, False),
            ("HEAD /Mot/1.0/x", 200, True),
            ("GET /Mot/1.0/empty", 204, False),
            ("GET /Mot/1.0/stream", 200, False),
            ("GET /Mot/9.9/x", 404, False),
            ("HEAD /Mot/9.9/x", 404, True),
            ("POST /Mot/1.0/ghi", 200, False),
        ):
            fields = ("Content-Length: 0",) if request.startswith("POST") else ()
            line.send(request, *fields)
            answer = await line.answer(bare=bare)
            assert answer[0] == status, request
            assert "connection" not in answer[1], request


async def test_what_follows_connection_close_is_not_answered(lines: Lines) -> None:
    async with await lines() as line:
        line.send("GET /Mot/1.0/slow", "Connection: close")
        line.send("POST /Mot/1.0/ghi", "Content-Length: 0")
        before = len(lines.plane.provider.heads)
        status, fields, _ = await line.answer()

        assert (status, fields["connection"]) == (200, "close")
        assert await line.is_closed()
    assert len(lines.plane.provider.heads) - before == 1


@pytest.mark.parametrize("fields", [(), ("Connection: keep-alive",)])
async def test_http_1_0_is_answered_and_closed(lines: Lines, fields: tuple[str, ...]) -> None:
    async with await lines() as line:
        line.send("GET /Mot/1.0/stream", *fields, version="1.0")
        status, said = await line.head()
        body = await line.reader.read(-1)

    assert (status, len(body)) == (200, 120_000)
    assert "transfer-encoding" not in said


async def test_100_continue_comes_before_the_body_and_once(lines: Lines) -> None:
    async with await lines() as line:
        for body in (b"abc", MARK.encode() * 5_000):
            line.send("POST /Mot/1.0/ghi", f"Content-Length: {len(body)}", "Expect: 100-continue")
            assert (await line.head())[0] == 100
            line.writer.write(body)
            assert (await line.answer())[0] == 200
            assert lines.plane.provider.bodies[-1] == body
        line.send("GET /Mot/1.0/x", "Expect: 100-continue")
        assert (await line.answer())[0] == 200


@pytest.mark.parametrize(
    ("request_line", "fields", "status"),
    [
        ("POST /Mot/1.0/ghi", ("Content-Length: 300000",), 413),
        ("POST /Mot/9.9/ghi", ("Content-Length: 3",), 404),
        ("DELETE /Mot/1.0/ghi/", ("Content-Length: 3", "Authorization: Bearer x"), 401),
    ],
)
async def test_a_refusal_instead_of_100_ends_the_connection(
    lines: Lines, request_line: str, fields: tuple[str, ...], status: int
) -> None:
    before = len(lines.plane.provider.heads)
    async with await lines() as line:
        line.send(request_line, *fields, "Expect: 100-continue")
        answer = await line.answer()

        assert (answer[0], answer[1]["connection"]) == (status, "close")
        line.writer.write(b"GET /Mot/1.0/x HTTP/1.1\r\nHost: n\r\n\r\n")
        assert await line.is_closed()
    assert len(lines.plane.provider.heads) == before


async def test_an_early_refusal_is_read_by_a_caller_that_is_still_sending(lines: Lines) -> None:
    async with await lines() as line:
        line.send("POST /Mot/1.0/ghi", "Content-Length: 10000000", body=b"x" * 100_000)
        await asyncio.sleep(0.1)
        line.writer.write(b"x" * 100_000)
        status, fields, _ = await line.answer()

        assert (status, fields["connection"]) == (413, "close")
