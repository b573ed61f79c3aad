"""What changed between two documents, for people and for the audit; never a secret or its digest."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import orjson

from registry.documents import pointer_of
from registry.entities import Kind
from registry.stores import Document

Difference = dict[str, Any]

_LONGEST_VALUE = 4000
_MOST_DIFFERENCES = 200


def differences(kind: Kind, before: Document | None, after: Document | None) -> list[Difference]:
    """Return what changed, as {pointer, before, after}; long values and long lists are cut short.

    A new or removed object is one difference at the pointer "". Of grants nothing is cut short: what they once
    released has to be known for as long as there is evidence of it.
    """
    before, after = _without_secrets(kind, before), _without_secrets(kind, after)
    if kind is Kind.GRANT:
        return list(_walk(before, after, ()))
    found = []
    for difference in _walk(before, after, ()):
        found.append({name: _brief(value) for name, value in difference.items()})
        if len(found) == _MOST_DIFFERENCES:
            break
    return found


def _walk(before: Any, after: Any, at: tuple[str | int, ...]) -> Iterator[Difference]:
    if before == after and type(before) is type(after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted(before.keys() | after.keys()):
            yield from _walk(before.get(name), after.get(name), (*at, name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _walk(old, new, (*at, index))
    else:
        yield {"pointer": pointer_of(at), "before": before, "after": after}


def _without_secrets(kind: Kind, document: Document | None) -> Document | None:
    """Leave a client's secrets out; that there are more or fewer of them is worth knowing."""
    if document is None or kind is not Kind.CLIENT or "secrets" not in document:
        return document
    times = [{name: item[name] for name in ("created_at", "expires_at")} for item in document["secrets"]]
    return document | {"secrets": times}


def is_brief(value: object) -> bool:
    """Say whether this stands for a value that was cut short."""
    return isinstance(value, dict) and set(value) == {"bytes", "sha256"}


def _brief(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = orjson.dumps(value)
    if len(text) <= _LONGEST_VALUE:
        return value
    return {"bytes": len(text), "sha256": sha256(text).hexdigest()}
