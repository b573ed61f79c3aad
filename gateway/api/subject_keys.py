"""The keys under which data subjects are hashed, on the admin API: their ids and times, never a key."""

from dataclasses import dataclass

from starlette.responses import Response

from gateway.api.answers import Json, answer
from gateway.api.audit import note
from gateway.api.decisions import check_role
from gateway.api.errors import Unavailable
from gateway.api.routes import Answer, Body, Route
from gateway.api.visit import Visit
from gateway.subject_keys import SubjectKey, SubjectKeys, SubjectKeysWrong
from registry.documents import parse_as
from registry.entities import Entity, Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectKeyDestruction(Entity):
    """Which subject key to forget for ever."""

    id: Reference


async def search(visit: Visit) -> Response:
    """Answer every subject key that there is or was, the oldest first."""
    keys = fresh(visit.parts.subject_keys)
    return answer({"items": [_shown(key, keys) for key in keys.keys], "total": len(keys.keys)})


async def rotate(visit: Visit) -> Response:
    """Add a subject key; the ones before go on looking up."""
    keys = visit.parts.subject_keys
    try:
        made = keys.rotate()
    except SubjectKeysWrong as error:
        raise Unavailable(str(error)) from error
    note(visit, "subject-key.rotated", key=made.id)
    return answer(_shown(made, keys))


async def destroy(visit: Visit) -> Response:
    """Forget a subject key for ever."""
    wanted, keys = parse_as(SubjectKeyDestruction, await visit.document()), visit.parts.subject_keys
    try:
        gone = keys.destroy(wanted.id)
    except SubjectKeysWrong as error:
        raise Unavailable(str(error)) from error
    note(visit, "subject-key.destroyed", key=gone.id)
    return answer(_shown(gone, keys))


def fresh(keys: SubjectKeys) -> SubjectKeys:
    """Return the keys as their file has them now. Raises Unavailable."""
    try:
        keys.refresh()
    except SubjectKeysWrong as error:
        raise Unavailable(str(error)) from error
    return keys


def _shown(key: SubjectKey, keys: SubjectKeys) -> Json:
    return {
        "id": key.id,
        "created_at": key.created_at,
        "destroyed_at": key.destroyed_at,
        "writes": key.id == keys.newest_id,
    }


ROUTES = (
    Route(
        method="GET", path="/admin/v1/subject-keys", action="key.read", tag="evidence", check=check_role,
        run=search, summary="The keys under which data subjects are hashed: ids and times",
        answer=Answer(schema="SubjectKeyList"),
    ),
    Route(
        method="POST", path="/admin/v1/subject-keys/rotate", action="key.rotate", tag="evidence", check=check_role,
        run=rotate, summary="Add a subject key, under which records are written from now on",
        description="Every worker on this machine takes it up within a second; older keys go on looking up.",
        answer=Answer(schema="SubjectKey"),
    ),
    Route(
        method="POST", path="/admin/v1/subject-keys/destroy", action="key.destroy", tag="evidence", check=check_role,
        run=destroy, summary="Forget a subject key for ever",
        description=(
            "Nobody can tell any more whom the records written under it are about. The newest key cannot be "
            "destroyed: rotate first."
        ),
        body=Body(types={"application/json": "SubjectKeyDestruction"}, example={"id": "5f0c3a9b8e7d6c10"}),
        answer=Answer(schema="SubjectKey"), problems=(404, 409, 413, 415, 422),
    ),
)  # fmt: skip
