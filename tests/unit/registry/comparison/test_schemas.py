"""Schemas compared: what is reported, and (generated) that what is called compatible is so."""

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.comparison.changes import Change, Way
from registry.comparison.schemas import At, Pair, SchemaComparison
from registry.contract_schemas import whole_schema

OPEN: dict[str, Any] = {"type": "object"}


def compared(old: Any, new: Any, way: Way = "request", before: Any = None, after: Any = None) -> list[Change]:
    pair = Pair(before or {}, before or {} if after is None else after)
    return list(SchemaComparison(pair, "x", way).compare(old, new, At("", ())))


def told(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(one.verdict, one.rule, one.pointer) for one in changes]


def an_object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties} | ({"required": list(required)} if required else {})


TEXT: dict[str, Any] = {"type": "string"}
A_NUMBER: dict[str, Any] = {"type": "number"}
AN_INTEGER: dict[str, Any] = {"type": "integer"}
LONG: dict[str, Any] = {"type": "string", "maxLength": 10}
SHORT: dict[str, Any] = {"type": "string", "maxLength": 5}


@pytest.mark.parametrize(
    ("old", "new", "rule", "asked", "answered", "pointer"),
    [
        (
            an_object(a=TEXT),
            an_object(("a",), a=TEXT),
            "required-added",
            "breaking",
            "compatible",
            "/properties/a",
        ),
        (
            an_object(("a",), a=TEXT),
            an_object(a=TEXT),
            "required-removed",
            "compatible",
            "breaking",
            "/properties/a",
        ),
        (an_object(a=TEXT), an_object(), "property-removed", "compatible", "breaking", "/properties/a"),
        (an_object(), an_object(a=TEXT), "property-added", "compatible", "compatible", "/properties/a"),
        (AN_INTEGER, A_NUMBER, "type", "compatible", "breaking", ""),
        (A_NUMBER, AN_INTEGER, "type", "breaking", "compatible", ""),
        (TEXT, AN_INTEGER, "type", "breaking", "breaking", ""),
        (TEXT, {"type": ["string", "null"]}, "type", "compatible", "breaking", ""),
        (LONG, SHORT, "limit", "breaking", "compatible", ""),
        (SHORT, TEXT, "limit", "compatible", "breaking", ""),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, "enum", "compatible", "breaking", ""),
        ({"enum": ["a", "b"]}, {"const": "a"}, "enum", "breaking", "compatible", ""),
        ({"enum": ["a"]}, {"enum": ["b"]}, "enum", "breaking", "breaking", ""),
        ({"type": "string", "enum": ["a"]}, TEXT, "enum", "compatible", "breaking", ""),
        (
            {"minimum": 1, **AN_INTEGER},
            {"exclusiveMinimum": 1, **AN_INTEGER},
            "limit",
            "breaking",
            "compatible",
            "",
        ),
        (
            {"multipleOf": 2, **AN_INTEGER},
            {"multipleOf": 4, **AN_INTEGER},
            "limit",
            "breaking",
            "compatible",
            "",
        ),
        (TEXT, {**TEXT, "pattern": "^a"}, "pattern", "breaking", "compatible", ""),
        ({**TEXT, "format": "date"}, {**TEXT, "format": "date-time"}, "format", "unknown", "unknown", ""),
        (OPEN, OPEN | {"additionalProperties": False}, "properties-closed", "breaking", "compatible", ""),
        (OPEN | {"additionalProperties": False}, OPEN, "properties-opened", "compatible", "unknown", ""),
        ({"not": TEXT}, {}, "constraint", "compatible", "breaking", ""),
        (
            {"type": "array", "items": TEXT},
            {"type": "array", "items": SHORT},
            "limit",
            "breaking",
            "compatible",
            "/items",
        ),
        ({"anyOf": [TEXT, AN_INTEGER]}, {"anyOf": [TEXT]}, "variants", "breaking", "compatible", "/anyOf"),
    ],
)
def test_a_change_is_judged_by_its_direction(
    old: Any, new: Any, rule: str, asked: str, answered: str, pointer: str
) -> None:
    for way, verdict in (("request", asked), ("reply", answered)):
        found = compared(old, new, way)  # type: ignore[arg-type]  # one of the two ways
        assert {one.verdict for one in found} == {verdict}
        assert told(found) == [(verdict, rule, pointer)] or verdict == "compatible"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TEXT, TEXT | {"description": "khác", "title": "t", "examples": ["a"]}),
        ({"type": ["string"]}, TEXT),
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["b", "a"]}),
        ({"const": 1}, {"enum": [1.0]}),
        (an_object(a=TEXT, b=TEXT), {"allOf": [an_object(a=TEXT), an_object(b=TEXT)], "type": "object"}),
        ({"type": ["string", "null"]}, {"anyOf": [TEXT, {"type": "null"}]}),
        (an_object(a={"anyOf": [TEXT, {"type": "null"}]}), an_object(a={"oneOf": [{"type": "null"}, TEXT]})),
        ({"type": "integer", "maxLength": 3}, AN_INTEGER),
        (True, {}),
    ],
)
def test_the_same_in_other_words_is_no_change(old: Any, new: Any) -> None:
    ways: tuple[Way, Way] = ("request", "reply")
    for way in ways:
        assert [one for one in compared(old, new, way) if one.verdict != "compatible"] == []


