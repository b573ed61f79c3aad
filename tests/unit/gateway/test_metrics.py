import os
import re
import subprocess
import sys
import timeit
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from gateway.exchange import Reason
from gateway.metrics import (
    DECLARATIONS,
    GATEWAY_BUCKETS,
    Metrics,
    mark_process_dead,
    prepare_multiprocess,
    reference,
    wipe,
)
from registry.evidence import Outcome

WORKER = """
import sys
from pathlib import Path
from gateway.metrics import Metrics, prepare_multiprocess

prepare_multiprocess(Path(sys.argv[1]))
metrics = Metrics()
metrics.exchange("apiDKDN", "success", 0.001, 0.02)
metrics.connections(7)
metrics.registry(int(sys.argv[2]), 0.5, 0)
print(metrics.render().decode() + "end", flush=True)
sys.stdin.read()
"""


def samples(metrics: Metrics) -> dict[str, float]:
    return parse(metrics.render().decode())


def parse(page: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in page.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_an_exchange_counts_and_its_times_stand_apart() -> None:
    metrics = Metrics()

    metrics.exchange("apiDKDN", Outcome.SUCCESS, 0.0004, 0.03)
    metrics.exchange("apiDKDN", Outcome.REFUSED, 0.0001, 0.0)

    seen = samples(metrics)
    assert seen['lgsp_exchanges_total{outcome="success",service="apiDKDN"}'] == 1
    assert seen['lgsp_exchanges_total{outcome="refused",service="apiDKDN"}'] == 1
    assert seen['lgsp_exchange_gateway_seconds_count{service="apiDKDN"}'] == 2
    assert seen['lgsp_exchange_provider_seconds_count{service="apiDKDN"}'] == 1
    assert seen['lgsp_exchange_provider_seconds_sum{service="apiDKDN"}'] == pytest.approx(0.03)


def test_times_told_later_are_what_the_library_itself_would_have_counted() -> None:
    times = [*GATEWAY_BUCKETS, 0.0, 0.00019, 0.0021, 0.3, 2.50001, 77.0]
    metrics, reference_registry = Metrics(), CollectorRegistry()
    own = Histogram(
        "lgsp_exchange_gateway_seconds",
        "x",
        ["service"],
        buckets=GATEWAY_BUCKETS,
        registry=reference_registry,
    )

    for seconds in times:
        metrics.exchange("a", "success", seconds, 0.0)
        own.labels("a").observe(seconds)

    wanted = parse(generate_latest(reference_registry).decode())
    for _ in range(2):  # what was told is not told again
        seen = samples(metrics)
        for name, value in wanted.items():
            if not name.startswith("lgsp_exchange_gateway_seconds_created"):
                assert seen[name] == pytest.approx(value), name


def test_reasons_and_results_come_from_closed_sets() -> None:
    metrics = Metrics()

    metrics.refused(Reason.TOKEN_FORGED)
    metrics.refused("head-too-large")
    metrics.refused("whatever a caller sent")
    metrics.token("issued")
    metrics.token("made up")

    seen = samples(metrics)
    assert seen['lgsp_refused_requests_total{reason="token-forged"}'] == 1
    assert seen['lgsp_refused_requests_total{reason="head-too-large"}'] == 1
    assert seen['lgsp_refused_requests_total{reason="other"}'] == 1
    assert seen['lgsp_token_requests_total{result="issued"}'] == 1
    assert seen['lgsp_token_requests_total{result="other"}'] == 1
    assert "whatever" not in metrics.render().decode()


def test_the_ledgers_counters_follow_its_writer() -> None:
    metrics = Metrics()
    counts = SimpleNamespace(records=5, batches=2, failures=0, commit_seconds=0.25)

    metrics.ledger(counts, writable=True)
    counts.records, counts.failures = 9, 1
    metrics.ledger(counts, writable=False)

    seen = samples(metrics)
    assert seen["lgsp_ledger_records_total"] == 9
    assert seen["lgsp_ledger_failures_total"] == 1
    assert seen["lgsp_ledger_commit_seconds_total"] == 0.25
    assert seen["lgsp_ledger_writable"] == 0


def test_a_pair_that_is_no_longer_in_the_figures_is_zero() -> None:
    metrics = Metrics()

    metrics.connectivity([("QLDC", "lgsp", 4, 3), ("DKDN", "ngsp", 2, 0)])
    metrics.connectivity([("QLDC", "lgsp", 4, 4)])

    seen = samples(metrics)
    assert seen['lgsp_connectivity_connected_systems{mode="lgsp",national_database="QLDC"}'] == 4
    assert seen['lgsp_connectivity_needed_systems{mode="ngsp",national_database="DKDN"}'] == 0


def test_names_begin_with_ours_and_end_in_their_unit() -> None:
    for declared in DECLARATIONS:
        assert re.fullmatch(r"lgsp_[a-z_]+", declared.name)
        assert declared.name.endswith("_total") is (declared.kind == "counter")
        assert set(declared.labels) <= {
            "service",
            "outcome",
            "reason",
            "result",
            "national_database",
            "mode",
            "direction",
        }
        assert f"| `{declared.name}` |" in reference()


def test_two_nodes_in_one_process_do_not_share_metrics() -> None:
    first, second = Metrics(), Metrics()

    first.registry(7, 0.0, 1)

    assert samples(first)["lgsp_registry_revision"] == 7
    assert samples(second)["lgsp_registry_revision"] == 0


def start(folder: Path, revision: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(revision)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def page_of(worker: subprocess.Popen[str]) -> dict[str, float]:
    assert worker.stdout is not None
    return parse("".join(iter(worker.stdout.readline, "end\n")))


def test_workers_are_shown_together_and_the_dead_only_by_what_they_counted(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    wipe(folder)
    (folder / "counter_1.db").write_bytes(b"left over")
    wipe(folder)
    with start(folder, 4) as first:
        page_of(first)
        with start(folder, 5) as second:
            both = page_of(second)
            first.communicate("")
            mark_process_dead(folder, first.pid)
            with start(folder, 5) as third:
                after = page_of(third)
                third.communicate("")
            second.communicate("")

    assert both['lgsp_exchanges_total{outcome="success",service="apiDKDN"}'] == 2
    assert both["lgsp_connections"] == 14
    assert both["lgsp_registry_revision"] == 4
    assert after['lgsp_exchanges_total{outcome="success",service="apiDKDN"}'] == 3
    assert after["lgsp_connections"] == 14
    assert after["lgsp_registry_revision"] == 5


def test_it_is_too_late_for_several_workers_once_the_library_is_there(tmp_path: Path) -> None:
    Metrics().render()

    with pytest.raises(RuntimeError, match="too late"):
        prepare_multiprocess(tmp_path)
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ


def test_counting_an_exchange_is_cheap() -> None:
    metrics = Metrics()

    def one() -> None:
        metrics.exchange("apiDKDN", "success", 0.0004, 0.03)

    one()

    assert min(timeit.repeat(one, number=2000, repeat=5)) / 2000 < 15e-6  # measured 1.6 µs
