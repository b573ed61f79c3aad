"""The sandbox databases, in processes of their own, over real HTTP."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import httpx2
import pytest
from lxml import etree

SECONDS = 15


class Database:
    """A running sandbox database."""

    def __init__(self, process: subprocess.Popen[bytes], ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready
        self.base: str = ready["base"]
        self.secret: str = ready["secret"]
        self.examples: dict[str, str] = ready["examples"]


@contextmanager
def running(name: str) -> Iterator[Database]:
    with all_running(name) as databases:
        yield databases[name]


@contextmanager
def all_running(*names: str) -> Iterator[dict[str, Database]]:
    command = [sys.executable, "-m", "deploy.sandbox", *names]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], SECONDS)[0], "the databases did not start"
            ready = json.loads(process.stdout.readline())
            yield {name: Database(process, ready[name]) for name in names}
        finally:
            process.kill()


@pytest.fixture(scope="module")
def databases() -> Iterator[dict[str, Database]]:
    with all_running("dkdn", "bhxh", "dmdc", "hotich", "lltp", "datdai") as running:
        yield running


@pytest.fixture(scope="module")
def dkdn(databases: dict[str, Database]) -> Database:
    return databases["dkdn"]


@pytest.fixture(scope="module")
def bhxh(databases: dict[str, Database]) -> Database:
    return databases["bhxh"]


@pytest.fixture(scope="module")
def dmdc(databases: dict[str, Database]) -> Database:
    return databases["dmdc"]


def token_of(database: Database) -> str:
    reply = httpx2.post(
        database.ready["address"] + "/token",
        data={"grant_type": "client_credentials"},
        auth=("lgsp", database.secret),
    )
    assert reply.status_code == 200
    return str(reply.json()["access_token"])


def ask_dkdn(database: Database, path: str, **params: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token_of(database)}"}
    reply = httpx2.get(f"{database.base}/{path}", params=params, headers=headers)
    assert reply.status_code == 200
    answer: dict[str, Any] = reply.json()
    assert answer["sandbox"] is True
    return answer


def test_an_enterprise_is_found(dkdn: Database) -> None:
    answer = ask_dkdn(dkdn, "chiTietDoanhNghiep", msdn=dkdn.examples["msdn"])

    assert answer["Status"] == "1"
    assert answer["DataCount"] == 1
    assert answer["Data"]["MainInformation"]["ENTERPRISE_GDT_CODE"] == dkdn.examples["msdn"]
    assert answer["Data"]["HOAdress"]["AddressFullText"].endswith("(giả lập)")


def test_an_enterprise_that_does_not_exist_is_no_failure(dkdn: Database) -> None:
    answer = ask_dkdn(dkdn, "chiTietDoanhNghiep", msdn=dkdn.examples["msdn_missing"])

    assert (answer["Status"], answer["DataCount"]) == ("1", 0)


@pytest.mark.parametrize(
    ("first", "last", "status"),
    [
        pytest.param("06/01/2026", "11/01/2026", "1", id="five days"),
        pytest.param("06/01/2026", "12/01/2026", "0", id="six days"),
        pytest.param("2026-01-06", "2026-01-07", "0", id="another date format"),
        pytest.param("08/01/2026", "07/01/2026", "0", id="backwards"),
    ],
)
def test_dossiers_span_at_most_five_days(dkdn: Database, first: str, last: str, status: str) -> None:
    answer = ask_dkdn(dkdn, "danhSachHoSo", from_date=first, to_date=last)

    assert answer["Status"] == status
    assert ("Data" in answer) == (status == "1")


def test_dossiers_of_a_day_come_in_pages(dkdn: Database) -> None:
    answer = ask_dkdn(
        dkdn, "danhSachHoSoTrongNgay", from_ts="1767657600", to_ts="1767744000", offset="0", limit="1"
    )

    assert (answer["Status"], answer["DataCount"]) == ("1", 1)


def test_enterprises_are_told_only_with_a_token(dkdn: Database) -> None:
    url = f"{dkdn.base}/chiTietDoanhNghiep?msdn={dkdn.examples['msdn']}"

    assert httpx2.get(url).status_code == 401
    assert httpx2.get(url, headers={"Authorization": "Bearer made-up"}).status_code == 401
    wrong = httpx2.post(dkdn.ready["address"] + "/token", auth=("lgsp", "made-up"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


def ask_bhxh(database: Database, operation: str, **asked: object) -> dict[str, Any]:
    reply = httpx2.post(
        f"{database.base}/{operation}", json=asked, headers={"lgspaccesstoken": database.secret}
    )
    assert reply.status_code == 200
    (answer,) = reply.json()["response"].values()
    found: dict[str, Any] = answer["successful"]
    return found


def test_a_household_is_found_by_an_insurance_number(bhxh: Database) -> None:
    answer = ask_bhxh(bhxh, "getTraCuuTtHgdByMaSoBhxh", maSoBhxh=bhxh.examples["maSoBhxh"])

    head = answer["dataThongTinHgd"][0]
    assert answer["errorCode"] == "0"
    assert head["maSoBhxh"] == bhxh.examples["maSoBhxh"]
    assert len(head["ngaySinh"]) == 8
    assert head["gioiTinh"] in {1, 2, 3}
    assert head["ghiChu"] == "Dữ liệu giả lập"


@pytest.mark.parametrize(
    ("number", "code"), [("9999999999", "1"), ("12", "2"), (None, "2")], ids=["unknown", "short", "none"]
)
def test_an_insurance_failure_stands_in_its_code(bhxh: Database, number: str | None, code: str) -> None:
    answer = ask_bhxh(bhxh, "getTraCuuTtHgdByMaSoBhxh", maSoBhxh=number)

    assert answer == {"dataThongTinHgd": [], "errorCode": code}


@pytest.mark.parametrize(
    ("number", "born", "known", "sex"), [("9999000001", "1938", 1, 2), ("9999000002", "195007", 2, 3)]
)
def test_a_birthday_may_be_known_in_part_only(
    bhxh: Database, number: str, born: str, known: int, sex: int
) -> None:
    (person,) = ask_bhxh(bhxh, "getTraCuuTtHgdByMaSoBhxh", maSoBhxh=number)["dataThongTinHgd"]

    assert (person["ngaySinh"], person["loaiNgaySinh"], person["gioiTinh"]) == (born, known, sex)


def test_a_person_is_found_by_the_known_part_of_a_birthday(bhxh: Database) -> None:
    head = ask_bhxh(bhxh, "getTraCuuThongTinHgd", hoTen=bhxh.examples["hoVaTen"])["dataThongTinHgd"][0]
    year = head["ngaySinh"][:4]

    found = ask_bhxh(bhxh, "getMaSoBhxhTheoTieuChi", hoTen=head["hoTen"], ngaySinh=year, loaiNgaySinh=1)
    missed = ask_bhxh(bhxh, "getMaSoBhxhTheoTieuChi", hoTen=head["hoTen"], ngaySinh="18000101")

    assert head["maSoBhxh"] in {row["maSoBhxh"] for row in found["dataThongTinHgd"]}
    assert missed["errorCode"] == "1"


def test_insurance_is_told_only_with_the_header(bhxh: Database) -> None:
    reply = httpx2.post(f"{bhxh.base}/getTraCuuThongTinHgd", json={}, headers={"lgspaccesstoken": "made-up"})

    assert reply.status_code == 401


def ask(database: Database, path: str, **asked: object) -> dict[str, Any]:
    """Ask a database whose credentials are a token or a password."""
    auth: Any = ("lgsp", database.secret)
    reply = httpx2.post(f"{database.base}/{path}", json=asked, auth=auth)
    if reply.status_code == 401:
        bearer = {"Authorization": f"Bearer {token_of(database)}"}
        reply = httpx2.post(f"{database.base}/{path}", json=asked, headers=bearer)
    assert reply.status_code == 200
    answer: dict[str, Any] = reply.json()
    assert answer["sandbox"] is True
    return answer


def test_a_person_is_the_same_everywhere(databases: dict[str, Database]) -> None:
    known = databases["bhxh"].examples
    born = date.fromisoformat(known["ngaySinh"])
    household = ask_bhxh(databases["bhxh"], "getTraCuuTtHgdByMaSoBhxh", maSoBhxh=known["maSoBhxh"])
    insured = household["dataThongTinHgd"][0]
    record = ask(databases["lltp"], "traHoSo", idNumber=known["soDinhDanh"])["declaration"]
    extract = etree.fromstring(ask(databases["hotich"], "traHoSo", soDinhDanh=known["soDinhDanh"])["data"])
    bearer = {"Authorization": f"Bearer {token_of(databases['datdai'])}"}
    address = f"{databases['datdai'].base}/TraCuuThuaDat?soDinhDanh={known['soDinhDanh']}"
    land = httpx2.get(address, headers=bearer).json()["ChuSuDung"]

    assert {insured["hoTen"], record["fullName"], extract.findtext("hoTen"), land["HoTen"]} == {
        known["hoVaTen"]
    }
    assert (insured["ngaySinh"], record["birthDate"]) == (f"{born:%Y%m%d}", f"{born:%d/%m/%Y}")
    assert (extract.findtext("ngaySinh"), land["NamSinh"]) == (f"{born:%Y%m%d}", str(born.year))
    assert str(insured["gioiTinh"]) == extract.findtext("gioiTinh") == known["gioiTinh"]
    assert record["genderId"] == ("1" if known["gioiTinh"] == "1" else "0")
    names = [one["hoTen"] for one in household["dataThongTinHgd"]]
    assert len(set(names)) == len(names)
    assert len({name.split()[0] for name in names}) <= 2  # wives keep the name of their own family


BIRTH = {
    "maDonVi": "000.00.31.H99",
    "module": "KS",
    "maHoSo": "H99.31-260115-0001",
    "ngayTiepNhan": "20260115",
}


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"data": "<khaiSinh/>"}, 1, "0"),
        ({}, 0, "200"),
        ({"data": "<khaiSinh/>", "maDonVi": "H99.31"}, 0, "106"),
        ({"data": "<khaiSinh/>", "ngayTiepNhan": "15/01/2026"}, 0, "302"),
        ({"data": {"khaiSinh": {}}}, 0, "500"),
        ({"data": "<khaiSinh/>", "maDonVi": "000.00.31.H55"}, 0, "108"),
        ({"data": "<khaiSinh/>", "maDonVi": "000.00.99.H99"}, 0, "101"),
    ],
)
def test_a_civil_status_dossier_is_judged_inside_its_answer(
    databases: dict[str, Database], more: dict[str, Any], status: int, code: str
) -> None:
    answer = ask(databases["hotich"], "dangKyHoTich", **{**BIRTH, **more})

    assert (answer["status"], answer["errorCode"]) == (status, code)


APPLICANT = {"fullName": "Nguyễn Giả Lập", "birthDate": "01/02/1990", "genderId": "1", "idNumber": "C9999999"}


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"idTypeId": "0"}, "1"),
        ({"idTypeId": "2"}, "1"),
        ({"idTypeId": "4"}, "0"),
        ({"idTypeId": "0", "genderId": "2"}, "0"),
        ({"idTypeId": "0", "birthDate": "1990-02-01"}, "0"),
    ],
)
def test_criminal_records_know_passports_and_residence_cards(
    databases: dict[str, Database], more: dict[str, str], status: str
) -> None:
    answer = ask(databases["lltp"], "nhanHoSoDangKy", **{**APPLICANT, **more})

    assert answer["STATUS"] == status


def test_criminal_records_are_listed_and_acknowledged(databases: dict[str, Database]) -> None:
    lltp = databases["lltp"]
    kinds = {one["id"]: one["name"] for one in ask(lltp, "traDanhMuc", categoryId="IDTYPE")["items"]}
    listed = ask(lltp, "traDsTrangThaiHs", fromDate="01/01/2026", toDate="31/01/2026")["items"]
    known = ask(lltp, "nhanHoSoDangKy", **APPLICANT, idTypeId="2")["declarationId"]

    assert kinds == {"0": "Hộ chiếu", "1": "CMND", "2": "Thẻ thường trú", "3": "CCCD"}
    assert ask(lltp, "traDanhMuc", categoryId="KHONG-CO")["STATUS"] == "2"
    assert ask(lltp, "traDsTrangThaiHs", fromDate="01/01/2026", toDate="31/12/2026")["STATUS"] == "0"
    assert {one["declarationStatus"] for one in listed} <= {"3", "4", "5"}
    assert ask(lltp, "traTrangThaiHs", declarationId=known)["STATUS"] == "1"
    assert ask(lltp, "danhDauHsThanhCong", declarationId=known)["STATUS"] == "1"
    assert ask(lltp, "danhDauHsThanhCong", declarationId="12")["STATUS"] == "2"


def test_nobody_is_found_where_nobody_is(databases: dict[str, Database]) -> None:
    missing = databases["hotich"].examples["soDinhDanh_missing"]

    assert ask(databases["hotich"], "traHoSo", soDinhDanh=missing)["errorCode"] == "201"
    assert ask(databases["hotich"], "traTrangThaiHoSo", maHoSo="không có")["errorCode"] == "201"
    assert ask(databases["lltp"], "traHoSo", idNumber=missing)["STATUS"] == "2"


def test_land_logs_in_with_a_password(databases: dict[str, Database]) -> None:
    datdai = databases["datdai"]
    form = {"grant_type": "password", "username": "lgsp", "password": datdai.secret}
    token = httpx2.post(datdai.ready["address"] + "/token", data=form)
    wrong = httpx2.post(datdai.ready["address"] + "/token", data=form | {"password": "made-up"})

    assert (token.status_code, token.json()["token_type"]) == (200, "Bearer")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_grant")


def test_faults_are_ordered_by_header_from_a_described_database(bhxh: Database) -> None:
    def answer(**orders: str) -> httpx2.Response:
        headers = {"lgspaccesstoken": bhxh.secret, **{f"mock-{name}": text for name, text in orders.items()}}
        return httpx2.post(f"{bhxh.base}/getTraCuuThongTinHgd", json={"hoTen": "ai"}, headers=headers)

    assert [answer(fault=one).status_code for one in ("500", "busy")] == [500, 503]
    assert answer(fault="rubbish").content.startswith(b"\x00")
    assert answer(example="khong-tim-thay").json()["status"] == "FAIL"
    with pytest.raises(httpx2.RemoteProtocolError):
        answer(fault="cut")
    began = time.monotonic()
    answer(delay="0.2")
    assert time.monotonic() - began >= 0.2


def ask_dmdc(database: Database, path: str, records: object = None) -> Any:
    auth = ("lgsp", database.secret)
    url = f"{database.base}/{path}"
    reply = httpx2.get(url, auth=auth) if records is None else httpx2.post(url, json=records, auth=auth)
    assert reply.status_code == 200
    return reply.json()


@pytest.mark.parametrize(
    ("category", "count"), [("TrangThaiHoSo", 10), ("TinhThanh", 34), ("TinhThanhCu", 63)]
)
def test_a_code_list_is_whole(dmdc: Database, category: str, count: int) -> None:
    answer = ask_dmdc(dmdc, f"Category/{category}")

    assert (answer["MSG"], answer["Count"], len(answer["Data"])) == ("Done", count, count)


def test_a_code_list_says_its_columns(dmdc: Database) -> None:
    answer = ask_dmdc(dmdc, "Metadata/TrangThaiHoSo")

    assert [column["PropertyCode"] for column in answer] == ["code", "name"]


def test_a_code_lists_errors_stand_only_in_its_text(dmdc: Database) -> None:
    unknown = ask_dmdc(dmdc, "Category/KhongCo")
    duplicate = ask_dmdc(dmdc, "Category/TrangThaiHoSo", [{"code": "1", "name": "Lần nữa"}])
    added = ask_dmdc(dmdc, "Category/TrangThaiHoSo", [{"code": "99", "name": "Giả lập"}])

    assert unknown == {"MSG": "Category not found", "Count": 0}
    assert duplicate == {"MSG": "Data not insert: Record 1: 1 is duplicate", "Count": 0}
    assert added == {"MSG": "Done", "Count": 1}


def test_code_lists_are_told_only_with_the_password() -> None:
    with running("dmdc") as database:
        reply = httpx2.get(f"{database.base}/Category/TinhThanh", auth=("lgsp", "made-up"))

        assert reply.status_code == 401


def test_faults_spoil_as_many_answers_as_asked() -> None:
    with running("dmdc") as database:
        url = f"{database.base}/Category/TinhThanh"
        auth = ("lgsp", database.secret)

        def spoil(**wanted: object) -> int:
            return httpx2.post(database.ready["address"] + "/_faults", json=wanted).status_code

        assert spoil(mode="rubbish") == 400
        assert spoil(mode="cut") == 200
        with pytest.raises(httpx2.RemoteProtocolError):
            httpx2.get(url, auth=auth)
        assert httpx2.get(url, auth=auth).status_code == 200

        spoil(mode="error", times=2)
        assert [httpx2.get(url, auth=auth).status_code for _ in range(3)] == [500, 500, 200]

        spoil(mode="slow", seconds=0.3)
        began = time.monotonic()
        assert httpx2.get(url, auth=auth).status_code == 200
        assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_database_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    with running("dkdn") as database:
        os.kill(database.process.pid, number)

        assert database.process.wait(SECONDS) == 0


def test_a_database_ends_when_its_parent_is_gone() -> None:
    with running("bhxh") as database:
        assert database.process.stdin is not None
        database.process.stdin.close()

        assert database.process.wait(SECONDS) == 0
