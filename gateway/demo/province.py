"""The invented province: sandbox databases, node, registry and clients, put together over the node's own API."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from gateway.demo.node import Admin, Node, first_admin
from gateway.demo.sandboxes import DATABASES, Sandbox
from gateway.demo.scenario import COMMUNE, PROVINCE, TOWN
from gateway.demo.traffic import Credentials, Traffic

FILES = ("organisations.yaml", "databases.yaml", "systems.yaml")
NODE_CODE = PROVINCE
NATION = "demo"
SHORT_TOKEN_SECONDS = 6
"""Life of the tokens of the node's first run: one of them is kept until it has expired."""
SNAPSHOT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Province:
    """Everything that runs, and who may sign in."""

    node: Node
    admin: Admin
    sandboxes: Mapping[str, Sandbox]
    clients: Mapping[str, Credentials]
    old_token: str
    old_token_ends: float

    def wait_for_old_token(self) -> None:
        """Return when the token that was kept has expired."""
        time.sleep(max(0.0, self.old_token_ends - time.time()))


@contextmanager
def open_province(folder: Path, port: int) -> Iterator[Province]:
    """Yield the province, running; end all of it. Raises ChildFailed, NodeRefused."""
    with ExitStack() as stack:
        sandboxes = {name: Sandbox(name, folder) for name in DATABASES}
        for sandbox in sandboxes.values():
            stack.callback(sandbox.stop)
            sandbox.start()
        for sandbox in sandboxes.values():
            sandbox.wait()
        node = Node(folder / "node", port, node_settings(folder))
        node.prepare()
        stack.callback(node.stop)
        admin = first_admin(node, "demo-admin")
        stack.callback(admin.close)
        node.start(token_seconds=str(SHORT_TOKEN_SECONDS))
        fill_registry(admin, sandboxes)
        clients = {system: add_client(admin, system) for system in (TOWN, COMMUNE)}
        old_token, ends = token_that_will_expire(admin, clients[COMMUNE])
        # The registry, the keys and the token outlive the run in which they were made.
        node.stop()
        node.start()
        yield Province(
            node=node,
            admin=admin,
            sandboxes=sandboxes,
            clients=clients,
            old_token=old_token,
            old_token_ends=ends,
        )


def node_settings(folder: Path) -> dict[str, str]:
    """Return the node's settings; loopback is named, or the sandbox databases could not be called."""
    return {
        "node": NODE_CODE,
        "nation": NATION,
        "egress_networks": "127.0.0.0/8",
        "secrets_file": str(folder / "secrets.toml"),
        "log_level": "warning",
    }


def fill_registry(admin: Admin, sandboxes: Mapping[str, Sandbox]) -> None:
    """Apply the registry. Grants are asked for by one administrator and approved by another."""
    texts = [registry_text(name, sandboxes) for name in FILES]
    for text in texts:
        admin.post("apply", {"yaml": text.replace("status: approved", "status: requested")})
    created = admin.post("clients", {"name": "demo-approver", "role": "node-admin"})
    wait_for_snapshot(admin)
    approver = Admin(admin.address, created["client_id"], created["client_secret"])
    try:
        approver.post("apply", {"yaml": texts[-1]})
    finally:
        approver.close()


def registry_text(name: str, sandboxes: Mapping[str, Sandbox]) -> str:
    """Return one file of the registry, with the addresses of the databases filled in."""
    text = files("deploy.demo").joinpath(name).read_text("utf-8")
    for database, sandbox in sandboxes.items():
        text = text.replace(f"{{{{{database.upper()}_URL}}}}", sandbox.base)
        text = text.replace(f"{{{{{database.upper()}_TOKEN_URL}}}}", f"{sandbox.address}/token")
    return text


def add_client(admin: Admin, system: str) -> Credentials:
    """Create the client of a system."""
    made: dict[str, Any] = admin.post("clients", {"name": f"demo {system}", "system": system})
    return Credentials(client=made["client_id"], secret=made["client_secret"])


def token_that_will_expire(admin: Admin, credentials: Credentials) -> tuple[str, float]:
    """Fetch a token, and say when it ends (epoch seconds)."""
    wait_for_snapshot(admin)
    traffic = Traffic(admin.address)
    try:
        return traffic.token(credentials), time.time() + SHORT_TOKEN_SECONDS + 1
    finally:
        traffic.close()


def wait_for_snapshot(admin: Admin) -> None:
    """Return when the node serves the registry as it stands."""
    until = time.monotonic() + SNAPSHOT_SECONDS
    while time.monotonic() < until:
        said = admin.get("snapshot")
        if all(worker["revision"] >= said["revision"] for worker in said["workers"]):
            return
        time.sleep(0.05)
    raise TimeoutError(f"the node did not take up a change in {SNAPSHOT_SECONDS:.0f} s")
