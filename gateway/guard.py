"""The guard below ASGI: refuses ambiguous, oversized and unfinished HTTP before a request exists.

An ASGI application sees a request only when its whole head is in memory, never sees an absolute-form target's
authority, and cannot time a head that is never finished; so uvicorn's httptools protocol is subclassed. What is
relied on inside uvicorn is pinned by tests/contract/test_uvicorn.py.
"""

from asyncio import AbstractEventLoop, Event, Transport
from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote

import httptools
from uvicorn._types import HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.connections import RESPONSES, Gate, GuardedCycle, GuardLimits, RefusalCounter, Watch
from gateway.framing import body_head, flaw_of, origin_form
from gateway.limiter import address_key, is_within

__all__ = ["GuardLimits", "GuardedProtocol", "RefusalCounter", "guarded", "guarded_protocol"]

NEVER: Final = float("inf")
LINGER_SECONDS: Final = 1.0
LINGER_BYTES: Final = 1024 * 1024
CHUNK_OVERHEAD_BYTES: Final = 64 * 1024
# A chunk of one byte costs six on the wire ("1\r\nx\r\n").
CHUNK_OVERHEAD_FACTOR: Final = 9


P = TypeVar("P", bound="GuardedProtocol")


class Refused(Exception):
    """Stops the parser in the middle of a request; `reason` is a key of `notices.GUARD`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Enough(Exception):
    """Stops the parser behind a request that was the connection's last."""


