"""The fast lane: data-plane requests go from the guard straight to the facade, and the answer straight to the socket.

The raw ASGI door (`gateway.app`) runs the same handler and the same tests; `LGSP_DOOR` chooses. What stays
uvicorn's: sockets, TLS, signals, the count of requests under way, pipelining order, flow control, draining.
"""

from asyncio import CancelledError, Future, Transport, get_running_loop
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from time import perf_counter_ns
from typing import ClassVar, Protocol, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from connectors.contract import Logger
from connectors.message import Headers
from gateway.app import is_data_plane
from gateway.connections import Gate
from gateway.exchange import Reason, Refusal, Reply, Request
from gateway.facades.native import NO_BODY, StreamCut, body_length, pieces_of
from gateway.guard import GuardedProtocol, GuardLimits, RefusalCounter, guarded


class Signal:
    """An asyncio.Event for one who waits, made without the cost of one: most requests never wait."""

    __slots__ = ("_set", "_waiter")

    def __init__(self) -> None:
        self._set = False
        self._waiter: Future[None] | None = None

    def set(self) -> None:
        """Wake who waits."""
        self._set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Forget what was set."""
        self._set = False

    async def wait(self) -> None:
        """Return when it is set."""
        if not self._set:
            self._waiter = get_running_loop().create_future()
            await self._waiter


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Handler(Protocol):
    """Carries requests: the native facade."""

    async def handle(self, request: Request, raw_path: bytes) -> Reply: ...

    def client_address(self, peer: str, headers: Headers) -> str: ...


class LaneCycle:
    """One request and its answer on the fast lane; has the attributes that uvicorn and the guard use of a cycle."""

    __slots__ = (
        "_addressed",
        "_gate",
        "_handler",
        "_headers",
        "_log",
        "_method",
        "_url",
        "body",
        "default_headers",
        "disconnected",
        "flow",
        "is_old",
        "keep_alive",
        "message_event",
        "more_body",
        "on_response",
        "received_ns",
        "response_complete",
        "response_started",
        "transport",
        "waiting_for_100_continue",
    )  # fmt: skip

    def __init__(
        self, protocol: "LaneProtocol", method: str, *, is_old: bool, keep_alive: bool, expects: bool
    ) -> None:
        self.received_ns = perf_counter_ns()
        self._handler = protocol.handler
        self._log = protocol.log
        self._method = method
        self._url = protocol.url
        self._headers = protocol.headers
        self._addressed = protocol.client[0] if protocol.client else ""
        self._gate = cast("Gate", protocol.gate)
        self.transport: Transport = protocol.gate
        self.flow: FlowControl = protocol.flow
        self.default_headers = protocol.server_state.default_headers
        self.on_response: Callable[[], None] = protocol.on_response_complete
        self.message_event = Signal()
        self.is_old = is_old
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = expects
        self.disconnected = False
        self.body = bytearray()
        self.more_body = True
        self.response_started = False
        self.response_complete = False

    async def run_asgi(self, _app: object) -> None:
        """Carry the request and write the answer (the name is uvicorn's)."""
        headers = self._headers
        raw_path, _, query = self._url.partition(b"?")
        request = Request(
            method=self._method,
            path="",
            query=query.decode("latin-1"),
            headers=headers,
            read=self._read,
            gone=self._gone,
            length=body_length(headers),
            client_address=self._handler.client_address(self._addressed, headers),
            received_ns=self.received_ns,
        )
        try:
            reply = await self._handler.handle(request, raw_path)
            if isinstance(reply.body, bytes):
                self._answer(reply, reply.body)
            else:
                await self._stream(reply, reply.body)
        except StreamCut:
            self._cut()
        except CancelledError:
            self._cut()
            raise
        except Exception as error:  # noqa: BLE001  (the edge: a fault of ours ends this connection, not the node)
            self._log.warning("lane.fault", error=type(error).__name__, exc_info=error)
            self.transport.close()
        finally:
            self.on_response = _nothing

    def _cut(self) -> None:
        """End the connection in the middle of an answer; one that only its end would end is reset."""
        if self.is_old and not self.transport.is_closing():
            self._gate.reset()
        else:
            self.transport.close()

    def _gone(self) -> bool:
        return self.disconnected or self.transport.is_closing()

    async def _read(self) -> bytes:
        """Return the next piece of the body, b"" at its end. Raises Refusal when the caller has gone."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(CONTINUE)
            self.waiting_for_100_continue = False
        while not self.body and self.more_body and not self.disconnected:
            self.flow.resume_reading()
            self.message_event.clear()
            await self.message_event.wait()
        if self.body:
            piece, self.body = bytes(self.body), bytearray()
            return piece
        if self.more_body:
            raise Refusal(Reason.BODY_CUT)
        return b""

    def _head(self, reply: Reply, length: int | None) -> list[bytes]:
        """Return the answer's head in pieces; `length` None: what the reply's headers say, else chunked."""
        self.response_started = True
        self.waiting_for_100_continue = False
        if self.more_body:
            self.keep_alive = False
        head = [STATUS_LINE[reply.status]]
        for name, value in self.default_headers:
            head += (name, b": ", value, b"\r\n")
        for name, value in reply.headers:
            head += (name, b": ", value, b"\r\n")
        if length is not None:
            head.append(b"content-length: %d\r\n" % length)
        if not self.keep_alive:
            head.append(b"connection: close\r\n")
        return head

    def _answer(self, reply: Reply, body: bytes) -> None:
        bare = self._method == "HEAD" or reply.status in NO_BODY
        if self.disconnected:
            return
        head = self._head(reply, None if bare else len(body))
        head.append(b"\r\n")
        if not bare:
            head.append(body)
        self.transport.write(b"".join(head))
        self._complete()

    async def _stream(self, reply: Reply, body: AsyncIterator[bytes]) -> None:
        """Write a streamed answer, waiting whenever the caller is slower than the provider."""
        sized = any(name == b"content-length" for name, _ in reply.headers)
        chunked = not sized and not self.is_old
        if not sized and self.is_old:
            self.keep_alive = False
        head = self._head(reply, None)
        head.append(b"transfer-encoding: chunked\r\n\r\n" if chunked else b"\r\n")
        async with aclosing(pieces_of(body, self._gone)) as pieces:
            async for piece in pieces:
                if not piece:
                    continue
                if self.flow.write_paused:
                    await self.flow.drain()
                    if self._gone():
                        break
                framed = (b"%x\r\n" % len(piece), piece, b"\r\n") if chunked else (piece,)
                self.transport.write(b"".join((*head, *framed)))
                head = []
        if self._gone():
            self.transport.close()
            return
        if head or chunked:
            self.transport.write(b"".join((*head, b"0\r\n\r\n" if chunked else b"")))
        self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


class LaneProtocol(GuardedProtocol):
    """The guard with the fast lane behind it. Made by `lane_protocol`, which sets the class attributes."""

    handler: ClassVar[Handler]
    log: ClassVar[Logger]
    admin_port: ClassVar[int | None]

    def make_cycle(self, method: str, version: str, *, keep_alive: bool) -> RequestResponseCycle:
        """Return a cycle of the fast lane for the data plane's paths, uvicorn's for all others."""
        if not self.url.startswith(b"/") or not self._is_data_plane():
            return super().make_cycle(method, version, keep_alive=keep_alive)
        cycle = LaneCycle(
            self, method, is_old=version == "1.0", keep_alive=keep_alive, expects=self._expects_100(version)
        )
        return cast("RequestResponseCycle", cycle)

    def _is_data_plane(self) -> bool:
        if self.admin_port is not None and self.server is not None and self.server[1] == self.admin_port:
            return False
        segment = first_segment(self.url)
        return "%" not in segment and is_data_plane(segment)

    @property
    def gate(self) -> Transport:
        """What answers are written to: closing waits for what is still coming in."""
        return self._gate


def first_segment(url: bytes) -> str:
    """Return the first segment of a target in origin form."""
    end = url.find(b"/", 1)
    segment = url[1:end] if end > 0 else url[1:].partition(b"?")[0]
    return segment.decode("latin-1")


def lane_protocol(
    limits: GuardLimits, counter: RefusalCounter, handler: Handler, log: Logger, admin_port: int | None
) -> type[LaneProtocol]:
    """Return the protocol class of one node, with the fast lane."""
    protocol = guarded(LaneProtocol, limits, counter)
    protocol.handler = handler
    protocol.log = log
    protocol.admin_port = admin_port
    return protocol


def _nothing() -> None:
    """Stand in for a connection that is gone."""
