"""`private_key_jwt` (RFC 7523): a client proves who it is with a key of its own. Rules only.

Whether a `jti` has been used before is asked by the caller, last of all, so that nobody else can use it up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from auth import base64url
from auth.errors import AssertionRefused, ClientReason, KeySetRefused

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TYPES = ("JWT", "client-authentication+jwt")
MAX_BYTES = 8 * 1024
MAX_SECONDS = 300
MAX_JTI = 255
MAX_KEYS = 10
MIN_RSA_BITS = 2048
SKEW_SECONDS = 30
"""How far a client's clock may run ahead of ours."""


@dataclass(frozen=True, slots=True)
class AssertionKey:
    """One registered public key, with the only algorithms it is used for."""

    kid: str | None
    algorithms: frozenset[str]
    public: PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What an assertion says, signature not yet looked at."""

    algorithm: str
    kid: str | None
    claims: Mapping[str, Any]  # Any: JSON from outside, checked claim by claim
    message: bytes
    signature: bytes

    @property
    def client(self) -> str:
        """The client that it claims to be, "" when it does not say."""
        subject = self.claims.get("sub")
        return subject if isinstance(subject, str) else ""


# --- a client's registered keys -------------------------------------------------------------------------


def parse_key_set(jwks: Mapping[str, Any]) -> tuple[AssertionKey, ...]:
    """Read a client's JWK set. Raises KeySetRefused, naming the place."""
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_KEYS:
        raise KeySetRefused("/keys", f"a list of 1 to {MAX_KEYS} keys is needed")
    parsed = tuple(_parse_key(f"/keys/{place}", key) for place, key in enumerate(keys))
    kids = [key.kid for key in parsed]
    if len(kids) > 1 and (None in kids or len(set(kids)) < len(kids)):
        raise KeySetRefused("/keys", "several keys need a different `kid` each")
    return parsed


def _parse_key(pointer: str, jwk: object) -> AssertionKey:
    if not isinstance(jwk, dict):
        raise KeySetRefused(pointer, "not a JSON object")
    if "d" in jwk or "k" in jwk:
        raise KeySetRefused(pointer, "this is a private key: register the public half, and replace this key")
    if jwk.get("use", "sig") != "sig":
        raise KeySetRefused(f"{pointer}/use", "only keys for signatures (`sig`) are of use")
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise KeySetRefused(f"{pointer}/kid", "not a text")
    public = _public_key(pointer, jwk)
    allowed = _algorithms(public)
    if not allowed:
        raise KeySetRefused(f"{pointer}/crv", "EC keys need the curve P-256 or P-384")
    named = jwk.get("alg")
    if named is not None and named not in allowed:
        raise KeySetRefused(f"{pointer}/alg", f"this key can be used with {', '.join(sorted(allowed))}")
    return AssertionKey(kid, frozenset({named}) if named is not None else allowed, public)


def _public_key(pointer: str, jwk: dict[str, Any]) -> PublicKey:
    try:
        key = JWKRegistry.import_key(jwk).get_op_key("verify")
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise KeySetRefused(pointer, "not a public key that can be read") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise KeySetRefused(pointer, f"RSA keys need {MIN_RSA_BITS} bits or more")
    if isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey, ed25519.Ed25519PublicKey)):
        return key
    raise KeySetRefused(pointer, "only EC, RSA and Ed25519 keys are of use")


def _algorithms(public: PublicKey) -> frozenset[str]:
    match public:
        case rsa.RSAPublicKey():
            return frozenset({"RS256", "PS256"})
        case ed25519.Ed25519PublicKey():
            return frozenset({"EdDSA", "Ed25519"})
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            return frozenset({"ES256"})
        case ec.EllipticCurvePublicKey(curve=ec.SECP384R1()):
            return frozenset({"ES384"})
        case _:
            return frozenset()


# --- an assertion ---------------------------------------------------------------------------------------


def parse_assertion(text: str) -> Assertion:
    """Read an assertion without believing it. Raises AssertionRefused."""
    segments = text.split(".")
    if len(text) > MAX_BYTES or len(segments) != 3:  # noqa: PLR2004  (RFC 7515, 7.1)
        raise AssertionRefused(ClientReason.ASSERTION_MALFORMED)
    try:
        header, claims = (orjson.loads(base64url.decode(segment)) for segment in segments[:2])
        signature = base64url.decode(segments[2])
    except ValueError as error:
        raise AssertionRefused(ClientReason.ASSERTION_MALFORMED) from error
    if not isinstance(header, dict) or not isinstance(claims, dict) or not _is_usual(header):
        raise AssertionRefused(ClientReason.ASSERTION_MALFORMED)
    return Assertion(
        algorithm=header["alg"],
        kid=header.get("kid"),
        claims=claims,
        message=f"{segments[0]}.{segments[1]}".encode("ascii"),
        signature=signature,
    )


