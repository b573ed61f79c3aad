"""Bringing the registry to what a file says: what would change, doing it in one revision, writing such a file.

What the file does not name is left alone. A plan holds the versions it was made from; applied later, it is
refused when one of them has changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from registry.diffs import differences
from registry.entities import Kind
from registry.errors import AlreadyThere, Conflict, Flaw, Invalid, NotFound, VersionStale
from registry.export import export
from registry.ids import uuid7
from registry.labels import is_in_use
from registry.references import with_targets
from registry.register.changes import ChangeSet
from registry.register.directory import Directory
from registry.register.use_cases import Register
from registry.stores import Author, Document, Registry, Revision, Stored
from registry.wanted import ORDER, Wanted, parse_yaml

__all__ = [
    "Plan",
    "Planned",
    "Wanted",
    "apply",
    "check_versions",
    "export",
    "parse_yaml",
    "plan",
    "render_plan",
]

_NOTE = "lgsp apply"
_NOBODY = Author(id="", name="", via="local")

_STEPS: Mapping[Kind, Mapping[tuple[str, str], tuple[str, ...]]] = {
    Kind.VERSION: {
        ("draft", "published"): ("publish",),
        ("draft", "deprecated"): ("publish", "deprecate"),
        ("draft", "retired"): ("retire",),
        ("published", "deprecated"): ("deprecate",),
        ("published", "retired"): ("retire",),
        ("deprecated", "published"): ("publish",),
        ("deprecated", "retired"): ("retire",),
    },
    Kind.GRANT: {
        ("requested", "approved"): ("approve",),
        ("requested", "refused"): ("refuse",),
        ("requested", "suspended"): ("approve", "suspend"),
        ("approved", "suspended"): ("suspend",),
        ("approved", "revoked"): ("revoke",),
        ("suspended", "approved"): ("resume",),
        ("suspended", "revoked"): ("revoke",),
    },
    Kind.CLIENT: {("active", "disabled"): ("disable",), ("disabled", "active"): ("enable",)},
}
"""From a state of life to the wanted one: the steps to take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What would happen to one object.

    `change` is `create`, `replace`, `steps` (only its life moves on) or `unchanged`; `steps` are taken after
    that. `waiting` are steps that this author may not take: somebody else approves what one has requested.
    """

    kind: Kind
    label: str
    pointer: str
    change: str
    id: str | None
    expected_version: int | None
    steps: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    diff: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would happen to each wanted object; made at a revision of the registry."""

    revision: int
    items: tuple[Planned, ...]
    wanted: tuple[Wanted, ...] = field(repr=False)

    @property
    def creates(self) -> list[Planned]:
        """The objects that would be new."""
        return [item for item in self.items if item.change == "create"]

    @property
    def replaces(self) -> list[Planned]:
        """The objects that would be written anew."""
        return [item for item in self.items if item.change == "replace"]

    @property
    def steps(self) -> list[Planned]:
        """The objects whose life would move on, whatever else happens to them."""
        return [item for item in self.items if item.steps]

    @property
    def unchanged(self) -> list[Planned]:
        """The objects that are as they are wanted."""
        return [item for item in self.items if item.change == "unchanged"]

    @property
    def is_empty(self) -> bool:
        """Whether applying would change nothing."""
        return len(self.unchanged) == len(self.items)

    @property
    def versions(self) -> dict[str, int | None]:
        """The versions it was made from, by place in the file; None for an object that was not there."""
        return {item.pointer: item.expected_version for item in self.items}


async def plan(registry: Registry, wanted: Sequence[Wanted], *, author: Author = _NOBODY) -> Plan:
    """Return what would change. `author` matters only for who may approve what.

    Raises:
        Invalid: something is wrong with what is wanted; pointers lead into the file.
    """
    revision, directory = await Directory.load(registry)
    # Not a node of its own: home nodes and authorities are decided when the plan is applied.
    changes = Register(registry, node="").changes(directory, author)
    items = await _stage(changes, directory, wanted, author)
    return Plan(revision=revision, items=tuple(items), wanted=tuple(wanted))


async def apply(register: Register, plan: Plan, author: Author) -> Revision:
    """Carry a plan out as one revision; when it changes nothing, return the latest.

    Raises:
        VersionStale, AlreadyThere, NotFound: an object is not as it was when the plan was made.
        Invalid: as `plan` does; nothing is changed.
    """
    _, directory = await Directory.load(register.registry)
    changes = register.changes(directory, author)
    for wanted in plan.wanted:
        _check_version(wanted, _existing(directory, wanted), plan.versions[wanted.pointer])
    await _stage(changes, directory, plan.wanted, author)
    return await register.registry.commit(changes.changes, author)


def check_versions(plan: Plan, versions: Mapping[str, int | None]) -> None:
    """Raise VersionStale unless the plan was made from these versions, those that somebody was shown."""
    for pointer, version in plan.versions.items():
        if versions.get(pointer) != version:
            raise VersionStale(current=version or 0, given=versions.get(pointer) or 0)


def render_plan(plan: Plan) -> Document:
    """Return the plan as JSON: `versions` goes back with the request to apply it."""
    return {
        "revision": plan.revision,
        "versions": plan.versions,
        "items": [
            {
                "kind": item.kind.value,
                "label": item.label,
                "pointer": item.pointer,
                "change": item.change,
                "id": item.id,
                "expected_version": item.expected_version,
                "steps": list(item.steps),
                "waiting": list(item.waiting),
                "diff": [dict(difference) for difference in item.diff],
            }
            for item in plan.items
        ],
        "total": {
            "create": len(plan.creates),
            "replace": len(plan.replaces),
            "steps": len(plan.steps),
            "unchanged": len(plan.unchanged),
        },
    }


