"""The tutorial, followed word for word: its commands are run, and what it shows is what they print.

`sh` blocks are run in order in one shell; the one marked as the second terminal's runs beside it. A `text` block is
what the block before prints, where `…` stands for anything, and on a line of its own for any lines.
"""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from gateway.settings import child_environment
from tests.hostile import free_port

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial" / "first-service.md"
ADDRESS = "127.0.0.1:8085"
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^>]*) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
BASH = shutil.which("bash") or "bash"
SECONDS = 60
ALL_SECONDS = 400


@dataclass(frozen=True)
class Step:
    """One block of commands, and what the page says that it prints."""

    commands: str
    second_terminal: bool
    shown: str | None


def read_steps(page: str) -> Iterator[Step]:
    """Yield the blocks of a page; a `text` block belongs to the `sh` block before it."""
    blocks = list(BLOCK.finditer(page))
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        if block["kind"] == "sh":
            shown = after["text"] if after is not None and after["kind"] == "text" else None
            yield Step(block["text"], block["mark"] == "second terminal", shown)


def fits(shown: str, printed: str) -> bool:
    """Say whether what was printed is what the page shows."""
    lines = (r"(?:.*\n)*" if line == "…\n" else _line(line) for line in shown.splitlines(keepends=True))
    return re.fullmatch("".join(lines), printed if printed.endswith("\n") else printed + "\n") is not None


def _line(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.rstrip("\n").split("…")) + r"[ ]*\n"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home that is empty, and a wide terminal."""
    return child_environment(HOME=str(tmp_path), COLUMNS="200")


@pytest.fixture
def port() -> int:
    return free_port()


def adapted(commands: str, port: int) -> str:
    """Put a free port in place of the page's; the environment is set up already."""
    return commands.replace(ADDRESS, f"127.0.0.1:{port}").replace("make setup\n", "")


def run_in_second_terminal(
    step: Step, port: int, environment: dict[str, str], log: Path
) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [BASH, "-ec", adapted(step.commands, port).replace("lgsp serve", "exec lgsp serve")],
            cwd=environment["HOME"], env=environment, stdout=output, stderr=output,
        )  # fmt: skip


def wait_until_ready(port: int) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("the node did not become ready")


def run_all(steps: list[Step], port: int, environment: dict[str, str]) -> list[str]:
    """Run the first terminal's blocks in one shell; return what each printed to standard output."""
    border = "~~~ next block ~~~"
    script = "".join(f"{adapted(step.commands, port)}\nprintf '\\n%s\\n' '{border}'\n" for step in steps)
    done = subprocess.run(
        [BASH, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=ALL_SECONDS,
        check=False,
    )  # fmt: skip
    printed = done.stdout.split(f"\n{border}\n")[:-1]
    assert len(printed) == len(steps), done.stderr
    return printed


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorial asks for curl")
def test_the_tutorial_does_what_it_says(port: int, environment: dict[str, str], tmp_path: Path) -> None:
    steps = list(read_steps(PAGE.read_text("utf-8")))
    [beside] = [number for number, step in enumerate(steps) if step.second_terminal]
    before, after = steps[:beside], steps[beside + 1 :]
    printed = run_all(before, port, environment)
    log = tmp_path / "second-terminal.log"
    node = run_in_second_terminal(steps[beside], port, environment, log)
    try:
        wait_until_ready(port)
        resume = Step("cd ~/first-service\n. ./env.sh\n", second_terminal=False, shown=None)
        printed += run_all([resume, *after], port, environment)[1:]
    finally:
        node.send_signal(signal.SIGINT)
        stopped = node.wait(SECONDS)

    wrong = [
        f"{step.commands}--- shows\n{step.shown}--- printed\n{text}"
        for step, text in zip([*before, *after], printed, strict=True)
        if step.shown is not None and not fits(step.shown, text)
    ]
    assert not wrong, "\n\n".join(wrong) + log.read_text("utf-8")
    assert stopped == 0, log.read_text("utf-8")


def test_what_is_shown_has_to_fit() -> None:
    assert fits("one …\n…\nlast\n", "one two\nthree\nfour\nlast\n")
    assert fits("one\n…\nlast\n", "one\nlast\n")
    assert not fits("one\n", "one\ntwo\n")
    assert not fits("one …\n", "two\n")
