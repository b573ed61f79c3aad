"""The `mock` connector: answers by a description, the same for the same question, and faults on demand."""

import asyncio
import time
from typing import Any, cast

import jsonschema_rs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from connectors.builtin.mock.connector import MockConnector
from connectors.builtin.mock.people import Register, household, person
from connectors.builtin.mock.places import PROVINCES
from connectors.builtin.mock.settings import MockSettings
from connectors.contract import Busy, Call, Done, HTTPClient, Result, Unknown, Unreachable
from connectors.errors import SettingsRefused
from connectors.message import Headers
from tests.connectors import a_call, a_context
from tests.stalls import watched_loop

HTTP = cast("HTTPClient", None)
PERSON = {
    "type": "object",
    "properties": {
        "soDinhDanh": {"type": "string", "pattern": "^[0-9]{12}$"},
        "hoTen": {"type": "string"},
        "ngaySinh": {"type": "string", "format": "date"},
        "gioiTinh": {"type": "string", "enum": ["Nam", "Nữ"]},
        "diaChi": {"type": ["string", "null"]},
        "soCon": {"type": "integer", "minimum": 0, "maximum": 3},
        "conSong": {"type": "boolean"},
        "me": {"$ref": "#/components/schemas/Nguoi"},
        "con": {"type": "array", "items": {"$ref": "#/components/schemas/Nguoi"}, "maxItems": 2},
    },
}


def described(content: dict[str, Any], *, version: str = "3.1.0", status: str = "200") -> dict[str, Any]:
    answer = {"description": "ok", "content": {"application/json": content}}
    return {
        "openapi": version,
        "info": {"title": "Tra cứu (giả lập)", "version": "1"},
        "paths": {
            "/cong-dan/{soDinhDanh}": {
                "get": {"operationId": "traCuu", "responses": {"404": {"description": "no"}, status: answer}},
                "delete": {"responses": {"204": {"description": "gone"}}},
            }
        },
        "components": {"schemas": {"Nguoi": PERSON}},
    }


BY_SCHEMA = described({"schema": {"$ref": "#/components/schemas/Nguoi"}})


def mocking(description: dict[str, Any] = BY_SCHEMA, **given: Any) -> MockConnector:
    return MockConnector(MockSettings.model_validate({"description": description} | given), a_context(HTTP))


def ask(so: str = "999000000001", *, headers: Headers | None = None, **given: Any) -> Call:
    return a_call(path=f"/cong-dan/{so}", headers=headers, **given)


def document(result: Result) -> Any:
    assert isinstance(result, Done), result
    assert isinstance(result.reply.body, bytes)
    return orjson.loads(result.reply.body)


async def test_invented_people_are_plausible_and_repeat_the_question() -> None:
    person = document(await mocking().call(ask("999000000001")))

    assert person["soDinhDanh"] == "999000000001"
    assert len(person["hoTen"].split()) == 3
    assert person["gioiTinh"] in ("Nam", "Nữ")
    assert person["ngaySinh"][4] == "-"
    assert 0 <= person["soCon"] <= 3
    assert person["me"]["soDinhDanh"] == "999000000001" or person["me"]["soDinhDanh"].startswith("9")


async def test_the_same_question_gets_the_same_answer_and_another_another() -> None:
    first, second = mocking(), mocking()
    other_seed = mocking(seed="khác")

    answers = [document(await it.call(ask())) for it in (first, second, first)]

    assert answers[0] == answers[1] == answers[2]
    assert document(await first.call(ask("999000000002"))) != answers[0]
    assert document(await other_seed.call(ask())) != answers[0]


async def test_described_examples_come_first() -> None:
    content = {
        "schema": PERSON,
        "examples": {"mot": {"value": {"hoTen": "Ví Dụ Một"}}, "hai": {"value": {"hoTen": "Ví Dụ Hai"}}},
    }
    connector = mocking(described(content))
    chosen = ask(sandbox=True, headers=[(b"mock-example", b"hai")])

    assert document(await connector.call(ask())) == {"hoTen": "Ví Dụ Một"}
    assert document(await connector.call(chosen)) == {"hoTen": "Ví Dụ Hai"}
    assert document(await mocking(described(content), prefer="invented").call(ask()))["conSong"] in (
        True,
        False,
    )


