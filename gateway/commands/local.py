"""The admin API on the node's machine: the same use cases, through the node's own files and without a network."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
from sqlalchemy.ext.asyncio import AsyncEngine

from auth.decide import Actor
from auth.keys import KeyRing, SigningKey
from connectors.catalogue import installed
from connectors.contract import CheckStep
from gateway.api.app import create_local
from gateway.api.endpoint_flaws import endpoint_flaws
from gateway.api.errors import Unavailable
from gateway.api.parts import AdminParts, Running
from gateway.api.visit import Caller
from gateway.commands.failures import Failed
from gateway.commands.node_settings import node_settings
from gateway.contracts.counts import ViolationCounts
from gateway.contracts.registration import VersionChecks
from gateway.logs import configure
from gateway.monitoring.violations import ViolationBook
from gateway.node_key import NodeKeyWrong, read_node_key
from gateway.proxies import Proxies
from gateway.settings import Settings
from gateway.starting import schema_told
from gateway.subject_keys import SubjectKeys, subject_keys_path
from gateway.transforms.examples import TransformChecks
from gateway.transforms.guests import Guests
from gateway.views import Snapshot
from registry.entities import Endpoint, Role
from registry.errors import RegistryError, SchemaUnknown
from registry.register import Register
from registry.sql.database import check_schema, location, open_engine
from registry.sql.keys import KeyStore
from registry.sql.ledger import EvidenceReader, UsageReader
from registry.sql.proofs import Proofs
from registry.sql.registry import SQLRegistry, open_registry
from registry.sql.violations import ViolationStore
from registry.sql.workers import Workers
from registry.stores import Author

LOCAL = Caller(
    actor=Actor(client="local", name="local", role=Role.NODE_ADMIN.value),
    author=Author(id="local", name="lgsp --local", via="local"),
)
ADDRESS = "http://local"


class NoSnapshots:
    """Nothing is compiled here; running workers hear of a change by themselves."""

    def __init__(self) -> None:
        self.current = Snapshot(
            revision=0,
            made_at=0.0,
            clients={},
            systems={},
            system_codes={},
            services={},
            grants={},
            officers={},
            quarantine=(),
        )

    async def refresh(self) -> Snapshot:
        """Return nothing new."""
        return self.current


@asynccontextmanager
async def open_local() -> AsyncIterator[httpx2.AsyncClient]:
    """Yield an HTTP client of an admin API that stands on this machine's databases. Raises Failed."""
    settings = node_settings()
    configure(level="warning", form=settings.log_format)
    try:
        async with _parts(settings) as parts:
            transport = httpx2.ASGITransport(create_local(parts, LOCAL))
            async with httpx2.AsyncClient(transport=transport, base_url=ADDRESS) as http:
                yield http
    except SchemaUnknown as error:
        raise Failed(*schema_told(error)) from error
    except (RegistryError, NodeKeyWrong, ValueError) as error:
        raise Failed(
            f"Không mở được dữ liệu của nút: {error}", f"The node's data cannot be opened: {error}"
        ) from error


@asynccontextmanager
async def _parts(settings: Settings) -> AsyncIterator[AdminParts]:
    where = location(settings.database.get_secret_value() if settings.database else None, settings.data_dir)
    await check_schema(where)
    node_key = read_node_key(settings.node_key_file, settings.data_dir)
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(open_registry(where, node=settings.node))
        engine, ledger = _engine(stack, where.registry), _engine(stack, where.ledger)
        key_store = KeyStore(engine, node_key)
        keys = KeyRing([SigningKey.parse(kept) for kept in await key_store.ensure(time.time())])
        guests = Guests()
        stack.callback(guests.close)
        yield _joined(settings, registry, (engine, ledger), key_store, keys, node_key, guests)


def _engine(stack: AsyncExitStack, url: str) -> AsyncEngine:
    engine = open_engine(url)
    stack.push_async_callback(engine.dispose)
    return engine


def _joined(
    settings: Settings,
    registry: SQLRegistry,
    engines: tuple[AsyncEngine, AsyncEngine],
    key_store: KeyStore,
    keys: KeyRing,
    node_key: bytes,
    guests: Guests,
) -> AdminParts:
    engine, ledger = engines
    catalogue, transforms = installed(), TransformChecks(guests)
    return AdminParts(
        settings=settings,
        node_key=node_key,
        registry=registry,
        register=Register(
            registry,
            node=settings.node,
            check_version=endpoint_flaws(catalogue),
            check_transforms=VersionChecks(transforms),
        ),
        transforms=transforms,
        evidence=EvidenceReader(ledger),
        proofs=Proofs(ledger, node_key, node=settings.node),
        usage=UsageReader(ledger),
        violations=ViolationBook(ViolationCounts(), ViolationStore(engine)),
        subjects=None,
        subject_keys=SubjectKeys(
            subject_keys_path(settings.subject_keys_file, settings.data_dir),
            make=settings.subject_keys_file is None,
        ),
        check=_no_check,
        catalogue=catalogue,
        keys=keys,
        key_store=key_store,
        snapshots=NoSnapshots(),
        running=_running(engine),
        proxies=Proxies(()),
        issuer=settings.issuer or ADDRESS,
        now=time.time,
    )


async def _no_check(endpoint: Endpoint, organisation: str) -> Sequence[CheckStep]:
    """A connection test belongs to the running node: its secrets, its network."""
    raise Unavailable("a connection test needs the running node")


def _running(engine: AsyncEngine) -> Callable[[], Awaitable[Sequence[Running]]]:
    async def running() -> Sequence[Running]:
        return [
            Running(worker=it.worker, revision=it.revision, age_seconds=time.time() - it.since)
            for it in await Workers(engine).running()
        ]

    return running
