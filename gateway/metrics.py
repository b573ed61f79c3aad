"""The node's metrics: declared in one table, few, with labels from closed sets only.

prometheus_client chooses between one process and several when it is imported, by an environment variable; so it is
imported when `Metrics` is made, and `prepare_multiprocess` comes before that.
"""

import os
import sys
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from gateway.exchange import Reason
from gateway.notices import GUARD, TOKEN
from registry.evidence import Outcome

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
MULTIPROCESS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
# Our own share is tenths of milliseconds, a provider's is anything up to its deadline.
GATEWAY_BUCKETS: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)
PROVIDER_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
OTHER: Final = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One metric: its name, what it says, its labels; `across` is how workers' gauges become one."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    across: Literal["livesum", "livemin", "livemax", "livemostrecent"] = "livesum"


def _counter(name: str, help: str, *labels: str) -> Declaration:  # noqa: A002  (Prometheus's word)
    return Declaration(kind="counter", name=name, help=help, labels=labels)


EXCHANGES: Final = _counter(
    "lgsp_exchanges_total", "Exchanges that ended, by service and outcome.", "service", "outcome"
)
GATEWAY_SECONDS: Final = Declaration(
    kind="histogram",
    name="lgsp_exchange_gateway_seconds",
    help="Time of an exchange spent in this node (all of it but the waiting for the provider).",
    labels=("service",),
    buckets=GATEWAY_BUCKETS,
)
PROVIDER_SECONDS: Final = Declaration(
    kind="histogram",
    name="lgsp_exchange_provider_seconds",
    help="Time of an exchange spent waiting for the provider; only of exchanges in which it was called.",
    labels=("service",),
    buckets=PROVIDER_BUCKETS,
)
EXCHANGE_TIMES: Final = (GATEWAY_SECONDS, PROVIDER_SECONDS)
REFUSED: Final = _counter(
    "lgsp_refused_requests_total",
    "Requests refused before a client was known, by reason: the guard's, or a problem code.",
    "reason",
)
TOKENS: Final = _counter(
    "lgsp_token_requests_total", "Answers of /token: `issued`, or the error code.", "result"
)
VIOLATIONS: Final = _counter(
    "lgsp_contract_violations_total",
    "Messages that broke their contract, by service, direction (`request`, `reply`) and mode (`shadow`, `enforce`).",
    "service",
    "direction",
    "mode",
)
CONNECTIONS: Final = Declaration(kind="gauge", name="lgsp_connections", help="Open connections of callers.")
REVISION: Final = Declaration(
    kind="gauge",
    name="lgsp_registry_revision",
    help="The revision that the data plane runs; of several workers the oldest.",
    across="livemin",
)
REVISION_AGE: Final = Declaration(
    kind="gauge",
    name="lgsp_registry_age_seconds",
    help="For how long the data plane has run an older revision than the registry's latest.",
    across="livemax",
)
QUARANTINED: Final = Declaration(
    kind="gauge",
    name="lgsp_registry_quarantined_objects",
    help="Objects of the registry that are broken and out of service.",
    across="livemax",
)
CONNECTORS_QUARANTINED: Final = Declaration(
    kind="gauge",
    name="lgsp_connectors_quarantined",
    help="Installed connectors that cannot be used; `lgsp connectors` names them.",
    across="livemax",
)
LEDGER_WRITABLE: Final = Declaration(
    kind="gauge",
    name="lgsp_ledger_writable",
    help="1 while evidence can be kept, 0 while requests are refused because it cannot.",
    across="livemin",
)
LEDGER_RECORDS: Final = _counter("lgsp_ledger_records_total", "Records made durable in the ledger.")
LEDGER_BATCHES: Final = _counter("lgsp_ledger_batches_total", "Batches committed to the ledger.")
LEDGER_FAILURES: Final = _counter("lgsp_ledger_failures_total", "Commits to the ledger that failed.")
LEDGER_SECONDS: Final = _counter("lgsp_ledger_commit_seconds_total", "Time spent committing to the ledger.")
NEEDED: Final = Declaration(
    kind="gauge",
    name="lgsp_connectivity_needed_systems",
    help="Systems with a declared need, by national database and mode.",
    labels=("national_database", "mode"),
    across="livemostrecent",
)
CONNECTED: Final = Declaration(
    kind="gauge",
    name="lgsp_connectivity_connected_systems",
    help="Systems in need that proved a connection within the window, by national database and mode.",
    labels=("national_database", "mode"),
    across="livemostrecent",
)

DECLARATIONS: Final = (
    EXCHANGES,
    GATEWAY_SECONDS,
    PROVIDER_SECONDS,
    REFUSED,
    TOKENS,
    VIOLATIONS,
    CONNECTIONS,
    REVISION,
    REVISION_AGE,
    QUARANTINED,
    CONNECTORS_QUARANTINED,
    LEDGER_WRITABLE,
    LEDGER_RECORDS,
    LEDGER_BATCHES,
    LEDGER_FAILURES,
    LEDGER_SECONDS,
    NEEDED,
    CONNECTED,
)