async def test_the_service_may_have_another_path_than_the_description() -> None:
    call = a_call(path="/tra/cuu/999000000007", operation="tra-cuu-moi")
    call.template = "/tra/cuu/{soDinhDanh}"
    connector = mocking(operations={"tra-cuu-moi": "traCuu"})

    assert document(await connector.call(call))["soDinhDanh"] == "999000000007"


async def test_an_answer_without_content_has_none_and_an_unknown_path_is_not_found() -> None:
    connector = mocking()
    removed = await connector.call(ask(method="DELETE", operation="xoa"))
    unknown = await connector.call(a_call(path="/khac", operation="khac"))

    assert isinstance(removed, Done)
    assert (removed.status, removed.reply.body) == (204, b"")
    assert isinstance(unknown, Done)
    assert unknown.status == 404


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("unreachable", Unreachable(reason="refused")),
        ("cut", Unknown(reason="cut")),
        ("rubbish", Unknown(reason="rubbish", rubbish=True)),
        ("timeout", Unknown(reason="timeout")),
        ("busy", Busy(after=1.0)),
    ],
)
async def test_faults_are_ordered_by_header_in_the_sandbox_only(fault: str, expected: Result) -> None:
    headers = [(b"mock-fault", fault.encode())]
    connector = mocking()

    assert await connector.call(ask(sandbox=True, headers=headers, seconds=0.2)) == expected
    assert isinstance(await connector.call(ask(sandbox=False, headers=headers)), Done)
    off = mocking(headers_in_sandbox=False)
    assert isinstance(await off.call(ask(sandbox=True, headers=headers)), Done)


async def test_a_status_and_a_delay_are_ordered_by_header() -> None:
    started = time.monotonic()
    result = await mocking().call(
        ask(sandbox=True, headers=[(b"mock-fault", b"503"), (b"mock-delay", b"0.1")])
    )

    assert isinstance(result, Done)
    assert result.status == 503
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize("value", [b"", b"-1", b"1e9", b"nan", b"inf", b"99999", b"\xb2", b"1.2.3", b"x"])
async def test_odd_orders_are_not_followed(value: bytes) -> None:
    headers = [(b"mock-delay", value), (b"mock-fault", value), (b"mock-example", value)]
    async with asyncio.timeout(1):
        result = await mocking().call(ask(sandbox=True, headers=headers, seconds=0.1))

    assert isinstance(result, Done | Unknown)


async def test_faults_come_by_schedule() -> None:
    connector = mocking(schedule=[{"fault": "500", "every": 3}, {"fault": "cut", "operations": ["khac"]}])
    results = [await connector.call(ask()) for _ in range(6)]

    assert [it.status for it in results if isinstance(it, Done)] == [200, 200, 500, 200, 200, 500]


async def test_a_schedule_keeps_vietnamese_time() -> None:
    now = time.gmtime(time.time() + 7 * 3600)
    here, elsewhere = f"{now.tm_hour:02}:00", f"{(now.tm_hour + 2) % 24:02}:00"
    within = [{"fault": "busy", "daily_from": here, "daily_until": elsewhere}]
    without = [{"fault": "busy", "daily_from": elsewhere, "daily_until": here}]

    assert isinstance(await mocking(schedule=within).call(ask()), Busy)
    assert isinstance(await mocking(schedule=without).call(ask()), Done)