def test_shared_schemas_are_followed_and_loops_end() -> None:
    person = an_object(
        ten=TEXT, con={"type": "array", "items": {"$ref": "#/schemas/P"}}, cha={"$ref": "#/schemas/P"}
    )
    other = person | {"required": ["ten"]}
    start = {"$ref": "#/schemas/P"}

    found = compared(start, start, "request", {"P": person, "Q": TEXT}, {"P": other})

    assert told(found) == [("breaking", "required-added", "/properties/ten")]
    assert compared(start, start, "request", {"P": person, "Q": TEXT}, {"P": person}) == []
    renamed = {
        "P2": {
            **person,
            "properties": {
                **person["properties"],
                "cha": {"$ref": "#/schemas/P2"},
                "con": {"type": "array", "items": {"$ref": "#/schemas/P2"}},
            },
        }
    }
    assert compared(start, {"$ref": "#/schemas/P2"}, "reply", {"P": person}, renamed) == []


@pytest.mark.parametrize("beside", [{"description": "chính nó"}, {"maxLength": 3}])
def test_loops_through_references_with_something_beside_end(beside: Any) -> None:
    old = an_object(ten=TEXT, con={"$ref": "#/schemas/P"} | beside, chau={"allOf": [{"$ref": "#/schemas/P"}]})
    new = old | {"required": ["ten"]}

    found = compared({"$ref": "#/schemas/P"}, {"$ref": "#/schemas/P"}, "request", {"P": old}, {"P": new})

    assert {one.verdict for one in found} == {"breaking"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"contains": False, "minContains": 0}, {"contains": False}),
        (
            {"unevaluatedProperties": False, "allOf": [{"additionalProperties": True}]},
            {"unevaluatedProperties": False},
        ),
        (
            {"properties": {}, "unevaluatedProperties": False, "additionalProperties": {}},
            {"properties": {}, "unevaluatedProperties": False},
        ),
        ({}, {"oneOf": [{}, {"type": "null"}]}),
        ({"items": TEXT, "unevaluatedItems": False}, {"unevaluatedItems": False}),
        ({"patternProperties": {"^a": TEXT}, "additionalProperties": False}, {"additionalProperties": False}),
    ],
)
def test_what_looks_wider_and_is_not_is_never_called_compatible(old: Any, new: Any) -> None:
    assert {one.verdict for one in compared(old, new)} - {"compatible"}


def test_forms_of_which_exactly_one_must_fit_are_never_called_safe() -> None:
    old = {"oneOf": [an_object(("a",), a=TEXT), an_object(("b",), b=TEXT)]}
    new = {"oneOf": [an_object(a=TEXT), an_object(("b",), b=TEXT)]}

    assert {one.verdict for one in compared(old, new)} == {"unknown"}


def test_what_is_large_ends() -> None:
    old = {
        f"S{n}": an_object((), **{f"p{k}": {"$ref": f"#/schemas/S{(n * 7 + k) % 2000}"} for k in range(30)})
        for n in range(2000)
    }
    new = {name: schema | {"minProperties": 1} for name, schema in old.items()}

    found = compared({"$ref": "#/schemas/S0"}, {"$ref": "#/schemas/S0"}, "request", old, new)

    assert "breaking" in {one.verdict for one in found}
    assert len(found) <= 60_000


# --- generated ------------------------------------------------------------------------------------------

