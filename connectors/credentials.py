"""How a connector proves itself to a provider over HTTP: what its settings say, and the headers it makes of it."""

import asyncio
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol
from urllib.parse import quote, urlencode, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from connectors.contract import ConnectorContext, HTTPClient, HTTPReply, HTTPRequest
from connectors.errors import BadAnswer, ConnectorError, EgressDenied, NoAnswer, NotSent
from connectors.message import Headers

SECRET = "secret:"  # noqa: S105 (how a reference begins)
TOKEN_SECONDS = 10.0
DEFAULT_LIFE_SECONDS = 300.0
EARLY_SECONDS = 30.0
EARLY_SHARE = 0.1

_OK = 200
_REFUSED = frozenset({400, 401, 403})
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
_NEVER_SET = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade"}
    | {"expect", "proxy-connection"}
)


def _check_url(text: str) -> str:
    """Take an absolute HTTP address without user, query and fragment."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("not an address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an absolute http or https address")
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise ValueError("an address here has no user, query or fragment")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("an address is printable ASCII")
    return text


def _check_header_name(text: str) -> str:
    name = text.lower()
    if not re.fullmatch(r"[a-z0-9!#$%&'*+.^_`|~-]{1,100}", name):
        raise ValueError("not a header's name")
    if name in _NEVER_SET:
        raise ValueError("this header is the HTTP client's own")
    return name


URL = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_check_url)]
HeaderName = Annotated[str, AfterValidator(_check_header_name)]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=4000)]
SecretName = Annotated[str, StringConstraints(pattern=r"^secret:[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$")]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoCredentials(_Settings):
    """The provider asks for none."""

    kind: Literal["none"] = Field("none", description="Says that there are none.")


class Basic(_Settings):
    """HTTP Basic."""

    kind: Literal["basic"] = Field(description="Says that it is this.")
    username: Annotated[str, StringConstraints(pattern=r"^[^:\x00-\x1f\x7f]*$", max_length=200)] = Field(
        description="Our name with the provider."
    )
    password: SecretName = Field(description="Reference to the password, `secret:NAME`.")


class Header(_Settings):
    """A fixed header, its value a secret: API keys, `lgspaccesstoken`, `Authorization` without a scheme."""

    kind: Literal["header"] = Field(description="Says that it is this.")
    name: HeaderName = Field(description="The header's name.")
    value: SecretName = Field(description="Reference to the whole value, `secret:NAME`.")


class OAuth2(_Settings):
    """OAuth 2.0 client credentials. The token is kept until shortly before it ends."""

    kind: Literal["oauth2"] = Field(description="Says that it is this.")
    token_url: URL = Field(description="Address of the token endpoint.")
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="Our client id with the provider."
    )
    client_secret: SecretName = Field(description="Reference to the client's secret, `secret:NAME`.")
    style: Literal["basic", "basic-raw", "form"] = Field(
        "basic",
        description="How client and secret go: HTTP Basic (RFC 6749: form-encoded first; `basic-raw`: as they are, "
        "as some servers want it), or form fields.",
    )
    scope: Annotated[str, StringConstraints(max_length=500)] = Field(
        "", description="Scope to ask for; none when empty."
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, description="Further headers of the token request; `secret:NAME` is replaced."
    )
    token_header: HeaderName = Field("authorization", description="The header in which the token is sent.")
    token_prefix: Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=30)] = Field(
        "Bearer ", description="What stands before the token in that header."
    )


CredentialSettings = Annotated[NoCredentials | Basic | Header | OAuth2, Field(discriminator="kind")]


class CredentialsRefused(ConnectorError):
    """The provider's token endpoint does not accept our credentials."""


class Credentials(Protocol):
    """Makes the headers that prove us to a provider. `names` are theirs: a caller's are left out.

    `constant` are headers that stay as they are for good, None when they must be asked for before each call.
    """

    names: frozenset[bytes]
    constant: Headers | None

    async def headers(self, authority: str, deadline: float) -> Headers:
        """Return the headers for calls to `authority`. Raises NotSent, SecretUnknown, CredentialsRefused."""
        ...

    def discard(self, used: Headers) -> bool:
        """Forget what the provider has refused; say whether a second try can go better."""
        ...


def make_credentials(
    settings: NoCredentials | Basic | Header | OAuth2,
    headers: Mapping[str, str],
    http: HTTPClient,
    context: ConnectorContext,
) -> Credentials:
    """Make the credentials that the settings describe, with the fixed headers beside them. No I/O."""
    fixed = FixedHeaders(headers, context)
    match settings:
        case NoCredentials():
            return fixed
        case Basic():
            return FixedHeaders(headers, context, basic=(settings.username, settings.password))
        case Header():
            return FixedHeaders({**headers, settings.name: settings.value}, context)
        case OAuth2():
            return ClientCredentials(settings, fixed, http, context)