@pytest.mark.parametrize(
    "description",
    [
        {
            "openapi": "3.1.0",
            "paths": {"/a": {"get": {"responses": {"200": {"$ref": "https://x.invalid/a"}}}}},
        },
        {"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {"200": {"$ref": "#/b"}}}}}},
        {"openapi": "3.1.0", "paths": {"/a": {"$ref": "#/paths/~1a"}}},
        {"openapi": "3.1.0", "paths": {"/a": 1}},
        {
            "openapi": "3.1.0",
            "paths": {
                "/a": {"get": {"responses": {"200": {"content": {"text/plain; a=/json\r\nx: 1": {}}}}}}
            },
        },
        {"openapi": "3.1.0", "paths": {"/a": {"get": []}}},
    ],
)
def test_a_description_that_leads_nowhere_is_refused_by_name(description: dict[str, Any]) -> None:
    with pytest.raises(SettingsRefused, match="/description"):
        mocking(description)


@pytest.mark.parametrize("description", [{"swagger": "2.0", "paths": {}}, {"openapi": "3.1.0"}, {}])
def test_what_is_not_openapi_3_is_refused(description: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="description"):
        MockSettings.model_validate({"description": description})


async def test_a_schema_that_grows_without_end_is_bounded() -> None:
    schema = {
        "type": "object",
        "properties": {f"a{n}": {"$ref": "#/components/schemas/X"} for n in range(50)},
    }
    description = described({"schema": {"$ref": "#/components/schemas/X"}})
    description["components"]["schemas"]["X"] = schema
    started = time.monotonic()
    await mocking(description).call(ask())

    assert time.monotonic() - started < 1.0


async def test_inventing_from_a_large_description_does_not_hold_up_the_loop() -> None:
    reference = {"$ref": "#/components/schemas/X"}
    schema = {"type": "object", "allOf": [{"properties": {f"a{n}": reference for n in range(60)}}]}
    description = described({"schema": reference})
    description["components"]["schemas"] |= {"X": schema, "Y": {"description": "dài" * 20_000}}
    connector = mocking(description)
    await connector.open()
    async with watched_loop() as gaps:
        result = await connector.call(ask(seconds=10))

    assert isinstance(result, Done)
    assert len(gaps) > 10
    assert sorted(gaps)[-3] < 0.1


SCHEMAS = st.recursive(
    st.sampled_from(["string", "integer", "number", "boolean", "null", 7, None, ["string", "null"]]).map(
        lambda kind: {"type": kind}
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner, "minItems": st.integers(-1, 3)}),
        st.dictionaries(st.text(max_size=5), inner, max_size=3).map(
            lambda members: {"type": "object", "properties": members}
        ),
        st.lists(inner, max_size=2).map(lambda parts: {"allOf": parts}),
        st.lists(inner, max_size=2).map(lambda parts: {"oneOf": parts}),
    ),
    max_leaves=10,
)


@given(SCHEMAS)
def test_whatever_the_schema_there_is_a_result(schema: dict[str, Any]) -> None:
    result = asyncio.run(mocking(described({"schema": schema}, version="3.0.3")).call(ask()))

    assert isinstance(result, Done | Unknown)


async def test_openapi_3_0_is_read_as_well() -> None:
    schema = {"type": "object", "properties": {"hoTen": {"type": "string", "nullable": True}}}

    assert document(await mocking(described({"schema": schema}, version="3.0.3", status="201")).call(ask()))[
        "hoTen"
    ]


# --- who is invented -----------------------------------------------------------------------------------------

REGISTER = Register("2026", 20)
NUMBERS = list(REGISTER.numbers())
FORMS = {
    "type": "object",
    "properties": {
        "SO_DINH_DANH": {"type": "string"},
        "hoTen": {"type": "string"},
        "ngaySinh": {"type": "string", "pattern": "^[0-9]{8}$"},
        "birthDate": {"type": "string", "pattern": "^[0-9]{2}/[0-9]{2}/[0-9]{4}$"},
        "namSinh": {"type": "string", "pattern": "^[0-9]{4}$"},
        "gioiTinh": {"type": "integer", "enum": [1, 2, 3]},
        "genderId": {"type": "string", "enum": ["1", "0"]},
        "gender": {"type": "string"},
        "maSoBhxh": {"type": "string"},
        "soCMND": {"type": "string"},
        "cha": {
            "type": "object",
            "properties": {"hoTen": {"type": "string"}, "gioiTinh": {"type": "string"}},
        },
        "nguoiTrongHo": {
            "type": "array",
            "maxItems": 5,
            "items": {
                "type": "object",
                "properties": {"soDinhDanh": {"type": "string"}, "hoTen": {"type": "string"}},
            },
        },
    },
}


def registered(schema: dict[str, Any] = FORMS, **content: Any) -> MockConnector:
    return mocking(described({"schema": schema} | content), seed="2026", households=20)


@pytest.mark.parametrize("number", NUMBERS[::7])
async def test_a_person_is_written_in_every_form_of_the_field(number: str) -> None:
    known = person("2026", number)
    found = document(await registered().call(ask(number)))

    assert (found["SO_DINH_DANH"], found["maSoBhxh"], found["soCMND"]) == (number, number[2:], number[3:])
    assert found["hoTen"] == known.name
    assert (found["ngaySinh"], found["birthDate"]) == (f"{known.born:%Y%m%d}", f"{known.born:%d/%m/%Y}")
    assert found["namSinh"] == str(known.born.year)
    sexes = (2, "0", "Nữ") if known.woman else (1, "1", "Nam")
    assert (found["gioiTinh"], found["genderId"], found["gender"]) == sexes
    assert found["cha"]["gioiTinh"] == "Nam"
    assert found["cha"]["hoTen"].split()[0] == known.family
    assert {it["soDinhDanh"] for it in found["nguoiTrongHo"]} == {
        it.number for it in household("2026", number)
    }


