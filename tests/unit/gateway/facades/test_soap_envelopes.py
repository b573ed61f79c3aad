"""Opening envelopes that are not as they should be: clear, bounded, harmless."""

import codecs
from time import perf_counter

import pytest

from connectors.builtin.soap.envelope import SOAP_11, SOAP_12
from gateway.exchange import Reason, Refusal
from gateway.facades.soap.envelopes import EnvelopeRefused, check_media_type, joined, open_envelope
from tests.soap_offers import caller_block, envelope

GOOD = envelope("<a/>")
SECURITY = '<w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" {}/>'


def opened_whole(message: bytes) -> None:
    """Open an envelope and its body. Raises Refusal."""
    refused = open_envelope(message).refused
    if refused is not None:
        raise refused


def refusal(message: bytes) -> Refusal:
    with pytest.raises(Refusal) as raised:
        opened_whole(message)
    return raised.value


@pytest.mark.parametrize(
    ("message", "why"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"{}", "malformed 1:1", id="JSON"),
        pytest.param(b"junk" + GOOD, "malformed 1:1", id="junk in front"),
        pytest.param(b" \n" + b'<?xml version="1.0"?>' + GOOD, "malformed", id="a space before the declaration"),
        pytest.param(codecs.BOM_UTF8 + GOOD, "encoding 1:1", id="a byte order mark"),
        pytest.param(b'<?xml version="1.0" encoding="UTF-16"?>' + GOOD, "malformed 1:37", id="UTF-16 that is none"),
        pytest.param('<?xml version="1.0" encoding="windows-1258"?><a>ờ</a>'.encode(), "encoding", id="windows-1258"),
        pytest.param(envelope("<a>\u1edd</a>").replace("ờ".encode(), b"\xff"), "", id="no UTF-8"),
        pytest.param(b'<!DOCTYPE a SYSTEM "file:///etc/passwd">' + GOOD, "doctype", id="a document type"),
        pytest.param(
            b'<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;">]>' + envelope("<a>&z;</a>"), "doctype", id="entities"
        ),
        pytest.param(
            envelope('<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'), "xinclude",
            id="XInclude",
        ),
        pytest.param(envelope("<a>" * 1000 + "</a>" * 1000), "too-deep", id="a thousand levels"),
        pytest.param(b"<a/>", "no-envelope", id="another document"),
        pytest.param(f'<s:Envelope xmlns:s="{SOAP_11}"/>'.encode(), "no-body", id="no body"),
        pytest.param(envelope(""), "body-elements", id="an empty body"),
        pytest.param(envelope("<a/><b/>"), "body-elements", id="two elements"),
        pytest.param(envelope("<a/>", header=caller_block(Mật="x")), "caller", id="an unknown word on the caller"),
    ],
)  # fmt: skip
def test_what_is_no_envelope_is_refused_with_a_word(message: bytes, why: str) -> None:
    refused = refusal(message)

    assert isinstance(refused, EnvelopeRefused)
    assert str(refused.details["why"]).startswith(why)
    assert refused.fault == "Client"


def test_another_version_of_soap_is_told_apart() -> None:
    refused = refusal(b'<s:Envelope xmlns:s="http://www.w3.org/2001/12/soap-envelope"><s:Body/></s:Envelope>')

    assert isinstance(refused, EnvelopeRefused)
    assert refused.fault == "VersionMismatch"


@pytest.mark.parametrize(
    ("version", "attributes", "whose"),
    [
        ("1.1", 's:mustUnderstand="1"', "ours"),
        ("1.1", f's:mustUnderstand="1" s:actor="{SOAP_11.replace("envelope/", "actor/next")}"', "ours"),
        ("1.1", 's:mustUnderstand="1" s:actor="urn:khac"', "not ours"),
        ("1.1", 's:mustUnderstand="0"', "not ours"),
        ("1.1", "", "not ours"),
        ("1.2", 's:mustUnderstand="true"', "ours"),
        ("1.2", f's:mustUnderstand="1" s:role="{SOAP_12}/role/ultimateReceiver"', "ours"),
        ("1.2", f's:mustUnderstand="1" s:role="{SOAP_12}/role/none"', "not ours"),
    ],
)
def test_a_header_that_must_be_understood_is_not_passed_over(
    version: str, attributes: str, whose: str
) -> None:
    opened = open_envelope(envelope("<a/>", version=version, header=SECURITY.format(attributes)))

    assert (opened.refused is not None) == (whose == "ours")
    if isinstance(opened.refused, EnvelopeRefused):
        assert opened.refused.fault == "MustUnderstand"
        assert opened.refused.block.endswith("secext-1.0.xsd}Security")


def test_the_callers_block_says_what_http_headers_say() -> None:
    header = caller_block(Token="abc", Purpose="p1", CorrelationId="c-1")
    opened = open_envelope(envelope("<a/>", header=header))

    assert opened.caller == [
        (b"authorization", b"Bearer abc"),
        (b"lgsp-purpose", b"p1"),
        (b"lgsp-correlation-id", b"c-1"),
    ]
    assert joined([(b"lgsp-purpose", b"p1")], opened.caller)[0] == (b"lgsp-purpose", b"p1")
    assert len(joined([(b"lgsp-purpose", b"p1")], opened.caller)) == 3


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([(b"lgsp-purpose", b"p2")], Reason.HEADER_INVALID),
        ([(b"authorization", b"Bearer x")], Reason.TOKEN_MALFORMED),
        ([(b"idempotency-key", b"1"), (b"authorization", b"Basic x")], Reason.TOKEN_MALFORMED),
    ],
)
def test_two_words_on_one_thing_are_refused(headers: list[tuple[bytes, bytes]], reason: Reason) -> None:
    opened = open_envelope(envelope("<a/>", header=caller_block(Token="abc", Purpose="p1")))

    with pytest.raises(Refusal) as refused:
        joined(headers, opened.caller)

    assert refused.value.reason is reason


@pytest.mark.parametrize("said", [{"Token": "ổ"}, {"Officer": "a\nb"}])
def test_a_word_on_the_caller_that_no_header_could_hold_is_refused(said: dict[str, str]) -> None:
    assert refusal(envelope("<a/>", header=caller_block(**said))).reason in (
        Reason.TOKEN_MALFORMED,
        Reason.HEADER_INVALID,
    )


@pytest.mark.parametrize(
    "good",
    [
        "",
        "text/xml",
        "application/xml; charset=utf-8",
        'application/soap+xml;action="a"',
        "text/xml; charset=UTF-8",
    ],
)
def test_xml_is_taken(good: str) -> None:
    check_media_type(good)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("application/json", "media-type"), ('multipart/related; type="application/xop+xml"', "attachments"),
        ("text/xml; charset=windows-1258", "encoding"), ("text/xml; charset=utf-7", "encoding"), ("text/xml; charset=la", "encoding"),
    ],
)  # fmt: skip
def test_what_is_no_xml_by_its_own_word_is_refused(bad: str, why: str) -> None:
    with pytest.raises(EnvelopeRefused) as refused:
        check_media_type(bad)

    assert refused.value.details["why"] == why


def test_envelopes_made_to_cost_time_do_not() -> None:
    many = " ".join(f'a{number}="x"' for number in range(20_000))
    spaces = "".join(f'<a xmlns:n{number}="urn:{number}"/>' for number in range(20_000))
    started = perf_counter()
    for inside in (f"<a {many}/>", f"<a>{spaces}</a>", "<a/>" * 200_000, f"<a>{'x' * 2_000_000}</a>"):
        try:
            open_envelope(envelope(inside))
        except Refusal:
            continue

    assert perf_counter() - started < 3
