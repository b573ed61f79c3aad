"""Steps 6 and 8: change the caller's message for the provider, and the provider's answer for the caller."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from time import perf_counter_ns

from anyio import CapacityLimiter

from connectors.errors import ConnectorError
from connectors.message import Headers
from gateway.exchange import Exchange, Reason, Refusal, Reply
from gateway.transforms.chain import Chain
from gateway.transforms.contract import NOT_READ, Document, Unfit

AT_ONCE = 4
MOST_BYTES = 24 * 1024 * 1024
"""The largest message that is transformed: it has to be whole in memory."""

# What says something about the bytes of the message that was, not of the one that comes out.
OF_THE_OLD_BYTES = frozenset(
    b"content-type content-length content-encoding content-md5 content-digest repr-digest digest etag last-modified "
    b"accept-ranges content-range signature signature-input".split()
)
NO_CONTENT, RESET_CONTENT = 204, 205

Watch = Callable[[Exchange], AbstractContextManager[None]]


def threads() -> CapacityLimiter:
    """Return what limits how many messages are transformed beside the event loop: each takes many times its size."""
    return CapacityLimiter(AT_ONCE)


async def outgoing(exchange: Exchange, chain: Chain, at_once: CapacityLimiter) -> Document | None:
    """Return the message for the provider, None when there is none to transform. Raises Refusal.

    A body that came as a stream is read to its end first; nothing has been sent by then.
    """
    body = await read_request(exchange)
    if not body:
        return None
    if _is_encoded(exchange.request.headers):
        raise Refusal(Reason.REQUEST_NOT_TRANSFORMED, why="content-encoding")
    try:
        return await chain.apply(Document(body, _media_type(exchange.request.headers)), at_once)
    except Unfit as unfit:
        ours = unfit.code == "limit"
        reason = Reason.TRANSFORM_FAILED if ours else Reason.REQUEST_NOT_TRANSFORMED
        raise Refusal(reason, why=told(unfit)) from unfit


async def incoming(
    exchange: Exchange, reply: Reply, chain: Chain, watch: Watch, at_once: CapacityLimiter
) -> tuple[Reply, object]:
    """Return the provider's answer as the caller gets it, and the JSON in it where that is at hand. Raises Refusal.

    What is not 2xx, or has no body, is passed on as it is.
    """
    is_answer = 200 <= reply.status < 300 and reply.status not in {NO_CONTENT, RESET_CONTENT}  # noqa: PLR2004  (2xx)
    if exchange.request.method == "HEAD" or not is_answer:
        return reply, NOT_READ
    body = reply.body
    if not isinstance(body, bytes):
        with watch(exchange):
            body = await read_reply(exchange, body, Reason.REPLY_NOT_TRANSFORMED)
    if not body:
        return Reply(status=reply.status, headers=reply.headers, body=b""), NOT_READ
    if _is_encoded(reply.headers):
        raise Refusal(Reason.REPLY_NOT_TRANSFORMED, sent=True, why="content-encoding")
    try:
        made = await chain.apply(Document(body, _media_type(reply.headers)), at_once)
    except Unfit as unfit:
        raise Refusal(Reason.REPLY_NOT_TRANSFORMED, sent=True, why=told(unfit)) from unfit
    headers = [field for field in reply.headers if field[0] not in OF_THE_OLD_BYTES]
    headers.append((b"content-type", made.media_type.encode("latin-1")))
    return Reply(status=reply.status, headers=headers, body=made.body), made.value


def without_old_bytes(headers: Headers) -> Headers:
    """Return a request's headers without what is true of the caller's own bytes only."""
    return [field for field in headers if field[0] not in OF_THE_OLD_BYTES]


def told(unfit: Unfit) -> str:
    """Return what anybody may know: why, and where. Never what stands there."""
    where = f", {unfit.subject} {unfit.place.line}:{unfit.place.column}" if unfit.place else ""
    return f"{unfit.code}{where}"


async def read_request(exchange: Exchange) -> bytes:
    """Return the whole of the caller's message. Raises Refusal when it is too large or breaks off."""
    if isinstance(exchange.body, bytes):
        return exchange.body
    try:
        body = await _whole(exchange.body, Refusal(Reason.BODY_TOO_LARGE, limit_bytes=MOST_BYTES))
    except Refusal as refusal:
        # The stream takes it that what was drawn of it has been sent.
        refusal.sent, exchange.cut = False, None
        raise
    exchange.body = b""  # read and hashed on its way; the record goes by that
    return body


async def read_reply(exchange: Exchange, body: AsyncIterator[bytes], too_large: Reason) -> bytes:
    """Return the whole of a streamed answer. Raises Refusal when it is too large or breaks off."""
    started = perf_counter_ns()
    try:
        return await _whole(body, Refusal(too_large, sent=True, why="too-large"))
    except ConnectorError as error:
        late = str(error) == "timeout"
        reason = exchange.cut or (Reason.PROVIDER_TIMEOUT if late else Reason.PROVIDER_CUT)
        raise Refusal(reason, sent=True) from error
    finally:
        exchange.provider_ns += perf_counter_ns() - started


async def _whole(body: AsyncIterator[bytes], too_large: Refusal) -> bytes:
    pieces, size = [], 0
    try:
        async for piece in body:
            pieces.append(piece)
            size += len(piece)
            if size > MOST_BYTES:
                raise too_large
    finally:
        await body.aclose()  # type: ignore[attr-defined]  # the contract's streams are generators
    return b"".join(pieces)


def _media_type(headers: Headers) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == b"content-type"), "")


def _is_encoded(headers: Headers) -> bool:
    return any(
        name == b"content-encoding" and value.strip().lower() not in (b"", b"identity")
        for name, value in headers
    )
