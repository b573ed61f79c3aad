import io
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import Invalid
from registry.reconcile import Compared, Ours, Place, Told, compare, sum_ours, sum_theirs
from registry.reconcile_table import Counts, read_counts
from registry.usage import HOUR_SECONDS, VIETNAM, Totals

EIGHT = int(datetime(2026, 11, 25, 1, tzinfo=UTC).timestamp())
"""Eight in the morning in Vietnam."""


def read(text: str) -> Counts:
    return read_counts(text.encode(), zone=VIETNAM)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        pytest.param("hour,service,operation,count", "2026-11-25T08:00:00,DN,chiTiet,12", id="English"),
        pytest.param("Giờ;Dịch vụ;Thao tác;Số lượt", "25/11/2026 08:00;DN;chiTiet;12", id="Vietnamese"),
        pytest.param("THOI GIAN;DICH VU;CHUC NANG;TONG SO", "25/11/2026 8h;DN;chiTiet;12", id="no accents"),
        pytest.param("Ngày,Giờ,API,Hàm,Số lượt gọi", "25/11/2026,8,DN,chiTiet,12", id="day and hour"),
        pytest.param(
            "Ngày,Khung giờ,API,Hàm,Tổng", "2026-11-25,08:00 - 09:00,DN,chiTiet,12", id="span of hours"
        ),
        pytest.param("count,operation,service,time", "12,chiTiet,DN,2026-11-25T01:59:59Z", id="with a zone"),
        pytest.param(
            "time,service,count", "2026-11-25 08:30+07:00,DN/chiTiet,12", id="service and operation"
        ),
        pytest.param("time,service,count", "08:15 25/11/2026,DN/chiTiet,12", id="clock first"),
        pytest.param("time,API,method,success,failed", "2026-11-25 08,DN,chiTiet,10,2", id="by outcome"),
    ],
)
def test_a_table_is_read_whatever_its_headers(header: str, line: str) -> None:
    found = read(f"{header}\n{line}\n")

    assert found.refused == []
    (row,) = found.rows
    assert (row.hour, row.service, row.operation, row.count) == (EIGHT, "DN", "chiTiet", 12)


def test_it_is_said_how_many_hours_had_no_zone() -> None:
    found = read("time,service,count\n2026-11-25T08:00,DN,1\n2026-11-25T01:00Z,DN,1\n")

    assert [row.hour for row in found.rows] == [EIGHT, EIGHT]
    assert found.assumed == 1
    assert read_counts(b"time,service,count\n2026-11-25T01:00,DN,1\n", zone=UTC).rows[0].hour == EIGHT


@pytest.mark.parametrize(("text", "count"), [("1.234", 1234), ("1,234,567", 1234567), ("0", 0), ("12", 12)])
def test_numbers_may_be_grouped(text: str, count: int) -> None:
    assert read(f"time;service;count\n2026-11-25T08:00;DN;{text}\n").rows[0].count == count


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        pytest.param("yesterday;DN;1", "/hour", id="no time"),
        pytest.param(";DN;1", "/hour", id="no hour"),
        pytest.param("25/13/2026 08:00;DN;1", "/hour", id="no month"),
        pytest.param("25/11/2026 25:00;DN;1", "/hour", id="no hour of the day"),
        pytest.param("0001-01-01T00:00;DN;1", "/hour", id="long ago"),
        pytest.param("2026-11-25T08:00;DN;1.5", "/count", id="a fraction"),
        pytest.param("2026-11-25T08:00;DN;-1", "/count", id="negative"),
        pytest.param("2026-11-25T08:00;DN;=1+1", "/count", id="a formula"),
        pytest.param("2026-11-25T08:00;DN;" + "9" * 40, "/count", id="endless"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_with_its_place(line: str, pointer: str) -> None:
    found = read(f"time;service;count\n{line}\n2026-11-25T08:00;DN;1\n")

    assert [(bad.row, bad.reasons[0].pointer) for bad in found.refused] == [(2, pointer)]
    assert len(found.rows) == 1


def test_a_sum_below_the_table_is_no_row() -> None:
    found = read("Giờ;Dịch vụ;Số lượt\n25/11/2026 08:00;DN;1\nTổng cộng;;1\n")

    assert (len(found.rows), found.refused) == (1, [])


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"time,service\n1,2\n", b"\xff\x00\x01", b"PK\x03\x04rubbish"]
)
def test_a_file_without_such_a_table_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        read_counts(content, zone=VIETNAM)