class FixedHeaders:
    """Headers that stay as they are until one of the secrets in them changes."""

    def __init__(
        self, headers: Mapping[str, str], context: ConnectorContext, *, basic: tuple[str, str] | None = None
    ) -> None:
        self._context = context
        self._plain: Headers = [
            (n.encode(), v.encode()) for n, v in headers.items() if not v.startswith(SECRET)
        ]
        self._secret = [(n.encode(), v) for n, v in headers.items() if v.startswith(SECRET)]
        self._basic = basic
        self._made: dict[str, tuple[list[str], Headers]] = {}
        names = {name.lower().encode() for name in headers}
        self.names = frozenset(names | ({b"authorization"} if basic else set()))
        self.constant = self._plain if not self._secret and basic is None else None

    async def headers(self, authority: str, deadline: float) -> Headers:
        """Return the headers; made anew only when a secret has changed."""
        return self.now(authority)

    def now(self, authority: str) -> Headers:
        """Return the headers. Raises SecretUnknown."""
        if self.constant is not None:
            return self.constant
        get = self._context.secrets.get
        values = [get(reference, host=authority) for _, reference in self._secret]
        if self._basic is not None:
            values.append(get(self._basic[1], host=authority))
        made = self._made.get(authority)
        if made is None or made[0] != values:
            made = self._made[authority] = (values, self._make(values))
        return made[1]

    def _make(self, values: list[str]) -> Headers:
        headers = self._plain + [
            (name, value.encode()) for (name, _), value in zip(self._secret, values, strict=False)
        ]
        if self._basic is not None:
            headers.append((b"authorization", basic(self._basic[0], values[-1])))
        return headers

    def discard(self, used: Headers) -> bool:
        """Nothing to do: the same headers would be refused again."""
        return False


@dataclass(slots=True)
class _Token:
    """A token at hand: in the headers it goes out in, until it should be replaced."""

    headers: Headers
    renew_at: float


class ClientCredentials:
    """OAuth 2.0 client credentials: one fetch for all who wait, and none sooner than needed."""

    constant: Headers | None = None

    def __init__(
        self, settings: OAuth2, fixed: FixedHeaders, http: HTTPClient, context: ConnectorContext
    ) -> None:
        self._settings = settings
        self._fixed = fixed
        self._http = http
        self._context = context
        self._authority = authority_of(settings.token_url)
        self._asking = FixedHeaders(settings.headers, context)
        self._lock = asyncio.Lock()
        self._token: _Token | None = None
        self._ended = 0
        self._failure: ConnectorError | None = None
        self.names = fixed.names | {settings.token_header.encode()}

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
        return True

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
            reply = await self._ask(deadline)
            if not isinstance(reply.body, bytes):
                await reply.close()
                raise BadAnswer("rubbish")
            self._token = _Token(*self._parse(reply.status, reply.body))
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

    async def _ask(self, deadline: float) -> HTTPReply:
        settings, clock = self._settings, self._context.clock
        secret = self._context.secrets.get(settings.client_secret, host=self._authority)
        form = {"grant_type": "client_credentials"}
        headers = [*self._asking.now(self._authority)]
        headers.append((b"content-type", b"application/x-www-form-urlencoded"))
        headers.append((b"accept", b"application/json"))
        if settings.scope:
            form["scope"] = settings.scope
        if settings.style == "form":
            form |= {"client_id": settings.client_id, "client_secret": secret}
        elif settings.style == "basic-raw":
            headers.append((b"authorization", basic(settings.client_id, secret)))
        else:
            # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
            pair = quote(settings.client_id, safe=""), quote(secret, safe="")
            headers.append((b"authorization", basic(*pair)))
        request = HTTPRequest(
            method="POST",
            url=settings.token_url,
            headers=headers,
            body=urlencode(form).encode(),
            deadline=min(deadline, clock.monotonic() + TOKEN_SECONDS),
        )
        return await self._http.send(request)

    def _parse(self, status: int, body: bytes) -> tuple[Headers, float]:
        if status in _REFUSED:
            raise CredentialsRefused("credentials")
        if status != _OK:
            raise NotSent("token-status")
        try:
            answer = json.loads(body)
            token, life = answer["access_token"], float(answer.get("expires_in", DEFAULT_LIFE_SECONDS))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise NotSent("token-rubbish") from None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or not 0 < life < float("inf"):
            raise NotSent("token-rubbish")
        name, prefix = self._settings.token_header, self._settings.token_prefix
        renew_at = self._context.clock.monotonic() + life - min(EARLY_SECONDS, life * EARLY_SHARE)
        return [(name.encode(), (prefix + token).encode())], renew_at


def authority_of(url: str) -> str:
    """Return `host:port` of an address, the port spelled out."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{(parts.hostname or '').lower()}:{port}"


def basic(name: str, password: str) -> bytes:
    """Return the value of an `Authorization` header for HTTP Basic."""
    return b"Basic " + b64encode(f"{name}:{password}".encode())
