"""What can go wrong when somebody says who they are.

AuthError
├── TokenError                 an access token is not accepted; the caller's fault
│   ├── TokenMalformed         not a token at all
│   ├── TokenForged            not signed by one of this node's keys, or not exactly as this node signs
│   ├── TokenForeign           made for, or by, another node
│   └── TokenExpired           genuine, but over; carries its claims
├── ClientRefused              a client may not have a token; says why
│   └── AssertionRefused       its `private_key_jwt` breaks a rule; says which
├── KeySetRefused              a client's JWK set cannot be used; says why
└── KeyMissing                 the node has no signing key in use; the node's fault
"""

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auth.tokens import Claims


class AuthError(Exception):
    """The root of this package's errors."""


class TokenError(AuthError):
    """An access token is not accepted."""


class TokenMalformed(TokenError):
    """Not a token at all."""


class TokenForged(TokenError):
    """Not signed by one of this node's keys, or not exactly as this node signs."""


class TokenForeign(TokenError):
    """Made for, or by, another node."""


class TokenExpired(TokenError):
    """Genuine, but over: `claims` say whose it was, so that the exchange can be recorded."""

    def __init__(self, claims: "Claims") -> None:
        super().__init__("the token has expired")
        self.claims = claims


class ClientReason(StrEnum):
    """Why a client may not have a token. Stable codes."""

    CREDENTIALS_WRONG = "credentials-wrong"
    SECRET_EXPIRED = "secret-expired"  # noqa: S105  (a code, not a secret)
    DISABLED = "client-disabled"
    NETWORK = "client-network"
    ASSERTION_MALFORMED = "assertion-malformed"
    ASSERTION_KEY = "assertion-key"
    ASSERTION_ISSUER = "assertion-issuer"
    ASSERTION_AUDIENCE = "assertion-audience"
    ASSERTION_EXPIRED = "assertion-expired"
    ASSERTION_NOT_YET = "assertion-not-yet"
    ASSERTION_TOO_LONG = "assertion-too-long"
    ASSERTION_JTI = "assertion-jti"
    ASSERTION_REPLAYED = "assertion-replayed"


class ClientRefused(AuthError):
    """A client may not have a token."""

    def __init__(self, reason: ClientReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class AssertionRefused(ClientRefused):
    """A `private_key_jwt` breaks a rule."""


class KeySetRefused(AuthError):
    """A client's JWK set cannot be used: `pointer` says where, `why` in a sentence."""

    def __init__(self, pointer: str, why: str) -> None:
        super().__init__(f"{pointer}: {why}")
        self.pointer = pointer
        self.why = why


class KeyMissing(AuthError):
    """The node has no signing key in use."""
