"""A long look of schemathesis at the admin API: every edge of every schema."""

from pathlib import Path

import pytest

from registry.sql.database import Location
from tests.e2e.admin_app import admin_node
from tests.e2e.test_admin_schemathesis import look
from tests.factories import a_small_province

pytestmark = pytest.mark.faults

LONG = 10


async def test_schemathesis_finds_nothing_in_a_long_look(
    sqlite_location: Location, tmp_path: Path, rounds: int
) -> None:
    if rounds < LONG:
        pytest.skip(f"takes minutes; LGSP_FAULT_ROUNDS of {LONG} or more runs it")
    async with admin_node(sqlite_location, tmp_path) as node:
        await a_small_province(node.register)
        await node.snapshots.refresh()

        said = await look(
            node, tmp_path, "--phases", "examples,coverage,stateful", "--max-examples", str(rounds)
        )

    assert "failures" not in said, said
