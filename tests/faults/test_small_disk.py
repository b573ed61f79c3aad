"""A disk that is full or cannot be written to, and gets well: a real one (tmpfs) in a mount namespace of its own."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
APART = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]


async def on_a_small_disk(kind: str, folder: Path) -> Any:
    try:
        subprocess.run([*APART, "true"], check=True, capture_output=True, timeout=10)  # noqa: ASYNC221 (at once)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine gives no mount namespace of one's own")
    if kind == "postgresql" and os.geteuid() != 0:
        pytest.skip("PostgreSQL does not run as root, and a namespace of a user's own knows nobody else")
    done = await asyncio.to_thread(
        subprocess.run, [*APART, sys.executable, "-m", "tests.faults.small_disk", kind, str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("kind", "word"), [("sqlite", "disk is full"), ("postgresql", "No space left on device")]
)
async def test_a_full_disk_is_said_and_gets_well_with_room(tmp_path: Path, kind: str, word: str) -> None:
    seen = await on_a_small_disk(kind, tmp_path)

    assert len(seen["refused"]) == 2
    assert all(word in text for text in seen["said"])
    assert (seen["writable_while_full"], seen["again"], seen["recovered"]) == (False, False, True)
    outcomes = seen["outcomes"]
    assert all(outcomes[exchange] == ["success"] for exchange in outcomes.keys() & set(seen["answered"]))
    assert [outcomes[exchange] for exchange in seen["refused"]] == [["node_failure"]] * 2
    assert seen["records"] == len(seen["answered"]) + len(seen["refused"])
    told = f"disk full ({kind}): {len(seen['answered'])} answered, 2 refused, all accounted for"
    print(told)  # noqa: T201 (figures for people)


async def test_a_disk_that_cannot_be_written_to_is_said_at_once(tmp_path: Path) -> None:
    seen = await on_a_small_disk("read-only", tmp_path)

    assert seen["said"].startswith("LedgerUnavailable: the ledger's file cannot be written")
    assert "Read-only file system" in seen["said"]