NAMES = ["a", "b", "c"]
_leaves = st.one_of(
    st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": st.integers(0, 3), "maxLength": st.integers(0, 4)}),
    st.fixed_dictionaries({"type": st.just("string"), "pattern": st.sampled_from(["^a", "^[ab]+$", "b$", "^(a|b)"])}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={"minimum": st.integers(-2, 2), "exclusiveMaximum": st.integers(0, 4), "multipleOf": st.sampled_from([1, 2, 4, 0.5])},
    ),
    st.sampled_from([{"type": "null"}, {"type": "boolean"}, {"type": ["string", "null"]}, {}, {"enum": ["a", 1, None]}, {"const": "b"}]),
    st.lists(st.sampled_from(["a", "b", 1, 2, None, True]), min_size=1, max_size=3).map(lambda values: {"enum": values}),
)  # fmt: skip
_required = st.lists(st.sampled_from(NAMES), max_size=2, unique=True)


def _composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)},
            optional={
                "required": _required, "additionalProperties": st.one_of(st.booleans(), inner),
                "minProperties": st.integers(0, 2), "unevaluatedProperties": st.booleans(),
                "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), inner, max_size=1),
                "dependentRequired": st.dictionaries(st.sampled_from(NAMES), _required, max_size=1),
            },
        ),
        st.fixed_dictionaries(
            {"type": st.just("array")},
            optional={
                "items": inner, "maxItems": st.integers(0, 3), "uniqueItems": st.booleans(), "contains": inner,
                "prefixItems": st.lists(inner, min_size=1, max_size=2),
            },
        ),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"oneOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"not": inner}),
        st.sampled_from([{"$ref": "#/schemas/S"}, {"$ref": "#/schemas/T"}]),
    )  # fmt: skip


SCHEMAS = st.recursive(_leaves, _composed, max_leaves=6)
_plain = st.sampled_from(["", "a", "b", "ab", "bab", "x", 0, 1, 2, -1, 0.5, 1.0, 3, None, True, False])
INSTANCES = st.recursive(
    _plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=6,
)


def edited(schema: Any, draw: Any) -> Any:
    """Return the schema with one place changed: another schema, or a word more, less or of another value."""
    if not isinstance(schema, dict) or not schema or draw(st.integers(0, 3)) == 0:
        return draw(SCHEMAS)
    word = draw(st.sampled_from(sorted(schema)))
    value = schema[word]
    if draw(st.integers(0, 3)) == 0:
        return {other: inner for other, inner in schema.items() if other != word}
    if isinstance(value, dict) and word in ("properties", "patternProperties") and value:
        name = draw(st.sampled_from(sorted(value)))
        return schema | {word: value | {name: edited(value[name], draw)}}
    if isinstance(value, dict) and word not in ("properties", "patternProperties", "dependentRequired"):
        return schema | {word: edited(value, draw)}
    if isinstance(value, list) and word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        index = draw(st.integers(0, len(value) - 1))
        return schema | {word: [*value[:index], edited(value[index], draw), *value[index + 1 :]]}
    return schema | draw(_leaves)


@st.composite
def pairs(draw: Any) -> Any:
    shared = {"S": draw(SCHEMAS), "T": draw(SCHEMAS)}
    old = draw(SCHEMAS)
    changed = {
        name: edited(schema, draw) if draw(st.booleans()) else schema for name, schema in shared.items()
    }
    return old, edited(old, draw), shared, changed


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(pairs(), st.lists(INSTANCES, min_size=1, max_size=12))
def test_what_is_called_compatible_is_so(pair: Any, instances: list[Any]) -> None:
    old, new, before, after = pair
    checks = [
        jsonschema_rs.validator_for(whole_schema(schema, shared))
        for schema, shared in ((old, before), (new, after))
    ]
    # A field that nobody had described is not looked at (see the module): such changes are left out.
    ways: list[tuple[Way, Any, Any]] = [("request", checks[0], checks[1]), ("reply", checks[1], checks[0])]
    for way, first, second in ways:
        changes = compared(old, new, way, before, after)
        if any(
            one.verdict != "compatible" or one.rule in ("property-added", "property-removed")
            for one in changes
        ):
            continue
        for instance in instances:
            if first.is_valid(instance):
                assert second.is_valid(instance), json.dumps(
                    [way, old, new, before, after, instance, told(changes)]
                )
