"""One direction of an exchange, free of protocol."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

Headers = list[tuple[bytes, bytes]]
"""Header fields in order; names in lower case."""

Body = bytes | AsyncIterator[bytes]
"""Whole in memory, or (above the node's limit, 64 KiB) as a stream that is read once."""


@dataclass(slots=True)
class Message:
    """A body with its media type and headers."""

    body: Body = b""
    media_type: str = ""
    headers: Headers = field(default_factory=list)
