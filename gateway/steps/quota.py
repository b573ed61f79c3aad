"""Step 4: how much. A bucket per grant for the second, committed usage plus what is in flight for the day."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gateway.exchange import Exchange, Reason, Refusal
from gateway.limiter import Buckets
from gateway.views import GrantView, Snapshot
from registry.evidence import Outcome
from registry.usage import QUOTA_OUTCOMES, VIETNAM

DayCounts = Callable[[Iterable[str], date], Awaitable[Mapping[str, int]]]
"""Reads the committed count of some grants on a day, over all chains."""


@dataclass(slots=True)
class _Day:
    """One grant's day: what the ledger said, and what this process has taken and committed since it began."""

    ledger: int = 0
    ledger_at: int = 0
    taken: int = 0
    committed: int = 0

    @property
    def count(self) -> int:
        """Return an upper bound: the ledger's count and each take that it may not hold yet."""
        return self.ledger + self.taken - self.ledger_at


class Quotas:
    """Takes calls off a grant's quota.

    Per second: a bucket in each worker, with its share of the limit. Per day: usage already committed for the grant (all
    workers) plus this worker's calls since; while the shared count cannot be read, the last known one plus our own
    holds. So a restart forgets nothing, and the count errs to the careful side.
    """

    def __init__(self, buckets: Buckets, day_counts: DayCounts, *, now: Callable[[], float]) -> None:
        self._buckets = buckets
        self._day_counts = day_counts
        self._now = now
        self._day = self._today()
        self._days: dict[str, _Day] = {}

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), VIETNAM).date()

    def spend(self, exchange: Exchange) -> None:
        """Take one call off the quota. Raises Refusal with the time after which a retry helps."""
        grant = exchange.grant
        if grant is None:
            raise Refusal(Reason.GRANT_MISSING)
        wait = self._buckets.spend(grant.id, grant.per_second)
        if wait > 0:
            raise Refusal(Reason.QUOTA_PER_SECOND, retry_after=wait, limit=grant.per_second)
        if grant.per_day is not None:
            self._spend_day(grant, grant.per_day)
            exchange.counted = True

    def _spend_day(self, grant: GrantView, limit: int) -> None:
        if self._today() != self._day:
            self._day = self._today()
            self._days.clear()
        day = self._days.setdefault(grant.id, _Day())
        if day.count >= limit:
            raise Refusal(Reason.QUOTA_PER_DAY, retry_after=self._until_midnight(), limit=limit)
        day.taken += 1

    def settle(self, exchange: Exchange) -> None:
        """Tell how a counted exchange ended, once its record is durable (or could not be made so)."""
        day = self._days.get(exchange.record.grant)
        if not exchange.counted or day is None:
            return
        exchange.counted = False
        if day.taken <= day.committed:
            return  # it was taken off yesterday's quota
        if Outcome(exchange.record.outcome) in QUOTA_OUTCOMES:
            day.committed += 1
        else:
            day.taken -= 1

    async def refresh(self, snapshot: Snapshot) -> None:
        """Read the committed counts of all grants that have a daily quota."""
        grants = [g.id for group in snapshot.grants.values() for g in group if g.per_day is not None]
        if not grants:
            return
        day = self._today()
        before = {id_: self._days[id_].committed for id_ in grants if id_ in self._days}
        counts = await self._day_counts(grants, day)
        if day != self._today() or day != self._day:
            return
        for id_ in grants:
            entry = self._days.setdefault(id_, _Day())
            entry.ledger, entry.ledger_at = counts.get(id_, 0), before.get(id_, 0)

    def _until_midnight(self) -> float:
        now = datetime.fromtimestamp(self._now(), VIETNAM)
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), VIETNAM)
        return (midnight - now).total_seconds()
