import io
import zipfile
from collections.abc import Sequence

import pytest
from openpyxl import Workbook

from registry.entities import Kind
from registry.errors import Invalid
from registry.inventory import Inventory, import_inventory, read_inventory
from registry.inventory_tables import read_rows
from registry.register import Register
from registry.sql.registry import SQLRegistry
from tests.factories import ADMIN, a_database, a_register, a_small_province

SYSTEMS = (
    "STT;Mã hệ thống;Tên hệ thống;Cơ quan chủ quản;Loại hệ thống;Cấp độ ATTT;Tình trạng;Nhu cầu kết nối CSDL quốc gia\r\n"
    "1;H99:dat-dai;Hệ thống đất đai;H99;Chuyên ngành;Cấp độ 3;Đang hoạt động;CSDLDN, Dân cư\r\n"
    "2;;Cổng dịch vụ công;Cơ quan H99 (ví dụ);Cổng;2;;Không\r\n"
    "3;;Phần mềm lạ;H77;;;;\r\n"
    "4;;Phần mềm hỏng;H99;Tàu vũ trụ;9;;GONE\r\n"
    ";;;;;;;\r\n"
)


@pytest.fixture
async def register(sqlite_registry: SQLRegistry) -> Register:
    register = a_register(sqlite_registry)
    await a_small_province(register)
    await register.add(Kind.NATIONAL_DATABASE, a_database("CSDLDC", name_vi="Dân cư"), ADMIN)
    return register


def reasons(inventory: Inventory) -> dict[int, set[tuple[str, str]]]:
    return {row.row: {(flaw.pointer, flaw.code) for flaw in row.reasons} for row in inventory.refused}


def workbook(**sheets: Sequence[Sequence[object]]) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
async def test_a_table_of_systems_with_their_needs_is_taken_in(register: Register, encoding: str) -> None:
    inventory = await read_inventory(register, "kiem-ke.csv", SYSTEMS.encode(encoding), ADMIN)
    before = await register.registry.revision()

    revision = await import_inventory(register, inventory, ADMIN)

    assert (inventory.accepted, revision.number) == (2, before + 1)
    system = await register.registry.get(Kind.SYSTEM, "H99:dat-dai")
    assert (system.document["kind"], system.document["security_level"]) == ("specialised", 3)
    for database in ("CSDLDN", "CSDLDC"):
        assert await register.registry.find(Kind.NEED, f"H99:dat-dai/{database}")
    portal = await register.registry.get(Kind.SYSTEM, "H99:cong-dich-vu-cong")
    assert portal.document["kind"] == "portal"


async def test_refused_rows_are_told_with_their_reasons(register: Register) -> None:
    inventory = await read_inventory(register, "kiem-ke.csv", SYSTEMS.encode(), ADMIN)

    assert reasons(inventory) == {
        4: {("/organisation", "reference-unknown")},
        5: {("/kind", "choice"), ("/security_level", "range")},
    }


async def test_taking_the_same_file_in_twice_changes_nothing(register: Register) -> None:
    first = await read_inventory(register, "kiem-ke.csv", SYSTEMS.encode(), ADMIN)
    revision = await import_inventory(register, first, ADMIN)

    second = await read_inventory(register, "kiem-ke.csv", SYSTEMS.encode(), ADMIN)
    again = await import_inventory(register, second, ADMIN)

    assert second.plan.is_empty
    assert again.number == revision.number


async def test_what_a_file_does_not_say_of_a_known_system_stays(register: Register) -> None:
    text = "Name,Organisation,Security level\nHệ thống H99:mot-cua (ví dụ),H99,4\n"

    inventory = await read_inventory(register, "x.csv", text.encode(), ADMIN)
    await import_inventory(register, inventory, ADMIN)

    system = await register.registry.get(Kind.SYSTEM, "H99:mot-cua")
    assert (system.document["security_level"], system.document["kind"]) == (4, "one-stop-shop")
    assert len(inventory.plan.replaces) == 1


