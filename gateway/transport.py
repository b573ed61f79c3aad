"""The HTTP client of the hot path: our own (`gateway.http1`), or the reference and fallback on aiohttp.

Both keep the contract of `connectors.contract.HTTPClient`, and the same tests run on both; `LGSP_TRANSPORT` chooses.
"""

from typing import TYPE_CHECKING, Literal

from gateway.http1.client import HTTP1Transport

if TYPE_CHECKING:
    from gateway.aiohttp_transport import AiohttpTransport


def transport_of(name: Literal["http1", "aiohttp"]) -> "type[HTTP1Transport | AiohttpTransport]":
    """Return the HTTP client of the data plane; the reference one is loaded only where it is asked for (8 MB)."""
    if name == "http1":
        return HTTP1Transport
    from gateway.aiohttp_transport import AiohttpTransport  # noqa: PLC0415

    return AiohttpTransport
