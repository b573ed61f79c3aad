"""`python -m gateway.reference`: write every generated page of docs/reference anew."""

import sys
from pathlib import Path

from gateway.reference.pages import pages

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


def main() -> int:
    """Write what has changed, and say so."""
    for name, make in pages().items():
        page = FOLDER / name
        before = page.read_text("utf-8") if page.exists() else ""
        after = make(before)
        if after != before:
            page.write_text(after, "utf-8")
            sys.stdout.write(f"docs/reference/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
