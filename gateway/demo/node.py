"""The demonstration's node: `lgsp serve` as a child, and its admin API over HTTP."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx2

from gateway.demo.processes import Child, run, wait_until
from gateway.settings import child_environment

COMMAND = "gateway"
CALL_SECONDS = 120.0
SNAPSHOT_SECONDS = 30.0

Answer = dict[str, Any]
"""JSON of the node's own API."""


class NodeRefused(Exception):
    """The node's API answered a request of ours with an error; the text is what it said."""


class Node:
    """A node that keeps everything in one folder. Its settings are these and no others of ours."""

    def __init__(self, folder: Path, port: int, settings: Mapping[str, str]) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.folder = folder
        own = {"data_dir": str(folder), "listen": f"127.0.0.1:{port}"}
        given = {f"LGSP_{name.upper()}": value for name, value in {**settings, **own}.items()}
        self._environ = child_environment(**given)
        self._child: Child | None = None

    @property
    def environ(self) -> Mapping[str, str]:
        """What commands on the node's machine run with."""
        return self._environ

    @property
    def pid(self) -> int:
        if self._child is None:
            raise ValueError("the node does not run")
        return self._child.pid

    def command(self, *arguments: str) -> str:
        """Run an `lgsp` command on the node's machine. Raises ChildFailed."""
        return run(COMMAND, arguments, self._environ)

    def prepare(self) -> None:
        """Make the databases. Raises ChildFailed."""
        self.command("database", "upgrade")

    def start(self, **settings: str) -> Self:
        """Start the node, with these settings on top, and wait until it is ready. Raises ChildFailed."""
        environ = self._environ | {f"LGSP_{name.upper()}": value for name, value in settings.items()}
        log = self.folder / "node.log"
        self._child = Child("gateway.demo.child", "serve", log=log, environ=environ, speaks=False)
        wait_until(self._is_ready, self._child)
        return self

    def stop(self) -> None:
        """Stop the node gracefully. Idempotent."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def _is_ready(self) -> bool:
        try:
            return httpx2.get(self.address + "/health/ready", timeout=CALL_SECONDS).status_code == 200  # noqa: PLR2004
        except httpx2.TransportError:
            return False


class Admin:
    """The admin API, as a client with a role sees it. A token is fetched for every call, as in the field."""

    def __init__(self, address: str, client: str, secret: str) -> None:
        self.address = address
        self._http = httpx2.Client(base_url=address, timeout=CALL_SECONDS)
        self.client = client
        self.secret = secret

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def token(self, client: str | None = None, secret: str | None = None) -> str:
        """Fetch a token, for the admin client or another one. Raises NodeRefused."""
        reply = self._http.post(
            "/token",
            data={"grant_type": "client_credentials"},
            auth=(client or self.client, secret or self.secret),
        )
        return str(_checked(reply)["access_token"])

    def get(self, path: str, **params: str) -> Answer:
        """Read from the admin API. Raises NodeRefused."""
        return self._ask("GET", path, params=params)

    def post(self, path: str, document: Mapping[str, Any], **headers: str) -> Answer:
        """Post to the admin API. Raises NodeRefused."""
        return self._ask("POST", path, json=dict(document), headers=headers)

    def _ask(self, method: str, path: str, **what: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token()}"} | what.pop("headers", {})
        return _checked(self._http.request(method, f"/admin/v1/{path}", headers=headers, **what))


def first_admin(node: Node, name: str) -> Admin:
    """Create the first administrator on the node's machine. Raises ChildFailed."""
    created = node.command("client", "create", name, "--role", "node-admin", "--local", "--json")
    said: Answer = json.loads(created)
    return Admin(node.address, said["client_id"], said["client_secret"])


def apply_registry(admin: Admin, texts: Sequence[str]) -> None:
    """Apply texts of YAML. What one administrator may only ask for, another one approves. Raises NodeRefused."""
    plans = [admin.post("apply", {"yaml": text}) for text in texts]
    created = admin.post("clients", {"name": "second-admin", "role": "node-admin"})
    wait_for_snapshot(admin)
    approver = Admin(admin.address, created["client_id"], created["client_secret"])
    try:
        for text, plan in zip(texts, plans, strict=True):
            if any(item["waiting"] for item in plan["items"]):
                approver.post("apply", {"yaml": text})
    finally:
        approver.close()
    wait_for_snapshot(admin)


def wait_for_snapshot(admin: Admin) -> None:
    """Return when the node serves the registry as it stands. Raises NodeRefused for what it cannot serve."""
    revision = admin.get("snapshot")["revision"]
    until = time.monotonic() + SNAPSHOT_SECONDS
    while (served := admin.get("quarantine"))["revision"] < revision:
        if time.monotonic() > until:
            raise NodeRefused(f"revision {revision} was not taken up in {SNAPSHOT_SECONDS:.0f} s")
        time.sleep(0.05)
    if served["items"]:
        raise NodeRefused(f"in quarantine: {served['items']}")


def _checked(reply: httpx2.Response) -> Answer:
    if not reply.is_success:
        raise NodeRefused(f"{reply.status_code} {reply.text[:2000]}")
    answer: Answer = reply.json()
    return answer
