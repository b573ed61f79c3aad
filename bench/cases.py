"""What is measured: the table of cases, and those that are more than a row of it."""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench.bodies import measure_large_bodies
from bench.idle import measure_idle
from bench.ledger import measure_ledger
from bench.messages import soap_request
from bench.proxies import PROXIES
from bench.rounds import Figures, Rounds, void
from bench.stalls import measure_stalls
from bench.steps import measure_steps
from bench.subjects import Setting, Shape, Subject, lgsp

FEW_ROUTES, SOME_ROUTES, MANY_ROUTES = 10, 1000, 5000
HALF = 0.5
USUAL = Shape()
KILOBYTE = '{"HoTen":"Trần Thị Bưởi (giả lập)","Data":"' + "x" * 978 + '"}'
LARGE_BODY_SUBJECTS = ("direct", "nginx", "envoy", "lgsp")
OPEN_LOOP_SUBJECTS = ("direct", "envoy", "lgsp")

Found = dict[str, dict[str, Figures]]
"""Figures by case and subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Subjects that do the same thing in turn. A proxy that checks no tokens does in all but `policies` what it can.

    `connections` None: as many as the plan says. `main`: whole rounds of all subjects; the others take half ones of
    fewer.
    """

    shape: Shape = USUAL
    policies: bool = True
    tls: bool = False
    connections: int | None = None
    main: bool = False
    only_policed: bool = False


TABLE = {
    "plain": Case(policies=False, main=True),
    "policies": Case(main=True, only_policed=True),
    "body16k": Case(shape=Shape(path="/sixteen")),
    "post1k": Case(shape=Shape("POST", "/items", KILOBYTE)),
    "tls": Case(tls=True),
    "c1": Case(connections=1),
    "c8": Case(connections=8),
    "c256": Case(connections=256),
}


