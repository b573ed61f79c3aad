"""The population database's traps, one test each."""

import base64
import hashlib
import unicodedata
from typing import Any

import orjson
import pytest
from lxml import etree

from connectors.builtin.soap.fields import Unfit
from connectors.builtin.soap.person import NameForm, birth_in, name_in, number_of
from connectors.builtin.soap.population import PopulationConnector
from connectors.builtin.soap.population_settings import PopulationSettings
from connectors.contract import Done, Rejected, Result, Unknown
from tests.connectors import a_call, a_context
from tests.soap import a_fault, an_answer, an_envelope, soap_parts

PERSON = {"SoDinhDanh": "999999999999", "HoVaTen": "nguyễn  thị Ánh ", "NgayThangNamSinh": "17/05/1990"}
TOLD = {"x-officer": "CB-01", "x-procedure": "1.000001"}
FOUND = "<CongdanCollection xmlns='http://www.mic.gov.vn/dancu/1.0'><CongDan><SoDinhDanh>999999999999</SoDinhDanh><HoVaTen><Ho>Nguyễn</Ho></HoVaTen></CongDan></CongdanCollection>"
SETTINGS = {
    "user": "lgsp",
    "secret": "secret:mk",
    "client": "VN/GOV/H99/lgsp",
    "api_key": "secret:khoa",
    "unit": "H99.1",
}
NOBODY = {"found": False, "CongDan": []}


async def ask(
    answer: bytes,
    asked: Any = PERSON,  # Any: JSON
    told: dict[str, str] | None = None,
    operation: str = "TraCuuThongTinCongDan",
    **settings: Any,
) -> tuple[Result, dict[str, str], bytes]:
    """Ask once; return the result and what was sent."""
    async with soap_parts(answer, mk="b1-m4t", khoa="kh0a") as parts:
        made = PopulationSettings(**{"url": parts.url} | SETTINGS | settings)
        connector = PopulationConnector(made, a_context(parts.http, secrets=parts.secrets))
        await connector.open()
        call = a_call(
            method="POST", body=orjson.dumps(asked), context=TOLD if told is None else told, seconds=1.0
        )
        call.operation = operation
        result = await connector.call(call)
        await connector.close()
        heads = [*parts.provider.heads, {}]
        return result, heads[0] | {"url": parts.url}, b"".join(parts.provider.bodies)


def told_of(result: Result) -> Any:  # Any: JSON
    assert isinstance(result, Done)
    assert isinstance(result.reply.body, bytes)
    return orjson.loads(result.reply.body)


def elements(document: bytes) -> list[tuple[str, str]]:
    (request,) = etree.fromstring(document)[-1]
    assert etree.QName(request.tag).namespace == "http://dancuquocgia.bca"
    return [(etree.QName(one.tag).localname, "".join(map(str, one.itertext()))) for one in request]


async def test_elements_stand_in_the_one_order_and_officer_and_procedure_are_the_nodes() -> None:
    result, head, document = await ask(an_answer(an_envelope(FOUND)), account="tk", phone="0")

    assert told_of(result)["found"] is True
    assert elements(document) == [
        ("MaYeuCau", "01890000-0000-7000-8000-000000000001"),
        ("MaDVC", "1.000001"),
        ("MaTichHop", "037"),
        ("MaCanBo", "CB-01"),
        ("MaDonVi", "H99.1"),
        ("TaiKhoan", "tk"),
        ("SoDienThoai", "0"),
        ("SoDinhDanh", "999999999999"),
        ("HoVaTen", "NGUYỄN THỊ ÁNH"),
        ("NgayThangNamSinh", "19900517"),
    ]
    assert "x-officer" not in head
    assert "x-procedure" not in head


async def test_the_log_in_hashes_address_user_time_and_secret() -> None:
    _, head, _ = await ask(an_answer(an_envelope(FOUND)))

    stamp = head["timestamp"]
    hashed = hashlib.sha256(f"{head['url']}lgsp{stamp}b1-m4t".encode()).hexdigest()
    assert len(stamp) == 13
    assert head["authorization"] == "Basic " + base64.b64encode(f"lgsp:{hashed}".encode()).decode()
    assert (head["x-road-client"], head["apikey"], head["soapaction"]) == ("VN/GOV/H99/lgsp", "kh0a", '""')
    assert head["content-type"] == "text/xml; charset=utf-8"


async def test_behind_a_platform_the_hashed_address_and_the_credentials_are_others() -> None:
    _, head, _ = await ask(
        an_answer(an_envelope(FOUND)), login_url="http://dan-cu.example/ws", content_type="application/xml"
    )
    hashed = hashlib.sha256(f"http://dan-cu.example/wslgsp{head['timestamp']}b1-m4t".encode()).hexdigest()
    assert head["authorization"] == "Basic " + base64.b64encode(f"lgsp:{hashed}".encode()).decode()
    assert head["content-type"] == "application/xml"

    _, head, _ = await ask(
        an_answer(an_envelope(FOUND)),
        user="",
        secret=None,
        credentials={"kind": "header", "name": "lgspaccesstoken", "value": "secret:khoa"},
    )
    assert head["lgspaccesstoken"] == "kh0a"
    assert "authorization" not in head


