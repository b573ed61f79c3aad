"""Outgoing TLS is verified, always."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from time import monotonic

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.contract import HTTPReply, HTTPRequest
from connectors.errors import NotSent
from gateway.aiohttp_transport import AiohttpTransport
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from tests import hostile as h


def a_certificate(folder: Path, *names: x509.GeneralName, days: int = 1) -> Path:
    """Write a certificate that vouches for itself, with its key, into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provider (invented)")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{len(list(folder.iterdir()))}.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


@asynccontextmanager
async def a_tls_server(certificate: Path) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await h.answering()(h.Conversation(reader, writer))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


async def ask(url: str, ca_file: Path | None) -> HTTPReply:
    egress = parse_egress(networks=["127.0.0.0/8"])
    async with AiohttpTransport(egress=egress, deadlines=Deadlines(), ca_file=ca_file) as http:
        return await http.send(HTTPRequest(method="GET", url=url, deadline=monotonic() + 2))


HERE = x509.IPAddress(ip_address("127.0.0.1"))


async def test_a_certificate_of_a_known_authority_for_this_name_is_accepted(tmp_path: Path) -> None:
    certificate = a_certificate(tmp_path, HERE, x509.DNSName("localhost"))
    async with a_tls_server(certificate) as port:
        replies = [await ask(f"https://{host}:{port}/", certificate) for host in ("127.0.0.1", "localhost")]

    assert [reply.status for reply in replies] == [200, 200]


@pytest.mark.parametrize("flaw", ["unknown authority", "other name", "over"])
async def test_any_other_is_not(tmp_path: Path, flaw: str) -> None:
    names = [x509.DNSName("elsewhere.example")] if flaw == "other name" else [HERE]
    certificate = a_certificate(tmp_path, *names, days=-1 if flaw == "over" else 1)
    async with a_tls_server(certificate) as port:
        with pytest.raises(NotSent, match="tls"):
            await ask(f"https://127.0.0.1:{port}/", None if flaw == "unknown authority" else certificate)
