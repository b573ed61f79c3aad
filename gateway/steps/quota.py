"""Step 4: how much. A bucket per grant for the second, committed usage plus what is in flight for the day."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from gateway.exchange import Exchange, Reason, Refusal
from gateway.limiter import Buckets
from gateway.views import GrantView, Snapshot
from registry.evidence import Outcome
from registry.usage import QUOTA_OUTCOMES, VIETNAM

DayCounts = Callable[[Iterable[str], date], Awaitable[Mapping[str, tuple[int, int]]]]
"""Reads what some grants have used on a day: in this worker's own chain, and in all others."""


@dataclass(slots=True)
class _Day:
    """One grant's day: what this worker has used, before it started and since, and what the others have."""

    own: int = 0
    others: int = 0
    known: bool = False

    @property
    def count(self) -> int:
        """Return the calls of the day: our own are exact, the others' as of the last look."""
        return self.own + self.others


class Quotas:
    """Takes calls off a grant's quota.

    Per second: a bucket in each worker, with its share of the limit. Per day: this worker's own calls, those in flight
    included and those before its start as the ledger has them, plus what the other workers have committed; while
    their count cannot be read, the last known one holds. So a restart forgets nothing.
    """

    def __init__(self, buckets: Buckets, day_counts: DayCounts, *, now: Callable[[], float]) -> None:
        self._buckets = buckets
        self._day_counts = day_counts
        self._now = now
        self._begins = self._ends = 0.0
        self._day = self._date = self._today()
        self._days: dict[str, _Day] = {}

    def _today(self) -> date:
        now = self._now()
        if not self._begins <= now < self._ends:
            self._date = today = datetime.fromtimestamp(now, VIETNAM).date()
            midnights = (
                datetime.combine(day, time.min, VIETNAM) for day in (today, today + timedelta(days=1))
            )
            self._begins, self._ends = (midnight.timestamp() for midnight in midnights)
        return self._date

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
        day = self._days.get(grant.id)
        if day is None:
            # Granted, or turned to a new day, within this second: what is in the ledger is read next.
            day = self._days[grant.id] = _Day()
        if day.count >= limit:
            raise Refusal(Reason.QUOTA_PER_DAY, retry_after=self._until_midnight(), limit=limit)
        day.own += 1

    def settle(self, exchange: Exchange) -> None:
        """Tell how a counted exchange ended, once its record is durable (or could not be made so)."""
        day = self._days.get(exchange.record.grant)
        if not exchange.counted or day is None:
            return
        exchange.counted = False
        if Outcome(exchange.record.outcome) not in QUOTA_OUTCOMES and day.own > 0:
            day.own -= 1

    async def refresh(self, snapshot: Snapshot) -> None:
        """Read the counts of all grants that have a daily quota: the others' each time, our own once a day."""
        grants = [g.id for group in snapshot.grants.values() for g in group if g.per_day is not None]
        if not grants:
            return
        day = self._today()
        counts = await self._day_counts(grants, day)
        if day != self._today() or day != self._day:
            return
        for id_, (own, others) in counts.items():
            entry = self._days.setdefault(id_, _Day())
            if not entry.known:
                entry.own, entry.known = max(entry.own, own), True
            entry.others = others

    def _until_midnight(self) -> float:
        self._today()
        return self._ends - self._now()
