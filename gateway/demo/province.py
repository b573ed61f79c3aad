"""The invented province: sandbox databases, node, registry and clients, put together over the node's own API."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from gateway.demo.node import Admin, Node, apply_registry, first_admin, wait_for_snapshot
from gateway.demo.sandboxes import OWNERS, PROCESSES, Sandbox, SandboxProcess
from gateway.demo.scenario import COMMUNE, LAND, PROVINCE, TOWN
from gateway.demo.traffic import Credentials, Traffic

FILES = ("organisations.yaml", "databases.yaml", "systems.yaml")
NODE_CODE = PROVINCE
NATION = "demo"
SHORT_TOKEN_SECONDS = 4
"""Life of the tokens of the node's first run: one of them is kept until it has expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Province:
    """Everything that runs, and who may sign in."""

    node: Node
    admin: Admin
    sandboxes: Mapping[str, Sandbox]
    processes: Mapping[str, SandboxProcess]
    """By the first of their databases."""
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
        sandboxes = {name: Sandbox(name, folder) for name in OWNERS}
        processes = {
            names[0]: SandboxProcess([sandboxes[name] for name in names], folder) for names in PROCESSES
        }
        for process in processes.values():
            stack.callback(process.stop)
            process.start()
        for process in processes.values():
            process.wait()
        secrets = folder / "secrets.toml"
        secrets.write_text("\n".join(sandbox.bindings() for sandbox in sandboxes.values()), "utf-8")
        node = Node(folder / "node", port, node_settings(secrets))
        node.prepare()
        stack.callback(node.stop)
        admin = first_admin(node, "demo-admin")
        stack.callback(admin.close)
        node.start(token_seconds=str(SHORT_TOKEN_SECONDS))
        apply_registry(admin, [registry_text(name, sandboxes) for name in FILES])
        clients = {system: add_client(admin, system) for system in (TOWN, COMMUNE)}
        clients[LAND] = add_client(admin, LAND, "sandbox")
        old_token, ends = token_that_will_expire(admin, clients[COMMUNE])
        # The registry, the keys and the token outlive the run in which they were made.
        node.stop()
        node.start()
        yield Province(
            node=node,
            admin=admin,
            sandboxes=sandboxes,
            processes=processes,
            clients=clients,
            old_token=old_token,
            old_token_ends=ends,
        )


def node_settings(secrets: Path) -> dict[str, str]:
    """Return the node's settings; loopback is named, or the sandbox databases could not be called."""
    return {
        "node": NODE_CODE,
        "nation": NATION,
        "egress_networks": "127.0.0.0/8",
        "secrets_file": str(secrets),
        "log_level": "warning",
    }


def registry_text(name: str, sandboxes: Mapping[str, Sandbox]) -> str:
    """Return one file of the registry, with the addresses and descriptions of the databases filled in."""
    text = files("deploy.demo").joinpath(name).read_text("utf-8")
    for database, sandbox in sandboxes.items():
        known = {"URL": sandbox.base, "TOKEN_URL": f"{sandbox.address}/token"}
        for what, value in known.items():
            text = text.replace(f"{{{{{database.upper()}_{what}}}}}", value)
        text = with_description(text, database)
    return text


def with_description(text: str, database: str) -> str:
    """Fill in a database's description, for the endpoints of the sandbox: JSON is YAML as well."""
    place = f'"{{{{{database.upper()}_DESCRIPTION}}}}"'
    if place not in text:
        return text
    described = files("deploy.sandbox").joinpath(f"descriptions/{database}.yaml").read_text("utf-8")
    return text.replace(place, json.dumps(yaml.safe_load(described), ensure_ascii=False))


def add_client(admin: Admin, system: str, environment: str = "production") -> Credentials:
    """Create the client of a system."""
    wanted = {"name": f"demo {system} {environment}", "system": system, "environment": environment}
    made: dict[str, Any] = admin.post("clients", wanted)
    return Credentials(client=made["client_id"], secret=made["client_secret"])


def token_that_will_expire(admin: Admin, credentials: Credentials) -> tuple[str, float]:
    """Fetch a token, and say when it ends (epoch seconds)."""
    wait_for_snapshot(admin)
    traffic = Traffic(admin.address)
    try:
        return traffic.token(credentials), time.time() + SHORT_TOKEN_SECONDS + 1
    finally:
        traffic.close()
