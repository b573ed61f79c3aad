"""`/token` and discovery over real HTTP, with keys and used assertions in a real database."""

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.types import Scope

from auth.clients import parse_networks
from auth.secrets import digest
from auth.tokens import verify
from tests.e2e.oauth_server import ISSUER, NODE_KEY, SECRET, Node, serving

FORM = {"grant_type": "client_credentials", "client_id": "client-1", "client_secret": SECRET}
GRANT = {"grant_type": "client_credentials"}
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY = ECKey.generate_key("P-256", {"kid": "k1"})


def claimed_address(scope: Scope) -> str:
    """What a trusted proxy would tell us."""
    return next(
        (value.decode() for name, value in scope["headers"] if name == b"x-test-address"), "127.0.0.1"
    )


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with serving(tmp_path, failure_rate=5, address_of=claimed_address) as running:
        yield running


@pytest.fixture
async def http(node: Node) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=node.base) as client:
        yield client


def an_assertion(key: ECKey = KEY, **claims: Any) -> dict[str, str]:
    now = int(time.time())
    said = {"iss": "client-1", "sub": "client-1", "aud": ISSUER, "exp": now + 60, "jti": "1"} | claims
    text = jwt.encode({"alg": "ES256", "kid": "k1"}, said, key, algorithms=["ES256"])
    return GRANT | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text}


def refusal(response: httpx2.Response) -> tuple[int, str, str]:
    """Status, OAuth error and code, of an answer in the shape that every refusal has."""
    said = response.json()
    assert said.keys() == {"error", "error_description", "code", "turn", "messages"}
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, said["error"], said["code"]


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param({"data": FORM}, id="form"),
        pytest.param({"json": FORM}, id="JSON"),
        pytest.param({"data": GRANT, "auth": ("client-1", SECRET)}, id="Basic"),
        pytest.param({"auth": ("client-1", SECRET)}, id="Basic and no body"),
        pytest.param(
            {
                "content": b"grant_type=client_credentials",
                "headers": {"ContentType": "application/x-www-form-urlencoded"},
                "auth": ("client-1", SECRET),
            },
            id="misspelt Content-Type",
        ),
    ],
)
async def test_a_client_gets_a_token_as_wso2_gives_it(
    node: Node, http: httpx2.AsyncClient, ask: dict[str, Any]
) -> None:
    answer = await http.post("/token", **ask)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("application/json")
    said = answer.json()
    claims = verify(said.pop("access_token"), node.ring, issuer=ISSUER, now=time.time())
    assert said == {"scope": "am_application_scope default", "token_type": "Bearer", "expires_in": 3600}
    assert (claims.client, claims.system, claims.environment) == ("client-1", "system-1", "production")
    assert claims.expires_at - claims.issued_at == 3600
    assert node.counted == ["issued"]


async def test_a_post_with_neither_body_nor_length_is_answered(node: Node) -> None:
    host, port = node.base.removeprefix("http://").split(":")
    credentials = base64.b64encode(f"client-1:{SECRET}".encode()).decode()
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(
            f"POST /token HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {credentials}\r\n\r\n".encode()
        )
        with anyio.fail_after(5):
            answer = await stream.receive()

    assert answer.startswith(b"HTTP/1.1 200")


async def test_an_admin_client_gets_its_role_as_scope(node: Node, http: httpx2.AsyncClient) -> None:
    node.clients.put(system=None, role="auditor")

    said = (await http.post("/token", data=FORM)).json()

    assert said["scope"] == "auditor"
    assert verify(said["access_token"], node.ring, issuer=ISSUER, now=time.time()).system == ""


