"""WSDL as operations: what the schemas say is what the `soap` connector takes and gives. All of it is invented."""

import json
from typing import Any

import jsonschema_rs
import pytest

from connectors.builtin.soap.connector import _render
from connectors.builtin.soap.json_text import read_json
from connectors.builtin.soap.reading import read
from connectors.builtin.soap.settings import SOAPSettings
from connectors.builtin.soap.wsdl import Sources, load
from connectors.builtin.soap.xml import SafeReader
from gateway.descriptions.wsdl import Chosen, File, read_wsdl
from registry.contract_schemas import whole_schema
from registry.descriptions.described import Described
from registry.documents import parse_as, render
from registry.entities import BodyContract, VersionSpec
from registry.errors import Invalid

TYPES = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:vi-du" targetNamespace="urn:vi-du"
  elementFormDefault="qualified">
 <xs:simpleType name="GioiTinh"><xs:restriction base="xs:string"><xs:enumeration value="Nam"/><xs:enumeration value="Nữ"/>
 </xs:restriction></xs:simpleType>
 <xs:complexType name="Nguoi"><xs:sequence>
  <xs:element name="HoTen" type="xs:string"/>
  <xs:element name="Tuoi" type="xs:int" minOccurs="0"/>
  <xs:element name="SoDinhDanh" type="xs:long"/>
  <xs:element name="Luong" type="xs:decimal" nillable="true"/>
  <xs:element name="ConSong" type="xs:boolean" minOccurs="0"/>
  <xs:element name="GioiTinh" type="t:GioiTinh" minOccurs="0"/>
  <xs:element name="Ma" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string"><xs:length value="3"/>
   </xs:restriction></xs:simpleType></xs:element>
  <xs:element name="Con" type="t:Nguoi" minOccurs="0" maxOccurs="unbounded"/>
  <xs:choice minOccurs="0"><xs:element name="CCCD" type="xs:string"/><xs:element name="HoChieu" type="xs:string"/></xs:choice>
  <xs:sequence minOccurs="0" maxOccurs="2"><xs:element name="Khoa" type="xs:string"/><xs:element name="GiaTri" type="xs:string"/>
   </xs:sequence>
  </xs:sequence><xs:attribute name="phienBan" type="xs:string" use="required"/></xs:complexType>
 <xs:element name="Hoi" type="t:Nguoi"/>
 <xs:element name="Dap"><xs:complexType><xs:sequence><xs:element name="Nguoi" type="t:Nguoi" minOccurs="0" maxOccurs="unbounded"/>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>"""


def a_wsdl(
    types: str = TYPES, operation: str = "TraCuuNguoi", location: str = "https://csdl.example.invalid/x"
) -> str:
    return f"""<?xml version="1.0" encoding="utf-8"?>
<wsdl:definitions name="DichVu" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:t="urn:vi-du" targetNamespace="urn:vi-du">
 <wsdl:types>{types}</wsdl:types>
 <wsdl:message name="Vao"><wsdl:part name="p" element="t:Hoi"/></wsdl:message>
 <wsdl:message name="Ra"><wsdl:part name="p" element="t:Dap"/></wsdl:message>
 <wsdl:portType name="Cong"><wsdl:operation name="{operation}"><wsdl:documentation>Tra cứu  một
  người</wsdl:documentation><wsdl:input message="t:Vao"/><wsdl:output message="t:Ra"/></wsdl:operation></wsdl:portType>
 <wsdl:binding name="B" type="t:Cong"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <wsdl:operation name="{operation}"><soap:operation soapAction="a"/><wsdl:input><soap:body use="literal"/></wsdl:input>
   <wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation></wsdl:binding>
 <wsdl:service name="DichVu"><wsdl:port name="P" binding="t:B"><soap:address location="{location}"/></wsdl:port>
  <wsdl:port name="Q" binding="t:B"><soap:address location="{location}"/></wsdl:port></wsdl:service>
