import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transforms import people
from gateway.transforms.code_tables import CodeTable, OrganisationCodes, translate_code
from gateway.transforms.people import NoSuchCode, join_name, mask, split_name, translate_gender, write_name
from gateway.transforms.provinces import (
    MERGER,
    district,
    province,
    province_code,
    province_name,
    provinces,
    translate_province,
)
from registry.entities import Alias, Code, CodeList, Organisation

BEFORE, AFTER = date(2025, 6, 30), date(2025, 7, 1)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        ("1", "1-2-3", "1-0", "1"), ("2", "1-2-3", "1-0", "0"), ("0", "1-0", "1-2-3", "2"), ("3", "1-2-3", "vi", "Khác"),
        ("Nam", "vi", "1-2-3", "1"), ("NỮ", "vi", "1-2-3", "2"), ("nu", "vi", "M-F", "F"),
        (unicodedata.normalize("NFD", "Nữ"), "vi", "en", "female"),
    ],
)  # fmt: skip
def test_genders(value: str, source: str, target: str, expected: str) -> None:
    assert translate_gender(value, source, target) == expected


@pytest.mark.parametrize(
    ("value", "source", "target"),
    [
        ("0", "1-2-3", "1-0"),
        ("3", "1-2-3", "1-0"),
        ("2", "1-0", "vi"),
        ("", "vi", "en"),
        ("1", "1-2-4", "vi"),
    ],
)
def test_a_gender_is_never_guessed(value: str, source: str, target: str) -> None:
    with pytest.raises((NoSuchCode, people.FormUnknown)):
        translate_gender(value, source, target)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("nfc", "Đặng Thị hoà"), ("upper", "ĐẶNG THỊ HOÀ"), ("title", "Đặng Thị Hoà"), ("plain", "Dang Thi hoa"),
        ("upper-plain", "DANG THI HOA"), ("upper-plain-joined", "DANGTHIHOA"), ("key", "dang thi hoa"),
    ],
)  # fmt: skip
def test_name_forms(form: str, expected: str) -> None:
    for name in ("  Đặng\tThị  hoà ", unicodedata.normalize("NFD", "Đặng Thị hoà")):
        assert write_name(name, form) == expected


def test_tone_marks_may_stand_on_either_vowel() -> None:
    assert write_name("Thanh Hóa", "key") == write_name("Thanh Hoá", "key")
    assert write_name("Hòa", "key") == write_name("Hoà", "key")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Nguyễn Văn An", ("Nguyễn", "Văn", "An")), ("Tôn Nữ Thị Ninh", ("Tôn", "Nữ Thị", "Ninh")),
        ("Lê Lan", ("Lê", "", "Lan")), ("Lan", ("", "", "Lan")),
    ],
)  # fmt: skip
def test_names_are_split_and_joined(name: str, parts: tuple[str, str, str]) -> None:
    assert tuple(split_name(name).values()) == parts
    assert join_name(*parts) == name


@given(st.text(max_size=60))
def test_names_of_any_letters_are_idempotent(name: str) -> None:
    for form in ("nfc", "plain"):
        once = write_name(name, form)
        assert write_name(once, form) == once
    assert unicodedata.is_normalized("NFC", write_name(name, "nfc"))


@given(st.text(max_size=40), st.integers(0, 20), st.integers(0, 20))
def test_a_mask_keeps_the_length_and_hides_something(value: str, first: int, last: int) -> None:
    hidden = mask(value, first, last)
    assert len(hidden) == len(value)
    if value.strip("*"):
        assert value == "" or hidden != value or "*" in hidden


def test_every_province_of_63_has_its_successor() -> None:
    old = [code for since, code in provinces() if not since]
    assert (len(old), len(provinces())) == (63, 97)
    predecessors = [p for (since, _), found in provinces().items() if since for p in found.predecessors]
    assert sorted(predecessors) == sorted(old)
    for code in old:
        successor = translate_province(code, BEFORE, AFTER)
        assert code in provinces()[True, successor].predecessors
        assert translate_province(code, BEFORE, BEFORE) == code


@pytest.mark.parametrize(
    ("code", "was", "becomes", "now"),
    [
        ("24", "Bắc Giang", "24", "Bắc Ninh"), ("27", "Bắc Ninh", "24", "Bắc Ninh"), ("64", "Gia Lai", "52", "Gia Lai"),
        ("52", "Bình Định", "52", "Gia Lai"), ("80", "Long An", "80", "Tây Ninh"), ("82", "Tiền Giang", "82", "Đồng Tháp"),
        ("91", "Kiên Giang", "91", "An Giang"), ("15", "Yên Bái", "15", "Lào Cai"), ("44", "Quảng Bình", "44", "Quảng Trị"),
        ("01", "Hà Nội", "01", "Hà Nội"), ("1", "Hà Nội", "01", "Hà Nội"),
    ],
)  # fmt: skip
def test_a_merged_province_has_the_code_of_its_capital(code: str, was: str, becomes: str, now: str) -> None:
    assert province(code, BEFORE).name == was
    assert translate_province(code, BEFORE, MERGER) == becomes
    assert province(becomes, AFTER).name == now


def test_a_merged_province_cannot_be_split_again() -> None:
    with pytest.raises(NoSuchCode, match="2 provinces"):
        translate_province("24", AFTER, BEFORE)
    assert translate_province("01", AFTER, BEFORE) == "01"
    with pytest.raises(NoSuchCode):
        province("27", AFTER)
    with pytest.raises(NoSuchCode):
        province("99", BEFORE)


