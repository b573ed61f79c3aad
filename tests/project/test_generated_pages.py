from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import metrics, problems

DOCS = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize(
    ("page", "made"),
    [
        pytest.param("problems.md", problems.reference, id="python -m gateway.problems"),
        pytest.param("metrics.md", metrics.reference, id="python -m gateway.metrics"),
    ],
)
def test_a_generated_page_is_what_the_code_says(page: str, made: Callable[[], str]) -> None:
    assert (DOCS / page).read_text("utf-8") == made()
