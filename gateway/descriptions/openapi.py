"""A version as OpenAPI 3.1, for the programs of its callers: our addresses, our token, our headers, our problems."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.descriptions.openapi_parts import KEY, OURS, SCHEME, components, problems
from registry.contract_schemas import SHARED, ReferenceWrong, escaped, parts, rewritten
from registry.entities import BodyContract, Operation, Parameter, Service, Version

Json = dict[str, Any]  # Any: a part of a description

MEDIA_TYPE: Final = "application/vnd.oai.openapi+json;version=3.1"
_COMPONENTS: Final = "#/components/schemas/"
_VARIABLE: Final = re.compile(r"\{([^{}/*]+)(\*?)\}")
_TEXT: Final = {"type": "string"}
_EVERY: Final = ("get", "post", "put", "patch", "delete")
"""The methods under which an operation for any method is described."""


def describe(service: Service, version: Version, *, issuer: str, problem: Mapping[str, Any]) -> Json:
    """Return the description. `issuer` is the node's public base address, `problem` the schema of its problems."""
    base, number = issuer.rstrip("/"), version.version.removeprefix("v")
    schemas = {
        name: _moved(schema, _COMPONENTS + name, version.schemas) for name, schema in version.schemas.items()
    }
    paths, left_out = _paths(version)
    return {
        "openapi": "3.1.0",
        "info": _info(service, version),
        "servers": [{"url": f"{base}/{service.name}/{number}"}],
        "security": [{SCHEME: []}],
        "paths": paths,
        "components": components(base, schemas, problem, fault=service.error_style == "wso2"),
        **({"x-lgsp-not-described": left_out} if left_out else {}),
    }


def _info(service: Service, version: Version) -> Json:
    info: Json = {"title": service.title_vi, "version": version.version, "x-lgsp-status": version.status}
    if service.title_en:
        info["summary"] = service.title_en
    if version.sunset_at is not None:
        info["x-lgsp-sunset"] = version.sunset_at.isoformat()
    return info


def _paths(version: Version) -> tuple[dict[str, Json], list[str]]:
    """Return the paths, and the names of operations that OpenAPI cannot tell from others (`{name}`, `{name*}`)."""
    paths: dict[str, Json] = {}
    by_shape: dict[str, str] = {}
    left_out = []
    # Operations with a method of their own go before those for any.
    for operation in sorted(version.operations, key=lambda one: one.method == "ANY"):
        path = by_shape.setdefault(
            _VARIABLE.sub("{}", operation.path), _VARIABLE.sub(r"{\1}", operation.path)
        )
        item = paths.setdefault(path, {})
        free = [method for method in _methods(operation) if method not in item]
        for method in free:
            item[method] = _operation(operation, method, path, version)
        if not free:
            left_out.append(operation.name)
    return paths, left_out


def _methods(operation: Operation) -> tuple[str, ...]:
    return _EVERY if operation.method == "ANY" else (operation.method.lower(),)


def _operation(operation: Operation, method: str, path: str, version: Version) -> Json:
    at = f"#/paths/{escaped(path)}/{method}"
    described: Json = {"operationId": operation.name}
    if operation.method == "ANY":
        described = {"operationId": f"{operation.name}-{method}", "x-lgsp-any": operation.name}
    described |= _words(operation) | _extensions(operation)
    if version.status == "deprecated":
        described["deprecated"] = True
    described["parameters"] = [
        *_parameters(operation, path, at, version),
        *({"$ref": f"#/components/parameters/{name}"} for name in OURS),
    ]
    if operation.effect == "write":
        described["parameters"].append({"$ref": f"#/components/parameters/{KEY}"})
    if operation.request is not None:
        described["requestBody"] = _request(operation.request, f"{at}/requestBody", version)
    described["responses"] = {"200": _reply(operation.reply, f"{at}/responses/200", version), **problems()}
    return described


def _words(operation: Operation) -> Json:
    titles = {"x-lgsp-title-vi": operation.title_vi, "x-lgsp-title-en": operation.title_en}
    words: Json = {name: title for name, title in titles.items() if title}
    return ({"summary": operation.title_vi or operation.title_en} | words) if words else {}


