"""Limiting large answers in a guest process: building and freeing their trees would hold up all threads of the node."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gateway.transforms.guests import Guests, Work
from gateway.transforms.minimise.documents import Unreadable
from gateway.transforms.minimise.scopes import Scope
from gateway.transforms.minimise.trees import Rule
from registry.entities import FieldRule
from registry.field_paths import read_path

SECONDS: Final = 20.0
Done = tuple[dict[str, Any], bytes]  # Any: JSON


def limit_far(scope: Scope, guests: Guests, body: bytes, media_type: str) -> tuple[bytes, str]:
    """Do in a guest process what `scope.limit` does. Raises Unreadable, and Unfit where it takes too much."""
    said, released = guests.run(Work("minimise", scope.said), body, SECONDS, media_type=media_type)
    if "unreadable" in said:
        raise Unreadable(said["unreadable"])
    return released, said["media_type"]


def make_work(
    make: Mapping[str, Any],
) -> Callable[[Mapping[str, Any], bytes], Done]:  # Any: as `Scope.said` has it
    """Return what limits answers to a scope in a guest process."""
    envelope = [read_path(path) for path in make["envelope"]]
    scope = Scope("", _rules(make["rules"]), envelope, make["namespaces"])

    def work(header: Mapping[str, Any], body: bytes) -> Done:  # Any: JSON
        try:
            released, media_type = scope.limit(body, header["media_type"])
        except Unreadable as error:
            return {"unreadable": error.code}, b""
        return {"media_type": media_type}, released

    return work


def _rules(said: Sequence[Sequence[Any]]) -> list[Rule]:  # Any: texts and a number
    return [
        (read_path(path), FieldRule(path=path, action=action, keep_last=keep_last, to=to or None))
        for path, action, keep_last, to in said
    ]
