"""What commands print: tables for people, JSON for programs, problems in the user's language."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.commands.failures import Failed, Language

Json = dict[str, Any]
"""A JSON object as the node's API gives it."""

WIDEST = 10_000
"""A line may be so long, whatever the terminal: that wraps it, and what is copied is whole."""

TURNS: Mapping[str, tuple[str, str]] = {
    "consumer": ("bên gọi", "the calling side"),
    "province": ("đơn vị vận hành nút", "whoever runs this node"),
    "hub": ("nền tảng quốc gia", "the national hub"),
    "provider": ("bên cung cấp", "the providing side"),
}


class ProblemTold(Failed):
    """The node answered with a problem (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = problem
        super().__init__(explain(problem, "vi"), explain(problem, "en"))


def explain(problem: Mapping[str, Any], language: Language) -> str:
    """Write a problem for people: what is wrong, where, whose turn it is, whether to try again."""
    told = problem.get("messages", {}).get(language, problem)
    lines = [
        f"{told.get('title', problem.get('title', '?'))} ({problem.get('status')}, {problem.get('code')})"
    ]
    if told.get("detail"):
        lines.append(str(told["detail"]))
    lines += [f"  {_place(flaw)}: {_message(flaw, language)}" for flaw in problem.get("errors", ())]
    lines += [
        f"  {step['pointer'] or '/'}: {step['before']!r} -> {step['after']!r}"
        for step in problem.get("difference", ())
    ]
    lines += _turn(problem, language)
    return "\n".join(lines)


def _place(flaw: Mapping[str, Any]) -> str:
    return str(flaw.get("parameter") or flaw.get("pointer") or "/")


def _message(flaw: Mapping[str, Any], language: Language) -> str:
    messages = flaw.get("messages") or {}
    return str(messages.get(language) or flaw.get("message") or flaw.get("code", ""))


def _turn(problem: Mapping[str, Any], language: Language) -> Iterator[str]:
    vi = language == "vi"
    turn = TURNS.get(str(problem.get("turn")))
    if turn is not None:
        yield f"Cần xử lý: {turn[0]}" if vi else f"Next: {turn[1]}"
    retry = problem.get("retry") or {}
    if retry.get("helps"):
        after = retry.get("after_seconds")
        when = (f" sau {after} giây" if vi else f" after {after} s") if after else ""
        yield (f"Có thể thử lại{when}." if vi else f"Trying again may help{when}.")
    if problem.get("instance"):
        yield (f"Mã giao dịch: {problem['instance']}" if vi else f"Exchange: {problem['instance']}")


class Out:
    """Where a command writes: results to standard output, everything else to standard error."""

    def __init__(self, language: Language, *, as_json: bool = False) -> None:
        self.language: Language = language
        self.as_json = as_json
        self._results = Console(highlight=False, soft_wrap=True, width=WIDEST)
        self._notes = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, vi: str, en: str) -> None:
        """Tell a person something; with --json nothing is told."""
        if not self.as_json:
            self._results.print(vi if self.language == "vi" else en, markup=False)

    def note(self, vi: str, en: str) -> None:
        """Tell a person something beside the result."""
        self._notes.print(vi if self.language == "vi" else en, markup=False)

    def result(self, value: Any) -> None:
        """Write a result for programs."""
        write_json(value, sys.stdout)

    def text(self, text: str) -> None:
        """Write a text as it is."""
        sys.stdout.write(text if text.endswith("\n") else text + "\n")

    def table(self, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]) -> None:
        """Write a table; columns are named in Vietnamese and English.

        A row is a line, as long as it has to be: ids that were folded could not be copied.
        """
        table = Table(box=None, pad_edge=False, header_style="bold")
        for vi, en in columns:
            table.add_column(vi if self.language == "vi" else en, no_wrap=True)
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        self._results.print(table)

    @contextmanager
    def progress(self, vi: str, en: str, *, total: int | None = None) -> Iterator[Progress]:
        """Show that something long is under way; on a terminal only."""
        bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
            console=self._notes, transient=True, disable=not self._notes.is_terminal,
        )  # fmt: skip
        with bar:
            bar.add_task(vi if self.language == "vi" else en, total=total)
            yield bar


def write_json(value: Any, stream: TextIO) -> None:
    """Write JSON for programs and people."""
    json.dump(value, stream, ensure_ascii=False, indent=2)
    stream.write("\n")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "✓" if value else "✗"
    return str(value).replace("[", "\\[")
