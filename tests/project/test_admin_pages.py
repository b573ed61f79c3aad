from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.api import reference as http_api
from gateway.commands import reference as command_line

DOCS = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize(
    ("page", "made"),
    [
        pytest.param("http-api.md", http_api.reference, id="python -m gateway.api.reference"),
        pytest.param("command-line.md", command_line.reference, id="python -m gateway.commands.reference"),
    ],
)
def test_a_generated_page_is_what_the_code_says(page: str, made: Callable[[], str]) -> None:
    assert (DOCS / page).read_text("utf-8") == made()
