"""An answer out of a JSON Schema: the same for the same question, within bounds of depth and size."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

import orjson

from connectors.builtin.mock import people
from connectors.builtin.mock.facts import (
    Schema,
    counted,
    fact_of,
    is_allowed,
    parse_day,
    plain,
    tell,
    written,
)
from connectors.builtin.mock.people import Subject
from connectors.builtin.mock.question import Question
from connectors.builtin.mock.xml_text import render_xml

MOST_DEPTH = 12
MOST_NESTED = 6
MOST_VALUES = 2000
"""After so many only what has to be there is made, and after twice as many nothing."""
MOST_ITEMS = 3
_OF_A_PERSON = frozenset(
    {"person.number", "person.old-number", "person.insurance", "person.name", "person.born"}
)
_WIDE = 10**6
_FIRST_DAY, _DAYS = date(2024, 1, 1), 900

_BY_FORMAT: Mapping[str, Callable[[Random], str]] = {
    "time": lambda random: f"08:{random.randrange(60):02}:00",
    "email": lambda random: f"nguoi-{random.randrange(10_000)}@demo.invalid",
    "uri": lambda random: f"https://demo.invalid/{random.randrange(10_000)}",
    "uuid": lambda random: "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}".format(
        *(random.getrandbits(bits) for bits in (32, 16, 12, 12, 48))
    ),
}


class Inventor:
    """Makes one answer: about the question's subject, and members that the question has repeat it."""

    def __init__(self, description: Schema, seed: str, question: Question, subject: Subject) -> None:
        self._description = description
        self._seed = seed
        self._random = question.random
        self._asked = question.asked
        self._repeats = question.repeats
        self._subject = subject
        self._left = MOST_VALUES

    def make(self, schema: Schema, member: str = "", depth: int = 0) -> Any:  # Any: JSON
        """Return a value for a schema."""
        schema = self._whole(schema)
        self._left -= 1
        if self._left < -MOST_VALUES or depth > MOST_DEPTH:
            return None
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, member, depth)
        if kind == "array":
            return self._array(schema, member, depth)
        return self.simple(schema, kind, member)

    def simple(self, schema: Schema, kind: str, member: str) -> Any:  # Any: JSON
        """Return a value that has no others inside it."""
        fixed, value = _fixed(schema)
        if fixed:
            return value
        told = self._told(schema, kind, member)
        if told is not None:
            return told
        if schema.get("enum"):
            return self._random.choice(schema["enum"])
        match kind:
            case "string":
                return self._string(schema)
            case "integer" | "number":
                return self._number(schema, whole=kind == "integer")
            case "boolean":
                return self._random.random() < 0.5  # noqa: PLR2004 (a coin)
            case _:
                return None

    def _told(self, schema: Schema, kind: str, member: str) -> Any:  # Any: JSON
        """Return what is known: of the subject, or else from the question."""
        asked = self._asked.get(member)
        fact = fact_of(schema, member)
        if asked is not None and (fact is None or self._repeats) and _fits(asked, schema, kind):
            return asked
        return tell(fact, self._subject, schema, kind) if fact is not None else None

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
        properties: dict[str, Any] = {}
        for part in schema["allOf"]:
            part = self._whole(part)  # noqa: PLW2901 (the same part, whole)
            properties |= part.get("properties", {})
            for key, value in part.items():
                merged.setdefault(key, value)
        properties |= schema.get("properties", {})
        return merged | ({"properties": properties} if properties else {})

    def _object(self, schema: Schema, member: str, depth: int) -> dict[str, Any]:
        fixed, value = _fixed(schema)
        if fixed:
            return dict(value)
        before = self._subject
        relative = people.kin(self._seed, before.person, plain(member)) if member else None
        if relative is not None:
            self._subject = replace(before, person=relative)
        required = schema.get("required", ())
        made = {
            name: self.make(one, name, depth + 1)
            for name, one in schema.get("properties", {}).items()
            if name in required or not self._is_enough(one, depth)
        }
        self._subject = before
        return made

    def _is_enough(self, schema: Schema, depth: int) -> bool:
        """Say whether something that may be left out is, so that what holds itself comes to an end."""
        return self._left <= 0 or (depth >= MOST_NESTED and _kind(self._whole(schema)) in ("object", "array"))

    def _array(self, schema: Schema, member: str, depth: int) -> list[Any]:
        fixed, value = _fixed(schema)
        if fixed:
            return list(value)
        items = schema.get("items", {})
        if not schema.get("minItems") and self._is_enough(items, depth):
            return []
        before = self._subject
        made: list[Any] = []
        for subject in self._subjects(schema, self._whole(items)):
            if self._left <= 0 and len(made) >= int(schema.get("minItems", 0)):
                break
            self._subject = subject
            made.append(self.make(items, member, depth + 1))
        self._subject = before
        return made

    def _subjects(self, schema: Schema, items: Schema) -> Sequence[Subject]:
        """Return whom the items of a list are about: where they are people, a household."""
        subject = self._subject
        least = int(schema.get("minItems", 1))
        most = max(least, min(int(schema.get("maxItems", MOST_ITEMS)), MOST_ITEMS))
        if most > 1 and any(_is_of_person(one, name) for name, one in items.get("properties", {}).items()):
            members = people.household(self._seed, subject.person.number)
            most = max(least, int(schema.get("maxItems", len(members))))
            members += members[-1:] * (least - len(members))
            return [replace(subject, person=one) for one in members[: min(most, 100)]]
        return [subject] * min(self._random.randint(least, most), 100)

    def _string(self, schema: Schema) -> str:
        random = self._random
        make = _BY_FORMAT.get(str(schema.get("format", "")))
        count = counted(schema)
        if "contentSchema" in schema:
            text = self._document(schema)
        elif make is not None:
            text = make(random)
        elif schema.get("format") in ("date", "date-time", "dd/MM/yyyy") or "/" in str(
            schema.get("pattern", "")
        ):
            text = str(written(_FIRST_DAY + timedelta(days=random.randrange(_DAYS)), schema, "string"))
        elif count:
            text = people.digits(random, count)
        else:
            text = f"Giả lập {random.randrange(1000)}"
        text = text[: int(schema.get("maxLength", 10_000))]
        return text.ljust(min(int(schema.get("minLength", 0)), 10_000), "x")

    def _document(self, schema: Schema) -> str:
        """Return a document inside a text, as some services put XML into JSON."""
        inner = self._whole(schema["contentSchema"])
        value = self.make(inner, "", 1)
        if str(schema.get("contentMediaType", "")).endswith("xml"):
            return render_xml(value, inner, "document")
        return orjson.dumps(value).decode()

    def _number(self, schema: Schema, *, whole: bool) -> int | float:
        least = schema.get("minimum", 0 if schema.get("maximum", 0) >= 0 else schema["maximum"] - 1000)
        most = max(schema.get("maximum", least + 1000), least)
        most = least + 1000 if most - least > _WIDE else most
        step = schema.get("multipleOf", 1 if whole else 0.01)
        places = 0 if whole or step >= 1 else 2
        found = least + step * self._random.randint(0, int((most - least) / step))
        return int(found) if places == 0 else round(float(found), places)


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


def _fixed(schema: Schema) -> tuple[bool, Any]:
    """Return what a schema says the value is, where it says so and does not ask for an invented fact."""
    if "const" in schema:
        return True, schema["const"]
    if "x-mock" in schema:
        return False, None
    if "example" in schema:
        return True, schema["example"]
    if schema.get("examples"):
        return True, schema["examples"][0]
    return False, None


def _kind(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((it for it in kind if it != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _is_of_person(schema: object, name: str) -> bool:
    return isinstance(schema, Mapping) and fact_of(schema, name) in _OF_A_PERSON


def _fits(asked: object, schema: Schema, kind: str) -> bool:
    """Say whether a value of the question can stand in the answer."""
    form = schema.get("format")
    is_day = form == "date" and isinstance(asked, str) and "-" in asked and parse_day(asked) is not None
    return (form is None or is_day) and is_allowed(asked, schema, kind)
