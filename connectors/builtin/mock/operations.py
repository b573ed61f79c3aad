"""The operations of an OpenAPI description, and which of them a call means."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from connectors.builtin.mock.cases import When, parse_when
from connectors.builtin.mock.facts import Schema
from connectors.builtin.mock.invent import resolve
from connectors.heads import is_media_type

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_FIRST_BAD = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A described example, and for which questions it is the answer (None: for any)."""

    name: str
    status: int
    media_type: str
    value: Any  # Any: JSON
    when: When | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MockOperation:
    """One described operation with the answer that means success."""

    name: str
    method: str
    path: str
    status: int
    media_type: str
    content: Schema | None
    answers: tuple[Answer, ...]

    def by_name(self, name: str) -> Answer | None:
        """Return the described example of this name."""
        return next((one for one in self.answers if name and one.name == name), None)

    def by_question(self, asked: Mapping[str, Any], *, found: bool) -> Answer | None:
        """Return the example for questions like this one."""
        for one in self.answers:
            if one.when is not None and one.when.holds(asked, found=found):
                return one
        return None

    def usual(self) -> Answer | None:
        """Return the first example of a success that is for any question."""
        return next((one for one in self.answers if one.when is None and one.status == self.status), None)


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
    responses = {
        str(code): resolve(description, _mapping(response))
        for code, response in _mapping(described.get("responses", {})).items()
        if not str(code).startswith("x-")
    }
    good = sorted(code for code in responses if code[:1] == "2")
    chosen = good[0] if good else "default" if "default" in responses else None
    response = responses[chosen] if chosen else {}
    media_type, content = _content(_mapping(response.get("content", {})))
    return MockOperation(
        name=str(described.get("operationId") or f"{method} {path}"),
        method=method.upper(),
        path=path,
        status=_status(chosen),
        media_type=media_type,
        content=content,
        answers=tuple(
            answer for code, one in responses.items() for answer in _answers(description, _status(code), one)
        ),
    )


def _status(code: str | None) -> int:
    """Return the status that a key of `responses` means (`default` and `2XX` mean no certain one)."""
    return (
        int(code) if code and code.isdecimal() else int(code[0]) * 100 if code and code[1:] == "XX" else 200
    )


def _answers(description: Schema, status: int, response: Schema) -> Iterator[Answer]:
    """Return the examples of a response, an unnamed one first. Raises ValueError."""
    media_type, content = _content(_mapping(response.get("content", {})))
    named = (content or {}).get("examples") or {}
    found = {"": {"value": content["example"]}} if content and "example" in content else {}
    for name, example in [*found.items(), *_mapping(named).items()]:
        whole = resolve(description, example) if isinstance(example, Mapping) else {}
        if "value" in whole:
            when = whole.get("x-mock-when")
            yield Answer(
                name=str(name),
                status=status,
                media_type=media_type,
                value=whole["value"],
                when=None if when is None else parse_when(_mapping(when)),
            )


def _content(content: Schema) -> tuple[str, Schema | None]:
    """Return the media type to answer with, JSON before others, and what is described for it. Raises ValueError."""
    for media_type in content:
        if not is_media_type(str(media_type)):
            raise ValueError("a media type holds characters that cannot be sent")
    for media_type, described in content.items():
        if media_type.partition(";")[0].endswith(("/json", "+json", "/*")):
            return ("application/json" if "*" in media_type else media_type), _mapping(described)
    return next(((media_type, _mapping(described)) for media_type, described in content.items()), ("", None))


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
