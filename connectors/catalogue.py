"""Which connectors there are, by kind. What exists is said by the entry-point group `lgsp.connectors`.

A plug-in that cannot be used is set aside and named, and the others work. What no catalogue can guard against is what
takes the whole process along while it is imported: code that holds the interpreter, ends the process, or
replaces parts of it. A plug-in is code, with the node's own rights.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from connectors.conformance import contract_flaws
from connectors.contract import Connector, ConnectorContext, ConnectorSettings
from connectors.errors import ConnectorError, ConnectorUnknown, SettingsRefused

GROUP = "lgsp.connectors"
OURS = "connectors.builtin."
"""Where the connectors are that ship with lgsp; no plug-in can take a kind away from them."""
IMPORT_SECONDS = 20.0
"""How long a plug-in may take to be imported."""
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Broken:
    """An installed connector that is set aside: its entry point, where that leads, why, and whose it is."""

    name: str
    value: str
    reason: str
    package: str = ""


class Catalogue:
    """Looks connectors up by kind. `broken` names those that are installed and cannot be used."""

    def __init__(
        self,
        connectors: Iterable[type[Connector]],
        broken: Iterable[Broken] = (),
        packages: Mapping[str, str] | None = None,
    ) -> None:
        self._by_kind: dict[str, type[Connector]] = {}
        self._packages = packages or {}
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
        except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:
            # A check of the author's own went wrong; what it says may hold a value.
            raise SettingsRefused(f"/: the connector cannot check them ({type(error).__name__})") from error

    def build(self, kind: str, settings: Mapping[str, Any], context: ConnectorContext) -> Connector:
        """Check the settings and make a connector; nothing is connected yet. Raises as `check_settings`."""
        connector, checked = self.get(kind), self.check_settings(kind, settings)
        try:
            return connector(checked, context)
        except (ValueError, ConnectorError):
            raise
        except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:
            raise SettingsRefused(f"/: no connector can be made of them ({type(error).__name__})") from error

    def describe(self) -> list[dict[str, Any]]:
        """Describe every connector, and every broken one, for `lgsp connectors --json`."""
        described: list[dict[str, Any]] = [
            {
                "kind": connector.kind,
                "version": connector.version,
                "package": self._packages.get(connector.kind, ""),
                "capabilities": asdict(connector.capabilities),
                "settings": connector.Settings.model_json_schema(),
            }
            for connector in sorted(self, key=lambda connector: connector.kind)
        ]
        return described + [
            {"kind": it.name, "package": it.package, "broken": it.reason} for it in self.broken
        ]


def installed() -> Catalogue:
    """Return the catalogue of what is installed; what cannot be used is set aside and named."""
    found = sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))
    return load(found)


def load(entries: Iterable[EntryPoint], *, seconds: float = IMPORT_SECONDS) -> Catalogue:
    """Load the connectors that these entry points lead to; each may take so long to be imported.

    Of two that claim one kind the one that ships with lgsp is taken; of strangers, none is, and none is imported.
    """
    by_name: dict[str, dict[str, EntryPoint]] = defaultdict(dict)
    for entry in entries:
        by_name[entry.name].setdefault(entry.value, entry)
    connectors: dict[type[Connector], None] = {}
    broken: list[Broken] = []
    packages: dict[str, str] = {}
    for claims in by_name.values():
        taken, refused = _settle(list(claims.values()))
        broken += refused
        for entry in taken:
            loaded = _load(entry, seconds)
            if isinstance(loaded, str):
                broken.append(_broken(entry, loaded))
            else:
                connectors[loaded] = None
                packages[entry.name] = _package(entry)
    return Catalogue(connectors, broken, packages)


def _settle(claims: list[EntryPoint]) -> tuple[list[EntryPoint], list[Broken]]:
    """Return which of the entry points with one name is to be loaded, and the others with their reason."""
    ours = [entry for entry in claims if entry.value.startswith(OURS)]
    taken = ours[:1] or (claims if len(claims) == 1 else [])
    owners = " and ".join(sorted({_package(entry) or entry.value for entry in taken or claims}))
    return taken, [
        _broken(entry, f"the kind {entry.name!r} is claimed by {owners}{'' if taken else ': none is taken'}")
        for entry in claims
        if entry not in taken
    ]


def _load(entry: EntryPoint, seconds: float) -> type[Connector] | str:
    """Return a connector, or why it cannot be used."""
    connector = _import(entry, seconds)
    if isinstance(connector, _Failed):
        return connector.reason
    flaws = contract_flaws(connector)
    if not flaws and connector.kind != entry.name:
        flaws = [f"says that its kind is {connector.kind!r}"]
    if flaws:
        return _short("; ".join(flaws))
    loaded: type[Connector] = connector
    return loaded


@dataclass(frozen=True, slots=True)
class _Failed:
    reason: str


def _import(entry: EntryPoint, seconds: float) -> Any:  # Any: whatever the entry point leads to
    """Return what the entry point leads to, or how that failed. One that hangs is left behind in its thread."""
    found: list[object] = []

    def work() -> None:
        try:
            found.append(entry.load())
        except BaseException as error:  # noqa: BLE001 (a plug-in may fail in any way, and may even try to leave)
            found.append(_Failed(_short(f"{type(error).__name__}: {_text(error)}")))

    thread = threading.Thread(target=work, name=f"import of {entry.value}", daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else _Failed(f"was not imported within {seconds:g} s")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 (an error that cannot even be shown)
        return "(no text)"


def _short(reason: str) -> str:
    return " ".join(reason.split())[:_LONGEST_REASON]


def _broken(entry: EntryPoint, reason: str) -> Broken:
    return Broken(entry.name, entry.value, reason, _package(entry))


def _package(entry: EntryPoint) -> str:
    """Return the name and version of the distribution that an entry point comes from."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else ""


def _pointer(location: tuple[int | str, ...]) -> str:
    """Return where a flaw is; pydantic says `[key]` for one in a key itself."""
    parts = [str(part) for part in location if part != "[key]"]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts) or "/"
