import hmac
import json
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from auth import base64url
from auth.errors import KeyMissing, TokenError, TokenExpired, TokenForeign, TokenForged, TokenMalformed
from auth.keys import FIELD_BYTES, ORDER, KeyRing, SigningKey
from auth.tokens import MAX_BYTES, Claims, issue, verify

ISSUER = "https://lgsp.example"
NOW = 1_800_000_000.0
KEY = SigningKey.generate(kid="first")
RING = KeyRing([KEY])


def a_token(ring: KeyRing = RING, *, issuer: str = ISSUER, now: float = NOW, not_before: float = 0.0) -> str:
    return issue(
        ring,
        issuer=issuer,
        client="client-1",
        system="system-1",
        environment="production",
        scope="am_application_scope default",
        now=now,
        seconds=3600,
        not_before=not_before,
    )


def forged(header: dict[str, Any], *, signature: bytes | None = None, issuer: str = ISSUER) -> str:
    """A token of our claims under any header; signed by our key unless a signature is given."""
    body = base64url.encode(json.dumps({"iss": issuer, "aud": issuer}).encode())
    message = f"{base64url.encode(json.dumps(header, separators=(',', ':')).encode())}.{body}"
    return f"{message}.{base64url.encode(KEY.sign(message.encode()) if signature is None else signature)}"


def test_a_token_says_who_calls_and_nothing_else() -> None:
    claims = verify(a_token(), RING, issuer=ISSUER, now=NOW)

    assert claims == Claims(
        client="client-1",
        system="system-1",
        environment="production",
        scope="am_application_scope default",
        issued_at=int(NOW),
        expires_at=int(NOW) + 3600,
        jti=claims.jti,
        kid="first",
    )


def test_another_library_reads_a_token_as_rfc_9068() -> None:
    (public,) = RING.public_jwks(NOW)["keys"]

    read = jwt.decode(a_token(), ECKey.import_key(public), algorithms=["ES256"])

    assert read.header == {"alg": "ES256", "typ": "at+jwt", "kid": "first"}
    assert read.claims.keys() == {
        *("iss", "aud", "sub", "client_id", "system", "environment", "scope", "iat", "exp", "jti")
    }
    assert read.claims["aud"] == read.claims["iss"] == ISSUER
    assert read.claims["sub"] == read.claims["client_id"]


def test_every_token_has_a_jti_of_its_own() -> None:
    jtis = {verify(a_token(), RING, issuer=ISSUER, now=NOW).jti for _ in range(20)}

    assert len(jtis) == 20


def test_a_token_made_just_after_not_before_is_not_older_than_it() -> None:
    claims = verify(a_token(now=NOW + 0.9, not_before=NOW + 0.5), RING, issuer=ISSUER, now=NOW + 0.9)

    assert claims.issued_at >= NOW + 0.5


def test_an_expired_token_still_says_whose_it_was() -> None:
    with pytest.raises(TokenExpired) as expired:
        verify(a_token(), RING, issuer=ISSUER, now=NOW + 3600)

    assert expired.value.claims.client == "client-1"


@pytest.mark.parametrize(
    ("token", "error"),
    [
        pytest.param("", TokenMalformed, id="nothing"),
        pytest.param("abc", TokenMalformed, id="one segment"),
        pytest.param("a.b.c.d", TokenMalformed, id="four segments"),
        pytest.param("!.?.#", TokenMalformed, id="not base64url"),
        pytest.param("é.é.é", TokenMalformed, id="not ASCII"),
        pytest.param("W10.e30.AA", TokenMalformed, id="header is a list"),
        pytest.param("e30.WzFd.AA", TokenMalformed, id="claims are a list"),
        pytest.param("x" * (MAX_BYTES + 1), TokenMalformed, id="over 8 KB"),
        pytest.param(forged({"alg": "none", "typ": "at+jwt", "kid": "first"}), TokenForged, id="alg none"),
        pytest.param(
            forged({"alg": "none", "typ": "at+jwt", "kid": "first"}, signature=b""),
            TokenForged,
            id="alg none, no signature",
        ),
        pytest.param(forged({"alg": "ES256", "typ": "JWT", "kid": "first"}), TokenForged, id="other typ"),
        pytest.param(forged({"alg": "ES256", "kid": "first"}), TokenForged, id="no typ"),
        pytest.param(forged({"alg": "ES256", "typ": "at+jwt"}), TokenForged, id="no kid"),
        pytest.param(
            forged({"alg": "ES256", "typ": "at+jwt", "kid": "other"}), TokenForged, id="unknown kid"
        ),
        pytest.param(forged({"alg": "RS256", "typ": "at+jwt", "kid": "first"}), TokenForged, id="other alg"),
        pytest.param(
            forged({"alg": "ES256", "typ": "at+jwt", "kid": "first", "crit": ["x"], "x": 1}),
            TokenForged,
            id="header says more",
        ),
        pytest.param(
            forged({"alg": "ES256", "typ": "at+jwt", "kid": "first"}, signature=b"\0" * 64),
            TokenForged,
            id="empty signature",
        ),
    ],
)
def test_what_this_node_did_not_make_is_refused(token: str, error: type[TokenError]) -> None:
    with pytest.raises(error):
        verify(token, RING, issuer=ISSUER, now=NOW)


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    pem = KEY.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"iss": ISSUER, "aud": ISSUER, "sub": "client-1"}
    header = {"alg": "HS256", "typ": "at+jwt", "kid": "first"}
    message = ".".join(base64url.encode(json.dumps(part).encode()) for part in (header, claims))
    signature = hmac.digest(pem, message.encode(), sha256)
    token = f"{message}.{base64url.encode(signature)}"

    with pytest.raises(TokenForged):
        verify(token, RING, issuer=ISSUER, now=NOW)


