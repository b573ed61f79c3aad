"""What an operator meets: a node that is small and quick to start, says what is wrong, and stops without losing anything."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from registry.evidence import Delivered
from registry.sql.database import location, open_engine, upgrade
from registry.sql.ledger import Evidence, EvidenceReader
from tests.e2e.node import RunningNode, ready, running_node, start
from tests.factories import an_operation
from tests.hostile import Conversation, free_port, hostile
from tests.load import read_answer, request, tell

CALLED = "/DoanhNghiep/1.0/chiTietDoanhNghiep"
STREAMED = "/DoanhNghiep/1.0/lon"
OPERATIONS = [
    an_operation(),
    an_operation("lon", "/lon"),
    an_operation("ghi", "/ghi", method="POST", effect="write"),
]
PIECE = b"y" * 100_000


def serve(settings: Mapping[str, object]) -> subprocess.CompletedProcess[str]:
    """Run `lgsp serve` to its end, with these settings and none other."""
    given = {f"LGSP_{name.upper()}": str(value) for name, value in settings.items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LGSP_")}
    return subprocess.run(
        [sys.executable, "-m", "gateway", "serve"],
        env=kept | {"LGSP_LANGUAGE": "en"} | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# --- size and speed -------------------------------------------------------------------------------------


async def test_a_node_is_small_and_soon_ready(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        process = psutil.Process(node.process.pid)
        times = process.cpu_times()
        started = times.user + times.system
        await asyncio.sleep(2)
        times = process.cpu_times()
        idle = times.user + times.system - started
        rss = process.memory_info().rss / 2**20

    tell(f"start: {started:.2f} s of CPU time; idle: {rss:.0f} MB, {idle * 50:.1f} % of a core")
    assert started < 2.0
    assert rss < 128
    assert idle < 0.3


def test_help_is_there_at_once() -> None:
    program = (
        "import resource, sys; from gateway.__main__ import main; code = main(['--help']);"
        "used = resource.getrusage(resource.RUSAGE_SELF); sys.stderr.write(str(used.ru_utime + used.ru_stime))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "serve" in done.stdout
    assert float(done.stderr) < 0.4


# --- starting -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param({"listne": "x"}, "LGSP_LISTNE: no setting has this name", id="unknown name"),
        pytest.param({"listen": "127.0.0.1:99999"}, "port must be 0-65535", id="no port"),
        pytest.param({"workers": 2}, "more than one worker needs PostgreSQL", id="workers on SQLite"),
        pytest.param({}, "lgsp database upgrade", id="no database"),
    ],
)  # fmt: skip
def test_what_keeps_a_node_from_starting_is_told_in_a_sentence(
    tmp_path: Path, settings: dict[str, str], told: str
) -> None:
    done = serve({"data_dir": tmp_path, "listen": "127.0.0.1:0"} | settings)

    assert done.returncode in {1, 2}
    assert told.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 500
    assert done.stdout == ""


async def test_a_node_does_not_start_on_what_is_not_its_own(tmp_path: Path) -> None:
    """An address in use, a second node on the same data, a key that others may read, another node's key."""
    await upgrade(location(None, tmp_path))
    given = {"data_dir": tmp_path, "listen": "127.0.0.1:0", "node": "H99"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        in_use = await asyncio.to_thread(serve, given | {"listen": f"127.0.0.1:{port}"})
    async with running_node(tmp_path, empty=True):
        second = await asyncio.to_thread(serve, given)
    key = tmp_path / "node.key"
    key.chmod(0o644)
    lax = await asyncio.to_thread(serve, given)
    key.unlink()
    key.write_text("ab" * 32)
    key.chmod(0o600)
    other = await asyncio.to_thread(serve, given)

    for done, told in (
        (in_use, "Address already in use"),
        (second, "Another process writes this node's ledger"),
        (lax, "chmod 600"),
        (other, "Restore the right node key"),
    ):
        assert done.returncode == 1
        assert told in done.stderr
        assert "Traceback" not in done.stderr


async def test_workers_that_cannot_start_are_not_started_for_ever(
    tmp_path: Path, postgres_database: str
) -> None:
    given = {"data_dir": tmp_path, "listen": "127.0.0.1:0", "workers": 2}
    empty = await asyncio.to_thread(serve, given | {"database": postgres_database})
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    away = await asyncio.to_thread(serve, given | {"database": nowhere})

    assert (empty.returncode, away.returncode) == (1, 1)
    assert "lgsp database upgrade" in empty.stderr.splitlines()[-1]
    assert "cannot be opened" in away.stderr.splitlines()[-1]
    assert "Traceback" not in empty.stderr + away.stderr


# --- planes ---------------------------------------------------------------------------------------------


async def test_the_admin_address_takes_the_admin_plane_away_from_the_public_one(tmp_path: Path) -> None:
    port = free_port()
    async with running_node(tmp_path, empty=True, admin_listen=f"127.0.0.1:{port}") as node:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as admin:
            on_admin = {
                path: (await admin.get(path)).status_code
                for path in ("/admin/v1/whoami", "/metrics", "/health/ready", CALLED)
            }
        on_public = {
            path: (await node.http.get(path)).status_code
            for path in ("/admin/v1/whoami", "/admin/openapi.json", "/metrics", "/health/ready", CALLED)
        }

    assert on_admin == {"/admin/v1/whoami": 401, "/metrics": 200, "/health/ready": 200, CALLED: 404}
    assert on_public == {
        "/admin/v1/whoami": 404, "/admin/openapi.json": 404, "/metrics": 404, "/health/ready": 200, CALLED: 401
    }  # fmt: skip


async def test_metrics_on_the_public_address_are_for_observers_and_named_networks(tmp_path: Path) -> None:
    """Behind a trusted proxy it is the caller's address that counts, and only the proxy is believed."""
    async with running_node(
        tmp_path, empty=True, trusted_proxies="127.0.0.1/32", metrics_networks="127.0.0.0/8,198.51.100.0/24"
    ) as node:
        observer = await node.client("quan sát", role="observer")
        consumer = await node.client("kiểm toán", role="auditor")
        outside = {"x-forwarded-for": "192.0.2.7"}
        inside = {"x-forwarded-for": "192.0.2.7, 198.51.100.9"}

        assert (await node.http.get("/metrics")).status_code == 200
        assert (await node.http.get("/metrics", headers=inside)).status_code == 200
        assert (await node.http.get("/metrics", headers=outside)).status_code == 404
        assert (await observer.call("/metrics", headers=outside)).status_code == 200
        assert (await consumer.call("/metrics", headers=outside)).status_code == 404


async def test_a_node_with_tls_may_listen_anywhere(tmp_path: Path) -> None:
    authority, certificate, key = certificates(tmp_path)
    await upgrade(location(None, tmp_path))
    base = f"https://127.0.0.1:{free_port()}"
    environment = {
        "LGSP_DATA_DIR": str(tmp_path),
        "LGSP_LISTEN": base.replace("https://127.0.0.1", "0.0.0.0"),
        "LGSP_ISSUER": base,
        "LGSP_TLS_CERTIFICATE": str(certificate),
        "LGSP_TLS_KEY": str(key),
    }
    log = tmp_path / "node.log"
    process = start(environment, log)
    try:
        trusted = ssl.create_default_context(cafile=authority)
        async with httpx2.AsyncClient(verify=trusted, base_url=base) as http:
            await ready(http, process, log)
            metadata = (await http.get("/.well-known/oauth-authorization-server")).json()
    finally:
        process.terminate()
        code = process.wait(20)

    assert metadata["token_endpoint"] == f"{base}/token"
    assert code == 0
    assert '"tls":true' in log.read_text("utf-8")


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Make an authority and a server's certificate; returns authority, certificate and key files."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node.example")])
    authority = _certificate(authority_name, authority_key, authority_name, authority_key, is_authority=True)
    certificate = _certificate(name, key, authority_name, authority_key, is_authority=False)
    files = folder / "authority.pem", folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[2].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


def _certificate(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )


# --- stopping -------------------------------------------------------------------------------------------


async def slow(talk: Conversation) -> None:
    """Answer after most of a second; a large answer comes in pieces, and one that is asked for never ends."""
    while head := (await talk.read_request())[0]:
        target = head.split(b" ")[1]
        if target.startswith(b"/lon"):
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (8 * len(PIECE)))
            for _ in range(8):
                await talk.send(PIECE)
                await asyncio.sleep(60 if b"endless" in target else 0.15)
            continue
        await asyncio.sleep(60 if b"endless" in target else 0.8)
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" + b'{"Status": 1}')


