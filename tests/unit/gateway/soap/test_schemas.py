"""JSON Schemas as types of XML: what is said, and what is left open, item by item."""

import io
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from zeep import Client, Settings

from gateway.soap.nodes import Leaf, Listed, Open, Structure
from gateway.soap.schemas import SchemaCompiler, Shape
from tests.soap_offers import an_offered_version, compiled, schema_in, wsdl_of


def compiled_schema(schema: Any, **schemas: Any) -> tuple[Shape, list[str]]:
    compiler = SchemaCompiler(schemas, "urn:x")
    shape = compiler.shape(schema, "/s")
    compiler.finish()
    return shape, [f"{remark.pointer} {remark.why}" for remark in compiler.remarks]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "string", "format": "date-time"}, "dateTime"),
        ({"type": "string", "format": "uuid"}, "string"),
        ({"type": "string", "format": "int32"}, "string"),
        ({"type": "integer"}, "integer"),
        ({"type": "integer", "format": "int64"}, "long"),
        ({"type": "integer", "format": "float"}, "integer"),
        ({"type": "number"}, "decimal"),
        ({"type": "number", "format": "double"}, "double"),
        ({"type": "boolean", "format": "date"}, "boolean"),
        ({"format": "date"}, "date"),
        ({"enum": ["a", "b"]}, "string"),
    ],
)
def test_a_plain_value_has_its_type(schema: Any, kind: str) -> None:
    shape, remarks = compiled_schema(schema)

    assert isinstance(shape.node, Leaf)
    assert (shape.node.kind, shape.repeated, shape.nillable, remarks) == (kind, False, False, [])


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["string", "null"]},
        {"type": "string", "nullable": True},
        {"oneOf": [{"type": "string"}, {"type": "null"}]},
        {"anyOf": [{"enum": [None]}, {"$ref": "#/schemas/Ten"}]},
    ],
)
def test_what_may_be_null_is_nillable(schema: Any) -> None:
    shape, remarks = compiled_schema(schema, Ten={"type": "string"})

    assert (type(shape.node), shape.nillable, remarks) == (Leaf, True, [])


def test_a_list_is_repeated_and_a_list_of_lists_has_items() -> None:
    names, _ = compiled_schema({"type": ["array", "null"], "items": {"type": "string"}})
    table, _ = compiled_schema(
        {"type": "array", "items": {"$ref": "#/schemas/Hang"}},
        Hang={"type": "array", "items": {"type": "integer"}},
    )

    assert (type(names.node), names.repeated, names.nillable) == (Leaf, True, False)
    assert (type(table.node), table.repeated) == (Listed, True)


def test_all_of_is_one_structure_with_all_fields() -> None:
    base = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}
    shape, remarks = compiled_schema(
        {
            "allOf": [{"$ref": "#/schemas/Goc"}, {"properties": {"b": {"type": "integer"}}}],
            "properties": {"c": {"type": "string"}},
        },
        Goc=base,
    )

    assert isinstance(shape.node, Structure)
    assert [(member.key, member.required) for member in shape.node.members] == [
        ("a", True),
        ("b", False),
        ("c", False),
    ]
    assert not remarks


def test_a_structure_may_hold_itself() -> None:
    schema = {
        "type": "object",
        "properties": {"con": {"type": "array", "items": {"$ref": "#/schemas/Nguoi"}}},
    }
    shape, remarks = compiled_schema({"$ref": "#/schemas/Nguoi"}, Nguoi=schema)

    assert isinstance(shape.node, Structure)
    assert shape.node.members[0].node is shape.node
    assert not remarks


def test_names_that_xml_does_not_take_are_told_apart() -> None:
    keys = ["họ tên", "họ_tên", "1a", "", "a:b", "số", "Ⅷ²"]
    shape, _ = compiled_schema({"type": "object", "properties": {key: {"type": "string"} for key in keys}})

    assert isinstance(shape.node, Structure)
    tags = [member.tag for member in shape.node.members]
    assert tags[:6] == ["họ_tên", "họ_tên_2", "_1a", "_", "a_b", "số"]
    for tag in tags:
        etree.fromstring(f"<{tag}/>")


