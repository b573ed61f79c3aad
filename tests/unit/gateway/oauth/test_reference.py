import re
from pathlib import Path

from gateway.oauth.refusals import REFUSALS

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "oauth.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| (\d{3}) \| `([a-z_]+)` \|", re.MULTILINE)


def test_the_reference_lists_every_refusal_as_it_is() -> None:
    listed = {code: (int(status), error) for code, status, error in ROW.findall(PAGE.read_text("utf-8"))}

    assert listed == {code.value: (told.status, told.error) for code, told in REFUSALS.items()}
