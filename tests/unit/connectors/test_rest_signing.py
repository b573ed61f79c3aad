"""Signed requests: HMAC over declared parts, VXP's headers, and RFC 9421 with its own examples."""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.builtin.rest import RESTSettings
from connectors.builtin.rest.message_signing import MessageSigner
from connectors.builtin.rest.signature_settings import HMACSignature, MessageSignature
from connectors.builtin.rest.signing import HMACSigner, as_gson, unpadded_hex, written_time
from connectors.contract import HTTPClient, HTTPRequest, Rejected
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from gateway.http1 import HTTP1Transport
from tests import hostile as h
from tests.connectors import KnownSecrets, a_call, a_context
from tests.unit.connectors.rest_providers import Provider, a_connector, done

NOON = 1618884473.042
BODY = b'{"hello": "world"}'
SHARED = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
ED25519 = (
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n"
    "-----END PRIVATE KEY-----\n"
)
"""The keys that RFC 9421 publishes for its examples (B.1.5, B.1.4)."""


class Noon:
    """A clock that stands still."""

    def monotonic(self) -> float:
        return 0.0

    def time(self) -> float:
        return NOON


class AnyHost(KnownSecrets):
    """Secrets for every host: the RFC's examples are for one that is not here."""

    def get(self, name: str, *, host: str) -> str:
        return super().get(name, host="127.0.0.1:443")


@pytest.fixture
async def http() -> AsyncIterator[HTTPClient]:
    egress = parse_egress(networks=["127.0.0.0/8"])
    async with HTTP1Transport(egress=egress, deadlines=Deadlines()) as client:
        yield client


def signed(settings: dict[str, Any], key: str, request: HTTPRequest) -> dict[str, str]:
    context = replace(a_context(cast("HTTPClient", None)), clock=Noon(), secrets=AnyHost({"k": key}))
    full = settings | {"key": "secret:k"}
    if settings["kind"] == "hmac":
        HMACSigner(HMACSignature.model_validate(full), context).sign(request)
    else:
        MessageSigner(MessageSignature.model_validate(full), context).sign(request)
    return {name.decode(): value.decode() for name, value in request.headers}


def the_example(body: bytes = BODY) -> HTTPRequest:
    """The request of RFC 9421, B.2."""
    return HTTPRequest(
        method="POST",
        url="https://example.com/foo?param=Value&Pet=dog",
        headers=[(b"date", b"Tue, 20 Apr 2021 02:07:55 GMT"), (b"content-type", b"application/json")],
        body=body,
        deadline=0.0,
    )


# --- RFC 9421 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "key", "key_id", "label", "components", "signature"),
    [
        (
            "hmac-sha256",
            SHARED,
            "test-shared-secret",
            "sig-b25",
            ["date", "@authority", "content-type"],
            "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
        ),
        (
            "ed25519",
            ED25519,
            "test-key-ed25519",
            "sig-b26",
            ["date", "@method", "@path", "@authority", "content-type", "content-length"],
            "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
        ),
    ],
)
def test_the_standards_own_examples(  # a table's columns
    algorithm: str,
    key: str,
    key_id: str,
    label: str,
    components: list[str],
    signature: str,
) -> None:
    settings = {"kind": "rfc9421", "algorithm": algorithm, "key_id": key_id, "label": label, "alg": False}
    headers = signed(settings | {"components": components}, key, the_example())

    names = " ".join(f'"{name}"' for name in components)
    assert headers["signature-input"] == f'{label}=({names});created=1618884473;keyid="{key_id}"'
    assert headers["signature"] == f"{label}=:{signature}:"


@pytest.mark.parametrize(
    ("digest", "value"),
    [
        ("sha-256", "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="),
        (
            "sha-512",
            "WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==",
        ),
    ],
)
def test_the_content_is_digested_and_signed(digest: str, value: str) -> None:
    settings = {"kind": "rfc9421", "algorithm": "hmac-sha256", "key_id": "k", "digest": digest}
    more = {"expires_seconds": 60, "nonce": True, "tag": "lgsp"}
    headers = signed(settings | more, SHARED, the_example())

    parameters = headers["signature-input"].removeprefix("sig1=")
    base = (
        '"@method": POST\n"@target-uri": https://example.com/foo?param=Value&Pet=dog\n'
        f'"content-digest": {digest}=:{value}:\n"@signature-params": {parameters}'
    )
    made = hmac.new(b64decode(SHARED), base.encode(), "sha256").digest()
    assert headers["content-digest"] == f"{digest}=:{value}:"
    assert headers["signature"] == f"sig1=:{b64encode(made).decode()}:"
    assert all(
        word in parameters for word in ("expires=1618884533", "nonce=", 'alg="hmac-sha256"', 'tag="lgsp"')
    )


EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)


