"""A real node in its own process, and the registry behind it in the test's hands."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from auth.secrets import digest, new_secret
from gateway.node_key import read_node_key
from registry.entities import Kind
from registry.register import Register
from registry.sql.database import Location, location, upgrade
from registry.sql.registry import SQLRegistry, open_registry
from registry.stores import Author, Stored
from tests.factories import a_database, a_need, a_service, a_system, a_version, an_organisation
from tests.hostile import free_port

NODE = "H99"
AUTHOR = Author(id="local", name="Kiểm thử (giả lập)", via="local")
PROVIDER = Author(id="provider", name="Bên cung cấp (giả lập)", via="local")
READY_SECONDS = 20.0


@dataclass
class RunningNode:
    """One node: where it listens, its process, its registry."""

    base: str
    process: subprocess.Popen[bytes]
    registry: SQLRegistry
    register: Register
    location: Location
    data_dir: Path
    node_key: bytes
    http: httpx2.AsyncClient
    log: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        """The public port."""
        return int(self.base.rpartition(":")[2])

    async def client(self, name: str, **given: Any) -> "Caller":
        """Register a client and return a caller with its credentials."""
        made = await self.register.add(Kind.CLIENT, {"name": name} | given, AUTHOR)
        secret = new_secret()
        await self.register.step(
            Kind.CLIENT, made.id, "set-secrets",
            {"secrets": [{"digest": digest(secret, self.node_key), "created_at": "2026-01-01T00:00:00Z"}]},
            expected_version=made.version, author=AUTHOR,
        )  # fmt: skip
        await self.settled()
        return Caller(self, made.id, secret)

    async def settled(self) -> None:
        """Return when the node runs the registry's latest revision."""
        revision = await self.registry.revision()
        for _ in range(200):
            page = (await self.http.get("/metrics")).text
            running = next(line for line in page.splitlines() if line.startswith("lgsp_registry_revision "))
            if float(running.split()[1]) >= revision:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the node did not take up the revision")

    async def add(self, kind: Kind, document: dict[str, Any]) -> Stored:
        return await self.register.add(kind, document, AUTHOR)

    async def step(
        self, kind: Kind, label: str, action: str, author: Author = AUTHOR, **given: Any
    ) -> Stored:
        current = await self.registry.get(kind, label)
        return await self.register.step(
            kind, label, action, given, expected_version=current.version, author=author
        )

    async def offer(self, name: str = "DoanhNghiep", *, url: str | None = None, **given: Any) -> Stored:
        """Publish a service of the national database's system at `url` (without one: the echo connector)."""
        await self.add(Kind.SERVICE, a_service(name))
        endpoint = given.pop("endpoint", {})
        if url is not None:
            endpoint = {"connector": "rest", "settings": {"url": url}, "deadline_seconds": 2} | endpoint
        else:
            endpoint = {"connector": "echo", "settings": {}} | endpoint
        document = a_version(name, endpoints={"production": endpoint}, national_database="CSDLDN", **given)
        version = await self.add(Kind.VERSION, document)
        return await self.step(Kind.VERSION, version.id, "publish")

    async def grant(
        self, service: str = "DoanhNghiep", consumer: str = "H99:mot-cua", **given: Any
    ) -> Stored:
        """Request and approve a grant."""
        made = await self.add(Kind.GRANT, {"consumer": consumer, "service": service} | given)
        return await self.step(Kind.GRANT, made.id, "approve", PROVIDER)

    def stop(self) -> int:
        """Stop the node as an operator does."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@dataclass
class Caller:
    """A consumer's program: gets tokens and calls."""

    node: RunningNode
    id: str
    secret: str
    token: str = ""

    async def fetch_token(self) -> str:
        answer = await self.node.http.post(
            "/token", data={"grant_type": "client_credentials"}, auth=(self.id, self.secret)
        )
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        return self.token

    async def call(self, path: str, method: str = "GET", **given: Any) -> httpx2.Response:
        if not self.token:
            await self.fetch_token()
        headers = {"authorization": f"Bearer {self.token}"} | given.pop("headers", {})
        return await self.node.http.request(method, path, headers=headers, **given)


async def populate(node: RunningNode) -> None:
    """Register the bodies and systems that the tests speak of."""
    for code in ("H99", "G99"):
        await node.add(Kind.ORGANISATION, an_organisation(code))
    await node.add(Kind.NATIONAL_DATABASE, a_database())
    for system in ("H99:mot-cua", "H99:ho-tich", "G99:csdl"):
        await node.add(Kind.SYSTEM, a_system(system))
    await node.add(Kind.NEED, a_need())


@asynccontextmanager
async def running_node(
    data_dir: Path,
    *,
    database: str | None = None,
    empty: bool = False,
    trust: ssl.SSLContext | None = None,
    **settings: str,
) -> AsyncIterator[RunningNode]:
    """Yield a node on a free port, its registry populated; it is stopped at the end.

    `trust`: it speaks TLS, with a certificate that the settings name and this context takes.
    """
    where = location(database, data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    await upgrade(where)
    port = free_port()
    environment = {
        "LGSP_NODE": NODE,
        "LGSP_NATION": "demo",
        "LGSP_DATA_DIR": str(data_dir),
        "LGSP_LISTEN": f"127.0.0.1:{port}",
        "LGSP_EGRESS_NETWORKS": "127.0.0.0/8",
        "LGSP_POLL_SECONDS": "0.1",
    } | {f"LGSP_{name.upper()}": value for name, value in settings.items()}
    if database is not None:
        environment["LGSP_DATABASE"] = database
    log = data_dir / "node.log"
    base = f"{'http' if trust is None else 'https'}://127.0.0.1:{port}"
    process = start(environment, log)
    most = httpx2.Limits(max_connections=200)
    verify: ssl.SSLContext | bool = True if trust is None else trust
    try:
        async with (
            open_registry(where, node=NODE) as registry,
            httpx2.AsyncClient(base_url=base, timeout=30, limits=most, verify=verify) as http,
        ):
            await ready(http, process, log)
            node = RunningNode(
                base, process, registry, Register(registry, node=NODE), where, data_dir,
                read_node_key(None, data_dir), http, log, environment,
            )  # fmt: skip
            if not empty:
                await populate(node)
            yield node
    finally:
        process = node.process if "node" in locals() else process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def start(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start `lgsp serve` with its log in a file."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"],
            env=os.environ | environment,
            stdout=file,
            stderr=file,
        )


async def ready(http: httpx2.AsyncClient, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the node says that it is ready."""
    for _ in range(int(READY_SECONDS / 0.05)):
        if process.poll() is not None:
            raise AssertionError(f"the node ended: {log.read_text('utf-8')[-3000:]}")
        try:
            if (await http.get("/health/ready")).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(f"the node is not ready: {log.read_text('utf-8')[-3000:]}")
