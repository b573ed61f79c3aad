"""The REST connector against real providers on loopback."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.builtin.rest import RESTConnector
from connectors.catalogue import Catalogue
from connectors.contract import Busy, Rejected, Result, Unknown, Unreachable
from connectors.errors import EgressDenied, SecretUnknown, SettingsRefused
from gateway.aiohttp_transport import AiohttpTransport
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from tests import hostile as h
from tests.connectors import a_call
from tests.unit.connectors.rest_providers import Provider, TokenServer, a_connector, answer, done, oauth2


@pytest.fixture
async def http() -> AsyncIterator[AiohttpTransport]:
    egress = parse_egress(networks=["127.0.0.0/8"])
    async with AiohttpTransport(egress=egress, deadlines=Deadlines()) as transport:
        yield transport


# --- what goes on ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "path", "query", "target"),
    [
        ("", "/tra-cuu", "", "/tra-cuu"),
        ("", "", "", "/"),
        ("/", "/tra-cuu", "msdn=1&x=%20", "/tra-cuu?msdn=1&x=%20"),
        ("/api/1.0", "/chiTiet", "a", "/api/1.0/chiTiet?a"),
        ("/api/1.0/", "/", "", "/api/1.0/"),
        ("/api", "", "q=1", "/api?q=1"),
        ("/api", "khong-gach-cheo", "", "/api/khong-gach-cheo"),
        ("/api", "/UpdateStatistic%20", "", "/api/UpdateStatistic%20"),
        ("", "/a", "ten=Nguy\xc3\xaa\xcc\x83n", "/a?ten=Nguy%C3%AA%CC%83n"),
        ("", "@127.0.0.1:1/", "", "/@127.0.0.1:1/"),
    ],
)
async def test_path_and_query_go_on_as_they_are(
    http: AiohttpTransport, prefix: str, path: str, query: str, target: str
) -> None:
    provider = Provider()
    async with h.hostile(provider) as server:
        result = await a_connector(http, server.address + prefix).call(a_call(path=path, query=query))

    assert done(result).status == 200
    assert provider.line() == f"GET {target} HTTP/1.1"


async def test_message_and_context_go_on_and_a_forged_context_does_not(http: AiohttpTransport) -> None:
    provider = Provider(answer(201, b"[]", "Content-Type: application/json", "X-A: 1"))
    call = a_call(
        method="PUT",
        body=b"{}",
        headers=[(b"content-type", b"application/json"), (b"x-officer", b"forged"), (b"accept", b"*/*")],
        context={"X-Officer": "cb-01", "X-Request": "e-1"},
    )
    async with h.hostile(provider) as server:
        result = done(await a_connector(http, server.address, headers={"X-Fixed": "yes"}).call(call))

    assert provider.bodies == [b"{}"]
    assert provider.fields() == {
        "host": server.address[7:],
        "content-type": "application/json",
        "accept": "*/*",
        "x-officer": "cb-01",
        "x-request": "e-1",
        "x-fixed": "yes",
        "content-length": "2",
    }
    assert (result.status, result.reply.body, result.reply.media_type) == (201, b"[]", "application/json")
    assert (b"x-a", b"1") in result.reply.headers


async def test_headers_can_be_listed_both_ways(http: AiohttpTransport) -> None:
    provider = Provider(answer(200, b"", "X-A: 1", "X-B: 2", "Content-Type: text/plain"))
    settings: dict[str, Any] = {"request_headers": ["accept"], "reply_headers": ["X-B"]}
    call = a_call(headers=[(b"accept", b"*/*"), (b"x-a", b"1"), (b"content-type", b"text/plain")])
    async with h.hostile(provider) as server:
        result = done(await a_connector(http, server.address, **settings).call(call))

    assert set(provider.fields()) == {"host", "accept", "content-type"}
    assert result.reply.headers == [(b"x-b", b"2"), (b"content-type", b"text/plain")]


async def test_a_stream_goes_on_as_a_stream_both_ways(http: AiohttpTransport) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 10_000

    async def script(talk: h.Conversation) -> None:
        _, body = await talk.read_request()
        await talk.send(answer(200, body))

    async with h.hostile(script) as server:
        result = done(await a_connector(http, server.address).call(a_call(method="POST", body=pieces())))
        assert not isinstance(result.reply.body, bytes)
        size = sum([len(piece) async for piece in result.reply.body])

    assert size == 300_000


# --- what comes of it -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [204, 301, 302, 400, 401, 404, 407, 409, 500, 502, 503])
async def test_every_status_is_an_answer(http: AiohttpTransport, status: int) -> None:
    async with h.hostile(
        Provider(f"HTTP/1.1 {status} X\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n".encode())
    ) as server:
        result = done(await a_connector(http, server.address).call(a_call()))

    assert result.status == (401 if status == 407 else status)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (answer(429), Busy(after=None)),
        (answer(429, b"", "Retry-After: 7"), Busy(after=7.0)),
        (answer(503, b"later", "Retry-After: 120"), Busy(after=120.0)),
        (answer(429, b"", "Retry-After: soon"), Busy(after=None)),
        (answer(429, b"", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"), Busy(after=0.0)),
        (answer(429, b"", "Retry-After: 99999999999"), Busy(after=86400.0)),
    ],
)
async def test_a_busy_provider_says_when(http: AiohttpTransport, given: bytes, expected: Busy) -> None:
    async with h.hostile(Provider(given)) as server:
        assert await a_connector(http, server.address).call(a_call()) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (h.answering_once(b""), Unknown(reason="cut")),
        (h.resetting(), Unknown(reason="cut")),
        (h.silent, Unknown(reason="timeout")),
        (h.answering_once(b"rubbish\r\n\r\n"), Unknown(reason="rubbish", rubbish=True)),
        (h.answering_once(h.OK[:-1]), Unknown(reason="cut")),
    ],
)
async def test_what_was_sent_and_not_answered_is_unknown(
    http: AiohttpTransport, script: h.Script, expected: Unknown
) -> None:
    async with h.hostile(script) as server:
        call = a_call(method="POST", body=b"x", seconds=0.3)
        assert await a_connector(http, server.address).call(call) == expected


async def test_a_field_that_cannot_be_sent_is_rejected(http: AiohttpTransport) -> None:
    async with h.hostile(Provider()) as server:
        result = await a_connector(http, server.address).call(a_call(headers=[(b"x", b"a\r\nb: c")]))

    assert result == Rejected(reason="header-invalid")


# --- addresses ------------------------------------------------------------------------------------------


async def test_the_next_address_is_tried_when_nothing_was_sent(http: AiohttpTransport) -> None:
    dead = f"http://127.0.0.1:{h.free_port()}"
    async with h.hostile(Provider()) as server:
        connector = a_connector(http, dead, fallback_urls=[server.address])
        results = [await connector.call(a_call(method="POST", body=b"x")) for _ in range(3)]

    assert [done(result).status for result in results] == [200] * 3


async def test_the_next_address_is_not_tried_when_something_was(http: AiohttpTransport) -> None:
    second = Provider()
    async with h.hostile(h.answering_once(b"")) as first, h.hostile(second) as fallback:
        connector = a_connector(http, first.address, fallback_urls=[fallback.address])
        result = await connector.call(a_call(method="POST", body=b"x"))

    assert result == Unknown(reason="cut")
    assert second.heads == []


async def test_no_address_at_all_is_unreachable(http: AiohttpTransport) -> None:
    urls = [f"http://127.0.0.1:{h.free_port()}" for _ in range(2)]
    result = await a_connector(http, urls[0], fallback_urls=urls[1:]).call(a_call())

    assert result == Unreachable(reason="refused")


async def test_a_narrower_list_than_the_nodes_is_kept(http: AiohttpTransport) -> None:
    async with h.hostile(Provider()) as server:
        with pytest.raises(EgressDenied):
            await a_connector(http, server.address, egress=["10.0.0.0/8"]).call(a_call())
        near = a_connector(http, server.address, egress=["127.0.0.1/32"])
        result = await near.call(a_call())
        await near.close()

    assert done(result).status == 200


# --- credentials ----------------------------------------------------------------------------------------


async def test_basic_credentials_are_sent(http: AiohttpTransport) -> None:
    provider = Provider()
    credentials = {"kind": "basic", "username": "lgsp", "password": "secret:mat-khau"}
    call = a_call(headers=[(b"authorization", b"Bearer forged")])
    async with h.hostile(provider) as server:
        await a_connector(http, server.address, credentials=credentials).call(call)

    assert provider.fields()["authorization"] == "Basic " + b64encode(b"lgsp:m/t+kh4u=").decode()
    assert provider.heads[0].lower().count(b"authorization") == 1


async def test_a_fixed_header_is_sent_beside_others_that_hold_secrets(http: AiohttpTransport) -> None:
    provider = Provider()
    credentials = {"kind": "header", "name": "lgspaccesstoken", "value": "secret:khoa"}
    async with h.hostile(provider) as server:
        connector = a_connector(
            http, server.address, credentials=credentials, headers={"x-key": "secret:bi-mat"}
        )
        await connector.call(a_call())

    assert provider.fields()["lgspaccesstoken"] == "a2hvYQ=="
    assert provider.fields()["x-key"] == "bi mat/1"


async def test_a_secret_that_is_not_bound_is_named(http: AiohttpTransport) -> None:
    async with h.hostile(Provider()) as server:
        connector = a_connector(
            http, server.address, credentials={"kind": "header", "name": "x", "value": "secret:none"}
        )
        with pytest.raises(SecretUnknown, match="secret:none"):
            await connector.call(a_call())

    assert server.conversations == []


async def test_one_token_is_fetched_for_all_who_wait_and_kept(http: AiohttpTransport) -> None:
    provider = TokenServer(delay=0.05)
    async with h.hostile(provider.token) as tokens, h.hostile(provider.service) as server:
        connector = a_connector(http, server.address, credentials=oauth2(tokens, scope="a b"))
        results = await asyncio.gather(*(connector.call(a_call()) for _ in range(20)))
        later = await connector.call(a_call())

    assert {done(result).status for result in (*results, later)} == {200}
    fields, form = provider.asked[0]
    assert len(provider.asked) == 1
    assert form == {"grant_type": ["client_credentials"], "scope": ["a b"]}
    assert fields["authorization"] == "Basic " + b64encode(b"tinh%20h99:bi%20mat%2F1").decode()


async def test_client_and_secret_can_go_as_form_fields_with_further_headers(http: AiohttpTransport) -> None:
    provider = TokenServer()
    async with h.hostile(provider.token) as tokens, h.hostile(provider.service) as server:
        credentials = oauth2(tokens, style="form", headers={"lgspaccesstoken": "secret:khoa"})
        result = await a_connector(http, server.address, credentials=credentials).call(a_call())

    fields, form = provider.asked[0]
    assert done(result).status == 200
    assert (form["client_id"], form["client_secret"]) == (["tinh h99"], ["bi mat/1"])
    assert fields["lgspaccesstoken"] == "a2hvYQ=="


async def test_a_token_is_replaced_shortly_before_it_ends(http: AiohttpTransport) -> None:
    provider = TokenServer(life="0.2")
    async with h.hostile(provider.token) as tokens, h.hostile(provider.service) as server:
        connector = a_connector(http, server.address, credentials=oauth2(tokens))
        for pause in (0.0, 0.01, 0.2):
            await asyncio.sleep(pause)
            assert done(await connector.call(a_call())).status == 200

    assert len(provider.asked) == 2


async def test_a_refused_token_is_replaced_once_for_all(http: AiohttpTransport) -> None:
    provider = TokenServer(delay=0.02)
    async with h.hostile(provider.token) as tokens, h.hostile(provider.service) as server:
        connector = a_connector(http, server.address, credentials=oauth2(tokens))
        await connector.call(a_call())
        provider.good.clear()
        results = await asyncio.gather(*(connector.call(a_call(method="POST", body=b"x")) for _ in range(10)))

    assert {done(result).status for result in results} == {200}
    assert len(provider.asked) == 2


async def test_a_second_refusal_is_the_answer(http: AiohttpTransport) -> None:
    provider = TokenServer()
    refusing = Provider(answer(401, b"no"))
    async with h.hostile(provider.token) as tokens, h.hostile(refusing) as server:
        result = await a_connector(http, server.address, credentials=oauth2(tokens)).call(a_call())

    assert (done(result).status, len(refusing.heads), len(provider.asked)) == (401, 2, 2)


async def test_a_stream_is_not_sent_again_after_a_refusal(http: AiohttpTransport) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"

    provider = TokenServer()
    refusing = Provider(answer(401, b"no"))
    async with h.hostile(provider.token) as tokens, h.hostile(refusing) as server:
        connector = a_connector(http, server.address, credentials=oauth2(tokens))
        result = await connector.call(a_call(method="POST", body=pieces()))

    assert (done(result).status, len(refusing.heads)) == (401, 1)


@pytest.mark.parametrize(
    ("refuse", "expected"),
    [
        (answer(401, b'{"error":"invalid_client"}'), Rejected(reason="credentials")),
        (answer(500), Unreachable(reason="token-status")),
        (answer(200, b"<html>"), Unreachable(reason="token-rubbish")),
        (answer(200, b'{"access_token":"a\\r\\nb"}'), Unreachable(reason="token-rubbish")),
        (answer(200, b'{"access_token":7}'), Unreachable(reason="token-rubbish")),
        (answer(200, b"[" * 100_000), Unreachable(reason="token-rubbish")),
        (b"rubbish\r\n\r\n", Unreachable(reason="token-rubbish")),
    ],
)
async def test_without_a_token_nothing_is_sent(
    http: AiohttpTransport, refuse: bytes, expected: Result
) -> None:
    provider = TokenServer(delay=0.02)
    provider.refuse = refuse
    untouched = Provider()
    async with h.hostile(provider.token) as tokens, h.hostile(untouched) as server:
        connector = a_connector(http, server.address, credentials=oauth2(tokens))
        results = await asyncio.gather(*(connector.call(a_call()) for _ in range(5)))

    assert results == [expected] * 5
    assert untouched.heads == []
    assert len(provider.asked) == 1


async def test_a_token_server_that_is_down_makes_the_provider_unreachable(http: AiohttpTransport) -> None:
    nobody = h.HostileServer(port=h.free_port())
    async with h.hostile(Provider()) as server:
        result = await a_connector(http, server.address, credentials=oauth2(nobody)).call(a_call())

    assert result == Unreachable(reason="token-refused")


# --- checking -------------------------------------------------------------------------------------------


def verdicts(steps: Any) -> dict[str, bool | None]:  # Any: a sequence of steps
    return {step.step: step.ok for step in steps}


async def test_a_connection_test_says_each_step_apart(http: AiohttpTransport) -> None:
    credentials = {"kind": "basic", "username": "lgsp", "password": "secret:mat-khau"}
    async with (
        h.hostile(Provider()) as good,
        h.hostile(Provider(answer(401))) as strict,
        h.hostile(h.answering_once(b"rubbish\r\n\r\n")) as rubbish,
        h.hostile(h.deaf) as plain,
    ):
        found = [
            verdicts(await a_connector(http, url, credentials=credentials).check())
            for url in (
                good.address,
                strict.address,
                rubbish.address,
                f"http://127.0.0.1:{h.free_port()}",
                "http://nowhere.invalid",
                f"https://127.0.0.1:{plain.port}",
            )
        ]

    assert found == [
        {"dns": None, "tcp": True, "tls": None, "credentials": True, "contract": True},
        {"dns": None, "tcp": True, "tls": None, "credentials": False, "contract": None},
        {"dns": None, "tcp": True, "tls": None, "credentials": True, "contract": False},
        {"dns": None, "tcp": False, "tls": None, "credentials": None, "contract": None},
        {"dns": False, "tcp": None, "tls": None, "credentials": None, "contract": None},
        {"dns": None, "tcp": True, "tls": False, "credentials": None, "contract": None},
    ]


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({}, "/url"),
        ({"url": "ftp://a.example"}, "/url"),
        ({"url": "http://user:pw@a.example"}, "/url"),
        ({"url": "http://a.example/?q=1"}, "/url"),
        ({"url": "http://a.example:99999"}, "/url"),
        ({"url": "http://a.example/ơ"}, "/url"),
        ({"url": "http://a.example", "headers": {"Host": "b"}}, "/headers/Host"),
        ({"url": "http://a.example", "headers": {"x": "a\nb"}}, "/headers/x"),
        ({"url": "http://a.example", "egress": ["10.0.0.1/8"]}, "/"),
        ({"url": "http://a.example", "timeout": 3}, "/timeout"),
        (
            {
                "url": "http://a.example",
                "credentials": {"kind": "basic", "username": "u", "password": "m4t-kh4u"},
            },
            "/credentials/basic/password",
        ),
    ],
)
def test_wrong_settings_are_refused_with_their_place(
    settings: dict[str, Any], pointer: str
) -> None:  # Any: settings
    with pytest.raises(SettingsRefused) as caught:
        Catalogue([RESTConnector]).check_settings("rest", settings)

    assert str(caught.value).startswith(pointer + ":") or f"; {pointer}:" in str(caught.value)
    assert "m4t-kh4u" not in str(caught.value)
    assert "pw@" not in str(caught.value)


async def test_after_draining_nothing_is_sent(http: AiohttpTransport) -> None:
    async with h.hostile(Provider()) as server:
        connector = a_connector(http, server.address)
        await connector.drain()
        result = await connector.call(a_call())
        await connector.close()
        await connector.close()

    assert result == Unreachable(reason="closed")
    assert server.conversations == []
