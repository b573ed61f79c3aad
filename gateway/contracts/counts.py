"""Counting violations: in numbers of this process, which somebody else makes durable every few seconds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import time
from typing import Final

from gateway.contracts.compiled import Check
from gateway.contracts.violations import ANY, Violation
from registry.evidence import Record
from registry.violations import Count, ViolationKey

MOST_KINDS: Final = 100
"""So many different violations are told apart for one consumer's use of an operation; the rest count as one."""
MOST_KEYS: Final = 20_000
"""So many counts are kept while they cannot be made durable."""
MORE: Final = Violation("body", f"/{ANY}", "more")


@dataclass(slots=True)
class ViolationCounts:
    """What was found since the counts were last taken."""

    _counts: dict[ViolationKey, Count] = field(default_factory=dict)
    _kinds: dict[tuple[str, ...], int] = field(default_factory=dict)

    def add(self, record: Record, check: Check, violations: Iterable[Violation]) -> None:
        """Count what is wrong with one message of an exchange."""
        now = time()
        for violation in violations:
            self._add(self._key(record, check, violation), now)

    def _key(self, record: Record, check: Check, violation: Violation) -> ViolationKey:
        use = (
            record.environment, record.consumer, record.provider, record.service, record.version, record.operation,
            check.direction, check.mode,
        )  # fmt: skip
        key = ViolationKey(*use, violation.at, violation.pointer, violation.rule)
        if key in self._counts:
            return key
        kinds = self._kinds.get(use, 0)
        if kinds >= MOST_KINDS:
            return ViolationKey(*use, MORE.at, MORE.pointer, MORE.rule)
        self._kinds[use] = kinds + 1
        return key

    def _add(self, key: ViolationKey, now: float) -> None:
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= MOST_KEYS:
                return
            count = self._counts[key] = Count(now, now)
        count.count += 1
        count.last = now

    def take(self) -> Mapping[ViolationKey, Count]:
        """Return all counts and begin anew."""
        taken, self._counts = self._counts, {}
        self._kinds.clear()
        return taken

    def give_back(self, counts: Mapping[ViolationKey, Count]) -> None:
        """Take counts back that could not be made durable."""
        for key, count in counts.items():
            there = self._counts.get(key)
            if there is None:
                self._counts[key] = count
            else:
                there.count += count.count
                there.first = min(there.first, count.first)
