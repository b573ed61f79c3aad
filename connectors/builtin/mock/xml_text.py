"""JSON as XML, by the `xml` keywords of an OpenAPI schema: for answers in XML, and for XML inside JSON."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from connectors.builtin.mock.facts import Schema

_NAME = re.compile(r"[^\W\d][\w.\-]*")
_NOTHING: Schema = {}


def render_xml(value: Any, schema: Schema, name: str) -> str:  # Any: JSON
    """Return a value as an element. Raises ValueError for names that XML does not take."""
    return "".join(_element(value, schema, name, ""))


def _element(value: Any, schema: Schema, name: str, above: str) -> Iterator[str]:  # Any: JSON
    keywords = schema.get("xml") or _NOTHING
    name = str(keywords.get("name", name))
    if not _NAME.fullmatch(name):
        raise ValueError("a name is none in XML")
    space = str(keywords.get("namespace", above))
    attributes, inside = _parts(value, schema, space) if isinstance(value, dict) else ("", _text(value))
    declared = f" xmlns={quoteattr(space)}" if space != above else ""
    yield f"<{name}{declared}{attributes}>{inside}</{name}>"


def _parts(value: Mapping[str, Any], schema: Schema, space: str) -> tuple[str, str]:
    """Return an object's attributes, and what stands inside it."""
    attributes, inside = "", ""
    members: Schema = schema.get("properties") or _NOTHING
    for key, one in value.items():
        inner: Schema = members.get(key) or _NOTHING
        keywords = inner.get("xml") or _NOTHING
        if keywords.get("attribute"):
            attributes += f" {keywords.get('name', key)}={quoteattr('' if one is None else str(one))}"
        elif isinstance(one, list):
            inside += _list(one, inner, key, space)
        elif one is not None:
            inside += "".join(_element(one, inner, key, space))
    return attributes, inside


def _list(values: list[Any], schema: Schema, key: str, space: str) -> str:
    items: Schema = schema.get("items") or _NOTHING
    keywords = schema.get("xml") or _NOTHING
    inside = "".join("".join(_element(one, items, key, space)) for one in values)
    return (
        f"<{keywords.get('name', key)}>{inside}</{keywords.get('name', key)}>"
        if keywords.get("wrapped")
        else inside
    )


def _text(value: Any) -> str:  # Any: JSON
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else escape(str(value))
