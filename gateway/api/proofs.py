"""Proofs on the admin API: exports that prove themselves, the keys that sign them, and the latest checkpoint."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from starlette.responses import Response, StreamingResponse

from auth.decide import Subject
from gateway.api.answers import Json, answer
from gateway.api.decisions import check_any_role, check_role, demand, organisation_of
from gateway.api.errors import Forbidden, QueryWrong
from gateway.api.evidence import check_parties, system_id
from gateway.api.moments import Moment
from gateway.api.node import KeyRotation
from gateway.api.nouns import Filter
from gateway.api.routes import ANY_ROLE, Answer, Body, Route
from gateway.api.visit import Query, Visit
from registry.checkpoints import Checkpoint
from registry.documents import parse_as
from registry.entities import Role
from registry.errors import Flaw, NotFound
from registry.signing import Introduction
from registry.sql.proofs import MOST_EXCHANGES, Asked

JSON_LINES = "application/jsonl"


class ProofQuery(Query):
    """What to prove: some exchanges, or final records by party and time."""

    exchange: Annotated[
        tuple[UUID, ...], Field(max_length=MOST_EXCHANGES, description="Exchanges by id; then nothing else.")
    ] = ()
    consumer: Annotated[Filter, Field(description="A system by id or code.")] = None
    provider: Annotated[Filter, Field(description="A system by id or code.")] = None
    since: Annotated[Moment | None, Field(description="From this time or day on.")] = None
    until: Annotated[Moment | None, Field(description="Before this time or day.")] = None
    follow: Annotated[
        int | None,
        Field(
            ge=1, le=2**53, description="With all checkpoints from this one on: ties it to an earlier export."
        ),
    ] = None
    salts: Annotated[
        bool, Field(description="With the salts of the commitments; for parties and auditors.")
    ] = False


async def export(visit: Visit) -> Response:
    """Answer an export, line by line."""
    query = visit.query(ProofQuery)
    asked = await (_exchanges(visit, query) if query.exchange else _parties(visit, query))
    if query.salts and visit.caller.actor.role == Role.NODE_ADMIN:
        raise Forbidden(visit.action, "role")
    asked = replace(asked, follow=query.follow)
    lines = visit.parts.proofs.export(asked, with_salts=query.salts)
    # What makes it impossible is known before the first line: then the answer is a problem.
    first = await anext(lines)
    return StreamingResponse(_all(first, lines), media_type=JSON_LINES, headers={"Cache-Control": "no-store"})


async def _all(first: bytes, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for line in lines:
        yield line


async def _exchanges(visit: Visit, query: ProofQuery) -> Asked:
    """Every one of the exchanges has to be one that the caller may see."""
    if query.model_fields_set - {"exchange", "follow", "salts"}:
        raise QueryWrong([Flaw("/exchange", "value", "Exchanges are named alone, without other filters.")])
    wanted = tuple(str(exchange) for exchange in query.exchange)
    for exchange in wanted:
        final = (await visit.parts.evidence.get(exchange))[-1]
        if final.node != visit.parts.proofs.node:
            raise NotFound("exchange", exchange)
        demand(
            visit,
            Subject(
                consumer=await organisation_of(visit.parts.registry, final.record.consumer),
                provider=await organisation_of(visit.parts.registry, final.record.provider),
            ),
        )
    return Asked(exchanges=wanted)


async def _parties(visit: Visit, query: ProofQuery) -> Asked:
    consumer = await system_id(visit, query.consumer)
    provider = await system_id(visit, query.provider)
    await check_parties(visit, consumer, provider)
    return Asked(
        consumer=consumer,
        provider=provider,
        since=_microseconds(query.since),
        until=_microseconds(query.until),
    )


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp()) * 1_000_000 + moment.microsecond


# --- keys and checkpoints -------------------------------------------------------------------------------


async def keys(visit: Visit) -> Response:
    """Answer the statements of the keys that sign the ledger."""
    found = await visit.parts.proofs.keys.introductions()
    return answer({"items": [_key(each) for each in found], "total": len(found)})


async def rotate(visit: Visit) -> Response:
    """Make a new key for the ledger, endorsed by the one before it."""
    wanted = parse_as(KeyRotation, await visit.document())
    return answer(_key(await visit.parts.proofs.keys.rotate(leaked=wanted.leaked)))


def _key(key: Introduction) -> Json:
    statement = key.statement
    return {
        "id": statement.id.hex(),
        "number": statement.number,
        "public": statement.public.hex(),
        "from": statement.start,
        "retires": statement.retires,
        "statement": statement.body().decode(),
        "signature": key.signature.hex(),
        "endorsement": key.endorsement.hex(),
    }


async def latest(visit: Visit) -> Response:
    """Answer the newest checkpoint, null when there is none yet."""
    return answer({"checkpoint": checkpoint_document(await visit.parts.proofs.checkpoints.latest())})


def checkpoint_document(checkpoint: Checkpoint | None) -> Json | None:
    """Write a checkpoint as figures carry it: its number, its head, its time."""
    if checkpoint is None:
        return None
    return {"number": checkpoint.number, "head": checkpoint.head.hex(), "at": checkpoint.at}


ROUTES = (
    Route(
        method="GET", path="/admin/v1/proofs", action="evidence.read", tag="evidence", check=check_role, run=export,
        query=ProofQuery, summary="Records with what proves them, in one file",
        description=(
            "JSON lines that `lgsp evidence verify` checks offline (docs/reference/evidence-format.md). An "
            "organisation's own people name one of its systems as `consumer` or `provider`, or its exchanges."
        ),
        answer=Answer(media_type=JSON_LINES), problems=(404, 422),
    ),
    Route(
        method="GET", path="/admin/v1/ledger/keys", action=ANY_ROLE, tag="evidence", check=check_any_role, run=keys,
        summary="The keys that sign the ledger; the first one's id is the node's fingerprint",
        answer=Answer(schema="LedgerKeyList"),
    ),
    Route(
        method="POST", path="/admin/v1/ledger/keys/rotate", action="key.rotate", tag="evidence", check=check_role,
        run=rotate, summary="Make a new key for the ledger",
        description="It signs from in ten seconds on; the one before it for five more minutes, unless it has leaked.",
        body=Body(types={"application/json": "KeyRotation"}, example={"leaked": False}),
        answer=Answer(schema="LedgerKey"), problems=(413, 415, 422),
    ),
    Route(
        method="GET", path="/admin/v1/checkpoints/latest", action=ANY_ROLE, tag="evidence", check=check_any_role,
        run=latest, summary="The newest checkpoint", answer=Answer(schema="LatestCheckpoint"),
    ),
)  # fmt: skip
