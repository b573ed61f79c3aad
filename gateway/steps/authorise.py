"""Step 3: may they. Grant, purpose, procedure, officer; pure but for reading the request's own fields."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

import orjson

from gateway.exchange import Exchange, Reason, Refusal, Request
from gateway.success import is_absent, pointed, spelled
from gateway.views import GrantView, OfficerView, Snapshot, SystemView
from registry.usage import VIETNAM

SAFE = re.compile(r"[A-Za-z0-9._:/@\-]{1,100}")
CORRELATION_FIELD = b"lgsp-correlation-id"
CORRELATION = re.compile(r"[A-Za-z0-9._:\-]{1,64}")

STATUS_REASONS = {
    "requested": Reason.GRANT_REQUESTED,
    "refused": Reason.GRANT_REFUSED,
    "suspended": Reason.GRANT_SUSPENDED,
    "revoked": Reason.GRANT_REVOKED,
    "quarantined": Reason.GRANT_QUARANTINED,
}
NEARNESS = {
    reason: rank
    for rank, reason in enumerate(
        (
            Reason.GRANT_REFUSED,
            Reason.GRANT_REVOKED,
            Reason.GRANT_EXPIRED,
            Reason.GRANT_REQUESTED,
            Reason.GRANT_QUARANTINED,
            Reason.GRANT_SUSPENDED,
            Reason.GRANT_NOT_YET_VALID,
            Reason.ENVIRONMENT_NOT_GRANTED,
            Reason.OPERATION_NOT_GRANTED,
        )
    )
}
"""How near a grant came to allowing a call, by why it did not; any other reason is nearer still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What the caller says of a call: why, under which procedure, on whose account."""

    purpose: str = ""
    procedure: str = ""
    officer: str = ""


def name_consumer(exchange: Exchange, system: SystemView, given: Mapping[str, str]) -> str:
    """Return the system that the call is made for; a shared client names it in `Lgsp-System`."""
    named = given.get("lgsp-system")
    if named is None:
        if system.acts_for:
            exchange.record.counts = False
        return system.id
    id_ = exchange.snapshot.system_codes.get(named, named)
    if id_ == system.id:
        return id_
    if id_ not in system.acts_for:
        raise Refusal(Reason.SYSTEM_NOT_ALLOWED)
    other = exchange.snapshot.systems.get(id_)
    if other is None or not other.active:
        raise Refusal(Reason.SYSTEM_INACTIVE)
    return id_


def authorise(exchange: Exchange, now: float) -> None:
    """Fill in consumer and grant. Raises Refusal, saying what is missing."""
    snapshot, record, service = exchange.snapshot, exchange.record, exchange.service
    version, operation = exchange.version, exchange.operation
    if service is None or version is None or operation is None or exchange.client.system is None:
        raise Refusal(Reason.ROUTE_UNKNOWN)
    given = private_fields(exchange.request)
    record.correlation = given.get("lgsp-correlation-id", "")
    system = snapshot.systems[exchange.client.system]
    record.consumer = name_consumer(exchange, system, given)
    claimed = Claimed(
        purpose=given.get("lgsp-purpose", ""),
        procedure=agreed(given.get("lgsp-procedure", ""), version.procedure_at, exchange),
        officer=agreed(given.get("lgsp-officer", ""), version.officer_at, exchange),
    )
    grants = snapshot.grants.get((record.consumer, service.id), ())
    if record.consumer != system.id:
        grants += snapshot.grants.get((system.id, service.id), ())
    record.purpose, record.procedure, record.officer = claimed.purpose, claimed.procedure, claimed.officer
    grant = decide(
        grants, operation=operation.name, environment=exchange.client.environment, claimed=claimed, now=now
    )
    exchange.grant = grant
    record.grant = grant.id
    record.purpose = purpose_of(grant, claimed)
    record.officer_rule = grant.officer
    check_officer(grant, claimed, snapshot, now)


def decide(
    grants: tuple[GrantView, ...], *, operation: str, environment: str, claimed: Claimed, now: float
) -> GrantView:
    """Return the first grant that allows the call. Raises Refusal with the reason that came closest."""
    closest: Refusal | None = None
    nearest = -1
    for grant in grants:
        refusal = denial(grant, operation=operation, environment=environment, claimed=claimed, now=now)
        if refusal is None:
            return grant
        nearness = NEARNESS.get(refusal.reason, len(NEARNESS))
        if nearness >= nearest:
            closest, nearest = refusal, nearness
    raise closest or Refusal(Reason.GRANT_MISSING)


def denial(
    grant: GrantView, *, operation: str, environment: str, claimed: Claimed, now: float
) -> Refusal | None:
    """Return why a grant does not allow the call, or None when it does."""
    if grant.status != "approved":
        return Refusal(STATUS_REASONS.get(grant.status, Reason.GRANT_MISSING))
    if now < grant.valid_from:
        return Refusal(Reason.GRANT_NOT_YET_VALID)
    if now >= grant.valid_until:
        return Refusal(Reason.GRANT_EXPIRED)
    if environment not in grant.environments:
        return Refusal(Reason.ENVIRONMENT_NOT_GRANTED, environment=environment)
    if grant.operations is not None and operation not in grant.operations:
        return Refusal(Reason.OPERATION_NOT_GRANTED, operation=operation)
    return why_denial(grant, claimed)


def purpose_of(grant: GrantView, claimed: Claimed) -> str:
    """Return why a call is made: what it says itself, what the grant supposes, or its procedure."""
    return claimed.purpose or grant.default_purpose or claimed.procedure


def why_denial(grant: GrantView, claimed: Claimed) -> Refusal | None:
    """Check purpose and procedure against a grant."""
    purpose = purpose_of(grant, claimed)
    if grant.purposes is not None and purpose not in grant.purposes:
        return Refusal(Reason.PURPOSE_NOT_ALLOWED if purpose else Reason.PURPOSE_MISSING)
    if not claimed.procedure:
        return Refusal(Reason.PROCEDURE_MISSING) if grant.procedure_required or grant.procedures else None
    if grant.procedures is not None and claimed.procedure not in grant.procedures:
        return Refusal(Reason.PROCEDURE_NOT_ALLOWED)
    return None


def check_officer(grant: GrantView, claimed: Claimed, snapshot: Snapshot, now: float) -> None:
    """Refuse a call whose grant asks for an officer that the call does not name, or that nobody registered."""
    if grant.officer == "none":
        return
    if not claimed.officer:
        raise Refusal(Reason.OFFICER_MISSING)
    if grant.officer == "registered":
        officer = snapshot.officers.get(claimed.officer)
        if officer is None or not _on_duty(officer, claimed.procedure, now):
            raise Refusal(Reason.OFFICER_UNKNOWN)


def _on_duty(officer: OfficerView, procedure: str, now: float) -> bool:
    day = datetime.fromtimestamp(now, VIETNAM).date().toordinal()
    allowed = officer.procedures is None or procedure in officer.procedures
    return allowed and officer.valid_from <= day < officer.valid_to


def private_fields(request: Request) -> dict[str, str]:
    """Return the request's `Lgsp-*` fields. Raises Refusal for one that is doubled or unsafe."""
    found: dict[str, str] = {}
    for name, value in request.headers:
        if name.startswith(b"lgsp-"):
            key, text = name.decode("latin-1"), value.decode("latin-1").strip()
            pattern = CORRELATION if key == "lgsp-correlation-id" else SAFE
            if key in found or (text and pattern.fullmatch(text) is None):
                raise Refusal(Reason.HEADER_INVALID, header=key)
            if text:
                found[key] = text
    return found


