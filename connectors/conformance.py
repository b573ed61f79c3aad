"""What of the contract can be seen of a connector without running it."""

import inspect
import re
from collections.abc import Iterator

from connectors.contract import Capabilities, ConnectorSettings

KIND = re.compile(r"[a-z][a-z0-9_-]{0,30}")
DECLARED = ("kind", "version", "capabilities", "Settings")
METHODS = ("open", "call", "check", "describe", "drain", "close")
IDEMPOTENCE = ("native", "by_key", "none")


def contract_flaws(connector: object) -> list[str]:
    """Return what is wrong with a would-be connector, each in a few words; empty when nothing is."""
    if not isinstance(connector, type):
        return [f"is a {type(connector).__name__}, not a class"]
    missing = [name for name in (*DECLARED, *METHODS) if not hasattr(connector, name)]
    if missing:
        return [f"lacks {', '.join(missing)}"]
    return [*_words(connector), *_capabilities(connector), *_settings(connector), *_methods(connector)]


def _words(connector: type) -> Iterator[str]:
    kind, version = getattr(connector, "kind", None), getattr(connector, "version", None)
    if not isinstance(kind, str) or KIND.fullmatch(kind) is None:
        yield "kind is not lower-case letters, digits, hyphens and underscores, 31 at most"
    if not isinstance(version, str) or not version:
        yield "version is not a text"


def _capabilities(connector: type) -> Iterator[str]:
    can = getattr(connector, "capabilities", None)
    if not isinstance(can, Capabilities):
        yield "capabilities is not a Capabilities"
        return
    if can.idempotence not in IDEMPOTENCE:
        yield f"capabilities.idempotence is none of {', '.join(IDEMPOTENCE)}"
    if can.max_in_flight is not None and not (type(can.max_in_flight) is int and can.max_in_flight > 0):
        yield "capabilities.max_in_flight is neither None nor above 0"


def _settings(connector: type) -> Iterator[str]:
    settings = getattr(connector, "Settings", None)
    if not (isinstance(settings, type) and issubclass(settings, ConnectorSettings)):
        yield "Settings is not a ConnectorSettings"
        return
    if not settings.model_config.get("frozen"):
        yield "Settings is not frozen"
    if settings.model_config.get("extra") != "forbid":
        yield "Settings takes unknown keys"
    try:
        settings.model_json_schema()
    except Exception as error:  # noqa: BLE001 (the author's own types may fail in any way)
        yield f"Settings has no JSON Schema ({type(error).__name__})"


def _methods(connector: type) -> Iterator[str]:
    for name in METHODS:
        if not inspect.iscoroutinefunction(inspect.getattr_static(connector, name)):
            yield f"{name} is not an async method"
    try:
        inspect.signature(connector).bind(None, None)
    except (TypeError, ValueError):
        yield "is not made from settings and context"
