"""docs/reference/registry.md: what objects of the registry hold, and the steps of their lives."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from registry.documents import schema, schema_of
from registry.entities import SPECS, Kind
from registry.register import STEPS
from registry.register.steps import INTERNAL_STEPS

Shape = Mapping[str, Any]  # Any: a JSON Schema

HEAD = """# Registry objects

What a person writes of each kind: in YAML under the kind's name (`lgsp apply`), or as JSON on the admin API. Unknown
fields are refused. A reference is an id or a label. Times carry their offset (`2026-01-31T08:00:00+07:00`); days are those of
Vietnam.

In YAML, versions and grants also take `status`, and `lgsp apply` takes the steps that lead there (`published`, `deprecated`,
`retired`, with `sunset_at`; `approved`, `suspended`, `revoked`, …). Grants may carry `name` (`<consumer>/<service>`). Kill switches and
maintenance windows are steps of the admin API only, so that applying a file never ends one.
"""
LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "maxItems": "at most {}",
    "minItems": "at least {}",
}


def objects_page() -> str:
    """Return docs/reference/registry.md."""
    shared: dict[str, Shape] = {}
    lines = [HEAD.rstrip("\n")]
    for kind in Kind:
        shape = _with_choices(schema(kind, spec=True))
        shared |= shape.get("$defs", {})
        lines += ["", f"## {kind.value}", "", *_described(_resolved(shape)), *_steps(kind)]
    lines += ["", "## Parts of objects"]
    whole = {spec.__name__ for spec in SPECS.values()}
    for name in sorted(shared):
        if "properties" in shared[name] and name not in whole:
            lines += ["", f"### {name}", "", *_described(shared[name])]
    return "\n".join(lines) + "\n"


def _with_choices(shape: Any) -> Any:  # Any: a JSON Schema, whole or in part
    """Put the values of a choice where the schema only names it."""
    definitions: Shape = shape.get("$defs", {})

    def put(part: Any) -> Any:  # Any: as above
        if isinstance(part, list):
            return [put(one) for one in part]
        if not isinstance(part, dict):
            return part
        named = definitions.get(str(part.get("$ref", "")).rpartition("/")[2], {})
        if "enum" not in named or named["title"] == "Role":
            named = {}
        return {**named, **{name: put(value) for name, value in part.items() if not named or name != "$ref"}}

    return put(shape)


def _resolved(shape: Shape) -> Shape:
    return shape["$defs"][shape["$ref"].rpartition("/")[2]] if "$ref" in shape else shape


def _described(shape: Shape) -> Iterator[str]:
    yield shape.get("description", "")
    yield ""
    yield "| field | value | default |"
    yield "|---|---|---|"
    for name, field in shape["properties"].items():
        default = "required" if name in shape.get("required", ()) else _default(field)
        yield f"| `{name}` | {_value(field)} | {default} |"


def _default(field: Shape) -> str:
    value = field.get("default")
    return "-" if value in (None, "", [], {}) else f"`{json.dumps(value)}`"


def _value(field: Shape) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return "[a role](roles.md)" if name == "Role" else f"[{name}](#{name.lower()})"
    choices = [one for one in field.get("anyOf", ()) if one.get("type") != "null"]
    if choices:
        return " or ".join(_value(one) for one in choices)
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    limits = [words.format(field[name]) for name, words in LIMITS.items() if name in field]
    return ", ".join([_type(field), *limits])


def _type(field: Shape) -> str:
    match field.get("type"):
        case "array":
            return f"list of {_value(field['items'])}"
        case "object":
            named = field.get("patternProperties") or {"": field.get("additionalProperties")}
            of = next(iter(named.values()))
            return f"names with {_value(of)}" if isinstance(of, dict) and of else "names with values"
        case "string":
            return {"date": "day", "date-time": "time"}.get(field.get("format", ""), "text")
        case "integer":
            return "whole number"
        case "boolean":
            return "`true` or `false`"
        case kind:
            return str(kind or "anything")


def _steps(kind: Kind) -> Iterator[str]:
    steps = {name: what for name, what in STEPS.get(kind, {}).items() if name not in INTERNAL_STEPS}
    if not steps:
        return
    yield ""
    yield f"Steps (`POST /admin/v1/{kind.value}/{{label}}/actions/{{step}}`):"
    yield ""
    yield "| step | takes | what it takes |"
    yield "|---|---|---|"
    for name, what in steps.items():
        shape = _resolved(schema_of(what))
        required = shape.get("required", ())
        fields = [f"`{field}`" + ("" if field in required else "?") for field in shape.get("properties", {})]
        yield f"| `{name}` | {', '.join(fields) or '-'} | {shape.get('description', '')} |"