@pytest.mark.parametrize(
    ("asked", "told", "why"),
    [
        pytest.param(PERSON, {"x-procedure": "1"}, "/MaCanBo: missing", id="no officer"),
        pytest.param(PERSON, {"x-officer": "1"}, "/MaDVC: missing", id="no procedure"),
        pytest.param(PERSON, TOLD | {"x-officer": "c" * 21}, "/MaCanBo: length", id="officer of 21"),
        pytest.param(PERSON, TOLD | {"x-procedure": "c" * 21}, "/MaDVC: length", id="procedure of 21"),
        pytest.param(PERSON | {"MaCanBo": "khac"}, TOLD, "/MaCanBo: unknown", id="officer in the body"),
        pytest.param(PERSON | {"SoCMND": "999999999"}, TOLD, "/SoCMND: choice", id="two numbers"),
        pytest.param(PERSON | {"SoDinhDanh": None}, TOLD, "/SoDinhDanh: missing", id="no number"),
        pytest.param(PERSON | {"SoDinhDanh": "99999999999"}, TOLD, "/SoDinhDanh: number", id="11 digits"),
        pytest.param(PERSON | {"SoDinhDanh": "９９９９９９９９９９９９"}, TOLD, "/SoDinhDanh: number", id="wide digits"),
        pytest.param(PERSON | {"HoVaTen": "x" * 101}, TOLD, "/HoVaTen: length", id="a name of 101"),
        pytest.param(PERSON | {"HoVaTen": " "}, TOLD, "/HoVaTen: missing", id="no name"),
        pytest.param(PERSON | {"HoVaTen": "a\u0001"}, TOLD, "/HoVaTen: character", id="control character"),
        pytest.param(PERSON | {"NgayThangNamSinh": "31/02/1990"}, TOLD, "/NgayThangNamSinh: date", id="no such day"),
        pytest.param(PERSON | {"NgayThangNamSinh": {"Nam": "1990", "x": "1"}}, TOLD, "/NgayThangNamSinh: type", id="odd date"),
        pytest.param([], TOLD, "/: type", id="a list"),
        pytest.param({"TuNgay": "1", "DenNgay": "2", "Loai": "1", "Trang": "x", "SoBanGhi": "5"}, TOLD, "/Trang: number", id="no page"),
        pytest.param({"TuNgay": "1", "SoDinhDanh": "999999999999"}, TOLD, "/SoDinhDanh: unknown", id="pages and a person"),
    ],
)  # fmt: skip
async def test_what_the_database_would_not_take_is_not_sent(
    asked: Any, told: dict[str, str], why: str
) -> None:
    result, _, document = await ask(b"", asked, told)

    assert result == Rejected(reason=f"unfit {why}")
    assert document == b""


async def test_the_bulk_form_pages_with_milliseconds() -> None:
    asked = {"TuNgay": 1767200400000, "DenNgay": "1767286800000", "Loai": "1", "Trang": 0, "SoBanGhi": 100}
    result, _, document = await ask(an_answer(an_envelope(FOUND)), asked)

    assert told_of(result)["found"] is True
    assert elements(document)[-5:] == [(key, str(value)) for key, value in asked.items()]


@pytest.mark.parametrize(
    "document", [b"", b"\r\n", an_envelope("")], ids=["no body", "blank", "empty element"]
)
async def test_nobody_found_is_an_empty_answer_and_no_outage(document: bytes) -> None:
    assert told_of((await ask(an_answer(document)))[0]) == NOBODY
    exists = await ask(an_answer(document), operation="XacThucThongTinCongDan")
    assert told_of(exists[0]) == {"found": False, "TonTai": False}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(b"", Unknown(reason="timeout"), id="no answer at all"),
        pytest.param(an_answer(an_envelope(FOUND))[:-9], Unknown(reason="timeout"), id="stops half-way"),
        pytest.param(an_answer(b"", "500 X"), 500, id="500 without a word"),
        pytest.param(an_answer(b"", "404 X"), 502, id="404"),
        pytest.param(an_answer(b"", "401 X"), 401, id="401"),
        pytest.param(an_answer(b"<html/>"), Unknown(reason="unfit", rubbish=True), id="a page"),
        pytest.param(an_answer(b"x"), Unknown(reason="unfit malformed", rubbish=True), id="a word"),
        pytest.param(an_answer(an_envelope("<Gi>do</Gi>")), Unknown(reason="unfit /: another-message", rubbish=True), id="another message"),
        pytest.param(an_answer(b"<!DOCTYPE a>" + an_envelope(FOUND)), Unknown(reason="unfit doctype", rubbish=True), id="DOCTYPE"),
    ],
)  # fmt: skip
async def test_an_outage_is_never_taken_for_nobody(answer: bytes, expected: object) -> None:
    result, _, _ = await ask(answer)

    if isinstance(expected, int):
        assert isinstance(result, Done)
        assert result.status == expected
    else:
        assert result == expected


