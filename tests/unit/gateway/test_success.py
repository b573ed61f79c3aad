"""Success rules read what Vietnamese services really answer."""

import pytest

from connectors.message import Headers
from gateway.exchange import Reason
from gateway.success import Judge
from registry.documents import parse_as
from registry.entities import Condition, SuccessRule
from registry.errors import Invalid
from registry.evidence import Outcome

JSON: Headers = [(b"content-type", b"application/json")]
DKDN = SuccessRule(
    success=(Condition(at="pointer:/Status", equals=("1",)),),
    nothing_found=(
        Condition(at="pointer:/Message", starts_with=("Không tìm thấy",)),
        Condition(at="body", empty=True),
    ),
)
DMDC = SuccessRule(success=(Condition(at="pointer:/MSG", equals=("Done",)),))
BHXH = SuccessRule(
    success=(Condition(at="pointer:/response/errorCode", equals=("0", "00"), present=True),),
    nothing_found=(Condition(at="pointer:/response/errorCode", equals=("404",)),),
)
HO_TICH = SuccessRule(
    business_failure=(
        Condition(at="pointer:/errorCode", equals=("100", "101", "106", "108", "200", "302", "500")),
        Condition(at="pointer:/status", equals=("0",)),
    ),
    nothing_found=(Condition(at="pointer:/errorCode", equals=("201",)),),
)
WRAPPED = SuccessRule(success=(Condition(at="pointer:/code", equals=("200",)),))
VNPOST = SuccessRule(success=(Condition(at="pointer:/Status", equals=("100",)),))


@pytest.mark.parametrize(
    ("rule", "status", "body", "outcome"),
    [
        pytest.param(
            DKDN, 200, b'{"Status":1,"Data":{}}', Outcome.SUCCESS, id="a number is compared as text"
        ),
        pytest.param(DKDN, 200, b'{"Status":"1"}', Outcome.SUCCESS, id="text"),
        pytest.param(
            DKDN, 200, b'{"Status":0,"Message":"x"}', Outcome.BUSINESS_FAILURE, id="failure inside 200"
        ),
        pytest.param(
            DKDN, 200, '{"Status":0,"Message":"Không tìm thấy"}'.encode(), Outcome.SUCCESS, id="nothing found"
        ),
        pytest.param(DKDN, 200, b"", Outcome.SUCCESS, id="an empty body declared as nothing found"),
        pytest.param(DKDN, 200, b"<html>", Outcome.PROVIDER_FAILURE, id="rubbish instead of JSON"),
        pytest.param(DKDN, 404, b"<html>", Outcome.BUSINESS_FAILURE, id="a 404 that is not JSON"),
        pytest.param(DKDN, 500, b'{"Status":1}', Outcome.PROVIDER_FAILURE, id="a 500 whatever it says"),
        pytest.param(DMDC, 200, b'{"MSG":"Done","Count":1}', Outcome.SUCCESS, id="DMDC done"),
        pytest.param(
            DMDC, 200, b'{"MSG":"Data not insert: Record 1"}', Outcome.BUSINESS_FAILURE, id="DMDC text error"
        ),
        pytest.param(BHXH, 200, b'{"response":{"errorCode":"00"}}', Outcome.SUCCESS, id="BHXH"),
        pytest.param(BHXH, 200, b'{"response":{"errorCode":404}}', Outcome.SUCCESS, id="BHXH nothing found"),
        pytest.param(BHXH, 200, b"{}", Outcome.BUSINESS_FAILURE, id="BHXH without a code"),
        pytest.param(HO_TICH, 200, b'{"status":1}', Outcome.SUCCESS, id="civil status"),
        pytest.param(
            HO_TICH, 200, b'{"status":0,"errorCode":"100"}', Outcome.BUSINESS_FAILURE, id="AUTHEN_ERROR"
        ),
        pytest.param(
            HO_TICH, 200, b'{"status":0,"errorCode":101}', Outcome.BUSINESS_FAILURE, id="IP_DISALLOWED"
        ),
        pytest.param(HO_TICH, 200, b'{"status":0,"errorCode":"201"}', Outcome.SUCCESS, id="RECORD_NOT_FOUND"),
        pytest.param(
            WRAPPED, 200, b'{"code":200,"correlationId":"x","response":{}}', Outcome.SUCCESS, id="a wrapper"
        ),
        pytest.param(
            WRAPPED,
            200,
            b'{"code":500,"response":null}',
            Outcome.BUSINESS_FAILURE,
            id="a wrapper that says no",
        ),
        pytest.param(
            VNPOST, 200, '{"Status":"100","Message":"Thành công"}'.encode(), Outcome.SUCCESS, id="VNPost"
        ),
        pytest.param(
            VNPOST,
            200,
            '{"Status":"99","Message":"thành công"}'.encode(),
            Outcome.BUSINESS_FAILURE,
            id="VNPost, whatever its text says",
        ),
    ],
)
def test_a_rule_reads_an_answer(rule: SuccessRule, status: int, body: bytes, outcome: Outcome) -> None:
    assert Judge(rule).judge(status, JSON, body)[0] is outcome


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (200, Outcome.SUCCESS, None),
        (304, Outcome.SUCCESS, None),
        (302, Outcome.PROVIDER_FAILURE, Reason.PROVIDER_REDIRECT),
        (401, Outcome.PROVIDER_FAILURE, Reason.PROVIDER_CREDENTIALS),
        (404, Outcome.BUSINESS_FAILURE, Reason.PROVIDER_SAID_NO),
        (500, Outcome.PROVIDER_FAILURE, Reason.PROVIDER_ERROR),
    ],
)
def test_without_conditions_the_status_decides(status: int, outcome: Outcome, reason: Reason | None) -> None:
    assert Judge(SuccessRule()).judge(status, [], b"anything") == (outcome, reason)


