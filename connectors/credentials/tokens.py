"""Tokens of providers, OAuth 2.0 and others: asked for once for all who wait, kept, and renewed in time."""

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode

from connectors.contract import ConnectorContext, HTTPRequest
from connectors.credentials.headers import CredentialsRefused, FixedHeaders, Sender, basic
from connectors.credentials.settings import SECRET, FetchedToken, OAuth2, OAuth2Password, authority_of
from connectors.errors import BadAnswer, ConnectorError, EgressDenied, NoAnswer, NotSent
from connectors.message import Headers

S = TypeVar("S", bound=OAuth2 | OAuth2Password | FetchedToken)

TOKEN_SECONDS = 10.0
DEFAULT_LIFE_SECONDS = 300.0
EARLY_SECONDS = 30.0
EARLY_SHARE = 0.1

_OK = 200
_REFUSED = frozenset({400, 401, 403})
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")


@dataclass(slots=True)
class _Token:
    """A token at hand: in the headers it goes out in, until it should be replaced."""

    headers: Headers = field(repr=False)
    renew_at: float
    refreshed: bool


class _Tokens(Generic[S]):
    """One fetch for all who wait, and none sooner than needed. `asking` goes with token requests."""

    constant: Headers | None = None

    def __init__(
        self,
        settings: S,
        fixed: FixedHeaders,
        asking: FixedHeaders,
        http: Sender,
        context: ConnectorContext,
    ) -> None:
        self._settings = settings
        self._sent_in = settings.token_header.encode()
        self._prefix = settings.token_prefix
        self._fixed = fixed
        self._asking = asking
        self._http = http
        self._context = context
        self._authority = authority_of(settings.token_url)
        self._lock = asyncio.Lock()
        self._token: _Token | None = None
        self._ended = 0
        self._failure: ConnectorError | None = None
        self.names = fixed.names | {self._sent_in}

    async def headers(self, authority: str, deadline: float) -> Headers:
        """Return the headers with a token that is good for a while yet."""
        token = self._token
        if token is None or self._context.clock.monotonic() >= token.renew_at:
            token = await self._renewed(token, deadline)
        fixed = self._fixed.now(authority)
        return fixed + token.headers if fixed else token.headers

    def discard(self, used: Headers) -> bool:
        """Forget the token if it is the one that was refused; another may already be there."""
        token = self._token
        if token is not None and token.headers[0] in used:
            self._token = None
            self._discarded(token)
        return True

    def _discarded(self, token: _Token) -> None:
        """Take note of it that a token was refused."""

    async def _renewed(self, old: _Token | None, deadline: float) -> _Token:
        ended = self._ended
        try:
            async with asyncio.timeout(deadline - self._context.clock.monotonic()):
                async with self._lock:
                    if self._token is not None and self._token is not old:
                        return self._token
                    if self._ended != ended and self._failure is not None:
                        # Who waited while somebody else tried takes that answer, good or bad.
                        raise type(self._failure)(*self._failure.args)
                    return await self._fetch(deadline)
        except TimeoutError:
            raise NotSent("token-timeout") from None

    async def _fetch(self, deadline: float) -> _Token:
        self._failure = None
        try:
            self._token = await self._granted(deadline)
        except (NoAnswer, BadAnswer, EgressDenied, NotSent) as error:
            # Nothing has gone to the provider itself, whatever happened to the question for a token.
            reason = str(error)
            self._failure = NotSent(reason if reason.startswith("token-") else f"token-{reason}")
            raise self._failure from error
        except ConnectorError as error:
            self._failure = error
            raise
        finally:
            self._ended += 1
        return self._token

    async def _granted(self, deadline: float) -> _Token:
        """Ask for a token. Raises CredentialsRefused, NotSent, and what the client raises."""
        raise NotImplementedError

    async def _sent(self, request: HTTPRequest) -> tuple[int, bytes]:
        """Return status and body of the answer to a request for a token. Raises as the client does."""
        request.deadline = min(request.deadline, self._context.clock.monotonic() + TOKEN_SECONDS)
        reply = await self._http.send(request)
        if not isinstance(reply.body, bytes):
            await reply.close()
            raise BadAnswer("rubbish")
        return reply.status, reply.body

    def _kept(self, token: object, life: float, *, refreshed: bool = False) -> _Token:
        """Return a token as it is kept. Raises NotSent for what cannot be one."""
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or not 0 < life < float("inf"):
            raise NotSent("token-rubbish")
        renew_at = self._context.clock.monotonic() + life - min(EARLY_SECONDS, life * EARLY_SHARE)
        return _Token([(self._sent_in, (self._prefix + token).encode())], renew_at, refreshed)


