"""Usage: what is counted, under which key, and how a day and a latency are read off it.

Usage is derived from final records and from nothing else. The writer counts each batch in the transaction that
makes it durable; `rebuild` counts the same records again with the same two functions, so both must agree.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from registry.evidence import Outcome, Record

LATENCY_BUCKETS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000)
"""Upper bounds (inclusive) of the latency histogram; one more bucket takes what is slower."""
BUCKETS = len(LATENCY_BUCKETS_MS) + 1
BUCKET_NAMES = (*(f"latency_{bound}" for bound in LATENCY_BUCKETS_MS), "latency_slower")
VALUE_NAMES = ("count", "request_bytes", "reply_bytes", *BUCKET_NAMES)

QUOTA_OUTCOMES = frozenset(
    {
        Outcome.SUCCESS,
        Outcome.BUSINESS_FAILURE,
        Outcome.PROVIDER_FAILURE,
        Outcome.UNREACHABLE,
        Outcome.UNKNOWN,
    }
)
"""Outcomes that count against a daily quota: the provider was tried."""

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
HOUR_SECONDS = 3600
_HOUR_US = HOUR_SECONDS * 1_000_000
_BOUNDS_US = tuple(bound * 1000 for bound in LATENCY_BUCKETS_MS)
_FIRST_BUCKET = len(VALUE_NAMES) - BUCKETS


class UsageKey(NamedTuple):
    """Under what an exchange is counted, beside its chain. `hour` is the epoch second at which it begins."""

    hour: int
    environment: str
    consumer: str
    provider: str
    service: str
    version: str
    operation: str
    counts: bool
    national_database: str
    mode: str
    grant: str
    outcome: str


Counted = tuple[UsageKey, int, int, int]
"""One exchange to count: its key, request and reply bytes, and its latency bucket."""


def counted(record: Record) -> Counted | None:
    """Return how a record is counted, or None: only final records are."""
    if record.kind != "final":
        return None
    key = UsageKey(
        record.at // _HOUR_US * HOUR_SECONDS,
        record.environment,
        record.consumer,
        record.provider,
        record.service,
        record.version,
        record.operation,
        record.counts,
        record.national_database,
        record.mode,
        record.grant,
        str(record.outcome),
    )
    return key, record.request_bytes, record.reply_bytes, bisect_left(_BOUNDS_US, record.total_us)


def add(totals: dict[UsageKey, list[int]], exchanges: Iterable[Counted | None]) -> None:
    """Add exchanges to `totals`, whose values stand in the order of VALUE_NAMES."""
    for exchange in exchanges:
        if exchange is None:
            continue
        key, request_bytes, reply_bytes, bucket = exchange
        values = totals.get(key)
        if values is None:
            values = totals[key] = [0] * len(VALUE_NAMES)
        values[0] += 1
        values[1] += request_bytes
        values[2] += reply_bytes
        values[_FIRST_BUCKET + bucket] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Usage summed over what `group` names."""

    group: Mapping[str, str | int | bool | date | datetime]
    count: int
    request_bytes: int
    reply_bytes: int
    latency: Sequence[int]
    """Exchanges in each bucket of LATENCY_BUCKETS_MS, and the slower ones last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """Successes in one day, through operations that count, of one consumer with one provider."""

    day: date
    environment: str
    consumer: str
    provider: str
    national_database: str
    mode: str
    count: int


def quantile(latency: Sequence[int], share: float) -> float | None:
    """Return the latency in milliseconds under which `share` of the exchanges stayed, None without any.

    Straight lines are drawn inside a bucket; what is slower than the last bound is given as that bound.
    """
    rank, seen = share * sum(latency), 0
    if not sum(latency):
        return None
    for count, low, high in zip(latency, (0, *LATENCY_BUCKETS_MS), LATENCY_BUCKETS_MS, strict=False):
        if count and seen + count >= rank:
            return low + (high - low) * max(rank - seen, 0) / count
        seen += count
    return float(LATENCY_BUCKETS_MS[-1])


# --- days -----------------------------------------------------------------------------------------------


def start_of(day: date) -> datetime:
    """Return the instant (UTC) at which a day of Asia/Ho_Chi_Minh begins."""
    return datetime.combine(day, time(), VIETNAM).astimezone(UTC)


def day_of(instant: datetime) -> date:
    """Return the day of Asia/Ho_Chi_Minh in which an instant lies."""
    return instant.astimezone(VIETNAM).date()


def hours_of(day: date) -> tuple[int, int]:
    """Return the first hour of a day and the first one after it, as epoch seconds."""
    return int(start_of(day).timestamp()), int(start_of(day + timedelta(days=1)).timestamp())
