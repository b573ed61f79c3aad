"""A server with nothing but the token endpoint, for tests; `python -m tests.e2e.oauth_server` runs one by itself."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
import uvloop
from starlette.types import Scope

from auth.clients import Network
from auth.keys import KeyRing
from auth.secrets import digest
from gateway.oauth import KeyWatch, create_oauth, peer_address
from registry.sql.database import location, open_engine, upgrade
from registry.sql.keys import AssertionStore, KeyStore
from tests.listening import listening

ISSUER = "https://lgsp.example"
NODE_KEY = bytes(range(32))
SECRET = "made-up-secret"


@dataclass(frozen=True, kw_only=True)
class AClient:
    """A client as a snapshot shows it."""

    id: str = "client-1"
    system: str | None = "system-1"
    role: str | None = None
    environment: str = "production"
    active: bool = True
    not_before: float = 0.0
    networks: tuple[Network, ...] = ()
    secrets: tuple[tuple[str, float | None], ...] = ((digest(SECRET, NODE_KEY), None),)
    jwks: Mapping[str, Any] | None = None


@dataclass
class Clients:
    """A snapshot with clients only; also what holds it."""

    clients: dict[str, AClient] = field(default_factory=lambda: {"client-1": AClient()})

    @property
    def current(self) -> "Clients":
        return self

    def put(self, id: str = "client-1", **changes: Any) -> None:  # noqa: A002
        self.clients[id] = replace(self.clients.get(id, AClient()), id=id, **changes)


@dataclass(kw_only=True)
class Node:
    """A running server: its address, its parts, and what it counted."""

    base: str
    clients: Clients
    ring: KeyRing
    watch: KeyWatch
    counted: list[str]


@asynccontextmanager
async def serving(
    folder: Path, *, failure_rate: int = 20, address_of: Callable[[Scope], str] = peer_address
) -> AsyncIterator[Node]:
    """Serve the token endpoint on a free loopback port, with keys and assertions in a real database."""
    where = location(None, folder)
    await upgrade(where)
    engine = open_engine(where.registry)
    clients, ring, counted = Clients(), KeyRing(), list[str]()
    watch = KeyWatch(KeyStore(engine, NODE_KEY), ring)
    await watch.open()
    app = create_oauth(
        clients,
        ring,
        AssertionStore(engine),
        issuer=ISSUER,
        node_key=NODE_KEY,
        failure_rate=failure_rate,
        address_of=address_of,
        counted=counted.append,
    )
    listener = listening()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", access_log=False))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            base = f"http://127.0.0.1:{listener.getsockname()[1]}"
            try:
                yield Node(base=base, clients=clients, ring=ring, watch=watch, counted=counted)
            finally:
                server.should_exit = True
    finally:
        listener.close()
        await engine.dispose()


async def _main() -> None:
    with TemporaryDirectory() as folder:
        async with serving(Path(folder)) as node:
            print(node.base, flush=True)  # noqa: T201  (how the parent learns the port)
            await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_main())
