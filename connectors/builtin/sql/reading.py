"""Reading a statement's result into an answer: whole where it is small, as a stream where it is not."""

import asyncio
from collections.abc import Callable
from typing import Self

import anyio
import orjson

from connectors.builtin.sql.answers import JSON, answer, problem
from connectors.builtin.sql.driver import Rows, Session, Work
from connectors.builtin.sql.failures import StatementFailed
from connectors.builtin.sql.rows import RowWrong, Shape, document_of
from connectors.builtin.sql.settings import Statement
from connectors.contract import Clock, Done, Result, Unknown
from connectors.errors import BadAnswer, NoAnswer
from connectors.message import Message

BUFFER_BYTES = 65_536
BATCH = 500


class Transaction:
    """One transaction on one connection; ends once, and gives the connection back as it ends."""

    def __init__(
        self,
        session: Session,
        work: Work,
        clock: Clock,
        *,
        give: Callable[[], None],
        drop: Callable[[], None],
    ) -> None:
        self.work = work
        self.clock = clock
        self._session = session
        self._give = give
        self._drop = drop
        self._over = False

    async def start(self) -> Rows:
        """Start the statement. Raises StatementFailed."""
        return await self._session.start(self.work)

    async def commit(self) -> None:
        """Commit; the connection is free. Raises StatementFailed."""
        await self._session.commit()
        self._free(usable=True)

    async def give_up(self, error: BaseException | None = None) -> None:
        """Undo what was done and free the connection, whatever is going on with it. Idempotent."""
        if self._over:
            return
        usable = False
        try:
            if not (isinstance(error, StatementFailed) and error.code == "cut"):
                with anyio.CancelScope(shield=True):
                    usable = await self._session.recover()
        finally:
            self._free(usable=usable)

    def abandon(self) -> None:
        """Let go of the connection at once, when nobody is there to wait."""
        self._free(usable=False)

    def _free(self, *, usable: bool) -> None:
        if not self._over:
            self._over = True
            (self._give if usable else self._drop)()


async def read(transaction: Transaction, declared: Statement, shape: Shape, deadline: float) -> Result:
    """Run the statement and return the answer. Raises StatementFailed, RowWrong."""
    try:
        rows = await transaction.start()
        match declared.result:
            case "list":
                return await _list(transaction, rows, declared, shape, deadline)
            case "count":
                return await _count(transaction, rows, declared)
            case _:
                return await _one(transaction, rows, declared, shape)
    except BaseException as error:
        await transaction.give_up(error)
        raise


async def _one(transaction: Transaction, rows: Rows, declared: Statement, shape: Shape) -> Result:
    found = await rows.fetch(2)
    if len(found) > 1:
        await transaction.give_up()
        return Unknown(reason="several-rows", rubbish=True)
    if not found:
        await transaction.commit()
        return answer(b"null") if declared.nothing_found == "empty" else problem("nothing-found")
    if declared.result == "document":
        body = document_of(found[0])
    else:
        body = orjson.dumps(shape.on(rows.names)(found[0]))
    await transaction.commit()
    return answer(body)


async def _count(transaction: Transaction, rows: Rows, declared: Statement) -> Result:
    while await rows.fetch(BATCH):
        pass
    changed = rows.affected()
    await transaction.commit()
    if not changed and declared.nothing_found == "404":
        return problem("nothing-found")
    return answer(orjson.dumps({"affected": changed}))


async def _list(
    transaction: Transaction, rows: Rows, declared: Statement, shape: Shape, deadline: float
) -> Result:
    """Read ahead as far as an answer is kept whole; what writes is read to its end, to be committed before it is told."""
    array = _Array(rows, shape, declared.max_rows)
    pieces: list[bytes] = []
    size = 0
    while size <= BUFFER_BYTES or declared.writes:
        piece = await array.next()
        if piece is None:
            await transaction.commit()
            if not array.count and declared.nothing_found == "404":
                return problem("nothing-found")
            return answer(b"".join(pieces))
        if array.is_too_long:
            await transaction.give_up()
            return problem("too-many-rows")
        pieces.append(piece)
        size += len(piece)
    stream = RowStream(transaction, array, pieces, deadline)
    return Done(status=200, reply=Message(stream, JSON, [(b"content-type", JSON.encode())]))


class _Array:
    """The pieces of a JSON array, one for some rows each."""

    def __init__(self, rows: Rows, shape: Shape, most: int) -> None:
        self._rows = rows
        self._most = most
        self._make = shape.on(rows.names)
        self._ended = False
        self.count = 0

    @property
    def is_too_long(self) -> bool:
        """Whether more rows came than an answer may have."""
        return self.count > self._most

    async def next(self) -> bytes | None:
        """Return the next piece, None after the last. Raises StatementFailed, RowWrong."""
        if self._ended:
            return None
        wanted = min(BATCH, self._most + 1 - self.count)
        batch = await self._rows.fetch(wanted)
        first, self._ended = self.count == 0, len(batch) < wanted
        self.count += len(batch)
        objects = orjson.dumps([self._make(row) for row in batch])[1:-1]
        start = b"[" if first else b"," if batch else b""
        return start + objects + (b"]" if self._ended else b"")


class RowStream:
    """A long answer, read once. The transaction lives until its end, its close or its loss."""

    __slots__ = ("_array", "_deadline", "_pieces", "_transaction")

    def __init__(self, transaction: Transaction, array: _Array, pieces: list[bytes], deadline: float) -> None:
        self._transaction: Transaction | None = transaction
        self._array = array
        self._pieces = pieces
        self._deadline = deadline

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece. Raises NoAnswer or BadAnswer when the answer breaks off."""
        if self._pieces:
            return self._pieces.pop(0)
        transaction = self._transaction
        if transaction is None:
            raise StopAsyncIteration
        try:
            async with asyncio.timeout(self._deadline - transaction.clock.monotonic()):
                piece = await self._array.next()
                if self._array.is_too_long:
                    raise NoAnswer("too-many-rows")
                if piece is None:
                    await transaction.commit()
        except BaseException as error:
            self._transaction = None
            await transaction.give_up(error)
            raise _lost(error) from error
        if piece is None:
            self._transaction = None
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Stop the statement and free the connection. Idempotent."""
        self._pieces.clear()
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            await transaction.give_up()

    def __del__(self) -> None:
        if self._transaction is not None:
            self._transaction.abandon()


def _lost(error: BaseException) -> BaseException:
    match error:
        case RowWrong():
            return BadAnswer("rubbish")
        case TimeoutError():
            return NoAnswer("timeout")
        case StatementFailed(code=code):
            return NoAnswer("timeout" if code == "timeout" else "cut")
        case _:
            return error
