"""base64url as RFC 7515 writes it: no padding, and exactly one spelling for each value."""

import base64
import re

ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def encode(raw: bytes) -> str:
    """Write bytes in base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Read base64url.

    Raises:
        ValueError: padding, a strange character, or a spelling that `encode` would not have written.
    """
    if ALPHABET.fullmatch(text) is None:
        raise ValueError("not base64url")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # Unused bits at the end can be set at will: such a text is another spelling of the same bytes.
    if encode(raw) != text:
        raise ValueError("not the one spelling of its value")
    return raw
