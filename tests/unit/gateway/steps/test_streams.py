"""Which later snapshots let a streamed exchange go on."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.exchange import Exchange
from gateway.steps.streams import still_allowed
from gateway.views import Snapshot

BEGAN = 1_000.0


def a_view(**given: Any) -> Any:
    return SimpleNamespace(**given)


def a_snapshot(**given: Any) -> Snapshot:
    values: dict[str, Any] = {
        "clients": {"k": a_view(active=True, not_before=0.0)},
        "systems": {"s1": a_view(active=True), "s2": a_view(active=True)},
        "grants": {("s2", "sv"): (a_view(id="g", status="approved", valid_until=2_000.0),)},
        "services": {"ten": a_view(blocked=None, blocked_consumers={})},
    }
    return cast("Snapshot", a_view(**values | given))


def an_exchange() -> Exchange:
    """An exchange of the shared client of system s1 on behalf of s2."""
    record = a_view(consumer="s2", service="sv", grant="g", at=int(BEGAN * 1e6))
    made = a_view(client=a_view(id="k", system="s1"), record=record, service=a_view(name="Ten"))
    return cast("Exchange", made)


def test_nothing_has_changed() -> None:
    assert still_allowed(an_exchange(), a_snapshot(), BEGAN)


@pytest.mark.parametrize(
    "given",
    [
        {"clients": {}},
        {"clients": {"k": a_view(active=False, not_before=0.0)}},
        {"clients": {"k": a_view(active=True, not_before=BEGAN + 1)}},
        {"systems": {"s1": a_view(active=False), "s2": a_view(active=True)}},
        {"systems": {"s1": a_view(active=True), "s2": a_view(active=False)}},
        {"systems": {"s1": a_view(active=True)}},
        {"grants": {}},
        {"grants": {("s2", "sv"): (a_view(id="g", status="revoked", valid_until=2_000.0),)}},
        {"grants": {("s2", "sv"): (a_view(id="g", status="approved", valid_until=BEGAN),)}},
        {"grants": {("s2", "sv"): (a_view(id="khac", status="approved", valid_until=2_000.0),)}},
        {"services": {}},
        {"services": {"ten": a_view(blocked="sự cố", blocked_consumers={})}},
        {"services": {"ten": a_view(blocked=None, blocked_consumers={"s2": "lạm dụng"})}},
    ],
)
def test_what_ends_a_stream(given: dict[str, Any]) -> None:
    assert not still_allowed(an_exchange(), a_snapshot(**given), BEGAN)


@pytest.mark.parametrize(
    "given",
    [
        {"grants": {("s1", "sv"): (a_view(id="g", status="approved", valid_until=2_000.0),)}},
        {"services": {"ten": a_view(blocked=None, blocked_consumers={"s9": "lạm dụng"})}},
        {"clients": {"k": a_view(active=True, not_before=BEGAN - 1), "khac": a_view(active=False)}},
    ],
)
def test_what_does_not(given: dict[str, Any]) -> None:
    assert still_allowed(an_exchange(), a_snapshot(**given), BEGAN)
