"""`/metrics`: for whoever watches the node from an allowed network, or with an observer's token."""

from collections.abc import Callable, Iterable

from auth.errors import AuthError
from auth.tokens import Claims
from gateway.app import ASGI, MetricsGate
from gateway.facades.native import Receive, Scope, Send
from gateway.limiter import is_within, parse_networks
from gateway.metrics import CONTENT_TYPE, Metrics
from gateway.snapshot import Snapshots

ROLES = frozenset({"observer", "node-admin"})


def metrics_page(metrics: Metrics, *, before: Callable[[], None]) -> ASGI:
    """Return the page; `before` brings the gauges up to date."""

    async def page(_scope: Scope, _receive: Receive, send: Send) -> None:
        before()
        body = metrics.render()
        headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return page


def metrics_gate(
    networks: Iterable[str], snapshots: Snapshots, verify: Callable[[str], Claims]
) -> MetricsGate:
    """Return the rule: an address of the networks, or the token of a living client with an observing role."""
    allowed = parse_networks(networks)

    def may_read(address: str, authorization: str) -> bool:
        if is_within(address, allowed):
            return True
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return False
        try:
            claims = verify(token.strip())
        except AuthError:
            return False
        client = snapshots.current.clients.get(claims.client)
        return (
            client is not None
            and client.active
            and client.role in ROLES
            and claims.issued_at >= client.not_before
            and (not client.networks or is_within(address, client.networks))
        )

    return may_read