# Where the reading of a connection stands.
IDLE, HEAD, BODY, REFUSED = range(4)


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the guard in front. Made by `guarded_protocol`, which sets the class attributes."""

    limits: GuardLimits
    counter: RefusalCounter
    watch: Watch

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # Any: uvicorn's own type
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.access_log = False
        self.deadline = NEVER
        self._reading = IDLE
        self._fresh = True
        self._last = False
        self._head_bytes = 0
        self._piece_bytes = 0
        self._reminder = b""
        self._one_message = True
        self._body_seen = False
        self._bodiless_bytes = 0
        self._wire_bytes = 0
        self._body_bytes = 0
        self._discarded = 0
        self._trailers = 0
        self._address = ""
        self._deferred: str | None = None
        self._lingering = False
        self._gate: Transport
        self._active: RequestResponseCycle | None = None

    # --- connections ---

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._gate = cast("Transport", Gate(self))
        self.watch.add(self, self.loop)
        peer = self.client[0] if self.client else ""
        if len(self.watch.connections) > self.limits.connections:
            self.refuse("connections-all")
            return
        if peer and not is_within(peer, self.limits.trusted):
            address = address_key(peer)
            if self.watch.addresses[address] >= self.limits.connections_per_address:
                self.refuse("connections-per-address")
                return
            self._address = address
            self.watch.addresses[address] += 1
        self.deadline = self.watch.now + self.limits.head_seconds

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for cycle in (self._active, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.pipeline.clear()
        self.watch.connections.discard(self)
        self.watch.lingering -= self._lingering
        self.deadline = NEVER
        if self._address:
            self.watch.addresses[self._address] -= 1
            if not self.watch.addresses[self._address]:
                del self.watch.addresses[self._address]
            self._address = ""

    def overdue(self) -> None:
        """Act on a deadline that has passed."""
        if self._reading == REFUSED:
            self.deadline = NEVER
            self.transport.abort()
        elif self._reading == IDLE or self._fresh:
            self.deadline = NEVER
            self.transport.close()
        elif self.flow.read_paused or (self._reading == BODY and self.cycle.waiting_for_100_continue):
            # It is we who make the caller wait.
            self.deadline = self.watch.now + self.limits.body_seconds
        else:
            self.refuse("head-timeout" if self._reading == HEAD else "body-timeout")

    # --- bytes ---

    def data_received(self, data: bytes) -> None:
        reading = self._reading
        if reading == REFUSED or (self._last and reading == IDLE):
            self._discard(len(data))
            return
        if reading == IDLE:
            self._begin_head()
        self._one_message = True
        self._piece_bytes = len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self._stop(error.__context__)
        else:
            self._count(reading, len(data))

    def _feed(self, data: bytes) -> None:
        """Feed the parser; an upgrade that nobody takes up (h2c) is no end, what follows it is HTTP/1.1.

        llhttp stops behind the head of such a request and forgets its body, so it is reminded of it by a head
        that nobody else sees.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                if self._reminder:
                    self.parser.feed_data(self._reminder)
            else:
                return

    def _stop(self, cause: BaseException | None) -> None:
        """Deal with what made the parser stop."""
        if isinstance(cause, Enough):
            self._reading = REFUSED
        else:
            self.refuse(cause.reason if isinstance(cause, Refused) else "http-malformed")

    def _count(self, before: int, size: int) -> None:
        """Count what is in the parser's memory or on the wire without being body: heads, framing, trailers."""
        if not self._one_message:
            return
        if self._reading == HEAD:
            self._head_bytes += size
            if self._head_bytes > self.limits.head_bytes:
                self.refuse("head-too-large")
        elif self._reading == BODY and before == BODY:
            self._wire_bytes += size
            self._bodiless_bytes = 0 if self._body_seen else self._bodiless_bytes + size
            self._body_seen = False
            allowed = CHUNK_OVERHEAD_BYTES + CHUNK_OVERHEAD_FACTOR * self._body_bytes
            if self._wire_bytes > allowed or self._bodiless_bytes > CHUNK_OVERHEAD_BYTES:
                self.refuse("chunk-overhead")

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > LINGER_BYTES:
            if self._lingering:
                self.transport.abort()
            else:
                self.flow.pause_reading()

    # --- the parser's callbacks ---

    def _begin_head(self) -> None:
        self._reading = HEAD
        self._head_bytes = 0
        self.deadline = self.watch.now + self.limits.head_seconds

    def on_message_begin(self) -> None:
        if self._reminder:
            return
        if self._last:
            raise Enough
        if self._reading != HEAD:
            self._one_message = False
            self._begin_head()
        self._fresh = False
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading != HEAD:
            # A trailer: it may not change what was decided on the head, so nobody gets to see it.
            self._trailers += 1
            if self._trailers > self.limits.headers or len(name) + len(value) > self.limits.header_bytes:
                raise Refused("chunk-overhead")
            return
        self.headers.append((name.lower(), value))
        if len(self.headers) > self.limits.headers:
            raise Refused("headers-too-many")

    def on_headers_complete(self) -> None:
        if self._reminder:
            self._reminder = b""
            return
        parser = self.parser
        version = parser.get_http_version()
        method = parser.get_method()
        if self._head_bytes + self._piece_bytes > self.limits.header_bytes:
            self._check_sizes()
        flaw = flaw_of(method, version, self.url, self.headers)
        if flaw is not None:
            raise Refused(flaw)
        self._reading = BODY
        self._wire_bytes = self._body_bytes = self._bodiless_bytes = self._trailers = 0
        self.deadline = self.watch.now + self.limits.body_seconds
        if parser.should_upgrade():
            self._reminder = body_head(self.headers)
        keep_alive = version == "1.1" and parser.should_keep_alive()
        self._last = not keep_alive
        self.hand_over(method.decode("ascii"), version, keep_alive=keep_alive)

    def _check_sizes(self) -> None:
        largest = self.limits.header_bytes
        if len(self.url) > largest:
            raise Refused("target-too-long")
        total = len(self.url)
        for name, value in self.headers:
            size = len(name) + len(value)
            total += size + 4
            if size > largest:
                raise Refused("header-too-large")
        if total > self.limits.head_bytes:
            raise Refused("head-too-large")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        self._body_seen = True
        self.deadline = self.watch.now + self.limits.body_seconds
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._reminder:
            return
        self._reading = IDLE
        self.deadline = NEVER
        super().on_message_complete()

    # --- answers ---

    def hand_over(self, method: str, version: str, *, keep_alive: bool) -> None:
        """Pass on a request whose head is whole and unambiguous, at once or after those before it."""
        active = self._active
        waits = active is not None and not active.response_complete
        if waits and len(self.pipeline) >= self.limits.pipelined:
            self._reading = HEAD
            raise Refused("pipeline-too-deep")
        self.cycle = cycle = self.make_cycle(method, version, keep_alive=keep_alive)
        if waits:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
        else:
            self._active = cycle
            self._start_asgi_task(cycle, self.app)

    def make_cycle(self, method: str, version: str, *, keep_alive: bool) -> RequestResponseCycle:
        """Return what answers the request that was just read: here, by the ASGI application.

        THE SEAM of the fast lane: a subclass may look at `self.url` and `self.headers` and return a cycle that
        serves the request itself (the contract test says what a cycle has).
        """
        return GuardedCycle(
            scope=self._scope(method, version),
            transport=self._gate,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=Event(),
            expect_100_continue=self._expects_100(version),
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )

    def _expects_100(self, version: str) -> bool:
        for name, value in self.headers:
            if name == b"expect":
                return version == "1.1" and value.strip().lower() == b"100-continue"
        return False

    def _scope(self, method: str, version: str) -> HTTPScope:
        target = self.url if self.url.startswith(b"/") else origin_form(self.url)
        raw_path, _, query = target.partition(b"?")
        path = raw_path.decode("ascii")
        scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": method,
            "root_path": self.root_path,
            "path": self.root_path + (unquote(path) if "%" in path else path),
            "raw_path": self.root_path.encode("ascii") + raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": self.app_state.copy(),
            "lgsp.transport": self._gate,
        }
        return cast("HTTPScope", scope)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing() or self._lingering:
            return
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._active = cycle
            self._start_asgi_task(cycle, app)
            return
        if self._deferred is not None:
            self._answer(self._deferred)
            return
        self.flow.resume_reading()
        if self._reading == IDLE:
            self.deadline = self.watch.now + self.limits.keep_alive_seconds

    def refuse(self, reason: str) -> None:
        """Refuse what is being read, answer it in its turn, and close the connection."""
        self.counter.refused(reason)
        half_read, self._reading = self._reading == BODY, REFUSED
        self.deadline = NEVER
        if half_read and not self._give_up():
            self.transport.close()
        elif self._is_answering():
            self._deferred = reason
        else:
            self._answer(reason)

    def _give_up(self) -> bool:
        """End the cycle whose body is not coming; says whether it can still be answered by us."""
        cycle = self.cycle
        if self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else cast("RequestResponseCycle", self._active)
            return True
        cycle.disconnected = True
        cycle.message_event.set()
        return not cycle.response_started

    def _is_answering(self) -> bool:
        """Say whether earlier requests of this connection are still being answered."""
        cycle = self._active
        return cycle is not None and not (cycle.response_complete or cycle.disconnected)

    def _answer(self, reason: str) -> None:
        if not self.transport.is_closing():
            self.transport.write(RESPONSES[reason])
            self._linger()

    def _linger(self) -> None:
        """Close our side and read on for a moment: closing at once would make the kernel drop our answer."""
        self._reading = REFUSED
        if not self.transport.can_write_eof() or self.watch.lingering * 4 > self.limits.connections:
            self.transport.close()
            return
        self.transport.write_eof()
        self._lingering = True
        self.watch.lingering += 1
        self.deadline = self.watch.now + LINGER_SECONDS
        self.flow.resume_reading()

    def close_when_answered(self) -> None:
        """Close after the last answer; gently when the request it answers is still coming in."""
        if self._reading == BODY and self.cycle.response_complete and not self.transport.is_closing():
            self._linger()
        else:
            self.transport.close()


def guarded_protocol(limits: GuardLimits, counter: RefusalCounter) -> type[GuardedProtocol]:
    """Return a protocol class for `uvicorn.Config(http=...)`, with limits and counts of its own."""
    return guarded(GuardedProtocol, limits, counter)


def guarded(base: type[P], limits: GuardLimits, counter: RefusalCounter) -> type[P]:
    """Return a class derived from `base` with limits and counts of its own."""
    return type(base.__name__, (base,), {"limits": limits, "counter": counter, "watch": Watch(limits)})