@dataclass
class Shop:
    """A node before a slow provider, and a consumer's token."""

    node: RunningNode
    token: str

    async def ask(self, target: str, *, method: str = "GET", body: bytes = b"") -> "Asked":
        """Send a call on a connection of its own, and do not wait for its answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.node.port, limit=1 << 22)
        writer.write(request(target, self.token, method=method, body=body))
        await writer.drain()
        return Asked(reader, writer)

    async def records(self) -> list[Evidence]:
        """Return what is recorded, the first exchange first."""
        engine = open_engine(self.node.location.ledger)
        try:
            reader = EvidenceReader(engine)
            await reader.verify()
            return sorted((await reader.search(limit=1000)).items, key=lambda each: each.record.at)
        finally:
            await engine.dispose()


@dataclass
class Asked:
    """A call under way."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self) -> tuple[int, str, int]:
        """Return status, exchange and length of the answer; status 0 for one that was cut."""
        try:
            status, headers, body = await read_answer(self.reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, "", 0
        finally:
            self.leave()
        return status, headers["lgsp-exchange-id"], len(body)

    def leave(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def a_shop(data_dir: Path, **settings: Any) -> AsyncIterator[Shop]:
    async with hostile(slow) as provider, running_node(data_dir, **settings) as node:
        await node.offer(url=provider.address, endpoint={"deadline_seconds": 30}, operations=OPERATIONS)
        await node.grant()
        caller = await node.client("một cửa", system="H99:mot-cua")
        yield Shop(node, await caller.fetch_token())


async def test_a_node_that_stops_finishes_what_it_has_begun(tmp_path: Path) -> None:
    async with a_shop(tmp_path, stop_notice_seconds="0.5") as shop:
        asked = [await shop.ask(target) for target in [CALLED] * 10 + [STREAMED] * 3]
        asked.append(await shop.ask("/DoanhNghiep/1.0/ghi", method="POST", body=b"{}"))
        await asyncio.sleep(0.3)
        shop.node.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.1)
        while_leaving = [
            (await shop.node.http.get(f"/health/{what}")).status_code for what in ("live", "ready")
        ]
        answers = [await each.answer() for each in asked]
        code = await asyncio.to_thread(shop.node.process.wait, 20)
        records = await shop.records()

    assert code == 0
    assert while_leaving == [200, 503]
    assert [(status, length) for status, _, length in answers] == (
        [(200, 13)] * 10 + [(200, 8 * len(PIECE))] * 3 + [(200, 13)]
    )
    assert {each.record.exchange for each in records} == {exchange for _, exchange, _ in answers}
    assert {(each.record.outcome, each.record.delivered) for each in records} == {("success", Delivered.YES)}


async def test_what_takes_too_long_is_cut_when_the_node_stops_and_recorded(tmp_path: Path) -> None:
    async with a_shop(tmp_path, drain_seconds="1") as shop:
        targets = [f"{CALLED}?endless", f"{STREAMED}?endless"]
        asked = [await shop.ask(target) for target in targets]
        asked.append(await shop.ask("/DoanhNghiep/1.0/ghi?endless", method="POST", body=b"{}"))
        await asyncio.sleep(0.5)
        began = time.monotonic()
        shop.node.process.send_signal(signal.SIGTERM)
        answers = [await each.answer() for each in asked]
        code = await asyncio.to_thread(shop.node.process.wait, 20)
        seconds = time.monotonic() - began
        records = await shop.records()

    assert code == 0
    assert 1 <= seconds < 6
    assert [status for status, _, _ in answers] == [0, 0, 0]
    told = [(it.record.operation, it.record.outcome, it.record.reason, it.record.delivered) for it in records]
    assert told == [
        ("chiTiet", "unknown", "node-stopped", Delivered.NO),
        ("lon", "unknown", "node-stopped", Delivered.CUT),
        ("ghi", "unknown", "node-stopped", Delivered.NO),
    ]


async def test_a_caller_that_leaves_is_recorded(tmp_path: Path) -> None:
    """Before the answer, in the middle of it, and in the middle of the request."""
    async with a_shop(tmp_path) as shop:
        early = await shop.ask(CALLED)
        await asyncio.sleep(0.3)
        early.leave()
        amid = await shop.ask(STREAMED)
        await amid.reader.readexactly(50_000)
        amid.leave()
        half = request("/DoanhNghiep/1.0/ghi", shop.token, method="POST", body=b"x" * 200_000)[:-100_000]
        reader, writer = await asyncio.open_connection("127.0.0.1", shop.node.port)
        writer.write(half)
        await asyncio.sleep(0.3)
        Asked(reader, writer).leave()
        await asyncio.sleep(1.5)
        records = await shop.records()

    told = [(each.record.operation, each.record.reason, each.record.delivered) for each in records]
    assert told[0] == ("chiTiet", "", Delivered.NO)
    assert told[1] == ("lon", "caller-gone", Delivered.CUT)
    assert told[2] == ("ghi", "body-cut", Delivered.NO)


async def test_logs_are_lines_of_json_without_secrets(tmp_path: Path) -> None:
    async with a_shop(tmp_path, log_level="debug") as shop:
        caller = await shop.node.client("máy", system="H99:ho-tich")
        assert (await caller.call(CALLED)).status_code == 403
        await shop.node.http.post(
            "/token", data={"grant_type": "client_credentials"}, auth=(caller.id, "sai")
        )
        await (await shop.ask(CALLED)).answer()
        shop.node.stop()
        text = shop.node.log.read_text("utf-8")
        secrets = (caller.secret, caller.token, shop.token, shop.node.node_key.hex())

    lines = [json.loads(line) for line in text.splitlines()]
    assert {"node.started", "snapshot.live", "node.stopped"} <= {line["event"] for line in lines}
    assert all({"at", "level", "logger"} <= line.keys() for line in lines)
    assert not any(secret in text for secret in secrets)
    begun = next(line for line in lines if line["event"] == "node.started")
    assert (begun["role"], begun["workers"], begun["listen"]) == ("local", 1, f"127.0.0.1:{shop.node.port}")
