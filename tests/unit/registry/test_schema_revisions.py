"""The schema that a node asks for is the one that the migrations lead to."""

import pytest
from alembic.script import ScriptDirectory

from registry.sql.database import _MIGRATIONS, Part, _wanted


@pytest.mark.parametrize("part", ["registry", "ledger"])
def test_the_newest_revision_is_the_head_of_the_migrations(part: Part) -> None:
    assert _wanted(part) == ScriptDirectory(str(_MIGRATIONS / part)).get_current_head()