async def test_a_workbook_of_assets_and_connections_is_taken_in(register: Register) -> None:
    content = workbook(
        HUONG_DAN=[["Mẫu số 03 (ví dụ)"], ["Điền vào các sheet sau"]],
        QH_KETNOI=[
            ["Bảng kết nối"],
            ["STT", "Nguồn", "Quan hệ", "Đích", "Kênh", "Trạng thái", "Tần suất", "Giao thức"],
            [1, "Một cửa xã", "Xác thực", "CSDLDC", "LGSP", "Đang khai thác", "Theo yêu cầu", "REST"],
            [2, "H99:mot-cua", "Trao đổi", "Dân cư", "NDXP", "Đang khai thác", None, None],
            [3, "H99:mot-cua", "Đồng bộ", "Kho nội bộ", "LGSP", None, None, None],
            [4, "Không có thật", "Đồng bộ", "CSDLDN", "LGSP", None, None, None],
            [5, "Một cửa xã", "Đồng bộ", "CSDLDN", "Bồ câu", None, None, None],
            [6, "Một cửa xã", "Đồng bộ", "CSDLDN", "Internet", None, None, None],
        ],
        DM_DOITUONG=[
            ["Mã", "Tên đối tượng", "Đơn vị quản lý", "Loại"],
            ["mot-cua-xa", "Một cửa xã", "H99", "Một cửa"],
        ],
    )

    inventory = await read_inventory(register, "mau-03.xlsx", content, ADMIN)
    await import_inventory(register, inventory, ADMIN)

    assert inventory.accepted == 4
    assert reasons(inventory) == {
        5: {("/target", "reference-unknown")},
        6: {("/source", "reference-unknown")},
        7: {("/mode", "choice")},
    }
    modes = {item.label: item.document["mode"] for item in (await register.registry.search(Kind.NEED)).items}
    assert modes == {
        "H99:mot-cua/CSDLDC": "ngsp",
        "H99:mot-cua/CSDLDN": "lgsp",
        "H99:mot-cua-xa/CSDLDC": "lgsp",
        "H99:mot-cua-xa/CSDLDN": "direct",
    }


async def test_two_rows_that_disagree_about_a_system_are_not_both_taken(register: Register) -> None:
    text = "Code,Name,Organisation,Level\nH99:a,A,H99,1\nH99:a,A,H99,1\nH99:a,A,H99,2\n"

    inventory = await read_inventory(register, "x.csv", text.encode(), ADMIN)

    assert inventory.accepted == 2
    assert reasons(inventory) == {4: {("/code", "duplicate")}}


async def test_a_withdrawn_need_is_not_declared_again_by_a_file(register: Register) -> None:
    await register.step(
        Kind.NEED, "H99:mot-cua/CSDLDN", "withdraw", {"reason": "x"}, expected_version=1, author=ADMIN
    )

    inventory = await read_inventory(register, "x.csv", b"source,target\nH99:mot-cua,CSDLDN\n", ADMIN)

    assert reasons(inventory) == {2: {("/target", "state")}}


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"\0" * (201 * 1024 * 1024))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("x.csv", b"", "headers"),
        ("x.csv", b"a,b,c\n1,2,3\n", "headers"),
        ("x.csv", "Tên hệ thống".encode("utf-16-be"), "encoding"),
        ("x.csv", b"\xff\x00\xfe", "encoding"),
        ("x.csv", "Tên,Cơ quan".encode("cp1258", "replace"), "encoding"),
        ("x.xlsx", b"PK\x03\x04 rubbish", "xlsx"),
        ("x.csv", b"x" * (20 * 1024 * 1024 + 1), "length"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(name: str, content: bytes, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        list(read_rows(name, content))

    assert [flaw.code for flaw in caught.value.flaws] == [code]


def test_a_workbook_that_would_unzip_to_too_much_is_refused_before_it_does() -> None:
    with pytest.raises(Invalid) as caught:
        list(read_rows("x.xlsx", bomb()))

    assert [flaw.code for flaw in caught.value.flaws] == ["length"]


def test_a_workbook_without_its_parts_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "b")

    with pytest.raises(Invalid) as caught:
        list(read_rows("x.xlsx", file.getvalue()))

    assert [flaw.code for flaw in caught.value.flaws] == ["xlsx"]


def test_a_row_number_that_is_made_up_is_not_counted_to() -> None:
    content = workbook(A=[["Tên", "Cơ quan"], ["x", "H99"]])
    source, target = io.BytesIO(content), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, text.replace(b'r="2"', b'r="1048576"').replace(b'r="A2"', b'r="A1048576"'))

    rows = list(read_rows("x.xlsx", target.getvalue()))

    assert len(rows) <= 1
