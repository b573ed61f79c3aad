from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from registry.documents import parse_as
from registry.entities import (
    Client,
    Endpoint,
    Entity,
    Environment,
    Grant,
    Kind,
    Need,
    Operation,
    Service,
    Version,
)
from registry.errors import Invalid, WrongState
from registry.register.lives import check_removable, rewritten
from registry.register.steps import STEPS, TABLE, Moment
from tests.factories import ADMIN, LOCAL, NODE, NOON, PROVIDER_ADMIN

AT = Moment(author=PROVIDER_ADMIN, now=NOON, node=NODE)
LATER = (NOON + timedelta(hours=1)).isoformat()
MUCH_LATER = (NOON + timedelta(hours=2)).isoformat()

NEED = Need(system="s", national_database="d", legal_basis="x")
SERVICE = Service(name="A1", title_vi="x", provider="p")
VERSION = Version(
    service="s",
    version="1.0",
    operations=(Operation(name="a", path="/a"),),
    endpoints={Environment.PRODUCTION: Endpoint(connector="echo")},
)
GRANT = Grant(consumer="c", service="s", requested_by=ADMIN.id, authority=NODE)
CLIENT = Client(name="x", system="s")


def take(kind: Kind, entity: Entity, action: str, at: Moment = AT, **given: Any) -> Any:
    step = TABLE[kind][action]
    return step.take(entity, parse_as(step.parameters, given), at)


# --- versions -------------------------------------------------------------------------------------------


def test_a_version_is_published_deprecated_and_retired() -> None:
    published = take(Kind.VERSION, VERSION, "publish")
    deprecated = take(Kind.VERSION, published, "deprecate", sunset_at=LATER)
    retired = take(Kind.VERSION, deprecated, "retire")

    assert (published.status, published.published_at) == ("published", NOON)
    assert (deprecated.status, deprecated.deprecated_at) == ("deprecated", NOON)
    assert deprecated.sunset_at == NOON + timedelta(hours=1)
    assert (retired.status, retired.retired_at) == ("retired", NOON)


def test_a_deprecation_can_be_taken_back() -> None:
    deprecated = take(Kind.VERSION, take(Kind.VERSION, VERSION, "publish"), "deprecate", sunset_at=LATER)

    again = take(Kind.VERSION, deprecated, "publish")

    assert (again.status, again.sunset_at, again.deprecated_at) == ("published", None, None)


@pytest.mark.parametrize(
    ("status", "action"),
    [
        ("draft", "deprecate"),
        ("published", "publish"),
        ("retired", "publish"),
        ("retired", "deprecate"),
        ("retired", "retire"),
    ],
)
def test_a_version_takes_no_step_out_of_order(status: Any, action: str) -> None:
    with pytest.raises(WrongState):
        take(Kind.VERSION, replace(VERSION, status=status), action)


def test_a_version_without_an_endpoint_is_not_published() -> None:
    with pytest.raises(Invalid):
        take(Kind.VERSION, replace(VERSION, endpoints={}), "publish")


def test_a_sunset_lies_ahead() -> None:
    with pytest.raises(Invalid):
        take(Kind.VERSION, replace(VERSION, status="published"), "deprecate", sunset_at=NOON.isoformat())


# --- grants ---------------------------------------------------------------------------------------------


def test_a_grant_lives_from_request_to_revocation() -> None:
    approved = take(Kind.GRANT, GRANT, "approve", note="được")
    suspended = take(Kind.GRANT, approved, "suspend", note="tạm")
    resumed = take(Kind.GRANT, suspended, "resume")
    revoked = take(Kind.GRANT, resumed, "revoke", note="hết")

    statuses = [item.status for item in (approved, suspended, resumed, revoked)]
    assert statuses == ["approved", "suspended", "approved", "revoked"]
    assert approved.decision.by == PROVIDER_ADMIN.id
    assert approved.decision.note == "được"
    assert approved.decision.at == NOON


@pytest.mark.parametrize(
    ("status", "allowed"),
    [
        ("requested", {"approve", "refuse"}),
        ("approved", {"suspend", "revoke"}),
        ("suspended", {"resume", "revoke"}),
        ("refused", set()),
        ("revoked", set()),
    ],
)
def test_a_grant_takes_only_the_steps_of_its_state(status: Any, allowed: set[str]) -> None:
    grant = replace(GRANT, status=status)
    possible = set()
    for action in STEPS[Kind.GRANT]:
        try:
            take(Kind.GRANT, grant, action, note="x")
        except WrongState:
            continue
        possible.add(action)

    assert possible == allowed


def test_nobody_approves_a_grant_that_they_requested() -> None:
    with pytest.raises(WrongState, match="requested themselves"):
        take(Kind.GRANT, GRANT, "approve", replace(AT, author=ADMIN))


def test_whoever_is_on_the_nodes_machine_may_approve() -> None:
    grant = replace(GRANT, requested_by=LOCAL.id)

    assert take(Kind.GRANT, grant, "approve", replace(AT, author=LOCAL)).status == "approved"


def test_another_nodes_grant_is_not_decided_here() -> None:
    with pytest.raises(WrongState, match="G01"):
        take(Kind.GRANT, replace(GRANT, authority="G01"), "approve")


@pytest.mark.parametrize("action", ["refuse", "suspend", "revoke"])
def test_a_decision_against_the_consumer_says_why(action: str) -> None:
    with pytest.raises(Invalid):
        take(Kind.GRANT, GRANT, action)


