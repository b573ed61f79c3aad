"""What a sent request comes back as: a head with a body that is whole, or a stream."""

from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from typing import Self

from connectors.errors import ConnectorError
from connectors.message import Body, Headers


class Reply:
    """An answer. `body` is whole, or a stream that holds its connection until its end or `close`."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Headers, body: Body) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    async def close(self) -> None:
        """Give the connection up. Idempotent."""
        self.drop()

    def drop(self) -> None:
        """Give the connection up at once. Idempotent."""
        if isinstance(self.body, ReplyStream):
            self.body.drop()


class ReplyStream:
    """A body that is read once; a connection not read to its end is closed, never used again.

    The connection pushes, the reader pulls, and beyond `buffer_bytes` the peer waits. `wanted` is called when
    the reader has taken all there was, `left` when it wants no more.
    """

    __slots__ = (
        "__weakref__",
        "_ended",
        "_error",
        "_left",
        "_loop",
        "_pieces",
        "_waiter",
        "_wanted",
        "waiting_bytes",
    )

    def __init__(
        self, loop: AbstractEventLoop, *, wanted: Callable[[], None], left: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._wanted = wanted
        self._left: Callable[[], None] | None = left
        self._pieces: list[bytes] = []
        self._waiter: Future[None] | None = None
        self._error: ConnectorError | None = None
        self._ended = False
        self.waiting_bytes = 0

    def push(self, pieces: list[bytes]) -> None:
        """Add pieces for the reader."""
        self._pieces.extend(pieces)
        self.waiting_bytes += sum(map(len, pieces))
        self._wake()

    def end(self, error: ConnectorError | None = None) -> None:
        """Say that nothing more will come, and why if the body is not whole."""
        self._ended = True
        self._left = None
        self._error = error
        self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return what came since. Raises NoAnswer or BadAnswer when the body ended before its end."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            await self._wait()
        pieces, self._pieces = self._pieces, []
        self.waiting_bytes = 0
        if not self._ended:
            self._wanted()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def aclose(self) -> None:
        """Give the connection up. Idempotent."""
        self.drop()

    def drop(self) -> None:
        """Give the connection up at once. Idempotent."""
        left, self._left = self._left, None
        self._ended = True
        self._pieces.clear()
        if left is not None:
            left()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        except BaseException:
            self.drop()
            raise
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __del__(self) -> None:
        self.drop()
