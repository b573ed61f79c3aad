"""The data plane's view of the registry: compiled incrementally, off the event loop, swapped by one reference."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from time import time
from typing import Any, TypeVar

from connectors.errors import ConnectorError
from gateway import compile as compiled
from gateway.compile import Prepare
from gateway.contracts.violations import BadContract
from gateway.transforms.code_tables import OrganisationCodes
from gateway.transforms.contract import TransformError
from gateway.transforms.guests import Guests
from gateway.transforms.known_tables import KnownTables
from gateway.views import (
    ClientView,
    GrantView,
    OfficerView,
    Quarantined,
    ServiceView,
    Snapshot,
    SystemView,
    VersionView,
)
from registry.entities import Kind
from registry.errors import Invalid, RegistryError
from registry.stores import Registry, Stored

__all__ = ["ClientView", "Compiler", "Snapshot", "Snapshots"]

T = TypeVar("T")
# What reading a spoilt document, or another author's connector, may raise.
BROKEN = (
    Invalid, ConnectorError, TransformError, BadContract, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip


class Compiler:
    """Keeps the compiled form of every object and patches it with what has changed.

    One thread at a time. An object that cannot be compiled is quarantined with its dependants: a version answers
    503, a grant denies, a client or officer is unknown; the rest goes live.
    """

    def __init__(self, prepare: Prepare, guests: Guests | None = None) -> None:
        self._prepare = prepare
        self._guests = guests or Guests()
        self._tables = KnownTables()
        self._stored: dict[str, Stored] = {}
        self._clients: dict[str, ClientView] = {}
        self._systems: dict[str, SystemView] = {}
        self._systems_of: defaultdict[str, set[str]] = defaultdict(set)
        self._officers: dict[str, OfficerView] = {}
        self._versions: dict[str, VersionView] = {}
        self._versions_of: defaultdict[str, set[str]] = defaultdict(set)
        self._services_of: defaultdict[str, set[str]] = defaultdict(set)
        self._services: dict[str, ServiceView] = {}
        self._service_keys: dict[str, str] = {}
        self._grants: dict[tuple[str, str], tuple[GrantView, ...]] = {}
        self._grant_keys: dict[str, tuple[str, str]] = {}
        self._officer_keys: dict[str, str] = {}
        self._quarantine: dict[str, Quarantined] = {}

    def apply(self, revision: int, changed: Sequence[Stored]) -> Snapshot:
        """Take in what has changed and return the snapshot of `revision`."""
        by_kind: defaultdict[Kind, list[Stored]] = defaultdict(list)
        for stored in changed:
            by_kind[stored.kind].append(stored)
            self._stored[stored.id] = stored
            self._quarantine.pop(stored.id, None)
        for stored in by_kind[Kind.CLIENT]:
            self._patch(self._clients, stored.id, self._compile(stored, compiled.client))
        for stored in by_kind[Kind.OFFICER]:
            self._patch_officer(stored)
        for stored in by_kind[Kind.GRANT]:
            self._patch_grant(stored)
        self._tables.take(by_kind[Kind.CODE_LIST], by_kind[Kind.ORGANISATION])
        for service in self._affected_services(by_kind):
            self._patch_service(service)
        return self._snapshot(revision)

    def _affected_services(self, by_kind: dict[Kind, list[Stored]]) -> set[str]:
        services: set[str] = set()
        moved = {id_ for org in by_kind[Kind.ORGANISATION] for id_ in self._systems_of[org.id]}
        for stored in (*by_kind[Kind.SYSTEM], *(self._stored[id_] for id_ in moved)):
            self._systems_of[compiled.reference(stored.document, "organisation")].add(stored.id)
            self._patch(self._systems, stored.id, self._compile(stored, compiled.system))
            services |= self._services_of[stored.id]
            for service in self._services_of[stored.id]:
                for version in self._versions_of[service]:
                    self._patch_version(self._stored[version])
        for stored in by_kind[Kind.SERVICE]:
            provider = compiled.reference(stored.document, "provider")
            self._services_of[provider].add(stored.id)
            services.add(stored.id)
            for version in self._versions_of[stored.id]:
                self._patch_version(self._stored[version])
        for id_ in self._tables.stale_versions():
            if not self._stored[id_].removed:
                services.add(compiled.reference(self._stored[id_].document, "service"))
                self._patch_version(self._stored[id_])
        for stored in by_kind[Kind.VERSION]:
            service = compiled.reference(stored.document, "service")
            self._versions_of[service].add(stored.id)
            services.add(service)
            self._patch_version(stored)
        return services

    def _compile(self, stored: Stored, make: Callable[[Stored], T]) -> T | None:
        """Compile one object; None when it is removed or goes to quarantine."""
        if stored.removed:
            return None
        try:
            return make(stored)
        except BROKEN as error:
            self._quarantine_object(stored, error)
            return None

    def _quarantine_object(self, stored: Stored, error: Exception) -> str:
        why = f"{type(error).__name__}: {error}"[:500]
        self._quarantine[stored.id] = Quarantined(
            kind=stored.kind.value, id=stored.id, label=stored.label, reason=why
        )
        return why

    @staticmethod
    def _patch(table: dict[str, T], key: str, value: T | None) -> None:
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value

    def _patch_officer(self, stored: Stored) -> None:
        view = self._compile(stored, compiled.officer)
        before = self._officer_keys.pop(stored.id, None)
        if before is not None and before not in self._officer_keys.values():
            self._officers.pop(before, None)
        if view is not None:
            self._officers[view.code] = view
            self._officer_keys[stored.id] = view.code

    def _patch_grant(self, stored: Stored) -> None:
        key = self._grant_keys.pop(stored.id, None)
        if key is not None:
            self._grants[key] = tuple(g for g in self._grants[key] if g.id != stored.id)
        view = self._compile(stored, compiled.grant)
        if view is None and not stored.removed:
            view = compiled.broken_grant(stored)
        if view is not None:
            key = (view.consumer, view.service)
            self._grants[key] = (*self._grants.get(key, ()), view)
            self._grant_keys[stored.id] = key

    def _organisation_of(self, service: str) -> str:
        """Return the code of the organisation that provides a service. Raises KeyError for one in quarantine."""
        provider = compiled.reference(self._stored[service].document, "provider")
        return self.organisation_code(self._systems[provider].organisation)

    def organisation_codes(self) -> OrganisationCodes:
        """Return the codes of all organisations, as transforms know them. May be called from any thread."""
        return self._tables.organisations()

    def organisation_code(self, organisation: str) -> str:
        """Return the code of an organisation, by which its secrets are bound. Raises KeyError."""
        return str(self._stored[organisation].document["code"])

    def _patch_version(self, stored: Stored) -> None:
        if stored.removed:
            self._versions.pop(stored.id, None)
            return
        service = compiled.reference(stored.document, "service")
        try:
            organisation = self._organisation_of(service)
            name = str(self._stored[service].document["name"])
            with self._tables.noting(stored.id) as tables:
                self._versions[stored.id] = compiled.version(
                    stored, organisation, self._prepare, tables, self._guests, name=name
                )
            self._quarantine.pop(stored.id, None)
        except BROKEN as error:
            why = self._quarantine_object(stored, error)
            self._versions[stored.id] = compiled.broken_version(stored, why)

    def _patch_service(self, service: str) -> None:
        key = self._service_keys.pop(service, None)
        held = None if key is None else self._services.get(key)
        if key is not None and held is not None and held.id == service:  # two may have swapped their names
            del self._services[key]
        stored = self._stored.get(service)
        if stored is None or stored.removed:
            return
        self._quarantine.pop(service, None)
        versions = {
            v.number: v
            for v in (self._versions.get(id_) for id_ in self._versions_of[service])
            if v is not None
        }
        try:
            view = compiled.service(stored, versions)
        except BROKEN as error:
            view = compiled.broken_service(stored, self._quarantine_object(stored, error))
        self._services[view.name.lower()] = view
        self._service_keys[service] = view.name.lower()

    def _snapshot(self, revision: int) -> Snapshot:
        return Snapshot(
            revision=revision,
            made_at=time(),
            clients=dict(self._clients),
            systems=dict(self._systems),
            system_codes=self._system_codes(),
            services=dict(self._services),
            grants=dict(self._grants),
            officers=dict(self._officers),
            quarantine=tuple(self._quarantine.values()),
        )

    def _system_codes(self) -> dict[str, str]:
        """Return systems by code, under both forms of their organisation's code."""
        codes: dict[str, str] = {}
        for view in self._systems.values():
            organisation = self._stored.get(view.organisation)
            old = organisation.document.get("old_code") if organisation is not None else None
            if old:
                codes[f"{old}:{view.code.partition(':')[2]}"] = view.id
        return codes | {view.code: view.id for view in self._systems.values()}

    def endpoint_keys(self) -> set[str]:
        """Return the keys of the endpoints that the snapshot uses."""
        return {f"{v.id}/{env}" for v in self._versions.values() for env in v.endpoints}


