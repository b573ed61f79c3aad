"""Starting processes of the demonstration while somebody asks it to end."""

import os
import signal
import subprocess
from types import FrameType
from typing import Any

import pytest

from gateway.demo.processes import SIGNALS, held_signals, run


class Ended(BaseException):
    """What a handler raises."""


def end(_number: int, _frame: FrameType | None) -> None:
    raise Ended


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_until_the_block_has_ended(number: signal.Signals) -> None:
    done = []

    def start() -> None:
        with held_signals():
            signal.raise_signal(number)
            done.append("started")

    before = signal.signal(number, end)
    try:
        with pytest.raises(Ended):
            start()
        assert done == ["started"]
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, before)


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with held_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_process_that_was_started_while_a_signal_came_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Interrupting(subprocess.Popen[bytes]):
        def __init__(self, *given: Any, **how: Any) -> None:
            super().__init__(*given, **how)
            started.append(self)
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", Interrupting)
    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(Ended):
            run("http.server", ["0"], os.environ)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert started[0].returncode == -signal.SIGKILL
