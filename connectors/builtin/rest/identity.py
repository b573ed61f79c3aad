"""Who an endpoint says it is in TLS: clients of its own, one for each certificate, made when they are needed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from connectors.builtin.rest.settings import TLSSettings
from connectors.contract import (
    ConnectorContext,
    HTTPClient,
    HTTPReply,
    HTTPRequest,
    OwnHTTPClient,
    TLSIdentity,
)
from connectors.credentials import authority_of
from connectors.errors import NotSent, SecretUnknown

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "tls": "the certificate or the TLS handshake is not good",
        "tls-certificate-missing": "the provider asks for a client certificate",
        "tls-certificate-expired": "the provider says that our certificate has ended",
        "tls-certificate-refused": "the provider does not take our certificate",
        "tls-certificate-unusable": "our certificate and key cannot be used",
    }
)


class IdentityClient:
    """Sends with the endpoint's certificate. A certificate that was replaced gets a client of its own."""

    def __init__(self, settings: TLSSettings, http: HTTPClient, context: ConnectorContext) -> None:
        self._settings = settings
        self._http = http
        self._secrets = context.secrets
        self._clients: dict[str, tuple[TLSIdentity, OwnHTTPClient]] = {}
        self._replaced: list[OwnHTTPClient] = []

    async def send(self, request: HTTPRequest) -> HTTPReply:
        """Send over a connection that is this identity's alone. Raises as the host's client does, and SecretUnknown."""
        authority = authority_of(request.url)
        identity = self._identity(authority)
        kept = self._clients.get(authority)
        if kept is None or kept[0] != identity:
            kept = await self._renew(authority, identity)
        return await kept[1].send(request)

    async def close(self) -> None:
        """Close all clients. Idempotent."""
        clients = [client for _, client in self._clients.values()] + self._replaced
        self._clients, self._replaced = {}, []
        for client in clients:
            await client.close()

    def flaw(self, authority: str, now: float) -> str | None:
        """Return what is wrong with our own certificate, as far as can be seen from here."""
        try:
            identity = self._identity(authority)
        except SecretUnknown as error:
            return str(error)
        return _flaw(identity, datetime.fromtimestamp(now, UTC)) if identity.certificate else None

    def _identity(self, authority: str) -> TLSIdentity:
        settings, get = self._settings, self._secrets.get
        return TLSIdentity(
            certificate=get(settings.certificate, host=authority) if settings.certificate is not None else "",
            key=get(settings.key, host=authority) if settings.key is not None else "",
            authority=settings.authority,
        )

    async def _renew(self, authority: str, identity: TLSIdentity) -> tuple[TLSIdentity, OwnHTTPClient]:
        try:
            made = (identity, self._http.with_tls(identity))
        except ValueError:
            raise NotSent("tls-certificate-unusable") from None
        before = self._clients.get(authority)
        self._clients[authority] = made
        # Calls under way end with the certificate that they began with, unless it is replaced a second time.
        too_old, self._replaced = self._replaced, [before[1]] if before is not None else []
        for client in too_old:
            await client.close()
        return made


def _flaw(identity: TLSIdentity, now: datetime) -> str | None:
    try:
        certificate = x509.load_pem_x509_certificates(identity.certificate.encode())[0]
        key = load_pem_private_key((identity.key or identity.certificate).encode(), password=None)
    except (ValueError, TypeError, IndexError):
        return "our certificate or its key is not PEM, or the key is encrypted"
    if now >= certificate.not_valid_after_utc:
        return f"our certificate ended on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if now < certificate.not_valid_before_utc:
        return f"our certificate begins only on {certificate.not_valid_before_utc:%Y-%m-%d}"
    forms = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*forms) != certificate.public_key().public_bytes(*forms):
        return "our certificate and key do not belong together"
    return None
