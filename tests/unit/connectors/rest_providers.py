"""Providers and token servers on loopback, and the REST connector that talks to them."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

from connectors.builtin.rest import RESTConnector, RESTSettings
from connectors.contract import Done, HTTPClient, Result
from tests import hostile as h
from tests.connectors import KeptLog, a_context

SECRETS = {"mat-khau": "m/t+kh4u=", "khoa": "a2hvYQ==", "bi-mat": "bi mat/1"}


def a_connector(
    http: HTTPClient,
    url: str,
    *,
    secrets: dict[str, str] | None = None,
    log: KeptLog | None = None,
    **settings: Any,  # Any: settings
) -> RESTConnector:
    context = a_context(http, secrets=SECRETS if secrets is None else secrets, log=log)
    return RESTConnector(RESTSettings.model_validate({"url": url} | settings), context)


class Provider:
    """Answers what the test wants and keeps what came."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers) or [h.OK]
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    async def __call__(self, talk: h.Conversation) -> None:
        while True:
            head, body = await talk.read_request()
            if not head:
                return
            self.heads.append(head)
            self.bodies.append(body)
            await talk.send(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    def line(self, number: int = -1) -> str:
        return self.heads[number].decode().split("\r\n")[0]

    def fields(self, number: int = -1) -> dict[str, str]:
        return h.fields_of(self.heads[number])


def answer(status: int, body: bytes = b"", *fields: str) -> bytes:
    head = "".join(f"{field}\r\n" for field in fields)
    return f"HTTP/1.1 {status} X\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def done(result: Result) -> Done:
    assert isinstance(result, Done)
    return result


class TokenServer:
    """Issues numbered tokens; good ones are known to the provider beside it."""

    def __init__(self, *, life: object = 3600, delay: float = 0.0) -> None:
        self.life = life
        self.delay = delay
        self.asked: list[tuple[dict[str, str], dict[str, list[str]]]] = []
        self.good: set[str] = set()
        self.refuse: bytes | None = None

    def note(self, request: tuple[bytes, bytes]) -> None:
        self.asked.append((h.fields_of(request[0]), parse_qs(request[1].decode())))

    async def token(self, talk: h.Conversation) -> None:
        while (request := await talk.read_request())[0]:
            self.note(request)
            await asyncio.sleep(self.delay)
            token = f"t{len(self.asked)}"
            self.good.add(f"Bearer {token}")
            text = json.dumps(
                {"access_token": token, "expires_in": self.life, "token_type": "Bearer"}
            ).encode()
            await talk.send(self.refuse or answer(200, text, "Content-Type: application/json"))

    async def service(self, talk: h.Conversation) -> None:
        while (request := await talk.read_request())[0]:
            good = h.fields_of(request[0]).get("authorization") in self.good
            await talk.send(answer(200 if good else 401, b"{}"))


def oauth2(server: h.HostileServer, **more: Any) -> dict[str, Any]:  # Any: settings
    return {
        "kind": "oauth2",
        "token_url": server.address + "/token",
        "client_id": "tinh h99",
        "client_secret": "secret:bi-mat",
    } | more
