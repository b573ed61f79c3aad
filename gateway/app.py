"""The ASGI application: the data plane stands first, then tokens and health, then admin API and console."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.exchange import Reason, Refusal, Request
from gateway.facades.native import Receive, Scope, Send, answer
from gateway.pipeline import tell
from gateway.proxies import Proxies

ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_SEGMENTS = frozenset({"token", ".well-known", "health", "problems"})
ADMIN_SEGMENTS = frozenset({"admin", "console", "metrics"})
DIALECT_SEGMENTS = frozenset({"soap"})
"""Where facades of other dialects than the native one are mounted."""
RESERVED_SEGMENTS = OPEN_SEGMENTS | ADMIN_SEGMENTS | DIALECT_SEGMENTS


def is_data_plane(segment: str) -> bool:
    """Say whether a path's first segment is a service's name, as far as its form goes."""
    return segment not in RESERVED_SEGMENTS and not segment.startswith((".", "_"))


class MetricsGate(Protocol):
    """Says whether somebody may read the metrics on the public address."""

    def __call__(self, address: str, authorization: str) -> bool: ...


class App:
    """Sends a request to the plane that its first path segment names.

    `control` answers tokens, discovery, health and problem pages; `admin` the admin API; `metrics` the metrics; `soap`
    what is below `/soap`. When
    an admin address is set, `admin_port` is its port: admin paths are then known there only, and nothing else is.
    """

    def __init__(
        self,
        *,
        data: ASGI,
        control: ASGI,
        admin: ASGI,
        metrics: ASGI,
        soap: ASGI,
        proxies: Proxies,
        may_read_metrics: MetricsGate,
        admin_port: int | None,
    ) -> None:
        self._data = data
        self._control = control
        self._admin = admin
        self._metrics = metrics
        self._soap = soap
        self._proxies = proxies
        self._may_read_metrics = may_read_metrics
        self._admin_port = admin_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        segment = scope["path"].partition("/")[2].partition("/")[0]
        if (
            segment not in RESERVED_SEGMENTS
            and not segment.startswith((".", "_"))
            and not self._is_admin(scope)
        ):
            await self._data(scope, receive, send)
            return
        await self._reserved(segment, scope, receive, send)

    def _is_admin(self, scope: Scope) -> bool:
        server = scope.get("server")
        return self._admin_port is not None and server is not None and server[1] == self._admin_port

    async def _reserved(self, segment: str, scope: Scope, receive: Receive, send: Send) -> None:
        on_admin = self._admin_port is None or self._is_admin(scope)
        if segment in OPEN_SEGMENTS:
            await self._control(scope, receive, send)
        elif segment == "soap" and not self._is_admin(scope):
            await self._soap(scope, receive, send)
        elif segment == "metrics" and on_admin and self._metrics_allowed(scope):
            await self._metrics(scope, receive, send)
        elif segment in ADMIN_SEGMENTS and segment != "metrics" and on_admin:
            await self._admin(scope, receive, send)
        else:
            await not_here(scope, send)

    def _metrics_allowed(self, scope: Scope) -> bool:
        if self._is_admin(scope):
            return True
        headers = scope["headers"]
        peer = scope["client"][0] if scope.get("client") else ""
        token = next((value.decode("latin-1") for name, value in headers if name == b"authorization"), "")
        return self._may_read_metrics(self._proxies.client(peer, headers), token)


async def not_here(scope: Scope, send: Send) -> None:
    """Answer 404 for a reserved address that nothing is at."""

    async def read() -> bytes:
        return b""

    request = Request(
        method=scope["method"], path="", query="", headers=scope["headers"], read=read, gone=bool
    )
    await answer(tell(Refusal(Reason.ROUTE_UNKNOWN), request, style="problem"), request, send)
