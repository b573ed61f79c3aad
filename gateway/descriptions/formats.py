"""The forms in which descriptions are taken, by their media types, each with the function that reads it.

Reading is work of seconds for a large description: it is done in a process of its own, which is ended when it takes
too long.
"""

import json
import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from anyio import BrokenWorkerProcess, fail_after, to_process

from gateway.descriptions.mock import servable
from registry.descriptions.described import Described
from registry.descriptions.openapi import read_openapi
from registry.errors import Flaw, Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is wanted of a description: names of operations (all when empty), and of a WSDL its service and port.

    `mock`: with the settings of a mock.
    """

    only: frozenset[str] = frozenset()
    service: str | None = None
    port: str | None = None
    mock: bool = False


Reader = Callable[[bytes, Selection], Described]
"""Takes a description as it came. Raises Invalid."""

LONGEST_SECONDS: Final = 60.0
MOST_MEMORY: Final = 3 << 30
MOST_BYTES: Final = 24 * 1024 * 1024


def openapi(content: bytes, selection: Selection) -> Described:
    """Read OpenAPI, JSON or YAML."""
    return servable(read_openapi(_text(content), only=selection.only, mock=selection.mock))


def one_wsdl(content: bytes, selection: Selection) -> Described:
    """Read a WSDL that imports nothing."""
    return _wsdl([("description.wsdl", _text(content))], selection)


def several_wsdl(content: bytes, selection: Selection) -> Described:
    """Read a WSDL with the files that it imports: `{"files": [{"name", "text"}, …]}`, the WSDL first."""
    try:
        files = [(one["name"], one["text"]) for one in json.loads(_text(content))["files"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _unusable('Files are given as {"files": [{"name": "…", "text": "…"}]}.', "/files") from None
    if not files or not all(isinstance(part, str) for one in files for part in one):
        raise _unusable("At least one file is needed, each with its name and text.", "/files")
    return _wsdl(files, selection)


def _wsdl(files: Sequence[tuple[str, str]], selection: Selection) -> Described:
    try:
        from gateway.descriptions.wsdl import Chosen, File, read_wsdl  # noqa: PLC0415  (the extra `soap`)

        chosen = Chosen(service=selection.service, port=selection.port, only=selection.only)
        return read_wsdl([File(name, text) for name, text in files], chosen)
    except ModuleNotFoundError:
        raise _unusable("This node cannot read WSDL: its extra `soap` is not installed.") from None


SEVERAL: Final = "application/vnd.lgsp.wsdl+json"
FORMATS: Final[Mapping[str, Reader]] = {
    **dict.fromkeys(
        (
            "application/json",
            "application/yaml",
            "application/x-yaml",
            "text/yaml",
            "application/vnd.oai.openapi",
            "application/vnd.oai.openapi+json",
        ),
        openapi,
    ),
    **dict.fromkeys(("text/xml", "application/xml", "application/wsdl+xml"), one_wsdl),
    SEVERAL: several_wsdl,
}
"""Media type -> reader."""


async def read(
    reader: Reader, content: bytes, selection: Selection, *, seconds: float = LONGEST_SECONDS
) -> Described:
    """Return what a description comes to. Raises Invalid, also when it takes too much time or memory."""
    try:
        with fail_after(seconds):
            found = await to_process.run_sync(_read, reader, content, selection, cancellable=True)
    except TimeoutError:
        raise _too_large(f"takes longer than {seconds:g} seconds") from None
    except BrokenWorkerProcess:
        raise _too_large("takes more memory than it may") from None
    if isinstance(found, Described):
        return found
    raise Invalid(found)


def _read(reader: Reader, content: bytes, selection: Selection) -> Described | Sequence[Flaw]:
    """Read, in a process of its own: an error would not come through whole, so its flaws are returned."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    may_have = MOST_MEMORY if most == resource.RLIM_INFINITY else min(MOST_MEMORY, most)
    resource.setrlimit(resource.RLIMIT_AS, (may_have, most))
    try:
        return reader(content, selection)
    except Invalid as error:
        return error.flaws
    except MemoryError:
        return _too_large("takes more memory than it may").flaws


def _too_large(what: str) -> Invalid:
    return _unusable(f"Reading it {what}; take it in parts, by `only`.")


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unusable(f"This is not UTF-8, at byte {error.start}; save it as UTF-8.") from None


def _unusable(told: str, pointer: str = "") -> Invalid:
    return Invalid([Flaw(pointer, "description", told)])
