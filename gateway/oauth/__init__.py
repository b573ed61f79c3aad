"""Tokens and discovery: `/token`, the server's metadata, the public keys. Open `endpoint.py` first."""

from collections.abc import Callable
from time import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import Scope

from auth.assertions import ALGORITHMS
from auth.keys import KeyRing
from gateway.oauth.endpoint import Assertions, ClientSource, TokenEndpoint
from gateway.oauth.failures import Failures
from gateway.oauth.watch import KeyWatch

__all__ = ["KeyWatch", "create_oauth", "metadata", "peer_address"]

DISCOVERY_SECONDS = 60


def peer_address(scope: Scope) -> str:
    """Return the address at the other end of the connection, believing no header."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _nothing(_code: str) -> None:
    """Count nothing."""


def create_oauth(  # noqa: PLR0913  (the composition root hands in every part by name)
    snapshots: ClientSource,
    ring: KeyRing,
    assertions: Assertions,
    *,
    issuer: str,
    node_key: bytes,
    token_seconds: int = 3600,
    failure_rate: int = 20,
    address_of: Callable[[Scope], str] = peer_address,
    counted: Callable[[str], None] = _nothing,
    now: Callable[[], float] = time,
) -> Router:
    """Return the routes of the token endpoint and of discovery.

    `issuer` is the node's public base address without a final slash; `address_of` says whose address a request
    comes from; `counted` hears "issued" or the OAuth error, once for each answer.
    """
    endpoint = TokenEndpoint(
        source=snapshots,
        ring=ring,
        assertions=assertions,
        issuer=issuer,
        node_key=node_key,
        token_seconds=token_seconds,
        failures=Failures(failure_rate),
        address_of=address_of,
        counted=counted,
        now=now,
    )
    described = metadata(issuer)

    async def describe(_request: Request) -> Response:
        return _public(described)

    async def keys(_request: Request) -> Response:
        return _public(ring.public_jwks(now()))

    return Router(
        [
            Route("/token", endpoint),
            Route("/.well-known/oauth-authorization-server", describe),
            Route("/.well-known/jwks.json", keys),
        ],
        redirect_slashes=False,
    )


def metadata(issuer: str) -> dict[str, Any]:  # Any: a JSON document
    """Return the server's description (RFC 8414)."""
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "ui_locales_supported": ["vi", "en"],
    }


def _public(document: dict[str, Any]) -> Response:
    return JSONResponse(document, headers={"Cache-Control": f"public, max-age={DISCOVERY_SECONDS}"})
