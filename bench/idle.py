"""What a node costs that does nothing: time to start, memory."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.processes import memory_mb
from bench.subjects import NODE_SETTINGS, Subject
from gateway.demo.node import Node
from gateway.demo.processes import free_port

TIMES = 3


def measure_idle(subject: Subject, folder: Path, prepared: float) -> dict[str, Any]:
    """Return memory and the medians of start times; `prepared_s` is from an empty folder to a token."""
    return {
        "rss_mb": round(memory_mb(subject.pid), 1),
        "start_s": round(_median_of(lambda: _start(folder)), 3),
        "help_s": round(_median_of(_help), 3),
        "prepared_s": round(prepared, 3),
    }


def _median_of(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(TIMES))


def _start(parent: Path) -> float:
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        node = Node(Path(folder), free_port(), NODE_SETTINGS)
        node.prepare()
        began = time.perf_counter()
        try:
            node.start()
            return time.perf_counter() - began
        finally:
            node.stop()


def _help() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "gateway", "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began
