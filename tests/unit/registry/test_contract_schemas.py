import jsonschema_rs
import pytest

from registry.contract_schemas import ReferenceWrong, references, whole_schema

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/schemas/Person"}},
    },
    "required": ["name"],
}


def test_a_schema_takes_along_what_it_reaches_and_nothing_else() -> None:
    whole = whole_schema({"$ref": "#/schemas/Person"}, {"Person": PERSON, "Other": {"type": "string"}})

    assert list(whole["$defs"]) == ["Person"]
    check = jsonschema_rs.validator_for(whole)
    assert check.is_valid({"name": "A", "children": [{"name": "B"}]})
    assert not check.is_valid({"name": "A", "children": [{"children": []}]})


def test_references_inside_a_part_stay_inside_it() -> None:
    shared = {
        "A": {
            "$defs": {"x": {"type": "integer"}},
            "properties": {"n": {"$ref": "#/$defs/x"}, "a": {"$ref": "#"}},
        }
    }
    own = {
        "$defs": {"A": {"type": "boolean"}},
        "properties": {"b": {"$ref": "#/$defs/A"}, "s": {"$ref": "#/schemas/A"}},
    }

    check = jsonschema_rs.validator_for(whole_schema(own, shared))

    assert check.is_valid({"b": True, "s": {"n": 1, "a": {"a": {"n": 2}}}})
    assert not check.is_valid({"s": {"a": {"a": {"n": "2"}}}})
    assert not check.is_valid({"b": 1})


def test_names_and_values_that_look_like_references_are_none() -> None:
    schema = {"properties": {"$ref": {"type": "string"}}, "const": {"$ref": "#/schemas/Nothing"}}

    assert whole_schema(schema, {}) == schema
    assert list(references(schema)) == []


@pytest.mark.parametrize(
    "reference", ["#/schemas/Gone", "http://127.0.0.1/x", "file:///etc/passwd", "other.json#/A"]
)
def test_a_reference_that_leads_nowhere_is_refused_with_its_place(reference: str) -> None:
    with pytest.raises(ReferenceWrong) as caught:
        whole_schema({"items": {"allOf": [{"$ref": reference}]}}, {})

    assert caught.value.pointer == "/items/allOf/0/$ref"


def test_an_address_of_its_own_does_not_lead_references_away() -> None:
    shared = {"A": {"$id": "http://example.invalid/a", "$ref": "#/schemas/B"}, "B": {"type": "string"}}

    check = jsonschema_rs.validator_for(whole_schema({"$ref": "#/schemas/A"}, shared))

    assert check.is_valid("x")
    assert not check.is_valid(1)


@pytest.mark.parametrize("schema", [True, False])
def test_a_schema_may_be_a_truth_value(schema: bool) -> None:  # noqa: FBT001
    assert jsonschema_rs.validator_for(whole_schema(schema, {})).is_valid(1) is schema