@pytest.mark.parametrize(
    ("schema", "remark"),
    [
        (None, "/s no-schema"),
        ("string", "/s no-schema"),
        ({}, "/s no-type"),
        ({"type": "object"}, "/s open-object"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "/s open-object"),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "/s/oneOf alternatives"),
        ({"type": ["object", "string"]}, "/s alternatives"),
        ({"$ref": "#/schemas/Khong"}, "/s reference"),
        ({"$ref": "http://vi-du.invalid/x.json"}, "/s reference"),
        ({"$ref": "file:///etc/passwd"}, "/s reference"),
        ({"$ref": ["la"]}, "/s reference"),
        ({"type": "array", "prefixItems": [{}]}, "/s/prefixItems tuple"),
        ({"$ref": "#/schemas/Vong"}, "/schemas/Vong/items loop"),
        ({"allOf": [{"maxLength": 1}, {"type": "string"}]}, "/s open-object"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_open_and_noted(schema: Any, remark: str) -> None:
    shape, remarks = compiled_schema(schema, Vong={"type": "array", "items": {"$ref": "#/schemas/Vong"}})

    assert remark in remarks
    assert isinstance(shape.node, Open | Leaf)


@pytest.mark.parametrize(
    ("schema", "remark"),
    [
        ({"type": "integer", "enum": [1, 2]}, "/s/enum choices"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True}, "/s/additionalProperties further-fields"),
        ({"type": ["integer", "string"]}, "/s alternatives"),
    ],
)  # fmt: skip
def test_what_is_said_in_part_is_noted(schema: Any, remark: str) -> None:
    shape, remarks = compiled_schema(schema)

    assert remark in remarks
    assert not isinstance(shape.node, Open)


def test_a_long_chain_of_types_is_described_to_its_end() -> None:
    chain = {
        f"S{n}": {"type": "object", "properties": {"n": {"$ref": f"#/schemas/S{n + 1}"}}} for n in range(1500)
    }
    offer = compiled(
        an_offered_version(
            [{"name": "a", "path": "/a", "reply": {"schema": {"$ref": "#/schemas/S0"}}}],
            schemas=chain | {"S1500": {"type": "string"}},
        )
    )

    assert (len(offer.types), offer.remarks) == (1500, [])
    assert all(structure.replied for structure in offer.types.values())


def test_schemas_made_to_explode_do_not() -> None:
    twice = {
        f"A{n}": {"allOf": [{"$ref": f"#/schemas/A{n + 1}"}] * 2, "properties": {f"p{n}": {"type": "string"}}}
        for n in range(50)
    }
    wide = {
        f"B{n}": {
            "type": "array",
            "items": {"type": "object", "properties": {k: {"$ref": f"#/schemas/B{n + 1}"} for k in "xy"}},
        }
        for n in range(50)
    }
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(500):
        deep = {"type": "array", "items": deep}
    started = perf_counter()
    for schema in ({"$ref": "#/schemas/A0"}, {"$ref": "#/schemas/B0"}, deep):
        compiled_schema(schema, **twice, **wide)

    assert perf_counter() - started < 3


def test_the_wsdl_is_read_by_zeep_and_its_schema_by_libxml2(tmp_path: Path) -> None:
    offer = compiled()
    text = wsdl_of(offer)
    schema_in(text, tmp_path)
    client = Client(io.BytesIO(text.encode()), settings=Settings(strict=True))  # type: ignore[no-untyped-call]  # zeep has no types
    ports = client.wsdl.services["HoTich"].ports

    assert set(ports) == {"HoTich11", "HoTich12"}
    offered = ports["HoTich12"].binding._operations
    assert set(offered) == {"chiTiet", "danhSach", "ghi", "tuDo", "loiNhan"}
    assert offered["chiTiet"].input.signature() == (
        "so: xsd:string, ngày: xsd:date, truong: xsd:string[], X-Can-Bo: xsd:string, _soapheaders={caller: ns0:Caller}"
    )
    assert "/operations/5/reply/media_type: the message is not JSON" in text
    assert "/schemas/Nguoi/properties/khac/oneOf: several forms are possible" in text


def test_a_reply_promises_less_than_a_request_asks_for() -> None:
    only_asked = an_offered_version(
        [{"name": "ghi", "path": "/ghi", "method": "POST",
          "request": {"required": True, "schema": {"$ref": "#/schemas/Nguoi"}}, "reply": {"schema": {"type": "boolean"}}}],
    )  # fmt: skip
    asked = wsdl_of(compiled(only_asked))
    answered = wsdl_of(compiled())

    assert '<xs:element name="hoTen" type="xs:string">' in asked
    assert '<xs:enumeration value="Nam"/>' in asked
    assert '<xs:element name="ngaySinh" minOccurs="0" type="xs:date"/>' in asked
    assert '<xs:element name="hoTen" minOccurs="0" type="xs:string">' in answered
    assert "<xs:enumeration" not in answered
    assert '<xs:element name="ngaySinh" minOccurs="0" type="c:Date"/>' in answered


def test_only_what_is_named_is_offered_and_names_do_not_collide() -> None:
    operations = [
        {"name": name, "path": f"/{name}", "reply": {"schema": {"type": "string"}}}
        for name in ("tra", "traResponse", "khac")
    ]
    offer = compiled(
        an_offered_version(operations, soap={"operations": ["tra", "traResponse"], "namespace": "urn:rieng"})
    )

    assert offer.namespace == "urn:rieng"
    assert [element for element, _ in offer.messages()] == [
        "tra",
        "traResponse_2",
        "traResponse",
        "traResponseResponse",
    ]


def test_texts_of_the_registry_do_no_harm_in_the_wsdl() -> None:
    operations = [
        {
            "name": "a",
            "path": "/a",
            "title_vi": "<&]]>",
            "reply": {"schema": {"type": "string", "description": "\"'<x/>\u2028"}},
        }
    ]

    assert etree.fromstring(wsdl_of(compiled(an_offered_version(operations))).encode()) is not None


WORDS = st.sampled_from(
    ["type", "properties", "items", "$ref", "enum", "const", "format", "oneOf", "allOf", "required", "nullable",
     "description", "additionalProperties", "prefixItems", "string", "object", "array", "null", "integer", "date",
     "#/schemas/A", "#/schemas/B", "a b", "ổ"],
)  # fmt: skip
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=25,
)
SCHEMA = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "array", "object"])}) | ANY_JSON,
    lambda inner: (
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(WORDS, inner, max_size=4)}
        )
        | st.fixed_dictionaries({"type": st.just("array"), "items": inner})
        | st.fixed_dictionaries({"allOf": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"oneOf": st.lists(inner, max_size=3), "description": ANY_JSON})
    ),
    max_leaves=12,
)


@given(st.fixed_dictionaries({"A": SCHEMA, "B": SCHEMA}), SCHEMA)
def test_whatever_a_schema_says_the_wsdl_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, schemas: Any, schema: Any
) -> None:
    named = {name: one for name, one in schemas.items() if isinstance(one, dict)}
    bodies = {"schema": schema} if isinstance(schema, dict) else {}
    offer = compiled(
        an_offered_version(
            [{"name": "a", "path": "/a", "method": "POST", "request": bodies, "reply": bodies}], schemas=named
        )
    )

    schema_in(wsdl_of(offer), tmp_path_factory.getbasetemp())
