"""Contract checks, compiled: what fits passes, what does not is told by place and rule, without values, and in time."""

import json
import time
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contracts.bodies import BodyCheck, Later
from gateway.contracts.compiled import Contract, bad_contracts, contract_of
from gateway.contracts.effort import is_bounded
from gateway.contracts.json_bodies import JSONCheck
from gateway.contracts.parameters import ParameterCheck
from gateway.contracts.registration import VersionChecks
from gateway.contracts.violations import MOST_TOLD, BadContract
from gateway.contracts.work import make_work, parse
from gateway.contracts.xml_bodies import _is_simple
from gateway.transforms.examples import TransformChecks
from gateway.transforms.guests import Guests
from registry.documents import parse_as
from registry.entities import (
    BodyContract,
    CodeList,
    ContractChecks,
    Operation,
    Parameter,
    Version,
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id", "ten"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]{12}$"},
        "ten": {"type": "string", "minLength": 1, "maxLength": 10},
        "tuoi": {"type": "integer", "minimum": 0, "maximum": 150},
        "gioi": {"enum": ["1", "2", None]},
        "con": {"type": "array", "maxItems": 3, "items": {"$ref": "#"}},
    },
}
XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"><xs:complexType><xs:sequence>
<xs:element name="b" maxOccurs="9"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="[0-9]{3}"/>
</xs:restriction></xs:simpleType></xs:element></xs:sequence><xs:attribute name="c" type="xs:int"/></xs:complexType></xs:element>
</xs:schema>"""


def a_body(**given: Any) -> BodyCheck:
    xsd: Mapping[str, str] = given.pop("documents", {})
    return BodyCheck(BodyContract(**given), {}, xsd, "/operations/0/request")


def found(check: BodyCheck, body: bytes, media_type: str = "") -> list[tuple[str, str]]:
    return [(each.pointer, each.rule) for each in check.at_once(body, media_type).violations]


@st.composite
def fitting(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    person: dict[str, Any] = {
        "id": draw(st.from_regex(r"[0-9]{12}", fullmatch=True)),
        "ten": draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)),
    }
    if draw(st.booleans()):
        person["tuoi"] = draw(st.integers(0, 150))
    if draw(st.booleans()):
        person["gioi"] = draw(st.sampled_from(["1", "2", None]))
    if depth and draw(st.booleans()):
        person["con"] = draw(st.lists(fitting(depth=depth - 1), max_size=3))
    return person


BREAKS: list[tuple[str, Any, str, str]] = [
    ("id", "12", "/id", "pattern"),
    ("id", 12, "/id", "type"),
    ("ten", "", "/ten", "minLength"),
    ("ten", "x" * 11, "/ten", "maxLength"),
    ("tuoi", -1, "/tuoi", "minimum"),
    ("tuoi", 1.5, "/tuoi", "type"),
    ("gioi", "3", "/gioi", "enum"),
    ("con", {}, "/con", "type"),
    ("con", [7], "/con/*", "type"),
    ("ten", None, "/ten", "required"),
    ("la", "bí mật", "", "additionalProperties"),
]


@given(fitting())
def test_what_fits_passes(person: dict[str, Any]) -> None:
    assert found(a_body(schema=SCHEMA), orjson.dumps(person)) == []


@given(person=fitting(), broken=st.sampled_from(BREAKS), inside=st.booleans())
def test_what_does_not_is_told_by_place_and_rule(
    person: dict[str, Any], broken: tuple[str, Any, str, str], *, inside: bool
) -> None:
    name, value, pointer, rule = broken
    bad = {**person, name: value}
    if rule == "required":
        del bad[name]
    if inside:
        bad, pointer = {**person, "con": [bad]}, "/con/*" + pointer

    assert found(a_body(schema=SCHEMA), orjson.dumps(bad)) == [(pointer, rule)]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "ten", "x", "con"]), inner)
        ),
        max_leaves=20,
    )
)
def test_any_json_at_all_is_read_or_refused_and_nothing_of_it_is_told(value: Any) -> None:
    try:
        body = orjson.dumps(value)
    except orjson.JSONEncodeError:
        body = json.dumps(value).encode()
    known = {"", "/id", "/ten", "/con", "/con/*", "/tuoi", "/gioi"}
    for pointer, rule in found(a_body(schema=SCHEMA), body):
        assert rule.isascii()
        assert pointer.replace("/con/*", "", 8) in known or set(pointer.split("/")) <= {
            "",
            "*",
            "con",
            "id",
            "ten",
        }


def test_names_that_the_contract_does_not_know_are_not_told() -> None:
    schema = {"additionalProperties": {"type": "object", "properties": {"a": {"type": "string"}}}}

    told = found(a_body(schema=schema), b'{"001099000001": {"a": 1}}')

    assert told == [("/*/a", "type")]


def test_no_more_than_a_few_are_told_each_once() -> None:
    schema = {"properties": {f"f{n}": {"type": "string"} for n in range(100)}}
    body = json.dumps({f"f{n}": n for n in range(100)}).encode()
    assert len(a_body(schema=schema).read(body, "", parts=float("inf")).violations) == MOST_TOLD

    assert found(a_body(schema={"items": {"type": "string"}}), b"[1,2,3]") == [("/*", "type")]


def test_many_things_wrong_at_once_are_left_to_a_guest() -> None:
    check, body = a_body(schema={"items": {"type": "string"}}), json.dumps([1] * 10_000).encode()

    with pytest.raises(Later):
        check.at_once(body, "")


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ({"enum": [f"MA-{n:05}" for n in range(3000)]}, "x"),
        ({"oneOf": [{"const": n} for n in range(200)]}, -1),
    ],
)
def test_what_is_wrong_against_a_large_schema_is_left_to_a_guest(
    schema: dict[str, Any], wrong: object
) -> None:
    check = a_body(schema={"items": schema})
    with pytest.raises(Later):
        check.at_once(json.dumps([wrong] * 1_900).encode(), "")

    assert check.at_once(json.dumps([schema.get("enum", [5])[0]] * 1_900).encode(), "").violations == ()
    began = time.perf_counter()
    found(check, json.dumps([wrong] * 2).encode())
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    ("pattern", "simple"),
    [
        ("[0-9]{12}", True), ("[0-9]{9,12}", True), ("[A-Z]+", True), ("a?b", True), (r"\d{2}/\d{2}/\d{4}", True),
        ("[A-Z]{0,10}[A-Z0-9]{0,10}[0-9]", False), ("a?" * 18 + "a" * 18, False), ("(ab)*", False), ("a+b+", False),
        (r"-?[0-9]+(\.[0-9]+)?", False),
    ],
)  # fmt: skip
def test_xsd_patterns_that_could_be_tried_in_many_ways_are_left_to_a_guest(
    pattern: str,
    simple: bool,  # noqa: FBT001
) -> None:
    assert _is_simple(pattern) is simple


@pytest.mark.parametrize(
    ("sent", "fits"), [("image/png", True), ("IMAGE/jpeg; q=1", True), ("text/plain", False)]
)
def test_a_range_of_media_types_is_one(sent: str, fits: bool) -> None:  # noqa: FBT001
    assert (a_body(media_type="image/*").at_once(b"x", sent).violations == ()) is fits


# --- schemas that want something, or for ever -------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        pytest.param({"$ref": "http://127.0.0.1:1/x"}, "/$ref", id="http"),
        pytest.param({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "/properties/a/$ref", id="file"),
        pytest.param({"$ref": "khac.json"}, "/$ref", id="relative"),
        pytest.param({"$ref": "#/schemas/KhongCo"}, "/$ref", id="unknown"),
        pytest.param({"$dynamicRef": "http://127.0.0.1:1/x"}, "", id="dynamic"),
        pytest.param({"$ref": "#/$defs/khong-co"}, "", id="nowhere"),
        pytest.param({"properties": {"a": {"type": "strin"}}}, "/properties/a/type", id="no type"),
        pytest.param({"properties": {"a": {"pattern": "(?=a)"}}}, "/properties/a/pattern", id="looks ahead"),
        pytest.param({"pattern": "(a{1000}){1000}"}, "/pattern", id="explodes"),
        pytest.param({"items": [{"type": "string"}]}, "/items", id="old draft"),
    ],
)
def test_a_schema_that_cannot_be_checked_by_is_refused_with_its_place(
    schema: dict[str, Any], pointer: str
) -> None:
    started = time.monotonic()

    with pytest.raises(BadContract) as refused:
        a_body(schema=schema)

    assert refused.value.pointer == "/operations/0/request/schema" + pointer
    assert time.monotonic() - started < 1


def test_a_flaw_in_a_shared_schema_is_told_where_it_stands() -> None:
    version = a_version(
        request=BodyContract(schema={"$ref": "#/schemas/A"}),
        schemas={"A": {"properties": {"x": {"$ref": "#/schemas/B"}}}, "B": {"minLength": -1}},
    )
    assert [flaw.pointer for flaw in bad_contracts(version)] == ["/schemas/B/minLength"]


def a_version(**given: Any) -> Version:
    operation = {name: given.pop(name) for name in ("request", "reply", "parameters") if name in given}
    checks = given.pop("checks", ContractChecks(request="enforce", reply="enforce"))
    template = Operation(name="o", method="POST", path=given.pop("path", "/o"), **operation)
    return Version(service="s", version="1", operations=(template,), endpoints={}, checks=checks, **given)


def test_yaml_s_own_word_for_false_means_off() -> None:
    read = parse_as(ContractChecks, {"request": False, "reply": "shadow"})

    assert read == ContractChecks(request="off", reply="shadow")


def test_a_pattern_takes_linear_time() -> None:
    check, started = a_body(schema={"pattern": "^(a+)+$"}), time.monotonic()

    assert found(check, json.dumps("a" * 50_000 + "b").encode()) == [("", "pattern")]
    assert time.monotonic() - started < 1


def test_a_huge_enum_and_one_that_refers_to_itself_are_taken() -> None:
    assert found(a_body(schema={"enum": [f"m{n}" for n in range(50_000)]}), b'"m49999"') == []
    assert found(a_body(schema={"$ref": "#"}), b"1") == []
    loop = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    assert found(a_body(schema=loop), b"1") == []


def doubling(levels: int) -> dict[str, Any]:
    names = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": names | {f"a{levels}": False}}


TWICE = {"properties": {"x": {"$ref": "#"}}}


@pytest.mark.parametrize(
    ("schema", "bounded"),
    [
        (SCHEMA, True),
        ({"$ref": "#"}, True),
        ({"anyOf": [{"properties": {"trai": {"$ref": "#"}}}, {"properties": {"phai": {"$ref": "#"}}}]}, True),
        ({"anyOf": [{"type": "null"}, TWICE]}, True),
        ({"oneOf": [{"properties": {"x": {"type": "string"}}}] * 30}, True),
        ({"anyOf": [TWICE, TWICE | {"required": ["x"]}]}, False),
        ({"allOf": [{"additionalProperties": {"$ref": "#"}}, TWICE]}, False),
        ({"allOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}, "minItems": 1}]}, False),
        (doubling(60), False),
    ],
)
def test_what_may_take_for_ever_is_known_beforehand(schema: dict[str, Any], *, bounded: bool) -> None:
    assert is_bounded(JSONCheck(schema).schema) is bounded


@pytest.mark.parametrize("levels", [5, 10, 14])
def test_what_is_not_bounded_really_doubles(levels: int) -> None:
    schema = {"anyOf": [TWICE | {"required": ["y"]}, TWICE | {"required": ["y"]}]}
    document: Any = {}
    for _ in range(levels):
        document = {"x": document}

    with pytest.raises(Later):
        a_body(schema=schema).at_once(json.dumps(document).encode(), "")


def test_a_guest_is_ended_when_a_check_takes_too_long() -> None:
    guests = Guests()
    try:
        slow, quick = a_body(schema=doubling(40)), a_body(schema=SCHEMA)
        started = time.monotonic()
        with pytest.raises(Exception, match="killed"):
            guests.run(slow.work, b"1", 0.2, media_type="")
        assert time.monotonic() - started < 15
        assert parse(guests.run(quick.work, b"{}", 5, media_type=""))
    finally:
        guests.close()


async def test_a_version_is_refused_when_it_is_written() -> None:
    guests = Guests()
    try:
        checks = VersionChecks(TransformChecks(guests))
        bad = BodyContract(schema={"properties": {"a": {"$ref": "file:///etc/passwd"}}})
        flaws = await checks(a_version(request=bad), no_list)
        assert await checks(a_version(request=bad, checks=ContractChecks()), no_list) == []
    finally:
        guests.close()

    assert [(flaw.pointer, flaw.code) for flaw in flaws] == [
        ("/operations/0/request/schema/properties/a/$ref", "contract-refused")
    ]


async def no_list(slug: str) -> CodeList | None:
    return None


# --- XML --------------------------------------------------------------------------------------------------


def xml(body: bytes, documents: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    check = a_body(media_type="text/xml", xsd="x", documents=documents or {"x": XSD})
    return found(check, body, "text/xml")


def test_xml_is_told_by_the_names_of_elements() -> None:
    assert xml(b"<a c='1'><b>123</b><b>456</b></a>") == []
    assert xml(b"<a><b>123</b><b>bi mat</b></a>") == [("/a/b", "cvc-pattern-valid")]
    assert xml(b"<a><bi-mat/></a>") == [("/a/*", "element-content")]
    assert [pointer for pointer, _ in xml(b"<a c='bi mat'><b>123</b></a>")] == ["/a"]
    assert xml(b"<z/>") == [("/*", "cvc-elt-1")]


@pytest.mark.parametrize(
    "body",
    [b"<a>", b"<!DOCTYPE a><a/>", b"\xef\xbb\xbf junk <a/>", b"<a>\xff</a>", b"<a>" * 400, b'{"a": 1}'],
)
def test_xml_that_cannot_be_read_is_against_the_contract(body: bytes) -> None:
    assert [pointer for pointer, _ in xml(body)] == [""]


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "/etc/passwd", "http://127.0.0.1:1/x.xsd", "../x", "khac"]
)
@pytest.mark.parametrize("word", ["import", "include", "redefine"])
def test_a_schema_takes_in_only_the_version_s_own_documents(location: str, word: str) -> None:
    namespace = ' namespace="urn:x"' if word == "import" else ""
    inside = f'<xs:{word}{namespace} schemaLocation="{location}"/>'
    documents = {"x": XSD.replace('XMLSchema">', f'XMLSchema">{inside}', 1)}

    with pytest.raises(BadContract) as refused:
        xml(b"<a/>", documents)

    assert refused.value.pointer == "/xsd/x"


def test_a_schema_may_be_made_of_several_documents() -> None:
    first = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t">
    <xs:import namespace="urn:t" schemaLocation="t"/><xs:element name="a" type="t:ma"/></xs:schema>"""
    second = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t">
    <xs:simpleType name="ma"><xs:restriction base="xs:int"/></xs:simpleType></xs:schema>"""

    assert xml(b"<a>1</a>", {"x": first, "t": second}) == []
    assert [pointer for pointer, _ in xml(b"<a>q</a>", {"x": first, "t": second})] == ["/a"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<a/>",
        "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]><x/>",
        XSD.replace("xs:int", "xs:in"),
    ],
)
def test_what_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(BadContract) as refused:
        xml(b"<a/>", {"x": text})

    assert refused.value.pointer == "/xsd/x"


@pytest.mark.parametrize("pattern", ["(a|aa)+b", "a*a*b", "((a{0,50}){0,50}){0,50}", "a+.*"])
def test_patterns_that_may_take_long_are_left_to_a_guest(pattern: str) -> None:
    with pytest.raises(Later):
        xml(b"<a><b>123</b></a>", {"x": XSD.replace("[0-9]{3}", pattern)})


def test_a_guest_finds_the_same() -> None:
    checks = [a_body(schema=SCHEMA), a_body(media_type="text/xml", xsd="x", documents={"x": XSD})]
    for check, body in zip(checks, (b'{"id": 1}', b"<a><b>x</b></a>"), strict=True):
        work = make_work(check.work.more["make"])
        assert parse(work({"media_type": ""}, body)) == check.at_once(body, "").violations


# --- parameters -------------------------------------------------------------------------------------------


def contract(*parameters: Parameter, path: str = "/o") -> Contract:
    version = a_version(parameters=parameters, path=path)
    made = contract_of(version, version.operations[0], "/operations/0")
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("schema", "query", "rules"),
    [
        ({"type": "integer"}, "p=12", []),
        ({"type": "integer"}, "p=012", ["type"]),
        ({"type": "integer"}, "p=1e400", ["type"]),
        ({"type": "integer"}, "p=" + "9" * 5000, ["type"]),
        ({"type": "integer", "maximum": 5}, "p=6", ["maximum"]),
        ({"type": "number"}, "p=-1.50", []),
        ({"type": "number"}, "p=NaN", ["type"]),
        ({"type": "boolean"}, "p=true", []),
        ({"type": "boolean"}, "p=yes", ["type"]),
        ({"type": "string"}, "p=12", []),
        ({"type": "string", "pattern": "^[0-9]{3}$"}, "p=12", ["pattern"]),
        ({"enum": ["1", "2"]}, "p=1", []),
        ({"enum": [1, 2]}, "p=3", ["enum"]),
        ({"type": "string"}, "p=1&p=2", ["repeated"]),
        ({"type": "array", "items": {"type": "integer"}}, "p=1&p=2", []),
        ({"type": "array", "items": {"type": "integer"}}, "p=1,2", []),
        ({"type": "array", "items": {"type": "string"}}, "p=1&p=2", []),
        ({"type": "array", "items": {"type": "integer"}}, "p=1&p=x", ["type"]),
        ({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}, "p=1&p=2", []),
        ({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}, "p=1,x", ["anyOf"]),
        ({"allOf": [{"type": "array"}, {"maxItems": 1}]}, "p=1&p=2", ["maxItems"]),
        ({"oneOf": [{"type": "array", "minItems": 2}, {"type": "string", "maxLength": 1}]}, "p=a", []),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "p=1&p=2", ["repeated"]),
        ({"type": "object"}, "p=gi%20do", []),
        ({"type": "object"}, "p%5Bma%5D=1", []),
        ({"allOf": [{"type": "object", "required": ["ma"]}]}, "ma=1", []),
        ({"type": "string", "minLength": 1}, "p=", ["minLength"]),
        ({}, "", ["required"]),
        ({}, "P=1", ["required"]),
    ],
)
def test_text_stands_for_what_its_schema_says(schema: dict[str, Any], query: str, rules: list[str]) -> None:
    check = contract(Parameter(name="p", at="query", required=True, schema=schema)).request
    assert check is not None
    assert check.parameters is not None

    assert [each.rule for each in check.parameters.violations("/o", query, [])] == rules


def test_variables_of_the_path_and_headers_are_checked() -> None:
    number = {"type": "string", "pattern": "^[0-9]+$"}
    check = contract(
        Parameter(name="so", at="path", schema=number),
        Parameter(name="con", at="path", schema=number),
        Parameter(name="X-Ma", at="header", schema={"type": "string", "maxLength": 3}),
        Parameter(name="Accept", at="header", schema={"enum": ["không ai xem"]}),
        path="/nguoi/{so}/{con*}",
    ).request
    assert check is not None
    assert check.parameters is not None

    wrong = check.parameters.violations(
        "/nguoi/a%2f/1/2", "", [(b"x-ma", "dài quá".encode()), (b"accept", b"x")]
    )

    assert {(each.at, each.pointer, each.rule) for each in wrong} == {
        ("path", "/so", "pattern"),
        ("path", "/con", "pattern"),
        ("header", "/X-Ma", "maxLength"),
    }


def test_blanks_around_the_commas_of_a_header_belong_to_no_item() -> None:
    listed = {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}}
    check = contract(Parameter(name="X-Ds", at="header", schema=listed)).request
    assert check is not None
    assert check.parameters is not None

    assert list(check.parameters.violations("/o", "", [(b"x-ds", b"a, b\t,a")])) == []
    assert [each.rule for each in check.parameters.violations("/o", "", [(b"x-ds", b"a, c")])] == ["enum"]


def test_a_schema_combined_from_itself_is_read_once() -> None:
    shared = {"T": {"anyOf": [{"$ref": "#/schemas/T"}, {"type": "array"}, {"$ref": "#/schemas/T"}]}}
    version = a_version(parameters=(Parameter(name="p", at="query", schema={"$ref": "#/schemas/T"}),))

    check = ParameterCheck(version.operations[0].parameters[0], shared, "/p")

    assert list(check.violations(["1", "2"])) == []


def test_nothing_is_compiled_where_nothing_is_checked() -> None:
    bad = BodyContract(schema={"$ref": "http://127.0.0.1:1/"})
    version = a_version(request=bad, reply=bad, checks=ContractChecks())

    assert contract_of(version, version.operations[0], "/operations/0") is None


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_no_bytes_at_all_bring_a_check_down(body: bytes) -> None:
    found(a_body(schema=SCHEMA), body)
    found(a_body(media_type="text/xml", xsd="x", documents={"x": XSD}), body, "text/xml; charset=iso-8859-1")
