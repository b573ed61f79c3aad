import pytest

from auth.decide import NOUNS, RULES, Actor, Allowed, Denied, Subject, action_of, may
from registry.entities import Kind, Role

MINE, OTHERS = "organisation-mine", "organisation-others"


def an_actor(role: str, organisation: str | None = MINE) -> Actor:
    return Actor(client="me", name="Tôi (bịa)", role=role, organisation=organisation)


NODE_ADMIN = an_actor("node-admin", None)
ADMIN = an_actor("organisation-admin")
OWNER = an_actor("service-owner")
OBSERVER = an_actor("observer", None)
AUDITOR = an_actor("auditor", None)
NO_ROLE = an_actor("")


@pytest.mark.parametrize(
    ("actor", "action", "subject", "decision"),
    [
        pytest.param(
            NODE_ADMIN, "system.add", Subject(organisation=OTHERS), Allowed(), id="node, any system"
        ),
        pytest.param(ADMIN, "system.add", Subject(organisation=MINE), Allowed(), id="own system"),
        pytest.param(
            ADMIN, "system.add", Subject(organisation=OTHERS), Denied("organisation"), id="other's system"
        ),
        pytest.param(ADMIN, "system.add", Subject(), Denied("organisation"), id="nobody's system"),
        pytest.param(
            an_actor("organisation-admin", None),
            "system.add",
            Subject(),
            Denied("organisation"),
            id="no organisation is nobody's",
        ),
        pytest.param(ADMIN, "organisation.add", Subject(), Denied("role"), id="organisations are the node's"),
        pytest.param(ADMIN, "client.add", Subject(organisation=MINE), Allowed(), id="own client"),
        pytest.param(
            ADMIN,
            "client.add",
            Subject(organisation=MINE, confers="auditor"),
            Denied("role"),
            id="no administrators",
        ),
        pytest.param(
            NODE_ADMIN, "client.add", Subject(confers="node-admin"), Allowed(), id="node makes administrators"
        ),
        pytest.param(
            ADMIN, "client.read", Subject(organisation=OTHERS), Denied("organisation"), id="clients"
        ),
        pytest.param(
            OBSERVER, "client.read", Subject(organisation=MINE), Denied("role"), id="observer, clients"
        ),
        pytest.param(ADMIN, "service.add", Subject(provider=MINE), Denied("role"), id="services are owners'"),
        pytest.param(OWNER, "service.block", Subject(provider=MINE), Allowed(), id="own kill switch"),
        pytest.param(
            OWNER, "version.publish", Subject(provider=OTHERS), Denied("organisation"), id="other's version"
        ),
        pytest.param(ADMIN, "grant.add", Subject(consumer=MINE, provider=OTHERS), Allowed(), id="asking"),
        pytest.param(
            OWNER, "grant.add", Subject(consumer=OTHERS, provider=MINE), Denied("role"), id="not asked"
        ),
        pytest.param(
            OWNER, "grant.approve", Subject(provider=MINE, requested_by="x"), Allowed(), id="approve"
        ),
        pytest.param(
            OWNER, "grant.approve", Subject(provider=OTHERS), Denied("organisation"), id="other's to approve"
        ),
        pytest.param(
            OWNER, "grant.approve", Subject(provider=MINE, requested_by="me"), Denied("own-request"), id="own"
        ),
        pytest.param(ADMIN, "grant.approve", Subject(provider=MINE), Denied("role"), id="consumer's admin"),
        pytest.param(
            NODE_ADMIN, "grant.approve", Subject(provider=MINE), Denied("no-delegation"), id="no paper"
        ),
        pytest.param(
            NODE_ADMIN, "grant.approve", Subject(provider=MINE, delegation="d"), Allowed("d"), id="delegated"
        ),
        pytest.param(
            NODE_ADMIN,
            "grant.approve",
            Subject(provider=MINE, delegation="d", requested_by="me"),
            Denied("own-request"),
            id="delegated, but own request",
        ),
        pytest.param(NODE_ADMIN, "grant.revoke", Subject(provider=OTHERS), Allowed(), id="stopping is open"),
        pytest.param(
            ADMIN, "evidence.read", Subject(consumer=MINE, provider=OTHERS), Allowed(), id="our calls"
        ),
        pytest.param(
            OWNER, "evidence.read", Subject(consumer=OTHERS, provider=MINE), Allowed(), id="calls to us"
        ),
        pytest.param(
            OWNER, "evidence.read", Subject(consumer=OTHERS), Denied("organisation"), id="others' evidence"
        ),
        pytest.param(
            OBSERVER, "evidence.read", Subject(consumer=MINE), Denied("role"), id="observer, evidence"
        ),
        pytest.param(AUDITOR, "evidence.read", Subject(consumer=OTHERS), Allowed(), id="auditor, evidence"),
        pytest.param(
            AUDITOR, "service.block", Subject(provider=MINE), Denied("role"), id="auditors only read"
        ),
        pytest.param(OBSERVER, "connectivity.read", Subject(), Allowed(), id="figures"),
        pytest.param(NO_ROLE, "connectivity.read", Subject(), Denied("role"), id="data-plane clients"),
        pytest.param(NODE_ADMIN, "key.rotate", Subject(), Allowed(), id="rotate keys"),
        pytest.param(NODE_ADMIN, "grant.eat", Subject(), Denied("action-unknown"), id="unheard of"),
    ],
)
def test_a_decision(actor: Actor, action: str, subject: Subject, decision: Allowed | Denied) -> None:
    assert may(actor, action, subject) == decision


def test_decisions_read_as_yes_and_no() -> None:
    assert Allowed()
    assert not Denied("role")


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_object_can_be_read_and_kept(kind: Kind) -> None:
    assert all(action_of(kind, verb) in RULES for verb in ("read", "add", "replace", "remove"))


@pytest.mark.parametrize("action", sorted(RULES))
def test_only_known_roles_stand_in_the_table_and_readers_only_read(action: str) -> None:
    roles = RULES[action].keys()

    assert roles <= {role.value for role in Role}
    assert action.endswith((".read", ".check")) or not roles & {"observer", "auditor"}


def test_nouns_are_distinct() -> None:
    assert len(set(NOUNS.values())) == len(Kind)
