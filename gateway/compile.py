"""Turning registry objects into the views of the data plane, one object at a time. No I/O."""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import Any, TypeVar

from gateway.contracts.compiled import contract_of
from gateway.endpoints import EndpointHandle
from gateway.routes import Routes
from gateway.soap.offer import Offer
from gateway.subjects import SubjectPlace
from gateway.success import Judge
from gateway.transforms.chain import Chain, chain_of
from gateway.transforms.code_tables import Tables
from gateway.transforms.guests import Guests
from gateway.transforms.minimise.scopes import Scopes
from gateway.views import (
    ClientView,
    GrantView,
    OfficerView,
    OperationView,
    ServiceView,
    SystemView,
    VersionView,
)
from registry.documents import parse
from registry.entities import (
    Client,
    Endpoint,
    Grant,
    Kind,
    Officer,
    Operation,
    Service,
    System,
    TransformSpec,
    Version,
)
from registry.stores import Stored

E = TypeVar("E")
FOREVER = float("inf")
LIVE = ("published", "deprecated")

Prepare = Callable[[str, Endpoint, str], EndpointHandle]
"""Makes an endpoint ready: key, endpoint, organisation whose secrets it may use."""


def entity(stored: Stored, expected: type[E]) -> E:
    """Read a stored document as the entity it should be. Raises Invalid."""
    value = parse(stored.kind, stored.document)
    if not isinstance(value, expected):
        raise TypeError(f"{stored.kind} {stored.id} is not a {expected.__name__}")
    return value


def seconds(at: datetime | None, default: float) -> float:
    """Return epoch seconds."""
    return default if at is None else at.timestamp()


def client(stored: Stored) -> ClientView:
    """Compile a client."""
    it = entity(stored, Client)
    return ClientView(
        id=stored.id,
        name=it.name,
        system=it.system,
        role=it.role.value if it.role else None,
        organisation=it.organisation,
        environment=it.environment.value,
        active=it.status == "active",
        not_before=seconds(it.not_before, 0.0),
        networks=tuple(ipaddress.ip_network(network, strict=False) for network in it.allowed_networks),
        secrets=tuple(
            (s.digest, None if s.expires_at is None else s.expires_at.timestamp()) for s in it.secrets
        ),
        jwks=it.jwks,
        error_style=it.error_style,
    )


def system(stored: Stored) -> SystemView:
    """Compile a system."""
    it = entity(stored, System)
    return SystemView(
        id=stored.id,
        code=it.code,
        organisation=it.organisation,
        active=it.status == "active",
        acts_for=frozenset(it.acts_for),
    )


def officer(stored: Stored) -> OfficerView:
    """Compile an officer."""
    it = entity(stored, Officer)
    return OfficerView(
        code=it.code,
        organisation=it.organisation,
        procedures=frozenset(it.procedures) or None,
        valid_from=(it.valid_from or date.min).toordinal(),
        valid_to=(it.valid_to or date.max).toordinal(),
    )


def grant(stored: Stored) -> GrantView:
    """Compile a grant."""
    it = entity(stored, Grant)
    return GrantView(
        id=stored.id,
        consumer=it.consumer,
        service=it.service,
        status=it.status,
        environments=frozenset(it.environments),
        operations=frozenset(it.operations) or None,
        purposes=frozenset(it.purposes) or None,
        default_purpose=it.default_purpose or "",
        procedure_required=it.procedure_required,
        procedures=frozenset(it.procedures) or None,
        officer=it.officer,
        per_second=it.quota.per_second,
        per_day=it.quota.per_day,
        valid_from=seconds(it.valid_from, 0.0),
        valid_until=seconds(it.valid_until, FOREVER),
        scopes=Scopes(it.fields, it.namespaces) if it.fields else None,
    )


def broken_grant(stored: Stored) -> GrantView | None:
    """Return a grant that denies, for one that cannot be compiled; None when it does not say whose it is."""
    consumer, service = stored.document.get("consumer"), stored.document.get("service")
    if not isinstance(consumer, str) or not isinstance(service, str):
        return None
    return GrantView(
        id=stored.id, consumer=consumer, service=service, status="quarantined", environments=frozenset(),
        operations=None, purposes=None, default_purpose="", procedure_required=False, procedures=None,
        officer="none", per_second=1, per_day=None, valid_from=0.0, valid_until=FOREVER, broken=True,
    )  # fmt: skip


