"""How the sandbox databases know who asks: each in a way that a real one uses, with credentials of its own."""

import base64
import secrets
import time
from hmac import compare_digest
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

USER = "lgsp"
"""The user name, application name or client id under which the sandbox knows the node."""

TOKEN_SECONDS = 300
MAX_TOKENS = 1000


class Credentials(Protocol):
    """Whether a request comes from somebody who may ask."""

    def hold_for(self, request: Request) -> bool: ...


class Basic:
    """HTTP Basic with the user name and the secret."""

    def __init__(self, secret: str) -> None:
        self._expected = b"Basic " + base64.b64encode(f"{USER}:{secret}".encode())

    def hold_for(self, request: Request) -> bool:
        return compare_digest(request.headers.get("authorization", "").encode(), self._expected)


class StaticHeader:
    """One header with a fixed value, as the `lgspaccesstoken` of provincial platforms."""

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._expected = value.encode()

    def hold_for(self, request: Request) -> bool:
        return compare_digest(request.headers.get(self._name, "").encode(), self._expected)


class OAuthTokens:
    """OAuth2 client credentials: a token from `/token`, then Bearer."""

    def __init__(self, secret: str) -> None:
        self._basic = Basic(secret)
        self._tokens: dict[str, float] = {}

    async def answer_token(self, request: Request) -> Response:
        """Answer `POST /token` (Basic and `grant_type=client_credentials`)."""
        if not self._basic.hold_for(request):
            return JSONResponse({"error": "invalid_client"}, 401, {"WWW-Authenticate": "Basic"})
        if b"grant_type=client_credentials" not in (await request.body()).split(b"&"):
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        token = secrets.token_urlsafe(24)
        while len(self._tokens) >= MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[token] = time.monotonic() + TOKEN_SECONDS
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def hold_for(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._tokens.get(token, 0.0) > time.monotonic()