class Snapshots:
    """Holds the current snapshot and brings it up to date.

    `refresh` is called by the poller, by a notification, and by the admin API after its own change; calls that
    come while one runs are served by one more run.
    """

    def __init__(self, registry: Registry, compiler: Compiler, *, retain: Callable[[set[str]], Any]) -> None:
        self._registry = registry
        self._compiler = compiler
        self._retain = retain
        self._lock = asyncio.Lock()
        self._listeners: list[Callable[[Snapshot], None]] = []
        self.current = compiler.apply(0, ())
        self.checked_at = 0.0

    def listen(self, listener: Callable[[Snapshot], None]) -> None:
        """Call `listener` on the event loop with each new snapshot."""
        self._listeners.append(listener)

    async def refresh(self) -> Snapshot:
        """Return a snapshot at least as new as the registry was when this was called.

        Raises StoreUnavailable; the current snapshot then stays in use.
        """
        async with self._lock:
            if await self._registry.revision() != self.current.revision:
                revision, changed = await self._registry.changed_since(self.current.revision)
                snapshot = await asyncio.to_thread(self._compiler.apply, revision, changed)
                self._retain(self._compiler.endpoint_keys())
                self.current = snapshot
                for listener in self._listeners:
                    listener(snapshot)
            self.checked_at = time()
            return self.current

    async def follow(
        self, wait: Callable[[float], Any], poll_seconds: float, failed: Callable[[Exception], Any]
    ) -> None:
        """Keep the snapshot up to date for ever; `wait` returns after so long, or earlier on a notification."""
        while True:
            await wait(poll_seconds)
            try:
                await self.refresh()
            except RegistryError as error:
                failed(error)
                await asyncio.sleep(poll_seconds)
