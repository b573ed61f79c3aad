"""The benchmark, with tiny counts: that it measures, not what it measures."""

import asyncio
import json
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest

from bench.load import Job, Result, carry_out, percentile
from bench.proxies import PROXIES, Missing, program_of
from bench.rounds import Plan, open_rounds, void
from bench.subjects import Shape, Subject

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
    code, out, told = bench("--json", "--cases", "plain,policies", "--subjects", "direct,naive,lgsp")

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


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_is_measured_or_it_is_said_how_to_get_it(name: str) -> None:
    code, out, told = bench("--json", "--cases", "plain,policies,tls", "--subjects", name)

    figures: dict[str, dict[str, dict[str, Any]]] = json.loads(out)
    assert code == 0, told
    if is_installed(name):
        measured = {case for case, subjects in figures.items() if subjects and subjects[name]["rps"] > 0}
        assert measured == {"plain", "tls"} | ({"policies"} if PROXIES[name].checks_tokens else set())
    else:
        assert PROXIES[name].install in told
        assert not any(figures.values())


def is_installed(name: str) -> bool:
    try:
        return bool(program_of(name))
    except Missing:
        return False


def test_a_case_is_void_when_an_answered_exchange_was_not_recorded() -> None:
    plan = Plan(rounds=1, seconds=0.1, connections=2, subjects=("direct",), fewer=("direct",))

    with open_rounds(plan, None, lambda _: None) as (rounds, upstream, port):
        subject = Subject(name="direct", pid=upstream.pid, port=port, bases=[""], records=lambda: 0)
        found = rounds.interleaved("plain", {"direct": subject}, Shape())

    assert void(found["direct"])
    assert "and 0 recorded" in found["direct"]["void"]


def test_each_step_of_an_exchange_is_measured_by_itself_and_with_others() -> None:
    code, out, told = bench("--json", "--cases", "steps")

    assert code == 0, told
    found: dict[str, float] = json.loads(out)["steps"]["lgsp"]
    assert found.keys() == {
        f"{name}_us"
        for name in (
            *(
                "limit",
                "path",
                "token",
                "open",
                "admit",
                "route",
                "authorise",
                "check_open",
                "quota",
                "metrics",
            ),
            *("seal", "together"),
        )
    }
    assert min(found.values()) > 0
    assert found["together_us"] > max(found["open_us"], found["seal_us"])


def test_the_ledger_is_measured_by_itself() -> None:
    code, out, told = bench("--json", "--cases", "ledger")

    assert code == 0, told
    found: dict[str, float] = json.loads(out)["ledger"]["lgsp"]
    assert found["rps"] > 0
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    assert 1 <= found["per_batch"] <= 8  # as many as wait


def test_latency_is_measured_from_set_times_and_against_a_direct_call() -> None:
    code, out, told = bench("--json", "--cases", "open-loop", "--subjects", "direct,lgsp")

    assert code == 0, told
    for found in json.loads(out).values():
        assert found["lgsp"]["added_p50_ms"] > 0
        assert found["lgsp"]["rps"] == pytest.approx(found["direct"]["rps"], rel=0.5)


def test_what_was_due_while_the_callee_was_slow_counts_from_when_it_was_due() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(0.05)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async def measured() -> Result:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            job = Job(
                port=server.sockets[0].getsockname()[1],
                requests=["GET / HTTP/1.1\r\n\r\n"],
                connections=1,
                seconds=0.2,
                rate=50,
            )
            return await carry_out(job)

    result = asyncio.run(measured())

    assert result.answered == 10
    assert result.p99_ms > 250  # ten answers, one after the other, of which the last was due at 180 ms


def test_a_large_body_and_an_idle_node_are_measured() -> None:
    code, out, told = bench("--json", "--cases", "body100m,idle", "--subjects", "lgsp")

    assert code == 0, told
    figures = json.loads(out)
    assert figures["body100m"]["lgsp"]["extra_mb"] < 20
    assert figures["idle"]["lgsp"]["rss_mb"] < 128


def test_work_on_messages_is_measured_by_what_it_adds() -> None:
    code, out, told = bench("--json", "--cases", "messages")

    assert code == 0, told
    figures = json.loads(out)
    assert "added_us" in figures["contract"]["lgsp"]
    assert figures["soap"]["lgsp"]["per_core"] > 0


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
