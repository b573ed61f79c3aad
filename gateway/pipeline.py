"""THE HOT PATH: one request through every step, one line each. See docs/explanation/request-flow.md."""

import asyncio
from collections.abc import Callable

from connectors.contract import Logger
from gateway.exchange import Exchange, Reason, Refusal, Reply, Request
from gateway.logs import EXCHANGE
from gateway.outcomes import OUTCOMES
from gateway.panics import is_panic
from gateway.problems import problem_for, render
from gateway.snapshot import Snapshots
from gateway.steps.authorise import authorise, correlation_of
from gateway.steps.body import take_body
from gateway.steps.call import CallStep
from gateway.steps.identify import Identify
from gateway.steps.quota import Quotas
from gateway.steps.record import Recorder
from gateway.steps.route import check_open, find_route
from gateway.steps.streams import is_cut


class Pipeline:
    """Carries a request through the steps; whatever happens, what comes back is a Reply with its evidence."""

    def __init__(
        self,
        snapshots: Snapshots,
        identify: Identify,
        quotas: Quotas,
        call: CallStep,
        recorder: Recorder,
        *,
        now: Callable[[], float],
        buffer_bytes: int,
        log: Logger,
    ) -> None:
        self._snapshots = snapshots
        self._identify = identify
        self._quotas = quotas
        self._call = call
        self._recorder = recorder
        self._now = now
        self._buffer_bytes = buffer_bytes
        self._log = log

    def turned_away(self, refusal: Refusal, request: Request) -> Reply:
        """Return what a caller is told whom nobody knows, in the dialect of the service that it wanted."""
        service = self._snapshots.current.services.get(first_segment(request.path))
        return tell(refusal, request, style=service.error_style if service else "problem")

    async def carry(self, request: Request) -> Reply:
        """Carry one request. Raises Refusal only while the caller is unknown: then there is no exchange."""
        snapshot = self._snapshots.current
        client, claims = self._identify.find(request, snapshot)
        exchange = self._recorder.open(request, snapshot, client)
        # What connectors and libraries log from here on names the exchange; the task ends with the request.
        EXCHANGE.set(exchange.record.exchange)
        try:
            self._identify.admit(client, claims, request.client_address, snapshot)
            find_route(exchange)
            await take_body(exchange, self._buffer_bytes)
            unreadable = self._recorder.note_subject(exchange)
            authorise(exchange, self._now())
            if unreadable is not None:
                raise unreadable
            check_open(exchange)
            self._quotas.spend(exchange)
            reply = await self._call(exchange, self._recorder)
        except Refusal as refusal:
            reply = problem_reply(exchange, refusal)
        except asyncio.CancelledError:
            if not is_cut(request):
                await self._recorder.interrupted(exchange)
                raise
            reply = problem_reply(exchange, Refusal(Reason.CUT_BY_REVOCATION, sent=True))
        except Exception as error:  # noqa: BLE001  (the edge of the hot path: a fault of ours is a node failure)
            reply = self._fault(exchange, error)
        except BaseException as error:
            if not is_panic(error):
                raise
            reply = self._fault(exchange, error)
        reply = await self._recorder.seal(exchange, reply)
        reply.outcome = exchange.record.outcome
        reply.headers.append((b"lgsp-exchange-id", exchange.record.exchange.encode()))
        return reply

    def _fault(self, exchange: Exchange, error: BaseException) -> Reply:
        self._log.warning(
            "exchange.fault", exchange=exchange.record.exchange, error=type(error).__name__, exc_info=error
        )
        return problem_reply(exchange, Refusal(Reason.INTERNAL, sent=exchange.record.sent))


def problem_reply(exchange: Exchange, refusal: Refusal) -> Reply:
    """Note how an exchange ended early, and return what its caller is told."""
    record = exchange.record
    record.reason = refusal.reason.value
    record.outcome = OUTCOMES[refusal.reason]
    record.sent = record.sent or refusal.sent
    record.correlation = record.correlation or correlation_of(exchange.request)
    return tell(
        refusal, exchange.request, style=style_of(exchange), exchange=record.exchange, sent=record.sent
    )


def style_of(exchange: Exchange) -> str:
    """Return the dialect of errors: the client's, else that of the service it asks for, found yet or not."""
    wanted = exchange.service or exchange.snapshot.services.get(first_segment(exchange.request.path))
    return exchange.client.error_style or (wanted.error_style if wanted else "problem")


def first_segment(path: str) -> str:
    """Return the key of the service that a path names."""
    return path[1:].partition("/")[0].lower()


def tell(refusal: Refusal, request: Request, *, style: str, exchange: str = "", sent: bool = False) -> Reply:
    """Return the problem of a refusal in the caller's dialect and language."""
    language = next(
        (value.decode("latin-1") for name, value in request.headers if name == b"accept-language"), ""
    )
    problem = problem_for(
        refusal.reason,
        exchange=exchange,
        sent=sent,
        retry_after=refusal.retry_after,
        details=refusal.details,
        violations=refusal.violations,
        language=language,
    )
    status, headers, body = render(problem, style)
    return Reply(status=status, headers=list(headers), body=body, problem=problem)
