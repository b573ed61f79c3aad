"""Descriptions: nothing is fetched, bombs are refused in bounded time, large and ugly ones are taken."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from random import Random
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from pydantic import ValidationError
from zeep.wsdl import Document

from connectors.builtin.soap import fields as f
from connectors.builtin.soap.json_text import read_json
from connectors.builtin.soap.reading import read
from connectors.builtin.soap.settings import SOAPSettings
from connectors.builtin.soap.wsdl import Sources, WSDLRefused, load, namespaces_of, schema_of
from tests.soap import NS, SCHEMA, a_wsdl

URL = "http://127.0.0.1:1/x"
XS = "http://www.w3.org/2001/XMLSchema"


@contextmanager
def a_trap() -> Iterator[socket.socket]:
    """Listen where nobody may connect."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


def was_met(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.mark.parametrize(
    "form",
    [
        '<types><xs:schema><xs:import namespace="urn:a" schemaLocation="{}"/></xs:schema></types>',
        '<types><xs:schema targetNamespace="urn:b"><xs:include schemaLocation="{}"/></xs:schema></types>',
        '<import namespace="urn:a" location="{}"/>',
    ],
)
@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:{port}/a.xsd", "file:///etc/passwd", "/etc/passwd", "../a.xsd", "ftp://127.0.0.1:{port}/a"]
)  # fmt: skip
def test_what_is_not_given_is_not_fetched_but_refused_by_name(form: str, location: str) -> None:
    with a_trap() as listener:
        location = location.format(port=listener.getsockname()[1])
        with pytest.raises(ValidationError, match="which is not among its schemas"):
            SOAPSettings(url=URL, wsdl=a_wsdl(head=form.format(location)))

        assert not was_met(listener)


def test_an_import_without_a_location_leads_nowhere_outside() -> None:
    """zeep itself would fetch the schema of SOAP's encoding, whatever it is told."""
    head = f'<types><xs:schema targetNamespace="{NS}"><xs:import namespace="http://schemas.xmlsoap.org/soap/encoding/"/></xs:schema></types>'
    wsdl = a_wsdl(head=head).replace(
        '<part name="x" type="xs:int"/>',
        '<part name="x" type="e:Array" xmlns:e="http://schemas.xmlsoap.org/soap/encoding/"/>',
    )

    with pytest.raises(WSDLRefused):
        load(Sources(wsdl, {}), None, None, None)


def test_given_schemas_are_found_by_their_location_or_its_last_part() -> None:
    schema = f'<xs:schema xmlns:xs="{XS}" xmlns:t="{NS}" targetNamespace="{NS}"><xs:include schemaLocation="sub/kieu.xsd"/></xs:schema>'
    wsdl = a_wsdl(schema=schema)
    for location in ("sub/kieu.xsd", "http://vi-du.example/xsd/kieu.xsd"):
        description = load(Sources(wsdl, {location: SCHEMA}), None, None, None)
        assert description.operations["TraCuu"].problem == ""


ENTITIES = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
BOMBS = {
    "billion laughs": f'<!DOCTYPE x [<!ENTITY a0 "ha">{ENTITIES}]>',
    "quadratic": f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]>',
    "external DTD": '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
    "external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    "a plain DOCTYPE": "<!DOCTYPE x>",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=list(BOMBS))
