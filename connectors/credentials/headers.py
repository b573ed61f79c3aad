"""Headers that prove us: fixed ones, HTTP Basic, and the keys of the provincial platforms."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from connectors.contract import ConnectorContext, HTTPReply, HTTPRequest
from connectors.credentials.settings import SECRET, Basic, LGSPAccessToken, Triple
from connectors.errors import ConnectorError
from connectors.message import Headers


class CredentialsRefused(ConnectorError):
    """The provider's token endpoint does not accept our credentials."""


class Sender(Protocol):
    """Sends requests for tokens: the host's HTTP client, or what stands before it."""

    async def send(self, request: HTTPRequest) -> HTTPReply:
        """Send as `connectors.contract.HTTPClient` does."""
        ...


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


@dataclass(frozen=True, slots=True)
class Part:
    """A header that is made of secrets: `make` gets their values in the order of `references`."""

    name: bytes
    references: tuple[str, ...]
    make: Callable[[Sequence[str]], bytes]


class FixedHeaders:
    """Headers that stay as they are until one of the secrets in them changes."""

    def __init__(
        self, headers: Mapping[str, str], context: ConnectorContext, parts: Sequence[Part] = ()
    ) -> None:
        self._context = context
        self._plain: Headers = [
            (name.encode(), value.encode()) for name, value in headers.items() if not value.startswith(SECRET)
        ]
        self._parts = [
            Part(name.encode(), (value,), _only)
            for name, value in headers.items()
            if value.startswith(SECRET)
        ]
        self._parts += parts
        self._references = [reference for part in self._parts for reference in part.references]
        self._made: dict[str, tuple[list[str], Headers]] = {}
        self.names = frozenset(name for name, _ in self._plain) | {part.name for part in self._parts}
        self.constant = self._plain if not self._parts else None

    async def headers(self, authority: str, deadline: float) -> Headers:
        """Return the headers; made anew only when a secret has changed."""
        return self.now(authority)

    def now(self, authority: str) -> Headers:
        """Return the headers. Raises SecretUnknown."""
        if self.constant is not None:
            return self.constant
        get = self._context.secrets.get
        values = [get(reference, host=authority) for reference in self._references]
        made = self._made.get(authority)
        if made is None or made[0] != values:
            made = self._made[authority] = (values, self._make(values))
        return made[1]

    def _make(self, values: Sequence[str]) -> Headers:
        headers = list(self._plain)
        at = 0
        for part in self._parts:
            end = at + len(part.references)
            headers.append((part.name, part.make(values[at:end])))
            at = end
        return headers

    def discard(self, used: Headers) -> bool:
        """Nothing to do: the same headers would be refused again."""
        return False


def basic(name: str, password: str) -> bytes:
    """Return the value of an `Authorization` header for HTTP Basic."""
    return b"Basic " + b64encode(f"{name}:{password}".encode())


def basic_part(settings: Basic) -> Part:
    """Return the header of HTTP Basic."""
    username = settings.username
    return Part(b"authorization", (settings.password,), lambda values: basic(username, values[0]))


def keys_part(settings: Triple | LGSPAccessToken) -> Part:
    """Return the header with a platform's keys: base64 of compact JSON, its members in the platforms' order."""
    members = {
        "AccessKey": settings.access_key,
        "SecretKey": settings.secret_key,
        "AppName": settings.app_name,
        "PartnerCode": settings.partner_code,
        "PartnerCodeCus": settings.partner_code_cus,
    }
    known = {name: value for name, value in members.items() if value is not None}
    secret = {name: value for name, value in known.items() if value.startswith(SECRET)}

    def make(values: Sequence[str]) -> bytes:
        whole = known | dict(zip(secret, values, strict=True))
        return b64encode(json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode())

    return Part(settings.header.encode(), tuple(secret.values()), make)


def _only(values: Sequence[str]) -> bytes:
    return values[0].encode()