def test_a_workbook_is_read_with_its_own_times() -> None:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.append(["Báo cáo (ví dụ)"])
    sheet.append(["Thời gian", "Dịch vụ", "Số lượt"])
    sheet.append([datetime(2026, 11, 25, 8), "DN", 12])  # noqa: DTZ001  (a workbook knows no zones)
    sheet.append([datetime(2026, 11, 25), "DN", 3.0])  # noqa: DTZ001
    file = io.BytesIO()
    book.save(file)

    rows = read_counts(file.getvalue(), zone=VIETNAM).rows

    assert [(row.hour, row.count) for row in rows] == [(EIGHT, 12), (EIGHT - 8 * HOUR_SECONDS, 3)]


# --- comparing ------------------------------------------------------------------------------------------


def at(hour: int = 0, service: str = "dn", operation: str = "") -> Place:
    return Place(EIGHT + hour * HOUR_SECONDS, service, operation)


def kinds(compared: Compared) -> list[str]:
    return [difference.kind for difference in compared.differences]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param(Ours(10, 8, 0), Told(10), [], id="equal"),
        pytest.param(Ours(10, 8, 2), Told(12), [], id="the uncertain ones arrived"),
        pytest.param(Ours(10, 8, 2), Told(13), ["count"], id="more than there can be"),
        pytest.param(Ours(10, 8, 2), Told(9), ["count"], id="less than was answered"),
        pytest.param(Ours(10, 8, 0), Told(10, 7), ["success"], id="other successes"),
        pytest.param(Ours(10, 8, 1), Told(11, 9), [], id="an uncertain success"),
        pytest.param(Ours(10, 8, 0), None, ["missing-there"], id="missing there"),
        pytest.param(Ours(0, 0, 3), None, [], id="none of the uncertain ones arrived"),
        pytest.param(None, Told(1), ["missing-here"], id="missing here"),
        pytest.param(None, Told(0), [], id="nothing on both sides"),
    ],
)
def test_a_difference_is_what_cannot_both_be_right(
    ours: Ours | None, theirs: Told | None, expected: list[str]
) -> None:
    known = {at(0): ours} if ours else {}
    told = {at(-1): Told(0), at(1): Told(0)} | ({at(0): theirs} if theirs else {})

    assert kinds(compare(known, told)) == expected


def test_hours_that_they_do_not_cover_are_not_compared() -> None:
    ours = {at(hour): Ours(5) for hour in range(10)}

    assert kinds(compare(ours, {at(3): Told(5), at(5): Told(5)})) == ["missing-there"]
    assert compare(ours, {}).differences == []


@given(
    counts=st.lists(st.integers(1, 1000), min_size=6, max_size=30, unique=True),
    shift=st.sampled_from([-7, -1, 1, 7]),
)
def test_a_shift_of_hours_is_seen(counts: list[int], shift: int) -> None:
    ours = {at(hour): Ours(count) for hour, count in enumerate(counts)}
    theirs = {at(hour - shift): Told(count) for hour, count in enumerate(counts)}

    assert compare(ours, theirs).shift == shift


def test_one_hour_alone_proves_no_shift() -> None:
    assert compare({at(7): Ours(5)}, {at(0): Told(5)}).shift is None


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab"), st.integers(1, 9)), max_size=30))
def test_counts_agree_with_themselves_however_they_are_cut_into_rows(
    rows: list[tuple[int, str, int]],
) -> None:
    theirs = sum_theirs((at(hour, service), Told(count, count)) for hour, service, count in rows)
    ours = {place: Ours(told.calls, told.calls) for place, told in theirs.items()}

    assert compare(ours, theirs).differences == []
    assert sum(told.calls for told in theirs.values()) == sum(count for _, _, count in rows)


def test_usage_becomes_what_the_provider_can_have_counted() -> None:
    moment = datetime.fromtimestamp(EIGHT, UTC)
    totals = [
        Totals(
            group={"hour": moment, "service": "dn", "operation": "chiTiet", "outcome": outcome},
            count=count, request_bytes=0, reply_bytes=0, latency=(),
        )
        for outcome, count in (
            ("success", 5), ("business_failure", 3), ("unknown", 2), ("provider_failure", 1), ("node_failure", 1),
            ("refused", 100), ("invalid", 100), ("unavailable", 100), ("unreachable", 100),
        )
    ]  # fmt: skip

    assert sum_ours(totals, by_operation=True) == {at(0, "dn", "chitiet"): Ours(8, 5, 4)}
    assert sum_ours(totals, by_operation=False) == {at(0, "dn"): Ours(8, 5, 4)}
