"""What can stand in the head of an HTTP answer (RFC 9110, 5.1, 5.5 and 15)."""

import re
from typing import Final

from connectors.message import Headers

_NAME_BYTES: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_MEDIA_TYPE: Final = re.compile(r"[\x20-\x7e]{0,200}")
_FIRST_STATUS: Final = 200
_LAST_STATUS: Final = 599


def head_fits(status: int, headers: Headers) -> bool:
    """Say whether an answer's head can be sent as it is.

    The status is a final one; names are tokens in lower case, as the contract has them; values hold no control
    character but the tab: with one, an answer would have fields that nobody wrote, or end where it does not.
    """
    names = [name for name, _ in headers]
    values = [value for _, value in headers]
    return (
        _FIRST_STATUS <= status <= _LAST_STATUS
        and b"" not in names
        and not b"".join(names).translate(None, _NAME_BYTES)
        and not _CONTROLS.search(b"".join(values))
    )


def is_media_type(text: str) -> bool:
    """Say whether a text can be sent as a media type: visible ASCII and blanks, 200 characters at most."""
    return _MEDIA_TYPE.fullmatch(text) is not None
