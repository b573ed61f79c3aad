"""How long and how many: what bounds the client's connections."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from connectors.contract import TLSIdentity
from gateway.deadlines import Deadlines
from gateway.egress import Egress
from gateway.tls import client_context


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds beside a request's own deadline and connect time; None leaves it at the deadline.

    `connections` to one destination at a time: a request that finds none free waits for one, for as long as
    it may take to connect. `write_seconds` runs while the peer takes nothing of what we send,
    `first_byte_seconds` from the end of the request to the first byte of its answer,
    `between_bytes_seconds` between two reads of an answer; not while its reader holds us back.
    """

    connections: int = 1024
    idle_connections: int = 256
    write_seconds: float | None = None
    first_byte_seconds: float | None = None
    between_bytes_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A client certificate: PEM files with the chain and the private key."""

    chain: Path
    key: Path


class Trust:
    """How servers are verified, and who we say we are. Reads its files once, when the first TLS call is made."""

    __slots__ = ("_ca_file", "_certificate", "_context", "_identity")

    def __init__(
        self, *, ca_file: Path | None, certificate: Certificate | None, identity: TLSIdentity | None = None
    ) -> None:
        self._ca_file = ca_file
        self._certificate = certificate
        self._identity = identity
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Return the context for all connections; it verifies names and chains, always."""
        if self._context is None:
            context = client_context(self._ca_file, self._identity)
            context.set_alpn_protocols(["http/1.1"])
            if self._certificate is not None:
                context.load_cert_chain(self._certificate.chain, self._certificate.key)
            self._context = context
        return self._context

    def of(self, identity: TLSIdentity) -> "Trust":
        """Return the trust of a client with an identity of its own. Raises ValueError."""
        trust = Trust(ca_file=self._ca_file, certificate=None, identity=identity)
        trust.context()
        return trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all connections of a client have in common."""

    egress: Egress
    deadlines: Deadlines
    trust: Trust
    buffer_bytes: int
    idle_seconds: float
    limits: Limits
