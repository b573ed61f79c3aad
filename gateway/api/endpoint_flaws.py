"""What is wrong with a version's endpoints that only a connector can tell, found when the version is written."""

from collections.abc import Callable, Sequence

from connectors.catalogue import Catalogue
from connectors.errors import ConnectorUnknown, SettingsRefused
from registry.documents import pointer_of
from registry.entities import Endpoint, Version
from registry.errors import Flaw


def endpoint_flaws(catalogue: Catalogue) -> Callable[[Version], Sequence[Flaw]]:
    """Return a check for `Register`: every endpoint's connector is installed and takes its settings."""

    def check(version: Version) -> Sequence[Flaw]:
        return [
            flaw
            for environment, endpoint in version.endpoints.items()
            for flaw in _flaws(catalogue, endpoint, pointer_of(["endpoints", environment.value]))
        ]

    return check


def _flaws(catalogue: Catalogue, endpoint: Endpoint, at: str) -> Sequence[Flaw]:
    try:
        catalogue.check_settings(endpoint.connector, endpoint.settings)
    except ConnectorUnknown:
        return [Flaw(f"{at}/connector", "connector-unknown", "No installed connector has this kind.")]
    except SettingsRefused as error:
        return [_flaw(f"{at}/settings", told) for told in str(error).split("; ")]
    return []


def _flaw(at: str, told: str) -> Flaw:
    """Read `pointer: message`, as the catalogue writes it."""
    pointer, colon, message = told.partition(": ")
    if not colon or not pointer.startswith("/"):
        return Flaw(at, "settings-refused", told)
    return Flaw(at + pointer.rstrip("/"), "settings-refused", message)
