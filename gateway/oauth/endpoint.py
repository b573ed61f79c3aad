"""`POST /token`: credentials in, a short-lived access token out, as WSO2 answers and RFC 6749 asks.

Reads clients from the snapshot; the only database it waits for is the one that remembers used assertions.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import orjson
from starlette.types import Receive, Scope, Send

from auth.assertions import AssertionKey, check_assertion, parse_assertion, parse_key_set
from auth.clients import KnownClient, check_admission, scope_of
from auth.errors import AssertionRefused, ClientReason, ClientRefused, KeyMissing, KeySetRefused
from auth.keys import KeyRing
from auth.secrets import is_expired, matches
from auth.tokens import issue
from gateway.oauth.failures import Failures
from gateway.oauth.refusals import REFUSALS, Flaw, TokenRefused
from gateway.oauth.token_request import TokenRequest, parse
from registry.errors import StoreUnavailable

MAX_BODY_BYTES = 16 * 1024
MAX_DROPPED_BYTES = 1024 * 1024
NO_SECRETS = (("0" * 64, None),)
"""Compared with when a client is unknown or has none, so that an answer takes as long as for any other."""


class Clients(Protocol):
    """Something that knows the clients: the snapshot."""

    @property
    def clients(self) -> Mapping[str, KnownClient]: ...


class ClientSource(Protocol):
    """Holds the current snapshot."""

    @property
    def current(self) -> Clients: ...


class Assertions(Protocol):
    """Remembers used assertions."""

    async def use_once(self, jti: str, client: str, expires: float) -> bool: ...


class TokenEndpoint:
    """The token endpoint, an ASGI application. `counted` is told "issued" or the OAuth error."""

    def __init__(  # noqa: PLR0913  (made in one place, by name)
        self,
        *,
        source: ClientSource,
        ring: KeyRing,
        assertions: Assertions,
        issuer: str,
        node_key: bytes,
        token_seconds: int,
        failures: Failures,
        address_of: Callable[[Scope], str],
        counted: Callable[[str], None],
        now: Callable[[], float],
    ) -> None:
        self._source = source
        self._ring = ring
        self._assertions = assertions
        self._issuer = issuer
        self._node_key = node_key
        self._token_seconds = token_seconds
        self._failures = failures
        self._address_of = address_of
        self._counted = counted
        self._now = now
        self._keys: dict[str, tuple[Mapping[str, object], tuple[AssertionKey, ...]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing when the caller has gone."""
        try:
            if scope["method"] != "POST":
                raise TokenRefused(Flaw.METHOD)
            body = await _read(scope, receive)
            if body is None:
                return
            query = scope["query_string"].decode("latin-1")
            answer = await self._answer(parse(scope["headers"], query, body), self._address_of(scope))
        except TokenRefused as refused:
            self._counted(REFUSALS[refused.code].error)
            await _refuse(scope, send, refused)
        else:
            self._counted("issued")
            await _send(send, 200, answer)

    async def _answer(self, request: TokenRequest, address: str) -> dict[str, str | int]:
        try:
            client = await self._authenticate(request, address)
            token = self._issue(client)
        except ClientRefused as refused:
            raise self._counted_failure(request, address, refused.reason) from refused
        except StoreUnavailable as error:
            raise TokenRefused(Flaw.STORE_UNAVAILABLE, retry_after=5) from error
        except KeyMissing as error:
            raise TokenRefused(Flaw.KEY_MISSING, retry_after=5) from error
        return {
            "access_token": token,
            "scope": scope_of(client),
            "token_type": "Bearer",
            "expires_in": self._token_seconds,
        }

    async def _authenticate(self, request: TokenRequest, address: str) -> KnownClient:
        if request.place == "assertion":
            return await self._by_assertion(request, address)
        client = self._source.current.clients.get(request.client)
        kept = client.secrets if client is not None and client.secrets else NO_SECRETS
        now = self._now()
        right = matches(request.secret, kept, self._node_key, now)
        if client is None or not right:
            was_right = is_expired(request.secret, kept, self._node_key, now)
            raise ClientRefused(ClientReason.SECRET_EXPIRED if was_right else ClientReason.CREDENTIALS_WRONG)
        check_admission(client, address)
        return client

    async def _by_assertion(self, request: TokenRequest, address: str) -> KnownClient:
        assertion = parse_assertion(request.assertion)
        if request.client and request.client != assertion.client:
            raise AssertionRefused(ClientReason.ASSERTION_ISSUER)
        client = self._source.current.clients.get(assertion.client)
        if client is None:
            raise AssertionRefused(ClientReason.ASSERTION_KEY)
        jti, expires = check_assertion(
            assertion, self._keys_of(client), client=client.id, issuer=self._issuer, now=self._now()
        )
        check_admission(client, address)
        # Last of all: what is refused for another reason has not been used.
        if not await self._assertions.use_once(jti, client.id, expires):
            raise AssertionRefused(ClientReason.ASSERTION_REPLAYED)
        return client

    def _keys_of(self, client: KnownClient) -> tuple[AssertionKey, ...]:
        """Return a client's registered keys, read once for each change of them."""
        if client.jwks is None:
            return ()
        known = self._keys.get(client.id)
        if known is not None and known[0] is client.jwks:
            return known[1]
        try:
            keys = parse_key_set(client.jwks)
        except KeySetRefused:
            keys = ()
        self._keys[client.id] = (client.jwks, keys)
        return keys

    def _issue(self, client: KnownClient) -> str:
        return issue(
            self._ring,
            issuer=self._issuer,
            client=client.id,
            system=client.system or "",
            environment=client.environment,
            scope=scope_of(client),
            now=self._now(),
            seconds=self._token_seconds,
            not_before=client.not_before,
        )

    def _counted_failure(self, request: TokenRequest, address: str, reason: ClientReason) -> TokenRefused:
        known = request.client if request.client in self._source.current.clients else ""
        retry_after = self._failures.count(known, address, self._now())
        if retry_after is None:
            return TokenRefused(reason)
        return TokenRefused(Flaw.TOO_MANY_FAILURES, retry_after=retry_after)


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    """Read a small body; None when the caller has gone. Raises TokenRefused before reading too much."""
    if _declared(scope) > MAX_BODY_BYTES:
        raise TokenRefused(Flaw.BODY_TOO_LARGE)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise TokenRefused(Flaw.BODY_TOO_LARGE)
        if not message.get("more_body", False):
            return bytes(body)


