"""What each step of an exchange costs by itself, in one process, without sockets, provider, or the ledger's commit.

`python -m bench.steps PATH HEADER …` takes its settings as a node does (`LGSP_*`), reads the registry of that node, and prints
JSON: the microseconds of each step for one request, the smallest of several rounds.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from bench.processes import Process, module
from bench.subjects import Shape, Subject
from connectors.message import Headers
from gateway.build import Builder
from gateway.exchange import Exchange, Reply, Request
from gateway.limiter import AddressLimiter
from gateway.paths import normalise
from gateway.settings import read_settings
from gateway.steps.authorise import authorise
from gateway.steps.identify import Identify
from gateway.steps.route import check_open, find_route
from registry.chains import row_of
from registry.evidence import Outcome, Record
from registry.sql.database import location
from registry.sql.registry import open_registry
from registry.writer import Counters, LedgerWriter

ROUNDS: Final = 10
TIMES: Final = 1_000
BODY: Final = b'{"Status":"1","Data":"' + b"x" * 1000 + b'"}'


def measure_steps(subject: Subject, shape: Shape, core: int | None) -> dict[str, float]:
    """Return the cost of each step in microseconds, for a node's registry and settings."""
    command = module("bench.steps", subject.bases[0] + shape.path, *subject.headers)
    with Process(command, core=core, environ=subject.environ) as process:
        found: dict[str, float] = json.loads(process.hear())
    return found


@dataclass(slots=True)
class NoCommit:
    """A ledger that serialises and counts a record as the writer does, and then forgets it."""

    slot: int = 0
    writable: bool = True
    counters: Counters = field(default_factory=Counters)

    async def append(self, record: Record, salt: bytes = b"") -> None:
        """Make the row that the writer would queue."""
        row_of(record, salt)


class Steps:
    """The steps of one node, each to be run for as many requests as are wanted."""

    def __init__(self, builder: Builder, raw_path: bytes, query: str, headers: Headers) -> None:
        self._parts = builder
        self._snapshot = builder.snapshots.current
        self._identify = Identify(builder.verify, builder.ring, now=time.time)
        self._limiter = AddressLimiter(1e9)
        self._raw_path = raw_path
        self._request = Request(
            method="GET",
            path=normalise(raw_path),
            query=query,
            headers=headers,
            read=_nothing,
            gone=_no,
            client_address="127.0.0.1",
        )
        self._client, self._claims = self._identify.find(self._request, self._snapshot)
        self._reply = Reply(status=200, body=BODY)

    def each(self) -> Mapping[str, Callable[[Sequence[Exchange]], None]]:
        """Return what is measured, by name: does one thing for every exchange that it gets, as far as it was carried."""
        return {
            "limit": lambda given: self._many(given, lambda _: self._limiter.spend("127.0.0.1")),
            "path": lambda given: self._many(given, lambda _: normalise(self._raw_path)),
            "token": lambda given: self._many(given, self._find),
            "open": lambda given: self._many(given, self._open),
            "admit": lambda given: self._many(given, self._admit),
            "route": lambda given: self._many(given, find_route),
            "authorise": lambda given: self._many(given, self._authorise),
            "check_open": lambda given: self._many(given, check_open),
            "quota": lambda given: self._many(given, self._parts.quotas.spend),
            "metrics": lambda given: self._many(given, self._count),
            "seal": self._seal_all,
        }

    def fresh(self) -> Exchange:
        """Return an exchange that has just begun."""
        request = replace(self._request, received_ns=time.perf_counter_ns())
        return self._parts.recorder.open(request, self._snapshot, self._client)

    def carried(self) -> Exchange:
        """Return an exchange whose provider has answered."""
        exchange = self.fresh()
        find_route(exchange)
        self._authorise(exchange)
        exchange.record.sent, exchange.record.outcome = True, Outcome.SUCCESS
        return exchange

    def together(self, given: Sequence[Exchange]) -> None:
        """Do token, route, quota, metrics and record, one after the other, for every exchange."""
        _run(self._together(given))

    async def _together(self, given: Sequence[Exchange]) -> None:
        for carried in given:
            self._find(carried)
            exchange = self._open(carried)
            find_route(exchange)
            exchange.grant = carried.grant
            self._parts.quotas.spend(exchange)
            exchange.record.outcome = Outcome.SUCCESS
            await self._parts.recorder.seal(exchange, self._reply)

    @staticmethod
    def _many(given: Sequence[Exchange], act: Callable[[Exchange], object]) -> None:
        for exchange in given:
            act(exchange)

    def _find(self, _: Exchange) -> object:
        return self._identify.find(self._request, self._snapshot)

    def _open(self, exchange: Exchange) -> Exchange:
        return self._parts.recorder.open(exchange.request, self._snapshot, self._client)

    def _admit(self, _: Exchange) -> None:
        self._identify.admit(self._client, self._claims, "127.0.0.1", self._snapshot)

    @staticmethod
    def _authorise(exchange: Exchange) -> None:
        authorise(exchange, time.time())

    def _count(self, exchange: Exchange) -> None:
        name = exchange.service.name if exchange.service else ""
        self._parts.metrics.exchange(name, exchange.record.outcome, 0.001, 0.002)

    def _seal_all(self, given: Sequence[Exchange]) -> None:
        """Seal, which counts as well."""

        async def seal() -> None:
            for exchange in given:
                await self._parts.recorder.seal(exchange, self._reply)

        _run(seal())


def _run(work: Any) -> None:  # Any: a coroutine that never waits
    """Run a coroutine that never waits, without a loop's help."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise RuntimeError("it waited")


async def _nothing() -> bytes:
    return b""


def _no() -> bool:
    return False


async def measured(path: str, headers: Sequence[str]) -> dict[str, float]:
    """Open the node's parts and measure the steps."""
    settings = read_settings()
    raw_path, _, query = path.partition("?")
    pairs = [line.split(": ", 1) for line in ("Host: 127.0.0.1", "Accept: application/json", *headers)]
    fields = [(name.lower().encode(), value.encode()) for name, value in pairs]
    where = location(settings.database_address(), settings.data_dir)
    async with open_registry(where, node=settings.node) as registry:
        ledger, unsigned = cast("LedgerWriter", NoCommit()), cast("Any", None)
        builder = Builder(settings, registry, ledger, unsigned, addresses=[("127.0.0.1", 1)])
        try:
            await builder.key_watch.open()
            await builder.snapshots.refresh()
            steps = Steps(builder, raw_path.encode(), query, fields)
            found = {
                f"{name}_us": _smallest(work, steps.fresh if name in {"route", "open"} else steps.carried)
                for name, work in steps.each().items()
            }
            return found | {"together_us": _smallest(steps.together, steps.carried)}
        finally:
            builder.guests.close()
            await builder.transport.close()
            for engine in (builder.registry_engine, builder.ledger_engine):
                await engine.dispose()


def _smallest(work: Callable[[Sequence[Exchange]], None], make: Callable[[], Exchange]) -> float:
    """Return the microseconds of one exchange in the round that was disturbed least."""
    best = float("inf")
    for _ in range(ROUNDS):
        given = [make() for _ in range(TIMES)]
        began = time.perf_counter_ns()
        work(given)
        best = min(best, time.perf_counter_ns() - began)
    return round(best / TIMES / 1000, 2)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measured(sys.argv[1], sys.argv[2:]))), flush=True)
