"""What is measured: a direct call, the naive build, and `lgsp`, each a process of its own on one core."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from bench.processes import Process, pin
from gateway.demo.node import Admin, Node, apply_registry, first_admin, wait_for_snapshot
from gateway.demo.processes import free_port

NAMES = ("direct", "naive", "lgsp")
START_SECONDS = 30.0
PATH = "/items/42?part=1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A running subject: where to send, what, and how to ask it how many exchanges it has recorded."""

    name: str
    pid: int
    port: int
    requests: list[str]
    records: Callable[[], int] | None = None
    large: str = ""
    authorization: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the subjects run with."""

    upstream: Process
    upstream_port: int
    core: int | None
    folder: Path
    client: str = "httpx2"
    policies: bool = True
    services: int = 1


def get_request(path: str, *headers: str) -> str:
    """Render a request of the load generator."""
    return "\r\n".join(
        (f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json", *headers, "", "")
    )


@contextmanager
def direct(setting: Setting) -> Iterator[Subject]:
    """Yield the upstream itself: its CPU is what a call costs a provider, and everybody pays it on top."""
    yield Subject(
        name="direct",
        pid=setting.upstream.pid,
        port=setting.upstream_port,
        requests=[get_request(PATH)],
        large="/large",
    )


@contextmanager
def naive(setting: Setting) -> Iterator[Subject]:
    """Yield the naive build, started."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        arguments = ["--port", str(port), "--upstream", f"http://127.0.0.1:{setting.upstream_port}"]
        arguments += ["--database", str(Path(folder) / "naive.db"), "--client", setting.client]
        arguments += ["--policies"] if setting.policies else []
        with Process("bench.naive", *arguments, core=setting.core) as process:
            base = f"http://127.0.0.1:{port}"
            _wait(lambda: httpx2.post(f"{base}/token").status_code == 200, process)  # noqa: PLR2004
            authorization = f"Bearer {httpx2.post(f'{base}/token').json()['access_token']}"
            yield Subject(
                name="naive",
                pid=process.pid,
                port=port,
                requests=[get_request(f"/bench/1.0{PATH}", f"Authorization: {authorization}")],
                records=(lambda: int(httpx2.get(f"{base}/audit/count").json()["records"]))
                if setting.policies
                else None,
                large="/bench/1.0/large",
                authorization=authorization,
            )


@contextmanager
def lgsp(setting: Setting) -> Iterator[Subject]:
    """Yield a node with the registry that the case needs, started."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=setting.folder)))
        node = Node(folder, free_port(), NODE_SETTINGS)
        node.prepare()
        admin = first_admin(node, "bench-admin")
        stack.callback(admin.close)
        stack.callback(node.stop)
        pin(node.start().pid, setting.core)
        apply_registry(admin, [registry_yaml(setting)])
        client = admin.post("clients", {"name": "bench", "system": "BENCH:consumer"})
        wait_for_snapshot(admin)
        authorization = f"Bearer {admin.token(client['client_id'], client['client_secret'])}"
        headers = [f"Authorization: {authorization}", *(POLICY_HEADERS if setting.policies else ())]
        names = service_names(setting.services)
        yield Subject(
            name="lgsp",
            pid=node.pid,
            port=int(node.address.rpartition(":")[2]),
            requests=[get_request(f"/{name}/1.0{PATH}", *headers) for name in names],
            records=lambda: records(admin),
            large=f"/{service_names(1)[0]}/1.0/large",
            authorization=authorization,
        )


NODE_SETTINGS = {
    "node": "BENCH",
    "nation": "bench",
    "egress_networks": "127.0.0.0/8",
    "address_rate": "1000000",
    "log_level": "error",
}
POLICY_HEADERS = ("Lgsp-Purpose: bench", "Lgsp-Officer: officer-1", "Lgsp-Procedure: 1.000001")


def records(admin: Admin) -> int:
    """Return how many exchanges the node has final records of."""
    return int(admin.get("evidence", limit="1")["total"])


def service_names(count: int) -> list[str]:
    """Return the names of the services of a case."""
    return [f"bench-{number}" for number in range(count)]


def registry_yaml(setting: Setting) -> str:
    """Write the node's registry: one consumer, one provider, so many services with a grant each.

    The policies of `lgsp` cannot be switched off. In `plain` its grant asks for nothing and limits nothing but the
    second; with `policies` there are a purpose, an asserted officer, a procedure and a limit per day as well.
    """
    quota: dict[str, int] = {"per_second": 1_000_000}
    grant: dict[str, object] = {"consumer": "BENCH:consumer", "status": "approved", "quota": quota}
    if setting.policies:
        quota["per_day"] = 10**12
        grant |= {"purposes": ["bench"], "officer": "asserted", "procedure_required": True}
    url = f"http://127.0.0.1:{setting.upstream_port}"
    endpoint = {"connector": "rest", "settings": {"url": url}, "max_in_flight": 256}
    operation = {"name": "any", "method": "ANY", "path": "/{path*}"}
    rule = {"success": [{"at": "pointer:/Status", "equals": ["1"]}]} if setting.policies else {}
    names = service_names(setting.services)
    system = {"organisation": "BENCH", "name_vi": "Hệ thống đo (giả lập)"}
    registry = {
        "organisations": [{"code": "BENCH", "name_vi": "Đơn vị đo (giả lập)"}],
        "systems": [{"code": f"BENCH:{role}"} | system for role in ("consumer", "provider")],
        "delegations": [{"organisation": "BENCH", "legal_basis": "đo hiệu năng (giả lập)"}],
        "services": [{"name": name, "title_vi": "Đo", "provider": "BENCH:provider"} for name in names],
        "versions": [
            {
                "service": name,
                "version": "1.0",
                "status": "published",
                "operations": [operation],
                "endpoints": {"production": endpoint},
                "success_rule": rule,
                "max_body_bytes": 1 << 30,
            }
            for name in names
        ],
        "grants": [grant | {"name": f"BENCH:consumer/{name}", "service": name} for name in names],
    }
    return json.dumps(registry)  # JSON is YAML


def _wait(ready: Callable[[], bool], process: Process) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            if ready():
                return
        except httpx2.TransportError:
            if process.ended:
                break
        time.sleep(0.05)
    raise RuntimeError("the subject did not start")
