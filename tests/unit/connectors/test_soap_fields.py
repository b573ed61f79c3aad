"""JSON and XML both ways by declared types, held against XML Schema itself."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connectors.builtin.soap import fields as f
from connectors.builtin.soap.json_text import dump, read_json
from connectors.builtin.soap.reading import read
from connectors.builtin.soap.wsdl import Description, Sources, load
from tests.soap import NS, SCHEMA, a_wsdl

DESCRIPTION: Description = load(Sources(a_wsdl(), {}), None, None, None)
REQUEST = DESCRIPTION.operations["TraCuu"].request
REPLY = DESCRIPTION.operations["TraCuu"].reply
XSD = etree.XMLSchema(etree.fromstring(SCHEMA))


def written(value: object) -> etree._Element:
    """Write a request and return its element."""
    assert REQUEST is not None
    out: list[str] = []
    given = read_json(json.dumps(value, ensure_ascii=False).encode())
    REQUEST.write_one(given, out, 0)
    declared = "".join(f' xmlns:{prefix}="{uri}"' for uri, prefix in DESCRIPTION.prefixes.items())
    return etree.fromstring(f'<r{declared} xmlns:xsi="{f.XSI}">{"".join(out)}</r>')[0]


def read_back(text: str) -> Any:
    assert REPLY is not None
    return read(etree.fromstring(text), REPLY)


FULL = {
    "soDinhDanh": "001099000001",
    "hoTen": "Nguyễn Thị & <Ánh>",
    "dung": True,
    "nguoi": {
        "@ma": 'A"1',
        "hoTen": "Trần",
        "gioiTinh": "1",
        "tuoi": 7,
        "soDinhDanh": "99000000001",
        "con": [
            {"hoTen": "Lê"},
            {"@xsi:type": "CanBo", "hoTen": "Phạm", "tien": None, "chucVu": "Chủ tịch"},
        ],
    },
    "le": {"@donVi": "m2", "#text": "12.5000"},
    "_items": [{"a": "x"}, {"b": 2}, {"a": "y"}],
}


def test_all_forms_of_a_type_are_written_as_its_schema_wants_them_and_read_back() -> None:
    element = written(FULL)

    XSD.assertValid(etree.fromstring(etree.tostring(element)))
    assert REQUEST is not None
    assert read(element, REQUEST.type) == FULL


def test_fields_stand_in_the_schemas_order_whatever_the_jsons_is() -> None:
    element = written(dict(reversed(FULL.items())))

    XSD.assertValid(etree.fromstring(etree.tostring(element)))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        pytest.param({}, "/soDinhDanh: missing", id="nothing of a choice"),
        pytest.param({"soDinhDanh": "1", "soCMND": "2"}, "/soCMND: choice", id="two of a choice"),
        pytest.param({"soDinhDanh": "1", "la": 1}, "/la: unknown", id="unknown"),
        pytest.param({"soDinhDanh": {"x": 1}}, "/soDinhDanh: type", id="object for text"),
        pytest.param({"soDinhDanh": ["1"]}, "/soDinhDanh: type", id="list for text"),
        pytest.param({"soDinhDanh": "a\u0001"}, "/soDinhDanh: character", id="control character"),
        pytest.param({"soDinhDanh": "1", "dung": "có"}, "/dung: type", id="no truth value"),
        pytest.param(
            {"soDinhDanh": "1", "nguoi": {"hoTen": "x", "tuoi": 1.5}}, "/nguoi/tuoi: type", id="1.5 int"
        ),
        pytest.param(
            {"soDinhDanh": "1", "nguoi": {"hoTen": "x", "con": [{"hoTen": "y"}, {}]}},
            "/nguoi/con/1/hoTen: missing",
            id="deep inside",
        ),
        pytest.param(
            {"soDinhDanh": "1", "_items": [{"a": "1", "b": 2}]}, "/_items/0/b: choice", id="two in an item"
        ),
        pytest.param({"soDinhDanh": "1", "_items": {"a": "1"}}, "/_items: type", id="items are a list"),
        pytest.param(
            {"soDinhDanh": "1", "nguoi": {"@xsi:type": "La", "hoTen": "x"}},
            "/nguoi/@xsi:type: type",
            id="foreign type",
        ),
        pytest.param([], "/: type", id="a list"),
        pytest.param("x", "/: type", id="a text"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place_and_without_its_value(value: object, why: str) -> None:
    with pytest.raises(f.Unfit) as caught:
        written(value)

    assert str(caught.value) == why


@pytest.mark.parametrize(
    "document",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"[" * 10_000,
        b"{",
        b"\xff",
        b"",
    ],
)
def test_json_that_is_not_clean_is_refused(document: bytes) -> None:
    with pytest.raises(f.Unfit):
        read_json(document)


def test_a_lone_surrogate_is_refused_where_it_is_written() -> None:
    given = read_json(b'{"soDinhDanh": "\\ud800"}')

    assert REQUEST is not None
    with pytest.raises(f.Unfit, match="/soDinhDanh: character"):
        REQUEST.write_one(given, [], 0)


def test_numbers_keep_every_digit() -> None:
    assert read_json(b"123456789012345678901234567890") == "123456789012345678901234567890"
    assert read_json(b"1e400") == "1e400"
    back = read_back(
        f'<TraCuuResponse xmlns="{NS}"><nguoi><hoTen>x</hoTen><tuoi>7</tuoi><soDinhDanh>001099000001</soDinhDanh>'
        "<tien>12345678901234567.10</tien></nguoi></TraCuuResponse>"
    )

    assert back == {
        "nguoi": [{"hoTen": "x", "tuoi": 7, "soDinhDanh": "001099000001", "tien": "12345678901234567.10"}]
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("", {}, id="nothing in it"),
        pytest.param("<nguoi><hoTen>x</hoTen></nguoi>", {"nguoi": [{"hoTen": "x"}]}, id="a list of one"),
        pytest.param("<nguoi><hoTen/></nguoi>", {"nguoi": [{"hoTen": ""}]}, id="empty text"),
        pytest.param(
            f'<nguoi><hoTen>x</hoTen><tien xmlns:i="{f.XSI}" i:nil="true"/></nguoi>',
            {"nguoi": [{"hoTen": "x", "tien": None}]},
            id="nil",
        ),
        pytest.param("<nguoi><hoTen><![CDATA[a<b]]>&amp;c</hoTen></nguoi>", {"nguoi": [{"hoTen": "a<b&c"}]}, id="CDATA"),
        pytest.param(
            "<nguoi><hoTen>x</hoTen><moi><k>1</k><k>2</k></moi></nguoi>",
            {"nguoi": [{"hoTen": "x", "moi": {"k": ["1", "2"]}}]},
            id="what nobody declared",
        ),
        pytest.param(
            '<x:nguoi xmlns:x="urn:khac"><hoTen xmlns="">x</hoTen></x:nguoi>',
            {"nguoi": [{"hoTen": "x"}]},
            id="other namespaces",
        ),
        pytest.param("<nguoi><hoTen>x</hoTen><tuoi>bảy</tuoi></nguoi>", {"nguoi": [{"hoTen": "x", "tuoi": "bảy"}]}, id="no number"),
        pytest.param("<nguoi><hoTen>x</hoTen><hoTen>y</hoTen></nguoi>", {"nguoi": [{"hoTen": ["x", "y"]}]}, id="twice"),
    ],
)  # fmt: skip
def test_answers_are_read_as_they_come(text: str, value: object) -> None:
    assert read_back(f'<TraCuuResponse xmlns="{NS}">{text}</TraCuuResponse>') == value


def test_depth_is_bounded_both_ways() -> None:
    deep: dict[str, Any] = {"hoTen": "x"}
    for _ in range(150):
        deep = {"hoTen": "x", "con": [deep]}
    with pytest.raises(f.Unfit, match="depth"):
        written({"soDinhDanh": "1", "nguoi": deep})
    text = "<k>" * 150 + "</k>" * 150
    with pytest.raises(f.Unfit, match="depth"):
        read_back(f'<TraCuuResponse xmlns="{NS}">{text}</TraCuuResponse>')


@given(
    st.recursive(
        st.fixed_dictionaries(
            {"hoTen": st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")))},
            optional={"tuoi": st.integers(-(2**31), 2**31 - 1), "@ma": st.text("aB 1đ")},
        ),
        lambda inner: st.builds(lambda name, con: {"hoTen": name, "con": con}, st.text("ắ&<>\"'"), st.lists(inner, min_size=1, max_size=3)),
        max_leaves=8,
    )
)  # fmt: skip
def test_whatever_fits_comes_back_as_it_went(person: dict[str, Any]) -> None:
    value = {"soDinhDanh": "1", "nguoi": person}
    element = written(value)

    assert REQUEST is not None
    assert read(element, REQUEST.type) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=20,
    ),
    st.integers(0, 3),
)
def test_json_is_the_same_when_it_is_written_gently(value: Any, times: int) -> None:
    made = {"danhSach": [value] * (times * 201), "khac": value}
    expected = orjson.dumps(made)

    assert dump(made, gently=False) == expected
    assert dump(made, gently=True) == expected
