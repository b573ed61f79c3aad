"""Finding the operation that a method and a path mean: a trie, so that many routes cost what few do."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import quote

T = TypeVar("T")
USUAL = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(slots=True)
class _Node(Generic[T]):
    literal: dict[str, "_Node[T]"] = field(default_factory=dict)
    one: "_Node[T] | None" = None
    rest: dict[str, T] | None = None
    here: dict[str, T] = field(default_factory=dict)


class Routes(Generic[T]):
    """Looks operations up by method and normalised path.

    A literal segment wins over `{name}`, that over a last `{name*}`. `ANY` stands for each method that has no
    entry of its own, but for TRACE: its answer would show the caller what the node sends to the provider.
    """

    def __init__(self, entries: Iterable[tuple[str, str, T]]) -> None:
        self._root: _Node[T] = _Node()
        for method, template, target in entries:
            self._add(method, template, target)

    def _add(self, method: str, template: str, target: T) -> None:
        node = self._root
        for segment in template[1:].split("/"):
            if segment.startswith("{") and segment.endswith("*}"):
                if node.rest is None:
                    node.rest = {}
                node.rest[method] = target
                return
            if segment.startswith("{") and segment.endswith("}"):
                if node.one is None:
                    node.one = _Node()
                node = node.one
            else:
                node = node.literal.setdefault(quote(segment, safe="!$&'()*+,;=:@-._~%"), _Node())
        node.here[method] = target

    def find(self, method: str, path: str) -> T | frozenset[str]:
        """Return what is meant, or the methods that this path does have (none: no such path)."""
        methods = self._walk(self._root, path[1:].split("/"), 0)
        if methods is None:
            return frozenset()
        target = methods.get(method)
        if target is None and method != "TRACE":
            target = methods.get("ANY")
        return allowed(methods) if target is None else target

    def _walk(self, node: _Node[T], segments: list[str], at: int) -> dict[str, T] | None:
        if at == len(segments):
            return node.here or None
        child = node.literal.get(segments[at])
        found = self._walk(child, segments, at + 1) if child is not None else None
        if found is None and node.one is not None and segments[at]:
            found = self._walk(node.one, segments, at + 1)
        return node.rest if found is None else found


def allowed(methods: Iterable[str]) -> frozenset[str]:
    """Return what an `Allow` field may name; `ANY` stands for the usual methods there."""
    names = frozenset(methods)
    return names - {"ANY"} | USUAL if "ANY" in names else names
