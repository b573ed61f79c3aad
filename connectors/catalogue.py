"""Which connectors there are, by kind. What exists is said by the entry-point group `lgsp.connectors`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from connectors.contract import Connector, ConnectorContext, ConnectorSettings
from connectors.errors import ConnectorUnknown, SettingsRefused

GROUP = "lgsp.connectors"

_DECLARED = ("kind", "version", "capabilities", "Settings")


@dataclass(frozen=True, slots=True)
class Broken:
    """An installed connector that cannot be loaded: its entry point, where that leads, and why not."""

    name: str
    value: str
    reason: str


class Catalogue:
    """Looks connectors up by kind. `broken` names those that are installed and cannot be loaded."""

    def __init__(self, connectors: Iterable[type[Connector]], broken: Iterable[Broken] = ()) -> None:
        self._by_kind: dict[str, type[Connector]] = {}
        self.broken = tuple(broken)
        for connector in connectors:
            other = self._by_kind.setdefault(connector.kind, connector)
            if other is not connector:
                raise TypeError(f"{connector.kind!r} is claimed by both {other} and {connector}")

    def __iter__(self) -> Iterator[type[Connector]]:
        return iter(self._by_kind.values())

    def get(self, kind: str) -> type[Connector]:
        """Return the connector of a kind. Raises ConnectorUnknown."""
        try:
            return self._by_kind[kind]
        except KeyError:
            hint = next((f" ({it.reason})" for it in self.broken if it.name == kind), "")
            raise ConnectorUnknown(f"no installed connector has the kind {kind!r}{hint}") from None

    def check_settings(self, kind: str, settings: Mapping[str, Any]) -> ConnectorSettings:
        """Return the settings as the connector reads them.

        Raises:
            ConnectorUnknown: no connector has this kind.
            SettingsRefused: each flaw with its JSON pointer; no value is repeated.
        """
        connector = self.get(kind)
        try:
            return connector.Settings.model_validate(settings)
        except ValidationError as error:
            flaws = error.errors(include_url=False, include_context=False, include_input=False)
            raise SettingsRefused(
                "; ".join(f"{_pointer(flaw['loc'])}: {flaw['msg']}" for flaw in flaws)
            ) from None

    def build(self, kind: str, settings: Mapping[str, Any], context: ConnectorContext) -> Connector:
        """Check the settings and make a connector; nothing is connected yet. Raises as `check_settings`."""
        return self.get(kind)(self.check_settings(kind, settings), context)

    def describe(self) -> list[dict[str, Any]]:
        """Describe every connector, and every broken one, for `lgsp connectors --json`."""
        described: list[dict[str, Any]] = [
            {
                "kind": connector.kind,
                "version": connector.version,
                "capabilities": {
                    "streaming": connector.capabilities.streaming,
                    "idempotence": connector.capabilities.idempotence,
                    "ordering": connector.capabilities.ordering,
                    "max_in_flight": connector.capabilities.max_in_flight,
                },
                "settings": connector.Settings.model_json_schema(),
            }
            for connector in sorted(self, key=lambda connector: connector.kind)
        ]
        return described + [{"kind": it.name, "broken": it.reason} for it in self.broken]


def installed() -> Catalogue:
    """Return the catalogue of what is installed; what cannot be loaded is set aside and named."""
    found = sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))
    return load(found)


def load(entries: Iterable[EntryPoint]) -> Catalogue:
    """Load the connectors that these entry points lead to. Two that claim one kind are a TypeError."""
    connectors: dict[type[Connector], None] = {}
    broken: list[Broken] = []
    for entry in entries:
        try:
            connector = entry.load()
        except Exception as error:  # noqa: BLE001 (a plug-in may fail in any way while it is imported)
            broken.append(Broken(entry.name, entry.value, f"{type(error).__name__}: {error}"[:300]))
            continue
        missing = [name for name in _DECLARED if not hasattr(connector, name)]
        if missing or connector.kind != entry.name:
            reason = f"lacks {', '.join(missing)}" if missing else f"says that its kind is {connector.kind!r}"
            broken.append(Broken(entry.name, entry.value, reason))
            continue
        connectors[connector] = None
    return Catalogue(connectors, broken)


def _pointer(location: tuple[int | str, ...]) -> str:
    """Return where a flaw is; pydantic says `[key]` for one in a key itself."""
    parts = [str(part) for part in location if part != "[key]"]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts) or "/"
