import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.errors import ClientReason
from gateway.oauth.refusals import REFUSALS, Flaw, TokenRefused
from gateway.oauth.token_request import TokenRequest, parse

FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json; charset=utf-8")
BODY = b"grant_type=client_credentials&client_id=c&client_secret=s"
AS_JSON = json.dumps({"grant_type": "client_credentials", "client_id": "c", "client_secret": "s"}).encode()
GRANT = b"grant_type=client_credentials"
FROM_BODY = TokenRequest(place="body", client="c", secret="s")
FROM_BASIC = TokenRequest(place="basic", client="c", secret="s")
ASSERTION_TYPE = b"&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"


def basic(text: bytes = b"c:s", scheme: bytes = b"Basic ") -> tuple[bytes, bytes]:
    return b"authorization", scheme + base64.b64encode(text)


@pytest.mark.parametrize(
    ("headers", "body", "request_"),
    [
        pytest.param([FORM], BODY, FROM_BODY, id="form"),
        pytest.param([], BODY, FROM_BODY, id="form without Content-Type"),
        pytest.param([(b"contenttype", b"application/json")], BODY, FROM_BODY, id="misspelt Content-Type"),
        pytest.param([(b"content-type", b"")], BODY, FROM_BODY, id="empty Content-Type"),
        pytest.param([(b"content-type", b"text/plain")], BODY, FROM_BODY, id="form as text"),
        pytest.param([FORM], BODY + b"\r\n", FROM_BODY, id="form with a line end"),
        pytest.param([FORM], BODY + b"&scope=default&x=", FROM_BODY, id="other parameters"),
        pytest.param([JSON], AS_JSON, FROM_BODY, id="JSON"),
        pytest.param([], AS_JSON, FROM_BODY, id="JSON without Content-Type"),
        pytest.param([FORM], b"\n " + AS_JSON, FROM_BODY, id="JSON called a form, as Java does"),
        pytest.param([FORM, basic()], GRANT, FROM_BASIC, id="Basic"),
        pytest.param([basic(scheme=b"basic  ")], GRANT, FROM_BASIC, id="Basic in small letters"),
        pytest.param([basic()], GRANT + b"&client_id=c", FROM_BASIC, id="Basic and the same client_id"),
        pytest.param([basic()], b"", FROM_BASIC, id="Basic and an empty body"),
        pytest.param([JSON, basic()], b"", FROM_BASIC, id="Basic and empty JSON"),
        pytest.param([basic()], GRANT + b"&client_secret=", FROM_BASIC, id="a parameter left empty"),
        pytest.param(
            [basic(b"c:a:b")],
            GRANT,
            TokenRequest(place="basic", client="c", secret="a:b"),
            id="colon in secret",
        ),
        pytest.param(
            [basic(b"a%20b:%C4%91")],
            GRANT,
            TokenRequest(place="basic", client="a b", secret="đ"),
            id="escaped",
        ),
        pytest.param([(b"authorization", b""), FORM], BODY, FROM_BODY, id="empty Authorization"),
        pytest.param(
            [FORM],
            GRANT + b"&client_assertion=x.y.z" + ASSERTION_TYPE,
            TokenRequest(place="assertion", client="", assertion="x.y.z"),
            id="assertion",
        ),
    ],
)
def test_what_the_field_sends_is_read(
    headers: list[tuple[bytes, bytes]], body: bytes, request_: TokenRequest
) -> None:
    assert parse(headers, "", body) == request_


