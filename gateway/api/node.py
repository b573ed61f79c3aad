"""The node itself on the admin API: who asks, what runs, what changed, what is in quarantine, keys, connectors."""

from dataclasses import dataclass

from starlette.responses import Response

from auth.keys import SigningKey
from gateway.api.answers import answer, moment
from gateway.api.decisions import check_any_role, check_role
from gateway.api.nouns import RevisionQuery, answer_revisions
from gateway.api.routes import ANY_ROLE, Answer, Body, Route
from gateway.api.visit import Visit
from registry.documents import parse_as
from registry.entities import Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotation(Entity):
    """How to rotate the signing keys: when one has leaked, every token made so far ends at once."""

    leaked: bool = False


async def whoami(visit: Visit) -> Response:
    """Answer who asks, as this node sees it."""
    actor = visit.caller.actor
    return answer(
        {
            "client": actor.client,
            "name": actor.name,
            "role": actor.role,
            "organisation": actor.organisation,
            "node": visit.parts.settings.node,
        }
    )


async def revisions(visit: Visit) -> Response:
    """Answer the revisions of the registry, the newest first."""
    return await answer_revisions(visit, visit.query(RevisionQuery))


async def quarantine(visit: Visit) -> Response:
    """Answer what could not be compiled for the data plane, and why."""
    snapshot = visit.parts.snapshots.current
    items = [
        {"kind": item.kind, "id": item.id, "label": item.label, "reason": item.reason}
        for item in snapshot.quarantine
    ]
    return answer({"revision": snapshot.revision, "items": items, "total": len(items)})


async def snapshot(visit: Visit) -> Response:
    """Answer the revision of the registry, and the one that each worker runs."""
    running = await visit.parts.running()
    workers = [
        {"worker": worker.worker, "revision": worker.revision, "age_seconds": round(worker.age_seconds, 3)}
        for worker in running
    ]
    return answer({"revision": await visit.parts.registry.revision(), "workers": workers})


async def connectors(visit: Visit) -> Response:
    """Answer the installed connectors: what they can do, and the schema of their settings."""
    items = visit.parts.catalogue.describe()
    return answer({"items": items, "total": len(items)})


async def rotate_keys(visit: Visit) -> Response:
    """Make a new signing key; old tokens stay good until they end, unless the old key has leaked."""
    wanted, parts = parse_as(KeyRotation, await visit.document()), visit.parts
    now = parts.now()
    key = await (
        parts.key_store.rotate(now, lead_seconds=0, overlap_seconds=0)
        if wanted.leaked
        else parts.key_store.rotate(now)
    )
    parts.keys.replace([SigningKey.parse(kept) for kept in await parts.key_store.search(now)])
    return answer(
        {"kid": key.kid, "active_from": moment(key.active_from), "jwks": parts.keys.public_jwks(now)}
    )


ROUTES = (
    Route(
        method="GET", path="/admin/v1/whoami", action=ANY_ROLE, tag="node", check=check_any_role, run=whoami,
        summary="Who asks, as this node sees it", answer=Answer(schema="Whoami"),
    ),
    Route(
        method="GET", path="/admin/v1/connectors", action=ANY_ROLE, tag="node", check=check_any_role,
        run=connectors, summary="The installed connectors and what their settings take",
        answer=Answer(schema="ConnectorList"),
    ),
    Route(
        method="GET", path="/admin/v1/revisions", action="revision.read", tag="node", check=check_role,
        run=revisions, query=RevisionQuery, summary="Revisions of the registry, the newest first",
        answer=Answer(schema="RevisionPage"), problems=(422,),
    ),
    Route(
        method="GET", path="/admin/v1/quarantine", action="node.read", tag="node", check=check_role,
        run=quarantine, summary="What could not be put into operation, and why",
        answer=Answer(schema="Quarantine"),
    ),
    Route(
        method="GET", path="/admin/v1/snapshot", action="node.read", tag="node", check=check_role,
        run=snapshot, summary="The revision that each worker runs, and how old it is",
        answer=Answer(schema="Snapshot"),
    ),
    Route(
        method="POST", path="/admin/v1/keys/rotate", action="key.rotate", tag="node", check=check_role,
        run=rotate_keys, summary="Make a new signing key",
        body=Body(types={"application/json": "KeyRotation"}, example={"leaked": False}),
        answer=Answer(schema="RotatedKeys"), problems=(413, 415, 422),
    ),
)  # fmt: skip
