import hmac
import json
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from auth import base64url
from auth.assertions import MAX_BYTES, check_assertion, parse_assertion, parse_key_set
from auth.errors import AssertionRefused, ClientReason, KeySetRefused

ISSUER = "https://lgsp.example"
CLIENT = "client-1"
NOW = 1_800_000_000.0

EC = ECKey.generate_key("P-256", {"kid": "ec"})
EC384 = ECKey.generate_key("P-384", {"kid": "ec384"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
ALL: list[Key] = [EC, EC384, RSA, ED]


def public(*keys: Key, **more: Any) -> dict[str, Any]:
    return {"keys": [{**key.as_dict(private=False), **more} for key in keys]}


KEYS = parse_key_set(public(*ALL))


def an_assertion(
    key: Key = EC, alg: str = "ES256", header: dict[str, Any] | None = None, **claims: Any
) -> str:
    said = {"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "1"} | claims
    said = {name: value for name, value in said.items() if value is not ...}
    with warnings.catch_warnings(
        action="ignore"
    ):  # joserfc warns of the older name EdDSA, which clients still use
        return jwt.encode({"alg": alg, "kid": key.kid} | (header or {}), said, key, algorithms=[alg])


def check(text: str, keys: Any = KEYS) -> tuple[str, int]:
    return check_assertion(parse_assertion(text), keys, client=CLIENT, issuer=ISSUER, now=NOW)


@pytest.mark.parametrize(
    ("key", "alg"),
    [(EC, "ES256"), (EC384, "ES384"), (RSA, "RS256"), (RSA, "PS256"), (ED, "Ed25519"), (ED, "EdDSA")],
)
def test_a_proper_assertion_is_taken(key: Key, alg: str) -> None:
    jti, forget_at = check(an_assertion(key, alg))

    assert jti == "1"
    assert forget_at > NOW + 60


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        pytest.param({"aud": [ISSUER]}, "assertion-audience", id="aud a list"),
        pytest.param({"aud": ISSUER + "/"}, "assertion-audience", id="aud almost"),
        pytest.param({"aud": ISSUER + "/token"}, "assertion-audience", id="aud the endpoint"),
        pytest.param({"aud": ...}, "assertion-audience", id="no aud"),
        pytest.param({"iss": "other"}, "assertion-issuer", id="other iss"),
        pytest.param({"sub": "other"}, "assertion-issuer", id="other sub"),
        pytest.param({"iss": ...}, "assertion-issuer", id="no iss"),
        pytest.param({"exp": NOW}, "assertion-expired", id="over"),
        pytest.param({"exp": ...}, "assertion-malformed", id="no exp"),
        pytest.param({"exp": "soon"}, "assertion-malformed", id="exp a text"),
        pytest.param({"exp": True}, "assertion-malformed", id="exp a boolean"),
        pytest.param({"exp": 1e300}, "assertion-too-long", id="exp far away"),
        pytest.param({"exp": NOW + 301}, "assertion-too-long", id="over five minutes"),
        pytest.param({"exp": NOW + 331, "iat": ...}, "assertion-too-long", id="over five minutes, no iat"),
        pytest.param({"iat": NOW + 31}, "assertion-not-yet", id="issued in the future"),
        pytest.param({"nbf": NOW + 31}, "assertion-not-yet", id="not before the future"),
        pytest.param({"jti": ...}, "assertion-jti", id="no jti"),
        pytest.param({"jti": ""}, "assertion-jti", id="empty jti"),
        pytest.param({"jti": 7}, "assertion-jti", id="jti a number"),
        pytest.param({"jti": "x" * 256}, "assertion-jti", id="jti too long"),
        pytest.param({"jti": "a\0b"}, "assertion-jti", id="jti with NUL"),
    ],
)
def test_an_assertion_that_breaks_a_rule_is_refused(claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(AssertionRefused) as refused:
        check(an_assertion(**claims))

    assert refused.value.reason == reason


def test_five_minutes_are_allowed() -> None:
    assert check(an_assertion(exp=NOW + 300))


@pytest.mark.parametrize(
    "header", [{"crit": ["b64"], "b64": True}, {"typ": "at+jwt"}, {"typ": 1}, {"zip": "DEF"}], ids=str
)
def test_an_unusual_header_is_refused(header: dict[str, Any]) -> None:
    good = an_assertion()
    _, claims, signature = good.split(".")
    head = base64url.encode(json.dumps({"alg": "ES256", "kid": "ec"} | header).encode())

    with pytest.raises(AssertionRefused) as refused:
        check(f"{head}.{claims}.{signature}")

    assert refused.value.reason is ClientReason.ASSERTION_MALFORMED


@pytest.mark.parametrize("text", ["", "a.b", "..", "e30.e30.", "W10.W10.", "a" * (MAX_BYTES + 1)])
def test_what_is_no_assertion_is_refused(text: str) -> None:
    with pytest.raises(AssertionRefused):
        check(text)


def test_a_stranger_key_is_refused_under_a_registered_name() -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "ec"})

    with pytest.raises(AssertionRefused) as refused:
        check(an_assertion(stranger))

    assert refused.value.reason is ClientReason.ASSERTION_KEY


