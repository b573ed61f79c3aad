"""A caller's request as the provider calls it: method, path and query by declared templates.

Values are encoded once, as bytes, and stay in their segment: dots, slashes, question and number signs of a value
cannot change what is asked for.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from connectors.builtin.rest.errors import Unfit
from connectors.builtin.rest.operation_settings import VARIABLE, OperationSettings
from connectors.contract import Call
from connectors.message import Message

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_SEGMENTS = re.compile(rb"[/\\;]")
_MOST_PARAMETERS = 200
_BODILESS = frozenset({"GET", "HEAD"})
_OF_BODY = frozenset({b"content-length", b"content-type", b"content-encoding", b"content-digest", b"digest"})


class Operation:
    """One operation, ready to be asked for."""

    def __init__(self, settings: OperationSettings) -> None:
        self.pages = settings.pages
        self._method = settings.method
        self._path = settings.path
        self._query = settings.query
        self._taken = frozenset(name for name, _ in VARIABLE.findall(settings.path or ""))

    def rewritten(self, call: Call) -> Call:
        """Return the call as the provider has it. Raises Unfit."""
        of_path = path_variables(call.template, call.path)
        of_query = query_variables(call.query) if "{" in f"{self._path}{self._query}" else {}
        made = replace(call, method=self._method or call.method)
        if self._path is not None:
            made.path = _filled_path(self._path, of_path, of_query)
            made.query = without(call.query, self._taken)
        if self._query is not None:
            made.query = _filled_query(self._query, of_path, of_query)
        if self._method in _BODILESS and call.message.body != b"":
            made.message = _without_body(call.message)
        return made


def path_variables(template: str, path: str) -> dict[str, tuple[bytes, bool]]:
    """Return the variables of a path by name, decoded, and whether they are the rest of it.

    The host matched the path with the template before, so nothing but the positions is looked at.
    """
    found: dict[str, tuple[bytes, bool]] = {}
    segments = path[1:].split("/")
    for at, part in enumerate(template[1:].split("/")):
        variable = VARIABLE.fullmatch(part)
        if variable is None or at >= len(segments):
            continue
        if variable[2]:
            found[variable[1]] = (unquote_to_bytes("/".join(segments[at:])), True)
            break
        found[variable[1]] = (unquote_to_bytes(segments[at]), False)
    return found


def query_variables(query: str) -> dict[str, bytes | None]:
    """Return the parameters of a query by name, decoded; None for one that is given twice. Raises Unfit."""
    found: dict[str, bytes | None] = {}
    fields = query.split("&") if query else []
    if len(fields) > _MOST_PARAMETERS:
        raise Unfit("query: too many parameters")
    for field in fields:
        name, _, value = field.partition("=")
        key = decoded(name).decode("utf-8", "replace")
        found[key] = None if key in found else decoded(value)
    return found


def without(query: str, names: frozenset[str]) -> str:
    """Return a query without the parameters of these names, the others byte for byte."""
    if not names or not query:
        return query
    return "&".join(field for field in query.split("&") if not _is_named(field, names))


def decoded(text: str) -> bytes:
    """Return the bytes that a name or value of a query stands for."""
    return unquote_to_bytes(text.replace("+", " ").encode("latin-1", "replace"))


def encoded(value: bytes) -> str:
    """Return a value as it stands in an address."""
    return quote_from_bytes(value, safe="")


def _is_named(field: str, names: frozenset[str]) -> bool:
    return decoded(field.partition("=")[0]).decode("utf-8", "replace") in names


def _filled_path(
    template: str, of_path: Mapping[str, tuple[bytes, bool]], of_query: Mapping[str, bytes | None]
) -> str:
    def fill(match: re.Match[str]) -> str:
        name = match[1]
        value, is_rest = of_path.get(name) or (_once(name, of_query.get(name, b"")), False)
        _check(name, value)
        if match[2] and is_rest:
            return "/".join(encoded(segment) for segment in value.split(b"/"))
        return encoded(value)

    return VARIABLE.sub(fill, template)


def _check(name: str, value: bytes) -> None:
    """Refuse what a careless server could read as another path once it has decoded it."""
    if not value:
        raise Unfit(f"{name}: required")
    if _CONTROL.search(value):
        raise Unfit(f"{name}: control character")
    if any(segment in (b".", b"..") for segment in _SEGMENTS.split(value)):
        raise Unfit(f"{name}: dot segment")


def _filled_query(
    templates: Mapping[str, str],
    of_path: Mapping[str, tuple[bytes, bool]],
    of_query: Mapping[str, bytes | None],
) -> str:
    values: dict[str, bytes | None] = dict(of_query) | {name: value for name, (value, _) in of_path.items()}
    fields: list[str] = []
    for name, template in templates.items():
        wanted = [variable for variable, _ in VARIABLE.findall(template)]
        if any(variable not in values for variable in wanted):
            continue
        found = {variable: encoded(_once(variable, values[variable])) for variable in wanted}
        # The braces of variables are left; what else the template holds is encoded with the rest.
        value = quote(template, safe="{}")
        for variable, text in found.items():
            value = value.replace(f"{{{variable}}}", text)
        fields.append(f"{encoded(name.encode())}={value}")
    return "&".join(fields)


def _once(name: str, value: bytes | None) -> bytes:
    if value is None:
        raise Unfit(f"query:{name}: given twice")
    return value


def _without_body(message: Message) -> Message:
    return Message(b"", "", [field for field in message.headers if field[0] not in _OF_BODY])
