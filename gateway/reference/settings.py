"""docs/reference/settings.md, from the fields of the settings."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.settings import PREFIX, ClientSettings, Settings

HEAD = """# Settings

A node reads its settings once, when it starts: from the environment, then from the TOML file that
`LGSP_SETTINGS_FILE` names (the same names in lower case and without `LGSP_`, so `LGSP_LISTEN` is `listen`). What the
environment says wins. A name that is not listed here is an error, and so is a value that does not fit. Lists are
written with commas in the environment and as arrays in the file.
"""
COMMANDS = """
## For commands that speak to a node

`lgsp apply`, `call`, `connectivity` and the like read these from the environment only; each has an option that goes
before it.
"""
TAIL = """
## Others

| variable | what |
|---|---|
| `LGSP_SETTINGS_FILE` | TOML file with settings of the first table. |
| `SECRET_…` | Values of organisations' secrets that `LGSP_SECRETS_FILE` binds to a variable; [the REST connector](connectors/rest.md) shows how. |
"""


def settings_page() -> str:
    """Return docs/reference/settings.md."""
    lines = [HEAD, *_table(Settings), COMMANDS, *_table(ClientSettings), TAIL.rstrip()]
    return "\n".join(lines) + "\n"


def _table(model: type[BaseModel]) -> Iterator[str]:
    shapes = model.model_json_schema()["properties"]
    yield "| variable | value | default | what |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        shown = _value(shapes[name], field)
        yield f"| `{PREFIX}{name.upper()}` | {shown} | {_default(field)} | {field.description} |"


def _value(shape: dict[str, Any], field: FieldInfo) -> str:  # Any: a JSON Schema
    if "enum" in shape:
        return ", ".join(f"`{choice}`" for choice in shape["enum"])
    chosen = next((one for one in shape.get("anyOf", ()) if one.get("type") != "null"), shape)
    kind = "list" if chosen.get("type") == "array" else str(chosen.get("type", "text"))
    if chosen.get("format") == "path":
        kind = "path"
    elif chosen.get("format") == "password" or "SecretStr" in str(get_args(field.annotation)):
        kind = "text, secret"
    words = {"string": "text", "integer": "whole number", "number": "number"}
    return ", ".join([words.get(kind, kind), *_limits(chosen)])


def _limits(shape: dict[str, Any]) -> Iterator[str]:  # Any: a JSON Schema
    for name, word in (("minimum", "at least"), ("exclusiveMinimum", "above"), ("maximum", "at most")):
        if name in shape:
            yield f"{word} {shape[name]:g}"


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value == ():
        return "-"
    return f"`{','.join(value) if isinstance(value, tuple) else value}`"