@pytest.mark.parametrize(
    "asked", ["999999999999", "001080000001", "99999000001", "12", "9" * 40, "９９９９９００００１００"]
)
async def test_nobody_is_found_outside_the_register(asked: str) -> None:
    example = {"khong-co": {"value": {"found": False}, "x-mock-when": {"nobody": True}}}

    assert document(await registered(examples=example).call(ask(asked))) == {"found": False}
    result = await registered().call(ask(asked))
    assert isinstance(result, Done)
    assert result.status == 404


def test_registers_hold_whom_they_name_and_nobody_else() -> None:
    assert all(REGISTER.has_person(number) for number in NUMBERS)
    assert len(set(NUMBERS)) == len(NUMBERS)
    assert all(number.startswith("99999") and len(number) == 12 for number in NUMBERS)
    assert REGISTER.has_enterprise(REGISTER.enterprise_number(20))
    assert not REGISTER.has_enterprise(REGISTER.enterprise_number(21))
    provinces = {person("2026", number).province for number in NUMBERS}
    assert provinces <= set(PROVINCES)
    assert len(PROVINCES) == 34


@given(st.text(max_size=20))
def test_whatever_is_asked_there_is_a_result(asked: str) -> None:
    body = orjson.dumps({"soDinhDanh": asked, "hoTen": asked, "ngaySinh": asked, "msdn": asked})
    for connector in (registered(), mocking(described({"schema": FORMS}))):
        call = a_call(method="GET", path="/cong-dan/x", body=body, operation="traCuu")
        assert isinstance(asyncio.run(connector.call(call)), Done)


# --- described cases -----------------------------------------------------------------------------------------

CASES = {
    "sai": {
        "x-mock-when": {
            "asked": {"not": {"required": ["tu"], "properties": {"tu": {"pattern": "^[0-9]{2}/"}}}}
        },
        "value": {"Status": "0"},
    },
    "dai": {"x-mock-when": {"span": {"from": "tu", "to": "den", "days": 5}}, "value": {"Status": "dài"}},
}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", "0"),
        ("tu=2026-01-01&den=2026-01-02", "0"),
        ("tu=01/01/2026&den=06/01/2026", "1"),
        ("tu=01/01/2026&den=07/01/2026", "dài"),
        ("tu=02/01/2026&den=01/01/2026", "dài"),
        ("tu=01/01/2026", "dài"),
        ("tu=31/02/2026&den=01/03/2026", "dài"),
    ],
)
async def test_the_first_case_that_holds_is_the_answer(query: str, status: str) -> None:
    schema = {"type": "object", "properties": {"Status": {"const": "1"}}}
    connector = mocking(described({"schema": schema, "examples": CASES}))

    assert document(await connector.call(ask(query=query)))["Status"] == status


async def test_a_case_may_have_another_status() -> None:
    description = described({"schema": PERSON})
    missing = {
        "value": {"title": "không có"},
        "x-mock-when": {"asked": {"properties": {"soDinhDanh": {"const": "1"}}}},
    }
    responses = description["paths"]["/cong-dan/{soDinhDanh}"]["get"]["responses"]
    responses["404"] = {"content": {"application/problem+json": {"examples": {"khong-co": missing}}}}
    result = await mocking(description).call(ask("1"))

    assert isinstance(result, Done)
    assert (result.status, result.reply.media_type) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "when",
    [
        {},
        {"khac": 1},
        {"nobody": "có"},
        {"asked": 1},
        {"asked": {"type": "khong-co"}},
        {"asked": {"$ref": "https://x.invalid/schema.json"}},
        {"asked": {"$ref": "file:///etc/passwd"}},
        {"asked": {"pattern": "("}},
        {"asked": {"pattern": "^(?=a)"}},
        {"span": {"from": "a"}},
        {"span": {"from": "a", "to": "b", "days": "x"}},
        1,
    ],
)
def test_a_case_that_makes_no_sense_is_refused_by_name(when: Any) -> None:
    content = {"schema": PERSON, "examples": {"mot": {"value": {}, "x-mock-when": when}}}
    with pytest.raises(SettingsRefused, match="/description"):
        mocking(described(content))