class Bench:
    """Runs cases. `say` tells a person how far it is."""

    def __init__(self, setting: Setting, rounds: Rounds, say: Callable[[str], None]) -> None:
        self._setting = setting
        self._rounds = rounds
        self._say = say

    def run(self, case: str) -> Found:
        """Run a case and return its figures by subject; a case may come as several."""
        return SPECIAL[case](self) if case in SPECIAL else self._row(case, TABLE[case])

    def _row(self, name: str, case: Case) -> Found:
        setting = replace(self._setting, policies=case.policies, tls=case.tls)
        rounds = self._rounds if case.main else self._rounds.half()
        subjects = [
            subject
            for subject in (rounds.plan.subjects if case.main else rounds.plan.fewer)
            if not (case.tls and subject == "direct")
            and not (case.only_policed and subject in PROXIES and not PROXIES[subject].checks_tokens)
        ]
        with ExitStack() as stack:
            running = rounds.open(stack, subjects, setting)
            found = rounds.interleaved(name, running, case.shape, connections=case.connections)
        return {name: found}

    def routes(self) -> Found:
        """One route, few and many; of the many as many are called as there are few, and all of them in turn.

        Calling more routes costs more than having them: each that is called has its own usage, quota and metrics.
        """
        self._say(f"routes: a node with {FEW_ROUTES} routes and one with {MANY_ROUTES}")
        with ExitStack() as stack:
            one, few, many = (
                stack.enter_context(lgsp(replace(self._setting, services=count)))
                for count in (1, FEW_ROUTES, MANY_ROUTES)
            )
            some = many.bases[:: MANY_ROUTES // FEW_ROUTES]
            running = {
                "routes1": one,
                f"routes{FEW_ROUTES}": few,
                f"routes{MANY_ROUTES}": replace(many, bases=some),
                f"routes{MANY_ROUTES}-all": many,
            }
            found = self._rounds.half().interleaved("routes", running, USUAL)
        return {case: {"lgsp": figures} for case, figures in found.items()}

    def messages(self) -> Found:
        """What is done with messages, by one node in the same rounds.

        A person of 1 KB passed on as in `policies`; the same with 15 fields mapped, checked and limited; and JSON of 2 KB to a
        SOAP provider, whose answer of 2 KB comes back as JSON.
        """
        shapes = {
            "policies-1k": Shape(path="/person"),
            "contract": Shape(path="/person"),
            "soap": Shape("POST", "/soap", soap_request()),
        }
        with ExitStack() as stack:
            node = stack.enter_context(lgsp(replace(self._setting, work="messages", services=len(shapes))))
            running = {
                name: replace(node, bases=[base]) for name, base in zip(shapes, node.bases, strict=True)
            }
            found = self._rounds.half().interleaved("messages", running, shapes)
        _compare(found["contract"], found["policies-1k"])
        for figures in found.values():
            if not void(figures):
                figures["per_core"] = round(1e6 / figures["us_cpu"])
        return {case: {"lgsp": figures} for case, figures in found.items()}

    def steps(self) -> Found:
        """What each step costs by itself, in microseconds, in a node with a thousand routes."""
        self._say(f"steps: a node with {SOME_ROUTES} routes")
        with ExitStack() as stack:
            subject = stack.enter_context(lgsp(replace(self._setting, services=SOME_ROUTES)))
            return {"steps": {"lgsp": measure_steps(subject, USUAL, self._setting.core)}}

    def ledger(self) -> Found:
        """Records a second into the ledger, by the writer alone, with one that waits for each connection of the plan."""
        self._say("ledger")
        plan = self._rounds.plan
        with tempfile.TemporaryDirectory(dir=self._setting.folder) as folder:
            found = measure_ledger(Path(folder), self._setting.core, plan.connections, plan.seconds)
        return {"ledger": {"lgsp": found}}

    def stall(self) -> Found:
        """The longest time for which a node does not answer while it works on 10 MB."""
        self._say("stall")
        with ExitStack() as stack:
            subject = stack.enter_context(lgsp(replace(self._setting, work="stall", services=2)))
            found = measure_stalls(subject, self._rounds.plan.rounds)
        return {f"stall-{name}": {"lgsp": figures} for name, figures in found.items()}

    def body100m(self) -> Found:
        """100 MB down and 100 MB up, with the memory that it took."""
        with ExitStack() as stack:
            names = [name for name in LARGE_BODY_SUBJECTS if name in self._rounds.plan.fewer]
            running = self._rounds.open(stack, names, self._setting)
            found = measure_large_bodies(running, self._rounds.plan.rounds, self._say)
        return {"body100m": found}

    def idle(self) -> Found:
        """Start-up times, and the memory of a node that does nothing."""
        self._say("idle")
        began = time.perf_counter()
        with lgsp(self._setting) as subject:
            return {
                "idle": {"lgsp": measure_idle(subject, self._setting.folder, time.perf_counter() - began)}
            }

    def open_loop(self) -> Found:
        """Latency at half of what we can do, sent at set times: what we add to a direct call."""
        found: Found = {}
        for name, policies in (("open-loop-plain", False), ("open-loop-policies", True)):
            with ExitStack() as stack:
                names = [name for name in OPEN_LOOP_SUBJECTS if name in self._rounds.plan.fewer]
                setting = replace(self._setting, policies=policies)
                running = self._rounds.open(stack, names, setting)
                rate = self._saturated(running["lgsp"]) * HALF if "lgsp" in running else 1000.0
                found[name] = self._rounds.interleaved(name, running, USUAL, rate=rate)
            _add_to_direct(found[name])
        return found

    def _saturated(self, subject: Subject) -> float:
        rates = []
        for _ in range(self._rounds.plan.rounds):
            result = self._rounds.send(subject, USUAL, self._rounds.plan.seconds / 2)
            rates.append(result.answered / result.seconds)
        return statistics.median(rates)


def _compare(figures: Figures, base: Figures) -> None:
    """Say by how much an exchange costs more than in the case that it builds on."""
    if not void(figures) and not void(base):
        figures["added_us"] = round(figures["us_cpu"] - base["us_cpu"], 1)


SPECIAL: dict[str, Callable[[Bench], Found]] = {
    "routes5000": Bench.routes,
    "steps": Bench.steps,
    "ledger": Bench.ledger,
    "messages": Bench.messages,
    "stall": Bench.stall,
    "body100m": Bench.body100m,
    "idle": Bench.idle,
    "open-loop": Bench.open_loop,
}
CASES = (*TABLE, *SPECIAL)


def _add_to_direct(found: dict[str, Figures]) -> None:
    """Say beside each latency by how much it is longer than that of a direct call."""
    direct = found.get("direct")
    if direct is None or void(direct):
        return
    for name, figures in found.items():
        if name != "direct" and not void(figures):
            figures["added_p50_ms"] = round(figures["p50_ms"] - direct["p50_ms"], 3)
            figures["added_p99_ms"] = round(figures["p99_ms"] - direct["p99_ms"], 3)
