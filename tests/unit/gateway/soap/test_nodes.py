"""JSON and XML both ways by an offer's types, against libxml2's own reading of the schema."""

import json
import unicodedata
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.soap.nodes import Leaf, Unfit, plain_number, write_open, xml_text
from gateway.transforms.json_text import parse_json
from tests.soap_offers import NAMESPACE, compiled, message, schema_in, wsdl_of

OFFER = compiled()
GHI = OFFER.operations["ghi"]
NAME = "Nguyễn Thị Ánh Tuyết"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def read(inside: str, operation: str = "ghi") -> Any:
    """Return the JSON that a request's body becomes."""
    asked = OFFER.operations[operation].asked(etree.fromstring(message(operation, inside).encode()))
    return json.loads(asked.body, parse_float=Decimal) if asked.body else None


def written(value: Any, operation: str = "chiTiet") -> etree._Element:
    """Return the response that a provider's JSON becomes."""
    offered = OFFER.operations[operation]
    out = [f'<t:{offered.response_name} xmlns:t="{NAMESPACE}" xmlns:xsi="{XSI}">']
    offered.result.write(parse_json(json.dumps(value).encode(), "text"), out)
    out.append(f"</t:{offered.response_name}>")
    return etree.fromstring("".join(out).encode())


def texts(element: etree._Element, name: str) -> list[str | None]:
    return [found.text for found in element.iter(f"{{{NAMESPACE}}}{name}")]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> etree.XMLSchema:
    folder: Path = tmp_path_factory.mktemp("xsd")
    return schema_in(wsdl_of(OFFER), folder)


# --- requests -------------------------------------------------------------------------------------------


def test_a_request_keeps_text_digits_and_order() -> None:
    body = read(
        f"<t:body><t:hoTen>{NAME}</t:hoTen><t:tuoi>007</t:tuoi><t:luong>+1500000.50</t:luong>"
        "<t:conSong>1</t:conSong><t:ngaySinh>1990-01-31+07:00</t:ngaySinh></t:body>"
    )

    assert body == {
        "hoTen": NAME, "tuoi": 7, "luong": Decimal("1500000.50"), "conSong": True, "ngaySinh": "1990-01-31", "con": [],
    }  # fmt: skip


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_text_passes_as_it_was_composed(form: Literal["NFC", "NFD"]) -> None:
    name = unicodedata.normalize(form, NAME)

    assert read(f"<t:body><t:hoTen>{name}</t:hoTen></t:body>")["hoTen"] == name
    assert texts(written({"hoTen": name}), "hoTen") == [name]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_list_is_a_list_with_any_number_of_items(count: int) -> None:
    children = [{"hoTen": f"Con {number}", "con": []} for number in range(count)]
    inside = "".join(f"<t:con><t:hoTen>{child['hoTen']}</t:hoTen></t:con>" for child in children)

    assert read(f"<t:body><t:hoTen>A</t:hoTen>{inside}</t:body>")["con"] == children
    assert len(texts(written({"hoTen": "A", "con": children}), "con")) == count


def test_null_is_nil_both_ways() -> None:
    nil = 'xsi:nil="true"'
    body = read(
        f"<t:body><t:số_định_danh {nil}/><t:tenKhac>a</t:tenKhac><t:tenKhac {nil}/><t:diaChi {nil}/></t:body>"
    )
    reply = written({"số định danh": None, "tenKhac": ["a", None], "diaChi": None, "hoTen": None})

    assert body == {"số định danh": None, "con": [], "tenKhac": ["a", None], "diaChi": None}
    assert [found.tag.rpartition("}")[2] for found in reply.iter() if found.get(f"{{{XSI}}}nil")] == [
        "số_định_danh", "tenKhac", "diaChi",
    ]  # fmt: skip
    assert not texts(reply, "hoTen")


def test_lists_in_lists_have_items_and_anything_stays_anything() -> None:
    bang = "<t:bang><t:item>1</t:item><t:item>2</t:item></t:bang><t:bang/>"
    body = read(f"<t:body>{bang}<t:khac><a><b>x</b></a></t:khac></t:body>")

    assert (body["bang"], body["khac"]) == ([[1, 2], []], {"a": {"b": "x"}})
    assert texts(written({"bang": [[1, 2], []]}), "item") == ["1", "2"]
    assert etree.tostring(written({"khac": {"a b": [1, None]}})).count(b"<a_b") == 2


