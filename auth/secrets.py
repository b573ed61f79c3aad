"""Client secrets: 256 random bits, shown once, kept as an HMAC under the node's key.

A slow hash protects passwords that people choose; nobody guesses 256 random bits, and field software asks for a
token before every call.
"""

import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from secrets import token_urlsafe

from registry.entities import ClientSecret

SECRET_BYTES = 32
PURPOSE = b"lgsp client secret v1\x00"
MAX_LIVING = 2
"""A client has at most this many secrets: the new one and the one it replaces."""


def new_secret() -> str:
    """Return a fresh secret: 256 random bits in base64url."""
    return token_urlsafe(SECRET_BYTES)


def digest(secret: str, node_key: bytes) -> str:
    """Return the form in which a secret is kept, in hex."""
    return hmac.digest(node_key, PURPOSE + secret.encode("utf-8", "surrogatepass"), "sha256").hex()


def matches(secret: str, kept: Iterable[tuple[str, float | None]], node_key: bytes, now: float) -> bool:
    """Tell whether `secret` is one of the kept ones (digest, end in epoch seconds or None) and living.

    Takes the same time whichever of them matches, or none.
    """
    given = digest(secret, node_key)
    found = False
    for known, expires in kept:
        same = hmac.compare_digest(given, known)
        found |= same and (expires is None or now < expires)
    return found


def is_expired(secret: str, kept: Iterable[tuple[str, float | None]], node_key: bytes, now: float) -> bool:
    """Tell whether `secret` was once right, so that its owner can be told to use the newer one."""
    ended = [(known, None) for known, expires in kept if expires is not None and expires <= now]
    return matches(secret, ended, node_key, now)


def rotated(
    kept: Iterable[ClientSecret], new_digest: str, *, now: datetime, overlap: timedelta
) -> tuple[ClientSecret, ...]:
    """Return the secrets after a rotation: the new one, and the newest old one until the overlap ends.

    With no overlap the old ones stop at once.
    """
    fresh = ClientSecret(digest=new_digest, created_at=now)
    living = [s for s in kept if s.expires_at is None or s.expires_at > now]
    if not living or overlap <= timedelta(0):
        return (fresh,)
    last = max(living, key=lambda s: s.created_at)
    end = now + overlap if last.expires_at is None else min(last.expires_at, now + overlap)
    return (fresh, ClientSecret(digest=last.digest, created_at=last.created_at, expires_at=end))