def test_provinces_are_found_by_any_spelling_of_their_name() -> None:
    assert province_code("Thanh Hoá", AFTER) == province_code("tỉnh Thanh Hóa", AFTER) == "38"
    assert province_code("TP. Hồ Chí Minh", AFTER) == province_code("TPHCM", BEFORE) == "79"
    assert (province_code("Bắc Ninh", BEFORE), province_code("Bắc Ninh", AFTER)) == ("27", "24")
    with pytest.raises(NoSuchCode):
        province_code("Bắc Giang", AFTER)


def test_districts_end_with_the_merger() -> None:
    assert (district("001", BEFORE), district("001", AFTER)) == ("001", None)


ORGANISATIONS = OrganisationCodes([
    Organisation(code="H55.242", name_vi="Đơn vị bịa ra", old_code="000.01.42.H55"),
    Organisation(code="H26.77", name_vi="Đơn vị bịa ra", aliases=(Alias(code="28.22.H17"),)),
])  # fmt: skip


@pytest.mark.parametrize(
    ("code", "form", "expected"),
    [
        ("000.00.01.H27", "new", "H27.01"), ("H27.01", "old", "000.00.01.H27"), ("000.00.00.H49", "new", "H49"),
        ("H49", "old", "000.00.00.H49"), ("H56.14", "new", "H56.14"), ("000.00.14.H56", "old", "000.00.14.H56"),
        ("H55.242", "old", "000.01.42.H55"), ("000.01.42.h55", "new", "H55.242"), ("28.22.H17", "new", "H26.77"),
        ("28.22.H17", "old", "000.00.77.H26"),
    ],
)  # fmt: skip
def test_organisation_codes(code: str, form: str, expected: str) -> None:
    assert ORGANISATIONS.translate(code, form) == expected


def test_a_group_of_three_digits_has_no_old_form_and_a_foreign_id_has_none() -> None:
    assert OrganisationCodes(()).translate("28.22.H17", "new") == "H17.22.28"
    for code in ("vxp.saas.03", ""):
        with pytest.raises(NoSuchCode):
            OrganisationCodes(()).translate(code, "new")
    with pytest.raises(NoSuchCode):
        OrganisationCodes(()).translate("H55.242", "old")


NATIONAL = CodeTable(
    CodeList(
        code="quoc-gia", name_vi="Trạng thái", edition="2",
        codes=(Code(code="9", name_vi="Đã xử lý xong"), Code(code="10", name_vi="Đã trả kết quả")),
    )
)  # fmt: skip
LOCAL = CodeTable(
    CodeList(
        code="tinh", name_vi="Trạng thái của tỉnh",
        codes=(
            Code(code="3", name_vi="Xong", same_as={"quoc-gia": "9"}, valid_to=date(2025, 1, 1)),
            Code(code="3", name_vi="Trả", same_as={"quoc-gia": "10"}, valid_from=date(2025, 1, 1)),
            Code(code="4", name_vi="Trả tận nhà", same_as={"quoc-gia": "10"}, valid_from=date(2025, 1, 1)),
            Code(code="5", name_vi="Riêng của tỉnh"),
        ),
    )
)  # fmt: skip


def test_codes_are_translated_by_their_day_in_both_directions() -> None:
    assert translate_code("3", LOCAL, NATIONAL, date(2024, 6, 1)) == "9"
    assert translate_code("3", LOCAL, NATIONAL, date(2025, 6, 1)) == "10"
    assert translate_code("3", LOCAL, NATIONAL, None) == "10"
    assert translate_code("9", NATIONAL, LOCAL, date(2024, 6, 1)) == "3"
    for code, source, target, on in (
        ("10", NATIONAL, LOCAL, date(2025, 6, 1)),  # two would do
        ("9", NATIONAL, LOCAL, date(2025, 6, 1)),  # none any longer
        ("5", LOCAL, NATIONAL, None),
        ("77", LOCAL, NATIONAL, None),
    ):
        with pytest.raises(NoSuchCode):
            translate_code(code, source, target, on)


@pytest.mark.parametrize(
    ("on", "name"),
    [
        (date(2024, 12, 31), "Thừa Thiên Huế"),
        (date(2025, 1, 1), "Huế"),
        (date(2025, 6, 30), "Huế"),
        (date(2025, 7, 1), "Huế"),
    ],
)
def test_hue_has_the_name_of_its_day_and_is_found_by_both(on: date, name: str) -> None:
    assert province_name("46", on) == name
    for written in ("Tỉnh Thừa Thiên - Huế", "Thua Thien Hue", "Thành phố Huế", "TP. Huế"):
        assert province_code(written, on) == "46"


@pytest.mark.parametrize(
    ("name", "form", "expected"),
    [
        ("h'wăn niê", "title", "H'Wăn Niê"),
        ("NGUYỄN-VĂN an", "title", "Nguyễn-Văn An"),
        ("y’MOAN", "title", "Y’Moan"),
        ("Ðặng Thị ðào", "plain", "Dang Thi dao"),
        ("ÐẶNG", "key", "dang"),
    ],
)
def test_names_of_all_peoples_keep_their_capitals(name: str, form: str, expected: str) -> None:
    assert write_name(name, form) == expected


def test_a_mask_counts_letters_however_they_are_composed() -> None:
    assert mask(unicodedata.normalize("NFD", "Ánh"), 1, 0) == "Á**"
