"""What a description that a node like ours gave out says in words of its own, where OpenAPI has none (`x-lgsp-…`)."""

from dataclasses import replace
from typing import Any, Final

from registry.descriptions.tree import Place
from registry.entities import Operation

ANY: Final = "x-lgsp-any"
"""Names the operation for any method, of which this is one of several that are described."""
NODE: Final = "x-lgsp-node"
"""Marks a parameter that every node reads, whatever the operation."""
_REST: Final = "x-lgsp-rest"
_LONGEST_TITLE: Final = 2000


def as_said(operation: Operation, place: Place) -> Operation:
    """Return an operation as the node had it that described it; nothing changes for descriptions of others."""
    said = place.mapping
    changed: dict[str, Any] = {}  # Any: fields of an operation
    if isinstance(said.get(ANY), str):
        changed["method"] = "ANY"
    if said.get("x-lgsp-effect") in ("read", "write"):
        changed["effect"] = said["x-lgsp-effect"]
    if said.get("x-lgsp-counts") is False:
        changed["counts"] = False
    titles = {f"title_{language}": said.get(f"x-lgsp-title-{language}", "") for language in ("vi", "en")}
    if any(titles.values()) and all(isinstance(title, str) for title in titles.values()):
        changed |= {name: title[:_LONGEST_TITLE] for name, title in titles.items()}
    if operation.path.endswith("}") and any(_is_rest(one) for one in place.get("parameters").items):
        changed["path"] = operation.path[:-1] + "*}"
    return replace(operation, **changed) if changed else operation


def _is_rest(parameter: Any) -> bool:  # Any: foreign JSON
    return isinstance(parameter, dict) and parameter.get("in") == "path" and parameter.get(_REST) is True
