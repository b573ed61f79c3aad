"""Schemas of OpenAPI 3.0 and 3.1 as JSON Schemas 2020-12 that share what has a name.

References become `#/schemas/NAME`, so that schemas may hold themselves; what is nested deeply becomes a shared schema,
too. Every shared schema is read once, whoever refers to it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from registry.contract_schemas import SHARED
from registry.descriptions.keywords import (
    BOOLEANS,
    COUNTS,
    LISTS,
    MAPS,
    NUMBERS,
    ONE,
    SILENT,
    TEXTS,
    VALUES,
    is_count,
    is_number,
    is_pattern,
    types_of,
)
from registry.descriptions.names import schema_name, unique_schema
from registry.descriptions.tree import Place, Tree

Schema = dict[str, Any]  # Any: a JSON Schema

MOST_SCHEMAS: Final = 2000
"""So many does a version take."""
MOST_PARTS: Final = 400_000
_DEEPEST: Final = 10
"""Levels of schemas inside one; what lies deeper is shared, for a registry's documents are not nested without end."""
_DEEPEST_VALUE: Final = 8
_LONGEST_TEXT: Final = 2000


class SchemaReader:
    """Reads the schemas of one description. `is_old` says that it is OpenAPI 3.0."""

    def __init__(self, tree: Tree, *, is_old: bool) -> None:
        self.shared: dict[str, Schema] = {}
        self._tree = tree
        self._notes = tree.notes
        self._is_old = is_old
        self._names: dict[str, str] = {}
        self._waiting: list[Place] = []
        self._parts = 0

    def read(self, place: Place) -> Schema:
        """Return the schema that stands at a place; with it, what it refers to is in `shared`."""
        schema = self._read(place, 0)
        while self._waiting:
            waiting = self._waiting.pop()
            self.shared[self._names[waiting.pointer]] = self._checked(
                self._whole(self._read(waiting, 0)), waiting
            )
        return self._checked(self._whole(schema), place)

    @staticmethod
    def _whole(schema: Any) -> Schema:  # Any: a schema may be a truth value
        return schema if isinstance(schema, dict) else ({} if schema is True else {"not": {}})

    def _checked(self, schema: Schema, place: Place) -> Schema:
        """Return the schema if it is one; nothing that is none gets into a version."""
        import jsonschema_rs  # noqa: PLC0415 (megabytes, for those who import)

        if jsonschema_rs.meta.is_valid(schema):
            return schema
        self._notes.add(place.pointer, "schema")
        return {}

    def _read(self, place: Place, level: int) -> Any:  # Any: a schema or a truth value
        self._parts += 1
        if isinstance(place.value, bool):
            return place.value
        if not isinstance(place.value, Mapping) or self._parts > MOST_PARTS:
            self._notes.add(place.pointer, "schema")
            return {}
        if level > _DEEPEST and len(place.mapping) > 1:
            return self._shared(place, place.pointer)
        if "$ref" in place.mapping and not isinstance(place.mapping["$ref"], Mapping):
            return self._referring(place, level)
        return self._written(place, level)

    # --- references -------------------------------------------------------------------------------------

    def _referring(self, place: Place, level: int) -> Any:  # Any: as above
        reference = place.mapping["$ref"]
        problem = self._tree.problem(reference)
        if problem:
            self._notes.add(place.pointer, problem, str(reference))
            return {}
        found = self._tree.find(reference)
        assert found is not None  # noqa: S101  (there is no problem with it)
        if self._leads_in_a_circle(found):
            self._notes.add(place.pointer, "reference-loop", reference)
            return {}
        target = self._shared(found, place.pointer)
        if not self._is_old:
            rest = self._written(place, level, without=("$ref",))
            return target | rest if "$ref" in target else rest
        return self._beside(place, target)

    def _beside(self, place: Place, target: Schema) -> Schema:
        """OpenAPI 3.0 lets nothing count beside a reference; people write `nullable` there all the same."""
        if place.mapping.get("nullable") is True:
            self._notes.add(place.pointer, "nullable-reference")
            target = {"anyOf": [target, {"type": "null"}]} if target else {}
        described = place.mapping.get("description")
        return target | {"description": described[:_LONGEST_TEXT]} if isinstance(described, str) else target

    def _leads_in_a_circle(self, place: Place) -> bool:
        """Whether a schema is nothing but a name for itself."""
        seen: set[str] = set()
        while set(place.mapping) == {"$ref"} and place.pointer not in seen:
            seen.add(place.pointer)
            found = self._tree.find(str(place.mapping["$ref"]))
            if found is None:
                return False
            place = found
        return place.pointer in seen

    def _shared(self, place: Place, asked_at: str) -> Schema:
        """Return a reference to the schema at a place, which is read later; an open one when there are too many."""
        if place.pointer not in self._names:
            if len(self._names) >= MOST_SCHEMAS:
                self._notes.add(asked_at, "too-many-schemas")
                return {}
            name = unique_schema(schema_name(_wanted(place.pointer)), set(self._names.values()))
            self._names[place.pointer] = name
            self._waiting.append(place)
        return {"$ref": SHARED + self._names[place.pointer]}

    # --- one schema -------------------------------------------------------------------------------------

    def _written(self, place: Place, level: int, without: tuple[str, ...] = ()) -> Schema:
        made: Schema = {}
        for word, inner in place.each():
            if word not in without and word not in SILENT and not word.startswith("x-"):
                self._take(made, word, inner, level)
        self._settle_limits(made, place)
        self._settle_required(made, place)
        return self._nullable(made, place)

    def _take(self, made: Schema, word: str, place: Place, level: int) -> None:
        reader = self._reader(word)
        if reader is None:
            self._notes.add(place.pointer, "keyword", word)
            return
        reader(made, word, place, level)

    def _reader(self, word: str) -> "Callable[[Schema, str, Place, int], None] | None":
        special = {
            "type": self._type, "required": self._required, "enum": self._enum, "example": self._example,
            "examples": self._examples, "pattern": self._pattern, "discriminator": self._discriminator,
            "exclusiveMaximum": self._exclusive, "exclusiveMinimum": self._exclusive, "items": self._items,
            "dependentRequired": self._dependent_required, "dependencies": self._dependencies,
        }.get(word)  # fmt: skip
        if special is not None:
            return special
        if word in ONE:
            return self._one
        if word in LISTS:
            return self._list
        if word in MAPS:
            return self._map
        return self._plain if word in NUMBERS | COUNTS | BOOLEANS | TEXTS | VALUES else None

    def _plain(self, made: Schema, word: str, place: Place, level: int) -> None:
        value = place.value
        good = (
            (word in NUMBERS and is_number(value) and (word != "multipleOf" or value > 0))
            or (word in COUNTS and is_count(value))
            or (word in BOOLEANS and isinstance(value, bool))
            or (word in TEXTS and isinstance(value, str))
            or (word in VALUES and _fits(value))
        )
        if not good:
            self._notes.add(place.pointer, "keyword-value", word)
        elif isinstance(value, str) and word in TEXTS:
            made[word] = value[:_LONGEST_TEXT]
        elif word in COUNTS:
            made[word] = int(value)
        else:
            made[word] = value

    def _one(self, made: Schema, word: str, place: Place, level: int) -> None:
        made[word] = self._read(place, level + 1)

    def _list(self, made: Schema, word: str, place: Place, level: int) -> None:
        if not place.items:
            self._notes.add(place.pointer, "keyword-value", word)
            return
        made[word] = [
            self._read(Place(value, f"{place.pointer}/{index}"), level + 1)
            for index, value in enumerate(place.items)
        ]

    def _map(self, made: Schema, word: str, place: Place, level: int) -> None:
        if not isinstance(place.value, Mapping):
            self._notes.add(place.pointer, "keyword-value", word)
            return
        members = {}
        for name, inner in place.each():
            if word == "patternProperties" and not is_pattern(name):
                self._notes.add(inner.pointer, "pattern")
            else:
                members[name] = self._read(inner, level + 1)
        made[word] = members

    def _items(self, made: Schema, word: str, place: Place, level: int) -> None:
        if isinstance(place.value, list):  # a tuple, as JSON Schema once wrote it
            self._list(made, "prefixItems", place, level)
        else:
            self._one(made, word, place, level)

    def _type(self, made: Schema, word: str, place: Place, level: int) -> None:
        types, shape, sound = types_of(place.value)
        if not sound:
            self._notes.add(place.pointer, "type", str(place.value))
        if types:
            made["type"] = types[0] if len(types) == 1 else types
        if shape:
            made.setdefault("format", shape)

    def _required(self, made: Schema, word: str, place: Place, level: int) -> None:
        names = list(dict.fromkeys(name for name in place.items if isinstance(name, str)))
        if len(names) != len(place.items) or not isinstance(place.value, list):
            self._notes.add(place.pointer, "keyword-value", word)
        if names:
            made[word] = names

    def _enum(self, made: Schema, word: str, place: Place, level: int) -> None:
        # By what they look like as JSON: true is not 1 there.
        values = list({orjson.dumps(one): one for one in place.items if _fits(one)}.values())
        if values:
            made[word] = values
        else:
            self._notes.add(place.pointer, "keyword-value", word)

    def _example(self, made: Schema, word: str, place: Place, level: int) -> None:
        if _fits(place.value):
            made.setdefault("examples", []).insert(0, place.value)

    def _examples(self, made: Schema, word: str, place: Place, level: int) -> None:
        found = [value for value in place.items if _fits(value)]
        if found:
            made.setdefault("examples", []).extend(found)

    def _pattern(self, made: Schema, word: str, place: Place, level: int) -> None:
        if isinstance(place.value, str) and is_pattern(place.value):
            made[word] = place.value
        else:
            self._notes.add(place.pointer, "pattern")

    def _exclusive(self, made: Schema, word: str, place: Place, level: int) -> None:
        if isinstance(place.value, bool):
            made[word] = place.value  # settled when the limit is known, too
        else:
            self._limit(made, word, place)

    def _limit(self, made: Schema, word: str, place: Place) -> None:
        if is_number(place.value):
            made[word] = place.value
        else:
            self._notes.add(place.pointer, "keyword-value", word)

    def _dependent_required(self, made: Schema, word: str, place: Place, level: int) -> None:
        if all(
            isinstance(names, list) and all(isinstance(name, str) for name in names)
            for names in place.mapping.values()
        ):
            made[word] = {name: list(dict.fromkeys(names)) for name, names in place.mapping.items()}
        else:
            self._notes.add(place.pointer, "keyword-value", word)

    def _dependencies(self, made: Schema, word: str, place: Place, level: int) -> None:
        for name, inner in place.each():
            if isinstance(inner.value, list):
                names = [one for one in inner.value if isinstance(one, str)]
                made.setdefault("dependentRequired", {})[name] = names
            else:
                made.setdefault("dependentSchemas", {})[name] = self._read(inner, level + 1)

    def _discriminator(self, made: Schema, word: str, place: Place, level: int) -> None:
        """Keep it as a remark for people and tools: validation does not need it, `oneOf` decides."""
        name = place.mapping.get("propertyName")
        if not isinstance(name, str):
            self._notes.add(place.pointer, "keyword-value", word)
            return
        kept: Schema = {"propertyName": name}
        mapping = {
            value: self._mapped(inner)
            for value, inner in place.get("mapping").each()
            if isinstance(inner.value, str)
        }
        if mapping:
            kept["mapping"] = {value: target for value, target in mapping.items() if target}
        made[word] = kept

    def _mapped(self, place: Place) -> str:
        """Return where a value of a discriminator leads: by a reference, or by the bare name of a schema."""
        reference = str(place.value)
        if "#" not in reference and "/" not in reference:
            reference = f"#/components/schemas/{reference}"
        problem = self._tree.problem(reference)
        found = None if problem else self._tree.find(reference)
        if found is None:
            self._notes.add(place.pointer, problem, str(place.value))
            return ""
        return str(self._shared(found, place.pointer).get("$ref", ""))

    # --- afterwards -------------------------------------------------------------------------------------

    def _settle_limits(self, made: Schema, place: Place) -> None:
        """Turn `exclusiveMaximum: true` beside `maximum` into a limit of its own."""
        for word, limit in (("exclusiveMaximum", "maximum"), ("exclusiveMinimum", "minimum")):
            if made.get(word) is True and limit in made:
                made[word] = made.pop(limit)
            elif isinstance(made.get(word), bool):
                del made[word]

    def _settle_required(self, made: Schema, place: Place) -> None:
        """What is required in one direction only cannot be asked for in both."""
        for name in list(made.get("required", ())):
            shape = made.get("properties", {}).get(name)
            if isinstance(shape, Mapping) and (
                shape.get("readOnly") is True or shape.get("writeOnly") is True
            ):
                self._notes.add(f"{place.pointer}/required", "required-one-way", name)
                made["required"].remove(name)
        if made.get("required") == []:
            del made["required"]

    def _nullable(self, made: Schema, place: Place) -> Schema:
        """Say in JSON Schema that a value may be null."""
        if place.mapping.get("nullable") is not True:
            return made
        if None not in made.get("enum", [None]):
            made["enum"] = [*made["enum"], None]
        types = made.get("type")
        if types is not None:
            types = types if isinstance(types, list) else [types]
            made["type"] = types if "null" in types else [*types, "null"]
            if not any(word in made for word in ("allOf", "anyOf", "oneOf")):
                return made
        if any(word in made for word in ("$ref", "allOf", "anyOf", "oneOf", "not")):
            return {"anyOf": [made, {"type": "null"}]}
        return made


def _wanted(pointer: str) -> str:
    """Return what a schema at a place is called: by its name, or by the last steps that lead there."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    if steps[:2] == ["components", "schemas"] and len(steps) == 3:  # noqa: PLR2004  (that and the name)
        return steps[2]
    if steps[:2] == ["components", "schemas"]:
        steps = steps[2:]
    telling = [
        step for step in steps if step not in {"properties", "content", "schema", "items", "responses"}
    ]
    return "_".join(telling[:1] + telling[1:][-3:])


def _fits(value: Any, level: int = 0) -> bool:  # Any: foreign JSON
    """Whether a value is not nested too deeply for a schema inside a version."""
    if level > _DEEPEST_VALUE:
        return False
    if isinstance(value, Mapping):
        return all(_fits(inner, level + 1) for inner in value.values())
    return not isinstance(value, list) or all(_fits(inner, level + 1) for inner in value)