def _declared(scope: Scope) -> int:
    value = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(value) if value.isdigit() else 0


async def _refuse(scope: Scope, send: Send, refused: TokenRefused) -> None:
    telling = REFUSALS[refused.code]
    headers: list[tuple[bytes, bytes]] = []
    if refused.retry_after is not None:
        headers.append((b"retry-after", str(refused.retry_after).encode("ascii")))
    if refused.code is Flaw.METHOD:
        headers.append((b"allow", b"POST"))
    # To close while a caller still writes loses the answer on its way; so the rest is read and dropped, if short.
    if _declared(scope) > MAX_DROPPED_BYTES:
        headers.append((b"connection", b"close"))
    # RFC 6749, 5.2: a client that tried the Authorization header is told which scheme it takes.
    if telling.status == 401 and any(name == b"authorization" for name, _ in scope["headers"]):  # noqa: PLR2004
        headers.append((b"www-authenticate", b'Basic realm="lgsp", charset="UTF-8"'))
    await _send(send, telling.status, telling.document(refused.code.value), headers)


async def _send(
    send: Send,
    status: int,
    document: Mapping[str, object],
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    body = orjson.dumps(document)
    start = [
        (b"content-type", b"application/json;charset=UTF-8"),
        (b"content-length", str(len(body)).encode("ascii")),
        # RFC 6749, 5.1: a token answer must not be kept by anybody on the way.
        (b"cache-control", b"no-store"),
        (b"pragma", b"no-cache"),
        *(headers or ()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
