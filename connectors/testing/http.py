"""The reference host's HTTP client, on httpx2: small and slow, and true to `connectors.contract.HTTPClient`."""

import asyncio
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

import httpx2

from connectors.contract import Clock, HTTPReply, HTTPRequest, Network, TLSIdentity
from connectors.errors import BadAnswer, ConnectorError, EgressDenied, NoAnswer, NotSent
from connectors.message import Body, Headers

__all__ = ["ReferenceHTTPClient"]

WHOLE_BYTES = 64 * 1024
"""Up to this size an answer is handed over whole."""
_PORTS = {"http": 80, "https": 443}
_NOT_PASSED_ON = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade"}
)


class ReferenceHTTPClient:
    """Verifies TLS, follows nothing, unpacks nothing, and goes where `network` lets it; a connection for each request."""

    def __init__(
        self,
        network: Network,
        clock: Clock,
        *,
        networks: Sequence[str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._network = network
        self._clock = clock
        self._networks = networks
        self._tls = tls
        self._client: httpx2.AsyncClient | None = None
        self._apart: list[ReferenceHTTPClient] = []
        self._closed = False

    def narrowed(self, networks: Sequence[str]) -> "ReferenceHTTPClient":
        """Return a client that reaches only those allowed addresses in `networks`."""
        return self._another(networks, self._tls)

    def with_tls(self, identity: TLSIdentity) -> "ReferenceHTTPClient":
        """Return a client that shows and takes those certificates. Raises ValueError."""
        return self._another(self._networks, _context(identity))

    def _another(self, networks: Sequence[str] | None, tls: ssl.SSLContext | None) -> "ReferenceHTTPClient":
        client = ReferenceHTTPClient(self._network, self._clock, networks=networks, tls=tls)
        self._apart.append(client)
        return client

    async def send(self, request: HTTPRequest) -> HTTPReply:
        """Send and return the answer's head with its body. Raises NotSent, EgressDenied, NoAnswer, BadAnswer."""
        if self._closed:
            raise NotSent("closed")
        sending = _outgoing(request)
        await self._check(sending.url)
        try:
            async with asyncio.timeout(request.deadline - self._clock.monotonic()):
                answer = await self._connected().send(sending, stream=True)
                return await _Reply(answer, self._clock, request.deadline).begun()
        except TimeoutError as error:
            raise NoAnswer("timeout") from error
        except (httpx2.TransportError, OSError) as error:
            raise _translated(error) from error

    async def _check(self, url: httpx2.URL) -> None:
        addresses = await self._network.resolve(url.host, url.port or _PORTS.get(url.scheme, 0))
        if self._networks is not None and not any(
            ip_address(address) in ip_network(network) for address in addresses for network in self._networks
        ):
            raise EgressDenied("egress-denied")

    def _connected(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(
                verify=self._tls or ssl.create_default_context(),
                trust_env=False,
                # What comes after an answer would be taken for the next one on a kept connection.
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
            )
        return self._client

    async def close(self) -> None:
        """Close the connections, and those of the clients made from this one. Idempotent."""
        self._closed = True
        for client in self._apart:
            await client.close()
        if self._client is not None:
            await self._client.aclose()


class _Reply:
    """An answer under way."""

    def __init__(self, answer: httpx2.Response, clock: Clock, deadline: float) -> None:
        self.status = answer.status_code
        self.headers: Headers = [
            (name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _NOT_PASSED_ON
        ]
        self.body: Body = b""
        self._answer = answer
        self._pieces = answer.aiter_raw(WHOLE_BYTES)
        self._clock = clock
        self._deadline = deadline

    async def begun(self) -> "_Reply":
        """Read on until the whole body is there, or too much of it to be handed over whole."""
        held = b""
        try:
            async for piece in self._pieces:
                held += piece
                if len(held) > WHOLE_BYTES:
                    self.body = self._streamed(held)
                    return self
        except BaseException:
            await self._answer.aclose()
            raise
        self.body = held
        await self._answer.aclose()
        return self

    async def _streamed(self, held: bytes) -> AsyncIterator[bytes]:
        yield held
        try:
            while True:
                async with asyncio.timeout(self._deadline - self._clock.monotonic()):
                    piece = await anext(self._pieces, None)
                if piece is None:
                    return
                yield piece
        except TimeoutError as error:
            raise NoAnswer("timeout") from error
        except (httpx2.TransportError, OSError) as error:
            raise NoAnswer("cut") from error
        finally:
            await self._answer.aclose()

    async def close(self) -> None:
        """Give the connection up. Idempotent."""
        await self._answer.aclose()


def _outgoing(request: HTTPRequest) -> httpx2.Request:
    try:
        return httpx2.Request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.body,
            extensions={"timeout": {"connect": request.connect_seconds}},
        )
    except (httpx2.InvalidURL, ValueError) as error:
        raise NotSent("address-invalid") from error


def _translated(error: Exception) -> ConnectorError:
    """Return what became of a call, in the words of the contract."""
    if isinstance(error, httpx2.LocalProtocolError):
        return NotSent("header-invalid")
    if isinstance(error, httpx2.ConnectTimeout):
        return NotSent("connect-timeout")
    if isinstance(error, httpx2.ConnectError):
        return NotSent(_why_unconnected(error))
    if isinstance(error, httpx2.RemoteProtocolError):
        # httpx2 says with one class that an answer broke off and that it was none.
        is_cut = any(word in str(error) for word in ("disconnected", "incomplete", "without"))
        return NoAnswer("cut") if is_cut else BadAnswer("rubbish")
    if isinstance(error, httpx2.TimeoutException):
        return NoAnswer("timeout")
    return NoAnswer("cut")


def _why_unconnected(error: Exception) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "dns"
    if any(isinstance(cause, ssl.SSLError) for cause in causes) or "SSL" in str(error):
        return "tls"
    return "refused" if any(isinstance(cause, ConnectionRefusedError) for cause in causes) else "unreachable"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__


def _context(identity: TLSIdentity) -> ssl.SSLContext:
    """Return a context that shows and takes those certificates. Raises ValueError."""
    try:
        context = ssl.create_default_context(cadata=identity.authority or None)
        if identity.certificate:
            with tempfile.TemporaryDirectory() as folder:
                certificate, key = Path(folder, "certificate"), Path(folder, "key")
                certificate.write_text(identity.certificate, "ascii")
                key.write_text(identity.key, "ascii")
                context.load_cert_chain(certificate, key)
    except (ssl.SSLError, UnicodeError) as error:
        raise ValueError("not certificates in PEM, or not of one key") from error
    return context