def verify_ecdsa(signature: bytes, base: bytes) -> None:
    pair = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    EC_KEY.public_key().verify(encode_dss_signature(*pair), base, ec.ECDSA(hashes.SHA256()))


def verify_pss(signature: bytes, base: bytes) -> None:
    pss = padding.PSS(padding.MGF1(hashes.SHA512()), 64)
    RSA_KEY.public_key().verify(signature, base, pss, hashes.SHA512())


@pytest.mark.parametrize(
    ("algorithm", "key", "verify"),
    [("ecdsa-p256-sha256", EC_KEY, verify_ecdsa), ("rsa-pss-sha512", RSA_KEY, verify_pss)],
)
def test_signatures_that_are_never_the_same_verify(
    algorithm: str, key: Any, verify: Callable[[bytes, bytes], None]
) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    settings = {
        "kind": "rfc9421",
        "algorithm": algorithm,
        "key_id": "k",
        "components": ["@query", "@authority"],
    }
    headers = signed(settings, pem, the_example())

    parameters = headers["signature-input"].removeprefix("sig1=")
    base = f'"@query": ?param=Value&Pet=dog\n"@authority": example.com\n"@signature-params": {parameters}'
    verify(b64decode(headers["signature"][6:-1]), base.encode())


@pytest.mark.parametrize(
    ("algorithm", "key"), [("ed25519", "hidden"), ("rsa-pss-sha512", ED25519), ("hmac-sha256", "hidden!")]
)
async def test_a_key_that_does_not_fit_is_said_by_the_check(
    http: HTTPClient, algorithm: str, key: str
) -> None:
    signature = {"kind": "rfc9421", "algorithm": algorithm, "key": "secret:k", "key_id": "k"}
    async with h.hostile(Provider()) as server:
        connector = a_connector(http, server.address, signature=signature, secrets={"k": key})
        result = await connector.call(a_call())
        steps = {step.step: step for step in await connector.check()}

    assert result == Rejected(reason="credentials")
    assert (steps["credentials"].ok, "does not fit" in steps["credentials"].detail) == (False, True)
    assert "hidden" not in repr(steps)


# --- HMAC over declared parts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "write"),
    [
        ("hex", bytes.hex),
        ("hex-upper", lambda it: it.hex().upper()),
        ("base64", lambda it: b64encode(it).decode()),
    ],
)
def test_declared_parts_are_signed(encoding: str, write: Callable[[bytes], str]) -> None:
    parts = ["text:app-1", "method", "authority", "path", "query", "target", "url", "header:content-type"]
    settings = {
        "kind": "hmac",
        "parts": [*parts, "timestamp", "nonce", "body", "body-digest"],
        "separator": "|",
        "encoding": encoding,
        "header": "X-Signature",
        "prefix": "HMAC app-1:",
        "timestamp_header": "X-Time",
        "nonce_header": "X-Nonce",
    }
    headers = signed(settings, "khoa chung", the_example())

    target = "/foo?param=Value&Pet=dog"
    text = [
        "app-1", "POST", "example.com", "/foo", "param=Value&Pet=dog", target, f"https://example.com{target}",
        "application/json", "1618884473042", headers["x-nonce"], BODY.decode(), hashlib.sha256(BODY).hexdigest(),
    ]  # fmt: skip
    made = hmac.new(b"khoa chung", "|".join(text).encode(), "sha256").digest()
    assert headers["x-time"] == "1618884473042"
    assert headers["x-signature"] == "HMAC app-1:" + write(made)


@pytest.mark.parametrize(("form", "key"), [("hex", "00ff"), ("base64", "AP8="), ("text", "\0\xff")])
def test_the_key_is_what_its_text_stands_for(form: str, key: str) -> None:
    settings = {"kind": "hmac", "parts": ["method"], "header": "x", "key_encoding": form}
    headers = signed(settings, key, the_example())

    assert (
        headers["x"] == hmac.new(key.encode() if form == "text" else b"\0\xff", b"POST", "sha256").hexdigest()
    )


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("milliseconds", "1618884473042"),
        ("seconds", "1618884473"),
        ("iso", "2021-04-20T02:07:53Z"),
        ("vxp", "20042021T090753+0042"),
    ],
)
def test_times_are_written_as_they_are_wanted(form: str, text: str) -> None:
    assert written_time(NOON, form) == text


async def pieces() -> AsyncIterator[bytes]:
    yield b"x" * 70_000


@pytest.mark.parametrize(
    "signature",
    [
        {"kind": "hmac", "parts": ["body"], "header": "x"},
        {"kind": "hmac", "parts": ["body-digest"], "header": "x"},
        {"kind": "rfc9421", "algorithm": "hmac-sha256", "key_id": "k"},
        {"kind": "vxp", "system_id": "000.00.00.H99"},
    ],
)
async def test_a_stream_that_would_have_to_be_signed_is_refused(
    http: HTTPClient, signature: dict[str, Any]
) -> None:
    async with h.hostile(Provider()) as server:
        signing = signature | {"key": "secret:khoa"}
        connector = a_connector(http, server.address, signature=signing)
        headers = [(b"content-type", b"application/octet-stream")]
        result = await connector.call(a_call(method="POST", body=pieces(), headers=headers))

    assert result == Rejected(reason="unfit body: too large for its content to be signed")
    assert server.conversations == []