def test_a_header_can_decide() -> None:
    rule = SuccessRule(business_failure=(Condition(at="header:X-Error", present=True),))

    assert Judge(rule).judge(200, [(b"x-error", b"4")], b"")[0] is Outcome.BUSINESS_FAILURE
    assert Judge(rule).judge(200, [], b"")[0] is Outcome.SUCCESS


def test_a_declared_404_is_nothing_found() -> None:
    rule = SuccessRule(nothing_found=(Condition(at="status", equals=("404",)),))

    assert Judge(rule).judge(404, [], b"<html>")[0] is Outcome.SUCCESS


def test_a_deep_pointer_with_escapes_and_indexes_is_followed() -> None:
    rule = SuccessRule(success=(Condition(at="pointer:/a~1b/1/c~0d", equals=("true",)),))

    assert Judge(rule).judge(200, [], b'{"a/b":[0,{"c~d":true}]}')[0] is Outcome.SUCCESS
    assert Judge(rule).judge(200, [], b'{"a/b":[0]}')[0] is Outcome.BUSINESS_FAILURE


def test_an_answer_without_a_body_by_its_nature_is_judged_by_status_and_headers() -> None:
    rule = SuccessRule(
        success=(Condition(at="pointer:/Status", equals=("1",)),),
        nothing_found=(Condition(at="body", empty=True),),
        business_failure=(Condition(at="header:X-Loi", present=True),),
    )
    assert Judge(rule).judge(200, JSON, None) == (Outcome.SUCCESS, None)
    assert Judge(rule).judge(500, JSON, None) == (Outcome.PROVIDER_FAILURE, Reason.PROVIDER_ERROR)
    failed = Judge(rule).judge(200, [(b"x-loi", b"")], None)
    assert failed == (Outcome.BUSINESS_FAILURE, Reason.PROVIDER_SAID_NO)


@pytest.mark.parametrize("order", [1, -1])
def test_an_empty_body_is_nothing_found_wherever_that_condition_stands(order: int) -> None:
    conditions = (Condition(at="pointer:/Code", equals=("201",)), Condition(at="body", empty=True))
    judge = Judge(SuccessRule(nothing_found=conditions[::order]))
    assert judge.judge(200, JSON, b"") == (Outcome.SUCCESS, None)
    assert judge.judge(200, JSON, b"<html>") == (Outcome.PROVIDER_FAILURE, Reason.PROVIDER_RUBBISH)


def test_what_is_absent_in_a_page_is_no_condition_that_holds() -> None:
    judge = Judge(SuccessRule(nothing_found=(Condition(at="pointer:/Data", empty=True),)))
    assert judge.judge(200, JSON, b"{}") == (Outcome.SUCCESS, None)
    assert judge.judge(200, JSON, b"<html>") == (Outcome.PROVIDER_FAILURE, Reason.PROVIDER_RUBBISH)


