"""The node's keys: ES256 signatures as they stand in tokens, the current key, and those that still verify."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key

from auth import base64url
from auth.errors import KeyMissing

ALGORITHM = "ES256"
TOKEN_TYPE = "at+jwt"  # noqa: S105  (RFC 9068, section 2.1)
FIELD_BYTES = 32
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of the curve P-256 (FIPS 186-4, D.1.2.3)."""

_ECDSA = ec.ECDSA(SHA256())


class KeyMaterial(Protocol):
    """A key as the store keeps it: the private key as PKCS #8 in DER, times in epoch seconds."""

    @property
    def number(self) -> int: ...
    @property
    def kid(self) -> str: ...
    @property
    def private(self) -> bytes: ...
    @property
    def active_from(self) -> int: ...
    @property
    def verifies_until(self) -> int | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One ES256 key. It signs from `active_from` on until a newer one does, and verifies until `verifies_until`.

    Newer is what has the higher `number`.
    `header` is the first segment of every token signed with it, byte for byte.
    """

    kid: str
    private: ec.EllipticCurvePrivateKey = field(repr=False)
    active_from: int = 0
    verifies_until: int | None = None
    number: int = 1
    public: ec.EllipticCurvePublicKey = field(init=False, repr=False)
    header: str = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.private.curve, ec.SECP256R1):
            raise ValueError("ES256 needs a key on the curve P-256")
        object.__setattr__(self, "public", self.private.public_key())
        object.__setattr__(self, "header", header_of(self.kid))

    @classmethod
    def generate(cls, *, kid: str, active_from: int = 0, number: int = 1) -> "SigningKey":
        """Make a new key."""
        private = ec.generate_private_key(ec.SECP256R1())
        return cls(kid=kid, private=private, active_from=active_from, number=number)

    @classmethod
    def parse(cls, material: KeyMaterial) -> "SigningKey":
        """Read a key from its stored form."""
        private = load_der_private_key(material.private, password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError("ES256 needs an elliptic-curve key")
        return cls(
            kid=material.kid,
            private=private,
            active_from=material.active_from,
            verifies_until=material.verifies_until,
            number=material.number,
        )

    def sign(self, message: bytes) -> bytes:
        """Sign as RFC 7518, 3.4 writes it (R and S), in the lower of the two forms that ECDSA allows."""
        r, s = decode_dss_signature(self.private.sign(message, _ECDSA))
        return r.to_bytes(FIELD_BYTES, "big") + min(s, ORDER - s).to_bytes(FIELD_BYTES, "big")

    def is_signature(self, signature: bytes, message: bytes) -> bool:
        """Tell whether this key made `signature`. The upper form is refused: one token, one spelling."""
        if len(signature) != 2 * FIELD_BYTES:
            return False
        r = int.from_bytes(signature[:FIELD_BYTES], "big")
        s = int.from_bytes(signature[FIELD_BYTES:], "big")
        if s > ORDER // 2:
            return False
        try:
            self.public.verify(encode_dss_signature(r, s), message, _ECDSA)
        except InvalidSignature:
            return False
        return True

    def jwk(self) -> dict[str, str]:
        """Return the public half as RFC 7517 writes it."""
        point = self.public.public_numbers()
        return {
            "kty": "EC",
            "crv": "P-256",
            "x": base64url.encode(point.x.to_bytes(FIELD_BYTES, "big")),
            "y": base64url.encode(point.y.to_bytes(FIELD_BYTES, "big")),
            "kid": self.kid,
            "use": "sig",
            "alg": ALGORITHM,
        }


def header_of(kid: str) -> str:
    """Return the first segment of every token signed with the key `kid`."""
    return base64url.encode(f'{{"alg":"{ALGORITHM}","typ":"{TOKEN_TYPE}","kid":"{kid}"}}'.encode())


class KeyRing:
    """The keys in use: one signs, the others still (or soon) verify.

    `replace` swaps all of them by one reference, so a request sees either the old or the new set.
    """

    def __init__(self, keys: Iterable[SigningKey] = ()) -> None:
        self._keys: tuple[SigningKey, ...] = ()
        self._by_header: dict[str, SigningKey] = {}
        self._by_kid: dict[str, SigningKey] = {}
        self.replace(keys)

    def replace(self, keys: Iterable[SigningKey]) -> None:
        """Use these keys from now on."""
        ordered = tuple(sorted(keys, key=lambda key: key.number, reverse=True))
        self._by_header = {key.header: key for key in ordered}
        self._by_kid = {key.kid: key for key in ordered}
        self._keys = ordered

    def kids(self) -> frozenset[str]:
        """Return the ids of all keys."""
        return frozenset(key.kid for key in self._keys)

    def current(self, now: float) -> SigningKey:
        """Return the key that signs at `now`: the newest that has become active. Raises KeyMissing."""
        living = [key for key in self._keys if _verifies(key, now)]
        if not living:
            raise KeyMissing("no signing key is in use")
        # A clock that lags behind that of the machine which made the only key must not stop this one.
        return next((key for key in living if key.active_from <= now), living[-1])

    def find(self, header: str, now: float) -> SigningKey | None:
        """Return the key whose tokens begin with exactly this segment, while it verifies."""
        key = self._by_header.get(header)
        return key if key is not None and _verifies(key, now) else None

    def is_living(self, kid: str, now: float) -> bool:
        """Tell whether tokens of this key still verify. Cheap: asked on every request with a remembered token."""
        key = self._by_kid.get(kid)
        return key is not None and _verifies(key, now)

    def sign(self, payload: bytes, now: float) -> str:
        """Return a compact JWS of `payload` under the current key. Raises KeyMissing."""
        key = self.current(now)
        message = f"{key.header}.{base64url.encode(payload)}"
        return f"{message}.{base64url.encode(key.sign(message.encode('ascii')))}"

    def public_jwks(self, now: float) -> dict[str, Any]:  # Any: a JSON document
        """Return the JWK set of every key that verifies now or will."""
        return {"keys": [key.jwk() for key in self._keys if _verifies(key, now)]}


def _verifies(key: SigningKey, now: float) -> bool:
    return key.verifies_until is None or now < key.verifies_until
