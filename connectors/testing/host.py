"""A small node for tests: what a connector needs from its host, kept to the contract, for loopback alone."""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from connectors.contract import Clock, ConnectorContext, Logger
from connectors.errors import EgressDenied, NotSent, SecretUnknown
from connectors.testing.http import ReferenceHTTPClient

__all__ = ["Host", "KeptLog", "KnownSecrets", "ReferenceHost", "TurnedClock"]

LOOPBACK = "127.0.0.1"
AHEAD_SECONDS = 1_000_000.0
"""A connector that reads another clock than its host's waits for ever, or not at all."""


class Host(Protocol):
    """What the kit's tests run connectors in."""

    clock: Clock

    def context(self, secrets: Mapping[str, str], log: Logger) -> ConnectorContext:
        """Return what a connector is handed; the secrets are bound for loopback."""
        ...


class TurnedClock:
    """Runs like the machine's, far ahead of it."""

    def monotonic(self) -> float:
        """Return the seconds since some moment."""
        return time.monotonic() + AHEAD_SECONDS

    def time(self) -> float:
        """Return the seconds since 1970."""
        return time.time()


@dataclass
class KnownSecrets:
    """Secrets by name, allowed for loopback."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def get(self, name: str, *, host: str) -> str:
        """Return a secret. Raises SecretUnknown."""
        try:
            value = self.values[name.removeprefix("secret:")]
        except KeyError:
            raise SecretUnknown(f"{name} is not bound") from None
        if not host.startswith(f"{LOOPBACK}:"):
            raise SecretUnknown(f"{name} is not bound for this host")
        return value


@dataclass
class KeptLog:
    """Keeps events with their fields."""

    lines: list[str] = field(default_factory=list)

    def info(self, event: str, **fields: object) -> None:
        """Keep an event."""
        self.lines.append(f"{event} {fields}")

    def warning(self, event: str, **fields: object) -> None:
        """Keep an event."""
        self.lines.append(f"{event} {fields}")


class LoopbackNetwork:
    """Lets connections go to loopback, and knows no other name than `localhost`."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return where a connection may go. Raises EgressDenied, NotSent."""
        if host in (LOOPBACK, "localhost"):
            return (LOOPBACK,)
        if _is_address(host):
            raise EgressDenied("egress-denied")
        raise NotSent("dns")

    def tls(self, name: str, authority: str = "") -> ssl.SSLContext:
        """Return a context that takes a certificate for `name` only. Raises ValueError for a bad `authority`."""
        context = _Named(ssl.PROTOCOL_TLS_CLIENT)
        context.name = name
        try:
            if authority:
                context.load_verify_locations(cadata=authority)
            else:
                context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        except ssl.SSLError as error:
            raise ValueError("not certificates in PEM") from error
        return context


class _Named(ssl.SSLContext):
    name: str

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 (the parent's)
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Expect the name that the context is for, whatever the connection was made to."""
        return super().wrap_bio(incoming, outgoing, server_side, self.name, session)


class ReferenceHost:
    """The host of the kit's own; give your `connector_host` fixture another one to run in that."""

    def __init__(self) -> None:
        self.clock: Clock = TurnedClock()
        self._network = LoopbackNetwork()
        self._http = ReferenceHTTPClient(self._network, self.clock)

    def context(self, secrets: Mapping[str, str], log: Logger) -> ConnectorContext:
        """Return what a connector is handed."""
        return ConnectorContext(
            http=self._http, network=self._network, clock=self.clock, secrets=KnownSecrets(secrets), log=log
        )

    async def close(self) -> None:
        """Close the HTTP client. Idempotent."""
        await self._http.close()
        await asyncio.sleep(0)


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.strip("[]"))
        except OSError:
            continue
        return True
    return False
