"""`python -m bench [--json] [--cases plain,policies]`: what a request costs, against other proxies and the naive build.

CPU per request is user and system time of all processes and threads of a subject, divided by what it answered. The
subjects share one core, the load generator and the upstream another. Subjects are measured in turn, round by round,
and the median round counts. A case whose answered exchanges were not all recorded is void. A proxy that is not
installed is left out, and it is said how to get it.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.cases import CASES, Bench
from bench.keys import make_keys
from bench.processes import cores
from bench.report import machine, table
from bench.rounds import FEWER, SUBJECTS, Figures, Plan, open_rounds, void
from bench.subjects import Setting


def main(arguments: list[str] | None = None) -> int:
    """Run the cases and print their figures; 1 when one of them is void."""
    given = _parser().parse_args(arguments)
    plan = Plan(
        rounds=given.rounds,
        seconds=given.seconds,
        connections=given.connections,
        subjects=given.subjects or tuple(SUBJECTS),
        fewer=given.subjects or FEWER,
    )
    subject_core, other_core = cores()
    figures: dict[str, dict[str, Figures]] = {}
    with tempfile.TemporaryDirectory(prefix="lgsp-bench-", dir=given.folder) as name:
        folder = Path(name)
        where = machine(folder)
        with open_rounds(plan, other_core, _say) as (rounds, upstream, port):
            setting = Setting(
                upstream=upstream,
                upstream_port=port,
                core=subject_core,
                folder=folder,
                keys=make_keys(folder),
                client=given.naive_client,
            )
            bench = Bench(setting, rounds, _say)
            for case in given.cases:
                figures |= bench.run(case)
    if given.json:
        _say(table({}, where))
    print(json.dumps(figures) if given.json else table(figures, where))
    return int(any(void(found) for subjects in figures.values() for found in subjects.values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object {case: {subject: figures}}")
    parser.add_argument("--cases", type=_among(CASES), default=CASES, help=", ".join(CASES))
    parser.add_argument(
        "--subjects",
        type=_among(tuple(SUBJECTS)),
        help=f"{', '.join(SUBJECTS)}; without it all in the main cases, fewer in the others",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="length of a round; most cases take half")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--naive-client", choices=["httpx2", "httpx"], default="httpx2")
    parser.add_argument(
        "--folder", help="where databases are made; by default the folder for temporary files"
    )
    return parser


def _among(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def names(text: str) -> tuple[str, ...]:
        """Names out of a list, separated by commas."""
        given = tuple(part.strip() for part in text.split(",") if part.strip())
        if not given or set(given) - set(known):
            raise argparse.ArgumentTypeError(f"one or more of {', '.join(known)}")
        return given

    return names


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
