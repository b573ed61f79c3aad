"""The description of the admin API (OpenAPI 3.1), made from the table of routes and from the entities."""

import json
from collections.abc import Iterable, Mapping

from gateway.api.apply import ApplyRequest
from gateway.api.clients import Rotation
from gateway.api.node import KeyRotation
from gateway.api.routes import Route
from gateway.api.schemas import PROBLEM, SCHEMAS, Schema, kept_name, page_name, record, ref, spec_name
from gateway.api.subject_keys import SubjectKeyDestruction
from gateway.api.subjects import SubjectLookUp
from gateway.api.transforms import TransformTrial
from gateway.api.visit import Query, is_list
from registry.documents import schema, schema_of
from registry.entities import Kind
from registry.register import STEPS

ONE = "^[^/]+$"
PAIR = (
    "^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[A-Za-z0-9.:-]+/[A-Z0-9][A-Za-z0-9.]*)$"
)
"""The usual form of labels; what has another one is simply not known."""

BODIES = (ApplyRequest, Rotation, KeyRotation, SubjectLookUp, SubjectKeyDestruction, TransformTrial)
"""What routes take that is no entity and no step."""

TAGS = (
    {"name": "node", "description": "The node itself: who asks, what runs, what changed."},
    {"name": "registry", "description": "The registry as a whole."},
    {"name": "figures", "description": "Connectivity and usage; counted from evidence and nothing else."},
    {"name": "evidence", "description": "What is recorded of exchanges."},
    *({"name": kind.value, "description": f"Objects of the kind `{kind.value}`."} for kind in Kind),
)

DESCRIPTION = """\
The admin API of an `lgsp` node.

Sign in as a client with a role: `POST /token`, then `Authorization: Bearer …`. What a role may do is decided for
each object; `x-action` beside every operation names the action.

Lists come in pages (`limit`, `cursor`), in an order that is total and stable. A change needs `If-Match` with the
`ETag` that was read: without it the answer is 428, with a stale one 412 and the difference. Errors are problems
(RFC 9457) in Vietnamese and English, with a stable `code`; `errors` points at the field.
"""

PROBLEM_WORDS: Mapping[int, str] = {
    401: "No token, or one that is not good",
    403: "The role, or whose object it is, does not allow this",
    404: "Nothing is known under this name",
    409: "The change contradicts what is there, or the life cycle does not allow the step now",
    412: "The object has changed since it was read; `current` and `difference` say how",
    413: "The body is larger than this address takes; it was not read on",
    415: "The body's media type is not one of those named",
    422: "Something given breaks a rule; `errors` says where and how",
    428: "A change needs If-Match with the object's ETag",
    503: "The registry, or another part that the answer needs, cannot be reached",
}
HEADERS: Mapping[str, Schema] = {
    "ETag": {"schema": {"type": "string"}, "description": "The object's version, for If-Match."},
    "Location": {"schema": {"type": "string"}, "description": "The new object's address."},
}


def operation(route: Route) -> Schema:
    """Describe one route: parameters, body, answers, and the action it needs."""
    described: Schema = {
        "parameters": list(_parameters(route)),
        "responses": dict(_responses(route)),
        "x-action": route.action,
    }
    if route.body is not None:
        content = {
            media_type: {"schema": ref(name) if name else {"type": "string"}}
            for media_type, name in route.body.types.items()
        }
        if route.body.example is not None:
            next(iter(content.values()))["example"] = route.body.example
        described["requestBody"] = {"required": route.body.required, "content": content}
    return described


def _parameters(route: Route) -> Iterable[Schema]:
    if "{label" in route.path:
        yield {
            "name": "label", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 200},
            "description": _label_words(route.tag),
        }  # fmt: skip
    if "{exchange" in route.path:
        yield {
            "name": "exchange", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"},
            "description": "The exchange's id, as in `Lgsp-Exchange-Id`.",
        }  # fmt: skip
    if route.if_match:
        yield {
            "name": "If-Match", "in": "header", "required": False,
            "schema": {"type": "string", "pattern": '^"[0-9]{1,12}"$'},
            "description": "The ETag of the object as it was read. Without it the answer is 428.",
        }  # fmt: skip
    if route.query is not None:
        yield from _query(route.query)


def _label_shape(path: str) -> Schema:
    pair = "{label:pair}" in path
    return {"type": "string", "minLength": 1, "maxLength": 200, "pattern": PAIR if pair else ONE}


