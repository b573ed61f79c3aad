"""A provider that misbehaves: a real TCP server on loopback that does what its script says, byte by byte."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Conversation:
    """One connection: what came, and the means to answer anyhow."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.requests = 0

    async def read_head(self) -> bytes:
        """Read one request's head; empty when the peer is gone."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""
        self.requests += 1
        return head

    async def read_request(self) -> tuple[bytes, bytes]:
        """Read one request with its whole body."""
        head = await self.read_head()
        fields = fields_of(head)
        if "chunked" in fields.get("transfer-encoding", ""):
            return head, await self._read_chunks()
        return head, await self.reader.readexactly(int(fields.get("content-length", "0")))

    async def _read_chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readuntil(b"\n"), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readline()
        return body

    async def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        """Write the pieces, each in a segment of its own when there is a pause."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            if pause:
                await asyncio.sleep(pause)

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def fields_of(head: bytes) -> dict[str, str]:
    """Return a head's fields; of several of one name the last."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


Script = Callable[[Conversation], Awaitable[None]]


@dataclass
class HostileServer:
    """Where it listens and whom it talked to, in order of arrival."""

    port: int = 0
    conversations: list[Conversation] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[int]:
        """How many requests came on each connection."""
        return [conversation.requests for conversation in self.conversations]


@asynccontextmanager
async def hostile(script: Script, *, port: int = 0) -> AsyncIterator[HostileServer]:
    """Run a server that plays `script` on every connection and closes it afterwards."""
    server = HostileServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(reader, writer)
        server.conversations.append(conversation)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await script(conversation)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    listener = await asyncio.start_server(serve, "127.0.0.1", port, limit=1 << 20)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for conversation in server.conversations:
            conversation.writer.transport.abort()
        await asyncio.sleep(0)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- scripts --------------------------------------------------------------------------------------------


def answering(answer: bytes = OK) -> Script:
    """Answer every request, keeping the connection."""

    async def script(talk: Conversation) -> None:
        while (await talk.read_request())[0]:
            await talk.send(answer)

    return script


def answering_once(*pieces: bytes, pause: float = 0.0, hold: float = 0.0) -> Script:
    """Answer one request with these bytes, hold the connection so long, close it."""

    async def script(talk: Conversation) -> None:
        if (await talk.read_request())[0]:
            await talk.send(*pieces, pause=pause)
            await asyncio.sleep(hold)

    return script


def resetting(*pieces: bytes) -> Script:
    """Answer with these bytes and reset the connection."""

    async def script(talk: Conversation) -> None:
        if (await talk.read_request())[0]:
            await talk.send(*pieces, pause=0.02)
            talk.reset()

    return script


async def deaf(talk: Conversation) -> None:
    """Read a first byte and close: what a server without TLS does to one who wants it."""
    await talk.reader.read(1)


async def half_open(talk: Conversation) -> None:
    """Take the request and say nothing, with our side of the connection shut."""
    await talk.read_head()
    talk.writer.write_eof()
    await asyncio.sleep(10)


async def silent(talk: Conversation) -> None:
    """Take the request and say nothing."""
    await talk.read_head()
    await asyncio.sleep(10)


async def closing_idle(talk: Conversation) -> None:
    """Answer one request as if the connection would stay, then close it when the next one comes."""
    await talk.read_request()
    await talk.send(OK)
    await talk.read_head()


async def endless_chunks(talk: Conversation) -> None:
    """Answer with chunks for ever."""
    await talk.read_request()
    await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await talk.send(b"1000\r\n" + b"x" * 0x1000 + b"\r\n", pause=0.001)


async def early_answer(talk: Conversation) -> None:
    """Refuse from the head alone, never reading the body."""
    await talk.read_head()
    await talk.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
    await asyncio.sleep(0.3)


def large(total: int, *, chunked: bool = False) -> Script:
    """Answer with so many bytes."""

    async def script(talk: Conversation) -> None:
        await talk.read_request()
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % total
        await talk.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        piece = b"y" * 65536
        for start in range(0, total, len(piece)):
            part = piece[: total - start]
            await talk.send(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        await talk.send(b"0\r\n\r\n" if chunked else b"")
        await talk.read_head()

    return script


async def swallowing(talk: Conversation) -> None:
    """Read a body of any size without keeping it; answer with its length."""
    while head := await talk.read_head():
        size = await _swallow(talk, fields_of(head))
        text = b"%d" % size
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))


async def _swallow(talk: Conversation, fields: dict[str, str]) -> int:
    if "content-length" in fields:
        left = size = int(fields["content-length"])
        while left:
            piece = await talk.reader.read(min(left, 65536))
            if not piece:
                raise ConnectionError
            left -= len(piece)
        return size
    size = 0
    while length := int(await talk.reader.readuntil(b"\n"), 16):
        size += len(await talk.reader.readexactly(length))
        await talk.reader.readexactly(2)
    await talk.reader.readline()
    return size
