"""What the data plane sees of the registry's objects: compiled, immutable, keyed for look-up."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.contracts.compiled import Contract
from gateway.endpoints import EndpointHandle
from gateway.routes import Routes
from gateway.soap.offer import Offer
from gateway.subjects import SubjectPlace
from gateway.success import Judge
from gateway.transforms.chain import Chain
from gateway.transforms.minimise.scopes import Scopes
from registry.entities import Environment, Maintenance

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientView:
    """A client: `secrets` are (digest in hex, end in epoch seconds or None), `not_before` epoch seconds."""

    id: str
    name: str
    system: str | None
    role: str | None
    organisation: str | None
    environment: str
    active: bool
    not_before: float
    networks: tuple[Network, ...]
    secrets: tuple[tuple[str, float | None], ...]
    jwks: Mapping[str, Any] | None  # Any: a JWK set, checked when registered
    error_style: Literal["problem", "wso2"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemView:
    """A system: who it belongs to, whether it may call, and for which systems it may speak."""

    id: str
    code: str
    organisation: str
    active: bool
    acts_for: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationView:
    """An operation of a published version; `request` and `reply` are its transforms, None where there are none.

    `template` is its declared path; `contract` is what is checked of its messages, None where nothing is.
    """

    name: str
    counts: bool
    writes: bool
    judge: Judge
    subject: SubjectPlace | None = None
    request: Chain | None = None
    reply: Chain | None = None
    template: str = ""
    contract: Contract | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """A version: `broken` says why it is in quarantine. Endpoints are by environment."""

    id: str
    number: str
    status: str
    national_database: str
    operations: Routes[OperationView]
    endpoints: Mapping[str, EndpointHandle]
    modes: Mapping[str, bool]
    passes: Mapping[str, Mapping[str, str]]
    max_body_bytes: int
    officer_at: str | None
    procedure_at: str | None
    life_headers: tuple[tuple[bytes, bytes], ...]
    envelope: tuple[str, ...] = ()
    soap: Offer | None = None
    broken: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """A service with its versions by number (as written, without a leading v)."""

    id: str
    name: str
    provider: str
    error_style: Literal["problem", "wso2"]
    blocked: str | None
    blocked_consumers: Mapping[str, str]
    maintenance: tuple[Maintenance, ...]
    versions: Mapping[str, VersionView]
    default: VersionView | None
    broken: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """A grant: None for operations, purposes and procedures means any; times are epoch seconds.

    `scopes` are its field rules, None when answers are released whole.
    """

    id: str
    consumer: str
    service: str
    status: str
    environments: frozenset[Environment]
    operations: frozenset[str] | None
    purposes: frozenset[str] | None
    default_purpose: str
    procedure_required: bool
    procedures: frozenset[str] | None
    officer: Literal["none", "asserted", "registered"]
    per_second: int
    per_day: int | None
    valid_from: float
    valid_until: float
    scopes: Scopes | None = None
    broken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficerView:
    """A registered officer: None for procedures means any; days are proleptic ordinals."""

    code: str
    organisation: str
    procedures: frozenset[str] | None
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """An object that could not be compiled, and why."""

    kind: str
    id: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One revision of the registry, compiled for the data plane. Never changed once made.

    `services` is keyed by the name without case, `grants` by (consumer, service).
    """

    revision: int
    made_at: float
    clients: Mapping[str, ClientView]
    systems: Mapping[str, SystemView]
    system_codes: Mapping[str, str]
    services: Mapping[str, ServiceView]
    grants: Mapping[tuple[str, str], tuple[GrantView, ...]]
    officers: Mapping[str, OfficerView]
    quarantine: tuple[Quarantined, ...]
