"""Clients of the host that show a certificate of their own: to real TLS servers that ask for one."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from connectors.contract import HTTPClient, HTTPRequest, TLSIdentity
from connectors.errors import NotSent
from gateway.aiohttp_transport import AiohttpTransport
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from gateway.http1 import Certificate, HTTP1Transport
from tests.tls_provider import tls_provider
from tests.unit.gateway.http1.certificates import Authority

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(params=[HTTP1Transport, AiohttpTransport])
async def http(request: pytest.FixtureRequest) -> AsyncIterator[HTTPClient]:
    egress = parse_egress(networks=["127.0.0.0/8"])
    async with request.param(egress=egress, deadlines=Deadlines()) as client:
        yield client


@contextmanager
def asking_for_a_certificate(
    authority: Authority, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> Iterator[str]:
    context = authority.server_context(authority.issue("127.0.0.1", label="server"), client_needed=True)
    context.minimum_version = context.maximum_version = version
    with tls_provider(context) as provider:
        yield provider.address + "/"


def identity(authority: Authority, certificate: Certificate | None = None) -> TLSIdentity:
    if certificate is None:
        return TLSIdentity(authority=authority.file.read_text())
    return TLSIdentity(
        certificate=certificate.chain.read_text(),
        key=certificate.key.read_text(),
        authority=authority.file.read_text(),
    )


async def ask(http: HTTPClient, url: str) -> object:
    try:
        request = HTTPRequest(method="DELETE", url=url, deadline=monotonic() + 3)
        return (await http.send(request)).body
    except NotSent as error:
        return str(error)


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_a_server_says_to_a_certificate_is_told(
    http: HTTPClient, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    (tmp_path / "other").mkdir()
    ours, foreign = Authority(tmp_path), Authority(tmp_path / "other", "Another authority")
    shown = {
        "good": ours.issue(label="so-tttt"),
        "ended": ours.issue(label="old", ended=True),
        "foreign": foreign.issue(label="stranger"),
        "none": None,
    }
    with asking_for_a_certificate(ours, version) as url:
        found = {}
        for name, certificate in shown.items():
            client = http.with_tls(identity(ours, certificate))
            found[name] = await ask(client, url)
            await client.close()

    assert found == {
        "good": b"so-tttt",
        "ended": "tls-certificate-expired",
        "foreign": "tls-certificate-refused",
        "none": "tls-certificate-missing" if version is ssl.TLSVersion.TLSv1_3 else "tls",
    }


async def test_two_identities_never_share_a_connection(http: HTTPClient, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with asking_for_a_certificate(authority) as url:
        clients = [
            http.with_tls(identity(authority, authority.issue(label=name))).narrowed(["127.0.0.0/8"])
            for name in ("so-a", "so-b")
        ]
        found = [await ask(client, url) for _ in range(3) for client in clients]
        plain = await ask(http, url)

    assert found == [b"so-a", b"so-b"] * 3
    assert plain == "tls"  # it does not even know the server's authority


async def test_pem_that_is_none_is_refused_without_a_word_of_it(http: HTTPClient, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, two = authority.issue(label="a"), authority.issue(label="b")
    chain, key, other = one.chain.read_text(), one.key.read_text(), two.key.read_text()
    for wrong, words in (
        (TLSIdentity(certificate="hidden", key="hidden"), "not a certificate and key in PEM"),
        (TLSIdentity(certificate=chain, key=other), "do not belong together"),
        (TLSIdentity(certificate=chain, key=key, authority="hidden"), "the authority is not"),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            http.with_tls(wrong)
        assert "hidden" not in str(caught.value) + repr(wrong)
