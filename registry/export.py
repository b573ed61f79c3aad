"""Writing the registry as a file that, applied to it, changes nothing."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Any

import yaml

from registry.documents import parse
from registry.entities import SPECS, Entity, FieldRule, Kind
from registry.labels import is_in_use
from registry.references import Link, with_targets
from registry.register.directory import Directory
from registry.stores import Document, Registry, Stored
from registry.wanted import ORDER, STATUSES


async def export(registry: Registry) -> str:
    """Return the registry as YAML: what is in use, with codes for references, without secrets.

    What has ended (withdrawn needs, refused and revoked grants) is history and not written.
    """
    _, directory = await Directory.load(registry)
    return _yaml({kind.value: _items(directory, kind) for kind in ORDER})


def render_yaml(kind: Kind, entity: Entity) -> str:
    """Return a file with one object as a person writes it, for `lgsp apply`."""
    return _yaml({kind.value: [_brief(entity)]})


def _yaml(content: Mapping[str, list[Document]]) -> str:
    return yaml.dump(
        {name: items for name, items in content.items() if items},
        Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
        allow_unicode=True,
        sort_keys=False,
        width=110,
    )


def _items(directory: Directory, kind: Kind) -> list[Document]:
    return [_item(directory, item) for item in directory.search(kind) if is_in_use(item)]


def _item(directory: Directory, item: Stored) -> Document:
    entity = parse(item.kind, item.document)
    written = {field.name for field in fields(SPECS[item.kind])}
    document = {name: value for name, value in _brief(entity).items() if name in written}
    document = with_targets(item.kind, document, lambda link: _name(directory, link))
    if item.kind is Kind.GRANT:
        document = {"name": item.label} | document
    by_label = directory.get(item.kind, item.label)
    if by_label is None or by_label.id != item.id:
        document = {"id": item.id} | document
    return document | _life(item)


def _life(item: Stored) -> Document:
    if item.kind not in STATUSES:
        return {}
    sunset = item.document.get("sunset_at")
    return {"status": item.document["status"]} | ({"sunset_at": sunset} if sunset else {})


def _name(directory: Directory, link: Link) -> str:
    """Return the target's label, or its id where the label would lead to another object."""
    target = directory.get(link.kind, link.target)
    if target is None:
        return link.target
    by_label = directory.get(link.kind, target.label)
    return target.label if by_label is not None and by_label.id == target.id else target.id


def _brief(value: Any) -> Any:
    """Return a value as YAML writes it, fields at their defaults left out."""
    if isinstance(value, FieldRule) and value == FieldRule(path=value.path):
        return value.path
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _brief(getattr(value, field.name))
            for field in fields(value)
            if getattr(value, field.name) != _default(field)
        }
    if isinstance(value, Mapping):
        return {_brief(name): _brief(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_brief(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, date) else value


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default
