"""Clients on the admin API: who gets tokens. A secret is shown once, when it is made."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated

from pydantic import Field
from starlette.responses import Response

from auth.secrets import digest, new_secret, rotated
from gateway.api.answers import answer_object
from gateway.api.decisions import check_object
from gateway.api.labels import label_path
from gateway.api.nouns import PUT_PROBLEMS, Filter, Noun, SearchQuery, stale
from gateway.api.routes import Answer, Body, Route
from gateway.api.visit import Visit
from registry.documents import parse, parse_as, render
from registry.entities import Client, ClientSecret, Entity, Kind
from registry.errors import VersionStale
from registry.register.directory import RegistryLookup
from registry.register.steps import SetSecrets

LONGEST_OVERLAP = 90 * 24 * 3600


class ClientQuery(SearchQuery):
    """Filters of clients."""

    system: Filter = None
    organisation: Filter = None
    role: Filter = None
    environment: Filter = None
    status: Filter = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation(Entity):
    """How to change a secret: how long the old one goes on working, and whether tokens made so far end."""

    overlap_seconds: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP)] = 24 * 3600
    end_tokens: bool = False


async def add(visit: Visit) -> Response:
    """Add a client; one without keys of its own gets a secret, which is in this answer and nowhere else."""
    parts, author = visit.parts, visit.caller.author
    changes = parts.register.changes(RegistryLookup(parts.registry), author)
    staged = await changes.add(Kind.CLIENT, await visit.document())
    secret = None
    if staged.document["jwks"] is None:
        secret = new_secret()
        made = ClientSecret(digest=digest(secret, parts.node_key), created_at=visit.now())
        given = render(SetSecrets(secrets=(made,)))
        await changes.step(Kind.CLIENT, staged.id, "set-secrets", given, expected_version=staged.version)
    await parts.registry.commit(changes.changes, author)
    stored = await parts.registry.get(Kind.CLIENT, staged.id)
    return answer_object(stored, status=201, more={"client_id": stored.id, "client_secret": secret})


async def rotate(visit: Visit) -> Response:
    """Give a client a new secret; the newest old one goes on for the overlap."""
    stored, version = await visit.stored(Kind.CLIENT), visit.expected_version()
    wanted, now = parse_as(Rotation, await visit.document()), visit.now()
    client = parse(Kind.CLIENT, stored.document)
    assert isinstance(client, Client)  # noqa: S101  (what parse returns for this kind)
    secret = new_secret()
    secrets = rotated(
        client.secrets,
        digest(secret, visit.parts.node_key),
        now=now,
        overlap=timedelta(seconds=wanted.overlap_seconds),
    )
    given = SetSecrets(secrets=secrets, not_before=now if wanted.end_tokens else None)
    try:
        stored = await visit.parts.register.step(
            Kind.CLIENT,
            stored.id,
            "set-secrets",
            render(given),
            expected_version=version,
            author=visit.caller.author,
        )
    except VersionStale as error:
        raise await stale(visit, stored, error) from error
    return answer_object(stored, more={"client_id": stored.id, "client_secret": secret})


NOUN = Noun(
    kind=Kind.CLIENT,
    name="client",
    query=ClientQuery,
    example={"name": "Một cửa Sở Tư pháp (ví dụ)", "system": "H99.05:mot-cua", "environment": "sandbox"},
    add=add,
    added="NewClient",
)

ROUTES = (
    Route(
        method="POST",
        path=f"{label_path(Kind.CLIENT)}/rotate",
        action="client.rotate",
        tag=Kind.CLIENT.value,
        check=partial(check_object, kind=Kind.CLIENT),
        run=rotate,
        summary="Give a client a new secret",
        description="The new secret is in this answer and nowhere else. The old one works until the overlap ends.",
        body=Body(types={"application/json": "Rotation"}, example={"overlap_seconds": 3600}),
        answer=Answer(schema="NewClient", headers=("ETag",)),
        if_match=True,
        problems=PUT_PROBLEMS,
    ),
)
