"""The kinds of transform, in one place."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.transforms import json_to_xml, xml_to_json
from gateway.transforms.code_tables import Tables
from gateway.transforms.contract import BadSettings, Transform
from gateway.transforms.guests import Guests

Build = Callable[
    [Mapping[str, Any], Tables, Guests | None], Transform
]  # Any: settings as written, checked by who builds


def _jsonata(
    settings: Mapping[str, Any], tables: Tables, guests: Guests | None
) -> Transform:  # Any: settings as written
    # The engine takes megabytes, which a node without mappings does not pay for.
    from gateway.transforms import jsonata  # noqa: PLC0415

    return jsonata.build(settings, tables, guests)


KINDS: Final[Mapping[str, Build]] = {
    "jsonata": _jsonata,
    "xml-to-json": xml_to_json.build,
    "json-to-xml": json_to_xml.build,
}


def build(kind: str, settings: Mapping[str, Any], tables: Tables, guests: Guests | None) -> Transform:
    """Make a transform; without guests it runs where it is made. Raises BadSettings."""
    if kind not in KINDS:
        raise BadSettings(f"There is no transform of this kind; there are {', '.join(KINDS)}.", "/kind")
    return KINDS[kind](settings, tables, guests)
