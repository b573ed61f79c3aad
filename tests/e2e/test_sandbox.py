"""The sandbox databases, each in its own process, over real HTTP."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

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
    command = [sys.executable, "-m", "deploy.sandbox", name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], SECONDS)[0], "the database did not start"
            yield Database(process, json.loads(process.stdout.readline()))
        finally:
            process.kill()


@pytest.fixture(scope="module")
def dkdn() -> Iterator[Database]:
    with running("dkdn") as database:
        yield database


@pytest.fixture(scope="module")
def bhxh() -> Iterator[Database]:
    with running("bhxh") as database:
        yield database


@pytest.fixture(scope="module")
def dmdc() -> Iterator[Database]:
    with running("dmdc") as database:
        yield database


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


def test_a_person_is_found_by_the_known_part_of_a_birthday(bhxh: Database) -> None:
    head = ask_bhxh(bhxh, "getTraCuuThongTinHgd", hoTen=bhxh.examples["hoTen"])["dataThongTinHgd"][0]
    year = head["ngaySinh"][:4]

    found = ask_bhxh(bhxh, "getMaSoBhxhTheoTieuChi", hoTen=head["hoTen"], ngaySinh=year, loaiNgaySinh=1)
    missed = ask_bhxh(bhxh, "getMaSoBhxhTheoTieuChi", hoTen=head["hoTen"], ngaySinh="18000101")

    assert head["maSoBhxh"] in {row["maSoBhxh"] for row in found["dataThongTinHgd"]}
    assert missed["errorCode"] == "1"


def test_insurance_is_told_only_with_the_header(bhxh: Database) -> None:
    reply = httpx2.post(f"{bhxh.base}/getTraCuuThongTinHgd", json={}, headers={"lgspaccesstoken": "made-up"})

    assert reply.status_code == 401


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
