"""Whose address a request comes from, when proxies that we trust stand in front."""

from collections.abc import Iterable

from connectors.message import Headers
from gateway.limiter import client_address, parse_networks


class Proxies:
    """Reads `X-Forwarded-For`, from trusted proxies only."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = parse_networks(trusted)

    def client(self, peer: str, headers: Headers) -> str:
        """Return the caller's address: the peer's, or what the trusted proxies in front of us say."""
        if not self._trusted:
            return peer
        forwarded = b",".join(value for name, value in headers if name == b"x-forwarded-for")
        return client_address(peer, forwarded.decode("latin-1"), self._trusted)
