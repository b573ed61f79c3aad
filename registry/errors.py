"""What can go wrong in the registry and the ledger.

RegistryError
├── NotFound                 no object has this id or code
├── Invalid                  a document breaks the rules; carries JSON pointers
├── Conflict                 the change contradicts what is there
│   ├── AlreadyThere         a code or name is taken
│   ├── VersionStale         the object has changed since it was read (412)
│   └── WrongState           the life cycle does not allow this step now
├── StoreUnavailable         the database cannot be reached or written
├── KeysUnreadable           kept keys were not sealed under this node's key
├── SchemaUnknown            the database's schema is not the one this program knows
├── ChainBroken              the ledger does not prove itself: something was changed, dropped or inserted
└── LedgerUnavailable        a record could not be made durable
    └── SlotTaken            another process writes this chain
"""

from collections.abc import Sequence
from dataclasses import dataclass


class RegistryError(Exception):
    """The root of this package's errors."""


class NotFound(RegistryError):
    """No object has this id or code."""

    def __init__(self, kind: str, label: str) -> None:
        super().__init__(f"no {kind} is known as {label!r}")
        self.kind = kind
        self.label = label


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with a document: where (a JSON pointer), a stable code, and a sentence."""

    pointer: str
    code: str
    message: str


class Invalid(RegistryError):
    """A document breaks the rules; `flaws` says where and how."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__("; ".join(f"{flaw.pointer or '/'}: {flaw.message}" for flaw in flaws))
        self.flaws = tuple(flaws)


class Conflict(RegistryError):
    """The change contradicts what is there."""


class AlreadyThere(Conflict):
    """A code or name is taken; `pointer` names the field."""

    def __init__(self, pointer: str, label: str) -> None:
        super().__init__(f"{label!r} is taken")
        self.pointer = pointer
        self.label = label


class VersionStale(Conflict):
    """The object has changed since it was read."""

    def __init__(self, *, current: int, given: int) -> None:
        super().__init__(f"the object is at version {current}, not {given}")
        self.current = current
        self.given = given


class WrongState(Conflict):
    """The life cycle does not allow this step now."""


class StoreUnavailable(RegistryError):
    """The database cannot be reached or written."""


class KeysUnreadable(RegistryError):
    """Kept keys were not sealed under this node's key."""


class SchemaUnknown(RegistryError):
    """The database's schema is not the one this program knows; `missing` says that there is none yet."""

    def __init__(self, text: str, *, missing: bool = False) -> None:
        super().__init__(text)
        self.missing = missing


class ChainBroken(RegistryError):
    """The ledger does not prove itself; the text says where."""


class LedgerUnavailable(RegistryError):
    """A record could not be made durable."""


class SlotTaken(LedgerUnavailable):
    """Another process writes this chain."""
