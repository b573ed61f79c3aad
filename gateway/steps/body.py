"""Taking the caller's message: whole up to the node's limit, else as a stream that counts and hashes itself."""

from collections.abc import AsyncIterator
from hashlib import sha256

from gateway.exchange import Exchange, Reason, Refusal


async def take_body(exchange: Exchange, buffer_bytes: int) -> None:
    """Fill in the exchange's body. A body over the version's limit is refused before it is read on."""
    request, version = exchange.request, exchange.version
    if request.length == 0 or version is None:
        return
    limit = version.max_body_bytes
    if request.length is not None and request.length > limit:
        raise Refusal(Reason.BODY_TOO_LARGE, limit_bytes=limit)
    pieces: list[bytes] = []
    size = 0
    if request.length is None or request.length <= buffer_bytes:
        while size <= buffer_bytes:
            piece = await request.read()
            if not piece:
                exchange.body = b"".join(pieces)
                exchange.record.request_bytes = size
                return
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise Refusal(Reason.BODY_TOO_LARGE, limit_bytes=limit)
    exchange.body = _stream(exchange, pieces, limit)


async def _stream(exchange: Exchange, pieces: list[bytes], limit: int) -> AsyncIterator[bytes]:
    digest = exchange.request_digest = sha256(exchange.salt)
    record, request = exchange.record, exchange.request
    for piece in pieces:
        digest.update(piece)
        record.request_bytes += len(piece)
        yield piece
    while True:
        try:
            piece = await request.read()
            if record.request_bytes + len(piece) > limit:
                raise Refusal(Reason.BODY_TOO_LARGE, limit_bytes=limit)
        except Refusal as refusal:
            # Whoever draws the body has sent the head already. A connector may wrap what its body raises, so the
            # reason is kept where the call step finds it.
            refusal.sent = True
            exchange.cut = refusal.reason
            raise
        if not piece:
            return
        digest.update(piece)
        record.request_bytes += len(piece)
        yield piece
