"""Access tokens: short-lived ES256 JWTs (RFC 9068) that say who calls, and nothing of what they may do."""

from dataclasses import dataclass
from math import ceil
from secrets import token_hex
from typing import Any

import orjson

from auth import base64url
from auth.errors import TokenExpired, TokenForeign, TokenForged, TokenMalformed
from auth.keys import ALGORITHM, TOKEN_TYPE, KeyRing

MAX_BYTES = 8 * 1024
SEGMENTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says. `system` is "" for a client of the admin API; times are epoch seconds.

    `kid` is the key that signed it: whoever remembers claims asks `KeyRing.is_living` each time, since a leaked key
    ends before its tokens do.
    """

    client: str
    system: str
    environment: str
    scope: str
    issued_at: int
    expires_at: int
    jti: str
    kid: str = ""


def issue(  # noqa: PLR0913  (one claim each)
    ring: KeyRing,
    *,
    issuer: str,
    client: str,
    system: str,
    environment: str,
    scope: str,
    now: float,
    seconds: int,
    not_before: float = 0.0,
) -> str:
    """Return a token for `client`, good for `seconds`.

    Whole seconds of issue are compared with the client's `not_before` later, so a token made in the same second,
    but after it, is dated to the next full second. Raises KeyMissing.
    """
    issued_at = max(int(now), ceil(not_before))
    claims = {
        "iss": issuer,
        "aud": issuer,
        "sub": client,
        "client_id": client,
        "system": system,
        "environment": environment,
        "scope": scope,
        "iat": issued_at,
        "exp": issued_at + seconds,
        "jti": token_hex(16),
    }
    return ring.sign(orjson.dumps(claims), now)


def verify(token: str, ring: KeyRing, *, issuer: str, now: float) -> Claims:
    """Return what a genuine, living token of this node says.

    Raises:
        TokenMalformed: not three segments of base64url, or larger than 8 KB.
        TokenForged: header, key or signature are not exactly this node's.
        TokenForeign: made by or for another node.
        TokenExpired: genuine, but over; carries the claims.
    """
    header, body, signature = _split(token)
    key = ring.find(header, now)
    if key is None:
        raise _stranger(header, body, issuer)
    if not key.is_signature(_decode(signature), f"{header}.{body}".encode("ascii")):
        raise TokenForged("the signature does not match")
    members = _object(body)
    if members.get("iss") != issuer or members.get("aud") != issuer:
        raise TokenForeign("the token was made for another node")
    claims = _claims(members, key.kid)
    if claims.expires_at <= now:
        raise TokenExpired(claims)
    return claims


def _split(token: str) -> tuple[str, str, str]:
    if len(token) > MAX_BYTES or not token.isascii():
        raise TokenMalformed("larger than 8 KB, or not ASCII")
    segments = token.split(".")
    if len(segments) != SEGMENTS:
        raise TokenMalformed("not three segments")
    header, body, signature = segments
    return header, body, signature


def _decode(segment: str) -> bytes:
    try:
        return base64url.decode(segment)
    except ValueError as error:
        raise TokenMalformed(str(error)) from error


def _object(segment: str) -> dict[str, Any]:  # Any: JSON from outside, read claim by claim
    try:
        members = orjson.loads(_decode(segment))
    except orjson.JSONDecodeError as error:
        raise TokenMalformed("not JSON") from error
    if not isinstance(members, dict):
        raise TokenMalformed("not a JSON object")
    return members


def _claims(members: dict[str, Any], kid: str) -> Claims:
    # Signed by us, so it has the shape that `issue` gives; a KeyError here would be a fault of ours.
    if members["sub"] != members["client_id"]:
        raise TokenForged("`sub` is not the client")
    return Claims(
        client=members["client_id"],
        system=members["system"],
        environment=members["environment"],
        scope=members["scope"],
        issued_at=members["iat"],
        expires_at=members["exp"],
        jti=members["jti"],
        kid=kid,
    )


def _stranger(header: str, body: str, issuer: str) -> TokenForged | TokenForeign:
    """Say what is wrong with a token that none of our keys made.

    The issuer read here is not verified: it only chooses between two refusals, to tell an honest caller that the
    token of another node was sent to this one.
    """
    head = _object(header)
    claimed = _object(body).get("iss")
    genuine_shape = head.get("alg") == ALGORITHM and head.get("typ") == TOKEN_TYPE
    if genuine_shape and isinstance(claimed, str) and claimed != issuer:
        return TokenForeign("the token was made by another node")
    return TokenForged("no key of this node makes such tokens")
