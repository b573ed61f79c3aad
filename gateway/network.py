"""The way to servers that do not speak HTTP, for connectors: the egress rule, and TLS that is always verified."""

import ssl
from collections.abc import Sequence
from pathlib import Path

from connectors.errors import NotSent
from gateway.egress import Egress, resolve


class GuardedNetwork:
    """Names the addresses that the node lets connections go to (`connectors.contract.Network`)."""

    def __init__(self, egress: Egress, *, ca_file: Path | None = None) -> None:
        self._egress = egress
        self._ca_file = ca_file

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a host that a connection may go to. Raises EgressDenied, NotSent."""
        literal = self._egress.check_host(host, port)
        if literal is not None:
            return (str(literal),)
        try:
            return [address for _, address in await resolve(self._egress, host, port)]
        except (OSError, UnicodeError) as error:
            raise NotSent("dns") from error

    def tls(self, name: str, authority: str = "") -> ssl.SSLContext:
        """Return a context that takes a certificate for `name` only. Raises ValueError for a bad `authority`."""
        context = _Named(ssl.PROTOCOL_TLS_CLIENT)
        context.name = name
        try:
            if authority:
                context.load_verify_locations(cadata=authority)
            else:
                context.load_default_certs(ssl.Purpose.SERVER_AUTH)
                if self._ca_file is not None:
                    context.load_verify_locations(self._ca_file)
        except (ssl.SSLError, TypeError) as error:
            raise ValueError("not certificates in PEM") from error
        return context


class _Named(ssl.SSLContext):
    """Drivers name the address they connect to; what the certificate has to say is the host that it was found for."""

    name: str

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 (the parent's)
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Make a connection that expects the right name, whatever the driver says."""
        return super().wrap_bio(incoming, outgoing, server_side, self.name, session)