def _label_words(path: str) -> str:
    if "{label:pair}" in path:
        return "The object's id, or its code of two segments with the slash as it is."
    return "The object's id or code."


def _query(model: type[Query]) -> Iterable[Schema]:
    whole = model.model_json_schema()
    properties, shared = whole["properties"], whole.get("$defs", {})
    for name, field in model.model_fields.items():
        shape = _without_null(properties[name])
        shape |= shared.get(str(shape.pop("$ref", "")).rpartition("/")[2], {})
        shape.pop("title", None)
        described: Schema = {"name": name, "in": "query", "required": field.is_required()}
        if "description" in shape:
            described["description"] = shape.pop("description")
        if is_list(model, name):
            described |= {"style": "form", "explode": True}
        yield described | {"schema": shape}


def _without_null(shape: Schema) -> Schema:
    """A parameter is there or not; null can't be written in a query."""
    shape = {
        name: value for name, value in shape.items() if name not in {"title", "default"} or value is not None
    }
    shape.pop("title", None)
    choices = [choice for choice in shape.pop("anyOf", ()) if choice != {"type": "null"}]
    return shape | choices[0] if len(choices) == 1 else shape | ({"anyOf": choices} if choices else {})


def _responses(route: Route) -> Iterable[tuple[str, Schema]]:
    good: Schema = {"description": route.answer.description}
    if route.answer.schema or route.answer.media_type != "application/json":
        shape = ref(route.answer.schema) if route.answer.schema else {"type": "string"}
        good["content"] = {route.answer.media_type: {"schema": shape}}
    if route.answer.headers:
        good["headers"] = {name: HEADERS[name] for name in route.answer.headers}
    yield str(route.answer.status), good
    for status in sorted({401, 403, 503, *route.problems}):
        content = {"application/problem+json": {"schema": ref("Problem")}}
        yield str(status), {"description": PROBLEM_WORDS[status], "content": content}


def components() -> Schema:
    """Return every schema that the description refers to."""
    found: Schema = {"Problem": PROBLEM, **SCHEMAS}
    for model in BODIES:
        _take(found, schema_of(model))
    found["NewClient"] = _new_client()
    for kind in Kind:
        name, spec = _take(found, schema(kind)), _take(found, schema(kind, spec=True))
        found[spec_name(kind)] = ref(spec) if spec != spec_name(kind) else found[spec]
        found[kept_name(kind)] = _kept(kind, name)
        found[page_name(kind)] = _page(kept_name(kind))
        for parameters in STEPS.get(kind, {}).values():
            _take(found, schema_of(parameters))
    _forget_digest(found)
    return found


def _take(found: Schema, shape: Schema) -> str:
    """Move a schema's definitions among the others, and return its name."""
    moved = json.loads(json.dumps(shape).replace("#/$defs/", "#/components/schemas/"))
    for name, definition in moved.pop("$defs", {}).items():
        found[name] = definition
    if "title" in moved:
        found[moved["title"]] = moved
        return str(moved["title"])
    return str(moved["$ref"]).rpartition("/")[2]


def _kept(kind: Kind, name: str) -> Schema:
    text: Schema = {"type": "string"}
    properties: Schema = {
        "kind": {"const": kind.value},
        "id": text,
        "label": text,
        "version": {"type": "integer", "minimum": 1},
        "revision": {"type": "integer", "minimum": 1},
        "home_node": text,
        "changed_at": {"type": "string", "format": "date-time"},
        "changed_by": text,
        "document": ref(name),
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _new_client() -> Schema:
    secret = {
        "type": ["string", "null"],
        "description": "Shown this once; null for a client with keys of its own.",
    }
    more = record({"client_id": {"type": "string"}, "client_secret": secret})
    return {"allOf": [ref(kept_name(Kind.CLIENT)), more]}


def _page(item: str) -> Schema:
    properties: Schema = {
        "items": {"type": "array", "items": ref(item)},
        "next": {"type": ["string", "null"], "description": "Cursor of the next page; null on the last one."},
        "total": {"type": "integer", "minimum": 0, "description": "All matches, on whatever page."},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _forget_digest(found: Schema) -> None:
    """What a client proves itself with is in no answer."""
    secret = found.get("ClientSecret")
    if secret is not None:
        secret["properties"].pop("digest", None)
        secret["required"] = [name for name in secret.get("required", ()) if name != "digest"]
