"""The HTTP client of the hot path: our own (`gateway.http1`), or the reference and fallback on aiohttp.

Both keep the contract of `connectors.contract.HTTPClient`, and the same tests run on both; `LGSP_TRANSPORT` chooses.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gateway.deadlines import Deadlines
from gateway.egress import Egress
from gateway.http1.client import HTTP1Transport
from gateway.http1.limits import Limits

if TYPE_CHECKING:
    from gateway.aiohttp_transport import AiohttpTransport


def make_transport(
    name: Literal["http1", "aiohttp"],
    *,
    egress: Egress,
    deadlines: Deadlines,
    ca_file: Path | None,
    buffer_bytes: int,
    limits: Limits,
) -> "HTTP1Transport | AiohttpTransport":
    """Return the HTTP client of the data plane; the reference one is loaded only where it is asked for (8 MB).

    `limits` are our own client's; the reference knows a call's deadline and its connect time alone.
    """
    if name == "http1":
        return HTTP1Transport(
            egress=egress, deadlines=deadlines, ca_file=ca_file, buffer_bytes=buffer_bytes, limits=limits
        )
    from gateway.aiohttp_transport import AiohttpTransport  # noqa: PLC0415

    return AiohttpTransport(egress=egress, deadlines=deadlines, ca_file=ca_file, buffer_bytes=buffer_bytes)
