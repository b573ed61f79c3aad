"""A real admin API with the token endpoint on a loopback port, over a real database; no data plane."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from auth.keys import KeyRing, SigningKey
from auth.secrets import digest
from auth.tokens import issue
from connectors.catalogue import installed
from connectors.contract import CheckStep
from gateway.api.app import create_admin
from gateway.api.endpoint_flaws import endpoint_flaws
from gateway.api.parts import AdminParts, Running
from gateway.contracts.counts import ViolationCounts
from gateway.contracts.registration import VersionChecks
from gateway.monitoring.violations import ViolationBook
from gateway.oauth import create_oauth
from gateway.proxies import Proxies
from gateway.settings import Settings
from gateway.snapshot import Compiler, Snapshots
from gateway.subject_keys import SubjectKeys, subject_keys_path
from gateway.transforms.examples import TransformChecks
from gateway.transforms.guests import Guests
from registry.documents import render
from registry.entities import ClientSecret, Endpoint, Kind
from registry.register import Register
from registry.register.steps import SetSecrets
from registry.sql.database import Location, open_engine
from registry.sql.keys import AssertionStore, KeyStore
from registry.sql.ledger import EvidenceReader, UsageReader
from registry.sql.proofs import Proofs
from registry.sql.registry import SQLRegistry, open_registry
from registry.sql.subjects import SubjectReader
from registry.sql.violations import ViolationStore
from registry.stores import Stored
from tests.factories import LOCAL, NODE
from tests.listening import listening

ISSUER = "http://127.0.0.1:1"
NODE_KEY = bytes(range(32))
SECRET = "made-up-secret"
STEPS = (
    CheckStep(step="dns", ok=True, detail="127.0.0.1", milliseconds=0.1),
    CheckStep(step="tcp", ok=False, detail="refused"),
    CheckStep(step="tls", ok=None, detail="skipped"),
)


@dataclass
class AdminNode:
    """A running admin API. `clients` are made on demand, by role (and organisation)."""

    base: str
    parts: AdminParts
    registry: SQLRegistry
    register: Register
    ring: KeyRing
    snapshots: Snapshots
    clients: dict[str, Stored] = field(default_factory=dict)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def client(self, role: str | None, organisation: str | None = None, **given: Any) -> Stored:
        """Return a client with this role, made when it is first asked for."""
        name = f"{role or 'data plane'} of {organisation or given.get('system') or 'the node'}"
        if name not in self.clients:
            document = {"name": name, "role": role, "organisation": organisation} | given
            made = await self.register.add(Kind.CLIENT, document, LOCAL)
            secret = ClientSecret(digest=digest(SECRET, NODE_KEY), created_at=made.changed_at)
            self.clients[name] = await self.register.step(
                Kind.CLIENT,
                made.id,
                "set-secrets",
                render(SetSecrets(secrets=(secret,))),
                expected_version=1,
                author=LOCAL,
            )
            await self.snapshots.refresh()
        return self.clients[name]

    def token(self, client: Stored, /, **given: Any) -> str:
        """Return a token as `/token` would give it."""
        what: dict[str, Any] = {
            "issuer": ISSUER,
            "client": client.id,
            "system": client.document["system"] or "",
            "environment": client.document["environment"],
            "scope": client.document["role"] or "am_application_scope default",
            "now": time.time(),
            "seconds": 3600,
        }
        return issue(self.ring, **what | given)

    async def http(
        self, role: str | None = "node-admin", organisation: str | None = None
    ) -> httpx2.AsyncClient:
        """Return an HTTP client that signs in with this role."""
        given = {} if role else {"system": "H99:mot-cua"}
        token = self.token(await self.client(role, organisation, **given))
        return await self.anybody({"Authorization": f"Bearer {token}", "Accept-Language": "en"})

    async def anybody(self, headers: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
        """Return an HTTP client with these headers."""
        client = httpx2.AsyncClient(base_url=self.base, headers=headers, trust_env=False, timeout=30)
        return await self.stack.enter_async_context(client)


@asynccontextmanager
async def admin_node(where: Location, folder: Path, **settings: Any) -> AsyncIterator[AdminNode]:
    """Serve the admin API over this database on a free port."""
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(open_registry(where, node=NODE))
        engine, ledger = open_engine(where.registry), open_engine(where.ledger)
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(ledger.dispose)
        store = KeyStore(engine, NODE_KEY)
        ring = KeyRing([SigningKey.parse(kept) for kept in await store.ensure(time.time())])
        catalogue = installed()
        snapshots = Snapshots(registry, Compiler(_no_endpoint), retain=lambda keys: None)
        guests = Guests()
        stack.callback(guests.close)
        transforms = TransformChecks(guests)
        register = Register(
            registry,
            node=NODE,
            check_version=endpoint_flaws(catalogue),
            check_transforms=VersionChecks(transforms),
        )
        parts = AdminParts(
            settings=Settings(node=NODE, data_dir=folder, **settings),
            node_key=NODE_KEY,
            registry=registry,
            register=register,
            evidence=EvidenceReader(ledger),
            proofs=Proofs(ledger, NODE_KEY, node=NODE),
            usage=UsageReader(ledger),
            violations=ViolationBook(ViolationCounts(), ViolationStore(engine)),
            subjects=SubjectReader(ledger),
            subject_keys=SubjectKeys(subject_keys_path(None, folder), make=True),
            check=_check,
            catalogue=catalogue,
            keys=ring,
            key_store=store,
            snapshots=snapshots,
            running=_running,
            transforms=transforms,
            proxies=Proxies(()),
            issuer=ISSUER,
            now=time.time,
        )
        oauth = create_oauth(snapshots, ring, AssertionStore(engine), issuer=ISSUER, node_key=NODE_KEY)
        base = await stack.enter_async_context(_serving(_App(oauth, create_admin(parts))))
        node = AdminNode(base, parts, registry, register, ring, snapshots)
        async with node.stack:
            yield node


class _App:
    """Tokens and the admin API on one address, as the node has them."""

    def __init__(self, oauth: Router, admin: Any) -> None:
        self._oauth = oauth
        self._admin = admin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        to = self._admin if scope["path"].startswith("/admin/") else self._oauth
        await to(scope, receive, send)


@asynccontextmanager
async def _serving(app: Any) -> AsyncIterator[str]:
    listener = listening()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", access_log=False))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True
    finally:
        listener.close()


def _no_endpoint(key: str, endpoint: Endpoint, organisation: str) -> Any:
    """Endpoints belong to the data plane, which is not here."""
    return None


async def _check(endpoint: Endpoint, organisation: str) -> Sequence[CheckStep]:
    return STEPS


async def _running() -> Sequence[Running]:
    return [Running(worker="H99/0", revision=1, age_seconds=0.5)]
