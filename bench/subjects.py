"""What is measured on: a direct call, the naive build, and `lgsp`, each a process of its own on one core."""

import http.client
import json
import sqlite3
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from bench.keys import Keys
from bench.messages import (
    LARGE_FIELDS,
    Work,
    contract_fields,
    contract_operation,
    large_operations,
    soap_endpoint,
    soap_operation,
)
from bench.processes import Process, module, pin
from gateway.demo.node import Node, apply_registry, first_admin, wait_for_snapshot
from gateway.demo.processes import free_port

START_SECONDS = 30.0
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Shape:
    """What is asked for, below the address of a service."""

    method: str = "GET"
    path: str = "/items/42?part=1"
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A running subject: where to send, with which headers, and how many exchanges it has recorded.

    `bases` are the addresses of its services, called in turn; `trusted` is the certificate to trust, if it speaks TLS;
    `environ` are the settings of a node.
    """

    name: str
    pid: int
    port: int
    bases: list[str]
    headers: tuple[str, ...] = ()
    trusted: str = ""
    records: Callable[[], int] | None = None
    environ: Mapping[str, str] = field(default_factory=dict)

    def requests(self, shape: Shape) -> list[str]:
        """Render a request of that shape to each service."""
        return [self._request(base, shape) for base in self.bases]

    def _request(self, base: str, shape: Shape) -> str:
        lines = [f"{shape.method} {base}{shape.path} HTTP/1.1", "Host: 127.0.0.1", f"Accept: {JSON}"]
        lines += self.headers
        if shape.body:
            lines += [f"Content-Type: {JSON}", f"Content-Length: {len(shape.body.encode())}"]
        return "\r\n".join((*lines, "", shape.body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the subjects run with."""

    upstream: Process
    upstream_port: int
    core: int | None
    folder: Path
    keys: Keys
    client: str = "httpx2"
    policies: bool = True
    tls: bool = False
    services: int = 1
    work: Work = ""

    @property
    def trusted(self) -> str:
        """The certificate that callers have to trust, "" without TLS."""
        return str(self.keys.certificate) if self.tls else ""


@contextmanager
def direct(setting: Setting) -> Iterator[Subject]:
    """Yield the upstream itself: its CPU is what a call costs a provider, and everybody pays it on top."""
    yield Subject(name="direct", pid=setting.upstream.pid, port=setting.upstream_port, bases=[""])


@contextmanager
def naive(setting: Setting) -> Iterator[Subject]:
    """Yield the naive build, started."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        arguments = ["--port", str(port), "--upstream", f"http://127.0.0.1:{setting.upstream_port}"]
        arguments += ["--database", str(Path(folder) / "naive.db"), "--client", setting.client]
        arguments += ["--policies"] if setting.policies else []
        with Process(module("bench.naive", *arguments), core=setting.core) as process:
            base = f"http://127.0.0.1:{port}"
            _wait(lambda: httpx2.post(f"{base}/token").status_code == 200, process)  # noqa: PLR2004
            token = httpx2.post(f"{base}/token").json()["access_token"]
            yield Subject(
                name="naive",
                pid=process.pid,
                port=port,
                bases=["/bench/1.0"],
                headers=(f"Authorization: Bearer {token}",),
                records=(lambda: int(httpx2.get(f"{base}/audit/count").json()["records"]))
                if setting.policies
                else None,
            )


@contextmanager
def lgsp(setting: Setting) -> Iterator[Subject]:
    """Yield a node with the registry that the case needs, started."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=setting.folder)))
        node = BenchNode(folder, free_port(), NODE_SETTINGS)
        node.prepare()
        stack.callback(node.stop)
        token = _prepared(node, setting)
        if setting.tls:
            node.stop()
            node.start_with_tls(setting.keys)
        pin(node.pid, setting.core)
        yield Subject(
            name="lgsp",
            pid=node.pid,
            port=int(node.address.rpartition(":")[2]),
            bases=[f"/{name}/1.0" for name in service_names(setting.services)],
            headers=(f"Authorization: Bearer {token}", *(POLICY_HEADERS if setting.policies else ())),
            trusted=setting.trusted,
            records=lambda: records(folder / "ledger.db"),
            environ=node.environ,
        )


def _prepared(node: "BenchNode", setting: Setting) -> str:
    """Start a node, fill its registry, and return a token for its one consumer."""
    with closing(first_admin(node, "bench-admin")) as admin:
        pin(node.start().pid, setting.core)
        apply_registry(admin, [registry_yaml(setting)])
        client = admin.post("clients", {"name": "bench", "system": "BENCH:consumer"})
        wait_for_snapshot(admin)
        return admin.token(client["client_id"], client["client_secret"])


class BenchNode(Node):
    """A node that can be started again with TLS, after what needs its admin API has been done without."""

    def __init__(self, folder: Path, port: int, settings: Mapping[str, str]) -> None:
        super().__init__(folder, port, settings)
        self._trust: ssl.SSLContext | None = None

    def start_with_tls(self, keys: Keys) -> None:
        """Start the node with TLS on its listening side. Raises ChildFailed."""
        self._trust = ssl.create_default_context(cafile=keys.certificate)
        self.start(tls_certificate=str(keys.certificate), tls_key=str(keys.private))

    def _is_ready(self) -> bool:
        if self._trust is None:
            return super()._is_ready()
        port = int(self.address.rpartition(":")[2])
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=self._trust)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200  # noqa: PLR2004
        except OSError:
            return False
        finally:
            connection.close()


NODE_SETTINGS = {
    "node": "BENCH",
    "issuer": "http://bench.invalid",
    "nation": "bench",
    "egress_networks": "127.0.0.0/8",
    "address_rate": "1000000",
    "log_level": "error",
}
POLICY_HEADERS = ("Lgsp-Purpose: bench", "Lgsp-Officer: officer-1", "Lgsp-Procedure: 1.000001")


def records(ledger: Path) -> int:
    """Return how many final records a node's ledger holds, read beside the node."""
    with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
        return int(db.execute("SELECT count(*) FROM records WHERE kind = 'final'").fetchone()[0])


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
            | _declared(setting, number, url)
            for number, name in enumerate(names)
        ],
        "grants": [
            grant | {"name": f"BENCH:consumer/{name}", "service": name} | _released(setting, number)
            for number, name in enumerate(names)
        ],
    }
    return json.dumps(registry)  # JSON is YAML


CONTRACT, SOAP = 1, 2
"""Which services of the case `messages` do what; the first does nothing."""


def _declared(setting: Setting, number: int, url: str) -> dict[str, object]:
    """Return what the version of a service declares for the messages of its case."""
    match setting.work:
        case "messages" if number == CONTRACT:
            return {"operations": [contract_operation()], "checks": {"reply": "enforce"}}
        case "messages" if number == SOAP:
            return {"operations": [soap_operation()], "endpoints": {"production": soap_endpoint(url)}}
        case "stall":
            operations = large_operations(limited=bool(number))
            return {"operations": operations, "checks": {"reply": "enforce"}, "success_rule": {}}
        case _:
            return {}


def _released(setting: Setting, number: int) -> dict[str, object]:
    """Return what the grant of a service releases, in the cases that limit answers."""
    if setting.work == "messages" and number == CONTRACT:
        return {"fields": contract_fields()}
    return {"fields": LARGE_FIELDS} if setting.work == "stall" and number else {}


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
