"""Password grant, the keys of provincial platforms, and what a secret may never be seen in."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.builtin.rest import RESTSettings
from connectors.contract import HTTPClient, Rejected, Result, Unreachable
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from gateway.http1 import HTTP1Transport
from tests import hostile as h
from tests.connectors import a_call
from tests.unit.connectors.rest_providers import Provider, TokenServer, a_connector, answer, done

KEYS = {"access_key": "ak-1", "secret_key": "secret:bi-mat", "app_name": "Một cửa (giả lập)"}
PASSWORD = {"kind": "oauth2-password", "username": "tinh h99", "password": "secret:mat-khau"}


@pytest.fixture
async def http() -> AsyncIterator[HTTPClient]:
    egress = parse_egress(networks=["127.0.0.0/8"])
    async with HTTP1Transport(egress=egress, deadlines=Deadlines()) as client:
        yield client


class RefreshingServer(TokenServer):
    """Gives refresh tokens, and takes the last one only."""

    refresh = ""
    sessions = 0

    async def token(self, talk: h.Conversation) -> None:
        while (request := await talk.read_request())[0]:
            self.note(request)
            form = self.asked[-1][1]
            if form["grant_type"] == ["refresh_token"] and form["refresh_token"] != [self.refresh]:
                await talk.send(answer(400, b'{"error":"invalid_grant"}'))
                continue
            self.sessions += form["grant_type"] == ["password"]
            self.refresh = f"r{len(self.asked)}"
            token = f"t{len(self.asked)}"
            self.good = {f"Bearer {token}"}
            given = {"access_token": token, "expires_in": self.life, "refresh_token": self.refresh}
            await talk.send(answer(200, json.dumps(given).encode()))

    def grants(self) -> list[str]:
        return [form["grant_type"][0] for _, form in self.asked]


@pytest.mark.parametrize(
    ("client", "fields"),
    [
        ({}, {}),
        ({"client_id": "c"}, {"client_id": ["c"]}),
        (
            {"client_id": "c", "client_secret": "secret:bi-mat", "style": "form"},
            {"client_id": ["c"], "client_secret": ["bi mat/1"]},
        ),
        ({"client_id": "c", "client_secret": "secret:bi-mat"}, {}),
    ],
)
async def test_a_password_buys_a_token_however_the_client_is_known(
    http: HTTPClient, client: dict[str, Any], fields: dict[str, list[str]]
) -> None:
    provider = TokenServer()
    async with h.hostile(provider.token) as tokens, h.hostile(provider.service) as server:
        credentials = (
            PASSWORD | client | {"token_url": tokens.address, "form": {"k": "secret:khoa", "v": "1"}}
        )
        connector = a_connector(http, server.address, credentials=credentials)
        results = await asyncio.gather(*(connector.call(a_call()) for _ in range(5)))

    headers, form = provider.asked[0]
    assert {done(result).status for result in results} == {200}
    assert len(provider.asked) == 1
    assert (
        form
        == {
            "grant_type": ["password"],
            "username": ["tinh h99"],
            "password": ["m/t+kh4u="],
            "k": ["a2hvYQ=="],
            "v": ["1"],
        }
        | fields
    )
    assert headers.get("authorization") == (
        "Basic YzpiaSUyMG1hdCUyRjE=" if "client_secret" in client and not fields else None
    )


async def test_a_token_that_ends_is_refreshed_and_a_dead_session_is_begun_anew(http: HTTPClient) -> None:
    provider = RefreshingServer(life=0.2)
    async with h.hostile(provider.token) as tokens, h.hostile(provider.service) as server:
        connector = a_connector(http, server.address, credentials=PASSWORD | {"token_url": tokens.address})
        for pause in (0.0, 0.25, 0.25):
            await asyncio.sleep(pause)
            assert done(await connector.call(a_call())).status == 200
        assert provider.grants() == ["password", "refresh_token", "refresh_token"]
        provider.refresh = "withdrawn"
        await asyncio.sleep(0.25)
        assert done(await connector.call(a_call())).status == 200

    assert provider.grants()[3:] == ["refresh_token", "password"]


async def test_a_refused_token_is_renewed_once(http: HTTPClient) -> None:
    provider = RefreshingServer()
    async with h.hostile(provider.token) as tokens, h.hostile(provider.service) as server:
        connector = a_connector(http, server.address, credentials=PASSWORD | {"token_url": tokens.address})
        await connector.call(a_call())
        provider.good.clear()
        assert done(await connector.call(a_call(method="POST", body=b"x"))).status == 200
        refusing = Provider(answer(401))
        assert provider.grants() == ["password", "refresh_token"]
        async with h.hostile(refusing) as strict:
            other = a_connector(http, strict.address, credentials=PASSWORD | {"token_url": tokens.address})
            statuses = [done(await other.call(a_call())).status for _ in range(2)]

    assert (statuses, len(refusing.heads)) == ([401, 401], 4)
    # The session whose refreshed token was refused as well is not used again.
    assert provider.grants()[2:] == ["password", "refresh_token"] * 2


async def test_a_refused_password_is_said_and_not_shown(http: HTTPClient) -> None:
    async with h.hostile(Provider(answer(400, b'{"error":"invalid_grant"}'))) as tokens:
        credentials = PASSWORD | {"token_url": tokens.address}
        connector = a_connector(http, "http://127.0.0.1:9", credentials=credentials)
        assert await connector.call(a_call()) == Rejected(reason="credentials")


@pytest.mark.parametrize(
    ("partners", "members"),
    [
        ({}, {"PartnerCode": "", "PartnerCodeCus": ""}),
        ({"partner_code": "P", "partner_code_cus": "C"}, {"PartnerCode": "P", "PartnerCodeCus": "C"}),
        ({"partner_code": None, "partner_code_cus": None}, {}),
    ],
)
async def test_the_bare_keys_go_without_a_scheme(
    http: HTTPClient, partners: dict[str, str | None], members: dict[str, str]
) -> None:
    provider = Provider()
    async with h.hostile(provider) as server:
        await a_connector(http, server.address, credentials=KEYS | {"kind": "triple"} | partners).call(
            a_call()
        )

    text = b64decode(provider.fields()["authorization"], validate=True).decode()
    wanted = {"AccessKey": "ak-1", "SecretKey": "bi mat/1", "AppName": "Một cửa (giả lập)"} | members
    assert text == json.dumps(wanted, ensure_ascii=False, separators=(",", ":"))
    assert list(json.loads(text)) == list(wanted)


async def test_lgspaccesstoken_goes_with_the_token_request_and_with_the_call(http: HTTPClient) -> None:
    provider = TokenServer()
    seen = Provider()
    async with h.hostile(provider.token) as tokens, h.hostile(seen) as server:
        token = {
            "kind": "oauth2",
            "token_url": tokens.address,
            "client_id": "c",
            "client_secret": "secret:khoa",
        }
        credentials = KEYS | {"kind": "lgspaccesstoken", "token": token}
        await a_connector(http, server.address, credentials=credentials).call(
            a_call(headers=[(b"lgspaccesstoken", b"forged")])
        )
        alone = KEYS | {"kind": "lgspaccesstoken"}
        await a_connector(http, server.address, credentials=alone).call(a_call())

    asked, form = provider.asked[0]
    with_token, without = seen.fields(0), seen.fields(1)
    assert form == {"grant_type": ["client_credentials"]}
    assert asked["authorization"].startswith("Basic ")
    assert asked["lgspaccesstoken"] == with_token["lgspaccesstoken"] == without["lgspaccesstoken"]
    assert json.loads(b64decode(asked["lgspaccesstoken"]))["SecretKey"] == "bi mat/1"
    assert (with_token["authorization"], without.get("authorization")) == ("Bearer t1", None)
    assert seen.heads[0].lower().count(b"lgspaccesstoken") == 1


@pytest.mark.parametrize(
    "credentials",
    [
        PASSWORD | {"token_url": "http://a.example", "form": {"password": "x"}},
        PASSWORD | {"token_url": "http://a.example", "client_secret": "secret:x"},
        PASSWORD | {"token_url": "http://a.example", "password": "plain"},
        KEYS | {"kind": "triple", "secret_key": "plain"},
    ],
)
def test_credentials_that_cannot_be_are_refused(credentials: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RESTSettings.model_validate({"url": "http://a.example", "credentials": credentials})


class OfficeServer(TokenServer):
    """Gives tokens as the document office does, and takes them in a header of its own."""

    answers = b""

    async def token(self, talk: h.Conversation) -> None:
        while (request := await talk.read_request())[0]:
            self.lines.append(request[0].split(b"\r\n")[0].decode())
            self.note(request)
            text = json.dumps({"data": {"token": f"t{len(self.asked)}"}}).encode()
            self.good = {f"t{len(self.asked)}"}
            await talk.send(self.answers or answer(200, text))

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    async def service(self, talk: h.Conversation) -> None:
        while (request := await talk.read_request())[0]:
            fields = h.fields_of(request[0])
            good = fields.get("x-authentication-token") in self.good and "lgspaccesstoken" in fields
            await talk.send(answer(200 if good else 401, b"{}"))


def office(server: h.HostileServer, **more: Any) -> dict[str, Any]:
    token = {
        "kind": "fetched-token",
        "token_url": server.address + "/getToken/999/",
        "headers": {"X-Authentication-Token": "secret:khoa"},
        "token_header": "x-authentication-token",
        "token_prefix": "",
    }
    return {"kind": "lgspaccesstoken", **KEYS, "token": token | more}


async def test_a_token_is_fetched_by_a_plain_request_with_the_keys(http: HTTPClient) -> None:
    provider = OfficeServer()
    async with h.hostile(provider.token) as tokens, h.hostile(provider.service) as server:
        connector = a_connector(http, server.address, credentials=office(tokens))
        results = await asyncio.gather(*(connector.call(a_call()) for _ in range(5)))
        provider.good = set()
        again = await connector.call(a_call(method="POST", body=b"{}"))

    headers, _ = provider.asked[0]
    assert [done(result).status for result in [*results, again]] == [200] * 6
    assert provider.lines == ["GET /getToken/999/ HTTP/1.1"] * 2
    assert headers["x-authentication-token"] == "a2hvYQ=="
    assert json.loads(b64decode(headers["lgspaccesstoken"]))["SecretKey"] == "bi mat/1"


async def test_a_fetched_token_ends_when_it_is_said(http: HTTPClient) -> None:
    provider = OfficeServer()
    async with h.hostile(provider.token) as tokens, h.hostile(provider.service) as server:
        connector = a_connector(http, server.address, credentials=office(tokens, seconds=1))
        for pause in (0.0, 0.1, 1.0):
            await asyncio.sleep(pause)
            assert done(await connector.call(a_call())).status == 200

    assert len(provider.asked) == 2


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (answer(200, b'{"data": {"token": ""}}'), Unreachable(reason="token-rubbish")),
        (answer(200, b'{"data": {"token": 7}}'), Unreachable(reason="token-rubbish")),
        (answer(200, b'{"data": []}'), Unreachable(reason="token-rubbish")),
        (answer(200, b"<html>"), Unreachable(reason="token-rubbish")),
        (answer(500, b"{}"), Unreachable(reason="token-status")),
        (answer(403, b"{}"), Rejected(reason="credentials")),
        (b"\x00\x00", Unreachable(reason="token-rubbish")),
    ],
)
async def test_what_is_no_token_is_said(http: HTTPClient, answers: bytes, expected: Result) -> None:
    provider = OfficeServer()
    provider.answers = answers
    async with h.hostile(provider.token) as tokens, h.hostile(provider.service) as server:
        connector = a_connector(http, server.address, credentials=office(tokens))
        assert await connector.call(a_call()) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"token_at": "data"},
        {"token_at": ""},
        {"seconds": 0},
        {"method": "PUT"},
        {"token_url": "x"},
        {"form": {}},
    ],
)
def test_what_cannot_fetch_a_token_is_refused(wrong: dict[str, Any]) -> None:
    token = {"kind": "fetched-token", "token_url": "https://a.example.invalid/token"} | wrong
    with pytest.raises(ValidationError):
        RESTSettings.model_validate({"url": "https://a.example.invalid", "credentials": token})