@pytest.mark.parametrize(
    ("headers", "body", "flaw"),
    [
        pytest.param([FORM], b"", Flaw.GRANT_TYPE_MISSING, id="nothing"),
        pytest.param([FORM], b"client_id=c&client_secret=s", Flaw.GRANT_TYPE_MISSING, id="no grant_type"),
        pytest.param([basic()], b"client_id=c", Flaw.GRANT_TYPE_MISSING, id="Basic without grant_type"),
        pytest.param([basic()], b"grant_type=password", Flaw.GRANT_TYPE_UNSUPPORTED, id="password"),
        pytest.param([FORM], GRANT, Flaw.CREDENTIALS_MISSING, id="no credentials"),
        pytest.param([FORM], GRANT + b"&client_id=c", Flaw.CREDENTIALS_MISSING, id="no secret"),
        pytest.param([FORM], GRANT + b"&client_secret=s", Flaw.CREDENTIALS_MISSING, id="no client"),
        pytest.param([FORM, basic()], BODY, Flaw.CREDENTIALS_TWICE, id="Basic and form"),
        pytest.param([basic()], GRANT + b"&client_id=d", Flaw.CREDENTIALS_TWICE, id="two clients"),
        pytest.param(
            [FORM],
            BODY + b"&client_assertion=x" + ASSERTION_TYPE,
            Flaw.CREDENTIALS_TWICE,
            id="secret and assertion",
        ),
        pytest.param([FORM], GRANT + b"&client_assertion=x", Flaw.ASSERTION_TYPE, id="no assertion type"),
        pytest.param([FORM], BODY + b"&client_id=c", Flaw.PARAMETER_REPEATED, id="repeated"),
        pytest.param(
            [JSON], AS_JSON[:-1] + b',"client_id":"c"}', Flaw.PARAMETER_REPEATED, id="JSON repeated"
        ),
        pytest.param([JSON], BODY, Flaw.BODY_UNREADABLE, id="a form called JSON"),
        pytest.param([JSON], b"[]", Flaw.BODY_UNREADABLE, id="a list"),
        pytest.param([JSON], b'{"grant_type":1}', Flaw.BODY_UNREADABLE, id="a number"),
        pytest.param([JSON], b'{"grant_type":{"a":"b"}}', Flaw.BODY_UNREADABLE, id="an object inside"),
        pytest.param([JSON], b'{"a":' + b"[" * 9000, Flaw.BODY_UNREADABLE, id="deep"),
        pytest.param([FORM], b"grant_type=\xff", Flaw.BODY_UNREADABLE, id="not UTF-8"),
        pytest.param([FORM], b"grant_type=%FF", Flaw.BODY_UNREADABLE, id="escaped, not UTF-8"),
        pytest.param([FORM], b"&".join(b"a%d=1" % n for n in range(40)), Flaw.BODY_UNREADABLE, id="too many"),
        pytest.param([(b"content-type", b"text/xml")], b"<a/>", Flaw.BODY_TYPE, id="XML"),
        pytest.param([basic(scheme=b"Bearer ")], BODY, Flaw.BASIC_UNREADABLE, id="Bearer"),
        pytest.param([(b"authorization", b"Basic !!!!")], GRANT, Flaw.BASIC_UNREADABLE, id="not base64"),
        pytest.param([basic(b"cs")], GRANT, Flaw.BASIC_UNREADABLE, id="no colon"),
        pytest.param([basic(b":s")], GRANT, Flaw.BASIC_UNREADABLE, id="no client in Basic"),
        pytest.param([basic(b"\xff:s")], GRANT, Flaw.BASIC_UNREADABLE, id="Basic not UTF-8"),
        pytest.param([basic(), basic(b"d:s")], GRANT, Flaw.BASIC_UNREADABLE, id="two Authorization headers"),
    ],
)
def test_a_flawed_request_is_refused_by_name(
    headers: list[tuple[bytes, bytes]], body: bytes, flaw: Flaw
) -> None:
    with pytest.raises(TokenRefused) as refused:
        parse(headers, "", body)

    assert refused.value.code is flaw


def test_credentials_in_the_address_are_refused() -> None:
    with pytest.raises(TokenRefused) as refused:
        parse([FORM], "client_id=c&client_secret=s", GRANT)

    assert refused.value.code is Flaw.CREDENTIALS_IN_QUERY


@given(st.binary(max_size=80), st.sampled_from([[], [FORM], [JSON], [basic()]]))
def test_rubbish_is_read_or_refused_but_never_crashes(
    body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    with contextlib.suppress(TokenRefused):
        assert parse(headers, "", body).client


@pytest.mark.parametrize("code", [*Flaw, *ClientReason])
def test_every_refusal_is_told_in_two_languages_and_says_whose_turn_it_is(code: Flaw | ClientReason) -> None:
    telling = REFUSALS[code]
    document = telling.document(code.value)

    assert document.keys() == {"error", "error_description", "code", "turn", "messages"}
    assert telling.vi in str(document["error_description"])
    assert telling.en in str(document["error_description"])
    assert 400 <= telling.status < 600
    assert telling.vi.endswith(".") and telling.en.endswith(".")  # noqa: PT018  (one thing, twice)
