"""HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530)."""

import hashlib
import secrets
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPSignatureKeyResolver,
    algorithms,
)

from connectors.builtin.rest.errors import Unfit
from connectors.builtin.rest.signature_settings import MessageSignature
from connectors.builtin.rest.signing import whole_body
from connectors.contract import ConnectorContext, HTTPRequest
from connectors.credentials import CredentialsRefused, authority_of

_ALGORITHMS: dict[str, type[algorithms.HTTPSignatureAlgorithm]] = {
    "ed25519": algorithms.ED25519,
    "ecdsa-p256-sha256": algorithms.ECDSA_P256_SHA256,
    "ecdsa-p384-sha384": algorithms.ECDSA_P384_SHA384,
    "rsa-pss-sha512": algorithms.RSA_PSS_SHA512,
    "rsa-v1_5-sha256": algorithms.RSA_V1_5_SHA256,
    "hmac-sha256": algorithms.HMAC_SHA256,
}
_DIGESTS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_WRITTEN = (b"signature", b"signature-input", b"content-digest")


class _Message:
    """A request as the library wants to see it."""

    def __init__(self, request: HTTPRequest) -> None:
        self.method = request.method
        self.url = request.url
        self.headers: dict[str, str] = {}
        if isinstance(request.body, bytes) and request.body:
            # The client writes it, and only then.
            self.headers["content-length"] = str(len(request.body))
        for name, value in request.headers:
            key, text = name.decode("latin-1"), value.decode("latin-1").strip()
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text


class _Key(HTTPSignatureKeyResolver):
    def __init__(self, key: object) -> None:
        self._key = key

    def resolve_private_key(self, key_id: str) -> object:
        """Return the one key that there is."""
        return self._key


class MessageSigner:
    """Signs requests as RFC 9421 says."""

    def __init__(self, settings: MessageSignature, context: ConnectorContext) -> None:
        self._settings = settings
        self._context = context
        self.names = frozenset(_WRITTEN)
        self._kept: tuple[str, object] | None = None

    def sign(self, request: HTTPRequest) -> None:
        """Add `Signature`, `Signature-Input` and, where it is signed, `Content-Digest`."""
        settings = self._settings
        if "content-digest" in settings.components:
            digest = _DIGESTS[settings.digest](whole_body(request)).digest()
            value = settings.digest.encode() + b"=:" + b64encode(digest) + b":"
            request.headers = [*request.headers, (b"content-digest", value)]
        message = _Message(request)
        self._sign(message, authority_of(request.url))
        request.headers = [
            *request.headers,
            (b"signature-input", message.headers["Signature-Input"].encode()),
            (b"signature", message.headers["Signature"].encode()),
        ]

    def _sign(self, message: _Message, authority: str) -> None:
        settings = self._settings
        missing = [it for it in settings.components if it[0] != "@" and it not in message.headers]
        if missing:
            raise Unfit(f"header:{missing[0]}: the signature needs it")
        key = self._key(authority)
        now = datetime.fromtimestamp(self._context.clock.time(), UTC)
        life = settings.expires_seconds
        try:
            HTTPMessageSigner(
                signature_algorithm=_ALGORITHMS[settings.algorithm], key_resolver=_Key(key)
            ).sign(
                message,
                key_id=settings.key_id,
                created=now,
                expires=now + timedelta(seconds=life) if life is not None else None,
                nonce=secrets.token_urlsafe(16) if settings.nonce else None,
                label=settings.label,
                tag=settings.tag or None,
                include_alg=settings.alg,
                covered_component_ids=settings.components,
                use_existing_digest="content-digest" in message.headers,
            )
        except HTTPMessageSignaturesException:
            # The library's text may repeat a header's value.
            raise Unfit("headers: they cannot be signed") from None

    def _key(self, authority: str) -> object:
        text = self._context.secrets.get(self._settings.key, host=authority)
        try:
            # Reading an RSA key costs a hundred times what signing with it does.
            if self._kept is None or self._kept[0] != text:
                self._kept = (text, self._read(text))
        except (ValueError, TypeError, UnsupportedAlgorithm, HTTPMessageSignaturesException):
            raise CredentialsRefused("the signature's key does not fit its algorithm") from None
        return self._kept[1]

    def _read(self, text: str) -> object:
        if self._settings.algorithm == "hmac-sha256":
            return b64decode(text, validate=True)
        key = load_pem_private_key(text.encode(), password=None)
        _ALGORITHMS[self._settings.algorithm](private_key=key)
        return key
