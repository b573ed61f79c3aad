"""Bodies of a described operation: what is asked, and what is answered when all is well."""

import re
from typing import Any, Final

import orjson

from registry.descriptions.schemas import SchemaReader
from registry.descriptions.tree import Place, Tree
from registry.entities import BodyContract

_JSON: Final = re.compile(r"(application|text)/([a-z0-9.+\-]+\+)?json(;.*)?", re.IGNORECASE)
_ANY: Final = re.compile(r"\*/\*|application/\*", re.IGNORECASE)
_MEDIA_TYPE: Final = re.compile(r"[!-~][ -~]{0,98}")
_MOST_EXAMPLES: Final = 50
_LARGEST_EXAMPLE: Final = 100_000
_DEEPEST_EXAMPLE: Final = 25
_USUAL: Final = "application/json"


class MessageReader:
    """Reads the bodies of one description."""

    def __init__(self, tree: Tree, schemas: SchemaReader) -> None:
        self._tree = tree
        self._notes = tree.notes
        self._schemas = schemas

    def request(self, operation: Place) -> BodyContract | None:
        """Return what an operation takes as its body; None when that is nothing."""
        stated = operation.get("requestBody")
        body = self._tree.follow(stated) if stated.is_there else None
        if body is None:
            return None
        return self._body(body, required=body.get("required").value is True)

    def reply(self, operation: Place) -> BodyContract | None:
        """Return what an operation answers when all is well; None when nothing is said of it."""
        responses = operation.get("responses")
        found = self._success(responses)
        if found is None:
            return None
        if any(not str(name).lower().startswith("lgsp-") for name in found.get("headers").mapping):
            self._notes.add(found.get("headers").pointer, "reply-headers")
        return self._body(found, required=True)

    def _success(self, responses: Place) -> Place | None:
        """Return the response that stands for success: the lowest status from 200 to 299 that has a body."""
        good = [
            (code, place)
            for code, place in responses.each()
            if re.fullmatch(r"2\d\d|2XX", code, re.IGNORECASE)
        ]
        followed = [
            (code, self._tree.follow(place)) for code, place in sorted(good, key=lambda one: one[0].upper())
        ]
        known = [place for _, place in followed if place is not None]
        with_body = [place for place in known if place.get("content").mapping]
        if len({str(place.get("content").value) for place in with_body}) > 1:
            self._notes.add(responses.pointer, "reply-others", ", ".join(code for code, _ in followed))
        if known:
            return (with_body or known)[0]
        fallback = responses.get("default")
        if fallback.is_there and not good:
            self._notes.add(fallback.pointer, "reply-default")
            return self._tree.follow(fallback)
        self._notes.add(responses.pointer, "reply-missing")
        return None

    def _body(self, place: Place, *, required: bool) -> BodyContract | None:
        content = place.get("content")
        chosen = self._choose(content)
        if chosen is None:
            return None
        media_type, media = chosen
        is_json = bool(_JSON.fullmatch(media_type) or _ANY.fullmatch(media_type))
        schema = media.get("schema")
        if schema.is_there and not is_json:
            self._notes.add(media.pointer, "not-json", media_type)
        return BodyContract(
            media_type=_USUAL if _ANY.fullmatch(media_type) else media_type,
            schema=self._schemas.read(schema) if schema.is_there and is_json else None,
            required=required and (is_json or bool(media_type)),
            examples=self._examples(media),
        )

    def _choose(self, content: Place) -> tuple[str, Place] | None:
        """Return the media type that is taken: JSON where there is some, else the first."""
        types = [
            (name.strip(), place) for name, place in content.each() if _MEDIA_TYPE.fullmatch(name.strip())
        ]
        if not types:
            return None
        ranked = sorted(types, key=lambda one: _rank(one[0]))
        for name, place in ranked[1:]:
            self._notes.add(place.pointer, "media-type", name)
        return ranked[0]

    def _examples(self, media: Place) -> dict[str, Any]:  # Any: JSON
        found: dict[str, Any] = {}
        if "example" in media.mapping:
            self._add(found, "example", media.get("example"))
        for name, stated in media.get("examples").each():
            place = self._tree.follow(stated)
            value = place.get("value") if place is not None else Place(None, stated.pointer)
            if place is None or not value.is_there:
                self._notes.add(stated.pointer, "example", name)
            else:
                self._add(found, name, value)
        return found

    def _add(self, found: dict[str, Any], name: str, place: Place) -> None:
        fits = len(found) < _MOST_EXAMPLES and _depth(place.value) <= _DEEPEST_EXAMPLE
        if (
            fits
            and len(orjson.dumps(place.value, option=orjson.OPT_PASSTHROUGH_SUBCLASS, default=str))
            <= _LARGEST_EXAMPLE
        ):
            found[name] = place.value
        else:
            self._notes.add(place.pointer, "example", name)


def _rank(media_type: str) -> int:
    if media_type.lower() == _USUAL:
        return 0
    if _JSON.fullmatch(media_type):
        return 1
    return 2 if _ANY.fullmatch(media_type) else 3


def _depth(value: Any, level: int = 0) -> int:  # Any: JSON
    if isinstance(value, dict):
        return max((_depth(one, level + 1) for one in value.values()), default=level)
    if isinstance(value, list):
        return max((_depth(one, level + 1) for one in value), default=level)
    return level
