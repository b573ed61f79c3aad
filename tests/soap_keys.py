"""Certificates of tests, and what a receiver does with a signed message: verify it by the standard's own steps."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from signxml.verifier import XMLVerifier

from connectors.builtin.soap.security import DS, WSSE, WSU


def a_certificate(kind: str) -> tuple[str, str]:
    """Return a key and a certificate of its own in PEM."""
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "giả lập")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return pem, certificate.public_bytes(Encoding.PEM).decode()


def verified(message: bytes, certificate: str) -> set[str]:
    """Return the names of the elements that a message's signature covers; none when it is not good."""
    root = etree.fromstring(message)
    signature = root.find(f".//{{{WSSE}}}Security/{{{DS}}}Signature")
    assert signature is not None
    reference = signature.find(f".//{{{WSSE}}}Reference")
    assert reference is not None
    token = by_id(root, reference.get("URI", ""))
    trusted = x509.load_pem_x509_certificate(certificate.encode())
    if b64decode(token.text or "") != trusted.public_bytes(Encoding.DER):
        return set()
    info = signature.find(f"{{{DS}}}SignedInfo")
    assert info is not None
    value = b64decode(signature.findtext(f"{{{DS}}}SignatureValue", ""))
    signed = canonical(info)
    public = trusted.public_key()
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(value, signed, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(public, ec.EllipticCurvePublicKey):
            half = len(value) // 2
            parts = int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big")
            public.verify(utils.encode_dss_signature(*parts), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return set()
    covered = set()
    for one in info.iter(f"{{{DS}}}Reference"):
        element = by_id(root, one.get("URI", ""))
        if b64decode(one.findtext(f"{{{DS}}}DigestValue", "")) != sha256(canonical(element)).digest():
            return set()
        covered.add(str(element.tag))
    return covered


def verified_by_signxml(message: bytes, certificate: str) -> int:
    """Return how many references another implementation finds good."""
    root = etree.fromstring(message)
    verifier = XMLVerifier()
    results = verifier.verify(
        root, x509_cert=certificate, expect_references=2, id_attribute="Id", require_x509=True
    )
    return len(results) if isinstance(results, list) else 1


def canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def by_id(root: etree._Element, uri: str) -> etree._Element:
    (found,) = (one for one in root.iter() if one.get(f"{{{WSU}}}Id") == uri.removeprefix("#"))
    return found