def life_headers(version: Version) -> tuple[tuple[bytes, bytes], ...]:
    """Return `Deprecation` (RFC 9745) and `Sunset` (RFC 8594) for a deprecated version."""
    if version.status != "deprecated" or version.deprecated_at is None:
        return ()
    headers = [(b"deprecation", b"@%d" % int(version.deprecated_at.timestamp()))]
    if version.sunset_at is not None:
        text = format_datetime(version.sunset_at.astimezone(UTC), usegmt=True)
        headers.append((b"sunset", text.encode()))
    return tuple(headers)


def version(
    stored: Stored, organisation: str, prepare: Prepare, tables: Tables, guests: Guests, *, name: str
) -> VersionView:
    """Compile a version of the service of this name; its endpoints' settings and transforms are checked here.

    Raises what `prepare` and `parse` raise, BadSettings and BadContract.
    """
    it = entity(stored, Version)
    fallback = Judge(it.success_rule)
    operations: Routes[OperationView] = Routes(
        (
            op.method,
            op.path,
            OperationView(
                name=op.name,
                counts=op.counts,
                writes=op.effect == "write",
                judge=fallback if op.success_rule is None else Judge(op.success_rule),
                subject=subject_place(it, op),
                request=chain(op.transforms.request, tables, guests),
                reply=chain(op.transforms.reply, tables, guests),
                template=op.path,
                contract=contract_of(it, op, f"/operations/{number}"),
            ),
        )
        for number, op in enumerate(it.operations)
    )
    live = it.status in LIVE
    return VersionView(
        id=stored.id,
        number=it.version.removeprefix("v"),
        status=it.status,
        national_database=it.national_database or "",
        operations=operations,
        endpoints={
            env.value: prepare(f"{stored.id}/{env.value}", endpoint, organisation)
            for env, endpoint in it.endpoints.items()
            if live
        },
        modes={env.value: endpoint.through_hub for env, endpoint in it.endpoints.items()},
        passes={
            env.value: {str(what): name for what, name in endpoint.passes.items()}
            for env, endpoint in it.endpoints.items()
        },
        max_body_bytes=it.max_body_bytes,
        officer_at=it.officer_at,
        procedure_at=it.procedure_at,
        life_headers=life_headers(it),
        envelope=it.envelope,
        soap=Offer(it, name) if it.soap is not None and live else None,
    )


def chain(specs: Sequence[TransformSpec], tables: Tables, guests: Guests) -> Chain | None:
    """Compile transforms; None when there are none. Raises BadSettings."""
    return chain_of(specs, tables, guests) if specs else None


def subject_place(version: Version, operation: Operation) -> SubjectPlace | None:
    """Compile where the data subject of an operation stands: as it says itself, else as its version says."""
    said = version if operation.subject_at is None else operation
    if said.subject_at is None or said.subject_type is None:
        return None
    return SubjectPlace(said.subject_at, said.subject_type, operation.path)


def broken_version(stored: Stored, why: str) -> VersionView:
    """Return a version in quarantine: found, and answered with 503."""
    document = stored.document
    return VersionView(
        id=stored.id,
        number=str(document.get("version", "")).removeprefix("v"),
        status=str(document.get("status", "published")),
        national_database="",
        operations=Routes(()),
        endpoints={},
        modes={},
        passes={},
        max_body_bytes=0,
        officer_at=None,
        procedure_at=None,
        life_headers=(),
        broken=why,
    )


def service(stored: Stored, versions: Mapping[str, VersionView]) -> ServiceView:
    """Compile a service with its compiled versions."""
    it = entity(stored, Service)
    live = [v for v in versions.values() if v.status in LIVE]
    wanted = None if it.default_version is None else versions.get(it.default_version.removeprefix("v"))
    newest = max(live, key=lambda v: _number(v.number), default=None)
    return ServiceView(
        id=stored.id,
        name=it.name,
        provider=it.provider,
        error_style=it.error_style,
        blocked=it.blocked,
        blocked_consumers=it.blocked_consumers,
        maintenance=it.maintenance,
        versions=versions,
        default=wanted or newest,
    )


def broken_service(stored: Stored, why: str) -> ServiceView:
    """Return a service in quarantine."""
    return ServiceView(
        id=stored.id, name=str(stored.document.get("name", stored.label)), provider="", error_style="problem",
        blocked=None, blocked_consumers={}, maintenance=(), versions={}, default=None, broken=why,
    )  # fmt: skip


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def reference(document: Mapping[str, Any], name: str) -> str:
    """Return a reference of a document that may be broken."""
    value = document.get(name)
    return value if isinstance(value, str) else ""


COMPILED_KINDS = frozenset({Kind.CLIENT, Kind.SYSTEM, Kind.OFFICER, Kind.GRANT, Kind.VERSION, Kind.SERVICE})
