"""What a description comes to, as a version: a new one, or a draft that it is read into again. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from registry.descriptions.described import Described
from registry.entities import Endpoint, Environment, Operation, Version, VersionSpec
from registry.errors import Flaw, Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the description cannot say: whose version it is to be, and where it is called."""

    service: str
    version: str
    environment: Environment = Environment.SANDBOX
    url: str | None = None
    national_database: str | None = None
    mock: bool = False
    """Whether the sandbox is answered by a mock."""


def version_of(described: Described, wish: Wish, draft: VersionSpec | None = None) -> VersionSpec:
    """Return the version; of a draft stays all that a description does not say.

    Raises Invalid when neither the description nor the wish says where it is called.
    """
    found = described.endpoints(wish.environment, wish.url)
    if wish.mock:
        found = _with_mock(found, described, wish, draft)
    if draft is not None:
        return replace(
            draft,
            operations=tuple(_again(one, draft.operations) for one in described.operations),
            schemas=dict(described.schemas),
            endpoints=(draft.endpoints | found) if wish.url or wish.mock else (found | draft.endpoints),
            national_database=wish.national_database or draft.national_database,
        )
    if not found:
        told = "The description names no absolute http(s) address, so give one."
        raise Invalid([Flaw("/url", "missing", told)])
    return VersionSpec(
        service=wish.service,
        version=wish.version,
        national_database=wish.national_database,
        operations=described.operations,
        endpoints=found,
        schemas=dict(described.schemas),
    )


def _with_mock(
    found: Mapping[Environment, Endpoint], described: Described, wish: Wish, draft: VersionSpec | None
) -> dict[Environment, Endpoint]:
    """Return the endpoints with a mock in the sandbox; what a draft's own says besides (seed, schedule) stays. Raises Invalid."""
    if wish.environment == Environment.SANDBOX and wish.url:
        told = "The sandbox is either at an address or a mock; give the address with environment=production."
        raise Invalid([Flaw("/url", "one-of", told)])
    before = None if draft is None else draft.endpoints.get(Environment.SANDBOX)
    given = dict(described.mock or {})
    if before is None or before.connector != MOCK:
        mock = Endpoint(connector=MOCK, settings=given)
    else:
        kept = {name: value for name, value in before.settings.items() if name not in _OF_DESCRIPTIONS}
        mock = replace(before, settings=kept | given)
    others = {environment: one for environment, one in found.items() if environment != Environment.SANDBOX}
    return others | {Environment.SANDBOX: mock}


def spec_of(version: object) -> VersionSpec | None:
    """Return what a person writes of a version."""
    if not isinstance(version, Version):
        return None
    return VersionSpec(**{field.name: getattr(version, field.name) for field in fields(VersionSpec)})


MOCK = "mock"
_OF_DESCRIPTIONS = frozenset({"description", "wsdl", "schemas", "service", "port", "operations"})
_DESCRIBED = frozenset({"name", "method", "path", "title_vi", "title_en", "parameters", "request", "reply"})


def _again(operation: Operation, before: tuple[Operation, ...]) -> Operation:
    """Return an operation with what people have decided of the one of the same name: transforms, rules, effect."""
    known = next((one for one in before if one.name == operation.name), None)
    if known is None:
        return operation
    kept = {field.name: getattr(known, field.name) for field in fields(known) if field.name not in _DESCRIBED}
    return replace(operation, **kept)


def summary(spec: VersionSpec) -> Mapping[str, object]:
    """Return in short what a version holds."""
    names = ("name", "method", "path", "title_vi", "title_en", "effect")
    return {
        "operations": [{name: getattr(one, name) for name in names} for one in spec.operations],
        "schemas": len(spec.schemas),
        "endpoints": {
            environment.value: {"connector": one.connector, "url": one.settings.get("url")}
            for environment, one in spec.endpoints.items()
        },
    }
