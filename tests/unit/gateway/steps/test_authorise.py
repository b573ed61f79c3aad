"""A grant lets a call through only when everything fits, and says what does not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import Reason, Refusal
from gateway.steps.authorise import NEARNESS, Claimed, decide
from gateway.views import GrantView
from registry.entities import Environment

NOON = 1_000_000.0
GRANT = GrantView(
    id="grant",
    consumer="system",
    service="service",
    status="approved",
    environments=frozenset({Environment.PRODUCTION}),
    operations=frozenset({"detail"}),
    purposes=None,
    default_purpose="",
    procedure_required=False,
    procedures=None,
    officer="none",
    per_second=50,
    per_day=None,
    valid_from=0.0,
    valid_until=NOON + 1,
)


def reason_of(*grants: GrantView, claimed: Claimed = Claimed(), operation: str = "detail") -> Reason | None:  # noqa: B008
    try:
        decide(grants, operation=operation, environment="production", claimed=claimed, now=NOON)
    except Refusal as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize(
    ("grant", "reason"),
    [
        pytest.param(GRANT, None, id="all fits"),
        pytest.param(replace(GRANT, status="requested"), Reason.GRANT_REQUESTED, id="not decided"),
        pytest.param(replace(GRANT, status="refused"), Reason.GRANT_REFUSED, id="refused"),
        pytest.param(replace(GRANT, status="suspended"), Reason.GRANT_SUSPENDED, id="suspended"),
        pytest.param(replace(GRANT, status="revoked"), Reason.GRANT_REVOKED, id="revoked"),
        pytest.param(
            replace(GRANT, status="quarantined", broken=True), Reason.GRANT_QUARANTINED, id="broken"
        ),
        pytest.param(replace(GRANT, valid_until=NOON), Reason.GRANT_EXPIRED, id="just ended"),
        pytest.param(replace(GRANT, valid_from=NOON + 0.1), Reason.GRANT_NOT_YET_VALID, id="not begun"),
        pytest.param(replace(GRANT, operations=None), None, id="any operation"),
        pytest.param(
            replace(GRANT, operations=frozenset({"other"})), Reason.OPERATION_NOT_GRANTED, id="operation"
        ),
        pytest.param(
            replace(GRANT, environments=frozenset({Environment.SANDBOX})),
            Reason.ENVIRONMENT_NOT_GRANTED,
            id="sandbox",
        ),
        pytest.param(replace(GRANT, purposes=frozenset({"p"})), Reason.PURPOSE_MISSING, id="no purpose"),
        pytest.param(
            replace(GRANT, purposes=frozenset({"p"}), default_purpose="p"), None, id="default purpose"
        ),
        pytest.param(replace(GRANT, procedure_required=True), Reason.PROCEDURE_MISSING, id="no procedure"),
    ],
)
def test_a_grant_is_weighed(grant: GrantView, reason: Reason | None) -> None:
    assert reason_of(grant) == reason


@pytest.mark.parametrize(
    ("grant", "claimed", "reason"),
    [
        (replace(GRANT, purposes=frozenset({"p"})), Claimed(purpose="q"), Reason.PURPOSE_NOT_ALLOWED),
        (
            replace(GRANT, procedures=frozenset({"1.1"})),
            Claimed(procedure="1.2"),
            Reason.PROCEDURE_NOT_ALLOWED,
        ),
        (replace(GRANT, procedures=frozenset({"1.1"})), Claimed(procedure="1.1"), None),
    ],
)
def test_what_the_caller_claims_is_held_against_the_grant(
    grant: GrantView, claimed: Claimed, reason: Reason | None
) -> None:
    assert reason_of(grant, claimed=claimed) == reason


def test_without_any_grant_the_answer_is_no() -> None:
    assert reason_of() is Reason.GRANT_MISSING


def test_a_second_grant_can_allow_what_the_first_does_not() -> None:
    assert reason_of(replace(GRANT, status="revoked"), GRANT) is None


def test_the_reason_that_came_closest_is_told() -> None:
    near = replace(GRANT, operations=frozenset({"other"}))

    assert reason_of(replace(GRANT, status="revoked"), near) is Reason.OPERATION_NOT_GRANTED


def test_a_newer_grant_that_is_suspended_is_told_before_an_old_refusal() -> None:
    old, new = replace(GRANT, status="refused"), replace(GRANT, status="suspended")

    assert reason_of(old, new) is Reason.GRANT_SUSPENDED
    assert reason_of(new, old) is Reason.GRANT_SUSPENDED


def test_a_procedure_is_the_purpose_where_no_other_is_said() -> None:
    grant = replace(GRANT, purposes=frozenset({"1.000001"}))

    assert reason_of(grant, claimed=Claimed(procedure="1.000001")) is None
    other = Claimed(procedure="1.000001", purpose="q")
    assert reason_of(grant, claimed=other) is Reason.PURPOSE_NOT_ALLOWED


CHANGES: tuple[dict[str, object], ...] = (
    {},
    {"status": "requested"},
    {"status": "refused"},
    {"status": "suspended"},
    {"status": "revoked"},
    {"status": "quarantined"},
    {"valid_from": NOON + 1},
    {"valid_until": NOON},
    {"environments": frozenset({Environment.SANDBOX})},
    {"operations": frozenset({"other"})},
    {"purposes": frozenset({"p"})},
    {"procedure_required": True},
)


@given(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=6))
def test_one_grant_that_holds_is_enough_and_else_the_nearest_reason_is_told(
    changes: list[dict[str, object]],
) -> None:
    grants = [replace(GRANT, **change) for change in changes]  # type: ignore[arg-type]  # fields of GrantView
    alone = [reason_of(grant) for grant in grants]
    told = reason_of(*grants)

    if None in alone:
        assert told is None
    else:
        assert told is not None
        assert NEARNESS.get(told, 99) == max(NEARNESS.get(reason, 99) for reason in alone if reason)
