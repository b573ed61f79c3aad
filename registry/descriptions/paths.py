"""Paths of descriptions as paths of ours: a variable is a whole segment, and its name a plain word."""

import re
from dataclasses import dataclass
from typing import Final

from registry.register.contracts import path_problem, path_shape

_VARIABLE: Final = re.compile(r"\{([^{}/]+)\}")
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Template:
    """A path as it is taken. `names` says by which name each variable of the description goes now."""

    path: str
    names: dict[str, str]
    joined: tuple[str, ...] = ()
    """Segments that were more than a variable, and are one now."""
    renamed: tuple[str, ...] = ()

    @property
    def shape(self) -> str:
        """The path with nameless variables."""
        return path_shape(self.path)


def template_of(path: str) -> Template | None:
    """Return a path as it can be taken; None when it cannot."""
    if not path.startswith("/") or "?" in path or "#" in path:
        return None
    names: dict[str, str] = {}
    joined: list[str] = []
    segments = [_segment(segment, names, joined) for segment in path[1:].split("/")]
    made = "/" + "/".join(segments)
    if len(made) > _LONGEST or path_problem(made) is not None:
        return None
    renamed = tuple(name for name, ours in names.items() if name != ours)
    return Template(made, names, tuple(joined), renamed)


def _segment(segment: str, names: dict[str, str], joined: list[str]) -> str:
    found = _VARIABLE.findall(segment)
    if not found:
        return segment
    if len(found) == 1 and segment == "{" + found[0] + "}":
        name = found[0].strip()
        names[found[0]] = _plain(name.removeprefix("+").removesuffix("*"), names)
        return "{" + names[found[0]] + "}"
    joined.append(segment)
    name = _plain(_VARIABLE.sub(r"\1", segment), names)
    return "{" + name + "}"


def _plain(name: str, names: dict[str, str]) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:60]
    plain = plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}"
    while plain in names.values():
        plain += "_"
    return plain
