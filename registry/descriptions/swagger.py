"""Swagger 2.0 as OpenAPI 3.0: much of what is in use is described that way, and the change is mechanical."""

from collections.abc import Mapping
from typing import Any, Final

from registry.descriptions.notes import Notes
from registry.errors import Flaw, Invalid

Object = dict[str, Any]  # Any: foreign JSON

_METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options")
_MOVED: Final = {
    "#/definitions/": "#/components/schemas/",
    "#/parameters/": "#/components/parameters/",
    "#/responses/": "#/components/responses/",
}
_OF_SCHEMAS: Final = frozenset(
    {
        "type", "format", "items", "default", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength",
        "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "enum", "multipleOf",
    }
)  # fmt: skip
_STYLES: Final = {"ssv": "spaceDelimited", "tsv": "tabDelimited", "pipes": "pipeDelimited"}
_FORM: Final = "application/x-www-form-urlencoded"
_FLOWS: Final = {
    "application": "clientCredentials", "accessCode": "authorizationCode", "password": "password", "implicit": "implicit",
}  # fmt: skip


def modernised(document: Mapping[str, Any], notes: Notes) -> Object:
    """Return the description as OpenAPI 3.0. Raises Invalid when it is no Swagger 2.0."""
    if str(document.get("swagger")) not in ("2.0", "2"):
        told = "Only Swagger 2.0 and OpenAPI 3 are read; convert it first, with any OpenAPI converter."
        raise Invalid([Flaw("/swagger", "description", told)])
    notes.add("/swagger", "swagger")
    return _Change(document).made()


