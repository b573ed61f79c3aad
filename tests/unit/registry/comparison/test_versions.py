"""Versions compared as wholes, and for whom a change matters. All of it is invented."""

from typing import Any

import pytest

from registry.comparison.changes import RULES, Change
from registry.comparison.versions import compare
from registry.comparison.whom import Touched, touched
from registry.documents import parse, parse_as
from registry.entities import Grant, Kind, VersionSpec
from tests.factories import a_grant, a_version, an_operation

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "ten": {"type": "string"},
        "con": {"type": "array", "items": {"$ref": "#/schemas/Nguoi"}},
        "diaChi": {"type": "object", "properties": {"tinh": {"type": "string"}, "xa": {"type": "string"}}},
    },
    "required": ["ten"],
}
REPLY: dict[str, Any] = {
    "reply": {"schema": {"type": "object", "properties": {"ketQua": {"$ref": "#/schemas/Nguoi"}}}}
}


def a_spec(*operations: Any, **given: Any) -> VersionSpec:
    return parse_as(VersionSpec, a_version(**{"operations": list(operations)} | given))


def told(old: VersionSpec, new: VersionSpec) -> list[tuple[str, str, str]]:
    return [(one.verdict, one.rule, one.pointer) for one in compare(old, new).changes]


def a_body(schema: Any = None, **given: Any) -> Any:
    return {"schema": schema} | given


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"method": "POST"}, ("breaking", "method-changed", "/operations/0/method")),
        ({}, {"method": "ANY"}, ("compatible", "method-changed", "/operations/0/method")),
        ({"path": "/a/{x}"}, {"path": "/b/{x}"}, ("breaking", "path-changed", "/operations/0/path")),
        ({"path": "/a/{x}"}, {"path": "/a/{y}"}, None),
        ({}, {"name": "khac"}, ("unknown", "operation-renamed", "/operations/0/name")),
        ({}, {"name": "khac", "path": "/khac"}, ("breaking", "operation-removed", "/operations/0")),
        ({}, {"effect": "write"}, ("unknown", "effect-changed", "/operations/0/effect")),
        ({}, {"request": a_body(required=True)}, ("breaking", "body-added", "/operations/0/request")),
        ({}, {"request": a_body()}, ("unknown", "body-added", "/operations/0/request")),
        ({"request": a_body()}, {"request": a_body(required=True)}, ("breaking", "body-required", "/operations/0/request/required")),
        ({"reply": a_body()}, {}, ("breaking", "body-removed", "/operations/0/reply")),
        ({"reply": a_body()}, {"reply": a_body(media_type="text/csv")}, ("breaking", "media-type", "/operations/0/reply/media_type")),
        ({"reply": a_body({})}, {"reply": a_body()}, ("unknown", "not-described", "/operations/0/reply/schema")),
        ({"reply": a_body()}, {"reply": a_body({})}, ("compatible", "described", "/operations/0/reply/schema")),
        ({"request": a_body()}, {"request": a_body({})}, ("unknown", "described", "/operations/0/request/schema")),
    ],
)  # fmt: skip
def test_an_operation_that_is_not_as_it_was(old: Any, new: Any, expected: Any) -> None:
    found = told(a_spec(an_operation() | old), a_spec(an_operation() | new))

    assert (expected in found) if expected else found == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, {"required": True}, ("breaking", "parameter-added")),
        (None, {}, ("compatible", "parameter-added")),
        ({}, None, ("unknown", "parameter-removed")),
        ({}, {"required": True}, ("breaking", "parameter-required")),
        ({"required": True}, {}, ("compatible", "parameter-optional")),
        ({"schema": {"type": "string"}}, {"schema": {"type": "integer"}}, ("breaking", "type")),
        ({"at": "header", "name": "X-A"}, {"at": "header", "name": "x-a"}, None),
    ],
)
def test_parameters_are_compared(old: Any, new: Any, expected: Any) -> None:
    specs = [
        a_spec(an_operation(parameters=[] if one is None else [{"name": "q", "at": "query"} | one]))
        for one in (old, new)
    ]

    assert [(verdict, rule) for verdict, rule, _ in told(*specs)] == ([expected] if expected else [])


