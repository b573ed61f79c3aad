"""Evidence on the admin API: what is recorded of exchanges, to those whom it concerns."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from pydantic import Field
from starlette.responses import Response

from auth.decide import Subject
from gateway.api.answers import Json, answer
from gateway.api.decisions import check_role, demand, organisation_of
from gateway.api.errors import Forbidden, QueryWrong
from gateway.api.moments import Moment
from gateway.api.nouns import Filter
from gateway.api.routes import Answer, Route
from gateway.api.visit import Query, Visit
from registry.entities import Kind, Role
from registry.errors import Invalid, NotFound
from registry.evidence import Outcome, Record
from registry.sql.evidence import Evidence

SUMMARY = (
    "exchange",
    "environment",
    "client",
    "consumer",
    "provider",
    "service",
    "version",
    "operation",
    "outcome",
    "reason",
    "status",
    "delivered",
    "total_us",
)


class EvidenceQuery(Query):
    """Which final records to list, the newest first."""

    consumer: Annotated[Filter, Field(description="A system by id or code.")] = None
    provider: Annotated[Filter, Field(description="A system by id or code.")] = None
    outcome: Outcome | None = None
    since: Annotated[Moment | None, Field(description="From this time or day on.")] = None
    until: Annotated[Moment | None, Field(description="Before this time or day.")] = None
    limit: Annotated[int, Field(ge=1, le=200, description="Most records on a page.")] = 50
    cursor: Annotated[str | None, Field(max_length=200, description="`next` of the page before.")] = None


async def search(visit: Visit) -> Response:
    """Answer a page of final records in short, and how many there are."""
    query = visit.query(EvidenceQuery)
    consumer, provider = await system_id(visit, query.consumer), await system_id(visit, query.provider)
    await check_parties(visit, consumer, provider)
    wanted = {
        "consumer": consumer,
        "provider": provider,
        "outcome": query.outcome.value if query.outcome else None,
    }
    reader = visit.parts.evidence
    try:
        page = await reader.search(
            **wanted, since=query.since, until=query.until, cursor=query.cursor, limit=query.limit
        )
    except Invalid as error:
        raise QueryWrong(error.flaws) from error
    total = await reader.count(**wanted, since=query.since, until=query.until)
    return answer(
        {"items": [_summary(item.record) for item in page.items], "next": page.next, "total": total}
    )


async def system_id(visit: Visit, label: str | None) -> str | None:
    """Return the id of the system that a query names. Raises NotFound."""
    return None if label is None else (await visit.parts.registry.get(Kind.SYSTEM, label)).id


async def check_parties(visit: Visit, consumer: str | None, provider: str | None) -> None:
    """Let a party see the exchanges of its own systems; it has to say which."""
    subject = Subject(
        consumer=await organisation_of(visit.parts.registry, consumer),
        provider=await organisation_of(visit.parts.registry, provider),
    )
    try:
        demand(visit, subject)
    except Forbidden as error:
        if error.why == "organisation" and consumer is None and provider is None:
            raise Forbidden(visit.action, "name-your-system") from None
        raise


async def get(visit: Visit) -> Response:
    """Answer everything recorded of one exchange, with proofs; with the salts for its parties and auditors."""
    exchange = str(visit.request.path_params["exchange"])
    found = await visit.parts.evidence.get(_checked(exchange))
    final = found[-1].record
    demand(
        visit,
        Subject(
            consumer=await organisation_of(visit.parts.registry, final.consumer),
            provider=await organisation_of(visit.parts.registry, final.provider),
        ),
    )
    with_salts = visit.caller.actor.role != Role.NODE_ADMIN
    keys = await visit.parts.proofs.keys.introductions()
    return answer(
        {
            "exchange": final.exchange,
            "records": [await _whole(visit, item, with_salts) for item in found],
            "keys": [key.statement.body().decode() for key in keys],
        }
    )


def _checked(exchange: str) -> str:
    try:
        return str(UUID(exchange))
    except ValueError:
        raise NotFound("exchange", exchange[:100]) from None


async def _whole(visit: Visit, item: Evidence, with_salts: bool) -> Json:  # noqa: FBT001  (decided once, by the caller)
    salt = await visit.parts.evidence.salt(item) if with_salts else None
    return {
        "record": _members(item.record),
        "canonical": item.body.decode("utf-8"),
        "chain": {"node": item.node, "slot": item.slot, "batch": item.batch, "position": item.position},
        "salt": salt.hex() if salt else None,
        "proof": await _proof(visit, item),
    }


async def _proof(visit: Visit, item: Evidence) -> Json | None:
    """Return what proves a record, null for one of another node, whose keys are not here."""
    proofs = visit.parts.proofs
    if item.node != proofs.node:
        return None
    proof = await proofs.of_record(item.slot, item.batch, item.position)
    checkpoint = proof.checkpoint
    return {
        "header": proof.header.decode(),
        "signature": proof.signature.hex(),
        "path": [each.hex() for each in proof.path],
        "checkpoint": checkpoint.body().decode() if checkpoint else None,
    }


def _members(record: Record) -> Json:
    return {
        name: value.hex() if isinstance(value, bytes) else value for name, value in asdict(record).items()
    }


def _summary(record: Record) -> Json:
    return {"at": record.at} | {name: getattr(record, name) for name in SUMMARY}


ROUTES = (
    Route(
        method="GET", path="/admin/v1/evidence", action="evidence.read", tag="evidence", check=check_role,
        run=search, query=EvidenceQuery, summary="Final records of exchanges, the newest first",
        description="An organisation's own people name one of its systems as `consumer` or `provider`.",
        answer=Answer(schema="EvidencePage"), problems=(404, 422),
    ),
    Route(
        method="GET", path="/admin/v1/evidence/{exchange:exchange}", action="evidence.read", tag="evidence",
        check=check_role, run=get, summary="Everything recorded of one exchange",
        description=(
            "With the proof of each record; with the salts of the commitments for the exchange's parties and for "
            "auditors. A file that proves itself comes from `/admin/v1/proofs`."
        ),
        answer=Answer(schema="ExchangeEvidence"), problems=(404,),
    ),
)  # fmt: skip
