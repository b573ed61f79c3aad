from dataclasses import replace
from typing import Any

import pytest

from registry.documents import parse
from registry.entities import Grant, Kind, Organisation, Quota, System
from registry.register import RESERVED, is_reserved
from registry.register.rules import fixed_flaws, flaws_of, remarks_of, widens
from tests.factories import (
    a_client,
    a_code_list,
    a_delegation,
    a_grant,
    a_service,
    a_system,
    a_version,
    an_endpoint,
    an_officer,
    an_operation,
    an_organisation,
)

EC_KEY = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}


def flaws(kind: Kind, document: dict[str, Any]) -> dict[str, str]:
    return {flaw.pointer: flaw.code for flaw in flaws_of(kind, parse(kind, document))}


def rule(**given: Any) -> dict[str, Any]:
    return a_version(success_rule={"success": [given]})


def operations(*paths: str) -> dict[str, Any]:
    return a_version(operations=[an_operation(f"op{n}", path) for n, path in enumerate(paths)])


SOUND = [
    (Kind.ORGANISATION, an_organisation(valid_from="2025-01-01", valid_to="2025-07-01", successor="x")),
    (
        Kind.ORGANISATION,
        an_organisation("H24", valid_from="2025-07-01", aliases=[{"code": "H24", "valid_to": "2025-07-01"}]),
    ),
    (Kind.SERVICE, a_service("tokens")),
    (Kind.GRANT, a_grant(purposes=["a", "b"], default_purpose="b")),
    (Kind.GRANT, a_grant(default_purpose="b")),
    (Kind.CLIENT, a_client()),
    (Kind.CLIENT, a_client(role="node-admin")),
    (Kind.CLIENT, a_client(role="organisation-admin", organisation="H99")),
    (
        Kind.CLIENT,
        a_client(allowed_networks=["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"], jwks={"keys": [EC_KEY]}),
    ),
    (Kind.VERSION, operations("/", "/a", "/a/{b}", "/a/{b}/c", "/a/{rest*}", "/a/b/", "/đường dẫn")),
    (Kind.VERSION, a_version(operations=[an_operation("a"), an_operation("b", method="POST")])),
    (Kind.VERSION, a_version(officer_at="pointer:/MaCanBo", procedure_at="header:X-MaTTHC")),
    (Kind.VERSION, rule(at="pointer:/Status", equals=["1"])),
    (Kind.VERSION, rule(at="pointer:", present=True)),
    (Kind.VERSION, rule(at="body", empty=True)),
    (Kind.GRANT, a_grant(fields={"*": ["A", "A.B", "C.D.*", {"path": "C.E", "action": "mask"}]})),
    (Kind.GRANT, a_grant(purposes=["a", "b"], fields={"a": ["A"], "*": []})),
    (Kind.VERSION, a_version(envelope=["Status", "Error.Code"])),
    (Kind.CODE_LIST, a_code_list()),
    (
        Kind.CODE_LIST,
        a_code_list(
            codes=[
                {"code": "24", "name_vi": "Bắc Giang", "valid_to": "2025-07-01"},
                {"code": "24", "name_vi": "Bắc Ninh", "valid_from": "2025-07-01"},
            ]
        ),
    ),
]


@pytest.mark.parametrize(("kind", "document"), SOUND)
def test_a_sound_document_has_no_flaw(kind: Kind, document: dict[str, Any]) -> None:
    assert flaws(kind, document) == {}


