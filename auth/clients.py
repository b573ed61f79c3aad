"""What the rules need to know of a client, and whether it may have a token from where it stands."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from auth.errors import ClientReason, ClientRefused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DATA_SCOPE = "am_application_scope default"
"""What field software expects to read; it grants nothing by itself."""


class KnownClient(Protocol):
    """A registered client. `secrets` are (digest in hex, end in epoch seconds or None)."""

    @property
    def id(self) -> str: ...
    @property
    def system(self) -> str | None: ...
    @property
    def role(self) -> str | None: ...
    @property
    def environment(self) -> str: ...
    @property
    def active(self) -> bool: ...
    @property
    def not_before(self) -> float: ...
    @property
    def networks(self) -> Sequence[Network]: ...
    @property
    def secrets(self) -> Sequence[tuple[str, float | None]]: ...
    @property
    def jwks(self) -> Mapping[str, Any] | None: ...  # Any: a JWK set


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks (`10.1.0.0/16`, `2001:db8::/32`, or one address). Raises ValueError."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def is_in(address: str, networks: Iterable[Network]) -> bool:
    """Tell whether an address lies in one of the networks; an address that cannot be read lies in none."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip.version == network.version and ip in network for network in networks)


def may_come_from(client: KnownClient, address: str) -> bool:
    """Tell whether a client's allowed networks hold this address; without any, every address will do."""
    return not client.networks or is_in(address, client.networks)


def check_admission(client: KnownClient, address: str) -> None:
    """Check a client whose credentials are right. Raises ClientRefused: disabled, or in the wrong network."""
    if not client.active:
        raise ClientRefused(ClientReason.DISABLED)
    if not may_come_from(client, address):
        raise ClientRefused(ClientReason.NETWORK)


def scope_of(client: KnownClient) -> str:
    """Return the scope that a client's tokens carry: its role, or the data plane's."""
    return client.role or DATA_SCOPE
