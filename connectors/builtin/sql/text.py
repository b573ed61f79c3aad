"""The text of a declared statement: named parameters become the driver's placeholders. Values never come in here."""

import re
from dataclasses import dataclass
from typing import Literal

Dialect = Literal["postgresql", "mariadb", "mysql"]

READS = ("SELECT", "WITH", "VALUES", "TABLE")
WRITES = (*READS, "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "CALL")

_NAME = r":(?P<name>[A-Za-z_][A-Za-z0-9_]{0,62})"
_POSTGRESQL = re.compile(
    r"""(?P<kept>'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$|::|:=)"""
    rf"|{_NAME}|(?P<bad>--|/\*|;|\$[0-9]|'|\")",
    re.DOTALL,
)
_MYSQL = re.compile(
    r"""(?P<kept>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*"|`(?:[^`]|``)*`)"""
    rf"|{_NAME}|(?P<bad>--|/\*|;|\#|\?|@|'|\"|`)",
    re.DOTALL,
)
_ESCAPES = re.compile(r"(?:^|[^A-Za-z0-9_])(?:[eE]|[uU]&)$")
_FIRST = re.compile(r"[\s(]*([A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class StatementText:
    """A statement as its database takes it. `names` are its parameters in the order of their placeholders."""

    text: str
    names: tuple[str, ...]


def compile_text(text: str, dialect: Dialect, *, writes: bool) -> StatementText:
    """Read a statement with parameters `:name`.

    Raises:
        ValueError: it is more than one statement, begins with a word that it must not begin with, or holds what
            databases read in different ways: comments, placeholders of a driver's own, session variables.
    """
    text = text.strip().removesuffix(";").rstrip()
    first = _FIRST.match(text)
    allowed = WRITES if writes else READS
    if first is None or first[1].upper() not in allowed:
        raise ValueError(
            f"a statement that {'writes' if writes else 'reads'} begins with {', '.join(allowed)}"
        )
    names: list[str] = []
    numbered = dialect == "postgresql"

    def replace(found: re.Match[str]) -> str:
        if found["kept"] is not None:
            if numbered and found["kept"][0] == "'" and _ESCAPES.search(text, 0, found.start()):
                raise ValueError("a literal with escapes (E'...') is not taken: give it as a parameter")
            return found["kept"]
        if found["bad"] is not None:
            raise ValueError(
                f"{found['bad']!r} is not taken outside a literal: no comments, one statement, :name only"
            )
        name = found["name"]
        if not numbered:
            names.append(name)
            return "?"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    compiled = (_POSTGRESQL if numbered else _MYSQL).sub(replace, text)
    return StatementText(compiled, tuple(names))
