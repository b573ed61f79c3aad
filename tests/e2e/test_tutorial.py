"""The tutorials, followed word for word: their commands are run, and what they show is what is printed.

`sh` blocks are run in order, in one shell up to the next terminal; one marked as another terminal's runs beside it. A `text`
block is what the block before prints, where `…` stands for anything, and on a line of its own for any lines. A block
marked with a path is a file that the reader saves.
"""

import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import pytest

from gateway.settings import child_environment
from tests.hostile import free_port

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorial"
NODE, PROVIDER = "8085", "8086"
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^>]*) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
TERMINAL = re.compile(r"(second|third) terminal")
BASH = shutil.which("bash") or "bash"
SECONDS = 60
ALL_SECONDS = 400


@dataclass(frozen=True)
class Step:
    """One block of commands, and what the page says that it prints."""

    commands: str
    other_terminal: bool = False
    shown: str | None = None


def read_steps(page: str) -> Iterator[Step]:
    """Yield the blocks of a page; a `text` block belongs to the `sh` block before it."""
    blocks = list(BLOCK.finditer(page))
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        mark = block["mark"] or ""
        if block["kind"] == "sh":
            shown = after["text"] if after is not None and after["kind"] == "text" else None
            yield Step(block["text"], TERMINAL.fullmatch(mark) is not None, shown)
        elif mark:
            yield Step(f"cat > {mark} <<'END OF THE FILE'\n{block['text']}END OF THE FILE\n")


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
def ports() -> dict[str, str]:
    """Free ports in place of the pages'."""
    return {NODE: str(free_port()), PROVIDER: str(free_port())}


def adapted(text: str, ports: dict[str, str]) -> str:
    """Put the free ports in; the environment is set up already."""
    return re.sub("|".join(ports), lambda found: ports[found[0]], text).replace("make setup\n", "")


@dataclass
class Reader:
    """Follows a page; `home` is where its files are."""

    page: str
    ports: dict[str, str]
    environment: dict[str, str]
    errors: str = ""

    @property
    def home(self) -> Path:
        return Path(self.environment["HOME"])

    def follow(self, steps: list[Step]) -> list[str]:
        """Run the first terminal's blocks and start the others' beside them; return what each of the first's printed."""
        printed: list[str] = []
        with ExitStack() as others:
            while steps:
                here = next((at for at, step in enumerate(steps) if step.other_terminal), len(steps))
                printed += self._run(steps[:here], again=bool(printed))
                if here < len(steps):
                    others.enter_context(self._beside(steps[here]))
                steps = steps[here + 1 :]
        return printed

    def _run(self, steps: list[Step], *, again: bool) -> list[str]:
        border = "~~~ next block ~~~"
        script = f"cd ~/{self.page}\n. ./env.sh\n" if again else ""
        for step in steps:
            script += f"{adapted(step.commands, self.ports)}\nprintf '\\n%s\\n' '{border}'\n"
        done = subprocess.run(
            [BASH, "-c", script], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=ALL_SECONDS,
            check=False,
        )  # fmt: skip
        self.errors += done.stderr
        printed = done.stdout.split(f"\n{border}\n")[:-1]
        assert len(printed) == len(steps), done.stderr
        return printed

    @contextmanager
    def _beside(self, step: Step) -> Iterator[None]:
        """Run another terminal's block until the end; a node has to stop well."""
        is_node = "lgsp serve" in step.commands
        log = self.home / f"{'node' if is_node else 'provider'}.log"
        commands = re.sub(r"^(lgsp serve|python )", r"exec \1", step.commands, flags=re.MULTILINE)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [BASH, "-ec", adapted(commands, self.ports)],
                cwd=self.home, env=self.environment, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            holds = partial(is_ready, self.ports[NODE]) if is_node else partial(listens, self.ports[PROVIDER])
            self._wait(holds, process, log)
            yield
        finally:
            # What is no node may ignore interrupts: a job in the background inherits that.
            process.send_signal(signal.SIGINT if is_node else signal.SIGTERM)
            stopped = process.wait(SECONDS)
        assert not is_node or stopped == 0, log.read_text("utf-8")

    def _wait(self, holds: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
        until = time.monotonic() + SECONDS
        while not holds():
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < until, log.read_text("utf-8")
            time.sleep(0.05)


def is_ready(port: str) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def listens(port: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(port))).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorials ask for curl")
@pytest.mark.parametrize("page", ["first-service", "first-connector"])
def test_a_tutorial_does_what_it_says(page: str, ports: dict[str, str], environment: dict[str, str]) -> None:
    steps = list(read_steps((TUTORIALS / f"{page}.md").read_text("utf-8")))
    reader = Reader(page, ports, environment)
    printed = reader.follow(steps)

    wrong = [
        f"{step.commands}--- shows\n{step.shown}--- printed\n{text}"
        for step, text in zip([step for step in steps if not step.other_terminal], printed, strict=True)
        if step.shown is not None and not fits(adapted(step.shown, ports), text)
    ]
    assert not wrong, "\n\n".join(wrong) + reader.errors


def test_what_is_shown_has_to_fit() -> None:
    assert fits("one …\n…\nlast\n", "one two\nthree\nfour\nlast\n")
    assert fits("one\n…\nlast\n", "one\nlast\n")
    assert not fits("one\n", "one\ntwo\n")
    assert not fits("one …\n", "two\n")
