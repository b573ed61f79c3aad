"""Steps 5 to 8: hand the message to the endpoint's connector and read its answer."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache
from time import perf_counter_ns
from typing import Protocol, assert_never

from connectors.contract import Busy, Call, Done, Message, Rejected, Result, Unknown, Unreachable
from connectors.errors import EgressDenied, NotSent, SecretUnknown
from connectors.message import Headers
from gateway.endpoints import EndpointHandle
from gateway.exchange import Exchange, Reason, Refusal, Reply
from gateway.steps.contract import ContractStep
from gateway.steps.minimise import Minimise, scope_of
from gateway.steps.route import path_below_version
from gateway.steps.transform import incoming, outgoing, threads, without_old_bytes
from gateway.transforms.contract import NOT_READ, Document
from gateway.transforms.guests import Guests
from gateway.transforms.minimise.scopes import Scope
from gateway.views import OperationView
from registry.entities import Environment, Mode
from registry.evidence import Ledger, Outcome, Record

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade content-length".split()
)
TO_PROVIDER_NEVER = HOP_BY_HOP | frozenset(
    b"host authorization cookie cookie2 expect forwarded via lgspaccesstoken proxy x-real-ip x-client-ip "
    b"x-cluster-client-ip true-client-ip x-original-url x-original-host x-rewrite-url".split()
)
# What a provider says of itself or to a browser would be taken for the node's own.
TO_CALLER_NEVER = HOP_BY_HOP | frozenset(
    b"set-cookie set-cookie2 cookie authorization server date via forwarded www-authenticate authentication-info "
    b"proxy-authentication-info alt-svc strict-transport-security".split()
)
TO_CALLER_NEVER_BUT_LENGTH = TO_CALLER_NEVER - {b"content-length"}
PRIVATE_PREFIXES = (b"lgsp-", b"x-forwarded-")
PLAIN = (b"accept-encoding", b"identity")
PARTS = frozenset({b"range", b"if-range"})
SERVER_ERROR = 500
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
NOT_MODIFIED = 304
REJECTIONS = {
    "credentials": Reason.PROVIDER_CREDENTIALS,
    "header-invalid": Reason.HEADER_INVALID,
    "too-large": Reason.BODY_TOO_LARGE,
}
"""What a connector's rejection means to the caller, where it is not the provider that rejected."""
UNFIT = "unfit "
"""How a rejection begins that says where, and by which rule, a message does not fit the provider's description."""


class Witness(Protocol):
    """What the call needs of the recorder."""

    async def open_record(self, exchange: Exchange) -> None:
        """Make it durable that the exchange has begun. Raises Refusal when that fails."""
        ...

    def watch(self, exchange: Exchange) -> AbstractContextManager[None]:
        """Cut what happens inside when client or grant are withdrawn."""
        ...