class FetchedTokens(_Tokens[FetchedToken]):
    """Tokens that a plain request gives."""

    async def _granted(self, deadline: float) -> _Token:
        headers: Headers = [*self._asking.now(self._authority), (b"accept", b"application/json")]
        status, body = await self._sent(
            HTTPRequest(
                method=self._settings.method, url=self._settings.token_url, headers=headers, deadline=deadline
            )
        )
        if status in _REFUSED:
            raise CredentialsRefused("credentials")
        if status != _OK:
            raise NotSent("token-status")
        try:
            found = json.loads(body)
            for name in self._settings.token_at.split("/")[1:]:
                found = found[name]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise NotSent("token-rubbish") from None
        return self._kept(found, self._settings.seconds)


class OAuth2Tokens(_Tokens[OAuth2 | OAuth2Password]):
    """OAuth 2.0: client credentials, or a password with its refresh tokens."""

    _refresh: str | None = None

    def _discarded(self, token: _Token) -> None:
        if token.refreshed:
            # Tokens of this session are not taken any more: begin a new one.
            self._refresh = None

    async def _granted(self, deadline: float) -> _Token:
        return await self._refreshed(deadline) or await self._begun(deadline)

    async def _begun(self, deadline: float) -> _Token:
        settings = self._settings
        if isinstance(settings, OAuth2):
            form = {"grant_type": "client_credentials"}
        else:
            password = self._context.secrets.get(settings.password, host=self._authority)
            form = {"grant_type": "password", "username": settings.username, "password": password}
        if settings.scope:
            form["scope"] = settings.scope
        status, body = await self._ask(form, deadline)
        if status in _REFUSED:
            raise CredentialsRefused("credentials")
        token, self._refresh = self._read(status, body, refreshed=False)
        return token

    async def _refreshed(self, deadline: float) -> _Token | None:
        """Return what the refresh token at hand is worth; None when there is none, or it is not taken."""
        # Taken away first: where the answer is lost, the server may have made it worthless.
        refresh, self._refresh = self._refresh, None
        if refresh is None:
            return None
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        status, body = await self._ask(form, deadline)
        if status in _REFUSED:
            return None
        token, another = self._read(status, body, refreshed=True)
        self._refresh = another or refresh
        return token

    async def _ask(self, form: dict[str, str], deadline: float) -> tuple[int, bytes]:
        headers: Headers = [
            *self._asking.now(self._authority),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"accept", b"application/json"),
        ]
        self._add_client(form, headers)
        get = self._context.secrets.get
        for name, value in self._settings.form.items():
            form[name] = get(value, host=self._authority) if value.startswith(SECRET) else value
        body = urlencode(form).encode()
        return await self._sent(
            HTTPRequest(
                method="POST", url=self._settings.token_url, headers=headers, body=body, deadline=deadline
            )
        )

    def _add_client(self, form: dict[str, str], headers: Headers) -> None:
        settings = self._settings
        if settings.client_secret is None:
            if settings.client_id:
                form["client_id"] = settings.client_id
            return
        secret = self._context.secrets.get(settings.client_secret, host=self._authority)
        if settings.style == "form":
            form |= {"client_id": settings.client_id, "client_secret": secret}
        elif settings.style == "basic-raw":
            headers.append((b"authorization", basic(settings.client_id, secret)))
        else:
            # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
            pair = quote(settings.client_id, safe=""), quote(secret, safe="")
            headers.append((b"authorization", basic(*pair)))

    def _read(self, status: int, body: bytes, *, refreshed: bool) -> tuple[_Token, str | None]:
        """Return the token in an answer, and the refresh token beside it if it is wanted."""
        if status != _OK:
            raise NotSent("token-status")
        try:
            answer = json.loads(body)
            token, life = answer["access_token"], float(answer.get("expires_in", DEFAULT_LIFE_SECONDS))
            refresh = answer.get("refresh_token")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise NotSent("token-rubbish") from None
        kept = self._kept(token, life, refreshed=refreshed)
        wanted = isinstance(self._settings, OAuth2Password) and self._settings.refresh
        if not wanted or not isinstance(refresh, str) or not _TOKEN.fullmatch(refresh):
            refresh = None
        return kept, refresh
