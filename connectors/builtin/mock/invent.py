"""An answer out of a JSON Schema: the same for the same question, within bounds of depth and size."""

import re
from collections.abc import Mapping
from random import Random
from typing import Any

from connectors.builtin.mock import people

MOST_DEPTH = 8
MOST_VALUES = 2000
MOST_ITEMS = 3

Schema = Mapping[str, Any]  # Any: a part of a description

_DIGITS = re.compile(r"\^?(?:\\d|\[0-9\])\{(\d{1,2})(?:,\d*)?\}\$?")
_BY_FORMAT: Mapping[str, people.Make] = {
    "date": people.day,
    "date-time": lambda random: f"{people.day(random)}T08:{random.randrange(60):02}:00+07:00",
    "time": lambda random: f"08:{random.randrange(60):02}:00",
    "email": lambda random: f"nguoi-{random.randrange(10_000)}@demo.invalid",
    "uri": lambda random: f"https://demo.invalid/{random.randrange(10_000)}",
    "uuid": lambda random: "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}".format(
        *(random.getrandbits(bits) for bits in (32, 16, 12, 12, 48))
    ),
}


class Inventor:
    """Makes one answer. `asked` holds the question's values by name: members of the same name repeat them."""

    def __init__(self, description: Schema, random: Random, asked: Mapping[str, Any]) -> None:
        self._description = description
        self._random = random
        self._asked = asked
        self._left = MOST_VALUES

    def make(self, schema: Schema, member: str = "", depth: int = 0) -> Any:  # Any: JSON
        """Return a value for a schema."""
        schema = self._whole(schema)
        self._left -= 1
        if self._left < 0 or depth > MOST_DEPTH:
            return None
        fixed, value = _fixed(schema, self._random)
        if fixed:
            return value
        kind = _kind(schema)
        asked = self._asked.get(member)
        if asked is not None and _fits(asked, kind):
            return asked
        if kind in ("object", "array"):
            return self._object(schema, depth) if kind == "object" else self._array(schema, member, depth)
        return self._simple(schema, kind, member)

    def _simple(self, schema: Schema, kind: str, member: str) -> str | float | bool | None:
        match kind:
            case "string":
                return self._string(schema, member)
            case "integer" | "number":
                return self._number(schema, whole=kind == "integer")
            case "boolean":
                return self._random.random() < 0.5  # noqa: PLR2004 (a coin)
            case _:
                return None

    def _whole(self, schema: Schema) -> Schema:
        """Follow references; put together what `allOf` takes apart; take one of several."""
        for _ in range(MOST_DEPTH):
            if "$ref" in schema:
                schema = resolve(self._description, schema)
            elif "allOf" in schema:
                schema = self._together(schema)
            elif schema.get("oneOf") or schema.get("anyOf"):
                several = [it for it in schema.get("oneOf") or schema["anyOf"] if it.get("type") != "null"]
                schema = self._random.choice(several) if several else {"type": "null"}
            else:
                return schema
        return {}

    def _together(self, schema: Schema) -> Schema:
        merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
        merged["properties"] = dict(merged.get("properties", {}))
        for part in schema["allOf"]:
            part = self._whole(part)  # noqa: PLW2901 (the same part, whole)
            merged["properties"] |= part.get("properties", {})
            for key, value in part.items():
                merged.setdefault(key, value)
        if not merged["properties"]:
            del merged["properties"]
        return merged

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        return {
            name: self.make(member, name, depth + 1) for name, member in schema.get("properties", {}).items()
        }

    def _array(self, schema: Schema, member: str, depth: int) -> list[Any]:
        least = int(schema.get("minItems", 1))
        most = max(least, min(int(schema.get("maxItems", MOST_ITEMS)), MOST_ITEMS))
        count = min(self._random.randint(least, most), 100)
        return [self.make(schema.get("items", {}), member, depth + 1) for _ in range(count)]

    def _string(self, schema: Schema, member: str) -> str:
        random = self._random
        counted = _DIGITS.fullmatch(str(schema.get("pattern", "")))
        make = _BY_FORMAT.get(schema.get("format", "")) or people.maker_for(member)
        if counted and int(counted[1]):
            text = people.digits(random, int(counted[1]))
        elif make is not None:
            text = make(random)
        else:
            text = f"Giả lập {random.randrange(1000)}"
        text = text[: int(schema.get("maxLength", 10_000))]
        return text.ljust(min(int(schema.get("minLength", 0)), 10_000), "x")

    def _number(self, schema: Schema, *, whole: bool) -> int | float:
        least = schema.get("minimum", 0)
        most = schema.get("maximum", max(least + 1000, 1000))
        if whole:
            return self._random.randint(int(least), max(int(most), int(least)))
        return round(self._random.uniform(float(least), float(most)), 2)


def resolve(description: Schema, part: Schema) -> Schema:
    """Follow a part's reference within its description. Raises ValueError when it leads nowhere or elsewhere."""
    for _ in range(MOST_DEPTH):
        reference = part.get("$ref")
        if reference is None:
            return part
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise ValueError("a reference leaves the description")
        found: Any = description  # Any: a part of a description
        for key in reference[2:].split("/"):
            key = key.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901 (the same key, unescaped)
            if not isinstance(found, Mapping) or key not in found:
                raise ValueError("a reference leads nowhere")
            found = found[key]
        if not isinstance(found, Mapping):
            raise ValueError("a reference leads to no object")
        part = found
    raise ValueError("references lead in a circle")


def _fixed(schema: Schema, random: Random) -> tuple[bool, Any]:
    """Return what a schema says the value is, where it says so."""
    if "const" in schema:
        return True, schema["const"]
    if "example" in schema:
        return True, schema["example"]
    if schema.get("examples"):
        return True, schema["examples"][0]
    if schema.get("enum"):
        return True, random.choice(schema["enum"])
    return False, None


def _kind(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((it for it in kind if it != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _fits(value: object, kind: str) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return kind == "string" and isinstance(value, str)