def _extensions(operation: Operation) -> Json:
    """Say what OpenAPI has no word for, where it is not what the method would let one think."""
    said: Json = {"x-lgsp-effect": operation.effect}
    if not operation.counts:
        said["x-lgsp-counts"] = False
    return said


def _parameters(operation: Operation, path: str, at: str, version: Version) -> Iterator[Json]:
    """Describe the parameters; variables of the path are called as they are in `path`, which others may share."""
    variables = {found[1]: bool(found[2]) for found in _VARIABLE.finditer(operation.path)}
    called = dict(zip(variables, (found[1] for found in _VARIABLE.finditer(path)), strict=True))
    declared = {one.name for one in operation.parameters if one.at == "path"}
    undeclared = [Parameter(name=name, at="path", schema=_TEXT) for name in variables if name not in declared]
    known = [one for one in operation.parameters if one.at != "path" or one.name in variables]
    for index, parameter in enumerate((*undeclared, *known)):
        in_path = parameter.at == "path"
        described: Json = {"name": called[parameter.name] if in_path else parameter.name, "in": parameter.at}
        described["required"] = parameter.required or in_path
        if parameter.note:
            described["description"] = parameter.note
        if in_path and variables[parameter.name]:
            described["x-lgsp-rest"] = True
        home = f"{at}/parameters/{index}/schema"
        yield described | {"schema": _moved(parameter.schema, home, version.schemas)}


def _request(contract: BodyContract, at: str, version: Version) -> Json:
    return {"required": contract.required, "content": _content(contract, at, version)}


def _reply(contract: BodyContract | None, at: str, version: Version) -> Json:
    described: Json = {
        "description": "Trả lời của bên cung cấp / The provider's answer",
        "headers": {"Lgsp-Exchange-Id": {"$ref": "#/components/headers/Lgsp-Exchange-Id"}},
    }
    if contract is not None:
        described["content"] = _content(contract, at, version)
    return described


def _content(contract: BodyContract, at: str, version: Version) -> Json:
    described: Json = {}
    if contract.schema is not None:
        home = f"{at}/content/{escaped(contract.media_type)}/schema"
        described["schema"] = _moved(contract.schema, home, version.schemas)
    elif contract.xsd is not None:
        described |= {
            "schema": {"type": "string", "contentMediaType": "application/xml"},
            "x-lgsp-xsd": contract.xsd,
        }
    if contract.examples:
        described["examples"] = {name: {"value": value} for name, value in contract.examples.items()}
    return {contract.media_type: described}


def _moved(schema: Mapping[str, Any], home: str, shared: Mapping[str, Any]) -> Any:  # Any: a JSON Schema
    def moved(reference: str, home: str, pointer: str) -> str:
        if reference.startswith(SHARED):
            name = reference.removeprefix(SHARED).partition("/")[0]
            if name in shared:
                return _COMPONENTS + reference.removeprefix(SHARED)
        elif reference == "#" or reference.startswith("#/"):
            return home + reference.removeprefix("#")
        raise ReferenceWrong(pointer, reference)

    try:
        return _with_discriminators(rewritten(schema, home, moved))
    except ReferenceWrong as error:
        return {"description": f"Không mô tả được / It cannot be described: {error}"}


def _with_discriminators(schema: Any) -> Any:  # Any: a JSON Schema, our own copy
    """Let discriminators, which are no part of JSON Schema, lead to the schemas' new places."""
    if not isinstance(schema, dict):
        return schema
    discriminator = schema.get("discriminator")
    if isinstance(discriminator, dict) and isinstance(discriminator.get("mapping"), dict):
        mapping = {
            value: _COMPONENTS + target.removeprefix(SHARED)
            for value, target in discriminator["mapping"].items()
            if isinstance(target, str) and target.startswith(SHARED)
        }
        schema["discriminator"] = {**discriminator, "mapping": {**discriminator["mapping"], **mapping}}
    for _, inner in parts(schema):
        _with_discriminators(inner)
    return schema