@pytest.mark.parametrize(
    ("changes", "ask", "expected"),
    [
        pytest.param(
            {}, FORM | {"client_secret": "x"}, (401, "invalid_client", "credentials-wrong"), id="secret"
        ),
        pytest.param(
            {}, FORM | {"client_id": "x"}, (401, "invalid_client", "credentials-wrong"), id="client"
        ),
        pytest.param(
            {"secrets": ()}, FORM, (401, "invalid_client", "credentials-wrong"), id="no secret kept"
        ),
        pytest.param({"active": False}, FORM, (401, "invalid_client", "client-disabled"), id="disabled"),
        pytest.param(
            {"active": False},
            FORM | {"client_secret": "x"},
            (401, "invalid_client", "credentials-wrong"),
            id="a stranger does not learn that it is disabled",
        ),
        pytest.param(
            {"networks": parse_networks(["10.0.0.0/8"])},
            FORM,
            (401, "invalid_client", "client-network"),
            id="net",
        ),
        pytest.param(
            {"secrets": ((digest(SECRET, NODE_KEY), 1.0),)},
            FORM,
            (401, "invalid_client", "secret-expired"),
            id="replaced secret",
        ),
        pytest.param({}, GRANT, (401, "invalid_client", "credentials-missing"), id="no credentials"),
        pytest.param(
            {},
            FORM | {"grant_type": "password"},
            (400, "unsupported_grant_type", "grant-type-unsupported"),
            id="password",
        ),
        pytest.param({}, {}, (400, "invalid_request", "grant-type-missing"), id="nothing"),
    ],
)
async def test_a_refusal_says_why(
    node: Node,
    http: httpx2.AsyncClient,
    changes: dict[str, Any],
    ask: dict[str, str],
    expected: tuple[int, str, str],
) -> None:
    node.clients.put(**changes)

    answer = await http.post("/token", data=ask)

    assert refusal(answer) == expected
    assert node.counted == [expected[1]]


async def test_a_client_may_call_from_its_networks(node: Node, http: httpx2.AsyncClient) -> None:
    node.clients.put(networks=parse_networks(["10.0.0.0/8"]))

    inside = await http.post("/token", data=FORM, headers={"x-test-address": "10.1.2.3"})
    outside = await http.post("/token", data=FORM, headers={"x-test-address": "192.0.2.1"})

    assert inside.status_code == 200
    assert refusal(outside) == (401, "invalid_client", "client-network")


async def test_basic_is_named_to_who_tried_it(http: httpx2.AsyncClient) -> None:
    tried = await http.post("/token", data=GRANT, auth=("client-1", "wrong"))
    other = await http.post("/token", data=FORM | {"client_secret": "wrong"})

    assert tried.headers["www-authenticate"].startswith("Basic ")
    assert "www-authenticate" not in other.headers


