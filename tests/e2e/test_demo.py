"""`lgsp demo`, as a person runs it: a real command, real processes, real HTTP."""

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from gateway.demo.province import open_province
from gateway.settings import child_environment
from tests.hostile import free_port

SECONDS = 120
CHILDREN = 3
"""The node, and two processes with databases in them."""
OUTCOMES = {
    "success": 16,
    "business_failure": 3,
    "refused": 4,
    "provider_failure": 1,
    "unknown": 1,
    "unreachable": 1,
}


def start(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    """Start a demonstration whose temporary files are made in `folder`, and whose children can be found by it."""
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=child_environment(TMPDIR=str(folder)),
    )


def family_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=15)
    return not alive


def wait_for_children(process: subprocess.Popen[str], count: int) -> list[psutil.Process]:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        found = family_of(process)
        if len(found) >= count:
            return found
        time.sleep(0.02)
    raise AssertionError(f"the demonstration did not start {count} processes")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lgsp-test-") as name:
        yield Path(name)


def test_once_prints_the_nodes_own_figures_and_leaves_nothing(folder: Path) -> None:
    with start("--once", "--json", folder=folder) as demo:
        children = wait_for_children(demo, CHILDREN)
        out, told = demo.communicate(timeout=SECONDS)

    assert demo.returncode == 0, told
    assert gone(children)
    assert list(folder.iterdir()) == []
    result: dict[str, Any] = json.loads(out)
    assert set(result) == {"exchanges", "connectivity", "evidence", "addresses"}
    assert result["exchanges"]["by_outcome"] == OUTCOMES
    assert result["exchanges"]["total"] == sum(OUTCOMES.values()) == result["evidence"]["records"]
    figure = result["connectivity"]
    assert set(figure) == {
        "unit", "nation", "needed", "connected", "share_percent", "rule", "window_days", "revision", "tiers",
        "by_database",
    }  # fmt: skip
    assert figure["tiers"] == {
        "registered": 1, "granted": 0, "tested": 1, "connected": 0, "fully_connected": 3,
    }  # fmt: skip
    assert {each["database"]: (each["connected"], each["needed"]) for each in figure["by_database"]} == {
        "BHXH": (1, 1), "DANCU": (1, 1), "DATDAI": (1, 2), "DKDN": (3, 4), "DMDC": (1, 1), "HOTICH": (1, 2), "LLTP": (1, 1),
    }  # fmt: skip
    assert (figure["unit"], figure["nation"]) == ("DEMO.H99", "demo")
    assert (figure["needed"], figure["connected"]) == (5, 3)
    assert figure["share_percent"] == 60.0
    assert figure["window_days"] == 30
    spent, expired = told.partition("(quota-per-day)")[2], told.partition("(token-expired)")[2]
    assert re.match(
        r"(?:.*\n){3}.*retrying helps from \d\d:\d\d(?::\d\d| [\d/]+) on \(time of Vietnam\)", spent
    )
    assert re.match(r"(?:.*\n){3}.*gọi lại có ích \| .*retrying helps\n", expired)


def test_what_is_exported_after_it_changes_nothing_when_it_is_applied(folder: Path) -> None:
    with open_province(folder, free_port()) as province:
        exported = folder / "export.yaml"
        exported.write_text(province.node.command("export", "--local"), "utf-8")
        [plan] = json.loads(province.node.command("diff", str(exported), "--local", "--json"))
        [applied] = json.loads(province.node.command("apply", str(exported), "--local", "--json"))

    assert plan["total"]["unchanged"] == len(plan["items"]) > 20
    assert {item["change"] for item in plan["items"]} == {"unchanged"}
    assert [item["waiting"] for item in applied["items"] if item["waiting"]] == []
    assert applied["revision"] == plan["revision"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("so_far", [1, 2, CHILDREN])
def test_an_interrupted_demonstration_leaves_nothing(
    folder: Path, number: signal.Signals, so_far: int
) -> None:
    with start("--once", "--json", folder=folder) as demo:
        children = wait_for_children(demo, so_far)
        demo.send_signal(number)
        out, _ = demo.communicate(timeout=SECONDS)

    assert demo.returncode == 1
    assert out == ""
    assert gone(children)
    assert list(folder.iterdir()) == []


def test_a_killed_demonstration_leaves_no_process(folder: Path) -> None:
    with start("--once", folder=folder) as demo:
        children = wait_for_children(demo, CHILDREN)
        demo.kill()
        demo.communicate(timeout=SECONDS)

    assert gone(children)


def test_it_stays_up_until_interrupted_and_its_lines_work(folder: Path) -> None:
    with start(folder=folder) as demo:
        assert demo.stdout is not None
        lines = []
        for line in demo.stdout:
            lines.append(line.rstrip("\n"))
            if "Ctrl+C" in line:
                break
        answers = [run_in_shell(lines, at) for at, line in enumerate(lines) if line.startswith("TOKEN=")]
        node = next(line.split()[1] for line in lines if line.split()[:1] == ["node"])
        ready = httpx2.get(f"{node}/health/ready").status_code
        children = family_of(demo)
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=SECONDS)

    assert ready == 200
    assert demo.returncode == 0
    assert gone(children)
    assert [answer["sandbox"] for answer in answers] == [True, True, True]
    assert (folder / "data" / "demo" / ".lgsp-demo").exists()


def run_in_shell(lines: list[str], at: int) -> dict[str, Any]:
    script = "\n".join(lines[at : at + 2])
    done = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_folder_of_others_is_left_alone(folder: Path) -> None:
    mine = folder / "data" / "demo"
    mine.mkdir(parents=True)
    (mine / "letter.txt").write_text("do not remove")
    with start(folder=folder) as demo:
        _, told = demo.communicate(timeout=SECONDS)

    assert demo.returncode == 1
    assert "data/demo" in told
    assert (mine / "letter.txt").read_text() == "do not remove"
