"""Our counts against a provider's own, over the API and by the command, on real evidence."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx2
import openpyxl
import pytest

from registry.entities import Kind
from registry.evidence import Outcome
from registry.sql.database import location, upgrade
from registry.sql.ledger import open_ledger
from tests.e2e.admin_app import SECRET, AdminNode, admin_node
from tests.factories import ADMIN, a_service, a_small_province
from tests.records import NOON_US, a_record

API = "/admin/v1/reconcile"
HOUR_US = 3600 * 1_000_000
FIRST_US = NOON_US // HOUR_US * HOUR_US
CALLS = {0: 4, 1: 7, 2: 3, 5: 6}
"""Answered calls of `chiTiet` in each hour after FIRST_US."""


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AdminNode]:
    folder = tmp_path_factory.mktemp("node")
    where = location(None, folder)
    await upgrade(where)
    async with admin_node(where, folder) as running:
        made = await a_small_province(running.register)
        second = await running.register.add(Kind.SERVICE, a_service("HoTich"), ADMIN)
        provider = made["provider"].id
        async with open_ledger(where.ledger, node="H99", data_dir=folder) as ledger:

            async def called(hour: int, service: str, count: int = 1, **given: Any) -> None:
                values = {"at": FIRST_US + hour * HOUR_US, "service": service, "provider": provider}
                for _ in range(count):
                    await ledger.append(a_record(**(values | {"operation": "chiTiet"} | given)))

            for hour, count in CALLS.items():
                await called(hour, made["service"].id, count)
                await called(hour, made["service"].id, 9, outcome=Outcome.REFUSED, sent=False)
            await called(1, made["service"].id, 2, outcome=Outcome.UNKNOWN)
            await called(2, made["service"].id, 1, environment="sandbox")
            await called(2, second.id, 5, operation="traCuu")
        yield running


def stamp(hour: int, offset: int = 7) -> str:
    moment = datetime.fromtimestamp(FIRST_US / 1e6, UTC) + timedelta(hours=hour + offset)
    return moment.strftime("%d/%m/%Y %H:00")


def table(rows: list[tuple[Any, ...]], header: str = "Thời gian;Dịch vụ;Thao tác;Số lượt") -> bytes:
    return "\n".join([header, *(";".join(map(str, row)) for row in rows)]).encode()


def equal_rows(offset: int = 7) -> list[tuple[Any, ...]]:
    return [(stamp(hour, offset), "DoanhNghiep", "chiTiet", count) for hour, count in CALLS.items()]


async def post(node: AdminNode, content: bytes, role: str = "observer", **query: str) -> httpx2.Response:
    http = await node.http(role)
    return await http.post(API, params=query, content=content, headers={"content-type": "text/csv"})


async def told(node: AdminNode, content: bytes, **query: str) -> dict[str, Any]:
    answer = await post(node, content, **query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_equal_counts_are_equal(node: AdminNode) -> None:
    found = await told(node, table(equal_rows()))

    assert found["equal"] is True
    assert (found["differences"], found["refused"], found["shift_hours"]) == ([], [], None)
    assert (found["ours"], found["uncertain"], found["theirs"]) == (20, 2, 20)
    assert (found["rows"], found["rows_without_zone"], found["zone"]) == (4, 4, "Asia/Ho_Chi_Minh")


async def test_calls_that_may_have_arrived_may_be_counted(node: AdminNode) -> None:
    rows = equal_rows()
    for more, expected in ((2, True), (3, False)):
        changed = [rows[0], (*rows[1][:3], CALLS[1] + more), *rows[2:]]
        assert (await told(node, table(changed)))["equal"] is expected


async def test_each_kind_of_difference_is_listed(node: AdminNode) -> None:
    rows = equal_rows()
    changed = [(*rows[0][:3], 3), rows[1], rows[3], (stamp(3), "DoanhNghiep", "chitiet", 8)]

    found = await told(node, table(changed))

    listed = [(it["hour"][11:13], it["kind"], it["ours"], it["theirs"]) for it in found["differences"]]
    hours = [f"{(int(found['first_hour'][11:13]) + hour) % 24:02}" for hour in (0, 2, 3)]
    assert listed == [
        (hours[0], "count", 4, 3),
        (hours[1], "missing-there", 3, None),
        (hours[2], "missing-here", 0, 8),
    ]
    assert found["equal"] is False
    assert {it["service"] for it in found["differences"]} == {"DoanhNghiep"}


async def test_a_shift_by_the_time_zone_is_named_and_the_other_zone_mends_it(node: AdminNode) -> None:
    content = table(equal_rows(offset=0))

    assert (await told(node, content))["shift_hours"] == 7
    assert (await told(node, content, zone="UTC"))["equal"] is True


async def test_with_a_provider_the_services_left_out_are_missed(node: AdminNode) -> None:
    found = await told(node, table(equal_rows()), provider="G99:csdl")

    assert [(it["service"], it["kind"], it["ours"]) for it in found["differences"]] == [
        ("HoTich", "missing-there", 5)
    ]


async def test_without_operations_services_are_compared(node: AdminNode) -> None:
    rows = [(stamp(hour), count) for hour, count in CALLS.items()]

    found = await told(node, table(rows, "hour;count"), service="doanhnghiep")

    assert found["equal"] is True


async def test_outcomes_are_compared_where_they_stand(node: AdminNode) -> None:
    rows = [(stamp(hour), count - (hour == 5), hour == 5) for hour, count in CALLS.items()]
    content = table([(a, b, int(c)) for a, b, c in rows], "Giờ;Thành công;Thất bại")

    found = await told(node, content, service="DoanhNghiep")

    assert [(it["kind"], it["ours_success"], it["theirs_success"]) for it in found["differences"]] == [
        ("success", 6, 5)
    ]


async def test_sandbox_calls_are_counted_apart(node: AdminNode) -> None:
    content = table([(stamp(2), "DoanhNghiep", "chiTiet", 1)])

    assert (await told(node, content, environment="sandbox"))["equal"] is True


async def test_rows_that_cannot_be_placed_are_refused_and_are_not_equal(node: AdminNode) -> None:
    rows = [*equal_rows(), (stamp(0), "KhongCo", "x", 1), ("hôm qua", "DoanhNghiep", "x", 1)]

    found = await told(node, table([*rows, (stamp(0), "DoanhNghiep", "", 1)]))

    assert found["equal"] is False
    assert [(row["row"], row["errors"][0]["pointer"]) for row in found["refused"]] == [
        (6, "/service"), (7, "/hour"), (8, "/operation"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "query", "status"),
    [
        pytest.param(b"", {}, 422, id="nothing"),
        pytest.param(b"a;b\n1;2\n", {}, 422, id="other headers"),
        pytest.param(table([(stamp(0), "X", "y", 1), ("01/01/2024 00:00", "DoanhNghiep", "x", 1), (stamp(0), "DoanhNghiep", "x", 1)]), {}, 422, id="years"),
        pytest.param(table([]), {"zone": "Mars"}, 422, id="no such zone"),
        pytest.param(table([]), {"provider": "nobody"}, 404, id="no such provider"),
        pytest.param(table([]), {"service": "nothing"}, 404, id="no such service"),
        pytest.param(b"x" * (10 * 1024 * 1024 + 1), {}, 413, id="too large"),
    ],
)  # fmt: skip
async def test_bad_input_is_refused(
    node: AdminNode, content: bytes, query: dict[str, str], status: int
) -> None:
    answer = await post(node, content, **query)

    assert answer.status_code == status, answer.text


# --- the command ----------------------------------------------------------------------------------------


async def command(node: AdminNode, *words: str) -> "subprocess.CompletedProcess[str]":
    client = await node.client("observer")
    environ = {
        "PATH": os.defpath, "PYTHONUTF8": "1", "COLUMNS": "200", "LGSP_LANGUAGE": "en",
        "LGSP_NODE_URL": node.base, "LGSP_CLIENT_ID": client.id, "LGSP_CLIENT_SECRET": SECRET,
    }  # fmt: skip

    def run() -> "subprocess.CompletedProcess[str]":
        line = [sys.executable, "-m", "gateway", "reconcile", *words]
        return subprocess.run(
            line,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return await anyio.to_thread.run_sync(run)


async def test_the_command_ends_with_0_when_the_counts_agree_and_1_when_not(
    node: AdminNode, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.append(["Thời gian", "Dịch vụ", "Thao tác", "Số lượt"])
    for row in equal_rows():
        sheet.append(row)
    book.save(tmp_path / "equal.xlsx")
    rows = equal_rows()
    (tmp_path / "differs.csv").write_bytes(table([(*rows[0][:3], 99), *rows[1:]]))

    equal = await command(node, str(tmp_path / "equal.xlsx"))
    differs = await command(node, str(tmp_path / "differs.csv"))
    as_json = await command(node, str(tmp_path / "differs.csv"), "--json")

    assert (equal.returncode, differs.returncode, as_json.returncode) == (0, 1, 1), equal.stderr
    assert "0 differ" in equal.stdout
    assert "Asia/Ho_Chi_Minh was assumed" in equal.stdout
    assert "counts differ" in differs.stdout
    assert json.loads(as_json.stdout)["differences_total"] == 1


async def test_what_the_command_writes_is_no_formula(node: AdminNode, tmp_path: Path) -> None:
    file, out = tmp_path / "evil.csv", tmp_path / "out.csv"
    file.write_bytes(table([*equal_rows(), (stamp(0), "DoanhNghiep", '=cmd|" /C calc"!A0', 1)]))

    done = await command(node, str(file), "--output", str(out))

    assert done.returncode == 1
    written = list(csv.DictReader(io.StringIO(out.read_text("utf-8-sig"))))
    assert [row["operation"][:2] for row in written] == ["'="]


async def test_the_command_says_what_is_wrong_with_a_file(node: AdminNode, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n")

    for words, code in ((["x.pdf"], 2), (["none.csv"], 1), (["x.csv"], 1)):
        assert (await command(node, str(tmp_path / words[0]))).returncode == code
