"""A TCP proxy between a connector and a provider, which can be told what goes wrong, and after how many bytes."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Fault", "FaultProxy", "Link", "fault_proxy"]

RUBBISH = b"\x00\xff\xfe rubbish \xc3\x28\r\n\r\n"
_PIECE = 64 * 1024
_MOST_KEPT = 1024 * 1024
_ANSWER_ENDED_SECONDS = 0.03
_FLOOD_PAUSE_SECONDS = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong on each connection: `kind`, once `after` bytes of one `side` have passed.

    `reset`: RST; `cut`: FIN; `half_open`: the other end is gone without a word; `slow`: the answer comes in pieces of
    `piece` bytes, each after a `pause`; `duplicated`: the answer comes twice; `rubbish`: `instead`
    comes; `flood`: one letter comes again and again, without an end.
    """

    kind: Literal["reset", "cut", "half_open", "slow", "duplicated", "rubbish", "flood"]
    side: Literal["question", "answer"] = "answer"
    after: int = 0
    piece: int = _PIECE
    pause: float = 0.0
    instead: bytes = RUBBISH


@dataclass(eq=False)
class Link:
    """One connection: the bytes that went each way since the last `play`, and whether it is still there."""

    writer: asyncio.StreamWriter = field(repr=False)
    question: bytearray = field(default_factory=bytearray)
    answered: int = 0
    flooded: int = 0
    is_open: bool = True
    is_waiting: bool = False
    is_dead: bool = False


class FaultProxy:
    """Listens on loopback and passes connections on to `upstream`. Made by `fault_proxy`."""

    def __init__(self, upstream: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.links: list[Link] = []
        self.most_waiting = 0
        self._upstream = upstream
        self._tls = tls
        self._fault: Fault | None = None
        self._server: asyncio.Server | None = None

    def play(self, fault: Fault | None) -> None:
        """Let this go wrong from now on, on connections that there are too; count bytes anew."""
        self._fault = fault
        self.most_waiting = 0
        for link in self.links:
            link.question.clear()
            link.answered = 0

    @property
    def asked(self) -> list[Link]:
        """The connections that a question has come on since the last `play`."""
        return [link for link in self.links if link.question]

    @property
    def waiting(self) -> list[Link]:
        """The connections that are open and whose question has no answer yet."""
        return [link for link in self.links if link.is_open and link.is_waiting]

    async def refuse(self) -> None:
        """Refuse connections, and end those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in self.links:
            link.writer.transport.abort()
        await asyncio.sleep(0)

    async def accept(self) -> None:
        """Take connections, again on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writer)
        self.links.append(link)
        away: asyncio.StreamWriter | None = None
        try:
            answers, away = await asyncio.open_connection(*self._upstream)
            questions = asyncio.ensure_future(self._pass_questions(link, reader, away))
            try:
                await self._pass_answers(link, answers, writer)
                if link.is_dead and not _is_reset(writer):
                    await questions
            finally:
                questions.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await questions
        except OSError:
            pass
        except asyncio.CancelledError:
            # The loop ends; a server's callback that is cancelled would be reported as an error.
            pass
        finally:
            link.is_open = False
            for end in (writer, away):
                if end is not None:
                    end.close()

    async def _pass_questions(
        self, link: Link, reader: asyncio.StreamReader, away: asyncio.StreamWriter
    ) -> None:
        while piece := await reader.read(_PIECE):
            if len(link.question) < _MOST_KEPT:
                link.question += piece
            link.is_waiting = True
            self.most_waiting = max(self.most_waiting, len(self.waiting))
            if link.is_dead:
                continue
            fault = self._fault
            if fault is not None and fault.side == "question" and len(link.question) > fault.after:
                past = len(link.question) - fault.after
                if past < len(piece):
                    away.write(piece[: len(piece) - past])
                self._end(link, fault)
                continue
            away.write(piece)
            await away.drain()
        link.is_open = False
        if away.can_write_eof():
            away.write_eof()
        if link.is_dead:
            away.transport.abort()

    async def _pass_answers(
        self, link: Link, answers: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while piece := await answers.read(_PIECE):
            if link.is_dead:
                continue
            fault = self._fault
            if fault is None or fault.side == "question":
                await _write(link, writer, piece)
            elif fault.kind == "slow":
                await _write_slowly(link, writer, piece, fault)
            elif fault.kind == "duplicated":
                whole = piece + await _rest(answers)
                await _write(link, writer, whole + whole)
            elif link.answered + len(piece) <= fault.after:
                await _write(link, writer, piece)
            else:
                await _write(link, writer, piece[: fault.after - link.answered])
                self._end(link, fault)
                if fault.kind == "flood":
                    await _flood(link, writer)

    def _end(self, link: Link, fault: Fault) -> None:
        """Do to a connection what the fault says; nothing passes any more."""
        link.is_dead = True
        writer = link.writer
        if fault.kind == "reset":
            _reset(writer)
        elif fault.kind in ("cut", "rubbish"):
            if fault.kind == "rubbish":
                writer.write(fault.instead)
                link.is_waiting = False
            writer.close()

    async def close(self) -> None:
        """Stop listening and end every connection. Idempotent."""
        await self.refuse()
        for _ in range(100):
            if not any(link.is_open for link in self.links):
                break
            await asyncio.sleep(0.01)


@asynccontextmanager
async def fault_proxy(
    upstream: tuple[str, int], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[FaultProxy]:
    """Run a proxy to a provider's host and port; with `tls` it speaks TLS to the connector."""
    proxy = FaultProxy(upstream, tls)
    await proxy.accept()
    try:
        yield proxy
    finally:
        await proxy.close()


async def _write(link: Link, writer: asyncio.StreamWriter, piece: bytes) -> None:
    if not piece:
        return
    writer.write(piece)
    link.answered += len(piece)
    link.is_waiting = False
    await writer.drain()


async def _write_slowly(link: Link, writer: asyncio.StreamWriter, piece: bytes, fault: Fault) -> None:
    for start in range(0, len(piece), fault.piece):
        await asyncio.sleep(fault.pause)
        await _write(link, writer, piece[start : start + fault.piece])


async def _flood(link: Link, writer: asyncio.StreamWriter) -> None:
    while link.is_open:
        writer.write(b"x" * _PIECE)
        link.flooded += _PIECE
        await writer.drain()
        await asyncio.sleep(_FLOOD_PAUSE_SECONDS)


async def _rest(answers: asyncio.StreamReader) -> bytes:
    """Read on until the provider pauses: only then has it said all that it wants to."""
    rest = b""
    with suppress(TimeoutError):
        while piece := await asyncio.wait_for(answers.read(_PIECE), _ANSWER_ENDED_SECONDS):
            rest += piece
    return rest


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _is_reset(writer: asyncio.StreamWriter) -> bool:
    return writer.transport.is_closing()
