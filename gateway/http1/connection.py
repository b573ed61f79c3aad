"""One connection: an asyncio protocol that carries one exchange after the other.

An exchange is known by the future of its reply, so that whoever gives one up late cannot hurt the next. The
connection is an entry of the timer wheel for its whole life and keeps its own deadline: setting it is one
assignment, and the wheel asks again when the old one would have come. A deadline, a lost peer or rubbish fails
the future or the stream; nobody's task is cancelled for it.
"""

import asyncio
import select
import weakref
from collections.abc import Callable
from time import monotonic
from typing import Protocol, cast

from connectors.errors import BadAnswer, ConnectorError, NoAnswer, NotSent
from gateway.deadlines import SLOT_SECONDS, Entry
from gateway.http1.answers import AnswerReader
from gateway.http1.framing import Outgoing
from gateway.http1.limits import Terms
from gateway.http1.replies import Reply, ReplyStream
from gateway.tls import refusal

_LONGEST_SLEEP = 60.0


class ClosedBefore(NoAnswer):
    """The connection ended and not a byte of an answer had come; `sent` says whether any of the request went out."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__("cut")
        self.sent = sent

    def for_caller(self) -> NoAnswer | NotSent:
        """Return what a caller is told when the request cannot be repeated."""
        return NoAnswer("cut") if self.sent else NotSent("unreachable")


class Owner(Protocol):
    """Where connections rest between exchanges."""

    def give_back(self, connection: "Connection") -> None:
        """Take a connection that can carry another exchange."""

    def lost(self, connection: "Connection") -> None:
        """Forget a connection that carries no more."""


class Connection(Entry, asyncio.Protocol):
    """Carries exchanges for its owner. `reused` says that it has carried one already; `gone`, that it is over."""

    __slots__ = (
        "_between_seconds",
        "_buffer_bytes",
        "_exchange",
        "_is_secure",
        "_loop",
        "_owner",
        "_poll",
        "_reader",
        "_reading_paused",
        "_sent_whole",
        "_stream",
        "_terms",
        "_total",
        "_transport",
        "_until",
        "_upload",
        "_wakes",
        "_writable",
        "gone",
        "reused",
    )

    def __init__(self, owner: Owner, terms: Terms, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self._terms = terms
        self._buffer_bytes = terms.buffer_bytes
        self._between_seconds = terms.limits.between_bytes_seconds
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self._reader: AnswerReader | None = None
        self._exchange: asyncio.Future[Reply] | None = None
        self._stream: Callable[[], ReplyStream | None] | None = None
        self._upload: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._is_secure = False
        self._reading_paused = False
        self._sent_whole = True
        self._total = self._until = self._wakes = 0.0
        self.slot = -1
        self.reused = False
        self.gone = False

    # --- for the client ---------------------------------------------------------------------------------

    def can_carry(self, now: float) -> bool:
        """Whether the peer still seems to be there."""
        transport = self._transport
        return not (self.gone or transport is None or transport.is_closing() or now >= self._until)

    def begin(self, outgoing: Outgoing, deadline: float) -> asyncio.Future[Reply]:
        """Send a request; the future brings its reply, or what went wrong.

        Nothing is sent when something has come already, read or not: an end, or an answer that nobody asked for.
        Errors of the future: NoAnswer (ClosedBefore), BadAnswer, and what the request's own body raised.
        """
        self._exchange = future = self._loop.create_future()
        transport = self._transport
        if transport is None or self.gone or transport.is_closing() or self._is_spoken_to():
            self.abort()
            future.set_exception(ClosedBefore(sent=False))
            return future
        self._reader = AnswerReader(head_only=outgoing.head_only)
        self._total = self._until = deadline
        if deadline < self._wakes:
            self._move(deadline)
        transport.write(outgoing.data)
        if outgoing.streamed:
            self._sent_whole = False
            self._upload = self._loop.create_task(self._send(outgoing))
        else:
            self._await_first_byte()
        return future

    def _is_spoken_to(self) -> bool:
        """Whether something has come that is not read yet. After a TLS handshake that may be what TLS itself says."""
        return (self.reused or not self._is_secure) and bool(self._poll.poll(0))

    def give_up(self, exchange: asyncio.Future[Reply]) -> None:
        """End an exchange that nobody waits for any more, and the connection with it."""
        if exchange is self._exchange:
            self.abort()
        elif not exchange.cancelled() and exchange.exception() is None:
            exchange.result().drop()

    def rest(self, seconds: float) -> None:
        """Wait for the next exchange for so long."""
        self.reused = True
        self._until = until = monotonic() + seconds
        if until < self._wakes:
            self._move(until)

    def abort(self) -> None:
        """Close at once, dropping what is unsent. Idempotent."""
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    # --- what asyncio calls -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take up a connected transport, TLS included."""
        # uvloop's transports are not subclasses of asyncio's, though they do all they do.
        self._transport = cast(asyncio.Transport, transport)
        self._is_secure = transport.get_extra_info("ssl_object") is not None
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._until = monotonic() + self._terms.idle_seconds
        self._enter(self._until)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        reader = self._reader
        if reader is None:
            # Nobody asked: whoever came next would get it as an answer.
            self.abort()
            return
        try:
            reader.feed(data)
        except BadAnswer as error:
            self.fail(error)
            return
        if reader.whole:
            self._finish(reader)
            return
        if self._stream is not None or reader.size > self._buffer_bytes:
            self._pass_on(reader)
        if self._between_seconds is not None and not self._reading_paused:
            self._allow(self._between_seconds)

    def eof_received(self) -> None:
        """Take the peer's end for the end of the connection."""
        self._ended(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way."""
        self._ended(exc)
        self._transport = None
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def pause_writing(self) -> None:
        """Hold the request's body back."""
        self._writable = self._loop.create_future()
        if self._terms.limits.write_seconds is not None:
            self._allow(self._terms.limits.write_seconds)

    def resume_writing(self) -> None:
        """Let the request's body go on."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
        if self._reader is not None:
            self._until = self._total
            self._await_first_byte()

    def expire(self) -> None:
        """Called by the wheel: the deadline has come, or was put off meanwhile."""
        now = monotonic()
        if self.gone:
            return
        if now < self._until:
            self._enter(min(self._until, now + _LONGEST_SLEEP))
        elif self._reader is None:
            self.abort()
        else:
            self.fail(NoAnswer("timeout"))

    # --- how exchanges end ------------------------------------------------------------------------------

    def _finish(self, reader: AnswerReader) -> None:
        """Deliver a whole answer; keep the connection if nothing is left open or in doubt."""
        if self._stream is None and reader.size > self._buffer_bytes:
            receiver = self._open_stream(reader)
        else:
            receiver = None if self._stream is None else self._stream()
        exchange, self._exchange, self._stream, self._reader = self._exchange, None, None, None
        if reader.reusable and self._is_all_sent():
            seconds = self._terms.idle_seconds
            if reader.idle_seconds is not None:
                seconds = min(seconds, reader.idle_seconds - 1)
            self.rest(seconds)
            self._owner.give_back(self)
        else:
            self.abort()
        pieces = reader.pieces
        if receiver is not None:
            receiver.push(pieces)
            receiver.end()
        elif exchange is not None and not exchange.done():
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            exchange.set_result(Reply(reader.status, reader.headers, body))

    def _pass_on(self, reader: AnswerReader) -> None:
        """Hand what came of a body to its stream; hold the peer back when the stream's reader is slow."""
        pieces, reader.pieces = reader.pieces, []
        stream = self._open_stream(reader) if self._stream is None else self._stream()
        if stream is None:
            self.abort()
            return
        stream.push(pieces)
        if stream.waiting_bytes > self._buffer_bytes and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()
            self._until = self._total

    def _open_stream(self, reader: AnswerReader) -> ReplyStream | None:
        exchange = self._exchange
        if exchange is None or exchange.done():
            return None

        def left() -> None:
            if self._reader is reader:
                self.abort()

        stream = ReplyStream(self._loop, wanted=self._read_on, left=left)
        # Weak, and the future that holds the reply is let go: a stream that nobody reads any more ends us.
        self._stream = weakref.ref(stream)
        self._exchange = None
        exchange.set_result(Reply(reader.status, reader.headers, stream))
        return stream

    def _read_on(self) -> None:
        transport = self._transport
        if self._reading_paused and transport is not None and not transport.is_closing():
            self._reading_paused = False
            transport.resume_reading()
            if self._between_seconds is not None:
                self._allow(self._between_seconds)

    def _ended(self, exc: Exception | None) -> None:
        """The peer closed its side, or the connection broke."""
        reader = self._reader
        if reader is None:
            self.abort()
            return
        refused = refusal(exc)
        if refused is not None and not reader.begun and not self.reused:
            self.fail(NotSent(refused))
            return
        try:
            if exc is not None:
                raise NoAnswer("cut") from exc
            reader.end()
        except NoAnswer as error:
            self.fail(error if reader.begun else ClosedBefore(sent=True))
        else:
            self._finish(reader)

    def fail(self, error: Exception) -> None:
        """End what is under way with an error, and the connection with it."""
        exchange, stream = self._exchange, self._stream
        self.abort()
        if stream is not None:
            receiver = stream()
            if receiver is not None:
                receiver.end(error if isinstance(error, ConnectorError) else NoAnswer("cut"))
        elif exchange is not None and not exchange.done():
            exchange.set_exception(error)

    def _leave(self) -> None:
        """Drop what is under way, without a word to anybody, and never carry anything again."""
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.cancel()
        if self._reader is not None:
            self._reader.close()
        self._reader = self._exchange = self._stream = None
        if not self.gone:
            self.gone = True
            self._terms.deadlines.discard(self)
            self._owner.lost(self)

    # --- the request's body -----------------------------------------------------------------------------

    def _is_all_sent(self) -> bool:
        transport = self._transport
        return self._sent_whole and transport is not None and not transport.get_write_buffer_size()

    async def _send(self, outgoing: Outgoing) -> None:
        """Write a streamed body as the peer takes it. Cancelled when the exchange ends before."""
        try:
            async for parts in outgoing.upload():
                if self._poll.poll(0):
                    # Perhaps an early answer, which a failing write would destroy: read it first.
                    await asyncio.sleep(0)
                if self._writable is not None:
                    await self._writable
                transport = self._transport
                if transport is None or transport.is_closing():
                    return
                transport.writelines(parts)
        except Exception as error:  # noqa: BLE001 (handed to whoever waits for the answer)
            self._upload = None
            self.fail(error)
            return
        self._upload = None
        self._sent_whole = True
        self._await_first_byte()

    # --- time -------------------------------------------------------------------------------------------

    def _await_first_byte(self) -> None:
        seconds, reader = self._terms.limits.first_byte_seconds, self._reader
        if seconds is not None and self._sent_whole and reader is not None and not reader.begun:
            self._allow(seconds)

    def _allow(self, seconds: float) -> None:
        """Set a deadline so many seconds from now, within the exchange's own."""
        self._until = until = min(self._total, monotonic() + seconds)
        if until < self._wakes:
            self._move(until)

    def _move(self, when: float) -> None:
        self._terms.deadlines.discard(self)
        self._enter(when)

    def _enter(self, when: float) -> None:
        self._wakes = when
        self.slot = int(when / SLOT_SECONDS)
        self._terms.deadlines.add(self)
