"""Step 1: who is calling. A token is verified once and remembered by its digest."""

from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from auth.clients import may_come_from
from auth.errors import TokenExpired, TokenForeign, TokenForged, TokenMalformed
from auth.tokens import Claims
from gateway.exchange import Reason, Refusal, Request
from gateway.views import ClientView, Snapshot


class Verifier(Protocol):
    """Checks a token's form, signature, issuer and audience."""

    def __call__(self, token: str, *, now: float) -> Claims: ...


class Keys(Protocol):
    """Says which of the node's keys still count."""

    def is_living(self, kid: str, now: float) -> bool: ...


class Identify:
    """Finds the client of a request by its access token.

    A genuine token that has expired still tells who calls: `find` returns it, `admit` refuses it. The cache maps
    SHA-256 of the whole token to its claims; expiry, the key, the client's state and its `not_before` are read on
    each hit, so that revocation never depends on eviction.
    """

    def __init__(
        self, verify: Verifier, keys: Keys, *, now: Callable[[], float], remembered: int = 100_000
    ) -> None:
        self._verify = verify
        self._keys = keys
        self._now = now
        self._remembered = remembered
        self._claims: dict[bytes, Claims] = {}

    def find(self, request: Request, snapshot: Snapshot) -> tuple[ClientView, Claims]:
        """Return the client and the claims of its token. Raises Refusal when no client can be told."""
        token = bearer(request)
        digest = sha256(token).digest()
        claims = self._claims.get(digest)
        if claims is None:
            claims = self._verify_new(token)
            if len(self._claims) >= self._remembered:
                del self._claims[next(iter(self._claims))]
            self._claims[digest] = claims
        client = snapshot.clients.get(claims.client)
        if client is None:
            raise Refusal(Reason.TOKEN_FOREIGN)
        return client, claims

    def _verify_new(self, token: bytes) -> Claims:
        try:
            return self._verify(token.decode("ascii"), now=self._now())
        except TokenExpired as error:
            return error.claims
        except (TokenMalformed, UnicodeDecodeError):
            raise Refusal(Reason.TOKEN_MALFORMED) from None
        except TokenForged:
            raise Refusal(Reason.TOKEN_FORGED) from None
        except TokenForeign:
            raise Refusal(Reason.TOKEN_FOREIGN) from None

    def admit(self, client: ClientView, claims: Claims, address: str, snapshot: Snapshot) -> None:
        """Refuse a client that may not call now: expired, revoked, disabled, from elsewhere, not a system's."""
        now = self._now()
        if claims.expires_at <= now:
            raise Refusal(Reason.TOKEN_EXPIRED)
        if not client.active:
            raise Refusal(Reason.CLIENT_DISABLED)
        if claims.issued_at < client.not_before or claims.environment != client.environment:
            raise Refusal(Reason.TOKEN_REVOKED)
        if not self._keys.is_living(claims.kid, now):
            raise Refusal(Reason.TOKEN_REVOKED)
        if not may_come_from(client, address):
            raise Refusal(Reason.CLIENT_NETWORK)
        if client.system is None:
            raise Refusal(Reason.SCOPE_MISSING)
        system = snapshot.systems.get(client.system)
        if system is None or not system.active:
            raise Refusal(Reason.SYSTEM_INACTIVE)


def bearer(request: Request) -> bytes:
    """Return the one bearer token of a request (RFC 6750, section 2.1)."""
    values = [value for name, value in request.headers if name == b"authorization"]
    if not values:
        raise Refusal(Reason.TOKEN_MISSING)
    scheme, _, token = values[0].partition(b" ")
    if len(values) > 1 or scheme.lower() != b"bearer" or not token.strip():
        raise Refusal(Reason.TOKEN_MALFORMED)
    return token.strip()