def _is_usual(header: Mapping[str, Any]) -> bool:
    """Tell whether a header asks for nothing that we do not do (`crit`, `b64`), and has texts where they belong."""
    return (
        isinstance(header.get("alg"), str)
        and isinstance(header.get("kid", ""), str)
        and header.get("typ", "JWT") in TYPES
        and not header.keys() & {"crit", "b64", "zip"}
    )


def check_assertion(
    assertion: Assertion, keys: tuple[AssertionKey, ...], *, client: str, issuer: str, now: float
) -> tuple[str, int]:
    """Return the `jti`, still to be used up, and when it can be forgotten (epoch seconds).

    Raises:
        AssertionRefused: naming the first rule that is broken.
    """
    _check_signature(assertion, keys)
    claims = assertion.claims
    if claims.get("iss") != client or claims.get("sub") != client:
        raise AssertionRefused(ClientReason.ASSERTION_ISSUER)
    # One text, not a list: a list would let another server's assertion be used here.
    if claims.get("aud") != issuer:
        raise AssertionRefused(ClientReason.ASSERTION_AUDIENCE)
    expires = _check_times(claims, now)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= MAX_JTI or not jti.isprintable():
        raise AssertionRefused(ClientReason.ASSERTION_JTI)
    return jti, int(expires) + 1


def _check_signature(assertion: Assertion, keys: tuple[AssertionKey, ...]) -> None:
    key = _key_for(assertion, keys)
    verify = VERIFIERS.get(assertion.algorithm)
    if key is None or verify is None:
        raise AssertionRefused(ClientReason.ASSERTION_KEY)
    try:
        verify(key.public, assertion.signature, assertion.message)
    except InvalidSignature:
        raise AssertionRefused(ClientReason.ASSERTION_KEY) from None


def _key_for(assertion: Assertion, keys: tuple[AssertionKey, ...]) -> AssertionKey | None:
    """Return the registered key that the header means; only its registered algorithms may be used with it."""
    for key in keys:
        # A single key needs no name: then either side may leave it out.
        is_meant = assertion.kid == key.kid or (len(keys) == 1 and None in (assertion.kid, key.kid))
        if is_meant and assertion.algorithm in key.algorithms:
            return key
    return None


def _check_times(claims: Mapping[str, Any], now: float) -> float:
    expires = _time(claims, "exp", required=True)
    issued = _time(claims, "iat", required=False)
    starts = _time(claims, "nbf", required=False)
    if expires <= now:
        raise AssertionRefused(ClientReason.ASSERTION_EXPIRED)
    if max(issued, starts) > now + SKEW_SECONDS:
        raise AssertionRefused(ClientReason.ASSERTION_NOT_YET)
    latest = now + MAX_SECONDS + SKEW_SECONDS
    if issued:
        latest = min(latest, issued + MAX_SECONDS)
    if expires > latest:
        raise AssertionRefused(ClientReason.ASSERTION_TOO_LONG)
    return expires


def _time(claims: Mapping[str, Any], name: str, *, required: bool) -> float:
    value = claims.get(name)
    if value is None and not required:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise AssertionRefused(ClientReason.ASSERTION_MALFORMED)
    return float(value)


# --- signatures (RFC 7518, 3; RFC 8037) -----------------------------------------------------------------


def _ecdsa(hash_: HashAlgorithm, size: int) -> Callable[[Any, bytes, bytes], None]:
    def verify(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignature
        r, s = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hash_))

    return verify


def _rsa(pad: padding.AsymmetricPadding) -> Callable[[Any, bytes, bytes], None]:
    def verify(key: rsa.RSAPublicKey, signature: bytes, message: bytes) -> None:
        key.verify(signature, message, pad, SHA256())

    return verify


def _eddsa(key: ed25519.Ed25519PublicKey, signature: bytes, message: bytes) -> None:
    key.verify(signature, message)


VERIFIERS: dict[str, Callable[[Any, bytes, bytes], None]] = {  # Any: the key that `_algorithms` pairs with it
    "ES256": _ecdsa(SHA256(), 32),
    "ES384": _ecdsa(SHA384(), 48),
    "RS256": _rsa(padding.PKCS1v15()),
    "PS256": _rsa(padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)),
    "EdDSA": _eddsa,
    "Ed25519": _eddsa,
}
ALGORITHMS = tuple(sorted(VERIFIERS))