def test_a_narrowed_grant_stays_approved_and_a_widened_one_does_not() -> None:
    approved = take(Kind.GRANT, GRANT, "approve")
    narrow = replace(approved, operations=("a",))

    narrowed = rewritten(Kind.GRANT, approved, narrow, AT)
    widened = rewritten(Kind.GRANT, narrow, approved, AT)

    assert isinstance(narrowed, Grant)
    assert isinstance(widened, Grant)
    assert (narrowed.status, narrowed.decision) == ("approved", approved.decision)
    assert (widened.status, widened.decision, widened.requested_by) == ("requested", None, PROVIDER_ADMIN.id)


# --- needs, services, clients ---------------------------------------------------------------------------


def test_a_need_is_withdrawn_once() -> None:
    withdrawn = take(Kind.NEED, NEED, "withdraw", reason="không còn cần")

    assert (withdrawn.withdrawn.reason, withdrawn.withdrawn.author) == ("không còn cần", PROVIDER_ADMIN.id)
    with pytest.raises(WrongState):
        take(Kind.NEED, withdrawn, "withdraw", reason="lại")


def test_a_service_is_switched_off_and_on() -> None:
    blocked = take(Kind.SERVICE, SERVICE, "block", reason="sự cố")

    assert blocked.blocked == "sự cố"
    assert take(Kind.SERVICE, blocked, "unblock") == SERVICE
    with pytest.raises(WrongState):
        take(Kind.SERVICE, SERVICE, "unblock")


def test_a_service_is_switched_off_for_one_consumer() -> None:
    blocked = take(Kind.SERVICE, SERVICE, "block-consumer", consumer="c", reason="quá tải")

    assert blocked.blocked_consumers == {"c": "quá tải"}
    assert take(Kind.SERVICE, blocked, "unblock-consumer", consumer="c") == SERVICE
    with pytest.raises(WrongState):
        take(Kind.SERVICE, blocked, "unblock-consumer", consumer="d")


def test_maintenance_is_planned_and_cancelled() -> None:
    planned = take(
        Kind.SERVICE, SERVICE, "plan-maintenance", starts_at=LATER, ends_at=MUCH_LATER, note_vi="x"
    )

    assert len(planned.maintenance) == 1
    assert take(Kind.SERVICE, planned, "cancel-maintenance", starts_at=LATER) == SERVICE
    with pytest.raises(WrongState):
        take(Kind.SERVICE, SERVICE, "cancel-maintenance", starts_at=LATER)
    with pytest.raises(WrongState):
        take(Kind.SERVICE, planned, "plan-maintenance", starts_at=LATER, ends_at=MUCH_LATER)


@pytest.mark.parametrize(
    ("starts_at", "ends_at"),
    [(MUCH_LATER, LATER), (LATER, LATER), ("2020-01-01T00:00:00Z", NOON.isoformat())],
)
def test_maintenance_ends_after_it_begins_and_in_the_future(starts_at: str, ends_at: str) -> None:
    with pytest.raises(Invalid):
        take(Kind.SERVICE, SERVICE, "plan-maintenance", starts_at=starts_at, ends_at=ends_at)


def test_maintenance_that_is_over_is_forgotten_when_more_is_planned() -> None:
    planned = take(Kind.SERVICE, SERVICE, "plan-maintenance", starts_at=LATER, ends_at=MUCH_LATER)
    next_day = replace(AT, now=NOON + timedelta(days=1))
    following = (NOON + timedelta(days=2)).isoformat()

    again = take(
        Kind.SERVICE,
        planned,
        "plan-maintenance",
        next_day,
        starts_at=following,
        ends_at="2027-01-01T00:00:00Z",
    )

    assert len(again.maintenance) == 1


def test_a_disabled_clients_tokens_stay_dead_when_it_is_enabled() -> None:
    disabled = take(Kind.CLIENT, CLIENT, "disable")
    enabled = take(Kind.CLIENT, disabled, "enable")

    assert (disabled.status, disabled.not_before) == ("disabled", NOON)
    assert (enabled.status, enabled.not_before) == ("active", NOON)
    with pytest.raises(WrongState):
        take(Kind.CLIENT, CLIENT, "enable")


def test_new_secrets_replace_the_old_ones() -> None:
    secret = {"digest": "00", "created_at": LATER}

    changed = take(Kind.CLIENT, CLIENT, "set-secrets", secrets=[secret], not_before=LATER)
    kept = take(Kind.CLIENT, changed, "set-secrets", secrets=[])

    assert len(changed.secrets) == 1
    assert (kept.secrets, kept.not_before) == ((), changed.not_before)


# --- the end --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entity",
    [
        NEED,
        replace(VERSION, status="published"),
        replace(VERSION, status="deprecated"),
        replace(GRANT, status="approved"),
        replace(GRANT, status="suspended"),
    ],
)
def test_what_still_holds_is_not_removed(entity: Entity) -> None:
    with pytest.raises(WrongState):
        check_removable(entity)


@pytest.mark.parametrize("entity", [VERSION, replace(VERSION, status="retired"), GRANT, CLIENT, SERVICE])
def test_what_holds_nothing_can_be_removed(entity: Entity) -> None:
    check_removable(entity)


@pytest.mark.parametrize(
    ("kind", "entity"),
    [
        (Kind.NEED, take(Kind.NEED, NEED, "withdraw", reason="x")),
        (Kind.VERSION, replace(VERSION, status="retired")),
        (Kind.GRANT, replace(GRANT, status="revoked")),
        (Kind.GRANT, replace(GRANT, status="refused")),
    ],
)
def test_what_has_ended_is_not_rewritten(kind: Kind, entity: Entity) -> None:
    with pytest.raises(WrongState):
        rewritten(kind, entity, entity, AT)
