"""What the admin API needs of the node: finished parts, handed in by `gateway.build`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from auth.keys import KeyRing
from connectors.catalogue import Catalogue
from connectors.contract import CheckStep
from gateway.monitoring.violations import ViolationBook
from gateway.proxies import Proxies
from gateway.settings import Settings
from gateway.subject_keys import SubjectKeys
from gateway.transforms.examples import TransformChecks
from gateway.views import Snapshot
from registry.entities import Endpoint
from registry.register import Register
from registry.sql.keys import KeyStore
from registry.sql.ledger import EvidenceReader, UsageReader
from registry.sql.proofs import Proofs
from registry.sql.subjects import SubjectReader
from registry.stores import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What one worker runs: its writer slot, the revision of its snapshot, and how old that is."""

    worker: str
    revision: int
    age_seconds: float


class Snapshots(Protocol):
    """The data plane's view of the registry, and a way to have it brought up to date."""

    current: Snapshot

    async def refresh(self) -> Snapshot:
        """Return a snapshot at least as new as the registry. Raises StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminParts:
    """What the admin API needs of the node.

    `subjects` is None where nobody could be told who looks people up; `check(endpoint, organisation)` tests
    one endpoint's connection, step by step; `running()` says which revision each worker runs; `now` is the
    time in epoch seconds.
    """

    settings: Settings
    node_key: bytes
    registry: Registry
    register: Register
    evidence: EvidenceReader
    proofs: Proofs
    usage: UsageReader
    violations: ViolationBook
    subjects: SubjectReader | None
    subject_keys: SubjectKeys
    check: Callable[[Endpoint, str], Awaitable[Sequence[CheckStep]]]
    catalogue: Catalogue
    keys: KeyRing
    key_store: KeyStore
    snapshots: Snapshots
    running: Callable[[], Awaitable[Sequence[Running]]]
    transforms: TransformChecks
    proxies: Proxies
    issuer: str
    now: Callable[[], float]
