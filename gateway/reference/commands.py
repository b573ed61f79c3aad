"""docs/reference/command-line.md, from the commands themselves."""

import re
from collections.abc import Iterator

from gateway.commands.table import COMMANDS, GROUPS, Row, make_app

HEAD = """# Command line

Every command has `--help`. Exit codes: 0 done, 1 refused or failed, 2 wrong usage. Results go to standard output,
everything else to standard error. Where a command prints a table, `--json` prints the same for programs.
"""
REACHING = """
## Options for reaching a node

Commands marked with † work through the admin API and take these:

"""
COMMON = ("--node", "--client-id", "--secret-file", "--local", "--language")
_OPTION = re.compile(r"^\* `(?:[^`]*?)(--[a-z-]+)")
_SECTION = re.compile(r"^#+ lgsp (.+)$", re.MULTILINE)


def commands_page() -> str:
    """Return docs/reference/command-line.md."""
    sections = dict(_sections(make_app().generate_docs(output_format="markdown")))
    common = [line for line in sections["connectivity"].splitlines() if _option(line) in COMMON]
    lines = [HEAD, "| command | what it does |", "|---|---|"]
    lines += [
        f"| [`lgsp {row.words}`](#lgsp-{row.words.replace(' ', '-')}) | {row.help} |" for row in COMMANDS
    ]
    lines += [REACHING.rstrip("\n"), "", *common]
    for row in COMMANDS:
        lines += ["", *_command(row, sections[row.words])]
    return "\n".join(lines) + "\n"


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Split cyclopts' page into the sections of commands."""
    parts = _SECTION.split(text)[1:]
    yield from (
        (words, body) for words, body in zip(parts[::2], parts[1::2], strict=True) if words not in GROUPS
    )


def _command(row: Row, body: str) -> Iterator[str]:
    kept = [line for line in body.strip().splitlines() if _option(line) not in COMMON]
    mark = " †" if len(kept) < len(body.strip().splitlines()) else ""
    yield f"## lgsp {row.words}"
    yield ""
    yield from (f"{line}{mark}" if line == row.help else line for line in kept)


def _option(line: str) -> str:
    found = _OPTION.match(line)
    return found[1] if found else ""
