"""A schema with what it refers to and its parts that all hold put together, as far as that is sure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from registry.comparison.facets import PLAIN, types
from registry.contract_schemas import SHARED, references

_LONGEST_CHAIN: Final = 40
_LEADING: Final = frozenset({"$ref", "allOf", "anyOf", "oneOf"})
_MOST_PARTS: Final = 200
_LARGER: Final = frozenset({"minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum"})
_SMALLER: Final = frozenset({"maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum"})
_REMARKS: Final = frozenset(
    {
        "title",
        "description",
        "examples",
        "default",
        "deprecated",
        "readOnly",
        "writeOnly",
        "discriminator",
        "$comment",
    }
)


@dataclass(slots=True)
class Shape:
    """What a schema says: its words, its fields, and whether others may stand beside them."""

    words: dict[str, Any] = field(default_factory=dict)
    members: dict[str, Any] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    others: Any = True  # Any: a JSON Schema or a truth value
    says_others: bool = False
    """Whether anything was said of them: then all fields are evaluated."""

    @property
    def types(self) -> frozenset[str]:
        """The types that are allowed."""
        return types(self.words)


class Shapes:
    """The schemas of one version."""

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._shared = shared
        self._reached: dict[str, frozenset[str]] = {}

    def key_of(self, schema: Any) -> bytes:  # Any: a JSON Schema
        """Return by what a schema is known that leads elsewhere, perhaps to itself; empty for any other."""
        leads = isinstance(schema, Mapping) and not _LEADING.isdisjoint(schema)
        return orjson.dumps(schema) if leads else b""

    def refers(self, schema: Any) -> bool:  # Any: a JSON Schema
        """Say whether a schema refers to anything."""
        return next(references(schema), None) is not None

    def reaches(self, schema: Any, names: Iterable[str]) -> bool:  # Any: a JSON Schema
        """Say whether a schema refers to one of these names, directly or through others."""
        wanted = names if isinstance(names, frozenset) else frozenset(names)
        return any(
            reference.removeprefix(SHARED).partition("/")[0] in wanted
            or not wanted.isdisjoint(self._below(reference))
            for reference in _all_references(schema)
        )

    def _below(self, reference: str) -> frozenset[str]:
        """Return the names that a reference leads to, directly or through others."""
        name = reference.removeprefix(SHARED).partition("/")[0]
        if name not in self._reached:
            found: set[str] = set()
            waiting = [name]
            while waiting:
                one = waiting.pop()
                if one not in found and one in self._shared:
                    found.add(one)
                    waiting += [
                        told.removeprefix(SHARED).partition("/")[0]
                        for _, told in references(self._shared[one])
                    ]
            self._reached[name] = frozenset(found)
        return self._reached[name]

    def shape(self, schema: Any) -> Shape | None:  # Any: a JSON Schema
        """Return what a schema says; None where that cannot be put together."""
        made = Shape()
        for _ in range(_LONGEST_CHAIN):
            if not isinstance(schema, Mapping) or set(schema) - _REMARKS != {"$ref"}:
                break
            schema = self._target(schema["$ref"])
        return made if self._add(made, schema, [0]) and _settle(made) else None

    def _add(self, made: Shape, schema: Any, count: list[int]) -> bool:
        """Let what a schema says hold, too; False where the two cannot be put together surely."""
        count[0] += 1
        if count[0] > _MOST_PARTS:
            return False
        if schema is True:
            return True
        if not isinstance(schema, Mapping):
            return False
        reference = schema.get("$ref")
        if reference is not None:
            target = self._target(reference)
            if target is None or not self._add(made, target, count):
                return False
        for part in schema.get("allOf", ()):
            if not self._add(made, part, count):
                return False
        if "unevaluatedProperties" in made.words:
            return False  # it looks at the fields of its own part alone
        own = {
            word: value
            for word, value in schema.items()
            if word not in ("$ref", "allOf", "$defs", "definitions")
        }
        return self._put(made, own)

    def _target(self, reference: object) -> Any:  # Any: a JSON Schema; None for nothing
        if not isinstance(reference, str) or not reference.startswith(SHARED):
            return None
        return self._shared.get(reference.removeprefix(SHARED))

    def _put(self, made: Shape, own: dict[str, Any]) -> bool:
        inner = _only_nullable(own)
        if inner is not None:
            alone = Shape()
            if (
                self._add(alone, inner, [0])
                and ("anyOf" in own or "null" not in alone.types)
                and _accept_null(alone)
            ):
                return self._join(made, alone)
        return self._place(made, own)

    def _join(self, made: Shape, alone: Shape) -> bool:
        """Put a shape among what holds already."""
        own = dict(alone.words)
        if alone.members:
            own["properties"] = alone.members
        if alone.required:
            own["required"] = sorted(alone.required)
        return self._place(
            made, own | ({} if alone.others is True else {"additionalProperties": alone.others})
        )

    def _place(self, made: Shape, own: dict[str, Any]) -> bool:
        made.says_others = made.says_others or "additionalProperties" in own
        members, others = own.pop("properties", {}), own.pop("additionalProperties", True)
        if made.members and others is not True and not set(made.members) <= set(members):
            return False  # closed beside another part: each counts only its own fields
        if made.others is not True and not set(members) <= set(made.members):
            return False
        for name, inner in members.items():
            if name in made.members and made.members[name] != inner:
                made.members[name] = {"allOf": [made.members[name], inner]}
            else:
                made.members[name] = inner
        if others is not True and others != {}:
            made.others = others if made.others is True else {"allOf": [made.others, others]}
        made.required |= {name for name in own.pop("required", ()) if isinstance(name, str)}
        return all(_merge(made.words, word, value) for word, value in own.items())


def _only_nullable(own: Mapping[str, Any]) -> Any:  # Any: a JSON Schema; None for nothing
    """Return the form that is meant by "this or null", when nothing else is said beside it."""
    for word in ("anyOf", "oneOf"):
        forms = own.get(word)
        if isinstance(forms, list) and len(forms) == 2 and not set(own) - _REMARKS - {word}:  # noqa: PLR2004  (it, and null)
            real = [one for one in forms if one not in ({"type": "null"}, {"enum": [None]}, {"const": None})]
            if len(real) == 1:
                return real[0]
    return None


def _accept_null(alone: Shape) -> bool:
    """Let null be allowed beside a shape; False where its words do not let that be said."""
    words = alone.words
    if set(words) - PLAIN - _REMARKS - {"items"}:
        return False
    if "const" in words:
        words["enum"] = [words.pop("const")]
    if "enum" in words and None not in words["enum"]:
        words["enum"] = [*words["enum"], None]
    if "type" in words:
        given = words["type"] if isinstance(words["type"], list) else [words["type"]]
        words["type"] = [*given, *(["null"] if "null" not in given else [])]
    return True


def _settle(made: Shape) -> bool:
    """Say of fields that are evaluated nowhere what others may be; False where that depends on the value."""
    if "unevaluatedItems" in made.words:
        return False
    if "unevaluatedProperties" not in made.words:
        return True
    unevaluated = made.words.pop("unevaluatedProperties")
    if made.says_others or set(made.words) & {
        "anyOf",
        "oneOf",
        "if",
        "then",
        "else",
        "dependentSchemas",
        "patternProperties",
        "not",
    }:
        return False
    if made.others is True and unevaluated not in (True, {}):
        made.others = unevaluated
    return True


def _merge(words: dict[str, Any], word: str, value: Any) -> bool:  # Any: values of keywords
    known = words.get(word)
    if known is None or known == value or word in _REMARKS:
        words[word] = value
    elif word in _LARGER:
        words[word] = max(known, value)
    elif word in _SMALLER:
        words[word] = min(known, value)
    elif word == "type":
        both = types({"type": known}) & types({"type": value})
        words[word] = sorted(both - {"integer"} if "number" in both else both)
        return bool(both)
    elif word == "enum":
        words[word] = [one for one in known if one in value]
        return bool(words[word])
    elif word == "items":
        words[word] = {"allOf": [known, value]}
    else:
        return False
    return True


def _all_references(value: Any) -> Iterable[str]:  # Any: a JSON Schema, or its words
    return (reference for _, reference in references(value))
