"""The operations of an OpenAPI description, and which of them a call means."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from connectors.builtin.mock.invent import Schema, resolve

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_FIRST_BAD = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class MockOperation:
    """One described operation with the answer that means success."""

    name: str
    method: str
    path: str
    status: int
    media_type: str
    content: Schema | None

    def examples(self) -> dict[str, Any]:  # Any: JSON
        """Return the described examples by name; an unnamed one first."""
        content = self.content or {}
        found = {"": content["example"]} if "example" in content else {}
        named = content.get("examples") or {}
        return found | {
            name: it["value"] for name, it in named.items() if isinstance(it, Mapping) and "value" in it
        }


def operations_of(description: Schema) -> list[MockOperation]:
    """Return what a description describes. Raises ValueError."""
    return list(_operations(description))


def _operations(description: Schema) -> Iterator[MockOperation]:
    for path, item in description["paths"].items():
        whole = resolve(description, _mapping(item))
        for method in METHODS:
            if method in whole:
                yield _operation(description, method, str(path), _mapping(whole[method]))


def _operation(description: Schema, method: str, path: str, described: Schema) -> MockOperation:
    responses = _mapping(described.get("responses", {}))
    good = sorted(code for code in map(str, responses) if code[:1] == "2")
    chosen = good[0] if good else "default" if "default" in responses else None
    response = resolve(description, _mapping(_by_text(responses, chosen))) if chosen else {}
    media_type, content = _content(_mapping(response.get("content", {})))
    return MockOperation(
        name=str(described.get("operationId") or f"{method} {path}"),
        method=method.upper(),
        path=path,
        status=int(chosen) if chosen and chosen.isdecimal() else 200,
        media_type=media_type,
        content=content,
    )


def _content(content: Schema) -> tuple[str, Schema | None]:
    for media_type, described in content.items():
        if media_type.partition(";")[0].endswith(("/json", "+json", "/*")):
            return ("application/json" if "*" in media_type else media_type), _mapping(described)
    return next(((media_type, _mapping(described)) for media_type, described in content.items()), ("", None))


def _by_text(responses: Schema, wanted: str) -> object:
    return next(value for code, value in responses.items() if str(code) == wanted)


def _mapping(value: object) -> Schema:
    if not isinstance(value, Mapping):
        raise ValueError("the description has something else where an object belongs")
    return value


def variables_of(path: str, template: str) -> dict[str, str] | None:
    """Return the values of a template's variables in a path, None when it is another path."""
    segments, wanted = path.strip("/").split("/"), template.strip("/").split("/")
    if len(segments) != len(wanted):
        return None
    found: dict[str, str] = {}
    for segment, part in zip(segments, wanted, strict=True):
        if part[:1] == "{" and part[-1:] == "}":
            found[part[1:-1]] = unquote(segment)
        elif segment != part:
            return None
    return found