@pytest.mark.parametrize(
    ("answer", "code", "status", "vi"),
    [
        (an_answer(a_fault("004", "x"), "500 X"), "004", 403, "Thủ tục chưa được cấp phép"),
        (an_answer(a_fault("Server.005", "x"), "500 X"), "005", 403, "Tài khoản cán bộ"),
        (an_answer(a_fault("Server", "[005] Tài khoản"), "500 X"), "005", 403, "Tài khoản cán bộ"),
        (an_answer(a_fault("Server", "x", "<e xmlns='u'><MaLoi>004</MaLoi></e>")), "004", 403, "Thủ tục"),
        (an_answer(an_envelope("<KQ><MaLoi>005</MaLoi></KQ>")), "005", 403, "Tài khoản cán bộ"),
        (an_answer(a_fault("Server", "ORA-00600"), "500 X"), "Server", 500, "Lỗi truy cập"),
        (an_answer(a_fault("Client", "sai"), "500 X"), "Client", 400, "Lỗi truy cập"),
    ],
)
async def test_errors_say_what_they_mean_to_an_officer(
    answer: bytes, code: str, status: int, vi: str
) -> None:
    result, _, _ = await ask(answer)

    assert isinstance(result, Done)
    error = told_of(result)["error"]
    assert (result.status, error["code"]) == (status, code)
    assert error["messages"]["vi"].startswith(vi)
    assert error["messages"]["en"]


@pytest.mark.parametrize(
    ("wrapped", "expected"),
    [
        ({"error_code": "0", "message": an_envelope(FOUND).decode()}, {"found": True}),
        ({"error_code": 0, "message": ""}, NOBODY),
        ({"error_code": "004", "message": "chưa được cấp phép"}, {"error": "004"}),
    ],
)
async def test_what_a_platform_wraps_is_taken_out(wrapped: dict[str, Any], expected: dict[str, Any]) -> None:
    answer = an_answer(orjson.dumps(wrapped), media_type="application/json")
    told = told_of((await ask(answer, wrapped=True))[0])

    if "error" in expected:
        assert told["error"]["code"] == expected["error"]
    else:
        assert told["found"] == expected.get("found")


# --- forms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["NFC", "NFD"])
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("as-given", "Đặng  Thuý Ái"),
        ("upper", "ĐẶNG THUÝ ÁI"),
        ("unaccented", "DANG THUY AI"),
        ("unaccented-joined", "DANGTHUYAI"),
    ],
)
def test_names_take_the_form_that_the_database_compares(form: NameForm, expected: str, given: Any) -> None:
    assert name_in(form, unicodedata.normalize(given, " Đặng\tThuý  Ái ")) == " ".join(expected.split())


@pytest.mark.parametrize(
    ("given", "inside", "compact", "dashed"),
    [
        ("1990-05-17", "NgayThangNam", "19900517", "1990-05-17"),
        ("17/05/1990", "NgayThangNam", "19900517", "1990-05-17"),
        ("7/5/1990", "NgayThangNam", "19900507", "1990-05-07"),
        ("19900517", "NgayThangNam", "19900517", "1990-05-17"),
        ("1990", "Nam", "1990", "1990"),
        ("05/1990", "Nam", "1990", "1990"),
        ("1990-05", "Nam", "1990", "1990"),
        ("00/05/1990", "Nam", "1990", "1990"),
        ("00/00/1990", "Nam", "1990", "1990"),
    ],
)
def test_birth_dates_of_every_form_become_a_day_or_a_year(
    given: str, inside: str, compact: str, dashed: str
) -> None:
    assert birth_in("compact", given) == (inside, compact)
    assert birth_in("dashed", given) == (inside, dashed)


@pytest.mark.parametrize(
    "given",
    ["", "hôm qua", "13/13/1990", "29/02/1990", "1990-05-16T17:00:00Z", "0000", "90", "17/05/90", "１９９０"],
)
def test_what_is_no_date_is_refused(given: str) -> None:
    with pytest.raises(Unfit):
        birth_in("compact", given)


def test_numbers_lose_their_blanks_and_nothing_else() -> None:
    assert number_of("999 999.999 999", 12) == "999999999999"
    with pytest.raises(Unfit):
        number_of("99999999999O", 12)


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": "lgsp", "secret": None},
        {"unit": "x" * 36},
        {"credentials": {"kind": "basic", "username": "a", "password": "secret:b"}},
    ],
)
def test_settings_that_contradict_themselves_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"user and secret|at most 35|leaves no place"):
        PopulationSettings(**{"url": "http://127.0.0.1:1"} | SETTINGS | wrong)
