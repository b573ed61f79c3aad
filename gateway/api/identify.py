"""Who asks: a Bearer token of a client with a role, looked at again in the snapshot on every request."""

from starlette.requests import Request

from auth.clients import may_come_from
from auth.decide import Actor
from auth.errors import TokenExpired, TokenForeign, TokenForged, TokenMalformed
from auth.tokens import Claims, verify
from gateway.api.errors import Forbidden, TokenWrong
from gateway.api.parts import AdminParts
from gateway.api.visit import Caller
from gateway.exchange import Reason
from registry.stores import Author


def identify(parts: AdminParts, request: Request, *, needs_role: bool = True) -> Caller:
    """Return who asks; without `needs_role` a client of the data plane may too.

    Raises:
        TokenWrong: no token, or one that is not good (now, from there, or at all).
        Forbidden: the client has no role, so the admin API is not for it.
    """
    claims = _claims(parts, _bearer(request))
    client = parts.snapshots.current.clients.get(claims.client)
    if client is None:
        raise TokenWrong(Reason.TOKEN_FOREIGN)
    if not client.active:
        raise TokenWrong(Reason.CLIENT_DISABLED)
    if claims.issued_at < client.not_before:
        raise TokenWrong(Reason.TOKEN_REVOKED)
    peer = request.client.host if request.client else ""
    if not may_come_from(client, parts.proxies.client(peer, request.headers.raw)):
        raise TokenWrong(Reason.CLIENT_NETWORK)
    if client.role is None and needs_role:
        raise Forbidden("admin.use", "no-role")
    actor = Actor(
        client=client.id, name=client.name, role=client.role or "", organisation=client.organisation
    )
    return Caller(actor=actor, author=Author(id=client.id, name=client.name, via="api"))


def _bearer(request: Request) -> str:
    values = request.headers.getlist("authorization")
    if not values:
        raise TokenWrong(Reason.TOKEN_MISSING)
    scheme, _, token = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise TokenWrong(Reason.TOKEN_MALFORMED)
    return token.strip()


def _claims(parts: AdminParts, token: str) -> Claims:
    try:
        return verify(token, parts.keys, issuer=parts.issuer, now=parts.now())
    except TokenExpired:
        raise TokenWrong(Reason.TOKEN_EXPIRED) from None
    except TokenMalformed:
        raise TokenWrong(Reason.TOKEN_MALFORMED) from None
    except TokenForged:
        raise TokenWrong(Reason.TOKEN_FORGED) from None
    except TokenForeign:
        raise TokenWrong(Reason.TOKEN_FOREIGN) from None
