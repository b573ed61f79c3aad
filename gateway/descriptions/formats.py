"""The forms in which descriptions are taken, by their media types, each with the function that reads it.

Reading is work of seconds for a large description: it is done in a process of its own, which is ended when it takes
too long.
"""

import resource
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from anyio import BrokenWorkerProcess, fail_after, to_process

from registry.descriptions.described import Described
from registry.descriptions.openapi import read_openapi
from registry.errors import Flaw, Invalid

Reader = Callable[[bytes, frozenset[str]], Described]
"""Takes a description, and the names of what is wanted of it (all when empty). Raises Invalid."""

LONGEST_SECONDS: Final = 60.0
MOST_MEMORY: Final = 3 << 30
MOST_BYTES: Final = 24 * 1024 * 1024


def openapi(content: bytes, only: frozenset[str]) -> Described:
    """Read OpenAPI, JSON or YAML."""
    return read_openapi(_text(content), only=only)


FORMATS: Final[Mapping[str, Reader]] = dict.fromkeys(
    (
        "application/json",
        "application/yaml",
        "application/x-yaml",
        "text/yaml",
        "application/vnd.oai.openapi",
        "application/vnd.oai.openapi+json",
    ),
    openapi,
)
"""Media type -> reader."""


async def read(reader: Reader, content: bytes, only: frozenset[str]) -> Described:
    """Return what a description comes to. Raises Invalid, also when it takes too much time or memory."""
    try:
        with fail_after(LONGEST_SECONDS):
            found = await to_process.run_sync(_read, reader, content, only, cancellable=True)
    except TimeoutError:
        raise _too_large(f"takes longer than {LONGEST_SECONDS:.0f} seconds") from None
    except BrokenWorkerProcess:
        raise _too_large("takes more memory than it may") from None
    if isinstance(found, Described):
        return found
    raise Invalid(found)


def _read(reader: Reader, content: bytes, only: frozenset[str]) -> Described | Sequence[Flaw]:
    """Read, in a process of its own: an error would not come through whole, so its flaws are returned."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    may_have = MOST_MEMORY if most == resource.RLIM_INFINITY else min(MOST_MEMORY, most)
    resource.setrlimit(resource.RLIMIT_AS, (may_have, most))
    try:
        return reader(content, only)
    except Invalid as error:
        return error.flaws
    except MemoryError:
        return _too_large("takes more memory than it may").flaws


def _too_large(what: str) -> Invalid:
    return Invalid([Flaw("", "description", f"Reading it {what}; take it in parts, by `only`.")])


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        told = f"This is not UTF-8, at byte {error.start}; save it as UTF-8."
        raise Invalid([Flaw("", "description", told)]) from None