def test_only_a_rule_on_bodies_asks_for_plain_ones() -> None:
    assert Judge(SuccessRule(success=(Condition(at="pointer:/a", present=True),))).reads_body
    assert not Judge(SuccessRule(success=(Condition(at="header:a", present=True),))).reads_body


XML: Headers = [(b"content-type", b"text/xml")]
SOAP = SuccessRule(
    success=(Condition(at="xml:/Envelope/Body/KetQua/Ma", equals=("0",)),),
    nothing_found=(
        Condition(at="xml:/Envelope/Body/KetQua/@so", equals=("0",)),
        Condition(at="xml:/Envelope/Body", empty=True),
    ),
    business_failure=(Condition(at="xml:/Envelope/Body/Fault/faultcode", starts_with=("s:Client",)),),
)


def enveloped(content: str, encoding: str = "utf-8") -> bytes:
    text = f'<?xml version="1.0" encoding="{encoding}"?><s:Envelope xmlns:s="urn:s"><s:Body>{content}</s:Body></s:Envelope>'
    return text.encode(encoding)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        pytest.param(200, enveloped("<KetQua xmlns='urn:a'><Ma> 0 </Ma></KetQua>"), Outcome.SUCCESS, id="a code"),
        pytest.param(200, enveloped("<k:KetQua xmlns:k='urn:a'><k:Ma><b>0</b></k:Ma></k:KetQua>"), Outcome.SUCCESS, id="deeper text"),
        pytest.param(200, enveloped("<KetQua><Ma>1</Ma></KetQua>"), Outcome.BUSINESS_FAILURE, id="another code"),
        pytest.param(200, enveloped("<KetQua/><KetQua><Ma>0</Ma></KetQua>"), Outcome.SUCCESS, id="the first that is there"),
        pytest.param(200, enveloped("<KetQua><Khac/></KetQua>"), Outcome.BUSINESS_FAILURE, id="no code"),
        pytest.param(200, enveloped("<KetQua so='0'><Ma>1</Ma></KetQua>"), Outcome.SUCCESS, id="an attribute"),
        pytest.param(200, enveloped(""), Outcome.SUCCESS, id="nothing in it"),
        pytest.param(500, enveloped("<s:Fault><faultcode>s:Client.004</faultcode></s:Fault>"), Outcome.BUSINESS_FAILURE, id="a fault that is no failure"),
        pytest.param(500, enveloped("<s:Fault><faultcode>s:Server</faultcode></s:Fault>"), Outcome.PROVIDER_FAILURE, id="one that is"),
        pytest.param(200, enveloped("<KetQua><Ma>0</Ma></KetQua>", "utf-16"), Outcome.SUCCESS, id="UTF-16"),
        pytest.param(200, b"<html", Outcome.PROVIDER_FAILURE, id="no XML"),
        pytest.param(200, b"{}", Outcome.PROVIDER_FAILURE, id="JSON"),
        pytest.param(200, b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + enveloped("<KetQua><Ma>0</Ma></KetQua>")[38:], Outcome.PROVIDER_FAILURE, id="a DOCTYPE"),
        pytest.param(404, b"<html", Outcome.BUSINESS_FAILURE, id="a page with 404"),
    ],
)  # fmt: skip
def test_xml_is_read_by_local_names(status: int, body: bytes, outcome: Outcome) -> None:
    assert Judge(SOAP).judge(status, XML, body)[0] is outcome
    assert Judge(SOAP).reads_body


def test_the_charset_of_the_headers_goes_first() -> None:
    rule = SuccessRule(success=(Condition(at="xml:/a", equals=("Đúng",)),))
    body = "<a>Đúng</a>".encode("utf-16")
    latin = "<a>x\xe9</a>".encode("latin-1")

    assert Judge(rule).judge(200, XML, body)[0] is Outcome.SUCCESS
    french = Judge(SuccessRule(success=(Condition(at="xml:/a", equals=("xé",)),)))
    assert (
        french.judge(200, [(b"content-type", b'text/xml; charset="iso-8859-1"')], latin)[0] is Outcome.SUCCESS
    )
    assert french.judge(200, XML, latin)[0] is Outcome.PROVIDER_FAILURE


@pytest.mark.parametrize("at", ["xml:", "xml:a", "xml:/", "xml:/a//b", "xml:/@a", "xml:/a/@b/c", "xml:/a b"])
def test_paths_that_are_none_are_refused(at: str) -> None:
    with pytest.raises(Invalid, match="at"):
        parse_as(SuccessRule, {"success": [{"at": at, "present": True}]})
