"""Gathers what figures are computed from, out of the registry and of usage, as of one revision."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol
from uuid import UUID

from gateway.monitoring.rule import Body, Changed, Facts, Needed, Pair, System
from registry.documents import parse
from registry.entities import Grant, Kind, Need, Organisation, Service, Version
from registry.entities import System as SystemEntity
from registry.errors import StoreUnavailable
from registry.stores import Registry, Revision, Stored
from registry.usage import Success, day_of, start_of

_PAGE = 200
_TRIES = 5
_UUID_VERSION = 7
_IN_USE = frozenset({"published", "deprecated"})

_CHANGING: Mapping[str, frozenset[str]] = {
    Kind.SYSTEM.value: frozenset({"/organisation", "/status"}),
    Kind.ORGANISATION.value: frozenset({"/parent", "/successor", "/valid_from", "/valid_to"}),
}
"""Which fields of a system or an organisation decide whose denominator a system stands in."""


class Successes(Protocol):
    """What figures need of usage."""

    async def successes(self, first: date, last: date) -> Sequence[Success]:
        """Return the successes of these days that can prove a connection."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Facts with the registry's revision that they are of, and the labels of what they name by id."""

    facts: Facts
    revision: int
    labels: Mapping[str, str]


_KINDS = (
    Kind.ORGANISATION,
    Kind.NATIONAL_DATABASE,
    Kind.SYSTEM,
    Kind.NEED,
    Kind.SERVICE,
    Kind.VERSION,
    Kind.GRANT,
)
_Objects = dict[Kind, list[Stored]]


async def gather(registry: Registry, usage: Successes, first: date, last: date) -> Gathered:
    """Return what figures with windows inside these days are computed from.

    Raises:
        StoreUnavailable: a database is not there, or the registry changes faster than it can be read.
    """
    revision, objects = await _objects(registry)
    needs = [(each, _entity(each, Need)) for each in objects[Kind.NEED]]
    in_need = {need.system: each.id for each, need in needs}
    facts = Facts(
        bodies=[_body(each) for each in objects[Kind.ORGANISATION]],
        systems=[await _system(registry, each) for each in objects[Kind.SYSTEM] if each.id in in_need],
        needs=[_needed(each, need) for each, need in needs],
        successes=await usage.successes(first, last),
        granted=_granted(objects, datetime.now(UTC)),
        changes=await _changes(registry, first, {each.id: need for each, need in needs}),
    )
    labels = {each.id: each.label for several in objects.values() for each in several}
    return Gathered(facts=facts, revision=revision, labels=labels)


async def _objects(registry: Registry) -> tuple[int, _Objects]:
    """Read everything of one revision: again, when it has changed while we read."""
    for _ in range(_TRIES):
        revision = await registry.revision()
        objects = {kind: [each async for each in _all(registry, kind)] for kind in _KINDS}
        if await registry.revision() == revision:
            return revision, objects
    raise StoreUnavailable("the registry is changing too fast for a figure; try again")


async def _all(registry: Registry, kind: Kind) -> Any:  # Any: an async generator of Stored
    cursor = None
    while True:
        page = await registry.search(kind, sort="id", cursor=cursor, limit=_PAGE)
        for each in page.items:
            yield each
        cursor = page.next
        if cursor is None:
            return


def _entity(stored: Stored, cls: type[Any]) -> Any:  # Any: an entity of that class
    entity = parse(stored.kind, stored.document)
    if not isinstance(entity, cls):
        raise TypeError(f"{stored.kind} {stored.id} is not a {cls.__name__}")
    return entity


def _body(stored: Stored) -> Body:
    entity: Organisation = _entity(stored, Organisation)
    return Body(
        id=stored.id,
        parent=entity.parent,
        begins=entity.valid_from,
        ends=entity.valid_to,
        successor=entity.successor,
    )


async def _system(registry: Registry, stored: Stored) -> System:
    entity: SystemEntity = _entity(stored, SystemEntity)
    retired = await _retired_on(registry, stored) if entity.status == "retired" else None
    return System(id=stored.id, organisation=entity.organisation, retired=retired)


