"""What connectors are handed in tests: a real HTTP client, a real clock, secrets in memory, a log that is kept."""

import time
from collections.abc import Mapping

from connectors.contract import Call, ConnectorContext, HTTPClient
from connectors.message import Body, Headers, Message
from connectors.testing import KeptLog, KnownSecrets
from gateway.egress import parse_egress
from gateway.network import GuardedNetwork

__all__ = ["KeptLog", "KnownSecrets", "a_call", "a_context"]


def a_context(
    http: HTTPClient, *, secrets: Mapping[str, str] | None = None, log: KeptLog | None = None
) -> ConnectorContext:
    return ConnectorContext(
        http=http,
        network=GuardedNetwork(parse_egress(networks=["127.0.0.0/8"])),
        clock=time,
        secrets=KnownSecrets(secrets or {}),
        log=log or KeptLog(),
    )


def a_call(  # noqa: PLR0913 (a test says only what matters to it)
    *,
    method: str = "GET",
    path: str = "/tra-cuu",
    query: str = "",
    body: Body = b"",
    media_type: str = "",
    headers: Headers | None = None,
    context: Mapping[str, str] | None = None,
    seconds: float = 2.0,
    operation: str = "traCuu",
    writes: bool = False,
    sandbox: bool = False,
) -> Call:
    return Call(
        exchange="01890000-0000-7000-8000-000000000001",
        operation=operation,
        method=method,
        path=path,
        query=query,
        message=Message(body, media_type, headers or []),
        deadline=time.monotonic() + seconds,
        context=context or {},
        read_only=not writes,
        writes=writes,
        sandbox=sandbox,
    )