</wsdl:definitions>"""


IMPORTED = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:import namespace="urn:vi-du" schemaLocation="kieu/{}"/></xs:schema>'


def taken(wsdl: str, *others: File, **chosen: Any) -> Described:
    """Read it, and check that a version and the connector can hold what came out."""
    described = read_wsdl([File("dich-vu.wsdl", wsdl), *others], Chosen(**chosen))
    SOAPSettings.model_validate({"url": "http://127.0.0.1:1"} | dict(described.settings))
    spec = VersionSpec(
        service="x1",
        version="1",
        operations=described.operations,
        schemas=dict(described.schemas),
        endpoints={},
    )
    parse_as(VersionSpec, render(spec))
    return described


def check_of(described: Described, contract: BodyContract | None) -> jsonschema_rs.Validator:
    assert contract is not None
    return jsonschema_rs.validator_for(whole_schema(contract.schema, described.schemas))


def test_a_soap_provider_becomes_operations() -> None:
    described = taken(a_wsdl())

    (operation,) = described.operations
    assert (operation.name, operation.method, operation.path) == ("TraCuuNguoi", "POST", "/TraCuuNguoi")
    assert (operation.title_vi, operation.title_en) == ("Tra cứu một người", "")
    assert described.connector == "soap"
    assert described.settings == {"url": "https://csdl.example.invalid/x", "wsdl": a_wsdl()}
    assert [(one.code, one.detail) for one in described.not_taken] == [  # once for each direction
        ("wsdl-port", "DichVu.Q"), ("wsdl-type", "xs:choice"), ("wsdl-type", "xs:choice"),
    ]  # fmt: skip


GOOD: list[Any] = [
    {"@phienBan": "1", "HoTen": "Lan", "SoDinhDanh": 1234567890123, "Luong": None},
    {"@phienBan": "1", "HoTen": "Lan", "SoDinhDanh": "1234567890123", "Luong": 1.5, "Tuoi": 5, "ConSong": True},
    {
        "@phienBan": "1", "HoTen": "Lan", "SoDinhDanh": "1", "Luong": "1.50", "GioiTinh": "Nữ", "Ma": "abc", "CCCD": "1",
        "Con": [{"@phienBan": "1", "HoTen": "Mai", "SoDinhDanh": 2, "Luong": None, "Con": []}],
        "_items": [{"Khoa": "a", "GiaTri": "b"}],
    },
]  # fmt: skip
BAD: list[Any] = [
    {"HoTen": "Lan", "SoDinhDanh": 1, "Luong": None},
    {"@phienBan": "1", "HoTen": "Lan", "SoDinhDanh": 1, "Luong": None, "La": 1},
    {"@phienBan": "1", "HoTen": {"a": 1}, "SoDinhDanh": 1, "Luong": None},
    {"@phienBan": "1", "SoDinhDanh": 1, "Luong": None},
    {"@phienBan": "1", "HoTen": "Lan", "SoDinhDanh": True, "Luong": None},
    {"@phienBan": "1", "HoTen": "Lan", "SoDinhDanh": 1, "Luong": None, "Con": [{"HoTen": "Mai"}]},
    {"@phienBan": "1", "HoTen": "Lan", "SoDinhDanh": 1, "Luong": None, "_items": [{"Khoa": "a"}]},
    "Lan",
]


@pytest.mark.parametrize(("given", "fits"), [*((one, True) for one in GOOD), *((one, False) for one in BAD)])
def test_the_schema_of_a_request_is_what_the_connector_takes(given: Any, fits: bool) -> None:  # noqa: FBT001
    described = taken(a_wsdl())
    declared = load(Sources(a_wsdl(), {}), None, None, None).operations["TraCuuNguoi"]

    assert check_of(described, described.operations[0].request).is_valid(given) is fits
    written: list[str] = []
    if fits:
        _render(declared, read_json(json.dumps(given).encode()), written)
    else:
        with pytest.raises(ValueError, match=":"):
            _render(declared, read_json(json.dumps(given).encode()), written)


def test_the_schema_of_an_answer_is_what_the_connector_gives() -> None:
    described = taken(a_wsdl())
    declared = load(Sources(a_wsdl(), {}), None, None, None).operations["TraCuuNguoi"]
    answer = """<Dap xmlns="urn:vi-du" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Nguoi phienBan="1"><HoTen>Lan</HoTen>
      <Tuoi>5</Tuoi><SoDinhDanh>001234567890</SoDinhDanh><Luong xsi:nil="true"/><ConSong>1</ConSong><Con phienBan="1">
      <HoTen>Mai</HoTen><SoDinhDanh>2</SoDinhDanh><Luong>1.50</Luong></Con><HoChieu>C1</HoChieu><Khoa>a</Khoa><GiaTri>b</GiaTri>
      </Nguoi></Dap>"""
    assert declared.reply is not None
    shown = read(SafeReader()(answer.encode(), "text/xml; charset=utf-8"), declared.reply)

    check = check_of(described, described.operations[0].reply)
    assert check.is_valid(shown)
    assert check.is_valid({})
    assert not check.is_valid({"Nguoi": [{"HoTen": "Lan"}]})


def test_files_may_import_each_other_but_nothing_else() -> None:
    wsdl = a_wsdl(IMPORTED.format("nguoi.xsd"))

    described = taken(wsdl, File("nguoi.xsd", TYPES.strip()))
    assert described.settings["schemas"] == {"nguoi.xsd": TYPES.strip()}
    for location in ("nguoi.xsd", "http://127.0.0.1:1/nguoi.xsd", "file:///etc/passwd"):
        with pytest.raises(Invalid, match="nothing is fetched"):
            taken(a_wsdl(IMPORTED.replace("kieu/{}", location)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not XML"),
        ("<a/>", "no WSDL"),
        ('<description xmlns="http://www.w3.org/ns/wsdl"/>', "2.0"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + a_wsdl().partition("?>")[2], "not XML"),
        (a_wsdl().replace('use="literal"', 'use="encoded"'), "No operation"),
        (a_wsdl().replace("schemas.xmlsoap.org/wsdl/soap/", "example.invalid/khac/"), "no SOAP port"),
        (a_wsdl().replace('element="t:Hoi"', 'element="t:Khong"'), "cannot be read"),
        ("{}", "not XML"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        taken(text)

    assert told in caught.value.flaws[0].message


def test_names_and_addresses_that_cannot_be_used_are_said() -> None:
    described = taken(a_wsdl(operation="Tra-cứu", location="REPLACE_WITH_ACTUAL_URL"))

    assert described.operations[0].name == "Tra-cuu"
    assert described.settings["operations"] == {"Tra-cuu": "Tra-cứu"}
    assert "url" not in described.settings
    assert {"name", "server"} <= {one.code for one in described.not_taken}
    with pytest.raises(Invalid):
        taken(a_wsdl(), only=frozenset({"khac"}))


def test_headers_are_said_not_to_be_taken() -> None:
    header = '<soap:header message="t:Vao" part="p" use="literal"/><soap:body use="literal"/>'

    described = taken(a_wsdl().replace('<soap:body use="literal"/>', header, 1))

    assert ("wsdl-header", "TraCuuNguoi: p") in [(one.code, one.detail) for one in described.not_taken]


def restricted(base: str, *facets: tuple[str, str]) -> str:
    inner = "".join(f'<xs:{name} value="{value}"/>' for name, value in facets)
    return (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:vi-du" targetNamespace="urn:vi-du">'
        f'<xs:simpleType name="Ma"><xs:restriction base="xs:{base}">{inner}</xs:restriction></xs:simpleType>'
        '<xs:element name="Hoi"><xs:complexType><xs:sequence><xs:element name="Ma" type="t:Ma"/></xs:sequence></xs:complexType>'
        '</xs:element><xs:element name="Dap"><xs:complexType><xs:sequence><xs:element name="Ma" type="t:Ma"/>'
        '<xs:any minOccurs="0" processContents="lax"/></xs:sequence></xs:complexType></xs:element></xs:schema>'
    )


@pytest.mark.parametrize(
    ("base", "facets", "asked", "left"),
    [
        ("string", [("pattern", "[0-9]{12}")], {"type": "string", "pattern": "^(?:[0-9]{12})$"}, []),
        ("string", [("pattern", "a"), ("pattern", "b|c")], {"type": "string", "pattern": "^(?:a)$|^(?:b|c)$"}, []),
        ("string", [("pattern", "^$")], {"type": "string", "pattern": r"^(?:\^\$)$"}, []),
        ("string", [("pattern", "[^$]")], {"type": "string", "pattern": "^(?:[^$])$"}, []),
        ("string", [("pattern", r"\c+")], {"type": "string"}, ["pattern"]),
        ("string", [("pattern", "[a-z-[aeiou]]")], {"type": "string"}, ["pattern"]),
        ("int", [("minInclusive", "1"), ("maxExclusive", "9")],
         {"type": ["integer", "string"], "minimum": 1, "exclusiveMaximum": 9}, []),
        ("decimal", [("fractionDigits", "2"), ("maxInclusive", "0.5")],
         {"type": ["number", "string"], "maximum": 0.5}, ["fractionDigits", "maxInclusive"]),
        ("date", [("minInclusive", "1900-01-01")], {"type": "string", "format": "date"}, ["minInclusive"]),
        ("int", [("pattern", "[0-9]{3}")], {"type": ["integer", "string"]}, ["pattern"]),
    ],
)  # fmt: skip
def test_what_xml_schema_allows_is_said_or_told(
    base: str, facets: list[tuple[str, str]], asked: dict[str, Any], left: list[str]
) -> None:
    described = taken(a_wsdl(restricted(base, *facets)))

    assert described.schemas["Hoi.request"]["properties"]["Ma"] == asked
    told = [one for one in described.not_taken if one.code == "wsdl-facet"]
    assert sorted({one.detail for one in told}) == left
    assert {one.pointer for one in told} <= {"/types/Ma"}


def test_elements_without_a_name_are_told() -> None:
    described = taken(a_wsdl(restricted("string")))

    assert [(one.pointer, one.detail) for one in described.not_taken if one.code == "wsdl-any"] == [
        ("/types/Dap", "xs:any")
    ]


def inheriting(inner: str, base: str = "t:Goc") -> str:
    return restricted("string").replace(
        '<xs:simpleType name="Ma"><xs:restriction base="xs:string">',
        '<xs:simpleType name="Goc"><xs:restriction base="xs:string"><xs:pattern value="[0-9]+"/><xs:maxLength value="9"/>'
        "</xs:restriction></xs:simpleType>"
        f'<xs:simpleType name="Ma"><xs:restriction base="{base}">{inner}',
    )


@pytest.mark.parametrize(
    ("types", "asked", "left"),
    [
        (inheriting(""), {"type": "string", "pattern": "^(?:[0-9]+)$", "maxLength": 9}, set()),
        (inheriting('<xs:maxLength value="3"/>'), {"type": "string", "pattern": "^(?:[0-9]+)$", "maxLength": 3}, set()),
        (inheriting('<xs:pattern value="1.*"/>'), {"type": "string", "pattern": "^(?:1.*)$", "maxLength": 9}, {"pattern"}),
        (inheriting("", "t:Ma"), None, set()),
    ],
)  # fmt: skip
def test_what_a_type_inherits_counts_too(types: str, asked: dict[str, Any] | None, left: set[str]) -> None:
    try:
        described = taken(a_wsdl(types))
    except Invalid:
        assert asked is None  # a type that restricts itself
        return

    assert described.schemas["Hoi.request"]["properties"]["Ma"] == asked
    assert {one.detail for one in described.not_taken if one.code == "wsdl-facet"} == left