async def test_a_signature_covers_what_is_sent_and_cannot_be_forged(http: HTTPClient) -> None:
    provider = Provider()
    signature = {
        "kind": "hmac",
        "key": "secret:khoa",
        "parts": ["target", "header:x-officer", "header:authorization"],
        "header": "x-signature",
        "nonce_header": "x-nonce",
    }
    credentials = {"kind": "basic", "username": "u", "password": "secret:bi-mat"}
    async with h.hostile(provider) as server:
        connector = a_connector(
            http,
            server.address + "/b",
            signature=signature,
            credentials=credentials,
            query={"k": "secret:mat-khau"},
        )
        headers = [(b"x-signature", b"forged"), (b"x-nonce", b"forged")]
        for _ in range(2):
            done(await connector.call(a_call(headers=headers, context={"X-Officer": "cb-01"})))
        missing = await connector.call(a_call())

    fields = provider.fields(0)
    text = f"/b/tra-cuu?k=m%2Ft%2Bkh4u%3D\ncb-01\n{fields['authorization']}"
    assert fields["x-signature"] == hmac.new(b"a2hvYQ==", text.encode(), "sha256").hexdigest()
    assert provider.heads[0].lower().count(b"x-signature:") == 1
    assert fields["x-nonce"] != provider.fields(1)["x-nonce"]
    assert missing == Rejected(reason="unfit header:x-officer: the signature needs it")


# --- VXP ------------------------------------------------------------------------------------------------


async def test_the_document_axis_gets_its_headers(http: HTTPClient) -> None:
    provider = Provider()
    signature = {
        "kind": "vxp",
        "system_id": "000.00.00.H99",
        "key": "secret:bi-mat",
        "parameters": {"servicetype": "eDoc", "AgencyCode": None, "to": None},
    }
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"xroadvnpt-to", "[\"Sở <a> & 'b'\"]".encode()),
        (b"xroadvnpt-systemid", b"forged"),
        (b"xroadvnpt-hash-header", b"forged"),
    ]
    async with h.hostile(provider) as server:
        connector = a_connector(http, server.address, signature=signature)
        done(await connector.call(a_call(method="POST", body=b"edxml", headers=headers)))

    head = provider.heads[0]
    fields = dict(line.split(b": ", 1) for line in head.strip().split(b"\r\n")[1:])
    text = fields[b"xroadvnpt-sign-header"]
    assert fields[b"xroadvnpt-hash-header"].decode() == hmac.new(b"bi mat/1", text, "sha256").hexdigest()
    assert b"\\u003ca\\u003e \\u0026 \\u0027b\\u0027" in text
    assert provider.bodies == [b"edxml\r\n"]
    members = json.loads(text)
    assert list(members) == [
        f"XroadVnpt-{name}" for name in fields[b"xroadvnpt-sign-header-key"].decode().split(";")
    ]
    assert all(fields[name.lower().encode()].decode() == value for name, value in members.items())
    assert {name: value for name, value in members.items() if "timestamp" not in name} == {
        "XroadVnpt-systemid": "000.00.00.H99",
        "XroadVnpt-Content-Type": "application/octet-stream",
        "XroadVnpt-servicetype": "eDoc",
        "XroadVnpt-to": "[\"Sở <a> & 'b'\"]",
        "XroadVnpt-hash-file": unpadded_hex(hashlib.sha256(b"edxml").digest()),
    }
    assert head.count(b"forged") == 0


def test_digests_and_json_are_spelt_as_the_sdk_does() -> None:
    assert unpadded_hex(b"\x0a\xff\x00") == "aff0"
    assert as_gson({"a": "é=\u2028"}) == '{"a":"é\\u003d\\u2028"}'


@pytest.mark.parametrize(
    "signature",
    [
        {"kind": "hmac", "key": "secret:k", "parts": [], "header": "x"},
        {"kind": "hmac", "key": "secret:k", "parts": ["header:X"], "header": "x"},
        {"kind": "hmac", "key": "plain", "parts": ["body"], "header": "x"},
        {"kind": "rfc9421", "key": "secret:k", "key_id": "k", "algorithm": "none"},
        {
            "kind": "rfc9421",
            "key": "secret:k",
            "key_id": "k",
            "algorithm": "ed25519",
            "components": ["@status"],
        },
    ],
)
def test_signatures_that_cannot_be_are_refused(signature: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="signature"):
        RESTSettings.model_validate({"url": "http://a.example", "signature": signature})
