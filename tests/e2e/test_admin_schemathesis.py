"""Schemathesis finds nothing against the described admin API, on a real node over a real database."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from registry.sql.database import Location
from tests.e2e.admin_app import AdminNode, admin_node
from tests.factories import a_small_province

CONFIG = Path(__file__).with_name("schemathesis.toml")
# It would end the token that it signs in with.
NOT_TO_BE_TRIED = "keys/rotate"


@pytest.fixture
async def node(sqlite_location: Location, tmp_path: Path) -> AsyncIterator[AdminNode]:
    async with admin_node(sqlite_location, tmp_path) as running:
        await a_small_province(running.register)
        await running.snapshots.refresh()
        yield running


async def test_schemathesis_finds_nothing(node: AdminNode, tmp_path: Path) -> None:
    said = await look(node, tmp_path, "--phases", "examples,fuzzing", "--max-examples", "3")

    assert "No issues found" in said or " passed" in said, said


async def look(node: AdminNode, folder: Path, *options: str) -> str:
    """Run schemathesis as a process of its own; returns what it said."""
    token = node.token(await node.client("node-admin"))
    done = await anyio.run_process(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"),
            f"{node.base}/admin/openapi.json",
            *("--header", f"Authorization: Bearer {token}", "--no-color", "--continue-on-failure"),
            *(
                "--exclude-path-regex",
                NOT_TO_BE_TRIED,
                "--seed",
                "1",
                "--suppress-health-check",
                "all",
                *options,
            ),
        ],
        check=False,
        cwd=folder,
        stderr=-2,
    )
    said = done.stdout.decode()
    assert done.returncode == 0, said[-20_000:]
    return said
