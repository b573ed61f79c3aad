"""Token buckets in memory: one per caller's address in front of everything, one per grant for its quota.

A bucket is one number, the time at which it will be full again (the generic cell rate algorithm), so that a
decision is a dictionary look-up and an addition.
"""

import ipaddress
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

IPV6_PREFIX: Final = 64
"""A household or an attacker has at least this much of IPv6 for itself."""


class Buckets:
    """Token buckets by key, at most `capacity` of them; the one unused longest is forgotten first.

    `share` is this process's part of each limit (1 ÷ workers).
    """

    def __init__(
        self, *, share: float = 1.0, capacity: int = 65_536, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._full_at: dict[str, float] = {}
        self._share = share
        self._capacity = capacity
        self._clock = clock

    def __len__(self) -> int:
        return len(self._full_at)

    def divide(self, parts: int) -> None:
        """Take one of so many equal shares of each limit from now on."""
        self._share = 1.0 / parts

    def spend(self, key: str, per_second: float) -> float:
        """Take one from the bucket of `key`, which holds a second's worth and at least one.

        Returns:
            0.0 when it was there; otherwise the seconds until it will be, and nothing is taken.
        """
        now = self._clock()
        interval = 1.0 / (per_second * self._share)
        full_at = max(self._full_at.pop(key, now), now)
        # At most `burst` intervals ahead: a bucket of a second's worth, or of one where a second brings less.
        wait = full_at - now - (1.0 - interval if interval < 1.0 else 0.0)
        if wait > 1e-9:  # noqa: PLR2004  (what is left by rounding is no wait)
            self._full_at[key] = full_at
            return wait
        self._full_at[key] = full_at + interval
        if len(self._full_at) > self._capacity:
            del self._full_at[next(iter(self._full_at))]
        return 0.0


class AddressLimiter:
    """Limits the requests of each caller's address; an IPv6 address counts with its /64."""

    def __init__(
        self, per_second: float, *, capacity: int = 65_536, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._buckets = Buckets(capacity=capacity, clock=clock)

    def __len__(self) -> int:
        return len(self._buckets)

    def spend(self, address: str) -> float:
        """Count one request of `address`; returns 0.0 when it may go on, else the seconds to wait."""
        return self._buckets.spend(address_key(address) if ":" in address else address, self._per_second)


@lru_cache(maxsize=4096)
def address_key(address: str) -> str:
    """Return what an address is counted under: itself, or its /64 for IPv6; anything else as it is."""
    parsed = _parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((parsed, IPV6_PREFIX), strict=False))
    return address if parsed is None else str(parsed)


def parse_networks(names: Iterable[str]) -> tuple[Network, ...]:
    """Parse networks and single addresses. Raises ValueError."""
    return tuple(ipaddress.ip_network(name, strict=False) for name in names)


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Say whether an address lies in one of the networks; what is no address lies in none."""
    parsed = _parse(address)
    return parsed is not None and any(
        parsed.version == network.version and parsed in network for network in networks
    )


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """Return the address that a request came from: the right-most one that is not a trusted proxy's.

    `forwarded` is `X-Forwarded-For`, several fields joined by commas. Only what a trusted proxy wrote is
    believed: reading stops at the first hop that is not one, or at something that is no address.
    """
    address = peer
    if not trusted or not forwarded:
        return address
    for hop in reversed(forwarded.split(",")):
        if not is_within(address, trusted):
            return address
        parsed = _parse(_without_port(hop.strip()))
        if parsed is None:
            return address
        address = str(parsed)
    return address


def _without_port(hop: str) -> str:
    """Cut the port that some proxies write: `192.0.2.1:4711`, `[2001:db8::1]:4711`."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


@lru_cache(maxsize=4096)
def _parse(address: str) -> Address | None:
    """Read an address, an IPv4 one in IPv6 clothes (`::ffff:192.0.2.1`) as what it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed
