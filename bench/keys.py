"""Keys of the benchmark: an RS256 token that the proxies check, and a certificate for their listening side."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

ISSUER = "bench"
DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a run uses: a token with the key that checks it, as JWKS and as PEM, and a certificate with its key.

    `pair` is certificate and key in one file.
    """

    token: str
    jwks: str
    public: Path
    certificate: Path
    private: Path
    pair: Path


def make_keys(folder: Path) -> Keys:
    """Make the keys of a run in a folder."""
    rsa = RSAKey.generate_key(2048, parameters={"kid": "bench", "alg": "RS256", "use": "sig"})
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "bench", "iat": now, "exp": now + DAY}
    certificate, private = _certificate()
    keys = Keys(
        token=jwt.encode({"alg": "RS256", "kid": "bench"}, claims, rsa),
        jwks=json.dumps(KeySet([rsa]).as_dict(private=False)),
        public=folder / "token.pem",
        certificate=folder / "tls.pem",
        private=folder / "tls.key",
        pair=folder / "tls-pair.pem",
    )
    keys.public.write_bytes(rsa.as_pem(private=False))
    keys.certificate.write_bytes(certificate)
    keys.private.write_bytes(private)
    keys.pair.write_bytes(certificate + private)
    for secret in (keys.private, keys.pair):
        secret.chmod(0o600)
    return keys


def _certificate() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private