class LedgerCounts(Protocol):
    """What a ledger's writer has done since it started."""

    records: int
    batches: int
    failures: int
    commit_seconds: float


class _Times:
    """Times of one histogram and service that the library has not been told yet: adding one is an addition."""

    __slots__ = ("_bounds", "_counts", "_histogram", "_sum")

    def __init__(self, histogram: "Histogram", bounds: tuple[float, ...]) -> None:
        self._histogram: Any = histogram  # Any: the library's own sums are reached into, see `tell`
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one time."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def tell(self) -> None:
        """Tell the library. It has no public way to take in several at once; a test pins this one."""
        for number, count in enumerate(self._counts):
            if count:
                self._histogram._buckets[number].inc(count)  # noqa: SLF001  (see above)
                self._counts[number] = 0
        self._histogram._sum.inc(self._sum)  # noqa: SLF001  (see above)
        self._sum = 0.0


class _Ended:
    """What has ended of one service since the library was told last."""

    __slots__ = ("gateway", "outcomes", "provider")

    def __init__(self, gateway: _Times, provider: _Times) -> None:
        self.outcomes: dict[str, int] = {}
        self.gateway = gateway
        self.provider = provider


class Metrics:
    """The metrics of one process, on a registry of their own.

    Exchanges are counted in numbers of ours, which the library is told by `settle`: it is asked once a second, not for
    each request.
    """

    def __init__(self) -> None:
        from prometheus_client import (  # noqa: PLC0415  (see the module's docstring)
            CollectorRegistry,
            disable_created_metrics,
        )

        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library is untyped here
        self._registry = CollectorRegistry()
        self._made = {declaration.name: self._make(declaration) for declaration in DECLARATIONS}
        self._ended: dict[str, _Ended] = {}
        self._unsettled: set[str] = set()
        self._refused = self._children(REFUSED, (*Reason, *GUARD, OTHER))
        self._tokens = self._children(TOKENS, ("issued", *TOKEN, OTHER))
        self._ledger_seen: dict[str, float] = {}
        self._connectivity: set[tuple[str, str]] = set()
        self._gauge(LEDGER_WRITABLE).set(1)

    def exchange(self, service: str, outcome: str, gateway_seconds: float, provider_seconds: float) -> None:
        """Count an exchange that has ended; a provider's time of 0 means that it was not called."""
        ended = self._ended.get(service)
        if ended is None:
            ended = self._ended[service] = _Ended(*(self._times(it, service) for it in EXCHANGE_TIMES))
        self._unsettled.add(service)
        ended.outcomes[outcome] = ended.outcomes.get(outcome, 0) + 1
        ended.gateway.add(gateway_seconds)
        if provider_seconds > 0:
            ended.provider.add(provider_seconds)

    def settle(self) -> None:
        """Tell the library what has ended since the last time."""
        for service in self._unsettled:
            ended = self._ended[service]
            for outcome, count in ended.outcomes.items():
                self._counter(EXCHANGES).labels(service, outcome).inc(count)
            ended.outcomes.clear()
            ended.gateway.tell()
            ended.provider.tell()
        self._unsettled.clear()

    def refused(self, reason: str) -> None:
        """Count a request refused before a client was known."""
        self._refused.get(reason, self._refused[OTHER]).inc()

    def token(self, result: str) -> None:
        """Count an answer of /token: `issued` or an error code."""
        self._tokens.get(result, self._tokens[OTHER]).inc()

    def contract_violated(self, service: str, direction: str, mode: str) -> None:
        """Count a message that breaks its contract."""
        self._counter(VIOLATIONS).labels(service, direction, mode).inc()

    def connections(self, count: int) -> None:
        """Say how many connections are open."""
        self._gauge(CONNECTIONS).set(count)

    def registry(self, revision: int, age_seconds: float, quarantined: int) -> None:
        """Say which revision runs, for how long it has been behind (0: it is the latest), and what is broken."""
        self._gauge(REVISION).set(revision)
        self._gauge(REVISION_AGE).set(age_seconds)
        self._gauge(QUARANTINED).set(quarantined)

    def connectors(self, *, quarantined: int) -> None:
        """Say how many installed connectors were set aside when the node started."""
        self._gauge(CONNECTORS_QUARANTINED).set(quarantined)

    def ledger(self, counts: LedgerCounts, *, writable: bool) -> None:
        """Bring the ledger's metrics up to what its writer says."""
        self._gauge(LEDGER_WRITABLE).set(1 if writable else 0)
        self._advance(LEDGER_RECORDS, counts.records)
        self._advance(LEDGER_BATCHES, counts.batches)
        self._advance(LEDGER_FAILURES, counts.failures)
        self._advance(LEDGER_SECONDS, counts.commit_seconds)

    def connectivity(self, rows: Iterable[tuple[str, str, int, int]]) -> None:
        """Set the figures: national database, mode, systems in need, systems connected. What is not named is 0."""
        gone = set(self._connectivity)
        for database, mode, needed, connected in rows:
            self._gauge(NEEDED).labels(database, mode).set(needed)
            self._gauge(CONNECTED).labels(database, mode).set(connected)
            self._connectivity.add((database, mode))
            gone.discard((database, mode))
        for labels in gone:
            self._gauge(NEEDED).labels(*labels).set(0)
            self._gauge(CONNECTED).labels(*labels).set(0)

    def render(self) -> bytes:
        """Return the metrics in Prometheus's text format: of all workers, when there are several."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415

        self.settle()
        folder = os.environ.get(MULTIPROCESS_VARIABLE)  # noqa: TID251  (the library's own switch)
        if not folder:
            return generate_latest(self._registry)
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        everybody = CollectorRegistry()
        MultiProcessCollector(everybody, path=folder)  # type: ignore[no-untyped-call]  # the library is untyped here
        return generate_latest(everybody)

    def _make(self, declared: Declaration) -> "Counter | Gauge | Histogram":
        from prometheus_client import Counter, Gauge, Histogram  # noqa: PLC0415

        common: dict[str, Any] = {"labelnames": declared.labels, "registry": self._registry}
        match declared.kind:
            case "counter":
                return Counter(declared.name, declared.help, **common)
            case "gauge":
                return Gauge(declared.name, declared.help, multiprocess_mode=declared.across, **common)
            case "histogram":
                return Histogram(declared.name, declared.help, buckets=declared.buckets, **common)

    def _children(self, declared: Declaration, values: Iterable[str]) -> "dict[str, Counter]":
        counter = self._counter(declared)
        return {str(value): counter.labels(str(value)) for value in values}

    def _advance(self, declared: Declaration, value: float) -> None:
        seen = self._ledger_seen.get(declared.name, 0.0)
        if value > seen:
            self._counter(declared).inc(value - seen)
        self._ledger_seen[declared.name] = value

    def _counter(self, declared: Declaration) -> "Counter":
        made: Any = self._made[declared.name]  # Any: of the declared kind
        counter: Counter = made
        return counter

    def _gauge(self, declared: Declaration) -> "Gauge":
        made: Any = self._made[declared.name]  # Any: of the declared kind
        gauge: Gauge = made
        return gauge

    def _times(self, declared: Declaration, service: str) -> _Times:
        made: Any = self._made[declared.name]  # Any: of the declared kind
        return _Times(made.labels(service), declared.buckets)


# --- several workers ------------------------------------------------------------------------------------


def prepare_multiprocess(directory: Path) -> None:
    """Make this process share its metrics through a folder; to be called before `Metrics` is made.

    Raises:
        RuntimeError: prometheus_client has been imported, and so has chosen already.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("prometheus_client is imported; prepare_multiprocess comes too late")
    os.environ[MULTIPROCESS_VARIABLE] = str(directory)  # noqa: TID251  (the library's own switch)