FLAWED = [
    (
        Kind.ORGANISATION,
        an_organisation(valid_from="2025-07-01", valid_to="2025-07-01"),
        "/valid_to",
        "range-order",
    ),
    (Kind.ORGANISATION, an_organisation(successor="x"), "/valid_to", "missing"),
    (Kind.ORGANISATION, an_organisation("H24", aliases=[{"code": "H24"}]), "/aliases/0/code", "duplicate"),
    (Kind.SYSTEM, a_system(acts_for=["a", "a"]), "/acts_for/1", "duplicate"),
    (Kind.SERVICE, a_service("Token"), "/name", "reserved"),
    (Kind.SERVICE, a_service("restAPI"), "/name", "reserved"),
    (Kind.GRANT, a_grant(purposes=["a"], default_purpose="b"), "/default_purpose", "choice"),
    (Kind.GRANT, a_grant(operations=["a", "a"]), "/operations/1", "duplicate"),
    (
        Kind.GRANT,
        a_grant(valid_from="2026-01-02T00:00:00Z", valid_until="2026-01-01T00:00:00Z"),
        "/valid_until",
        "range-order",
    ),
    (Kind.GRANT, a_grant(fields={"*": ["A", "A..B"]}), "/fields/*/1", "field-path"),
    (Kind.GRANT, a_grant(fields={"*": ["A.*.B"]}), "/fields/*/0", "field-path"),
    (Kind.GRANT, a_grant(fields={"*": ["A.B", "A[].B[]"]}), "/fields/*/1", "duplicate"),
    (Kind.GRANT, a_grant(fields={"*": ["A.*", "A.B"]}), "/fields/*/1", "field-conflict"),
    (Kind.GRANT, a_grant(fields={"*": ["A.B", "B", "*"]}), "/fields/*/2", "field-conflict"),
    (
        Kind.GRANT,
        a_grant(fields={"*": ["A", {"path": "A", "action": "mask"}]}),
        "/fields/*/1",
        "duplicate",
    ),
    (Kind.GRANT, a_grant(fields={"*": [{"path": "A.*", "action": "mask"}]}), "/fields/*/0", "field-rule"),
    (
        Kind.GRANT,
        a_grant(fields={"*": [{"path": "A", "keep_last": 3}]}),
        "/fields/*/0/keep_last",
        "field-rule",
    ),
    (
        Kind.GRANT,
        a_grant(fields={"*": [{"path": "A", "action": "mask", "to": "year"}]}),
        "/fields/*/0/to",
        "field-rule",
    ),
    (Kind.GRANT, a_grant(fields={"*": [{"path": "A", "action": "generalise"}]}), "/fields/*/0/to", "missing"),
    (
        Kind.GRANT,
        a_grant(purposes=["a/b"], fields={"a/b": ["A"], "c": ["A"]}),
        "/fields/c",
        "purpose-unknown",
    ),
    (Kind.GRANT, a_grant(fields={"a": ["A"]}), "/fields", "purpose-uncovered"),
    (Kind.GRANT, a_grant(purposes=["a", "b"], fields={"a": ["A"]}), "/fields", "purpose-uncovered"),
    (Kind.VERSION, a_version(envelope=["Status", "Status"]), "/envelope/1", "duplicate"),
    (Kind.VERSION, a_version(envelope=["Data.*"]), "/envelope/0", "field-path"),
    (Kind.VERSION, a_version(envelope=["a."]), "/envelope/0", "field-path"),
    (Kind.CLIENT, a_client(role="observer", system="x"), "/system", "one-of"),
    (Kind.CLIENT, {"name": "x"}, "/system", "one-of"),
    (Kind.CLIENT, a_client(organisation="H99"), "/organisation", "one-of"),
    (Kind.CLIENT, a_client(role="service-owner"), "/organisation", "missing"),
    (Kind.CLIENT, a_client(allowed_networks=["10.0.0.1/8"]), "/allowed_networks/0", "network"),
    (Kind.CLIENT, a_client(allowed_networks=["example.org"]), "/allowed_networks/0", "network"),
    (Kind.CLIENT, a_client(jwks={}), "/jwks/keys", "jwks"),
    (Kind.CLIENT, a_client(jwks={"keys": []}), "/jwks/keys", "jwks"),
    (Kind.CLIENT, a_client(jwks={"keys": [{"kty": "oct", "k": "AA"}]}), "/jwks/keys/0", "jwks"),
    (Kind.CLIENT, a_client(jwks={"keys": [EC_KEY, EC_KEY | {"d": "AA"}]}), "/jwks/keys/1", "private-key"),
    (Kind.OFFICER, an_officer(valid_from="2026-01-01", valid_to="2025-01-01"), "/valid_to", "range-order"),
    (
        Kind.DELEGATION,
        a_delegation(valid_from="2026-01-02T00:00:00Z", valid_until="2026-01-02T00:00:00Z"),
        "/valid_until",
        "range-order",
    ),
    (
        Kind.CODE_LIST,
        a_code_list(codes=[{"code": "1", "name_vi": "a"}, {"code": "1", "name_vi": "b"}]),
        "/codes/1/code",
        "duplicate",
    ),
    (
        Kind.VERSION,
        a_version(operations=[an_operation("a", "/x"), an_operation("a", "/y")]),
        "/operations/1/name",
        "duplicate",
    ),
    (Kind.VERSION, operations("/a/{b}", "/a/{c}"), "/operations/1/path", "duplicate"),
    (Kind.VERSION, operations("/a//b"), "/operations/0/path", "path-template"),
    (Kind.VERSION, operations("/a/../b"), "/operations/0/path", "path-template"),
    (Kind.VERSION, operations("/a/{b}x"), "/operations/0/path", "path-template"),
    (Kind.VERSION, operations("/a/{}"), "/operations/0/path", "path-template"),
    (Kind.VERSION, operations("/{rest*}/b"), "/operations/0/path", "path-template"),
    (Kind.VERSION, operations("/{a}/{a}"), "/operations/0/path", "path-template"),
    (Kind.VERSION, operations("/a?b=c"), "/operations/0/path", "path-template"),
    (Kind.VERSION, rule(at="pointer:/a~2", present=True), "/success_rule/success/0/at", "json-pointer"),
    (Kind.VERSION, rule(at="body", equals=["x"]), "/success_rule/success/0/at", "condition"),
    (Kind.VERSION, rule(at="status"), "/success_rule/success/0", "condition"),
    (
        Kind.VERSION,
        a_version(operations=[an_operation(success_rule={"nothing_found": [{"at": "status"}]})]),
        "/operations/0/success_rule/nothing_found/0",
        "condition",
    ),
    (Kind.VERSION, a_version(officer_at="MaCanBo"), "/officer_at", "place"),
    (Kind.VERSION, a_version(officer_at="pointer:MaCanBo"), "/officer_at", "json-pointer"),
    (Kind.VERSION, a_version(procedure_at="header:a b"), "/procedure_at", "header-name"),
    (
        Kind.VERSION,
        a_version(endpoints={"production": an_endpoint(passes={"officer": "Authorization"})}),
        "/endpoints/production/passes/officer",
        "header-name",
    ),
]