async def test_patterns_take_no_time() -> None:
    case = {
        "value": {},
        "x-mock-when": {"asked": {"properties": {"a": {"pattern": "^(a+)+$"}}, "required": ["a"]}},
    }
    connector = mocking(described({"schema": PERSON, "examples": {"mot": case}}))
    started = time.monotonic()
    await connector.call(ask(query="a=" + "a" * 5000 + "!"))

    assert time.monotonic() - started < 0.5


# --- whatever the schema, answers are valid by it: another library is the judge --------------------------------

MEMBERS = [
    "hoTen",
    "ngaySinh",
    "gioiTinh",
    "soDinhDanh",
    "maSoBhxh",
    "cha",
    "con",
    "diaChi",
    "ma",
    "msdn",
    "soTien",
]
LEAVES = st.one_of(
    st.sampled_from(
        [
            {"type": "string"}, {"type": "boolean"}, {"type": "integer"}, {"type": "number"}, {"type": "null"},
            {"type": "string", "enum": ["Nam", "Nữ"]}, {"type": "integer", "enum": [1, 2, 3]}, {"enum": ["a", 1, None]},
            {"type": "string", "pattern": "^[0-9]{8}$"}, {"type": "string", "pattern": "^\\d{12}$"},
            {"type": "string", "minLength": 3, "maxLength": 5}, {"type": "string", "minLength": 30},
            {"type": ["string", "null"], "maxLength": 2}, {"const": {"a": 1}}, {"type": "string", "format": "uuid"},
            {"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}, {"type": "string", "format": "email"},
            {"type": "number", "multipleOf": 1}, {"type": "integer", "minimum": -9, "maximum": -3}, {"type": "integer", "maximum": 5},
            {"type": "number", "minimum": 0.5, "maximum": 0.75}, {"$ref": "#/components/schemas/Nguoi"},
        ]
    ),
)  # fmt: skip
FITTING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.integers(0, 3), st.integers(3, 9)).map(
            lambda it: {"type": "array", "items": it[0], "minItems": it[1], "maxItems": it[2]}
        ),
        st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4).map(
            lambda members: {"type": "object", "properties": members, "required": sorted(members)}
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(FITTING, st.sampled_from([0, 20]))
def test_answers_are_valid_by_their_own_schema(schema: dict[str, Any], households: int) -> None:
    description = described({"schema": schema})
    connector = mocking(description, seed="2026", households=households)
    answer = document(asyncio.run(connector.call(ask(NUMBERS[0] if households else "1"))))
    judged = schema | {"components": description["components"]}

    jsonschema_rs.Draft202012Validator(judged, validate_formats=True).validate(answer)


# --- XML -----------------------------------------------------------------------------------------------------

EXTRACT = {
    "type": "object",
    "xml": {"name": "khaiSinh", "namespace": "urn:gia-lap"},
    "properties": {
        "hoTen": {"type": "string"},
        "so": {"type": "string", "const": "1<2", "xml": {"attribute": True}},
        "con": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "string", "const": "A & B"}},
    },
}


async def test_xml_inside_json() -> None:
    inner = {"type": "string", "contentMediaType": "application/xml", "contentSchema": EXTRACT}
    connector = registered({"type": "object", "properties": {"data": inner}})
    root = etree.fromstring(document(await connector.call(ask(NUMBERS[0])))["data"])

    assert root.tag == "{urn:gia-lap}khaiSinh"
    assert root.get("so") == "1<2"
    assert root.findtext("{urn:gia-lap}hoTen") == person("2026", NUMBERS[0]).name
    assert [it.text for it in root.iterfind("{urn:gia-lap}con")] == ["A & B"] * 2


async def test_xml_answers() -> None:
    description = described({"schema": EXTRACT})
    answer = description["paths"]["/cong-dan/{soDinhDanh}"]["get"]["responses"]["200"]
    answer["content"] = {"application/xml": answer["content"]["application/json"]}
    result = await mocking(description).call(ask())

    assert isinstance(result, Done)
    assert isinstance(result.reply.body, bytes)
    assert etree.fromstring(result.reply.body).tag == "{urn:gia-lap}khaiSinh"
