"""Where outgoing calls may go: the rule, and the resolver that asks it. Stands before every outgoing call.

A name is resolved once, each of its addresses is checked, and the connection goes to a checked address, so
that a name that changes its mind in between (DNS rebinding) gains nothing.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from connectors.errors import EgressDenied

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SPECIAL: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this host": connects to loopback
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; the metadata service of most clouds
        "224.0.0.0/4",
        "240.0.0.0/4",
        "100.100.100.200/32",  # metadata service
        "168.63.129.16/32",  # metadata service
        "192.0.0.192/32",  # metadata service
        "::/128",
        "::1/128",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "fd00:ec2::254/128",  # metadata service
        "fd20:ce::254/128",  # metadata service
    )
)
"""Denied unless a listed network lies inside one of them; `0.0.0.0/0` names none of them."""

_NAT64 = ip_network("64:ff9b::/96")
_LAST_PORT = 65535


class EgressWrong(ValueError):
    """A network, host or port in the settings is not one."""


@dataclass(frozen=True, slots=True)
class Egress:
    """The rule. Empty lists allow what is not special; `own` are listeners of this node, (address, port)."""

    networks: tuple[Network, ...] = ()
    hosts: tuple[str, ...] = ()
    ports: tuple[range, ...] = ()
    own: tuple[tuple[str, int], ...] = ()
    within: "Egress | None" = field(default=None, repr=False)

    def narrowed(self, networks: Sequence[str]) -> "Egress":
        """Return the rule that allows what this one does and these networks hold."""
        return Egress(networks=_networks(networks), within=self)

    def check_host(self, host: str, port: int) -> Address | None:
        """Check a host and port of an address; return the IP address if the host is one.

        Raises:
            EgressDenied: the name, the port or the address is not allowed, or is an odd spelling of one.
        """
        literal = parse_host(host)
        if self.within is not None:
            self.within.check_host(host, port)
        if self.ports and not any(port in ports for ports in self.ports):
            raise EgressDenied("egress-denied")
        if self.hosts and not any(_matches(host, port, pattern) for pattern in self.hosts):
            raise EgressDenied("egress-denied")
        if literal is not None:
            self.check_address(literal, port)
        return literal

    def check_address(self, address: Address, port: int) -> None:
        """Check the address that a connection would go to.

        Raises:
            EgressDenied: it is not allowed.
        """
        if self.within is not None:
            self.within.check_address(address, port)
        address = _inner(address)
        if any(port == own_port and _is_ours(address, own) for own, own_port in self.own):
            raise EgressDenied("egress-denied")
        if self.within is None and not _ordinary(address) and not self._names(address):
            raise EgressDenied("egress-denied")
        if self.networks and not any(_contains(network, address) for network in self.networks):
            raise EgressDenied("egress-denied")

    def _names(self, address: Address) -> bool:
        """Whether a listed network inside a special one holds the address."""
        return any(
            _contains(network, address)
            and any(_is_inside(network, special) for special in SPECIAL if _contains(special, address))
            for network in self.networks
        )


def parse_egress(
    *,
    networks: Iterable[str] = (),
    hosts: Iterable[str] = (),
    ports: Iterable[str] = (),
    own: Iterable[tuple[str, int]] = (),
) -> Egress:
    """Make the rule from settings; `own` are the node's listeners.

    Raises:
        EgressWrong: a network, host or port is not one.
    """
    return Egress(
        networks=_networks(networks),
        hosts=tuple(host.lower().rstrip(".") for host in hosts),
        ports=tuple(_ports(port) for port in ports),
        own=tuple((_own_address(address), port) for address, port in own),
    )


def parse_host(host: str) -> Address | None:
    """Return the IP address that a URL's host is, or None for a name.

    Raises:
        EgressDenied: a spelling that some resolvers take for an address (`0x7f.1`, `2130706433`, `127.1`,
            `010.0.0.1`, an IPv6 zone), or no host at all.
    """
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in bare:
        if "%" in bare:
            raise EgressDenied("egress-denied")
        try:
            return IPv6Address(bare)
        except ValueError:
            raise EgressDenied("egress-denied") from None
    labels = bare.rstrip(".").split(".")
    if not _is_number(labels[-1]):
        return None
    try:
        return IPv4Address(bare)
    except ValueError:
        raise EgressDenied("egress-denied") from None


def _is_number(label: str) -> bool:
    # A name whose last label is a number is an address to inet_aton, and so to the system's resolver.
    return label == "" or label.isdigit() or label.lower().startswith("0x")


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if _contains(_NAT64, address) or 1 < int(address) < 1 << 32:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _contains(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network


def _is_inside(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


@lru_cache(maxsize=4096)
def _ordinary(address: Address) -> bool:
    return not any(_contains(special, address) for special in SPECIAL)


def _networks(texts: Iterable[str]) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise EgressWrong(str(error)) from None


def _ports(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        ports = range(int(first), int(last or first) + 1)
    except ValueError:
        raise EgressWrong(f"{text!r} is not a port or a range of ports") from None
    if not ports or ports[0] < 1 or ports[-1] > _LAST_PORT:
        raise EgressWrong(f"{text!r} is not a port or a range of ports")
    return ports


def _matches(host: str, port: int, pattern: str) -> bool:
    """Whether `pattern` (`name`, `*.name`, either with `:port`) names the host."""
    name, _, wanted = pattern.partition(":") if pattern.count(":") == 1 else (pattern, "", "")
    if wanted and wanted != str(port):
        return False
    host = host.lower().rstrip(".")
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def _own_address(listening: str) -> str:
    """Return the address of a listener; one that listens on a name counts for all of this machine's."""
    try:
        return str(ip_address(listening))
    except ValueError:
        return "0.0.0.0"  # noqa: S104 (nothing is bound here)


def _is_ours(address: Address, own: str) -> bool:
    """Whether a connection to `address` reaches a listener on `own`."""
    listening = ip_address(own)
    if not listening.is_unspecified:
        return address == _inner(listening)
    return _is_of_this_machine(address)


@lru_cache(maxsize=1024)
def _is_of_this_machine(address: Address) -> bool:
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


async def resolve(egress: Egress, host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """Resolve a name and return those of its addresses that calls may go to.

    Raises:
        EgressDenied: it has addresses, and none is allowed.
        OSError: it has none.
    """
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed: list[tuple[socket.AddressFamily, str]] = []
    for family, _, _, _, where in infos:
        try:
            egress.check_address(ip_address(str(where[0]).partition("%")[0]), port)
        except EgressDenied:
            continue
        allowed.append((family, str(where[0])))
    if not allowed:
        raise EgressDenied("egress-denied")
    return allowed
