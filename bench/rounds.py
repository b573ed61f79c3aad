"""How it is measured: subjects in turn, round by round, medians, and a count of records after each round."""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from bench.load import Job, Result
from bench.processes import Process, cpu_seconds, module
from bench.proxies import PROXIES, Missing, proxy
from bench.subjects import Setting, Shape, Subject, direct, lgsp, naive

Figures = dict[str, Any]
"""The figures of one subject in one case: `us_cpu`, `rps`, `p50_ms`, `p99_ms`, and what a case adds."""

WARM_UP = 0.3

Open = Callable[[Setting], AbstractContextManager[Subject]]
SUBJECTS: dict[str, Open] = {
    "direct": direct,
    **{name: partial(proxy, name) for name in PROXIES},
    "naive": naive,
    "lgsp": lgsp,
}
FEWER = ("direct", "nginx", "envoy", "lgsp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how often to measure, and whom: `subjects` in the main cases, `fewer` in the others."""

    rounds: int = 3
    seconds: float = 1.5
    connections: int = 64
    subjects: tuple[str, ...] = tuple(SUBJECTS)
    fewer: tuple[str, ...] = FEWER


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of one subject gave."""

    result: Result
    cpu: float

    def figures(self) -> Figures:
        answered = max(self.result.answered, 1)
        return {
            "us_cpu": self.cpu * 1e6 / answered,
            "rps": self.result.answered / self.result.seconds,
            "p50_ms": self.result.p50_ms,
            "p99_ms": self.result.p99_ms,
        }


class Void(Exception):
    """A case does not count; the text says why."""


class Rounds:
    """Measures subjects in turn. `load` is the load generator, `say` tells a person how far it is."""

    def __init__(self, load: Process, plan: Plan, say: Callable[[str], None]) -> None:
        self.plan = plan
        self._load = load
        self._say = say
        self._missing: set[str] = set()

    def half(self) -> "Rounds":
        """Return the same with rounds half as long."""
        shorter = Rounds(self._load, replace(self.plan, seconds=self.plan.seconds / 2), self._say)
        shorter._missing = self._missing
        return shorter

    def open(self, stack: ExitStack, names: Sequence[str], setting: Setting) -> dict[str, Subject]:
        """Start subjects, to be ended by the stack; those that are not installed are left out, and told once."""
        running = {}
        for name in names:
            try:
                running[name] = stack.enter_context(SUBJECTS[name](setting))
            except Missing as error:
                if name not in self._missing:
                    self._say(str(error))
                self._missing.add(name)
        return running

    def interleaved(
        self,
        case: str,
        running: Mapping[str, Subject],
        shape: Shape | Mapping[str, Shape],
        *,
        connections: int | None = None,
        rate: float = 0.0,
    ) -> dict[str, Figures]:
        """Measure what runs in turn, round by round, and return the medians; each may have a shape of its own."""
        rounds: dict[str, list[Round]] = {name: [] for name in running}
        voids: dict[str, str] = {}
        for number in range(self.plan.rounds):
            for name, subject in running.items():
                self._say(f"{case}: round {number + 1} of {self.plan.rounds}, {name}")
                try:
                    asked = shape if isinstance(shape, Shape) else shape[name]
                    rounds[name].append(self._round(subject, asked, connections, rate))
                except Void as error:
                    voids[name] = str(error)
        return {name: _median(rounds[name], voids.get(name)) for name in running}

    def _round(self, subject: Subject, shape: Shape, connections: int | None, rate: float) -> Round:
        before = subject.records() if subject.records else 0
        warm = self.send(subject, shape, WARM_UP, connections)
        cpu = cpu_seconds(subject.pid)
        result = self.send(subject, shape, self.plan.seconds, connections, rate)
        spent = cpu_seconds(subject.pid) - cpu
        _check(result)
        if subject.records is not None:
            recorded, answered = subject.records() - before, warm.answered + result.answered
            if recorded != answered:
                raise Void(f"{answered} exchanges were answered and {recorded} recorded")
        return Round(result, spent)

    def send(
        self,
        subject: Subject,
        shape: Shape,
        seconds: float,
        connections: int | None = None,
        rate: float = 0.0,
    ) -> Result:
        """Have requests sent to a subject."""
        job = Job(
            port=subject.port,
            requests=subject.requests(shape),
            connections=connections or self.plan.connections,
            seconds=seconds,
            rate=rate,
            trusted=subject.trusted,
        )
        self._load.tell(json.dumps(asdict(job)))
        return Result(**json.loads(self._load.hear()))


def void(figures: Figures) -> bool:
    """Say whether figures do not count."""
    return bool(figures.get("void"))


def _check(result: Result) -> None:
    if not result.answered:
        raise Void("nothing was answered")
    if result.refused or result.broken:
        raise Void(
            f"{result.refused} answers were no success, {result.broken} never came: {result.first_refused}"
        )


def _median(rounds: list[Round], reason: str | None) -> Figures:
    if reason is not None or not rounds:
        nothing: Figures = dict.fromkeys(("us_cpu", "rps", "p50_ms", "p99_ms"))
        return nothing | {"void": reason or "no round was finished"}
    figures = [one.figures() for one in rounds]
    return {name: round(statistics.median(one[name] for one in figures), 3) for name in figures[0]}


@contextmanager
def open_rounds(
    plan: Plan, core: int | None, say: Callable[[str], None]
) -> Iterator[tuple[Rounds, Process, int]]:
    """Start what every case needs: the upstream and the load generator, together on one core.

    Yields the rounds, the upstream and its port.
    """
    with (
        Process(module("bench.upstream"), core=core) as upstream,
        Process(module("bench.load"), core=core) as load,
    ):
        port = int(upstream.hear())
        load.hear()
        yield Rounds(load, plan, say), upstream, port