@pytest.mark.parametrize("place", ["wsdl", "schemas"])
def test_a_doctype_is_refused_in_bounded_time(bomb: str, place: str) -> None:
    started = time.monotonic()
    given: dict[str, Any] = {"wsdl": a_wsdl(), "schemas": {"a.xsd": bomb + SCHEMA}}
    if place == "wsdl":
        given = {"wsdl": a_wsdl(before=bomb)}
    with pytest.raises(ValidationError, match=r"doctype|malformed|too-large"):
        SOAPSettings(url=URL, **given)

    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("wsdl", "why"),
    [
        pytest.param("", "wsdl: is needed", id="none"),
        pytest.param("{}", "is not XML", id="JSON"),
        pytest.param("<a/>", "is no WSDL 1.1", id="another document"),
        pytest.param('<description xmlns="http://www.w3.org/ns/wsdl"/>', "WSDL 2.0", id="WSDL 2.0"),
        pytest.param("<a>" * 5000 + "</a>" * 5000, "too-deep", id="deep"),
        pytest.param(a_wsdl()[:-20], "malformed", id="cut"),
        pytest.param(
            a_wsdl(schema=f'<xs:schema xmlns:xs="{XS}"><xs:redefine schemaLocation="a"/></xs:schema>'),
            "redefine",
            id="redefine",
        ),
        pytest.param(
            a_wsdl(schema=f'<xs:schema xmlns:xs="{XS}">{"<xs:annotation/>" * 200_001}</xs:schema>'),
            "more than 200000 elements",
            id="many elements",
        ),
    ],
)
def test_what_is_no_usable_description_is_refused_and_says_why(wsdl: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        SOAPSettings(url=URL, wsdl=wsdl)


def test_an_operation_that_the_description_lacks_is_refused() -> None:
    with pytest.raises(ValidationError, match="operations: the description has no operation 'KhongCo'"):
        SOAPSettings(url=URL, wsdl=a_wsdl(), operations={"traCuu": "KhongCo"})


def test_a_description_with_a_mark_and_a_lying_declaration_is_read() -> None:
    text = "\ufeff" + '<?xml version="1.0" encoding="utf-16"?>' + a_wsdl()

    assert load(Sources(text, {}), None, None, None).operations


def test_ports_are_chosen_by_service_name_and_version() -> None:
    sources = Sources(a_wsdl(), {})

    assert list(load(sources, None, None, None).operations) == ["TraCuu"]
    assert list(load(sources, "HoTich", "R", "1.1").operations) == ["Cong"]
    assert load(Sources(a_wsdl(version="1.2"), {}), None, None, None).version == "1.2"
    for service, port, version in (("Khac", None, None), (None, "Q", None), (None, None, "1.2")):
        with pytest.raises(WSDLRefused, match="no SOAP port"):
            load(sources, service, port, version)


def test_encoded_messages_cannot_be_called_and_the_description_says_so() -> None:
    description = load(Sources(a_wsdl(use="encoded"), {}), None, None, None)

    assert description.operations["TraCuu"].problem == "its messages are rpc/encoded"


def test_a_type_that_holds_itself_has_a_schema_with_an_end() -> None:
    operation = load(Sources(a_wsdl(), {}), None, None, None).operations["TraCuu"]

    shape = schema_of(operation.reply)["properties"]["nguoi"]["items"]["properties"]
    assert shape["tuoi"] == {"type": "integer"}
    assert shape["con"] == {"type": "array", "items": {}}


# --- large and ugly ---------------------------------------------------------------------------------------


def an_ugly_wsdl(types: int, operations: int, seed: int, *, plain: bool = False) -> str:
    """Return a description in the manner of generators: types upon types, in each other, extended, grouped, recursive."""
    rng = Random(seed)  # noqa: S311 (invented types)
    simple = [
        "string",
        "int",
        "long",
        "decimal",
        "boolean",
        "date",
        "dateTime",
        "base64Binary",
        "anyURI",
        "anyType",
    ]
    simple = simple[:5] if plain else simple
    any_element = "" if plain else "<xs:any minOccurs='0'/>"
    made = []
    for number in range(types):
        fields = []
        for place in range(rng.randrange(1, 12)):
            kind = f"t:T{rng.randrange(types)}" if rng.random() < 0.3 else "xs:" + rng.choice(simple)
            most = rng.choice(["1", "1", "unbounded"])
            fields.append(
                f'<xs:element name="f{place}" type="{kind}" minOccurs="0" maxOccurs="{most}" nillable="true"/>'
            )
        inner = "".join(fields)
        form = rng.randrange(5)
        if form == 0:
            inner = f'<xs:choice minOccurs="0" maxOccurs="unbounded">{inner}</xs:choice>'
        elif form == 1:
            inner = (
                f"<xs:sequence><xs:sequence minOccurs='0'>{inner}</xs:sequence>{any_element}</xs:sequence>"
            )
        elif form == 2:
            inner = f"<xs:choice>{inner}</xs:choice>"
        else:
            inner = f"<xs:sequence>{inner}</xs:sequence>"
        attribute = '<xs:attribute name="id" type="xs:string"/><xs:anyAttribute/>'
        body = f"{inner}{attribute}"
        if number and form == 4:
            body = (
                f'<xs:complexContent><xs:extension base="t:B{number % 7}"><xs:sequence>'
                f'<xs:element name="x{number}" type="xs:string"/></xs:sequence></xs:extension></xs:complexContent>'
            )
        made.append(f'<xs:complexType name="T{number}">{body}</xs:complexType>')
    bases = "".join(
        f'<xs:complexType name="B{n}" abstract="true"><xs:sequence><xs:element name="b" type="xs:string" minOccurs="0"/>'
        "</xs:sequence></xs:complexType>"
        for n in range(7)
    )
    roots = "".join(
        f'<xs:element name="Op{n}" type="t:T{n % types}"/><xs:element name="Op{n}Response" type="t:T{(n + 1) % types}"/>'
        for n in range(operations)
    )
    schema = (
        f'<xs:schema xmlns:xs="{XS}" xmlns:t="{NS}" targetNamespace="{NS}" elementFormDefault="qualified">'
        f"{bases}{''.join(made)}{roots}</xs:schema>"
    )
    messages = "".join(
        f'<message name="I{n}"><part name="p" element="t:Op{n}"/></message>'
        f'<message name="O{n}"><part name="p" element="t:Op{n}Response"/></message>'
        for n in range(operations)
    )
    calls = "".join(
        f'<operation name="Op{n}"><input message="t:I{n}"/><output message="t:O{n}"/></operation>'
        for n in range(operations)
    )
    bound = "".join(
        f'<operation name="Op{n}"><soap:operation soapAction=""/><input><soap:body use="literal"/></input>'
        f'<output><soap:body use="literal"/></output></operation>'
        for n in range(operations)
    )
    return f"""<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:t="{NS}" targetNamespace="{NS}"
      xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"><types>{schema}</types>{messages}
      <portType name="P">{calls}</portType><binding name="B" type="t:P">
      <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>{bound}</binding>
      <service name="S"><port name="P" binding="t:B"><soap:address location="{URL}"/></port></service></definitions>"""


def test_a_large_and_ugly_description_is_taken_in_seconds() -> None:
    text = an_ugly_wsdl(types=600, operations=200, seed=7)
    started = time.monotonic()
    checked = SOAPSettings(url=URL, wsdl=text)
    registered = time.monotonic() - started
    description = load(Sources(checked.wsdl, {}), None, None, None)
    loaded = time.monotonic() - started - registered

    assert len(text) > 300_000
    assert len(description.operations) == 200
    assert [one.problem for one in description.operations.values() if one.problem] == []
    for one in description.operations.values():
        assert one.request is not None
        assert len(str(schema_of(one.request.type))) < 500_000
        namespaces_of(one.request.type)
    assert registered < 1
    assert loaded < 8


def a_value(declared: f.Type, rng: Random, depth: int = 0) -> Any:  # Any: JSON
    """Return a value that fits a type."""
    if isinstance(declared, f.Simple):
        return {"boolean": True, "small": rng.randrange(9), "integer": "12345678901", "decimal": "1.50"}.get(
            declared.kind, "ắ & <b>"
        )
    if not isinstance(declared, f.Complex):
        return "bất kỳ"
    value: dict[str, Any] = {"@id": "1"} if "@id" in declared.known else {}
    if declared.content is not None:
        fill(declared.content, value, rng, depth)
    return value


def fill(group: f.Group, value: dict[str, Any], rng: Random, depth: int) -> None:
    if group.key:
        items: list[dict[str, Any]] = []
        for _ in range(rng.randrange(3)):
            item: dict[str, Any] = {}
            fill_once(group, item, rng, depth)
            if item:
                items.append(item)
        if items:
            value[group.key] = items
        return
    fill_once(group, value, rng, depth)


def fill_once(group: f.Group, value: dict[str, Any], rng: Random, depth: int) -> None:
    for part in [rng.choice(group.parts)] if group.choice and group.parts else group.parts:
        if isinstance(part, f.Group):
            fill(part, value, rng, depth)
        elif group.choice or part.min or (depth < 2 and rng.random() < 0.5):
            one = None if depth > 4 and part.nillable else a_value(part.type, rng, depth + 1)
            value[part.key] = [one] if part.repeated else one


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_what_is_written_of_ugly_types_is_what_xml_schema_wants(seed: int) -> None:
    text = an_ugly_wsdl(types=8, operations=3, seed=seed, plain=True)
    description = load(Sources(text, {}), None, None, None)
    judge = etree.XMLSchema(cast(Any, etree.fromstring(text.encode()).find(f".//{{{XS}}}schema")))
    names = "".join(f' xmlns:{prefix}="{uri}"' for uri, prefix in description.prefixes.items())

    for one in description.operations.values():
        assert one.request is not None
        value = a_value(one.request.type, Random(seed))  # noqa: S311 (invented values)
        out: list[str] = []
        one.request.write_one(read_json(orjson.dumps(value)), out, 0)
        element = etree.fromstring(f'<r{names} xmlns:xsi="{f.XSI}">{"".join(out)}</r>')[0]
        judge.assertValid(etree.fromstring(etree.tostring(element)))
        again: list[str] = []
        back = read(element, one.request.type)
        one.request.write_one(read_json(orjson.dumps(back)), again, 0)
        assert again == out


def test_zeep_writes_the_same_message() -> None:
    value = {
        "soDinhDanh": "001",
        "hoTen": "Ánh",
        "nguoi": {"hoTen": "Lê", "tuoi": 7, "con": [{"hoTen": "Trần"}]},
    }
    document = Document(BytesIO(a_wsdl().encode()), cast(Any, None))
    theirs = document.services["HoTich"].ports["P"].binding.get("TraCuu").create(**value).content
    operation = load(Sources(a_wsdl(), {}), None, None, None).operations["TraCuu"]
    assert operation.request is not None
    out: list[str] = []
    operation.request.write_one(read_json(orjson.dumps(value)), out, 0)
    ours = etree.fromstring(f'<r xmlns:n0="{NS}">{"".join(out)}</r>')[0]

    assert etree.tostring(ours, method="c14n", exclusive=True).replace(b"n0", b"ns0") == etree.tostring(
        theirs[0][0], method="c14n", exclusive=True
    )
