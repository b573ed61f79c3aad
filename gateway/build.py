"""The composition root: settings in, running parts out, closed in reverse order. Nothing is made at import."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.routing import Router

from auth.keys import KeyRing
from auth.tokens import verify
from connectors.catalogue import Catalogue, installed
from connectors.contract import CheckStep, ConnectorContext
from connectors.errors import ConnectorError
from gateway.api.app import create_admin
from gateway.api.parts import AdminParts, Running
from gateway.app import ASGI, App
from gateway.chores import Chore, persist, repeat
from gateway.contracts.counts import ViolationCounts
from gateway.contracts.registration import VersionChecks
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from gateway.endpoints import Endpoints
from gateway.exchange import Reason
from gateway.facades.native import NativeFacade, Scope
from gateway.facades.soap.door import SOAPFacade
from gateway.fast_lane import lane_protocol
from gateway.guard import GuardedProtocol, GuardLimits, guarded_protocol
from gateway.health import Check, health_routes
from gateway.http1.limits import Limits
from gateway.limiter import AddressLimiter, Buckets, parse_networks
from gateway.logs import get_logger
from gateway.metrics import Metrics
from gateway.metrics_page import metrics_gate, metrics_page
from gateway.monitoring.connectivity import gauges
from gateway.monitoring.rule import Rule
from gateway.monitoring.violations import ViolationBook
from gateway.network import GuardedNetwork
from gateway.node_key import read_node_key
from gateway.oauth import KeyWatch, create_oauth
from gateway.pipeline import Pipeline, problem_reply
from gateway.proxies import Proxies
from gateway.secrets import SecretBindings
from gateway.settings import Settings, secret_variables
from gateway.snapshot import Compiler, Snapshot, Snapshots
from gateway.steps.call import CallStep
from gateway.steps.contract import ContractStep
from gateway.steps.identify import Identify
from gateway.steps.quota import Quotas
from gateway.steps.record import Recorder
from gateway.steps.streams import Streams
from gateway.subject_keys import SubjectKeys, SubjectKeysWrong, subject_keys_path
from gateway.transforms.examples import TransformChecks
from gateway.transforms.guests import Guests
from gateway.transport import make_transport
from registry.entities import Endpoint, Version
from registry.errors import Flaw, StoreUnavailable
from registry.register import Register
from registry.signing import Signer
from registry.sql.database import check_schema, location, open_engine
from registry.sql.keys import AssertionStore, KeyStore
from registry.sql.ledger import EvidenceReader, UsageReader, open_ledger
from registry.sql.ledger_keys import open_signer
from registry.sql.proofs import Proofs
from registry.sql.registry import SQLRegistry, open_registry
from registry.sql.subjects import SubjectReader
from registry.sql.violations import ViolationStore
from registry.sql.workers import Workers
from registry.writer import LedgerWriter

Address = tuple[str, int]
ACKNOWLEDGE_SECONDS = 10.0
CHECKPOINT_SECONDS = 5.0
FIGURES_SECONDS = 60.0
GAUGES_SECONDS = 1.0
TALLY_SECONDS = 60.0
VIOLATIONS_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A working node: what uvicorn serves, and what to call when it is told to stop."""

    app: ASGI
    protocol: type[GuardedProtocol]
    stopping: Callable[[], None]


@asynccontextmanager
async def build(settings: Settings, *, slot: int, addresses: Sequence[Address]) -> AsyncIterator[Node]:
    """Yield a working node; its parts are closed in reverse order.

    `addresses` are those that the node listens on: the public one, then the admin one if there is one.

    Raises:
        SchemaUnknown, StoreUnavailable, LedgerUnavailable, NodeKeyWrong, SecretsWrong: why it cannot start.
    """
    where = location(settings.database_address(), settings.data_dir)
    await check_schema(where)
    node_key = read_node_key(settings.node_key_file, settings.data_dir)
    signer = await open_signer(where.ledger, node_key, node=settings.node)
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(open_registry(where, node=settings.node))
        ledger = await stack.enter_async_context(
            open_ledger(
                where.ledger,
                node=settings.node,
                data_dir=settings.data_dir,
                slot=slot,
                # Machines that share a PostgreSQL share the node's slots, too.
                or_another=settings.database is not None,
                signer=signer,
            )
        )
        builder = Builder(settings, registry, ledger, signer, addresses=addresses)
        for engine in (builder.registry_engine, builder.ledger_engine):
            stack.push_async_callback(engine.dispose)
        stack.push_async_callback(builder.transport.close)
        stack.callback(builder.guests.close)
        await builder.open()
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        stack.push_async_callback(builder.leave)
        running = [tasks.create_task(work) for work in builder.background()]
        stack.callback(lambda: [task.cancel() for task in running])
        yield builder.node()
        await builder.recorder.flush_tally()


