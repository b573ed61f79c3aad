"""WS-Security: a user name with a password (hashed or plain), or a signature with a certificate."""

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates
from lxml import etree
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from connectors.builtin.soap.envelope import body_of
from connectors.builtin.soap.xml import SafeReader, escape, namespace
from connectors.contract import Clock, Secrets
from connectors.credentials import SecretName
from connectors.errors import SecretUnknown

_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE = _OASIS + "wssecurity-secext-1.0.xsd"
WSU = _OASIS + "wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ID = f"{{{WSU}}}Id"
_DIGEST = _OASIS + "username-token-profile-1.0#PasswordDigest"
_PLAIN = _OASIS + "username-token-profile-1.0#PasswordText"
_BASE64 = _OASIS + "soap-message-security-1.0#Base64Binary"
_X509 = _OASIS + "x509-token-profile-1.0#X509v3"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
LIFE = timedelta(minutes=5)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UsernameToken(_Settings):
    """WS-Security UsernameToken."""

    kind: Literal["username-token"] = Field(description="Says that it is this.")
    username: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="Our name with the provider."
    )
    password: SecretName = Field(description="Reference to the password, `secret:NAME`.")
    password_type: Literal["digest", "text"] = Field(
        "digest", description="How the password goes: hashed with a nonce and the time, or as it is."
    )


class X509Signature(_Settings):
    """WS-Security X.509: body and time stamp are signed, the certificate goes with them."""

    kind: Literal["x509"] = Field(description="Says that it is this.")
    key: SecretName = Field(description="Reference to the private key in PEM (RSA or EC), `secret:NAME`.")
    certificate: SecretName = Field(description="Reference to its certificate in PEM, `secret:NAME`.")


SecuritySettings = Annotated[UsernameToken | X509Signature, Field(discriminator="kind")]


class Security:
    """Secures messages as the settings say. Secrets are asked for anew each time, so that a change needs no restart."""

    def __init__(self, settings: UsernameToken | X509Signature, secrets: Secrets, clock: Clock) -> None:
        self._settings = settings
        self._secrets = secrets
        self._clock = clock
        self._read = SafeReader()
        self._made: tuple[tuple[str, str], Any, list[Certificate]] | None = None  # Any: a private key

    def header(self, authority: str) -> str:
        """Return what has to stand in the envelope's header before it is written. Raises SecretUnknown."""
        if not isinstance(self._settings, UsernameToken):
            return ""
        password = self._secrets.get(self._settings.password, host=authority)
        created = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        nonce = secrets.token_bytes(16)
        proof, how = password, _PLAIN
        if self._settings.password_type == "digest":  # noqa: S105 (a way, not a password)
            # The profile prescribes SHA-1 here; nothing but this one header rests on it.
            digest = hashlib.sha1(nonce + created.encode() + password.encode()).digest()  # noqa: S324
            proof, how = b64encode(digest).decode(), _DIGEST
        return (
            f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" s:mustUnderstand="1"><wsse:UsernameToken>'
            f"<wsse:Username>{escape(self._settings.username)}</wsse:Username>"
            f'<wsse:Password Type="{how}">{escape(proof)}</wsse:Password>'
            f'<wsse:Nonce EncodingType="{_BASE64}">{b64encode(nonce).decode()}</wsse:Nonce>'
            f"<wsu:Created>{created}</wsu:Created></wsse:UsernameToken></wsse:Security>"
        )

    @property
    def signs(self) -> bool:
        """Whether messages are signed once they are whole; that takes about a millisecond."""
        return isinstance(self._settings, X509Signature)

    def sign(self, message: bytes, authority: str) -> bytes:
        """Return the message with its signature. Raises SecretUnknown."""
        key, chain = self._key(authority)
        root = self._read(message)
        body = body_of(root)
        body.set(_ID, "body")
        security = self._prepare(root, namespace(root.tag), chain[0])
        stamp = security[-1]
        signature = self._read(_signature(key, {"body": body, "time": stamp}).encode())
        security.append(signature)
        return etree.tostring(root, encoding="utf-8", xml_declaration=True)

    def _prepare(self, root: etree._Element, soap: str, certificate: Certificate) -> etree._Element:
        """Put the security header with certificate and time stamp into a message."""
        header = root.find(f"{{{soap}}}Header")
        if header is None:
            header = etree.Element(f"{{{soap}}}Header")
            root.insert(0, header)
        security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU})
        security.set(f"{{{soap}}}mustUnderstand", "1")
        token = etree.SubElement(
            security, f"{{{WSSE}}}BinarySecurityToken", EncodingType=_BASE64, ValueType=_X509
        )
        token.set(_ID, "certificate")
        token.text = b64encode(certificate.public_bytes(Encoding.DER)).decode()
        stamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
        stamp.set(_ID, "time")
        now = self._now()
        for name, moment in (("Created", now), ("Expires", now + LIFE)):
            etree.SubElement(stamp, f"{{{WSU}}}{name}").text = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        return security

    def _key(self, authority: str) -> tuple[Any, list[Certificate]]:  # Any: a private key of either kind
        if not isinstance(self._settings, X509Signature):
            raise TypeError("nothing is signed")
        asked = (self._settings.key, self._settings.certificate)
        key_pem, certificate_pem = (self._secrets.get(name, host=authority) for name in asked)
        if self._made is None or self._made[0] != (key_pem, certificate_pem):
            try:
                key = load_pem_private_key(key_pem.encode(), None)
                chain = load_pem_x509_certificates(certificate_pem.encode())
            except (ValueError, TypeError):
                raise SecretUnknown(f"{asked[0]} and {asked[1]} are no key and certificate in PEM") from None
            if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
                raise SecretUnknown(f"{asked[0]} is neither an RSA nor an EC key")
            self._made = ((key_pem, certificate_pem), key, chain)
        return self._made[1], self._made[2]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)


def _signature(key: Any, covered: Mapping[str, etree._Element]) -> str:  # Any: a private key of either kind
    """Return a signature over elements by their id: exclusive C14N and SHA-256, as the Basic Security Profile wants."""
    references = "".join(
        f'<ds:Reference URI="#{name}"><ds:Transforms><ds:Transform Algorithm="{EXCLUSIVE}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{_SHA256}"/>'
        f"<ds:DigestValue>{b64encode(hashlib.sha256(_canonical(element)).digest()).decode()}</ds:DigestValue>"
        "</ds:Reference>"
        for name, element in covered.items()
    )
    algorithm = "rsa-sha256" if isinstance(key, rsa.RSAPrivateKey) else "ecdsa-sha256"
    info = (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        f'<ds:SignatureMethod Algorithm="{_MORE}{algorithm}"/>{references}</ds:SignedInfo>'
    )
    value = b64encode(_signed(key, _canonical(etree.fromstring(info)))).decode()
    return (
        f'<ds:Signature xmlns:ds="{DS}">{info}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo>'
        f'<wsse:SecurityTokenReference xmlns:wsse="{WSSE}"><wsse:Reference URI="#certificate" ValueType="{_X509}"/>'
        "</wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature>"
    )


def _signed(key: Any, octets: bytes) -> bytes:  # Any: a private key of either kind
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
    # XML wants the two numbers one after the other, not in DER.
    r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(hashes.SHA256())))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