def wipe(directory: Path) -> None:
    """Make the folder, or forget what an earlier run left in it; to be called before the workers start."""
    directory.mkdir(parents=True, exist_ok=True)
    for file in directory.glob("*.db"):
        file.unlink(missing_ok=True)


def mark_process_dead(directory: Path, pid: int) -> None:
    """Drop the gauges of a worker that has ended; what it counted stays."""
    for file in directory.glob(f"gauge_live*_{pid}.db"):
        file.unlink(missing_ok=True)


# --- the reference page ---------------------------------------------------------------------------------


def reference() -> str:
    """Return docs/reference/metrics.md."""
    lines = [REFERENCE_HEAD, "| metric | kind | labels | what |", "|---|---|---|---|"]
    for declared in DECLARATIONS:
        labels = ", ".join(f"`{label}`" for label in declared.labels) or "-"
        lines.append(f"| `{declared.name}` | {declared.kind} | {labels} | {declared.help} |")
    outcomes = ", ".join(f"`{outcome}`" for outcome in Outcome)
    lines += [
        "",
        f"Values of `outcome`: {outcomes}. Values of `reason`: the codes of [problems](problems.md).",
        "",
    ]
    return "\n".join(lines)


REFERENCE_HEAD: Final = """# Metrics

`GET /metrics` answers in Prometheus's text format, with the figures of all workers together. No label holds anything
that a caller sent: services, databases and modes come from the registry, the other values from closed sets.
"""

if __name__ == "__main__":
    sys.stdout.write(reference())
