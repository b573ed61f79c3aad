"""What is measured, and how: interleaved rounds, medians, and a count of records after each case."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench.bodies import measure_large_bodies
from bench.idle import measure_idle
from bench.load import Job, Result
from bench.processes import Process, cpu_seconds
from bench.subjects import Setting, Subject, direct, lgsp, naive

Figures = dict[str, Any]
"""The figures of one subject in one case: `us_cpu`, `rps`, `p50_ms`, `p99_ms`, and what a case adds."""

WARM_UP = 0.3
FEW_ROUTES, MANY_ROUTES = 10, 5000

Open = Callable[[Setting], AbstractContextManager[Subject]]
SUBJECTS: dict[str, Open] = {"direct": direct, "naive": naive, "lgsp": lgsp}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how often to measure."""

    rounds: int = 3
    seconds: float = 2.0
    connections: int = 64
    subjects: tuple[str, ...] = ("direct", "naive", "lgsp")


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


class Bench:
    """Runs cases. `load` is the load generator, `say` tells a person how far it is."""

    def __init__(self, setting: Setting, load: Process, plan: Plan, say: Callable[[str], None]) -> None:
        self._setting = setting
        self._load = load
        self._plan = plan
        self._say = say

    def run(self, case: str) -> dict[str, dict[str, Figures]]:
        """Run a case and return its figures by subject; a case may come as several."""
        return CASES[case](self)

    def measured(self, case: str, setting: Setting) -> dict[str, dict[str, Figures]]:
        """Measure the subjects of the plan against each other."""
        with ExitStack() as stack:
            names = self._plan.subjects
            running = {name: stack.enter_context(SUBJECTS[name](setting)) for name in names}
            return {case: self._interleaved(case, running)}

    def _interleaved(self, case: str, running: dict[str, Subject]) -> dict[str, Figures]:
        """Measure what runs in turn, round by round, and return the medians."""
        rounds: dict[str, list[Round]] = {name: [] for name in running}
        voids: dict[str, str] = {}
        for number in range(self._plan.rounds):
            for name, subject in running.items():
                self._say(f"{case}: round {number + 1} of {self._plan.rounds}, {name}")
                try:
                    rounds[name].append(self._round(subject))
                except Void as error:
                    voids[name] = str(error)
        return {name: _median(rounds[name], voids.get(name)) for name in running}

    def _round(self, subject: Subject) -> Round:
        before = subject.records() if subject.records else 0
        warm = self._send(subject, WARM_UP)
        cpu = cpu_seconds(subject.pid)
        result = self._send(subject, self._plan.seconds)
        spent = cpu_seconds(subject.pid) - cpu
        _check(result)
        if subject.records is not None:
            recorded, answered = subject.records() - before, warm.answered + result.answered
            if recorded != answered:
                raise Void(f"{answered} exchanges were answered and {recorded} recorded")
        return Round(result, spent)

    def _send(self, subject: Subject, seconds: float) -> Result:
        job = Job(
            port=subject.port,
            requests=subject.requests,
            connections=self._plan.connections,
            seconds=seconds,
        )
        self._load.tell(json.dumps(asdict(job)))
        return Result(**json.loads(self._load.hear()))

    def plain(self) -> dict[str, dict[str, Figures]]:
        """Forwarding. The policies of `lgsp` cannot be switched off: it does the least it can do."""
        return self.measured("plain", replace(self._setting, policies=False))

    def policies(self) -> dict[str, dict[str, Figures]]:
        """Token, grant, quota, durable evidence, metrics."""
        return self.measured("policies", self._setting)

    def routes(self) -> dict[str, dict[str, Figures]]:
        """Few and many routes and grants, the same number of them called; and many, all called in turn.

        The last differs by more than the routes: each has its own usage and quota to keep.
        """
        self._say(f"routes: a node with {FEW_ROUTES} routes and one with {MANY_ROUTES}")
        with ExitStack() as stack:
            few, many = (
                stack.enter_context(lgsp(replace(self._setting, services=count)))
                for count in (FEW_ROUTES, MANY_ROUTES)
            )
            some = many.requests[:: MANY_ROUTES // FEW_ROUTES]
            running = {
                f"routes{FEW_ROUTES}": few,
                f"routes{MANY_ROUTES}": replace(many, requests=some),
                f"routes{MANY_ROUTES}-all": many,
            }
            found = self._interleaved("routes", running)
        return {case: {"lgsp": figures} for case, figures in found.items()}

    def body100m(self) -> dict[str, dict[str, Figures]]:
        """100 MB up and 100 MB down, with the memory that it took."""
        self._say("body100m")
        with lgsp(self._setting) as subject:
            return {"body100m": {"lgsp": measure_large_bodies(subject)}}

    def idle(self) -> dict[str, dict[str, Figures]]:
        """Start-up times, and the memory of a node that does nothing."""
        self._say("idle")
        began = time.perf_counter()
        with lgsp(self._setting) as subject:
            return {
                "idle": {"lgsp": measure_idle(subject, self._setting.folder, time.perf_counter() - began)}
            }


CASES: dict[str, Callable[[Bench], dict[str, dict[str, Figures]]]] = {
    "plain": Bench.plain,
    "policies": Bench.policies,
    "routes": Bench.routes,
    "body100m": Bench.body100m,
    "idle": Bench.idle,
}


def _check(result: Result) -> None:
    if not result.answered:
        raise Void("nothing was answered")
    if result.refused or result.broken:
        raise Void(
            f"{result.refused} answers were no success, {result.broken} never came: {result.first_refused}"
        )


def _median(rounds: list[Round], void: str | None) -> Figures:
    if void is not None or not rounds:
        nothing: Figures = dict.fromkeys(("us_cpu", "rps", "p50_ms", "p99_ms"))
        return nothing | {"void": void or "no round was finished"}
    figures = [one.figures() for one in rounds]
    return {name: round(statistics.median(one[name] for one in figures), 3) for name in figures[0]}


@contextmanager
def open_bench(
    setting_of: Callable[[Process, int], Setting], plan: Plan, core: int | None, say: Callable[[str], None]
) -> Iterator[Bench]:
    """Start what every case needs: the upstream and the load generator, together on one core."""
    with Process("bench.upstream", core=core) as upstream, Process("bench.load", core=core) as load:
        port = int(upstream.hear())
        load.hear()
        yield Bench(setting_of(upstream, port), load, plan, say)