class Builder:
    """Makes the parts of one worker, in the order in which they need each other."""

    def __init__(
        self,
        settings: Settings,
        registry: SQLRegistry,
        ledger: LedgerWriter,
        signer: Signer,
        *,
        addresses: Sequence[Address],
    ) -> None:
        self.settings = settings
        self.registry = registry
        self.ledger = ledger
        self.signer = signer
        self.slot = ledger.slot
        self.addresses = addresses
        self.log = get_logger("node")
        self.is_stopping = False
        self.has_registry = True
        self.has_subject_keys = True
        self.new_revision = asyncio.Event()
        where = location(settings.database_address(), settings.data_dir)
        self.registry_engine = open_engine(where.registry)
        self.ledger_engine = open_engine(where.ledger)
        self.usage = UsageReader(self.ledger_engine)
        self.workers = Workers(self.registry_engine)
        self.metrics = Metrics()
        self.proxies = Proxies(settings.trusted_proxies)
        self.admin_port = addresses[1][1] if len(addresses) > 1 else None
        self.issuer = settings.issuer or _base_address(settings, addresses[0])
        self._outgoing()
        self._tokens()
        self._data_plane()
        self.protocol = self._protocol()

    def _outgoing(self) -> None:
        settings = self.settings
        self.catalogue: Catalogue = installed()
        for broken in self.catalogue.broken:
            self.log.warning(
                "connector.quarantined", kind=broken.name, package=broken.package, reason=broken.reason
            )
        self.metrics.connectors(quarantined=len(self.catalogue.broken))
        self.deadlines = Deadlines()
        egress = parse_egress(
            networks=settings.egress_networks,
            hosts=settings.egress_hosts,
            ports=settings.egress_ports,
            own=self.addresses,
        )
        self.network = GuardedNetwork(egress, ca_file=settings.ca_file)
        self.transport = make_transport(
            settings.transport,
            egress=egress,
            deadlines=self.deadlines,
            ca_file=settings.ca_file,
            buffer_bytes=settings.buffer_bytes,
            limits=Limits(
                connections=settings.provider_connections,
                write_seconds=settings.provider_write_seconds,
                first_byte_seconds=settings.provider_first_byte_seconds,
                between_bytes_seconds=settings.provider_between_bytes_seconds,
            ),
        )
        self.secrets = SecretBindings(settings.secrets_file, variables=secret_variables())
        self.secrets.check()
        self.endpoints = Endpoints(self.catalogue, self._context, deadlines=self.deadlines)
        self.guests = Guests()
        self.compiler = Compiler(self.endpoints.prepare, self.guests)
        self.snapshots = Snapshots(self.registry, self.compiler, retain=self.endpoints.retain)

    def _context(self, organisation: str) -> ConnectorContext:
        """Return what a connector of this organisation's (by code) is handed."""
        return ConnectorContext(
            http=self.transport,
            network=self.network,
            clock=time,
            secrets=self.secrets.of(organisation),
            log=get_logger("connector"),
        )

    def _tokens(self) -> None:
        settings = self.settings
        self.node_key = read_node_key(settings.node_key_file, settings.data_dir)
        self.proofs = Proofs(self.ledger_engine, self.node_key, node=settings.node)
        self.subject_keys = SubjectKeys(
            subject_keys_path(settings.subject_keys_file, settings.data_dir),
            make=settings.subject_keys_file is None,
        )
        self.subject_keys.refresh()
        self.ring = KeyRing(())
        self.key_store = KeyStore(self.registry_engine, self.node_key, token_seconds=settings.token_seconds)
        self.key_watch = KeyWatch(self.key_store, self.ring)
        self.verify = partial(verify, ring=self.ring, issuer=self.issuer)

    def _data_plane(self) -> None:
        settings = self.settings
        self.streams = Streams()
        self.buckets = Buckets(share=1 / settings.workers)
        self.quotas = Quotas(
            self.buckets,
            partial(self.usage.day_counts, node=settings.node, slot=self.slot),
            now=time.time,
        )
        self.recorder = Recorder(
            self.ledger,
            self.metrics,
            self.streams,
            self.subject_keys,
            node=settings.node,
            settle=self.quotas.settle,
            problem=problem_reply,
        )
        counts = ViolationCounts()
        self.violations = ViolationBook(counts, ViolationStore(self.registry_engine))
        check = ContractStep(counts, self.metrics, self.guests)
        identify = Identify(self.verify, self.ring, now=time.time)
        pipeline = Pipeline(
            self.snapshots,
            identify,
            self.quotas,
            CallStep(self.ledger, check, self.guests, role=settings.role, monotonic=time.monotonic),
            self.recorder,
            now=time.time,
            buffer_bytes=settings.buffer_bytes,
            log=get_logger("exchange"),
        )
        limiter = AddressLimiter(settings.address_rate)
        self.facade = NativeFacade(pipeline, limiter, self.proxies, self._turned_away)
        self.soap = SOAPFacade(
            pipeline,
            identify,
            self.snapshots,
            limiter,
            self.proxies,
            self._turned_away,
            issuer=self.issuer,
        )

    def _turned_away(self, reason: Reason) -> None:
        self.recorder.turn_away(reason)
        self.metrics.refused(reason.value)

    async def open(self) -> None:
        """Read what must be there before the first request: keys, snapshot, quotas."""
        await self.key_watch.open()
        self.snapshots.listen(self.streams.recheck)
        self.snapshots.listen(self._report)
        await self.snapshots.refresh()
        await self.quotas.refresh(self.snapshots.current)
        await self._acknowledge()

    def background(self) -> list[Any]:  # Any: coroutines of several types
        """Return what runs beside the server, for the node's task group."""
        seconds = self.settings.poll_seconds
        chores = [
            Chore(name="keys", seconds=1.0, work=self.key_watch.refresh),
            Chore(name="subject-keys", seconds=1.0, work=self._refresh_subject_keys),
            Chore(name="ledger-keys", seconds=1.0, work=lambda: self.proofs.keys.refresh(self.signer)),
            # Each worker looks whether one is due; one of them takes it.
            Chore(name="checkpoint", seconds=CHECKPOINT_SECONDS, work=self.proofs.checkpoints.take_when_due),
            Chore(name="quotas", seconds=1.0, work=lambda: self.quotas.refresh(self.snapshots.current)),
            Chore(name="streams", seconds=1.0, work=self._recheck_streams),
            Chore(name="tally", seconds=TALLY_SECONDS, work=self.recorder.flush_tally),
            Chore(
                name="acknowledge",
                seconds=ACKNOWLEDGE_SECONDS,
                work=self._acknowledge,
                bell=self.new_revision,
            ),
            Chore(name="violations", seconds=VIOLATIONS_SECONDS, work=self.violations.flush),
            Chore(name="figures", seconds=FIGURES_SECONDS, work=self._refresh_figures, at_once=True),
            # Another worker may be the one that is asked for the metrics.
            Chore(name="gauges", seconds=GAUGES_SECONDS, work=self._refresh_gauges, at_once=True),
        ]
        follow = partial(self.snapshots.follow, self.registry.wait_for_change, seconds, self._registry_away)
        return [
            self.endpoints.run(),
            persist("snapshots", follow, self.log),
            *(persist(chore.name, partial(repeat, chore, self.log), self.log) for chore in chores),
        ]

    async def _refresh_subject_keys(self) -> None:
        """Take up a rotation or a destruction; when the file is spoilt, the known keys stay in use."""
        try:
            self.subject_keys.refresh()
        except SubjectKeysWrong as error:
            if self.has_subject_keys:
                self.log.warning("subject-keys.away", error=str(error))
            self.has_subject_keys = False
        else:
            self.has_subject_keys = True

    async def _recheck_streams(self) -> None:
        self.streams.recheck(self.snapshots.current)

    @property
    def worker(self) -> str:
        """The name under which this worker says what it runs."""
        return f"{self.settings.node}/{self.slot}"

    async def _acknowledge(self) -> None:
        current = self.snapshots.current
        await self.workers.acknowledge(self.worker, current.revision, current.made_at)
        self.buckets.divide(max(len(await self.workers.running()), self.settings.workers))

    async def leave(self) -> None:
        """Note that this worker runs no more; when the database is away, its silence says so too."""
        with suppress(StoreUnavailable):
            await self.violations.flush()
            await self.workers.forget(self.worker)

    async def _refresh_figures(self) -> None:
        self.metrics.connectivity(await gauges(self.registry, self.usage, self.rule()))

    async def _refresh_gauges(self) -> None:
        self._refresh_metrics()

    def _registry_away(self, error: Exception) -> None:
        """Tell it once; `_report` tells when it is back with news, and the age of the revision is a metric."""
        if self.has_registry:
            self.log.warning("registry.away", error=str(error), revision=self.snapshots.current.revision)
        self.has_registry = False

    def _report(self, snapshot: Snapshot) -> None:
        self.has_registry = True
        self.new_revision.set()
        self.log.info("snapshot.live", revision=snapshot.revision, quarantined=len(snapshot.quarantine))
        for it in snapshot.quarantine:
            self.log.warning("object.quarantined", kind=it.kind, id=it.id, label=it.label, reason=it.reason)

    def rule(self) -> Rule:
        """Return the rule of the connectivity figure."""
        settings = self.settings
        return Rule(
            nation=settings.nation,
            window_days=settings.window_days,
            min_successes=settings.min_successes,
            modes=settings.allowed_modes,
        )

    def node(self) -> Node:
        """Join the planes."""
        settings = self.settings
        app = App(
            data=self.facade,
            control=self._control_plane(),
            admin=create_admin(self._admin_parts()),
            metrics=metrics_page(self.metrics, before=self._refresh_metrics),
            soap=self.soap,
            proxies=self.proxies,
            may_read_metrics=metrics_gate(
                settings.metrics_networks, self.snapshots, lambda token: self.verify(token, now=time.time())
            ),
            admin_port=self.admin_port,
        )
        return Node(app=app, protocol=self.protocol, stopping=self._stop)

    def _stop(self) -> None:
        self.is_stopping = True

    def _protocol(self) -> type[GuardedProtocol]:
        settings = self.settings
        limits = GuardLimits(
            connections=settings.max_connections,
            connections_per_address=settings.max_connections_per_address,
            headers=settings.max_headers,
            head_bytes=settings.max_head_bytes,
            header_bytes=settings.max_header_bytes,
            head_seconds=settings.head_seconds,
            body_seconds=settings.body_seconds,
            keep_alive_seconds=settings.keep_alive_seconds,
            trusted=parse_networks(settings.trusted_proxies),
        )
        if settings.door == "asgi":
            return guarded_protocol(limits, self)
        return lane_protocol(limits, self, self.facade, get_logger("lane"), self.admin_port)

    def refused(self, reason: str) -> None:
        """Count what the guard refused: for the metrics, and for the tally in the ledger."""
        self.metrics.refused(reason)
        self.recorder.turn_away_at_guard(reason)

    def _refresh_metrics(self) -> None:
        current = self.snapshots.current
        age = time.time() - self.snapshots.checked_at
        self.metrics.registry(
            current.revision, max(age - self.settings.poll_seconds, 0.0), len(current.quarantine)
        )
        self.metrics.settle()
        self.metrics.ledger(self.ledger.counters, writable=self.ledger.writable)
        self.metrics.connections(len(self.protocol.watch.connections))

    def _control_plane(self) -> Router:
        router = create_oauth(
            self.snapshots,
            self.ring,
            AssertionStore(self.registry_engine),
            issuer=self.issuer,
            node_key=self.node_key,
            token_seconds=self.settings.token_seconds,
            failure_rate=self.settings.failure_rate,
            address_of=self._address_of,
            counted=self.metrics.token,
        )
        checks = [
            Check("snapshot", lambda: self.snapshots.checked_at > 0),
            Check("ledger", lambda: self.ledger.writable),
            Check("not-stopping", lambda: not self.is_stopping),
        ]
        router.routes.extend(health_routes(checks))
        return router

    def _address_of(self, scope: Scope) -> str:
        peer = scope["client"][0] if scope.get("client") else ""
        return self.proxies.client(peer, scope["headers"])

    def _admin_parts(self) -> AdminParts:
        transforms = TransformChecks(self.guests, self.compiler.organisation_codes)
        return AdminParts(
            settings=self.settings,
            node_key=self.node_key,
            registry=self.registry,
            register=Register(
                self.registry,
                node=self.settings.node,
                check_version=self._check_version,
                check_transforms=VersionChecks(transforms),
            ),
            transforms=transforms,
            evidence=EvidenceReader(self.ledger_engine),
            proofs=self.proofs,
            usage=self.usage,
            violations=self.violations,
            subjects=SubjectReader(self.ledger_engine),
            subject_keys=self.subject_keys,
            check=self._check,
            catalogue=self.catalogue,
            keys=self.ring,
            key_store=self.key_store,
            snapshots=self.snapshots,
            running=self._running,
            proxies=self.proxies,
            issuer=self.issuer,
            now=time.time,
        )

    def _check_version(self, version: Version) -> list[Flaw]:
        """Say what a connector would not take of a version's endpoints."""
        flaws = []
        for environment, endpoint in version.endpoints.items():
            try:
                self.catalogue.check_settings(endpoint.connector, endpoint.settings)
            except ConnectorError as error:
                flaws.append(Flaw(f"/endpoints/{environment}/settings", "settings-refused", str(error)))
        return flaws

    async def _check(self, endpoint: Endpoint, organisation: str) -> Sequence[CheckStep]:
        """Test one endpoint's connection, with the secrets of the organisation with this id."""
        return await self.endpoints.check(endpoint, self.compiler.organisation_code(organisation))

    async def _running(self) -> list[Running]:
        now = time.time()
        return [
            Running(worker=it.worker, revision=it.revision, age_seconds=now - it.since)
            for it in await self.workers.running()
        ]


def _base_address(settings: Settings, address: Address) -> str:
    host, port = address
    scheme = "http" if settings.tls_certificate is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
