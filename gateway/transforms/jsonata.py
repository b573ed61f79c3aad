"""Kind `jsonata`: JSON in, JSON out, by a mapping in JSONata.

A plain mapping runs here (`plain.py`); every other one in a guest process, which can be killed.
"""

from collections.abc import Callable
from collections.abc import Mapping as Values
from typing import Any

from pydantic import ValidationError

from gateway.transforms.code_tables import Tables
from gateway.transforms.contract import Document, OutOfTime
from gateway.transforms.engine import Mapping, Settings
from gateway.transforms.flaws import first_flaw
from gateway.transforms.guests import Guests, Work
from gateway.transforms.plain import is_plain


class GuestMapping:
    """A mapping that runs in a guest process."""

    def __init__(self, settings: Settings, tables: Tables, guests: Guests) -> None:
        self._compiled = Mapping(settings, tables)
        self._guests = guests
        self._work = Work(
            "mapping", {"settings": settings.model_dump(mode="json"), "tables": tables.render()}
        )

    def reads(self) -> list[str]:
        """Return the fields of the input that the mapping reads."""
        return self._compiled.reads()

    def seconds(self, size: int) -> float:
        """Return how long a document of so many bytes may take."""
        return self._compiled.seconds(size)

    def __call__(self, document: Document, *, hurry: bool = False) -> Document:
        """Return what the mapping makes of the document. Never in a hurry: a guest has to be asked."""
        if hurry:
            raise OutOfTime("The mapping runs in a guest process.")
        _, body = self._guests.run(self._work, document.body, self.seconds(len(document.body)))
        return Document(body, "application/json", document.headers)


def build(settings: Values[str, Any], tables: Tables, guests: Guests | None) -> Mapping | GuestMapping:
    """Make a mapping from its settings; without guests it runs where it is made. Raises BadSettings."""
    try:
        read = Settings.model_validate(settings)
    except ValidationError as error:
        raise first_flaw(error) from error
    if guests is None or is_plain(read.mapping):
        return Mapping(read, tables)
    return GuestMapping(read, tables, guests)


Done = tuple[dict[str, Any], bytes]  # Any: JSON


def make_work(make: Values[str, Any]) -> Callable[[Values[str, Any], bytes], Done]:  # Any: JSON
    """Return what runs a mapping in a guest process."""
    mapping = Mapping(Settings.model_validate(make["settings"]), Tables.parse(make["tables"]))
    return lambda _header, body: ({}, mapping(Document(body)).body)
