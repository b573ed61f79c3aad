"""Client certificates of an endpoint, shown to a real TLS server; and where secrets may never stand."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.builtin.rest import RESTConnector, RESTSettings
from connectors.contract import HTTPClient, Unreachable
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from gateway.http1 import Certificate, HTTP1Transport
from tests import hostile as h
from tests.connectors import KeptLog, a_call
from tests.tls_provider import tls_provider
from tests.unit.connectors.rest_providers import Provider, TokenServer, a_connector, answer, done
from tests.unit.gateway.http1.certificates import Authority

PAIR = {"certificate": "secret:chung-thu", "key": "secret:khoa-rieng"}


@pytest.fixture
async def http() -> AsyncIterator[HTTPClient]:
    egress = parse_egress(networks=["127.0.0.0/8"])
    async with HTTP1Transport(egress=egress, deadlines=Deadlines()) as client:
        yield client


def bound(certificate: Certificate) -> dict[str, str]:
    return {"chung-thu": certificate.chain.read_text(), "khoa-rieng": certificate.key.read_text()}


def tls(authority: Authority, **more: Any) -> dict[str, Any]:
    return {"authority": authority.file.read_text()} | more


async def tls_step(connector: RESTConnector) -> tuple[bool | None, str]:
    found = [(step.ok, step.detail) for step in await connector.check() if step.step == "tls"]
    await connector.close()
    return found[0]


async def test_the_check_names_what_is_wrong_with_a_certificate(http: HTTPClient, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    ours, foreign = Authority(tmp_path), Authority(tmp_path / "other", "Another authority")
    good, other = bound(ours.issue(label="so-tttt")), bound(ours.issue(label="khac"))
    context = ours.server_context(ours.issue("127.0.0.1", label="server"), client_needed=True)
    cases: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
        "right": (PAIR, good),
        "in one": ({"certificate": "secret:chung-thu"}, {"chung-thu": "\n".join(good.values())}),
        "none": ({}, {}),
        "foreign": (PAIR, bound(foreign.issue(label="la"))),
        "ended": (PAIR, bound(ours.issue(label="cu", ended=True))),
        "mixed": (PAIR, good | {"khoa-rieng": other["khoa-rieng"]}),
        "no pem": (PAIR, {"chung-thu": "hidden", "khoa-rieng": "hidden"}),
        "unbound": (PAIR, {"chung-thu": good["chung-thu"]}),
    }
    with tls_provider(context) as provider:
        found = {
            name: await tls_step(a_connector(http, provider.address, tls=tls(ours, **keys), secrets=secrets))
            for name, (keys, secrets) in cases.items()
        }
        found["no authority"] = await tls_step(a_connector(http, provider.address, tls=PAIR, secrets=good))

    assert (found["right"][0], found["in one"][0]) == (True, True)
    for name, words in {
        "none": "tls-certificate-missing: the provider asks for a client certificate",
        "foreign": "tls-certificate-refused: the provider does not take our certificate",
        "ended": "tls-certificate-expired: the provider says that our certificate has ended: our certificate ended on",
        "mixed": "our certificate and key do not belong together",
        "no pem": "our certificate or its key is not PEM",
        "unbound": "khoa-rieng is not bound",
        "no authority": "tls: the certificate or the TLS handshake is not good",
    }.items():
        assert found[name][0] is False, name
        assert words in found[name][1], name
    assert "hidden" not in repr(found)
    assert "PRIVATE" not in repr(found)


async def test_a_server_that_hangs_up_without_a_word_is_explained(http: HTTPClient, tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    context = ours.server_context(ours.issue("127.0.0.1", label="server"), client_needed=True)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ok, detail = await tls_step(a_connector(http, url, tls=tls(ours), secrets={}))

    assert (ok, "perhaps our certificate, or its absence" in detail) == (False, True)


async def test_endpoints_have_identities_of_their_own_and_a_new_certificate_is_used(
    http: HTTPClient, tmp_path: Path
) -> None:
    ours = Authority(tmp_path)
    context = ours.server_context(ours.issue("127.0.0.1", label="server"), client_needed=True)
    secrets = [bound(ours.issue(label=name)) for name in ("so-a", "so-b")]
    with tls_provider(context) as provider:
        connectors = [
            a_connector(http, provider.address, tls=tls(ours, **PAIR), egress=["127.0.0.0/8"], secrets=it)
            for it in secrets
        ]
        bodies = [done(await it.call(a_call())).reply.body for _ in range(2) for it in connectors]
        kept = provider.connections
        secrets[0].update(bound(ours.issue(label="so-a-moi")))
        bodies += [done(await connectors[0].call(a_call())).reply.body for _ in range(2)]
        secrets[0].update({"chung-thu": "rubbish"})
        broken = await connectors[0].call(a_call())
        for it in connectors:
            await it.close()
            await it.close()

    assert bodies == [b"so-a", b"so-b", b"so-a", b"so-b", b"so-a-moi", b"so-a-moi"]
    assert (kept, provider.connections) == (2, 3)
    assert broken == Unreachable(reason="tls-certificate-unusable")


async def test_tokens_can_be_asked_for_with_the_certificate(http: HTTPClient, tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    context = ours.server_context(ours.issue("127.0.0.1", label="server"), client_needed=True)
    secrets = bound(ours.issue(label="so-a")) | {"k": "x"}
    with tls_provider(context) as provider:
        token = {
            "kind": "oauth2",
            "token_url": provider.address,
            "client_id": "c",
            "client_secret": "secret:k",
        }
        results = []
        for also in (True, False):
            settings = tls(ours, **PAIR, also_tokens=also)
            connector = a_connector(http, provider.address, tls=settings, credentials=token, secrets=secrets)
            results.append(await connector.call(a_call()))
            await connector.close()

    # The server answers with a name, which is no token: but it answered.
    assert results == [Unreachable(reason="token-rubbish"), Unreachable(reason="token-tls")]


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("http://a.example", {"certificate": "secret:x"}),
        ("https://a.example", {"key": "secret:x"}),
        ("https://a.example", {}),
        ("https://a.example", {"certificate": "-----BEGIN CERTIFICATE-----"}),
    ],
)
def test_identities_that_cannot_be_are_refused(url: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RESTSettings.model_validate({"url": url, "tls": given})


# --- secrets --------------------------------------------------------------------------------------------

SECRETS = {f"s{number}": f"h1dden-{number}" for number in range(8)}
EVERYTHING: dict[str, Any] = {
    "headers": {"x-key": "secret:s0"},
    "query": {"apikey": "secret:s1"},
    "signature": {"kind": "hmac", "key": "secret:s2", "parts": ["target"], "header": "x-sig"},
}


@pytest.mark.parametrize(
    ("status", "script"),
    [(200, None), (401, None), (500, None), (0, h.resetting()), (1, h.answering_once(b"h1dden\r\n\r\n"))],
)
async def test_no_secret_is_in_a_repr_a_log_an_error_or_json(
    http: HTTPClient, caplog: pytest.LogCaptureFixture, status: int, script: h.Script | None
) -> None:
    caplog.set_level(logging.DEBUG)
    log, tokens = KeptLog(), TokenServer()
    async with h.hostile(tokens.token) as issuer, h.hostile(script or Provider(answer(status))) as server:
        credentials = {
            "kind": "lgspaccesstoken",
            "access_key": "secret:s3",
            "secret_key": "secret:s4",
            "app_name": "a",
            "token": {
                "kind": "oauth2-password",
                "token_url": issuer.address,
                "username": "u",
                "password": "secret:s5",
                "client_id": "c",
                "client_secret": "secret:s6",
                "form": {"x": "secret:s7"},
            },
        }
        connector = a_connector(
            http, server.address, secrets=SECRETS, log=log, credentials=credentials, **EVERYTHING
        )
        result = await connector.call(a_call())
        steps = await connector.check()
        told = [repr(connector), repr(vars(connector)), repr(vars(connector._credentials)), repr(result)]
        told += [repr(steps), str(log.lines), caplog.text, connector._settings.model_dump_json()]
        told += [repr(connector._settings), json.dumps(RESTSettings.model_json_schema())]
        await connector.close()

    assert tokens.asked, "the secrets were used"
    assert not [text for text in told if "h1dden" in text or "Bearer t" in text]
