"""Faults and delays of one mock: what a caller orders by header, in the sandbox only, and what the schedule has."""

from datetime import UTC, datetime, timedelta

from connectors.builtin.mock.replies import said
from connectors.builtin.mock.settings import MockSettings, Scheduled
from connectors.contract import Busy, Call, Clock, Result, Unknown, Unreachable

MOST_DELAY_SECONDS = 60.0
VIETNAM = timedelta(hours=7)


class Faults:
    """Counts calls, and says how each is to go."""

    def __init__(self, settings: MockSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._calls = 0

    def orders(self, call: Call) -> dict[bytes, str]:
        """Return what the caller orders, if it may."""
        if not (call.sandbox and self._settings.headers_in_sandbox):
            return {}
        return {
            name: value.decode("latin-1") for name, value in call.message.headers if name.startswith(b"mock-")
        }

    def planned(self, call: Call) -> tuple[str, float]:
        """Return the fault and the delay of this call, the next one by the count."""
        self._calls += 1
        fault, delay = "", 0.0
        for planned in self._settings.schedule:
            if self._is_due(planned, call.operation):
                fault, delay = fault or planned.fault or "", max(delay, planned.delay_seconds)
        orders = self.orders(call)
        return orders.get(b"mock-fault", fault), _seconds(orders.get(b"mock-delay", ""), delay)

    def _is_due(self, planned: Scheduled, operation: str) -> bool:
        if planned.operations and operation not in planned.operations:
            return False
        if self._calls % planned.every:
            return False
        now = (datetime.fromtimestamp(self._clock.time(), UTC) + VIETNAM).strftime("%H:%M")
        since, until = planned.daily_from or "00:00", planned.daily_until or "24:00"
        return since <= now < until if since <= until else not until <= now < since


def as_result(fault: str) -> Result:
    """Return how a call ends that fails in this way."""
    match fault:
        case "unreachable":
            return Unreachable(reason="refused")
        case "cut":
            return Unknown(reason="cut")
        case "rubbish":
            return Unknown(reason="rubbish", rubbish=True)
        case "busy":
            return Busy(after=1.0)
        case _:
            return said(int(fault), "a fault that was asked for")


def _seconds(text: str, otherwise: float) -> float:
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        return otherwise
    return min(float(text), MOST_DELAY_SECONDS)
