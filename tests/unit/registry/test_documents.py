import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.documents import _CODES, content_hash, parse, pointer_of, render, schema
from registry.entities import (
    ENTITIES,
    Alias,
    Entity,
    Environment,
    FieldRule,
    Grant,
    Kind,
    Maintenance,
    Organisation,
    Quota,
    Service,
)
from registry.errors import Invalid
from registry.wording import FLAWS
from tests.factories import a_client, a_grant, a_system, a_version, an_organisation

ROOT = Path(__file__).parents[3]

texts = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40).filter(
    lambda t: t.strip() == t != ""
)
codes = st.from_regex(r"[A-Z][0-9]{2}(\.[0-9]{2}){0,3}", fullmatch=True)
days = st.none() | st.dates()
moments = st.datetimes(timezones=st.just(UTC)).filter(lambda moment: 1900 < moment.year < 2200)
organisations = st.builds(
    Organisation,
    code=codes,
    name_vi=texts,
    name_en=st.none() | texts,
    aliases=st.lists(st.builds(Alias, code=codes, valid_from=days, valid_to=days), max_size=3).map(tuple),
    valid_from=days,
    valid_to=days,
)
grants = st.builds(
    Grant,
    consumer=codes,
    service=codes,
    environments=st.just((Environment.PRODUCTION,)),
    operations=st.just(()),
    purposes=st.just(()),
    default_purpose=st.none(),
    procedures=st.just(()),
    fields=st.dictionaries(
        st.just("*") | codes,
        st.lists(st.builds(FieldRule, path=texts, keep_last=st.none(), to=st.none()), max_size=2).map(tuple),
        max_size=2,
    ),
    namespaces=st.just({}),
    quota=st.builds(Quota, per_second=st.integers(1, 10**6), per_day=st.none() | st.integers(1, 10**12)),
    valid_from=st.none() | moments,
    valid_until=st.none() | moments,
    legal_basis=st.just(""),
    decision=st.none(),
)
services = st.builds(
    Service,
    name=st.just("TraCuu"),
    title_vi=texts,
    title_en=st.none(),
    provider=texts,
    default_version=st.none(),
    blocked=st.none() | texts,
    blocked_consumers=st.dictionaries(texts, texts, max_size=2),
    maintenance=st.lists(
        st.builds(Maintenance, starts_at=moments, ends_at=moments, note_vi=st.just(""), note_en=st.just("")),
        max_size=2,
    ).map(tuple),
)
entities = st.one_of(
    organisations.map(lambda it: (Kind.ORGANISATION, it)),
    grants.map(lambda it: (Kind.GRANT, it)),
    services.map(lambda it: (Kind.SERVICE, it)),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(entities)
def test_what_is_rendered_parses_to_the_same(pair: tuple[Kind, Entity]) -> None:
    kind, entity = pair

    document = render(entity)

    assert parse(kind, document) == entity
    assert render(parse(kind, document)) == document
    assert content_hash(document) == content_hash(dict(reversed(document.items())))


def flaws(kind: Kind, document: dict[str, Any], *, spec: bool = True) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        parse(kind, document, spec=spec)
    return {flaw.pointer: flaw.code for flaw in caught.value.flaws}


@pytest.mark.parametrize(
    ("changed", "pointer", "code"),
    [
        ({"nmae": "x"}, "/nmae", "unknown-field"),
        ({"name_vi": None}, "/name_vi", "wrong-type"),
        ({"name_vi": "  "}, "/name_vi", "length"),
        ({"name_vi": "x" * 501}, "/name_vi", "length"),
        ({"name_vi": "a\0b"}, "/name_vi", "control-character"),
        ({"name_vi": "a\ud800b"}, "/name_vi", "control-character"),
        ({"code": "H99: x"}, "/code", "pattern"),
        ({"security_level": 6}, "/security_level", "range"),
        ({"security_level": "3"}, "/security_level", "wrong-type"),
        ({"security_level": True}, "/security_level", "wrong-type"),
        ({"kind": "toaster"}, "/kind", "choice"),
        ({"acts_for": "x"}, "/acts_for", "wrong-type"),
        ({"acts_for": ["a", ""]}, "/acts_for/1", "length"),
        ({"acts_for": ["a", 5]}, "/acts_for/1", "wrong-type"),
    ],
)
def test_a_bad_document_is_refused_where_it_is_bad(changed: dict[str, Any], pointer: str, code: str) -> None:
    assert flaws(Kind.SYSTEM, a_system() | changed) == {pointer: code}


def test_every_flaw_is_told_at_once() -> None:
    assert flaws(Kind.ORGANISATION, {"code": "!", "x": 1}) == {
        "/code": "pattern",
        "/x": "unknown-field",
        "/name_vi": "missing",
    }


def test_a_bad_item_of_a_list_is_told_alone() -> None:
    operation = {"name": "x", "path": "no-slash"}

    assert flaws(Kind.VERSION, a_version(operations=[operation])) == {"/operations/0/path": "pattern"}


def test_a_bad_key_is_told_by_its_name() -> None:
    found = flaws(Kind.VERSION, a_version(endpoints={"a/b~c": {"connector": "echo"}}))

    assert found == {"/endpoints/a~1b~0c": "choice"}


def test_a_person_does_not_write_the_life_cycle() -> None:
    assert flaws(Kind.GRANT, a_grant(status="approved")) == {"/status": "unknown-field"}
    assert flaws(Kind.CLIENT, a_client(secrets=[])) == {"/secrets": "unknown-field"}


def test_a_message_does_not_repeat_what_was_given() -> None:
    with pytest.raises(Invalid) as caught:
        parse(Kind.CLIENT, a_client(jwks="hunter2", error_style="hunter2"), spec=True)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("document", [{"a": object()}, {"a": {1: 2}}, {"a": [[[[]]]] * 2, "b": {"c": float}}])
def test_what_is_not_json_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        parse(Kind.SYSTEM, document)


def test_endless_nesting_is_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(5000):
        nested = {"a": nested}

    assert set(flaws(Kind.VERSION, a_version(endpoints={"production": nested})).values()) == {"too-deep"}


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("2026-11-25T12:00:00+07:00", "2026-11-25T05:00:00Z"),
        ("2026-11-25T05:00:00Z", "2026-11-25T05:00:00Z"),
    ],
)
def test_times_are_kept_in_utc(given_: str, kept: str) -> None:
    assert render(parse(Kind.GRANT, a_grant(valid_from=given_)))["valid_from"] == kept


