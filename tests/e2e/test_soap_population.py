"""The population database in its own process, asked by zeep, by the connector, and through a whole node."""

import base64
import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
import requests
from lxml import etree
from zeep import Client
from zeep.exceptions import Fault
from zeep.transports import Transport

from connectors.builtin.soap.population import PopulationConnector
from connectors.builtin.soap.population_settings import PopulationSettings
from connectors.contract import Done, Result, Unknown
from gateway.aiohttp_transport import AiohttpTransport
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from tests.connectors import a_call, a_context
from tests.e2e.node import running_node
from tests.e2e.test_sandbox import Database, running

BEGIN, DAY = 1_767_200_400_000, 86_400_000
"""Midnight of 2026-01-01 in Vietnam, and a day, in milliseconds."""
TOLD = {"x-officer": "CB-01", "x-procedure": "1.000001"}


@pytest.fixture(scope="module")
def dancu() -> Iterator[Database]:
    with running("dancu") as database:
        yield database


class LogIn(requests.auth.AuthBase):
    """The log-in of the database, for the clients of others."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def headers(self) -> dict[str, str]:
        stamp = str(int(time.time() * 1000))
        hashed = hashlib.sha256(f"{self.database.base}lgsp{stamp}{self.database.secret}".encode()).hexdigest()
        return {
            "Timestamp": stamp,
            "Authorization": "Basic " + base64.b64encode(f"lgsp:{hashed}".encode()).decode(),
            "X-Road-Client": self.database.examples["client"],
            "ApiKey": self.database.examples["apiKey"],
        }

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self.headers())
        return request


def person_of(database: Database) -> dict[str, str]:
    examples = database.examples
    return {
        "SoDinhDanh": examples["soDinhDanh"],
        "HoVaTen": examples["hoVaTen"],
        "NgayThangNamSinh": examples["ngaySinh"],
    }


@asynccontextmanager
async def connected(database: Database, **settings: Any) -> AsyncIterator[PopulationConnector]:
    given = {
        "url": database.base,
        "user": "lgsp",
        "secret": "secret:mk",
        "api_key": "secret:khoa",
        "client": database.examples["client"],
        "unit": "H99.1",
    }
    secrets = {"mk": database.secret, "khoa": database.examples["apiKey"]}
    egress = parse_egress(networks=["127.0.0.0/8"])
    async with AiohttpTransport(egress=egress, deadlines=Deadlines()) as http:
        connector = PopulationConnector(
            PopulationSettings(**given | settings), a_context(http, secrets=secrets)
        )
        await connector.open()
        yield connector
        await connector.close()


async def ask(
    connector: PopulationConnector,
    asked: dict[str, str],
    operation: str = "TraCuuThongTinCongDan",
    seconds: float = 5.0,
    **told: str,
) -> Result:
    call = a_call(
        method="POST",
        body=orjson.dumps(asked),
        context=TOLD | {f"x-{key}": value for key, value in told.items()},
        seconds=seconds,
    )
    call.operation = operation
    return await connector.call(call)


def told(result: Result) -> Any:  # Any: JSON
    assert isinstance(result, Done)
    assert isinstance(result.reply.body, bytes)
    return orjson.loads(result.reply.body)


# --- by zeep ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def zeep(dancu: Database) -> Iterator[Any]:
    session = requests.Session()
    session.auth = LogIn(dancu)
    with session:
        made: Any = Client  # zeep is half typed
        transport: Any = Transport
        yield made(dancu.base, transport=transport(session=session)).service


def zeep_asks(zeep: Any, dancu: Database, **more: Any) -> Any:
    asked = {
        "MaYeuCau": "1",
        "MaDVC": "1.000001",
        "MaTichHop": "037",
        "MaCanBo": "CB-01",
        "MaDonVi": "H99.1",
        "SoDinhDanh": dancu.examples["soDinhDanh"],
        "HoVaTen": dancu.examples["hoVaTen"].upper(),
        "NgayThangNamSinh": {"NgayThangNam": dancu.examples["ngaySinh"].replace("-", "")},
    }
    return zeep.TraCuuThongTinCongDan(**asked | more)


def test_zeep_reads_the_bulk_form_page_by_page(zeep: Any, dancu: Database) -> None:
    head = {"MaYeuCau": "1", "MaDVC": "1.000001", "MaTichHop": "037", "MaCanBo": "CB-01", "MaDonVi": "H99.1"}
    pages = [
        zeep.CungCapThongTinCongDan(
            **head, TuNgay=str(BEGIN), DenNgay=str(BEGIN + 4 * DAY), Loai="1", Trang=str(page), SoBanGhi="2"
        )
        for page in range(3)
    ]

    assert [len(page.CongDan if hasattr(page, "CongDan") else page) for page in pages] == [2, 2, 1]


def test_zeep_finds_a_person(zeep: Any, dancu: Database) -> None:
    found = zeep_asks(zeep, dancu)

    fields = {etree.QName(one.tag).localname: one.text for one in found[0]["_value_1"]}
    assert fields["SoDinhDanh"] == dancu.examples["soDinhDanh"]
    assert fields["GhiChu"] == "Dữ liệu giả lập"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"MaDVC": "9.999999"}, "Thủ tục chưa được cấp phép"),
        ({"MaCanBo": "CB-KHONG-QUYEN"}, "Tài khoản cán bộ"),
        ({"MaYeuCau": "1" * 41}, "Độ dài của MaYeuCau"),
        ({"SoCMND": "999999999"}, "Thứ tự hoặc thành phần"),
    ],
)
def test_zeep_hears_the_faults(zeep: Any, dancu: Database, more: dict[str, str], said: str) -> None:
    with pytest.raises(Fault, match=said):
        zeep_asks(zeep, dancu, **more)


def test_the_order_of_elements_matters(dancu: Database) -> None:
    swapped = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:d="http://dancuquocgia.bca"><s:Body>'
        "<d:TraCuuThongTinCongDan><d:MaDVC>1</d:MaDVC><d:MaYeuCau>1</d:MaYeuCau></d:TraCuuThongTinCongDan></s:Body></s:Envelope>"
    )
    headers = LogIn(dancu).headers() | {"SOAPAction": '""', "Content-Type": "text/xml"}
    reply = httpx2.post(dancu.base, content=swapped, headers=headers)

    assert reply.status_code == 500
    assert "Thứ tự" in reply.text


def test_nobody_gets_in_without_a_fresh_log_in(dancu: Database) -> None:
    good = LogIn(dancu).headers()
    for wrong in (
        {},
        good | {"Timestamp": str(int(good["Timestamp"]) - 1)},
        good | {"Timestamp": "1000"},
        good | {"Authorization": "Basic bGdzcDp4"},
    ):
        assert httpx2.post(dancu.base, headers=wrong).status_code == 401
    assert httpx2.post(dancu.base, headers=good | {"ApiKey": "x"}).status_code == 403


# --- by the connector -------------------------------------------------------------------------------------


async def test_the_connector_finds_a_person_whatever_forms_the_consumer_uses(dancu: Database) -> None:
    async with connected(dancu) as connector:
        person = person_of(dancu)
        year, month, day = person["NgayThangNamSinh"].split("-")
        for born in (f"{day}/{month}/{year}", f"{year}{month}{day}", year, f"{month}/{year}"):
            asked = person | {"HoVaTen": person["HoVaTen"].lower(), "NgayThangNamSinh": born}
            found = told(await ask(connector, asked))
            assert found["found"] is True
            assert found["CongDan"][0]["SoDinhDanh"] == person["SoDinhDanh"]
        assert told(await ask(connector, person, "XacThucThongTinCongDan")) == {"found": True, "TonTai": True}


async def test_an_old_number_finds_the_same_person_with_all_that_the_database_tells(dancu: Database) -> None:
    person = person_of(dancu)
    del person["SoDinhDanh"]
    async with connected(dancu) as connector:
        found = told(await ask(connector, person | {"SoCMND": dancu.examples["soCMND"]}))["CongDan"][0]

    assert found["SoDinhDanh"] == dancu.examples["soDinhDanh"]
    assert " ".join(found["HoVaTen"].values()) == person["HoVaTen"]
    assert found["GioiTinh"] == dancu.examples["gioiTinh"]
    assert found["NhomMau"] == "00"  # not known, and no blood group
    assert found["ThuongTru"]["QuocGia"] == "VN"
    assert "MaQuanHuyen" not in found["ThuongTru"]  # there are no districts any more
    assert found["Cha"]["HoVaTen"].split()[0] == found["HoVaTen"]["Ho"]
    assert found["ChuHo"]["QuanHe"] == "01"


async def test_the_bulk_form_comes_in_pages_until_nobody_is_left(dancu: Database) -> None:
    async with connected(dancu) as connector:
        asked = {"TuNgay": str(BEGIN), "DenNgay": str(BEGIN + 6 * DAY), "Loai": "1", "SoBanGhi": "3"}
        pages = [
            told(await ask(connector, asked | {"Trang": str(page)}, "CungCapThongTinCongDan"))
            for page in range(4)
        ]
        backwards = await ask(
            connector, asked | {"TuNgay": str(BEGIN + 7 * DAY), "Trang": "0"}, "CungCapThongTinCongDan"
        )

    numbers = [person["SoDinhDanh"] for page in pages for person in page["CongDan"]]
    assert [len(page["CongDan"]) for page in pages] == [3, 3, 1, 0]
    assert len(set(numbers)) == 7
    assert dancu.examples["soDinhDanh"] == numbers[0]
    assert pages[3]["found"] is False
    assert isinstance(backwards, Done)
    assert backwards.status == 400


async def test_the_connector_tells_nobody_errors_and_outages_apart(dancu: Database) -> None:
    person, examples = person_of(dancu), dancu.examples
    async with connected(dancu) as connector:
        nobody = await ask(connector, person | {"SoDinhDanh": examples["soDinhDanh_missing"]})
        procedure = await ask(connector, person, procedure=examples["maDVC_forbidden"])
        officer = await ask(connector, person, officer=examples["maCanBo_forbidden"])
        broken = await ask(connector, person | {"SoDinhDanh": examples["soDinhDanh_broken"]})
        async with httpx2.AsyncClient(base_url=dancu.ready["address"]) as control:
            await control.post("/_faults", json={"mode": "cut"})
            cut = await ask(connector, person)
            await control.post("/_faults", json={"mode": "slow", "seconds": 2})
            slow = await ask(connector, person, seconds=0.3)
            await control.post("/_faults", json={"mode": "error"})
            failed = await ask(connector, person)

    assert told(nobody) == {"found": False, "CongDan": []}
    assert (told(procedure)["error"]["code"], told(officer)["error"]["code"]) == ("004", "005")
    assert isinstance(broken, Done)
    assert broken.status == 500
    assert cut == Unknown(reason="cut")
    assert slow == Unknown(reason="timeout")
    assert isinstance(failed, Done)
    assert failed.status == 500


async def test_a_wrong_secret_is_our_credentials_fault(dancu: Database) -> None:
    async with connected(dancu, user="ai-do") as connector:
        result = await ask(connector, person_of(dancu))

    assert isinstance(result, Done)
    assert result.status == 401


# --- through a node ---------------------------------------------------------------------------------------


RULE = {
    "nothing_found": [{"at": "pointer:/found", "equals": ["false"]}],
    "business_failure": [{"at": "pointer:/error/code", "equals": ["004", "005"]}],
}


def secrets_of(dancu: Database, folder: Path) -> Path:
    """Bind the database's secrets for its owner, and return the file that does."""
    (folder / "G99").mkdir(parents=True)
    host = dancu.ready["address"].removeprefix("http://")
    lines = []
    for name, value in (("mk", dancu.secret), ("khoa", dancu.examples["apiKey"])):
        (folder / "G99" / name).write_text(value)
        lines += [f"[G99.{name}]", f'file = "{name}"', f'hosts = ["{host}"]']
    bindings = folder / "secrets.toml"
    bindings.write_text("\n".join(lines))
    return bindings