# --- staging --------------------------------------------------------------------------------------------


async def _stage(
    changes: ChangeSet, directory: Directory, wanted: Sequence[Wanted], author: Author
) -> list[Planned]:
    """Stage everything, in order; report every flaw at once."""
    ids = {}
    for item in wanted:
        existing = _existing(directory, item)
        ids[item.pointer] = existing.id if existing else item.id or uuid7()
        changes.announce(item.kind, item.document, ids[item.pointer])
    planned: dict[str, Planned] = {}
    flaws: list[Flaw] = []
    for item in sorted(wanted, key=lambda one: ORDER.index(one.kind)):
        try:
            planned[item.pointer] = await _Stage(changes, directory, item, author).run(ids[item.pointer])
        except Invalid as error:
            flaws += [Flaw(item.pointer + flaw.pointer, flaw.code, flaw.message) for flaw in error.flaws]
        except (Conflict, NotFound) as error:
            flaws.append(Flaw(item.pointer, "state", f"{item.label}: {error}."))
    if flaws:
        raise Invalid(flaws)
    return [planned[item.pointer] for item in wanted]


class _Stage:
    """Stages one wanted object."""

    def __init__(self, changes: ChangeSet, directory: Directory, wanted: Wanted, author: Author) -> None:
        self._changes = changes
        self._directory = directory
        self._wanted = wanted
        self._author = author

    async def run(self, id_: str) -> Planned:
        wanted = self._wanted
        existing = _existing(self._directory, wanted)
        _check_in_use(existing)
        if existing is None:
            current = await self._changes.add(wanted.kind, wanted.document, id=id_)
        else:
            current = await self._changes.replace(
                wanted.kind, existing.id, wanted.document, expected_version=existing.version
            )
        replaced = existing is not None and current.version != existing.version
        steps, waiting, after = await self._live(current)
        change = (
            "create" if existing is None else "replace" if replaced else "steps" if steps else "unchanged"
        )
        return Planned(
            kind=wanted.kind,
            label=wanted.label,
            pointer=wanted.pointer,
            change=change,
            id=existing.id if existing else None,
            expected_version=existing.version if existing else None,
            steps=steps,
            waiting=waiting,
            diff=differences(wanted.kind, self._named(existing), self._named(after)),
        )

    async def _live(self, current: Stored) -> tuple[tuple[str, ...], tuple[str, ...], Stored]:
        """Take the steps to the wanted state, as far as the author may."""
        taken: list[str] = []
        path = list(self._path(current))
        while path and not self._is_anothers(path[0], current):
            action = path.pop(0)
            current = await self._changes.step(
                current.kind,
                current.id,
                action,
                self._parameters(action, current),
                expected_version=current.version,
            )
            taken.append(action)
        return tuple(taken), tuple(path), current

    def _path(self, current: Stored) -> Sequence[str]:
        wanted, status = self._wanted, current.document.get("status")
        if wanted.status is None:
            return ()
        if status == wanted.status:
            sunset = wanted.further.get("sunset_at")
            moved = status == "deprecated" and sunset and sunset != current.document["sunset_at"]
            return ("deprecate",) if moved else ()
        path = _STEPS[wanted.kind].get((str(status), wanted.status))
        if path is None:
            raise Invalid([Flaw("/status", "state", f"No step leads from {status!r} to {wanted.status!r}.")])
        return path

    def _is_anothers(self, action: str, current: Stored) -> bool:
        requested_by = current.document.get("requested_by")
        return action == "approve" and self._author.via == "api" and requested_by == self._author.id

    def _parameters(self, action: str, current: Stored) -> Document:
        if current.kind is Kind.GRANT:
            return {"note": _NOTE, "delegation": self._delegation(current)}
        if action == "deprecate":
            return {"sunset_at": self._wanted.further.get("sunset_at")}
        return {}

    def _delegation(self, grant: Stored) -> str | None:
        """Return the provider's delegation, to be recorded with the decision."""
        service = self._directory.get(Kind.SERVICE, grant.document["service"])
        provider = self._directory.get(Kind.SYSTEM, service.document["provider"]) if service else None
        owner = provider.document["organisation"] if provider else ""
        found = self._directory.get(Kind.DELEGATION, owner)
        return found.id if found else None

    def _named(self, item: Stored | None) -> Document | None:
        """Return the document with labels for references, for people."""
        if item is None:
            return None

        def label(kind: Kind, id_: str) -> str:
            found = self._directory.get(kind, id_)
            return found.label if found and found.label else id_

        return with_targets(item.kind, item.document, lambda link: label(link.kind, link.target))


def _existing(directory: Directory, wanted: Wanted) -> Stored | None:
    return directory.get(wanted.kind, wanted.id or wanted.label)


def _check_in_use(existing: Stored | None) -> None:
    """What has been withdrawn, refused or revoked does not come back by a file that still names it."""
    if existing is not None and not is_in_use(existing):
        message = (
            "This has ended (withdrawn, refused or revoked): take it out of the file, or ask for a new one."
        )
        raise Invalid([Flaw("", "state", message)])


def _check_version(wanted: Wanted, existing: Stored | None, expected: int | None) -> None:
    if expected is None and existing is not None:
        raise AlreadyThere(wanted.pointer, wanted.label)
    if expected is not None and existing is None:
        raise NotFound(wanted.kind.value, wanted.label)
    if existing is not None and expected is not None and existing.version != expected:
        raise VersionStale(current=existing.version, given=expected)