def test_only_the_registered_algorithm_of_a_key_is_taken() -> None:
    keys = parse_key_set(public(RSA, alg="PS256"))

    assert check(an_assertion(RSA, "PS256"), keys)
    with pytest.raises(AssertionRefused):
        check(an_assertion(RSA, "RS256"), keys)


def test_a_public_key_is_no_shared_secret() -> None:
    header = base64url.encode(json.dumps({"alg": "HS256", "kid": "ec"}).encode())
    message = f"{header}.{an_assertion().split('.')[1]}"
    signature = hmac.digest(EC.as_pem(private=False), message.encode(), "sha256")

    with pytest.raises(AssertionRefused) as refused:
        check(f"{message}.{base64url.encode(signature)}")

    assert refused.value.reason is ClientReason.ASSERTION_KEY


def test_among_several_keys_one_must_be_named() -> None:
    with pytest.raises(AssertionRefused):
        check(an_assertion(header={"kid": "unknown"}))


def test_a_single_key_needs_no_name() -> None:
    nameless = {"keys": [{n: v for n, v in EC.as_dict(private=False).items() if n != "kid"}]}

    assert check(an_assertion(), parse_key_set(nameless))


GOOD = an_assertion()


@given(st.integers(0, len(GOOD) - 1), st.sampled_from("AQgwZ09-_."))
def test_a_changed_assertion_never_passes(place: int, character: str) -> None:
    mutated = GOOD[:place] + character + GOOD[place + 1 :]
    if mutated == GOOD:
        return

    with pytest.raises(AssertionRefused):
        check(mutated)


@pytest.mark.parametrize(
    ("jwks", "pointer"),
    [
        pytest.param({}, "/keys", id="no keys"),
        pytest.param({"keys": []}, "/keys", id="none"),
        pytest.param({"keys": ["x"]}, "/keys/0", id="not an object"),
        pytest.param({"keys": [{"kty": "EC"}]}, "/keys/0", id="half a key"),
        pytest.param({"keys": [EC.as_dict(private=True)]}, "/keys/0", id="a private key"),
        pytest.param({"keys": [OctKey.generate_key(256).as_dict(private=True)]}, "/keys/0", id="a secret"),
        pytest.param(public(EC, use="enc"), "/keys/0/use", id="for encryption"),
        pytest.param(public(EC, alg="RS256"), "/keys/0/alg", id="an algorithm of another kind"),
        pytest.param(public(ECKey.generate_key("P-521")), "/keys/0/crv", id="another curve"),
        pytest.param(public(OKPKey.generate_key("X25519")), "/keys/0", id="no signing key"),
        pytest.param(public(EC, EC), "/keys", id="one name twice"),
        pytest.param({"keys": public(EC)["keys"] * 11}, "/keys", id="too many"),
    ],
)
def test_a_key_set_of_no_use_is_refused(jwks: dict[str, Any], pointer: str) -> None:
    with pytest.raises(KeySetRefused) as refused:
        parse_key_set(jwks)

    assert refused.value.pointer == pointer
