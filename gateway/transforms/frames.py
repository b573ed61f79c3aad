"""What the node and its guest processes say to each other: a header in JSON and a body, each with its length."""

import json
import struct
from collections.abc import Callable
from typing import Any

_LENGTHS = struct.Struct(">II")
LONGEST = 1 << 30


def render_frame(header: dict[str, Any], body: bytes = b"") -> bytes:  # Any: JSON
    """Return a frame as bytes."""
    head = json.dumps(header).encode()
    return _LENGTHS.pack(len(head), len(body)) + head + body


def read_frame(read: Callable[[int], bytes]) -> tuple[dict[str, Any], bytes]:  # Any: JSON
    """Read a frame; `read` returns exactly as many bytes as it is asked for, or raises EOFError."""
    head, body = _LENGTHS.unpack(read(_LENGTHS.size))
    if head > LONGEST or body > LONGEST:
        raise EOFError("The frame is too long.")
    return json.loads(read(head)), read(body)
