"""Asking `auth.decide` about the object in question: whose it is, who requested it, who may decide for whom."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from auth.decide import NOBODY, Actor, Allowed, Subject, action_of, may
from gateway.api.bodies import is_storable
from gateway.api.errors import Forbidden, QueryWrong
from gateway.api.visit import Visit
from registry.entities import Kind
from registry.errors import Flaw, Invalid
from registry.stores import Page, Registry, Stored

Document = Mapping[str, Any]  # Any: an entity as JSON, not yet checked


def demand(visit: Visit, subject: Subject, action: str = "") -> Allowed:
    """Return the decision that allows the caller what the route is for. Raises Forbidden, saying why not.

    Whoever works on the node's machine holds its files and keys: roles do not bind them, revisions name them.
    """
    if visit.caller.author.via == "local":
        return Allowed(subject.delegation)
    decision = may(visit.caller.actor, action or visit.action, subject)
    if isinstance(decision, Allowed):
        return decision
    raise Forbidden(action or visit.action, decision.reason)


async def check_any_role(visit: Visit) -> None:
    """Let everybody with a role pass: what is answered is the caller's own, or no secret."""


async def check_role(visit: Visit) -> None:
    """Check that the role may do this at all, to what is the caller's own. Raises Forbidden."""
    demand(visit, anything_own(visit.caller.actor))


async def check_object(visit: Visit, kind: Kind) -> None:
    """Check for the object in the address. Raises NotFound, Forbidden."""
    stored = await visit.stored(kind)
    visit.subject = await subject_of(visit.parts.registry, kind, stored.document, visit.now())
    visit.allowed = demand(visit, visit.subject)


async def check_new(visit: Visit, kind: Kind) -> None:
    """Check for the object in the body. Raises Forbidden, and what reading the body raises."""
    await check_role(visit)
    await check_written(visit, kind, await visit.document())


async def check_written(visit: Visit, kind: Kind, document: Document) -> None:
    """Check for the object as it would be, so that nobody gives an object to or takes it for another."""
    subject = await subject_of(visit.parts.registry, kind, document, visit.now())
    demand(visit, subject)
    if kind is Kind.SYSTEM:
        await _check_acts_for(visit, document.get("acts_for"))


async def _check_acts_for(visit: Visit, wanted: object) -> None:
    """A client that may speak for another system calls under its grants: so that system has to be one's own, too."""
    kept = visit.known.document["acts_for"] if visit.known else ()
    for label in wanted if isinstance(wanted, list) else ():
        found = await _find(visit.parts.registry, Kind.SYSTEM, label)
        if found is not None and found.id not in kept:
            demand(visit, Subject(organisation=found.document["organisation"]))


def anything_own(actor: Actor) -> Subject:
    """Return the subject that stands for whatever is the actor's own."""
    own = actor.organisation
    return Subject(organisation=own, provider=own, consumer=own, delegation="any")


async def subject_of(registry: Registry, kind: Kind, document: Document, now: datetime) -> Subject:
    """Return what the rules look at. References may be ids or codes; what does not resolve belongs to nobody."""
    if kind is Kind.GRANT:
        return await _grant(registry, document, now)
    if kind is Kind.SERVICE:
        return Subject(provider=await _owner(registry, document.get("provider")))
    if kind is Kind.VERSION:
        return Subject(provider=await _provider(registry, document.get("service")))
    if kind is Kind.CLIENT:
        role = document.get("role")
        return Subject(
            organisation=await _client_owner(registry, document),
            confers=role if isinstance(role, str) else None,
        )
    if kind is Kind.NEED:
        return Subject(organisation=await _owner(registry, document.get("system")))
    return Subject(organisation=await _id(registry, Kind.ORGANISATION, document.get("organisation")))


async def _grant(registry: Registry, document: Document, now: datetime) -> Subject:
    provider = await _provider(registry, document.get("service"))
    return Subject(
        consumer=await _owner(registry, document.get("consumer")),
        provider=provider,
        requested_by=document.get("requested_by") or None,
        delegation=None if provider is None else await delegation_of(registry, provider, now),
    )


async def _client_owner(registry: Registry, document: Document) -> str | None:
    if document.get("system") is not None:
        return await _owner(registry, document.get("system"))
    return await _id(registry, Kind.ORGANISATION, document.get("organisation"))


async def _provider(registry: Registry, service: object) -> str | None:
    found = await _find(registry, Kind.SERVICE, service)
    return None if found is None else await _owner(registry, found.document["provider"])


async def organisation_of(registry: Registry, system: str | None) -> str | None:
    """Return the organisation of a system, None when there is no such system."""
    return await _owner(registry, system)


async def _owner(registry: Registry, system: object) -> str | None:
    found = await _find(registry, Kind.SYSTEM, system)
    return None if found is None else str(found.document["organisation"])


async def _id(registry: Registry, kind: Kind, label: object) -> str | None:
    found = await _find(registry, kind, label)
    return None if found is None else found.id


async def _find(registry: Registry, kind: Kind, label: object) -> Stored | None:
    return await registry.find(kind, label) if isinstance(label, str) and is_storable(label) else None


async def delegation_of(registry: Registry, organisation: str, now: datetime) -> str | None:
    """Return the id of a delegation of the organisation that is valid now."""
    page = await registry.search(Kind.DELEGATION, where={"organisation": organisation}, limit=200)
    for stored in page.items:
        since, until = stored.document.get("valid_from"), stored.document.get("valid_until")
        if (since is None or _moment(since) <= now) and (until is None or now < _moment(until)):
            return stored.id
    return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


async def search_visible(
    visit: Visit,
    kind: Kind,
    where: Mapping[str, str],
    text: str | None,
    sort: str,
    cursor: str | None,
    limit: int,
) -> Page:
    """Return a page of what the caller may see.

    Whoever may see all of a kind gets the registry's own page; for the others the matches are looked through one
    by one, which is bounded by what one organisation's administrators ask for.
    """
    registry, actor, action = visit.parts.registry, visit.caller.actor, action_of(kind, "read")
    if may(actor, action, NOBODY):
        try:
            return await registry.search(kind, where=where, text=text, sort=sort, cursor=cursor, limit=limit)
        except Invalid as error:
            raise QueryWrong(error.flaws) from error
    seen = [
        stored
        async for stored in _all(registry, kind, where, text, sort)
        if may(actor, action, await subject_of(registry, kind, stored.document, visit.now()))
    ]
    start = 0 if cursor is None else _after(seen, cursor)
    items = seen[start : start + limit]
    more = start + limit < len(seen)
    return Page(items=items, next=_cursor(items[-1].id) if more else None, total=len(seen))


async def _all(
    registry: Registry, kind: Kind, where: Mapping[str, str], text: str | None, sort: str
) -> AsyncIterator[Stored]:
    cursor = None
    while True:
        page = await registry.search(kind, where=where, text=text, sort=sort, cursor=cursor, limit=200)
        for stored in page.items:
            yield stored
        if page.next is None:
            return
        cursor = page.next


def _cursor(id_: str) -> str:
    return urlsafe_b64encode(id_.encode()).decode().rstrip("=")


def _after(seen: list[Stored], cursor: str) -> int:
    try:
        id_ = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        id_ = ""
    for index, stored in enumerate(seen):
        if stored.id == id_:
            return index + 1
    raise QueryWrong([Flaw("/cursor", "cursor", "not a cursor of this search; start again without one")])
