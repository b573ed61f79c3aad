"""The provider's addresses, in the order in which they are tried."""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from connectors.contract import Call, Clock
from connectors.credentials import authority_of
from connectors.errors import NotSent

REST_SECONDS = 10.0
"""How long an address that could not be reached is tried last."""

_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_OURS = ("token-", "tls-certificate-")


class Target:
    """One address of the provider."""

    __slots__ = ("authority", "base", "is_literal", "rests_until")

    def __init__(self, url: str) -> None:
        self.base = url.rstrip("/")
        self.authority = authority_of(url)
        self.is_literal = _is_literal(urlsplit(url).hostname or "")
        self.rests_until = 0.0


class Targets:
    """All addresses."""

    def __init__(self, urls: Sequence[str], clock: Clock) -> None:
        self._clock = clock
        self.all = [Target(url) for url in urls]

    def in_order(self) -> Sequence[Target]:
        """Return those that could be reached lately first."""
        if len(self.all) == 1:
            return self.all
        now = self._clock.monotonic()
        return sorted(self.all, key=lambda target: target.rests_until > now)

    def goes_on(self, error: NotSent, target: Target) -> bool:
        """Say whether another address may do better where nothing was sent to this one."""
        reason = str(error)
        if reason == "header-invalid" or reason.startswith(_OURS):
            return False
        target.rests_until = self._clock.monotonic() + REST_SECONDS
        return True


def target_of(call: Call) -> str:
    """Return path and query as they stand in a request line."""
    path = call.path if call.path[:1] in ("/", "") else "/" + call.path
    if call.query:
        path = f"{path}?{call.query}"
    if not path.isascii() or not path.isprintable() or " " in path:
        # Only a query gets here: what its sender forgot to escape, kept byte for byte.
        path = quote(path.encode("latin-1", "replace"), safe=_ASCII)
    return path


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
