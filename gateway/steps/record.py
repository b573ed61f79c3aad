"""Opening and closing an exchange: no evidence, no answer."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from time import perf_counter_ns, time_ns
from typing import Protocol

from connectors.errors import ConnectorError
from gateway.exchange import Exchange, Reason, Refusal, Reply, Request
from gateway.outcomes import OUTCOMES
from gateway.steps.streams import Streams
from gateway.steps.subject import SubjectNames, note_subject
from gateway.views import ClientView, Snapshot
from registry.errors import LedgerUnavailable
from registry.evidence import Delivered, Ledger, Outcome, Record
from registry.ids import uuid7
from registry.randomness import Randomness

SALT_BYTES = 16


class Counts(Protocol):
    """Where exchanges are counted for the metrics."""

    def exchange(
        self, service: str, outcome: str, gateway_seconds: float, provider_seconds: float
    ) -> None: ...


class Recorder:
    """Keeps one `final` record per exchange.

    A buffered exchange is sealed before its first answer byte. A streamed one, and any operation that writes, first
    has an `open` record, and its `final` before the last body byte is released; when that fails the answer is cut.
    """

    def __init__(
        self,
        ledger: Ledger,
        counts: Counts,
        streams: Streams,
        subjects: SubjectNames,
        *,
        node: str,
        settle: Callable[[Exchange], None],
        problem: Callable[[Exchange, Refusal], Reply],
    ) -> None:
        self._ledger = ledger
        self._counts = counts
        self._streams = streams
        self._subjects = subjects
        self._node = node
        self._settle = settle
        self._problem = problem
        self._tally: Counter[str] = Counter()
        self._randomness = Randomness()

    def open(self, request: Request, snapshot: Snapshot, client: ClientView) -> Exchange:
        """Begin the exchange of an identified client."""
        record = Record(
            kind="final",
            exchange=uuid7(),
            at=time_ns() // 1000,
            node=self._node,
            environment=client.environment,
            client=client.id,
            consumer=client.system or "",
            revision=snapshot.revision,
        )
        return Exchange(request, snapshot, client, record, self._randomness.take(SALT_BYTES))

    def note_subject(self, exchange: Exchange) -> Refusal | None:
        """Note whom the call looks at; return why that cannot be read, to be raised once the caller may call."""
        return note_subject(exchange, self._subjects)

    async def open_record(self, exchange: Exchange) -> None:
        """Make it durable that the exchange has begun. Raises Refusal when that fails."""
        if exchange.opened:
            return
        record = exchange.record
        begun = Record(
            kind="open", exchange=record.exchange, at=record.at, node=record.node, environment=record.environment,
            client=record.client, consumer=record.consumer, provider=record.provider, service=record.service,
            version=record.version, operation=record.operation, counts=record.counts,
            national_database=record.national_database, mode=record.mode, purpose=record.purpose,
            procedure=record.procedure, officer=record.officer, officer_rule=record.officer_rule,
            grant=record.grant, revision=record.revision, correlation=record.correlation,
            subject=record.subject, subject_key=record.subject_key, scope=record.scope,
        )  # fmt: skip
        try:
            await self._ledger.append(begun)
        except LedgerUnavailable as error:
            raise Refusal(
                Reason.LEDGER_LOST if record.sent else Reason.LEDGER_UNAVAILABLE, sent=record.sent
            ) from error
        exchange.opened = True

    async def seal(self, exchange: Exchange, reply: Reply) -> Reply:
        """Return the reply once its evidence is durable; a streamed one seals itself before its last byte."""
        if not isinstance(reply.body, bytes):
            try:
                await self.open_record(exchange)
            except Refusal as refusal:
                await reply.body.aclose()  # type: ignore[attr-defined]  # the contract's streams are generators
                # The provider has been asked: that stays to be recorded, now or when the ledger is back.
                return await self.seal(exchange, self._problem(exchange, refusal))
            reply.body = self._stream(exchange, reply, reply.body)
            return reply
        record = exchange.record
        body = b"" if exchange.request.method == "HEAD" else reply.body
        record.status = reply.status
        record.reply_bytes = len(body)
        record.reply_commitment = sha256(exchange.salt + body).digest()
        left = record.reason == Reason.BODY_CUT or exchange.request.gone()
        record.delivered = Delivered.NO if left else Delivered.YES
        try:
            await self._close(exchange)
        except LedgerUnavailable:
            reason = Reason.LEDGER_LOST if record.sent else Reason.LEDGER_UNAVAILABLE
            return self._problem(exchange, Refusal(reason, sent=record.sent))
        return reply

    async def _close(self, exchange: Exchange) -> None:
        record = exchange.record
        if exchange.request_digest is not None:
            record.request_commitment = exchange.request_digest.digest()
        elif isinstance(exchange.body, bytes):
            record.request_commitment = sha256(exchange.salt + exchange.body).digest()
        total = perf_counter_ns() - exchange.request.received_ns
        record.total_us = total // 1000
        record.provider_us = exchange.provider_ns // 1000
        record.gateway_us = record.total_us - record.provider_us
        outcome: str = Outcome.NODE_FAILURE
        try:
            await self._ledger.append(record, exchange.salt)
            outcome = record.outcome
        finally:
            name = exchange.service.name if exchange.service is not None else ""
            self._counts.exchange(name, outcome, record.gateway_us / 1e6, record.provider_us / 1e6)
            self._settle(exchange)

    async def _stream(
        self, exchange: Exchange, reply: Reply, body: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Pass a streamed answer on, one piece behind, and seal before the last piece."""
        record = exchange.record
        record.status = reply.status
        digest = sha256(exchange.salt)
        held = b""
        ended = False
        try:
            with self.watch(exchange):
                async for piece in self._timed(exchange, body):
                    digest.update(piece)
                    record.reply_bytes += len(piece)
                    if held:
                        yield held
                    held = piece
            ended = True
        except BaseException as error:
            _end(exchange, why_cut(exchange, error))
            raise
        finally:
            record.reply_commitment = digest.digest()
            whole = ended and not exchange.request.gone()
            record.delivered = Delivered.YES if whole else Delivered.CUT
            await asyncio.shield(self._close(exchange))
        yield held

    @staticmethod
    async def _timed(exchange: Exchange, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Count the time spent waiting for the provider's pieces; gives the connection back in any case."""
        started = perf_counter_ns()
        try:
            async for piece in body:
                exchange.provider_ns += perf_counter_ns() - started
                yield piece
                started = perf_counter_ns()
        finally:
            await body.aclose()  # type: ignore[attr-defined]  # the contract's streams are generators

    def watch(self, exchange: Exchange) -> AbstractContextManager[None]:
        """Cut what the current task does inside when client or grant are withdrawn."""
        return self._streams.watch(exchange)

    async def interrupted(self, exchange: Exchange) -> None:
        """Close an exchange whose task is being cancelled."""
        _end(exchange, exchange.cut or Reason.NODE_STOPPED)
        exchange.record.delivered = Delivered.NO
        try:
            await asyncio.shield(self._close(exchange))
        except LedgerUnavailable:
            return  # nobody is there to be told; an open record is closed when the node starts again

    def turn_away(self, reason: Reason) -> None:
        """Count what failed before a client was known."""
        self._tally[reason.value] += 1

    def turn_away_at_guard(self, reason: str) -> None:
        """Count what the guard refused, by its reason."""
        self._tally[reason] += 1

    async def flush_tally(self) -> None:
        """Seal the counts of the last minute, one record for each reason."""
        for reason, count in tuple(self._tally.items()):
            record = Record(
                kind="tally",
                exchange=uuid7(),
                at=time_ns() // 1000,
                node=self._node,
                reason=reason,
                count=count,
            )
            try:
                await self._ledger.append(record)
            except LedgerUnavailable:
                return
            self._tally[reason] -= count
        self._tally += Counter()


def why_cut(exchange: Exchange, error: BaseException) -> Reason:
    """Return the reason for which a stream broke off with this error."""
    match error:
        case Refusal(reason=reason):  # the caller's own message, which the provider's answer is made of
            return reason
        case ConnectorError():
            return exchange.cut or Reason.PROVIDER_CUT
        case GeneratorExit():
            return exchange.cut or Reason.CALLER_GONE
        case asyncio.CancelledError():
            return exchange.cut or Reason.NODE_STOPPED
        case _:
            return Reason.INTERNAL


def _end(exchange: Exchange, reason: Reason) -> None:
    exchange.record.reason = reason.value
    exchange.record.outcome = OUTCOMES.get(reason, Outcome.UNKNOWN)
