"""A change set: use cases put together, checked one after the other, and committed as one revision."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from registry.documents import content_hash, parse, parse_as, render
from registry.entities import (
    CodeList,
    Delegation,
    Entity,
    Grant,
    Kind,
    Organisation,
    Service,
    System,
    Version,
)
from registry.errors import Flaw, Invalid, NotFound, VersionStale
from registry.ids import uuid7
from registry.labels import OWN, key, own_labels
from registry.references import Link, with_targets
from registry.register.directory import Lookup, RegistryLookup
from registry.register.lives import NOUNS, begun, check_removable, rewritten
from registry.register.rules import fixed_flaws, flaws_of
from registry.register.steps import TABLE, Moment, Parameters
from registry.stores import Change, Document, Stored

CheckVersion = Callable[[Version], Sequence[Flaw]]
FindList = Callable[[str], Awaitable[CodeList | None]]
CheckTransforms = Callable[[Version, FindList], Awaitable[Sequence[Flaw]]]
"""Finds flaws in a version's transforms; is handed a way to find the code lists that they name."""
E = TypeVar("E", bound=Entity)

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LONGEST_CHAIN = 50


class ChangeSet:
    """Collects changes; each sees what the ones before it made. Nothing is written until `changes` are committed."""

    def __init__(
        self,
        lookup: Lookup,
        at: Moment,
        *,
        check_version: CheckVersion | None = None,
        check_transforms: CheckTransforms | None = None,
    ) -> None:
        self._lookup = lookup
        self._at = at
        self._check_version = check_version
        self._check_transforms = check_transforms
        self._announced: dict[tuple[Kind, str], str] = {}
        self._coming_lists: dict[str, Document] = {}
        self.changes: list[Change] = []

    def announce(self, kind: Kind, document: Document, id: str) -> None:  # noqa: A002  (the registry's word)
        """Let references find an object that a later change adds."""
        if kind in OWN:
            for label in own_labels(kind, document):
                self._announced[kind, key(label.code)] = id
        self._announced[kind, id] = id
        if kind is Kind.CODE_LIST:
            self._coming_lists[key(document["code"])] = document

    async def add(self, kind: Kind, document: Mapping[str, Any], *, id: str | None = None) -> Stored:  # noqa: A002
        """Stage a new object. Raises Invalid."""
        if id is not None and not _ID.fullmatch(id):
            raise Invalid([Flaw("/id", "pattern", "An id is a UUID in lower case.")])
        spec = await self._spec(kind, document)
        entity = begun(kind, spec, self._at, authority=await self._authority(spec))
        await self._check(kind, entity, id)
        return self._stage("add", kind, id or uuid7(), entity, None)

    async def replace(
        self, kind: Kind, label: str, document: Mapping[str, Any], *, expected_version: int
    ) -> Stored:
        """Stage another text for an object. Raises NotFound, VersionStale, WrongState, Invalid."""
        current = await self._current(kind, label, expected_version)
        before = parse(kind, current.document)
        spec = await self._spec(kind, document)
        entity = rewritten(kind, before, spec, self._at)
        flaws = fixed_flaws(kind, before, entity)
        if flaws:
            raise Invalid(flaws)
        await self._check(kind, entity, current.id)
        if isinstance(before, CodeList) and isinstance(entity, CodeList):
            await self._check_users(before, entity)
        return self._stage("replace", kind, current.id, entity, current)

    async def remove(self, kind: Kind, label: str, *, expected_version: int) -> Stored:
        """Stage taking an object out of use. Raises NotFound, VersionStale, WrongState."""
        current = await self._current(kind, label, expected_version)
        entity = parse(kind, current.document)
        check_removable(entity)
        if isinstance(entity, CodeList):
            await self._check_users(entity, None)
        return self._stage("remove", kind, current.id, None, current)

    async def step(
        self, kind: Kind, label: str, action: str, document: Mapping[str, Any], *, expected_version: int
    ) -> Stored:
        """Stage a step of an object's life. Raises NotFound, VersionStale, WrongState, Invalid."""
        step = TABLE.get(kind, {}).get(action)
        if step is None:
            raise Invalid([Flaw("", "choice", f"There is no step {action!r} here.")])
        current = await self._current(kind, label, expected_version)
        given = await self._resolved(step.parameters, parse_as(step.parameters, document))
        entity = step.take(parse(kind, current.document), given, self._at)
        if isinstance(entity, Grant):
            await self._check_delegation(entity, given)
        elif isinstance(entity, Version) and entity.status == "published":
            await self._check_again(entity)
        return self._stage(action, kind, current.id, entity, current)

    # --- staging ----------------------------------------------------------------------------------------

    def _stage(
        self,
        verb: str,
        kind: Kind,
        id_: str,
        entity: Entity | None,
        current: Stored | None,
    ) -> Stored:
        document = render(entity) if entity is not None else {}
        digest = content_hash(document)
        if current is not None and digest == current.content_hash:
            return current
        self.changes.append(
            Change(
                action=f"{NOUNS[kind]}.{verb}",
                kind=kind,
                id=id_,
                entity=entity,
                expected_version=current.version if current else None,
            )
        )
        staged = Stored(
            kind=kind,
            id=id_,
            label=current.label if current else str(document.get(OWN.get(kind, ""), "")),
            version=current.version + 1 if current else 1,
            revision=current.revision if current else 0,
            home_node=current.home_node if current else self._at.node,
            document=document,
            content_hash=digest,
            changed_at=self._at.now,
            changed_by=self._at.author.id,
            removed=entity is None,
        )
        self._lookup.put(staged if entity is not None or current is None else replace(current, removed=True))
        return staged

    async def _current(self, kind: Kind, label: str, expected_version: int) -> Stored:
        current = await self._lookup.find(kind, label)
        if current is None:
            raise NotFound(kind.value, label)
        if current.version != expected_version:
            raise VersionStale(current=current.version, given=expected_version)
        return current

    # --- references -------------------------------------------------------------------------------------

    async def _spec(self, kind: Kind, document: Mapping[str, Any]) -> Entity:
        """Parse what a person wrote, with ids for references. Raises Invalid."""
        written = render(parse(kind, document, spec=True))
        targets: dict[Link, str] = {}
        flaws: list[Flaw] = []
        for link in _links_of(kind, written):
            found = await self._target(link)
            if found is None:
                flaws.append(_unknown(link))
            else:
                targets[link] = found
        if flaws:
            raise Invalid(flaws)
        return parse(kind, with_targets(kind, written, targets.__getitem__), spec=True)

    async def _resolved(self, target: type[Parameters], given: Parameters) -> Parameters:
        """Put ids into a step's references. Raises Invalid."""
        ids = {}
        for name, kind in target.references.items():
            value = getattr(given, name)
            if value is None:
                continue
            link = Link(f"/{name}", kind, value)
            ids[name] = await self._target(link)
            if ids[name] is None:
                raise Invalid([_unknown(link)])
        return replace(given, **ids) if ids else given

    async def _target(self, link: Link) -> str | None:
        found = await self._lookup.find(link.kind, link.target)
        if found is not None:
            return found.id
        return self._announced.get((link.kind, key(link.target)))

    # --- rules that look at other objects ---------------------------------------------------------------

    async def _check(self, kind: Kind, entity: Entity, id: str | None) -> None:  # noqa: A002
        flaws = flaws_of(kind, entity)
        if isinstance(entity, Organisation):
            flaws += await self._cycle_flaws(entity, id)
        elif isinstance(entity, System) and id in entity.acts_for:
            flaws.append(Flaw("/acts_for", "cycle", "A system does not act for itself."))
        elif isinstance(entity, Grant):
            flaws += await self._operation_flaws(entity)
        elif isinstance(entity, Version):
            flaws += await self._version_flaws(entity)
        if flaws:
            raise Invalid(flaws)

    async def _check_again(self, version: Version) -> None:
        """What a version's examples stand on may have changed since it was written. Raises Invalid."""
        flaws = await self._check_transforms(version, self._find_list) if self._check_transforms else ()
        if flaws:
            raise Invalid(flaws)

    async def _check_users(self, before: CodeList, after: CodeList | None) -> None:
        """No version that is called may break with a code list. Raises Invalid.

        Of many changes at once this is not asked: a version that comes later among them may be made for the new list.
        """
        if self._check_transforms is None or not isinstance(self._lookup, RegistryLookup):
            return

        async def as_it_is(label: str) -> CodeList | None:
            return before if key(label) == key(before.code) else await self._find_list(label)

        async def as_it_becomes(label: str) -> CodeList | None:
            return after if key(label) == key(before.code) else await self._find_list(label)

        for status in ("published", "deprecated"):
            for stored in await self._lookup.having(Kind.VERSION, "status", status):
                version = parse(Kind.VERSION, stored.document)
                if not isinstance(version, Version) or not _names(version, before.code):
                    continue
                flaws = await self._check_transforms(version, as_it_becomes)
                if flaws and not await self._check_transforms(version, as_it_is):
                    told = f"{stored.label} would break ({flaws[0].pointer}): {flaws[0].message}"
                    raise Invalid([Flaw("", flaws[0].code, told)])

    async def _version_flaws(self, version: Version) -> list[Flaw]:
        flaws = list(self._check_version(version)) if self._check_version else []
        if self._check_transforms is not None:
            flaws += await self._check_transforms(version, self._find_list)
        return flaws

    async def _find_list(self, label: str) -> CodeList | None:
        """Return a code list, one that a later change adds included."""
        found = await self._lookup.find(Kind.CODE_LIST, label)
        document = found.document if found else self._coming_lists.get(key(label))
        entity = parse(Kind.CODE_LIST, document) if document else None
        return entity if isinstance(entity, CodeList) else None

    async def _cycle_flaws(self, organisation: Organisation, id: str | None) -> list[Flaw]:  # noqa: A002
        """Follow parents and successors: none may lead back, or on and on."""
        flaws = []
        for name in ("parent", "successor"):
            following: str | None = getattr(organisation, name)
            steps = 0
            while following is not None and following != id and steps < _LONGEST_CHAIN:
                found = await self._lookup.find(Kind.ORGANISATION, following)
                following = found.document.get(name) if found else None
                steps += 1
            if following is not None:
                flaws.append(Flaw(f"/{name}", "cycle", "The organisation would come before or above itself."))
        return flaws

    async def _operation_flaws(self, grant: Grant) -> list[Flaw]:
        """A grant names operations that consumers can see."""
        if not grant.operations:
            return []
        versions = await self._lookup.having(Kind.VERSION, "service", grant.service)
        known = {
            operation["name"]
            for version in versions
            if version.document["status"] in {"published", "deprecated"}
            for operation in version.document["operations"]
        }
        return [
            Flaw(
                f"/operations/{index}",
                "operation-unknown",
                f"No published version has an operation {name!r}.",
            )
            for index, name in enumerate(grant.operations)
            if name not in known
        ]

    async def _authority(self, spec: Entity) -> str:
        """Return the node whose provider decides on a grant: the home of its service."""
        service = getattr(spec, "service", None)
        found = await self._lookup.find(Kind.SERVICE, service) if service else None
        return found.home_node if found else self._at.node

    async def _check_delegation(self, grant: Grant, given: Parameters) -> None:
        """A delegation is the provider's own, and valid now. Raises Invalid."""
        id_ = getattr(given, "delegation", None)
        found = await self._lookup.find(Kind.DELEGATION, id_) if id_ else None
        if found is None:
            return
        delegation = await self._entity(Delegation, Kind.DELEGATION, found.id)
        service = await self._entity(Service, Kind.SERVICE, grant.service)
        provider = await self._entity(System, Kind.SYSTEM, service.provider)
        now = self._at.now
        begun_ = delegation.valid_from is None or delegation.valid_from <= now
        over = delegation.valid_until is not None and delegation.valid_until <= now
        if delegation.organisation != provider.organisation or not begun_ or over:
            raise Invalid(
                [
                    Flaw(
                        "/delegation",
                        "delegation",
                        "This delegation is not the provider's, or is not valid now.",
                    )
                ]
            )

    async def _entity(self, expected: type[E], kind: Kind, id: str) -> E:  # noqa: A002
        found = await self._lookup.find(kind, id)
        entity = parse(kind, found.document) if found else None
        if not isinstance(entity, expected):
            raise NotFound(kind.value, id)
        return entity


def _links_of(kind: Kind, document: Document) -> Iterator[Link]:
    seen: dict[Link, None] = {}

    def note(link: Link) -> str:
        seen[link] = None
        return link.target

    with_targets(kind, document, note)
    return iter(seen)


def _unknown(link: Link) -> Flaw:
    return Flaw(
        link.pointer, "reference-unknown", f"No object of {link.kind.value} is known as {link.target!r}."
    )


def _names(version: Version, code_list: str) -> bool:
    """Say whether a version's transforms use a code list."""
    wanted = key(code_list)
    return any(
        isinstance(named, str) and key(named) == wanted
        for operation in version.operations
        for spec in (*operation.transforms.request, *operation.transforms.reply)
        for named in spec.settings.get("code_lists", ())
    )
