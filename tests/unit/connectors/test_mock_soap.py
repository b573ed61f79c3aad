"""The `mock` connector made from a WSDL: envelopes in and out, JSON as the connector `soap` has it, people as everywhere."""

import re
import time
from typing import Any, cast

import orjson
import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st
from lxml import etree

from connectors.builtin.mock.connector import MockConnector
from connectors.builtin.mock.people import Register, person
from connectors.builtin.mock.settings import MockSettings
from connectors.contract import Call, Done, HTTPClient, Rejected, Result, Unknown
from tests.connectors import a_call, a_context
from tests.soap import NS, SCHEMA, SOAP_12, a_wsdl, an_envelope

HTTP = cast("HTTPClient", None)
FACETS = f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="{NS}" targetNamespace="{NS}" elementFormDefault="qualified">
 <xs:simpleType name="GioiTinh"><xs:restriction base="xs:string"><xs:enumeration value="1"/><xs:enumeration value="2"/></xs:restriction></xs:simpleType>
 <xs:complexType name="CongDan"><xs:sequence>
  <xs:element name="soDinhDanh" type="xs:string"/><xs:element name="hoTen" type="xs:string"/>
  <xs:element name="ngaySinh" type="xs:date"/><xs:element name="gioiTinh" type="t:GioiTinh"/>
  <xs:element name="loai"><xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="A"/></xs:restriction></xs:simpleType></xs:element>
  <xs:element name="soCon" type="xs:int"/><xs:element name="luong" type="xs:decimal"/><xs:element name="conSong" type="xs:boolean"/>
  <xs:choice><xs:element name="email" type="xs:string"/><xs:element name="thu" type="xs:string"/></xs:choice>
  <xs:element name="luc" type="xs:dateTime"/>
 </xs:sequence></xs:complexType>
 <xs:element name="TraCuu"><xs:complexType><xs:sequence><xs:element name="soDinhDanh" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
 <xs:element name="TraCuuResponse"><xs:complexType><xs:sequence>
  <xs:element name="congDan" type="t:CongDan" minOccurs="0"/>
 </xs:sequence></xs:complexType></xs:element></xs:schema>"""
NUMBER = next(Register("2026", 5).numbers())


async def mocking(wsdl: str | None = None, **given: Any) -> MockConnector:
    settings = {"wsdl": wsdl or a_wsdl(schema=FACETS), "seed": "2026", "households": 5} | given
    made = MockConnector(MockSettings.model_validate(settings), a_context(HTTP))
    await made.open()
    return made


def ask(body: bytes, media_type: str = "application/json", operation: str = "TraCuu", **given: Any) -> Call:
    return a_call(method="POST", path="/x", body=body, media_type=media_type, operation=operation, **given)


def document(result: Result) -> Any:
    assert isinstance(result, Done), result
    assert isinstance(result.reply.body, bytes)
    return orjson.loads(result.reply.body)


def about(number: str) -> bytes:
    return orjson.dumps({"soDinhDanh": number})


async def test_json_is_answered_as_the_soap_connector_would() -> None:
    found = document(await (await mocking()).call(ask(about(NUMBER))))["congDan"]
    known = person("2026", NUMBER)

    assert (found["soDinhDanh"], found["hoTen"], found["ngaySinh"]) == (NUMBER, known.name, str(known.born))
    assert found["gioiTinh"] == ("2" if known.woman else "1")
    assert found["loai"] == "A"
    assert isinstance(found["soCon"], int)
    assert float(found["luong"]) >= 0
    assert isinstance(found["conSong"], bool)
    assert "email" in found
    assert "thu" not in found
    assert found["luc"].endswith("+07:00")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_envelopes_are_answered_with_envelopes(version: str) -> None:
    connector = await mocking(a_wsdl(schema=FACETS, version=version))
    space = f'<TraCuu xmlns="{NS}"><soDinhDanh>{NUMBER}</soDinhDanh></TraCuu>'
    asked = an_envelope(space, soap=SOAP_12) if version == "1.2" else an_envelope(space)
    result = await connector.call(ask(asked, "text/xml; charset=utf-8", "khac"))

    assert isinstance(result, Done)
    assert isinstance(result.reply.body, bytes)
    root = etree.fromstring(result.reply.body)
    assert root.findtext(f".//{{{NS}}}hoTen") == person("2026", NUMBER).name
    assert ("soap+xml" in result.reply.media_type) == (version == "1.2")


async def test_rpc_is_answered_too() -> None:
    connector = await mocking(a_wsdl(), port="R", operations={"cong": "Cong"})
    asked = an_envelope('<c:Cong xmlns:c="urn:vi-du:cong"><x>1</x><y>2</y></c:Cong>')
    result = await connector.call(ask(asked, "text/xml"))

    assert isinstance(document(await connector.call(ask(b'{"x": 1, "y": 2}', operation="cong")))["tong"], int)
    assert isinstance(result, Done)
    assert b"CongResponse" in cast(bytes, result.reply.body)


async def test_nobody_is_an_answer_with_nothing_in_it() -> None:
    connector = await mocking()

    assert document(await connector.call(ask(about("999999999999")))) == {}
    assert document(await connector.call(ask(about("001080000001")))) == {}


@pytest.mark.parametrize(
    ("body", "media_type", "operation", "why"),
    [
        (b"{}", "application/json", "TraCuu", "unfit /soDinhDanh: missing"),
        (b'{"x": 1}', "application/json", "TraCuu", "unfit /x: unknown"),
        (about(NUMBER), "application/json", "Khac", "unfit /: operation-unknown"),
        (b"<a/>", "text/xml", "TraCuu", "unfit no-envelope"),
        (b"<a", "text/xml", "TraCuu", "unfit malformed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "text/xml", "TraCuu", "unfit doctype"),
        (an_envelope("<Khac/>"), "text/xml", "TraCuu", "unfit /: operation-unknown"),
        (an_envelope(""), "text/xml", "TraCuu", "unfit /: operation-unknown"),
    ],
)
async def test_what_the_description_does_not_take_is_refused(
    body: bytes, media_type: str, operation: str, why: str
) -> None:
    result = await (await mocking()).call(ask(body, media_type, operation))

    assert isinstance(result, Rejected)
    assert result.reason.startswith(why)


async def test_types_that_hold_themselves_come_to_an_end() -> None:
    started = time.monotonic()
    found = document(
        await (await mocking(a_wsdl(schema=SCHEMA), households=0)).call(ask(b'{"soCMND": "999000001"}'))
    )
    endless = SCHEMA.replace('type="t:Nguoi" minOccurs="0" maxOccurs="unbounded"', 'type="t:Nguoi"')
    never = await (await mocking(a_wsdl(schema=endless), households=0)).call(ask(b'{"soCMND": "999000001"}'))

    assert found["nguoi"][0]["hoTen"]
    assert never == Unknown(reason="description", rubbish=True)
    assert time.monotonic() - started < 5


async def test_faults_are_ordered_as_from_any_mock() -> None:
    connector = await mocking()
    ordered = ask(about(NUMBER), sandbox=True, headers=[(b"mock-fault", b"cut")])

    assert await connector.call(ordered) == Unknown(reason="cut")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "either description"),
        ({"wsdl": a_wsdl(), "description": {"openapi": "3.1.0", "paths": {}}}, "either description"),
        ({"wsdl": "<a/>"}, "wsdl: this is no WSDL"),
        ({"wsdl": a_wsdl(before='<!DOCTYPE a SYSTEM "file:///etc/passwd">')}, "wsdl: "),
        (
            {"wsdl": a_wsdl(schema='<xs:schema><xs:import namespace="urn:a" schemaLocation="http://127.0.0.1/a"/></xs:schema>')},
            "nothing is fetched",
        ),
    ],
)  # fmt: skip
def test_descriptions_that_are_none_are_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        MockSettings.model_validate(given)


# --- whatever the types, answers are valid by them: lxml is the judge ------------------------------------------

XS = "http://www.w3.org/2001/XMLSchema"
SIMPLE = [
    '<xs:element name="{n}" type="xs:{t}"{occurs}/>'.replace("{t}", each)
    for each in (
        "string", "normalizedString", "token", "boolean", "int", "long", "short", "byte", "integer", "positiveInteger",
        "unsignedByte", "decimal", "double", "float", "date", "dateTime", "time", "anyURI", "base64Binary", "hexBinary",
        "gYear", "NMTOKEN", "language", "duration", "anySimpleType",
    )
] + [
    f'<xs:element name="{{n}}"{{occurs}}><xs:simpleType><xs:restriction base="xs:{base}">{facets}</xs:restriction></xs:simpleType></xs:element>'
    for base, facets in (
        ("string", '<xs:enumeration value="Nam"/><xs:enumeration value="Nữ"/>'),
        ("string", '<xs:length value="12"/>'),
        ("string", '<xs:minLength value="3"/><xs:maxLength value="5"/>'),
        ("string", '<xs:pattern value="[0-9]{8}"/>'),
        ("string", '<xs:pattern value="\\d{12}"/>'),
        ("int", '<xs:minInclusive value="5"/><xs:maxInclusive value="7"/>'),
        ("int", '<xs:minExclusive value="5"/><xs:maxExclusive value="7"/>'),
        ("int", '<xs:enumeration value="1"/><xs:enumeration value="2"/>'),
        ("decimal", '<xs:fractionDigits value="0"/>'),
        ("decimal", '<xs:totalDigits value="4"/><xs:fractionDigits value="1"/>'),
    )
]  # fmt: skip
OCCURS = ["", ' minOccurs="0"', ' maxOccurs="3"', ' minOccurs="2" maxOccurs="unbounded"', ' nillable="true"']
NAMES = ["hoTen", "ngaySinh", "gioiTinh", "soDinhDanh", "cha", "con", "diaChi", "ma", "giaTri", "msdn"]
leaves = st.tuples(st.sampled_from(SIMPLE), st.sampled_from(OCCURS))


@st.composite
def groups(draw: st.DrawFn, depth: int = 0) -> str:
    word = draw(st.sampled_from(["sequence", "choice", "all"] if depth == 0 else ["sequence", "choice"]))
    inside = ""
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)):
        if depth < 2 and draw(st.integers(0, 4)) == 0:
            inner = draw(groups(depth + 1))
            attribute = '<xs:attribute name="so" type="xs:int" use="required"/>'
            inside += (
                f'<xs:element name="{name}"><xs:complexType>{inner}{attribute}</xs:complexType></xs:element>'
            )
        else:
            leaf, occurs = draw(leaves)
            # `all` has each at most once, and zeep forgets how often a branch of a choice has to be there.
            allowed = {"all": "maxOccurs" not in occurs, "choice": "minOccurs" not in occurs}
            occurs = occurs if allowed.get(word, True) else ""
            inside += leaf.replace("{n}", name).replace("{occurs}", occurs)
    return f"<xs:{word}>{inside}</xs:{word}>"


@settings(max_examples=150, deadline=None)
@given(groups(), st.sampled_from(["999990000010", "1"]))
async def test_answers_are_valid_by_their_own_types(group: str, number: str) -> None:
    schema = f"""<xs:schema xmlns:xs="{XS}" targetNamespace="{NS}" elementFormDefault="qualified">
     <xs:element name="TraCuu"><xs:complexType><xs:sequence><xs:element name="soDinhDanh" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
     <xs:element name="TraCuuResponse"><xs:complexType>{group}</xs:complexType></xs:element></xs:schema>"""
    note(group)
    names = re.findall(r'name="(\w+)"', group)
    assume(
        "simpleType" not in group or len(names) == len(set(names))
    )  # anonymous types of one name are taken for one
    connector = await mocking(a_wsdl(schema=schema))
    asked = an_envelope(f'<TraCuu xmlns="{NS}"><soDinhDanh>{number}</soDinhDanh></TraCuu>')
    result = await connector.call(ask(asked, "text/xml"))

    assert isinstance(result, Done), result
    assert isinstance(result.reply.body, bytes)
    [answer] = etree.fromstring(result.reply.body)[0]
    note(result.reply.body.decode())
    etree.XMLSchema(etree.fromstring(schema)).assertValid(answer)
