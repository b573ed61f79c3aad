"""The benchmark, with tiny counts: that it measures, not what it measures."""

import json
import subprocess
import sys
from typing import Any

import pytest

from bench.load import percentile

SECONDS = 170


def bench(*arguments: str) -> tuple[int, str, str]:
    command = [
        sys.executable,
        "-m",
        "bench",
        "--rounds",
        "1",
        "--seconds",
        "0.2",
        "--connections",
        "8",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.returncode, done.stdout, done.stderr


def test_every_subject_is_measured_in_both_cases() -> None:
    code, out, told = bench("--json")

    assert code == 0, told
    figures: dict[str, dict[str, dict[str, Any]]] = json.loads(out)
    assert {case: set(subjects) for case, subjects in figures.items()} == {
        "plain": {"direct", "naive", "lgsp"},
        "policies": {"direct", "naive", "lgsp"},
    }
    for subjects in figures.values():
        for found in subjects.values():
            assert set(found) == {"us_cpu", "rps", "p50_ms", "p99_ms"}
            assert found["rps"] > 0
            assert 0 < found["p50_ms"] <= found["p99_ms"]


def test_the_table_says_where_it_was_measured() -> None:
    code, out, _ = bench("--subjects", "direct", "--cases", "plain")

    assert code == 0
    assert "durable write: p50" in out
    assert "CPU us/req" in out


def test_a_large_body_and_an_idle_node_are_measured() -> None:
    code, out, told = bench("--json", "--cases", "body100m,idle")

    assert code == 0, told
    figures = json.loads(out)
    assert figures["body100m"]["lgsp"]["extra_mb"] < 20
    assert figures["idle"]["lgsp"]["rss_mb"] < 128


def test_an_unknown_case_is_wrong_usage() -> None:
    code, _, told = bench("--cases", "fast")

    assert code == 2
    assert "policies" in told


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, 0.0), ([7], 0.99, 7.0), (list(range(1, 101)), 0.5, 50.0), (list(range(1, 101)), 0.99, 99.0)],
)
def test_a_percentile_is_of_the_nearest_rank(values: list[int], share: float, expected: float) -> None:
    assert percentile(values, share) == expected