@pytest.mark.parametrize("moment", ["2026-11-25T12:00:00", "0001-01-01T00:00:00+14:00", 1700000000, "soon"])
def test_a_time_that_says_no_instant_is_refused(moment: object) -> None:
    assert set(flaws(Kind.GRANT, a_grant(valid_from=moment))) == {"/valid_from"}


def test_an_aware_time_of_another_zone_is_the_same_instant() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=7)))

    grant = parse(Kind.GRANT, a_grant(valid_from=noon.isoformat()))

    assert isinstance(grant, Grant)
    assert grant.valid_from == noon


@pytest.mark.parametrize("version", ["1.٣", "1.0\n", "v", "1.0.0.0", "1."])
def test_a_version_number_is_made_of_ascii_digits(version: str) -> None:
    assert set(flaws(Kind.VERSION, a_version(version=version))) == {"/version"}


def test_a_pointer_escapes_its_parts() -> None:
    assert pointer_of(["a/b", 0, "c~d"]) == "/a~1b/0/c~0d"


@pytest.mark.parametrize("kind", list(ENTITIES))
def test_every_kind_has_a_schema_that_refuses_unknown_fields(kind: Kind) -> None:
    assert schema(kind)["additionalProperties"] is False
    assert schema(kind, spec=True)["properties"].keys() <= schema(kind)["properties"].keys()


def codes_of(file: Path) -> Iterator[str]:
    """Yield the codes that a module makes flaws with."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            position = {"Flaw": 1, "_unreadable": 0}.get(node.func.id)
            if position is not None and isinstance(node.args[position], ast.Constant):
                yield str(node.args[position].value)  # type: ignore[attr-defined]  # a constant, as just seen


def test_every_code_of_a_flaw_is_explained() -> None:
    used = {code for file in (ROOT / "registry").rglob("*.py") for code in codes_of(file)}

    assert len(used) > 20
    assert used <= FLAWS.keys()
    assert set(_CODES.values()) <= FLAWS.keys()


def test_an_organisation_parses_as_written() -> None:
    assert parse(Kind.ORGANISATION, an_organisation()) == Organisation(
        code="H99", name_vi="Cơ quan H99 (ví dụ)", name_en="Body H99 (example)"
    )