async def test_credentials_in_two_places_are_refused(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/token", data=FORM, auth=("client-1", SECRET))

    assert refusal(answer) == (400, "invalid_request", "credentials-twice")


async def test_a_repeated_parameter_is_refused(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/token", data=FORM | {"grant_type": ["client_credentials"] * 2})

    assert refusal(answer) == (400, "invalid_request", "parameter-repeated")


async def test_only_post_is_taken(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/token")

    assert refusal(answer) == (405, "invalid_request", "method-not-allowed")
    assert answer.headers["allow"] == "POST"


async def test_an_oversized_body_is_refused_before_it_is_read(node: Node) -> None:
    host, port = node.base.removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        head = f"POST /token HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000000\r\n\r\n"
        await stream.send(head.encode())
        with anyio.fail_after(5):
            answer = await stream.receive()

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"body-too-large" in answer


async def test_an_oversized_body_without_a_length_is_refused(http: httpx2.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 1024

    answer = await http.post("/token", content=pieces())

    assert refusal(answer) == (413, "invalid_request", "body-too-large")


async def test_strangers_are_slowed_down_but_lock_nobody_out(node: Node, http: httpx2.AsyncClient) -> None:
    wrong = [await http.post("/token", data=FORM | {"client_secret": "x"}) for _ in range(7)]

    assert [answer.status_code for answer in wrong] == [401] * 5 + [429] * 2
    assert refusal(wrong[-1]) == (429, "slow_down", "too-many-failures")
    assert 1 <= int(wrong[-1].headers["retry-after"]) <= 60
    elsewhere = {"x-test-address": "192.0.2.7"}
    assert (await http.post("/token", data=FORM)).status_code == 200
    assert (await http.post("/token", data=FORM, headers=elsewhere)).status_code == 200
    assert (
        await http.post("/token", data=FORM | {"client_secret": "x"}, headers=elsewhere)
    ).status_code == 401


# --- private_key_jwt ------------------------------------------------------------------------------------


async def test_a_client_proves_itself_with_its_own_key(node: Node, http: httpx2.AsyncClient) -> None:
    node.clients.put(jwks={"keys": [KEY.as_dict(private=False)]}, secrets=())

    first = await http.post("/token", data=an_assertion())
    again = await http.post("/token", json=an_assertion(jti="2"))

    assert (first.status_code, again.status_code) == (200, 200)


async def test_of_twenty_replays_at_once_one_gets_a_token(node: Node, http: httpx2.AsyncClient) -> None:
    node.clients.put(jwks={"keys": [KEY.as_dict(private=False)]})
    ask = an_assertion(jti="twenty")
    answers: list[httpx2.Response] = []

    async def send() -> None:
        answers.append(await http.post("/token", data=ask))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(send)

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert all(status in {401, 429} for status in statuses[1:])
    assert node.counted.count("issued") == 1
    assert {answer.json().get("code") for answer in answers} >= {"assertion-replayed"}


@pytest.mark.parametrize(
    ("key", "claims", "code"),
    [
        pytest.param(ECKey.generate_key("P-256", {"kid": "k1"}), {}, "assertion-key", id="forged"),
        pytest.param(KEY, {"exp": 1_000_000_000}, "assertion-expired", id="expired"),
        pytest.param(KEY, {"aud": [ISSUER]}, "assertion-audience", id="aud a list"),
        pytest.param(KEY, {"aud": "https://other.example"}, "assertion-audience", id="aud another node"),
        pytest.param(KEY, {"iss": "client-2", "sub": "client-2"}, "assertion-key", id="client without keys"),
        pytest.param(KEY, {"iss": "nobody", "sub": "nobody"}, "assertion-key", id="client unknown"),
        pytest.param(KEY, {"iss": "client-2"}, "assertion-issuer", id="iss another client"),
    ],
)
async def test_a_wrong_assertion_gets_nothing(
    node: Node, http: httpx2.AsyncClient, key: ECKey, claims: dict[str, Any], code: str
) -> None:
    node.clients.put(jwks={"keys": [KEY.as_dict(private=False)]})
    node.clients.put("client-2")

    answer = await http.post("/token", data=an_assertion(key, **claims))

    assert refusal(answer) == (401, "invalid_client", code)


async def test_a_refused_assertion_is_not_used_up(node: Node, http: httpx2.AsyncClient) -> None:
    node.clients.put(jwks={"keys": [KEY.as_dict(private=False)]}, active=False)
    ask = an_assertion(jti="kept")
    refused = await http.post("/token", data=ask)
    node.clients.put(active=True)

    assert refusal(refused) == (401, "invalid_client", "client-disabled")
    assert (await http.post("/token", data=ask)).status_code == 200


async def test_a_replaced_key_set_is_used_at_once(node: Node, http: httpx2.AsyncClient) -> None:
    node.clients.put(jwks={"keys": [KEY.as_dict(private=False)]})
    await http.post("/token", data=an_assertion())
    new = ECKey.generate_key("P-256", {"kid": "k1"})
    node.clients.put(jwks={"keys": [new.as_dict(private=False)]})

    assert refusal(await http.post("/token", data=an_assertion(jti="2")))[2] == "assertion-key"
    assert (await http.post("/token", data=an_assertion(new, jti="3"))).status_code == 200


# --- discovery and rotation -----------------------------------------------------------------------------


async def test_the_server_describes_itself(http: httpx2.AsyncClient) -> None:
    said = (await http.get("/.well-known/oauth-authorization-server")).json()

    assert said["issuer"] == ISSUER
    assert said["token_endpoint"] == f"{ISSUER}/token"
    assert said["jwks_uri"] == f"{ISSUER}/.well-known/jwks.json"
    assert said["grant_types_supported"] == ["client_credentials"]
    assert "private_key_jwt" in said["token_endpoint_auth_methods_supported"]
    assert "none" not in said["token_endpoint_auth_signing_alg_values_supported"]


async def test_after_a_rotation_old_tokens_verify_and_both_keys_are_published(
    node: Node, http: httpx2.AsyncClient
) -> None:
    token = (await http.post("/token", data=FORM)).json()["access_token"]
    kid = await node.watch.rotate()

    published = (await http.get("/.well-known/jwks.json")).json()["keys"]

    assert len(published) == 2
    assert published[0]["kid"] == kid
    assert all(key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"} for key in published)
    assert verify(token, node.ring, issuer=ISSUER, now=time.time()).client == "client-1"


async def test_a_rotation_at_once_ends_every_older_token(node: Node, http: httpx2.AsyncClient) -> None:
    old = (await http.post("/token", data=FORM)).json()["access_token"]
    await node.watch.rotate(at_once=True)
    new = (await http.post("/token", data=FORM)).json()["access_token"]

    (published,) = (await http.get("/.well-known/jwks.json")).json()["keys"]
    assert jwt.decode(new, ECKey.import_key(published), algorithms=["ES256"]).claims["sub"] == "client-1"
    assert old.split(".")[0] != new.split(".")[0]
    assert node.ring.find(old.split(".")[0], time.time()) is None