@pytest.mark.parametrize(("kind", "document", "pointer", "code"), FLAWED)
def test_a_flaw_is_found_where_it_is(kind: Kind, document: dict[str, Any], pointer: str, code: str) -> None:
    assert flaws(kind, document) == {pointer: code}


@pytest.mark.parametrize("name", [*sorted(RESERVED), "_anything", ".anything", "ADMIN"])
def test_a_nodes_own_addresses_are_reserved(name: str) -> None:
    assert is_reserved(name)


def test_what_makes_an_object_what_it_is_does_not_change() -> None:
    before = parse(Kind.GRANT, a_grant())
    after = parse(Kind.GRANT, a_grant(consumer="H99:khac", quota={"per_second": 1}))

    assert [(flaw.pointer, flaw.code) for flaw in fixed_flaws(Kind.GRANT, before, after)] == [
        ("/consumer", "fixed")
    ]


@pytest.mark.parametrize(
    ("before", "after", "wider"),
    [
        ({}, {}, False),
        ({}, {"operations": ["a"]}, False),
        ({"operations": ["a"]}, {}, True),
        ({"operations": ["a"]}, {"operations": ["a", "b"]}, True),
        ({"operations": ["a", "b"]}, {"operations": ["b"]}, False),
        ({"purposes": ["a"]}, {"purposes": ["b"]}, True),
        ({"environments": ["sandbox"]}, {"environments": ["production"]}, True),
        ({"quota": {"per_second": 5}}, {"quota": {"per_second": 6}}, True),
        ({"quota": {"per_second": 5}}, {"quota": {"per_second": 4}}, False),
        ({"quota": {"per_day": 5}}, {"quota": {}}, True),
        ({"quota": {}}, {"quota": {"per_day": 5}}, False),
        ({"valid_until": "2027-01-01T00:00:00Z"}, {"valid_until": "2028-01-01T00:00:00Z"}, True),
        ({"valid_until": "2027-01-01T00:00:00Z"}, {}, True),
        ({}, {"valid_until": "2027-01-01T00:00:00Z"}, False),
        ({"valid_from": "2027-01-01T00:00:00Z"}, {}, True),
        ({"officer": "registered"}, {"officer": "asserted"}, True),
        ({"officer": "none"}, {"officer": "asserted"}, False),
        ({"procedure_required": True}, {}, True),
        ({"fields": {"*": ["a"]}}, {}, True),
        ({}, {"fields": {"*": ["a"]}}, False),
        ({"fields": {"*": ["a", "b"]}}, {"fields": {"*": ["b"]}}, False),
        ({"fields": {"*": ["a"]}}, {"fields": {"*": ["a", "b"]}}, True),
        ({"fields": {"*": ["a"]}}, {"fields": {"*": ["a"], "x": ["a", "b"]}}, True),
        ({"fields": {"*": ["a"], "x": []}}, {"fields": {"*": ["a"]}}, True),
        ({"fields": {"*": [{"path": "a", "action": "mask"}]}}, {"fields": {"*": ["a"]}}, True),
        ({"fields": {"*": ["p:a"]}}, {"fields": {"*": ["p:a"]}, "namespaces": {"p": "urn:x"}}, True),
        ({"legal_basis": "a"}, {"legal_basis": "b"}, False),
    ],
)
def test_a_grant_is_widened_by_whatever_lets_more_through(
    before: dict[str, Any],
    after: dict[str, Any],
    wider: bool,  # noqa: FBT001
) -> None:
    old, new = parse(Kind.GRANT, a_grant(**before)), parse(Kind.GRANT, a_grant(**after))
    assert isinstance(old, Grant)
    assert isinstance(new, Grant)

    assert widens(old, new) is wider


def test_a_higher_quota_for_fewer_operations_is_still_wider() -> None:
    grant = Grant(consumer="c", service="s")

    assert widens(grant, replace(grant, operations=("a",), quota=Quota(per_second=99)))


@pytest.mark.parametrize(
    ("code", "usual"),
    [
        ("H26.12", True),
        ("000.00.12.H26", True),
        ("H55.242", True),
        ("vxp.saas.03", False),
        ("28.22.H17", False),
    ],
)
def test_unusual_codes_are_accepted_and_remarked_on(code: str, usual: bool) -> None:  # noqa: FBT001
    organisation = Organisation(code=code, name_vi="x")

    assert flaws_of(Kind.ORGANISATION, organisation) == []
    assert (remarks_of(Kind.ORGANISATION, organisation) == []) is usual


def test_a_systems_code_should_begin_with_a_code_of_its_organisation() -> None:
    organisation = Organisation(code="H26.12", name_vi="x")
    good = System(code="000.00.12.H26:a", name_vi="x", organisation="o")

    assert remarks_of(Kind.SYSTEM, good, organisation) == []
    assert remarks_of(Kind.SYSTEM, replace(good, code="H27:a"), organisation)[0].code == "unusual-code"