def test_a_token_of_another_node_is_foreign() -> None:
    other = KeyRing([SigningKey.generate(kid="theirs")])

    with pytest.raises(TokenForeign):
        verify(a_token(other, issuer="https://other.example"), RING, issuer=ISSUER, now=NOW)


def test_a_token_of_this_key_for_another_issuer_is_foreign() -> None:
    with pytest.raises(TokenForeign):
        verify(a_token(issuer="https://other.example"), RING, issuer=ISSUER, now=NOW)


def test_another_key_under_our_kid_is_a_forgery() -> None:
    thief = KeyRing([SigningKey.generate(kid="first")])

    with pytest.raises(TokenForged):
        verify(a_token(thief), RING, issuer=ISSUER, now=NOW)


def test_the_other_form_of_a_signature_is_another_token_and_refused() -> None:
    message, _, encoded = a_token().rpartition(".")
    signature = base64url.decode(encoded)
    upper = ORDER - int.from_bytes(signature[FIELD_BYTES:], "big")
    twin = signature[:FIELD_BYTES] + upper.to_bytes(FIELD_BYTES, "big")

    with pytest.raises(TokenForged):
        verify(f"{message}.{base64url.encode(twin)}", RING, issuer=ISSUER, now=NOW)


TOKEN = a_token()


@given(st.integers(0, len(TOKEN) - 1), st.characters(max_codepoint=0x17F))
def test_a_token_with_one_character_changed_never_verifies(place: int, character: str) -> None:
    mutated = TOKEN[:place] + character + TOKEN[place + 1 :]
    if mutated == TOKEN:
        return

    with pytest.raises((TokenMalformed, TokenForged)):
        verify(mutated, RING, issuer=ISSUER, now=NOW)


@given(st.integers(0, len(TOKEN)), st.text(alphabet="AQgw01-_.=", min_size=1, max_size=4))
def test_a_token_with_something_put_in_never_verifies(place: int, text: str) -> None:
    with pytest.raises((TokenMalformed, TokenForged)):
        verify(TOKEN[:place] + text + TOKEN[place:], RING, issuer=ISSUER, now=NOW)


@given(st.text(max_size=60))
def test_rubbish_is_refused_without_a_crash(text: str) -> None:
    with pytest.raises(TokenError):
        verify(text, RING, issuer=ISSUER, now=NOW)


# --- rotation -------------------------------------------------------------------------------------------


def test_old_tokens_verify_until_their_key_ends() -> None:
    old = SigningKey(kid="old", private=KEY.private, verifies_until=int(NOW) + 7200, number=1)
    new = SigningKey.generate(kid="new", active_from=int(NOW) + 10, number=2)
    ring = KeyRing([old])
    token = a_token(ring)

    ring.replace([old, new])

    assert verify(token, ring, issuer=ISSUER, now=NOW + 20).client == "client-1"
    assert ring.current(NOW).kid == "old"
    assert ring.current(NOW + 10).kid == "new"
    assert [key["kid"] for key in ring.public_jwks(NOW)["keys"]] == ["new", "old"]
    assert [key["kid"] for key in ring.public_jwks(NOW + 7200)["keys"]] == ["new"]
    assert ring.is_living("old", NOW)
    assert not ring.is_living("old", NOW + 7200)
    assert not ring.is_living("unheard of", NOW)
    with pytest.raises(TokenForged):
        verify(a_token(KeyRing([old])), ring, issuer=ISSUER, now=NOW + 7200)


def test_of_two_new_keys_the_higher_number_signs() -> None:
    keys = [SigningKey.generate(kid=f"k{number}", number=number) for number in (2, 3, 1)]

    assert KeyRing(keys).current(NOW).kid == "k3"


def test_the_only_key_signs_even_on_a_machine_whose_clock_lags() -> None:
    ring = KeyRing([SigningKey.generate(kid="k", active_from=int(NOW) + 5)])

    assert ring.current(NOW).kid == "k"


def test_an_empty_ring_signs_nothing() -> None:
    with pytest.raises(KeyMissing):
        a_token(KeyRing())


def test_a_published_key_is_exactly_for_es256_signatures_and_holds_no_secret() -> None:
    (public,) = RING.public_jwks(NOW)["keys"]

    assert public.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (public["kty"], public["crv"], public["use"], public["alg"]) == ("EC", "P-256", "sig", "ES256")
    assert "private" not in repr(KEY)
