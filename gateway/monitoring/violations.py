"""The book of violations: this worker's counts made durable, and everybody's read."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from gateway.contracts.counts import ViolationCounts
from registry.errors import StoreUnavailable
from registry.labels import today
from registry.sql.violations import ViolationStore, ViolationSum


class ViolationBook:
    """Moves counts of this worker to the database, where those of all workers add up."""

    def __init__(self, counts: ViolationCounts, store: ViolationStore) -> None:
        self._counts = counts
        self._store = store

    async def flush(self) -> None:
        """Make durable what was counted. Raises StoreUnavailable; the counts are then kept for the next time."""
        taken = self._counts.take()
        try:
            await self._store.add(today(), taken)
        except StoreUnavailable:
            self._counts.give_back(taken)
            raise

    async def sums(
        self,
        service: str,
        *,
        since: date,
        consumers: Collection[str] | None,
        filters: Mapping[str, str],
        limit: int,
    ) -> tuple[Sequence[ViolationSum], int]:
        """Return sums, with what this worker has counted until now. Raises StoreUnavailable."""
        await self.flush()
        return await self._store.sums(service, since=since, consumers=consumers, filters=filters, limit=limit)
