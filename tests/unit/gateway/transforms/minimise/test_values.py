"""Masks and dates."""

import orjson
import pytest

from gateway.transforms.minimise.scopes import Scopes
from gateway.transforms.minimise.values import GONE, generalise, mask
from registry.entities import FieldRule


@pytest.mark.parametrize(
    ("value", "keep_last", "released"),
    [
        ("001099000001", 3, "*********001"),
        ("001099000001", 0, "************"),
        ("1234", 3, "****"),
        ("1234", 2, "**34"),
        ("", 3, ""),
        (1099000001, 3, "*******001"),
        (True, 3, GONE),
        ("Nguyễn", 2, "****ễn"),
    ],
)
def test_a_mask_hides_at_least_half(value: object, keep_last: int, released: object) -> None:
    assert mask(keep_last)(value) == released


@pytest.mark.parametrize(
    ("value", "year", "month"),
    [
        ("31/01/1990", "1990", "01/1990"),
        ("19900131", "1990", "199001"),
        pytest.param(19900131, 1990, 199001, id="a day as a number"),
        ("1990-01-31", "1990", "1990-01"),
        ("1990-01-31T23:59:59", "1990", "1990-01"),
        ("1990-01-31T23:59:59.123+07:00", "1990", "1990-01"),
        (" 1990-01-31 ", "1990", "1990-01"),
        ("01/1990", "1990", "01/1990"),
        ("199001", "1990", "199001"),
        ("1990-01", "1990", "1990-01"),
        ("1990", "1990", "1990"),
        pytest.param(1990, 1990, 1990, id="a year as a number"),
    ],
)
def test_a_date_is_made_general_in_its_own_form(value: object, year: object, month: object) -> None:
    assert generalise("year")(value) == year
    assert generalise("month")(value) == month


@pytest.mark.parametrize(
    "value",
    [
        "", "32/01/1990", "30/02/1990", "1/1/1990", "31-01-1990", "01/31/1990", "19901301", "0001-01-01", "1990-01-31 x",
        "sinh ngày 31/01/1990", "001099000001", "0912345678", "9999", "１９９０", 631152000000, True, "1990/01/31", "31/01/90",
        "1990-01-31T25:00", "1990-01-31T23:59:59Z; CCCD 001099000001",
    ],
)  # fmt: skip
def test_what_is_no_date_is_not_released(value: object) -> None:
    assert generalise("year")(value) is GONE
    assert generalise("month")(value) is GONE


def test_a_value_that_cannot_be_changed_leaves_no_trace() -> None:
    rules = [
        FieldRule(path="NGAY", action="generalise", to="year"),
        FieldRule(path="SO", action="mask", keep_last=2),
        FieldRule(path="NHIEU.NGAY", action="generalise", to="month"),
    ]
    of = Scopes({"*": rules}, {}).scope("")
    document = {"NGAY": "hôm qua", "SO": {"a": 1}, "NHIEU": [{"NGAY": ["19900131", "x"]}, {"NGAY": None}]}

    released, _ = of.limit(orjson.dumps(document), "application/json")

    assert orjson.loads(released) == {"NHIEU": [{"NGAY": ["199001"]}, {"NGAY": None}]}


def test_an_envelope_does_not_undo_a_grants_own_rule() -> None:
    rules = [FieldRule(path="Message", action="mask"), FieldRule(path="Data.*")]
    of = Scopes({"*": rules}, {}).scope("", ("Message", "Status", "Data.X"))

    released, _ = of.limit(b'{"Status":1,"Message":"abc","Data":{"X":{"y":1}}}', "application/json")

    assert released == b'{"Status":1,"Message":"***","Data":{"X":{"y":1}}}'


def test_the_name_of_a_scope_says_what_its_rules_are() -> None:
    def name(*rules: FieldRule, envelope: tuple[str, ...] = ()) -> str:
        return Scopes({"CAP-PHEP": rules}, {}).scope("CAP-PHEP", envelope).name

    a, b = FieldRule(path="A"), FieldRule(path="B[].C")
    assert name(a, b) == name(b, FieldRule(path="A[]")) == name(FieldRule(path="B.C"), a)
    assert name(a, b).startswith("CAP-PHEP#")
    names = {name(a), name(a, b), name(FieldRule(path="A", action="mask")), name(a, envelope=("B",))}
    assert len(names) == 4