def correlation_of(request: Request) -> str:
    """Return the caller's own id of a request that ends before its fields were read; "" unless it is a safe one."""
    values = [value.decode("latin-1").strip() for name, value in request.headers if name == CORRELATION_FIELD]
    return values[0] if len(values) == 1 and CORRELATION.fullmatch(values[0]) else ""


def agreed(said: str, where: str | None, exchange: Exchange) -> str:
    """Return what header and message say of one thing; values that disagree are refused."""
    if where is None:
        return said
    values = {value for value in (said, *read_field(where, exchange)) if value}
    if len(values) > 1:
        raise Refusal(Reason.IDENTITY_CONFLICT)
    value = next(iter(values), "")
    if value and SAFE.fullmatch(value) is None:
        raise Refusal(Reason.HEADER_INVALID, header=where)
    return value


def read_field(where: str, exchange: Exchange) -> list[str]:
    """Return all that stands at `header:NAME`, `query:NAME` or `pointer:/…` of the caller's message.

    A field that stands there twice is read in both places: the provider may take the other one.
    """
    kind, _, rest = where.partition(":")
    request = exchange.request
    if kind == "header":
        wanted = rest.lower().encode()
        return [v.decode("latin-1").strip() for n, v in request.headers if n == wanted]
    if kind == "query":
        return parse_qs(request.query).get(rest, [])
    if not isinstance(exchange.body, bytes) or not exchange.body:
        return []
    try:
        value = pointed(orjson.loads(exchange.body), rest)
    except orjson.JSONDecodeError:
        return []
    return [] if is_absent(value) or isinstance(value, dict | list) or value is None else [spelled(value)]
