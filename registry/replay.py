"""What an object was before: its document now, with the kept differences taken back one after the other. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.diffs import is_brief
from registry.stores import Document, Revision


@dataclass(frozen=True, slots=True)
class State:
    """What an object was from one revision on. `since` None: from before what is known."""

    document: Document
    revision: int | None
    since: datetime | None


def states(id_: str, now: Document, revisions: Iterable[Revision]) -> Iterator[State]:
    """Yield what an object was, the newest first; `revisions` are those that touched it, the newest first.

    It ends where a difference was kept in short.
    """
    document: Document | None = now
    for revision in revisions:
        for change in reversed(revision.changes):
            if change["id"] != id_ or document is None:
                continue
            yield State(document, revision.number, revision.at)
            document = _before(document, change["diff"])
    if document is not None:
        yield State(document, None, None)


def _before(document: Document, differences: Iterable[Mapping[str, Any]]) -> Document | None:
    """Return the document as it was before; None when it was not there, or nobody can tell."""
    found: Any = deepcopy(document)
    for difference in differences:
        before = difference["before"]
        if is_brief(before):
            return None
        parts = [part.replace("~1", "/").replace("~0", "~") for part in difference["pointer"].split("/")[1:]]
        if not parts:
            return before if isinstance(before, dict) else None
        if not _put(found, parts, before):
            return None
    return found if isinstance(found, dict) else None


def _put(value: Any, parts: list[str], before: Any) -> bool:  # Any: JSON
    """Put back what stood at a place; null takes it away."""
    *way, last = parts
    for part in way:
        value = _below(value, part)
    if isinstance(value, dict):
        value[last] = before
        if before is None:
            del value[last]
    elif isinstance(value, list) and last.isdecimal() and int(last) < len(value):
        value[int(last)] = before
    else:
        return False
    return True


def _below(value: Any, part: str) -> Any:  # Any: JSON
    if isinstance(value, list):
        return value[int(part)] if part.isdecimal() and int(part) < len(value) else None
    return value.get(part) if isinstance(value, dict) else None
