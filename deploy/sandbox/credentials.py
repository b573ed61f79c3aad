"""How the sandbox databases know who asks: each in a way that a real one uses, with credentials of its own."""

import base64
import secrets
import time
from collections.abc import Mapping
from hmac import compare_digest
from typing import Protocol
from urllib.parse import parse_qsl

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
    """OAuth2 by client credentials or by password: a token from `/token`, then Bearer."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._basic = Basic(secret)
        self._tokens: dict[str, float] = {}

    async def answer_token(self, request: Request) -> Response:
        """Answer `POST /token` for the client `lgsp` (in Basic) or, with `grant_type=password`, for the user `lgsp`."""
        form = dict(parse_qsl((await request.body()).decode("latin-1")))
        by_password = form.get("grant_type") == "password"
        if not (self._is_user(form) if by_password else self._basic.hold_for(request)):
            error = "invalid_grant" if by_password else "invalid_client"
            return JSONResponse({"error": error}, 401, {"WWW-Authenticate": "Basic"})
        if form.get("grant_type") not in ("client_credentials", "password"):
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        token = secrets.token_urlsafe(24)
        while len(self._tokens) >= MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[token] = time.monotonic() + TOKEN_SECONDS
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def _is_user(self, form: Mapping[str, str]) -> bool:
        given = form.get("password", "").encode()
        return compare_digest(given, self._secret) and form.get("username") == USER

    def hold_for(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._tokens.get(token, 0.0) > time.monotonic()
