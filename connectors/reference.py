"""The part of a connector's reference page that its settings say themselves."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.contract import Connector

_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "maxItems": "at most {}",
}


def render_reference(connector: type[Connector]) -> str:
    """Return the capabilities and all settings of a connector as Markdown."""
    can = connector.capabilities
    schema = connector.Settings.model_json_schema()
    lines = [
        f"Kind `{connector.kind}`, version {connector.version}. Streaming: {'yes' if can.streaming else 'no'}; "
        f"idempotence: {can.idempotence}; ordering: {'yes' if can.ordering else 'no'}; "
        f"most calls in flight: {can.max_in_flight or 'as the endpoint says'}.",
        "",
        *_table(schema),
    ]
    for name, definition in schema.get("$defs", {}).items():
        lines += ["", f"### {name}", "", definition.get("description", ""), "", *_table(definition)]
    return "\n".join(lines) + "\n"


def _table(schema: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required", ())
    yield "| setting | type | default | what |"
    yield "|---|---|---|---|"
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in required else f"`{json.dumps(field.get('default', _empty(field)))}`"
        what = field.get("description", "") or field.get("title", "")
        yield f"| `{name}` | {_type(field)} | {default} | {what} |"


def _empty(field: Mapping[str, Any]) -> object:
    return {} if field.get("type") == "object" else None


def _type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return _linked(field["$ref"])
    for several in ("anyOf", "oneOf"):
        if several in field:
            return " or ".join(_type(one) for one in field[several])
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    text = str(field.get("type", "any"))
    if text == "array":
        text = f"list of {_type(field.get('items', {}))}"
    limits = [words.format(field[limit]) for limit, words in _LIMITS.items() if limit in field]
    return f"{text} ({', '.join(limits)})" if limits else text


def _linked(reference: str) -> str:
    name = reference.rpartition("/")[2]
    return f"[{name}](#{name.lower()})"