class CallStep:
    """Calls the provider of an exchange; the outcome and every reason are decided here."""

    def __init__(
        self,
        ledger: Ledger,
        check: ContractStep,
        guests: Guests,
        *,
        role: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._check = check
        self._role = role
        self._monotonic = monotonic
        self._minimise = Minimise(guests)
        self._threads = threads()

    async def __call__(self, exchange: Exchange, witness: Witness) -> Reply:
        """Return the provider's answer. Raises Refusal when it was not tried or did not end well."""
        service, version, operation = exchange.service, exchange.version, exchange.operation
        if service is None or version is None or operation is None:
            raise Refusal(Reason.ROUTE_UNKNOWN)
        environment = exchange.client.environment
        handle = version.endpoints.get(environment)
        if handle is None:
            raise Refusal(Reason.NO_ENDPOINT, environment=environment)
        exchange.record.mode = self._mode(exchange, through_hub=version.modes[environment])
        scope, contract = scope_of(exchange), operation.contract
        changed = None
        if operation.request is not None or contract is not None:
            changed = await self._outgoing(exchange, operation)
        streams = not isinstance(exchange.body, bytes)
        if operation.writes or streams:
            await witness.open_record(exchange)
        elif not self._ledger.writable:
            raise Refusal(Reason.LEDGER_UNAVAILABLE)
        is_read = scope is not None or (contract is not None and contract.reply is not None)
        call = self._call(exchange, operation, version.passes[environment], limited=is_read)
        if changed is not None:
            call = with_message(call, changed)
        if streams:
            with witness.watch(exchange):
                result = await self._ask(exchange, handle, call)
        else:
            result = await self._ask(exchange, handle, call)
        reply = await self._read(exchange, result, handle)
        if operation.reply is None and not is_read:
            return reply
        return await self._incoming(exchange, operation, reply, scope, witness)

    async def _outgoing(self, exchange: Exchange, operation: OperationView) -> Document | None:
        """Check the caller's message; return what the transforms make of it, None without any. Raises Refusal."""
        contract = operation.contract
        if contract is not None and contract.request is not None:
            await self._check.request(exchange, contract.request)
        if operation.request is None:
            return None
        return await outgoing(exchange, operation.request, self._threads)

    async def _incoming(
        self,
        exchange: Exchange,
        operation: OperationView,
        reply: Reply,
        scope: Scope | None,
        witness: Witness,
    ) -> Reply:
        """Transform, check and limit the provider's answer. Raises Refusal."""
        contract, document = operation.contract, NOT_READ
        if operation.reply is not None:
            reply, document = await incoming(exchange, reply, operation.reply, witness.watch, self._threads)
        if contract is not None and contract.reply is not None:
            reply, document = await self._check.reply(
                exchange, reply, contract.reply, witness.watch, document
            )
        if scope is None:
            return reply
        return await self._minimise(exchange, reply, scope, witness.watch, document)

    async def _ask(self, exchange: Exchange, handle: EndpointHandle, call: Call) -> Result:
        """Call the endpoint. Raises Refusal; whatever else comes leaves it open whether something was sent."""
        started = perf_counter_ns()
        try:
            return await handle.call(call)
        except Refusal:
            raise
        except SecretUnknown as error:
            raise Refusal(Reason.SECRET_MISSING) from error
        except EgressDenied as error:
            raise Refusal(Reason.EGRESS_DENIED) from error
        except NotSent as error:
            raise Refusal(Reason.PROVIDER_UNREACHABLE) from error
        except BaseException:
            exchange.record.sent = True
            raise
        finally:
            exchange.provider_ns += perf_counter_ns() - started

    def _mode(self, exchange: Exchange, *, through_hub: bool) -> str:
        if not exchange.record.national_database:
            return ""
        if self._role == "hub":
            return Mode.NGSP.value
        return Mode.LGSP_NGSP.value if through_hub else Mode.LGSP.value

    def _call(
        self, exchange: Exchange, operation: OperationView, passes: Mapping[str, str], *, limited: bool
    ) -> Call:
        request, record = exchange.request, exchange.record
        whole = limited or operation.reply is not None
        headers, media_type, key = to_provider(
            request.headers, passes, plain=operation.judge.reads_body or whole, whole=whole
        )
        if operation.reply is not None:
            headers = [
                field for field in headers if field[0] != b"accept"
            ]  # said of what the caller gets from us
        if request.length is not None and not isinstance(exchange.body, bytes):
            headers.append((b"content-length", b"%d" % request.length))
        return Call(
            exchange=record.exchange,
            operation=record.operation,
            method=request.method,
            path=path_below_version(exchange),
            query=request.query,
            message=Message(exchange.body, media_type, headers),
            deadline=self._monotonic() + 600.0,
            context=told_of(record, passes) if passes else {},
            idempotency_key=key,
            read_only=not operation.writes and request.method in REPEATABLE,
            writes=operation.writes,
            sandbox=exchange.client.environment == Environment.SANDBOX,
            template=operation.template,
        )

    async def _read(self, exchange: Exchange, result: Result, handle: EndpointHandle) -> Reply:
        record = exchange.record
        match result:
            case Done():
                record.sent = True
                return await self._judge(exchange, result.status, result.reply, handle)
            case Rejected(reason=reason) if reason.startswith(UNFIT):
                raise Refusal(Reason.MESSAGE_UNFIT, why=reason.removeprefix(UNFIT))
            case Rejected(reason=reason):
                raise Refusal(REJECTIONS.get(reason, Reason.PROVIDER_REJECTED))
            case Busy(after=after):
                record.sent = True
                raise Refusal(Reason.PROVIDER_BUSY, retry_after=after, sent=True)
            case Unreachable():
                raise Refusal(exchange.cut or Reason.PROVIDER_UNREACHABLE)
            case Unknown(reason=reason, rubbish=rubbish):
                record.sent = True
                if exchange.cut is not None:
                    raise Refusal(exchange.cut, sent=True)
                if rubbish:
                    raise Refusal(Reason.PROVIDER_RUBBISH, sent=True)
                raise Refusal(
                    Reason.PROVIDER_TIMEOUT if reason == "timeout" else Reason.PROVIDER_CUT, sent=True
                )
            case _:
                assert_never(result)

    async def _judge(self, exchange: Exchange, status: int, reply: Message, handle: EndpointHandle) -> Reply:
        operation, version = exchange.operation, exchange.version
        if operation is None or version is None:
            raise Refusal(Reason.INTERNAL)
        bodiless = exchange.request.method == "HEAD" or status == NOT_MODIFIED
        outcome, reason = operation.judge.judge(status, reply.headers, None if bodiless else reply.body)
        failed = outcome is Outcome.PROVIDER_FAILURE
        if failed != (status >= SERVER_ERROR):
            # The breaker went by the status alone; the success rule knows better.
            handle.correct(ok=not failed)
        if failed:
            if not isinstance(reply.body, bytes):
                await reply.body.aclose()  # type: ignore[attr-defined]  # the contract's streams are generators
            raise Refusal(reason or Reason.PROVIDER_ERROR, sent=True, provider_status=status)
        exchange.record.outcome = outcome
        exchange.record.reason = reason.value if reason else ""
        headers = to_caller(
            reply.headers, keep_length=exchange.request.method == "HEAD" or not isinstance(reply.body, bytes)
        )
        headers.extend(version.life_headers)
        return Reply(status=status, headers=headers, body=reply.body)


def with_message(call: Call, made: Document) -> Call:
    """Return the call with what the transforms made of the caller's message."""
    headers = [*without_old_bytes(call.message.headers), (b"content-type", made.media_type.encode("latin-1"))]
    return replace(call, message=Message(made.body, made.media_type, headers))


def told_of(record: Record, passes: Mapping[str, str]) -> dict[str, str]:
    """Return what the provider learns from us, by header, as the service's endpoint asks for it."""
    told = {
        "exchange": record.exchange,
        "purpose": record.purpose,
        "procedure": record.procedure,
        "officer": record.officer,
    }
    return {name: told[what] for what, name in passes.items() if told[what]}


@cache
def never_to_provider(names: tuple[str, ...], *, plain: bool, whole: bool) -> frozenset[bytes]:
    """Return which of a caller's headers a provider never sees; `names` are those that we write ourselves."""
    dropped = TO_PROVIDER_NEVER.union(name.lower().encode() for name in names)
    if plain:
        dropped |= {PLAIN[0]}
    return dropped | PARTS if whole else dropped


def to_provider(
    headers: Headers, passes: Mapping[str, str], *, plain: bool, whole: bool = False
) -> tuple[Headers, str, str | None]:
    """Return what the provider may see of a caller's headers, the media type, and the idempotency key.

    A field in which the provider learns something from us is never the caller's to fill in, also when we have
    nothing to say in it. `plain`: the answer will be looked into, so it must not come compressed; `whole`: nor in parts.
    """
    kept: Headers = [PLAIN] if plain else []
    media_type, key = "", None
    dropped = never_to_provider(tuple(passes.values()), plain=plain, whole=whole)
    for name, value in headers:
        if name == b"connection":
            dropped = dropped | {option.strip().lower() for option in value.split(b",")}
        elif name == b"content-type":
            media_type = value.decode("latin-1")
        elif name == b"idempotency-key":
            key = value.decode("latin-1")
    for name, value in headers:
        if name not in dropped and not name.startswith(PRIVATE_PREFIXES):
            kept.append((name, value))
    return kept, media_type, key


def to_caller(headers: Headers, *, keep_length: bool) -> Headers:
    """Return what the caller may see of a provider's headers; the length only where our body has the same."""
    dropped = TO_CALLER_NEVER_BUT_LENGTH if keep_length else TO_CALLER_NEVER
    for name, value in headers:
        if name == b"connection":
            dropped = dropped | {option.strip().lower() for option in value.split(b",")}
    return [
        field for field in headers if field[0] not in dropped and not field[0].startswith(PRIVATE_PREFIXES)
    ]