class _Change:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._from = document
        self._parameters = _object(document.get("parameters"))

    def made(self) -> Object:
        given = self._from
        parameters = {
            name: self._parameter(one)
            for name, one in self._parameters.items()
            if _object(one).get("in") not in ("body", "formData")
        }
        components = {
            "schemas": _moved(_object(given.get("definitions"))),
            "parameters": parameters,
            "responses": {
                name: self._response(one, self._types(given, "produces"))
                for name, one in _object(given.get("responses")).items()
            },
            "securitySchemes": {
                name: _scheme(_object(one)) for name, one in _object(given.get("securityDefinitions")).items()
            },
        }
        return {
            "openapi": "3.0.3",
            "info": given.get("info"),
            "servers": self._servers(),
            "paths": {path: self._item(one) for path, one in _object(given.get("paths")).items()},
            "components": components,
        }

    def _servers(self) -> list[Object]:
        host = self._from.get("host")
        if not isinstance(host, str):
            return []
        schemes = [one for one in _list(self._from.get("schemes")) if one in ("http", "https")]
        base = self._from.get("basePath")
        path = base if isinstance(base, str) and base.startswith("/") else ""
        return [{"url": f"{scheme}://{host}{path}"} for scheme in sorted(schemes, reverse=True) or ["https"]]

    def _item(self, item: Any) -> Any:  # Any: foreign JSON
        if not isinstance(item, Mapping):
            return item
        shared = _list(item.get("parameters"))
        changed: Object = {word: one for word, one in item.items() if word not in ("parameters", *_METHODS)}
        for method in _METHODS:
            if method in item:
                changed[method] = self._operation(item[method], shared)
        return _moved(changed) if "$ref" in item else changed

    def _operation(self, operation: Any, shared: list[Any]) -> Any:  # Any: as above
        if not isinstance(operation, Mapping):
            return operation
        changed: Object = {
            word: one
            for word, one in operation.items()
            if word not in ("parameters", "responses", "consumes", "produces", "schemes")
        }
        own = _list(operation.get("parameters"))
        names = {(_object(self._meant(one)).get("in"), _object(self._meant(one)).get("name")) for one in own}
        inherited = [
            one for one in shared
            if (_object(self._meant(one)).get("in"), _object(self._meant(one)).get("name")) not in names
        ]  # fmt: skip
        body, others = self._split([*inherited, *own], self._types(operation, "consumes"))
        changed["parameters"] = others
        if body is not None:
            changed["requestBody"] = body
        produces = self._types(operation, "produces")
        changed["responses"] = {
            code: self._response(one, produces) for code, one in _object(operation.get("responses")).items()
        }
        return changed

    def _types(self, where: Mapping[str, Any], word: str) -> list[str]:
        found = [one for one in _list(where.get(word, self._from.get(word))) if isinstance(one, str)]
        return found or ["application/json"]

    def _meant(self, parameter: Any) -> Any:  # Any: as above
        reference = _object(parameter).get("$ref")
        if isinstance(reference, str) and reference.startswith("#/parameters/"):
            return self._parameters.get(reference.removeprefix("#/parameters/"), parameter)
        return parameter

    def _split(self, parameters: list[Any], consumes: list[str]) -> tuple[Object | None, list[Any]]:
        """Return the body that the parameters make, and those that stay parameters."""
        body: Object | None = None
        fields: Object = {}
        required: list[str] = []
        others: list[Any] = []
        for stated in parameters:
            one = _object(self._meant(stated))
            if one.get("in") == "body":
                content = {kind: {"schema": _moved(one.get("schema", {}))} for kind in consumes}
                body = {"required": one.get("required") is True, "content": content}
            elif one.get("in") == "formData":
                fields[str(one.get("name"))] = _moved(
                    {word: one[word] for word in one if word in _OF_SCHEMAS}
                )
                required += [str(one.get("name"))] if one.get("required") is True else []
            else:
                others.append(_moved(stated) if "$ref" in _object(stated) else self._parameter(stated))
        if fields and body is None:
            form = {"type": "object", "properties": fields} | ({"required": required} if required else {})
            kinds = [kind for kind in consumes if kind in (_FORM, "multipart/form-data")] or [_FORM]
            body = {"content": {kind: {"schema": form} for kind in kinds}}
        return body, others

    def _parameter(self, parameter: Any) -> Any:  # Any: as above
        if not isinstance(parameter, Mapping):
            return parameter
        changed = {
            word: one for word, one in parameter.items() if word not in _OF_SCHEMAS | {"collectionFormat"}
        }
        changed["schema"] = _moved({word: parameter[word] for word in parameter if word in _OF_SCHEMAS})
        written = parameter.get("collectionFormat", "csv") if parameter.get("type") == "array" else "multi"
        if written in _STYLES:
            changed["style"] = _STYLES[written]
        elif written == "csv" and parameter.get("in") == "query":
            changed["explode"] = False
        return changed

    def _response(self, response: Any, produces: list[str]) -> Any:  # Any: as above
        if not isinstance(response, Mapping) or "$ref" in response:
            return _moved(response)
        changed: Object = {"description": response.get("description", "")}
        examples = _object(response.get("examples"))
        if "schema" in response:
            schema = _moved(response["schema"])
            changed["content"] = {
                kind: {"schema": schema} | ({"example": examples[kind]} if kind in examples else {})
                for kind in produces
            }
        if "headers" in response:
            changed["headers"] = response["headers"]
        return changed


def _scheme(scheme: Object) -> Object:
    if scheme.get("type") == "basic":
        return {"type": "http", "scheme": "basic"}
    if scheme.get("type") == "oauth2":
        flow = _FLOWS.get(str(scheme.get("flow")), "clientCredentials")
        return {"type": "oauth2", "flows": {flow: {"tokenUrl": scheme.get("tokenUrl", "")}}}
    return scheme


def _moved(value: Any) -> Any:  # Any: foreign JSON
    """Return a copy whose references lead to where OpenAPI 3 has things."""
    if isinstance(value, Mapping):
        return {
            "nullable" if word == "x-nullable" and one is True else word: (
                _led(one) if word == "$ref" and isinstance(one, str) else _moved(one)
            )
            for word, one in value.items()
        }
    return [_moved(one) for one in value] if isinstance(value, list) else value


def _led(reference: str) -> str:
    for old, new in _MOVED.items():
        if reference.startswith(old):
            return new + reference.removeprefix(old)
    return reference


def _object(value: Any) -> Object:  # Any: foreign JSON
    return dict(value) if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:  # Any: foreign JSON
    return value if isinstance(value, list) else []