@pytest.mark.parametrize(
    ("inside", "rule"),
    [
        pytest.param("<t:body><t:tuoi>abc</t:tuoi></t:body>", "/body/tuoi: type", id="not a number"),
        pytest.param("<t:body><t:tuoi>1.5</t:tuoi></t:body>", "/body/tuoi: type", id="not an integer"),
        pytest.param("<t:body><t:tuoi>١</t:tuoi></t:body>", "/body/tuoi: type", id="another script's digits"),
        pytest.param("<t:body><t:luong>NaN</t:luong></t:body>", "/body/luong: type", id="NaN"),
        pytest.param("<t:body><t:luong/></t:body>", "/body/luong: type", id="an empty number"),
        pytest.param("<t:body><t:luong>.</t:luong></t:body>", "/body/luong: type", id="a point alone"),
        pytest.param("<t:body><t:conSong>yes</t:conSong></t:body>", "/body/conSong: type", id="no boolean"),
        pytest.param("<t:body><t:hoTen><b/></t:hoTen></t:body>", "/body/hoTen: type", id="elements in a text"),
        pytest.param("<t:body>chữ</t:body>", "/body: type", id="text where fields belong"),
        pytest.param("<t:body><t:la/></t:body>", "/body/la: unknown", id="unknown"),
        pytest.param("<t:body><t:hoTen>A</t:hoTen><t:hoTen>B</t:hoTen></t:body>", "/body/hoTen: count", id="twice"),
        pytest.param('<t:body><t:hoTen xsi:nil="1"/></t:body>', "/body/hoTen: nil", id="nil where none may be"),
        pytest.param("<t:body><t:con/><t:con><t:la/></t:con></t:body>", "/body/con/1/la: unknown", id="in a list"),
        pytest.param('<x:body xmlns:x="urn:khac"/>', "/body: unknown", id="another namespace"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_place_and_rule(inside: str, rule: str) -> None:
    with pytest.raises(Unfit) as unfit:
        read(inside)

    assert str(unfit.value) == rule


def test_fields_without_a_namespace_are_taken() -> None:
    assert read("<body><hoTen>A</hoTen></body>") == {"hoTen": "A", "con": []}


# --- replies --------------------------------------------------------------------------------------------


def test_a_reply_says_what_was_released_even_where_it_is_less_than_described() -> None:
    reply = written(
        {"hoTen": "A", "ngaySinh": "1990", "tuoi": "***", "diaChi": "Xã B", "moi": 1, "con": {"hoTen": "C"}}
    )

    assert texts(reply, "ngaySinh") == ["1990"]
    assert texts(reply, "tuoi") == ["***"]
    assert texts(reply, "diaChi") == ["Xã B"]
    assert texts(reply, "con")[0] is None
    assert texts(reply, "hoTen") == ["A", "C"]
    assert not texts(reply, "moi")


@pytest.mark.parametrize(
    ("number", "plain"),
    [
        ("12345678901234567890", "12345678901234567890"), ("1.50", "1.50"), ("1e3", "1000"), ("-2.5E-3", "-0.0025"),
        ("1e999", "1e999"), ("1e99999999", "1e99999999"), ("a.b", "a.b"), (".", "."), ("***", "***"),
    ],
)  # fmt: skip
def test_numbers_keep_their_digits_and_lose_their_exponent(number: str, plain: str) -> None:
    assert plain_number(number) == plain


def test_what_xml_cannot_hold_is_replaced() -> None:
    assert xml_text("a\x00\ud800<&>\r") == "a\ufffd\ufffd&lt;&amp;&gt;&#13;"


def test_any_json_becomes_some_xml() -> None:
    out: list[str] = []
    write_open("x", {"": [True, [1, [None]]], "1 a:b": {"ž": "<"}}, out)

    assert etree.fromstring(f'<r xmlns:xsi="{XSI}">{"".join(out)}</r>'.encode()) is not None


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")) | st.sampled_from("\t\nĂÂĐÊÔƠƯễ"),
    max_size=8,
)
DATES = st.dates().map(lambda day: day.isoformat())


def people(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"hoTen": WORDS, "con": children},
        optional={
            "số định danh": st.none() | WORDS,
            "ngaySinh": DATES,
            "gioiTinh": st.sampled_from(["Nam", "Nữ"]),
            "tuoi": st.integers(-(10**30), 10**30),
            "luong": st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str).map(Decimal),
            "conSong": st.booleans(),
            "tenKhac": st.lists(st.none() | WORDS, min_size=1, max_size=3),
            "bang": st.lists(st.lists(st.integers(), max_size=3), min_size=1, max_size=3),
            "diaChi": st.none() | st.fixed_dictionaries({}, optional={"xa": WORDS}),
        },
    )


PEOPLE = people(st.lists(people(st.just([])), max_size=3))


def as_json(value: Any) -> bytes:
    """Return JSON with decimals as the numbers they are."""
    marks: dict[str, str] = {}

    def marked(one: object) -> str:
        mark = f"\x01{len(marks)}\x01"
        marks[json.dumps(mark)] = str(one)
        return mark

    text = json.dumps(value, default=marked)
    for mark, digits in marks.items():
        text = text.replace(mark, digits)
    return text.encode()


@given(PEOPLE)
def test_what_is_written_is_valid_and_reads_as_what_it_was(schema: etree.XMLSchema, person: Any) -> None:
    out = [f'<t:chiTietResponse xmlns:t="{NAMESPACE}" xmlns:xsi="{XSI}">']
    OFFER.operations["chiTiet"].result.write(parse_json(as_json(person), "text"), out)
    reply = etree.fromstring("".join([*out, "</t:chiTietResponse>"]).encode())
    inside = etree.tostring(reply[0], encoding="unicode").replace("t:result", "t:body")

    schema.assertValid(reply)
    assert read(inside) == json.loads(as_json(person), parse_float=Decimal)


def test_a_leaf_writes_what_is_no_plain_value_as_it_stands() -> None:
    out: list[str] = []
    Leaf("integer").write("x", {"a": "1"}, out)

    assert out == ["<x>", "<a>1</a>", "</x>"]
