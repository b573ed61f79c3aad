"""A description as a tree: finding what a reference means. Only `#/…` leads anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from registry.descriptions.notes import Notes

_LONGEST_CHAIN: Final = 50
NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a description, and where it stands."""

    value: Any  # Any: foreign JSON
    pointer: str

    def get(self, *steps: str) -> "Place":
        """Return what stands below; NOTHING when there is no such thing."""
        value, pointer = self.value, self.pointer
        for step in steps:
            value = value.get(step, NOTHING) if isinstance(value, Mapping) else NOTHING
            pointer += "/" + step.replace("~", "~0").replace("/", "~1")
        return Place(value, pointer)

    @property
    def is_there(self) -> bool:
        """Whether there is anything."""
        return self.value is not NOTHING

    @property
    def mapping(self) -> Mapping[str, Any]:  # Any: foreign JSON
        """The object that stands here; an empty one for anything else."""
        return self.value if isinstance(self.value, Mapping) else {}

    @property
    def items(self) -> list[Any]:  # Any: foreign JSON
        """The list that stands here; an empty one for anything else."""
        return self.value if isinstance(self.value, list) else []

    def each(self) -> "list[tuple[str, Place]]":
        """Return the members of the object that stands here."""
        return [(name, self.get(name)) for name in self.mapping]


class Tree:
    """A whole description."""

    def __init__(self, document: Mapping[str, Any], notes: Notes) -> None:
        self.root = Place(document, "")
        self.notes = notes

    def find(self, reference: str) -> Place | None:
        """Return what a reference `#/…` leads to, itself perhaps a reference; None when it leads to nothing."""
        place = self.root
        for step in unquote(reference.removeprefix("#")).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place.value, list) and name.isdecimal() and int(name) < len(place.value):
                place = Place(place.value[int(name)], f"{place.pointer}/{int(name)}")
            else:
                place = place.get(name)
        return place if place.is_there else None

    def problem(self, reference: object) -> str:
        """Return why a reference leads nowhere, as a code of notes; empty when it does."""
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            return "reference-outside"
        return "" if self.find(reference) is not None else "reference-unknown"

    def follow(self, place: Place) -> Place | None:
        """Return what stands at a place, behind all references; None with a note when they lead nowhere."""
        start = place.pointer
        for _ in range(_LONGEST_CHAIN):
            reference = place.mapping.get("$ref")
            if reference is None:
                return place
            problem = self.problem(reference)
            if problem:
                self.notes.add(start, problem, str(reference))
                return None
            found = self.find(str(reference))
            assert found is not None  # noqa: S101  (there is no problem with it)
            place = found
        self.notes.add(start, "reference-loop")
        return None