async def _retired_on(registry: Registry, stored: Stored) -> date:
    for revision in await registry.revisions(id=stored.id, limit=_PAGE):
        for change in _of(revision, stored.id):
            if any(each["pointer"] == "/status" and each["after"] == "retired" for each in change["diff"]):
                return day_of(revision.at)
    return day_of(stored.changed_at)


def _needed(stored: Stored, need: Need) -> Needed:
    return Needed(
        system=need.system,
        database=need.national_database,
        mode=need.mode.value,
        # Without a day of its own a need stands from the day on which it was made known here.
        declared=need.declared_on or _made_on(stored.id),
        withdrawn=day_of(need.withdrawn.at) if need.withdrawn else None,
    )


def _made_on(id_: str) -> date | None:
    try:
        made = UUID(id_)
    except ValueError:
        return None
    if made.version != _UUID_VERSION:
        return None
    return day_of(datetime.fromtimestamp((made.int >> 80) / 1000, UTC))


def _granted(objects: _Objects, now: datetime) -> set[Pair]:
    """Return systems and national databases between which a grant is good now, in either direction."""
    opens: dict[str, set[str]] = {}
    for each in objects[Kind.VERSION]:
        version: Version = _entity(each, Version)
        if version.national_database and version.status in _IN_USE:
            opens.setdefault(version.service, set()).add(version.national_database)
    providers = {each.id: _entity(each, Service).provider for each in objects[Kind.SERVICE]}
    pairs: set[Pair] = set()
    for each in objects[Kind.GRANT]:
        grant: Grant = _entity(each, Grant)
        if grant.status == "approved" and (grant.valid_until is None or grant.valid_until > now):
            for system in (grant.consumer, providers.get(grant.service, "")):
                pairs.update((system, database) for database in opens.get(grant.service, ()))
    return pairs


# --- what changed the denominator -----------------------------------------------------------------------


async def _changes(registry: Registry, first: date, needs: Mapping[str, Need]) -> list[Changed]:
    systems = {need.system for need in needs.values()}
    found: list[Changed] = []
    before = None
    while revisions := await registry.revisions(before=before, limit=_PAGE):
        for revision in revisions:
            if revision.at < start_of(first):
                return found
            found += _changed(revision, needs, systems)
        before = revisions[-1].number
    return found


def _changed(revision: Revision, needs: Mapping[str, Need], systems: set[str]) -> Iterator[Changed]:
    for change in revision.changes:
        whom = _whom(change, needs, systems)
        if whom is None:
            continue
        need = needs.get(change["id"])
        yield Changed(
            day=day_of(revision.at),
            action=change["action"],
            label=change["label"],
            author=revision.author_name,
            reason=need.withdrawn.reason
            if need and need.withdrawn and "withdraw" in change["action"]
            else "",
            systems=frozenset(whom[0]),
            organisations=frozenset(whom[1]),
        )


def _whom(
    change: Mapping[str, Any], needs: Mapping[str, Need], systems: set[str]
) -> tuple[set[str], set[str]] | None:
    """Return the systems and organisations whose denominators a change touches, None for one that does not."""
    kind, id_ = change["kind"], change["id"]
    if kind == Kind.NEED:
        return ({needs[id_].system}, set()) if id_ in needs else None
    fields = _CHANGING.get(kind, frozenset())
    touched = [each for each in change["diff"] if each["pointer"] in fields]
    if not touched or (kind == Kind.SYSTEM and id_ not in systems):
        return None
    if kind == Kind.ORGANISATION:
        return set(), {id_, *_ids(touched, {"/parent", "/successor"})}
    return {id_}, _ids(touched, {"/organisation"})


def _ids(differences: Iterable[Mapping[str, Any]], pointers: set[str]) -> set[str]:
    return {
        each[side]
        for each in differences
        for side in ("before", "after")
        if each["pointer"] in pointers and isinstance(each[side], str)
    }


def _of(revision: Revision, id_: str) -> Iterator[Mapping[str, Any]]:
    return (change for change in revision.changes if change["id"] == id_)
