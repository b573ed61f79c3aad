"""Step 8: leave in the answer only what the grant names. What cannot be limited is not released."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from time import perf_counter_ns

from anyio import CapacityLimiter, to_thread

from connectors.errors import ConnectorError
from connectors.message import Headers
from gateway.exchange import Exchange, Reason, Refusal, Reply
from gateway.transforms.contract import NOT_READ, Unfit
from gateway.transforms.guests import Guests
from gateway.transforms.minimise.documents import LARGE_BYTES, Unreadable
from gateway.transforms.minimise.scopes import Scope
from gateway.transforms.minimise.work import limit_far

MOST_BYTES = 10 * 1024 * 1024
"""The largest answer that is limited: it has to be whole in memory."""
AT_ONCE = 2
"""How many large answers are limited at the same time, each in a guest process."""

RELEASED_FIELDS = frozenset(
    b"content-type content-language cache-control expires pragma vary retry-after allow last-modified deprecation "
    b"sunset".split()
)
"""Header fields that cannot hold a citizen's data, nor a digest of what was removed."""

Watch = Callable[[Exchange], AbstractContextManager[None]]


class Minimise:
    """Limits answers to what the grants that they are for release."""

    def __init__(self, guests: Guests) -> None:
        self._guests = guests
        self._large = CapacityLimiter(AT_ONCE)

    async def __call__(
        self, exchange: Exchange, reply: Reply, scope: Scope, watch: Watch, document: object = NOT_READ
    ) -> Reply:
        """Return the answer with what is released of it. Raises Refusal when that cannot be told.

        `document` is the JSON in it, where a step before has read it without loss.
        """
        if isinstance(reply.body, bytes):
            body = reply.body
        else:
            with watch(exchange):
                body = await _whole(exchange, reply.body)
        if body and _is_encoded(reply.headers):
            raise _unlimited("content-encoding")
        if len(body) > MOST_BYTES:
            raise _unlimited("size")
        media_type = next((value for name, value in reply.headers if name == b"content-type"), b"")
        released, said = await self._limited(scope, body, media_type.decode("latin-1"), document)
        return Reply(status=reply.status, headers=_headers(reply.headers, said), body=released)

    async def _limited(
        self, scope: Scope, body: bytes, media_type: str, document: object
    ) -> tuple[bytes, str]:
        try:
            if len(body) < LARGE_BYTES:
                return scope.limit(body, media_type, document)
            return await to_thread.run_sync(
                limit_far, scope, self._guests, body, media_type, limiter=self._large
            )
        except Unfit:
            raise _unlimited("limit") from None
        except Unreadable as error:
            if error.code == "form":
                raise _unlimited("form") from None
            raise Refusal(Reason.REPLY_UNREADABLE, sent=True, why=error.code) from None


def scope_of(exchange: Exchange) -> Scope | None:
    """Return what the exchange's grant releases, noted in the record; None when answers are released whole."""
    grant, version = exchange.grant, exchange.version
    if grant is None or version is None or grant.scopes is None:
        return None
    scope = grant.scopes.scope(exchange.record.purpose, version.envelope)
    exchange.record.scope = scope.name
    return None if scope.keeps_all else scope


async def _whole(exchange: Exchange, body: AsyncIterator[bytes]) -> bytes:
    """Return a streamed answer in one piece. Raises Refusal when it breaks off, or is too large for that."""
    pieces, size = [], 0
    started = perf_counter_ns()
    try:
        async for piece in body:
            pieces.append(piece)
            size += len(piece)
            if size > MOST_BYTES:
                raise _unlimited("size")
    except ConnectorError as error:
        late = str(error) == "timeout"
        reason = exchange.cut or (Reason.PROVIDER_TIMEOUT if late else Reason.PROVIDER_CUT)
        raise Refusal(reason, sent=True) from error
    finally:
        exchange.provider_ns += perf_counter_ns() - started
        await _close(body)
    return b"".join(pieces)


async def _close(body: AsyncIterator[bytes]) -> None:
    await body.aclose()  # type: ignore[attr-defined]  # the contract's streams are generators


def _unlimited(why: str) -> Refusal:
    return Refusal(Reason.REPLY_NOT_LIMITED, sent=True, why=why)


def _is_encoded(headers: Headers) -> bool:
    return any(
        value.strip().lower() not in (b"", b"identity")
        for name, value in headers
        if name == b"content-encoding"
    )


def _headers(headers: Headers, media_type: str) -> Headers:
    kept = [(name, value) for name, value in headers if name in RELEASED_FIELDS and name != b"content-type"]
    if media_type:
        kept.append((b"content-type", media_type.encode("latin-1")))
    return kept