def test_the_version_itself_is_compared() -> None:
    old = a_spec(an_operation(), max_body_bytes=10, envelope=["Status"], officer_at="header:A", soap={})
    new = a_spec(
        an_operation(), max_body_bytes=5, endpoints={"sandbox": {"connector": "echo"}}, checks={"request": "enforce", "reply": "shadow"}
    )  # fmt: skip

    assert {(verdict, rule) for verdict, rule, _ in told(old, new)} == {
        ("breaking", "environment-removed"), ("breaking", "body-limit"), ("unknown", "envelope"), ("unknown", "place"),
        ("unknown", "checks"), ("compatible", "checks"), ("unknown", "soap-removed"),
    }  # fmt: skip


# --- for whom -------------------------------------------------------------------------------------------


def concerned(old: VersionSpec, new: VersionSpec, **grant: Any) -> Touched:
    parsed = parse(Kind.GRANT, a_grant(**grant))
    assert isinstance(parsed, Grant)
    return touched(compare(old, new), "g", parsed)


def places(found: Touched) -> set[str]:
    return {".".join(one.field or ()) for one in found.changes if one.verdict == "breaking"}


def without(*path: str) -> dict[str, Any]:
    """Return the person without one of its fields."""
    properties = {name: inner for name, inner in PERSON["properties"].items() if name != path[0]}
    if len(path) > 1:
        inner = PERSON["properties"][path[0]]
        kept = {name: one for name, one in inner["properties"].items() if name != path[1]}
        properties[path[0]] = inner | {"properties": kept}
    return PERSON | {"properties": properties}


OLD = a_spec(an_operation(**REPLY), schemas={"Nguoi": PERSON})


@pytest.mark.parametrize(
    ("gone", "fields", "broken"),
    [
        (("diaChi", "xa"), None, {"ketQua.diaChi.xa"}),
        (("diaChi", "xa"), ["ketQua.diaChi.xa"], {"ketQua.diaChi.xa"}),
        (("diaChi", "xa"), ["ketQua.diaChi.tinh"], set()),
        (("diaChi", "xa"), ["ketQua.diaChi.*"], {"ketQua.diaChi.xa"}),
        (("diaChi", "xa"), ["*"], {"ketQua.diaChi.xa"}),
        (("diaChi", "xa"), ["ketQua.con.con.diaChi.xa"], {"ketQua.con.con.diaChi.xa"}),
        (("diaChi",), ["ketQua.diaChi.tinh", "ketQua.ten"], {"ketQua.diaChi"}),
        (("ten",), ["ketQua.con[].ten"], {"ketQua.con.ten"}),
        (("ten",), ["ketQua.khong"], set()),
    ],
)
def test_a_field_that_vanishes_breaks_those_who_may_have_it(gone: Any, fields: Any, broken: set[str]) -> None:
    new = a_spec(an_operation(**REPLY), schemas={"Nguoi": without(*gone)})

    found = concerned(OLD, new, **({} if fields is None else {"fields": {"*": fields}}))

    assert places(found) == broken
    assert found.verdict == ("breaking" if broken else "compatible")


def test_a_field_that_is_new_concerns_nobody_who_names_fields() -> None:
    new = a_spec(
        an_operation(**REPLY), schemas={"Nguoi": PERSON | {"properties": PERSON["properties"] | {"moi": {}}}}
    )

    assert concerned(OLD, new, fields={"*": ["ketQua.ten"]}).changes == ()
    assert [one.rule for one in concerned(OLD, new).changes] == ["property-added"]


def test_a_field_that_may_be_missing_now_is_told() -> None:
    new = a_spec(an_operation(**REPLY), schemas={"Nguoi": {**PERSON, "required": []}})

    assert places(concerned(OLD, new, fields={"*": ["ketQua.con.ten"]})) == {"ketQua.con.ten"}
    assert places(concerned(OLD, new, fields={"*": ["ketQua.diaChi.tinh"]})) == set()


