"""Paths that name fields of an answer, as grants and versions write them. Pure.

`MainInformation.NAME` names the field NAME of the object MainInformation. Lists are walked through: `Members.NAME` and
`Members[].NAME` both name the NAME of every member. A field that is named stands for a single value (or a list of
them); what holds further fields is kept whole only by `.*`, as in `Representatives.*`, and `*` alone is the whole
answer. In XML a path begins with the root element, and `@name` is an attribute. A backslash takes the meaning from
`.`, `[`, `]`, `*` and itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_PARTS = 40
_MARKS = ".[]*\\"


@dataclass(frozen=True, slots=True)
class FieldPath:
    """The names on the way from the top; `whole`: with all that lies below."""

    names: tuple[str, ...]
    whole: bool = False

    def covers(self, other: "FieldPath") -> bool:
        """Say whether this keeps a subtree in which the other path lies."""
        return self.whole and other.names[: len(self.names)] == self.names


def read_path(text: str) -> FieldPath:
    """Return the path that a text writes. Raises ValueError, which says what is wrong with it."""
    *parts, last = _split(text)
    whole = last == ["*"]
    if not whole:
        parts.append(last)
    if len(parts) > MAX_PARTS:
        raise ValueError(f"A path has at most {MAX_PARTS} names.")
    return FieldPath(tuple(_name(part) for part in parts), whole)


def write_path(path: FieldPath) -> str:
    """Return the one spelling of a path."""
    names = ["".join(f"\\{c}" if c in _MARKS else c for c in name) for name in path.names]
    return ".".join([*names, "*"] if path.whole else names)


def _split(text: str) -> list[list[str]]:
    """Return the parts between dots, each as its characters; an escaped one has two."""
    parts: list[list[str]] = [[]]
    characters = iter(text)
    for char in characters:
        if char == ".":
            parts.append([])
        elif char == "\\":
            parts[-1].append(char + _escaped(next(characters, "")))
        else:
            parts[-1].append(char)
    return parts


def _escaped(char: str) -> str:
    if not char or char not in _MARKS:
        raise ValueError("A backslash stands only before one of . [ ] * and itself.")
    return char


def _name(part: Sequence[str]) -> str:
    while part[-2:] == ["[", "]"]:
        part = part[:-2]
    if not part:
        raise ValueError("A name is empty: two dots in a row, or a dot at the beginning or end.")
    if "*" in part:
        raise ValueError("`*` stands only alone at the end: it keeps everything below.")
    if "[" in part or "]" in part:
        raise ValueError("`[]` stands only at the end of a name, with nothing inside.")
    return "".join(char[-1] for char in part)
