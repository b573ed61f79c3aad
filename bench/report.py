"""The table for people, with the machine on which it was measured."""

import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.load import percentile

PACKAGES = ("fastapi", "uvicorn", "httpx2", "aiohttp", "sqlalchemy", "uvloop")
SYNCS = 200


def machine(folder: Path) -> dict[str, Any]:
    """Say where, when and with what was measured, and how fast the disk makes things durable."""
    p50, p99 = fsync_ms(folder)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "fsync_p50_ms": p50,
        "fsync_p99_ms": p99,
    }


def fsync_ms(folder: Path) -> tuple[float, float]:
    """Measure how long a small durable write takes: median and p99."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            began = time.perf_counter_ns()
            file.write(b"x" * 512)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter_ns() - began)
    times.sort()
    return round(percentile(times, 0.5) / 1e6, 3), round(percentile(times, 0.99) / 1e6, 3)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def table(figures: dict[str, dict[str, dict[str, Any]]], where: dict[str, Any]) -> str:
    """Write figures as text."""
    packages = " ".join(f"{name} {number}" for name, number in where["versions"].items())
    lines = [
        f"{where['date']}  {where['processor']}, {where['cores']} cores, {where['system']}",
        f"Python {where['python']}  {packages}",
        f"durable write: p50 {where['fsync_p50_ms']} ms, p99 {where['fsync_p99_ms']} ms",
        "",
        f"{'case':<14} {'subject':<8} {'CPU us/req':>11} {'req/s':>9} {'p50 ms':>9} {'p99 ms':>9}",
    ]
    for case, subjects in figures.items():
        lines.extend(_row(case, subject, found) for subject, found in subjects.items())
    return "\n".join(lines)


def _row(case: str, subject: str, found: dict[str, Any]) -> str:
    if found.get("void"):
        return f"{case:<14} {subject:<8} void: {found['void']}"
    usual = {"us_cpu": 11, "rps": 9, "p50_ms": 9, "p99_ms": 9}
    cells = " ".join(f"{_cell(found.get(name)):>{width}}" for name, width in usual.items())
    more = "  ".join(f"{name} {value}" for name, value in found.items() if name not in usual)
    return f"{case:<14} {subject:<8} {cells}  {more}".rstrip()


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