A: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
NUMBER: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
OTHER: dict[str, Any] = {"type": "object", "properties": {"b": {"type": "string"}}}
TRUTH: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (A, {"type": "array", "items": A}, "breaking"),
        ({"type": "array", "items": A}, {"type": "array", "items": A, "minItems": 1}, "compatible"),
        (A, A | {"type": ["object", "null"]}, "breaking"),
        (A | {"type": ["object", "null"]}, A, "compatible"),
        (A, {"anyOf": [A, {"type": "null"}]}, "breaking"),
        ({"anyOf": [A, {"type": "null"}]}, A | {"type": ["null", "object"]}, "compatible"),
        ({"anyOf": [A, NUMBER]}, {"anyOf": [A, TRUTH]}, "breaking"),
        ({"anyOf": [A, NUMBER]}, {"anyOf": [NUMBER, A]}, "compatible"),
        ({"anyOf": [A, OTHER]}, {"anyOf": [OTHER]}, "breaking"),
        (A, {"anyOf": [A, OTHER]}, "breaking"),
        ({"type": "array", "prefixItems": [A], "items": False}, {"type": "array", "prefixItems": [NUMBER]}, "breaking"),
        ({"type": "array"}, {"type": "array", "items": A}, "compatible"),
        ({"type": "array"}, {}, "breaking"),
        ({"anyOf": [{"not": {}}, A]}, {"anyOf": [{}, A]}, "unknown"),
        ({"properties": {"a": {}}}, {"type": "array", "items": {"properties": {"a": {}}}}, "compatible"),
    ],
)  # fmt: skip
def test_what_holds_a_field_is_watched_for_those_who_name_it(old: Any, new: Any, verdict: str) -> None:
    specs = [a_spec(an_operation(reply=a_body({"properties": {"kq": one}}))) for one in (old, new)]

    assert concerned(*specs, fields={"*": ["kq.a"]}).verdict == verdict


def test_forms_that_multiply_end() -> None:
    many = {"anyOf": [{"properties": {f"q{n}": {"$ref": "#/schemas/M"}}} for n in range(30)]}
    loop = {
        "anyOf": [
            {"$ref": "#/schemas/M"},
            *({"type": "array", "items": {"$ref": "#/schemas/M"}, "minItems": n} for n in range(30)),
        ]
    }
    for one in (many, loop):
        old = a_spec(an_operation(reply=a_body({"$ref": "#/schemas/M"})), schemas={"M": one})
        new = a_spec(
            an_operation(reply=a_body({"$ref": "#/schemas/M"})), schemas={"M": {"anyOf": [*one["anyOf"], A]}}
        )

        assert concerned(old, new, fields={"*": ["q1.q2.q3.q4.a", "a"]}).verdict in ("unknown", "compatible")


def test_fields_of_the_envelope_concern_everybody() -> None:
    with_status = A | {"properties": A["properties"] | {"Status": {"type": "string"}}}
    old, new = (a_spec(an_operation(reply=a_body(one)), envelope=["Status"]) for one in (with_status, A))

    assert places(concerned(old, new, fields={"*": ["a"]})) == {"Status"}


def test_what_is_not_looked_at_to_its_end_is_unknown_to_everybody() -> None:
    whole = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(100)}}
    old = a_spec(an_operation(reply=a_body({"properties": {"kq": whole}})))
    new = a_spec(an_operation(reply=a_body({"properties": {"kq": whole | {"minProperties": 1}}})))
    made = compare(old, new)
    made.schemas.left = 0

    for path in ("kq.*", "kq.p1"):
        grant = parse(Kind.GRANT, a_grant(fields={"*": [path]}))
        assert isinstance(grant, Grant)
        assert touched(made, "g", grant).verdict == ("unknown" if path == "kq.*" else "compatible")


def test_requests_concern_everybody_who_may_ask() -> None:
    old = a_spec(an_operation(), an_operation("khac", "/khac"))
    new = a_spec(an_operation(request=a_body(required=True)), an_operation("khac", "/khac"))

    assert concerned(old, new, operations=["khac"]).changes == ()
    assert concerned(old, new, operations=["chiTiet"]).verdict == "breaking"
    assert concerned(old, new, fields={"*": ["ten"]}).verdict == "breaking"


def test_a_new_name_breaks_those_whose_grants_name_the_old_one() -> None:
    old, new = a_spec(an_operation()), a_spec(an_operation("khac"))

    assert concerned(old, new, operations=["chiTiet"]).verdict == "breaking"
    assert concerned(old, new).verdict == "unknown"


def test_an_environment_concerns_those_who_call_in_it() -> None:
    new = a_spec(an_operation(), endpoints={"sandbox": {"connector": "echo"}})

    assert concerned(a_spec(an_operation()), new, environments=["sandbox"]).changes == ()
    assert concerned(a_spec(an_operation()), new).verdict == "breaking"


def test_every_rule_has_its_words() -> None:
    assert all(words.vi and words.en for words in RULES.values())
    assert Change(verdict="unknown", rule="type", way="reply", pointer="").field is None