async def test_a_consumer_looks_a_person_up_through_a_node(dancu: Database, tmp_path: Path) -> None:
    person, examples = person_of(dancu), dancu.examples
    bindings = secrets_of(dancu, tmp_path / "bi-mat")
    endpoint = {
        "connector": "population",
        "settings": {
            "url": dancu.base,
            "user": "lgsp",
            "secret": "secret:mk",
            "api_key": "secret:khoa",
            "client": examples["client"],
            "unit": "H99.1",
            "operations": {"traCuu": "TraCuuThongTinCongDan"},
        },
        "passes": {"officer": "x-officer", "procedure": "x-procedure"},
        "deadline_seconds": 5,
    }
    operation = {"name": "traCuu", "path": "/tra-cuu", "method": "POST", "success_rule": RULE}
    async with running_node(tmp_path / "node", secrets_file=str(bindings)) as node:
        await node.offer("DanCu", url="unused", endpoint=endpoint, operations=[operation])
        await node.grant(
            "DanCu", operations=["traCuu"], officer="asserted", purposes=["dvc"], default_purpose="dvc"
        )
        caller = await node.client("mot-cua", system="H99:mot-cua", environment="production")

        async def look_up(asked: dict[str, str], officer: str = "CB-01", procedure: str = "1.000001") -> Any:
            headers = {"lgsp-officer": officer, "lgsp-procedure": procedure}
            return await caller.call("/DanCu/1.0/tra-cuu", "POST", json=asked, headers=headers)

        found = await look_up(person)
        nobody = await look_up(person | {"SoDinhDanh": examples["soDinhDanh_missing"]})
        refused = await look_up(person, officer=examples["maCanBo_forbidden"])
        unfit = await look_up(person | {"NgayThangNamSinh": "hôm qua"})
        unnamed = await caller.call("/DanCu/1.0/tra-cuu", "POST", json=person)

    assert (found.status_code, found.json()["CongDan"][0]["SoDinhDanh"]) == (200, person["SoDinhDanh"])
    assert (nobody.status_code, nobody.json()) == (200, {"found": False, "CongDan": []})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "005")
    assert (unfit.status_code, unfit.json()["code"]) == (422, "message-unfit")
    assert unfit.json()["details"] == {"why": "/NgayThangNamSinh: date"}
    assert unnamed.status_code == 403
