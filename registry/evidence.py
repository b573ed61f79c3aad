"""What is recorded of an exchange, and the closed sets it uses."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol


class Outcome(StrEnum):
    """How an exchange ended."""

    SUCCESS = "success"
    BUSINESS_FAILURE = "business_failure"
    REFUSED = "refused"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"
    UNREACHABLE = "unreachable"
    PROVIDER_FAILURE = "provider_failure"
    UNKNOWN = "unknown"
    NODE_FAILURE = "node_failure"


class Delivered(StrEnum):
    """Whether the caller got the whole answer."""

    YES = "yes"
    CUT = "cut"
    NO = "no"


@dataclass(slots=True, kw_only=True)
class Record:
    """One record of the ledger. Times in microseconds (epoch for `at`), sizes in bytes; "" means "not known".

    `kind`: `open` is committed before the provider is called (streamed or writing exchanges); `final` says how
    an exchange ended, exactly one for each; `tally` counts, once a minute, what failed before a client was
    known (`reason` and `count`). Ids are registry ids; `consumer` is the system that the call is made for and
    `client` the credentials used.
    """

    kind: Literal["open", "final", "tally"]
    exchange: str
    at: int
    node: str
    environment: str = ""
    client: str = ""
    consumer: str = ""
    provider: str = ""
    service: str = ""
    version: str = ""
    operation: str = ""
    counts: bool = False
    national_database: str = ""
    mode: str = ""
    purpose: str = ""
    procedure: str = ""
    officer: str = ""
    officer_rule: str = ""
    grant: str = ""
    revision: int = 0
    correlation: str = ""
    outcome: Outcome | Literal[""] = ""
    reason: str = ""
    status: int = 0
    delivered: Delivered | Literal[""] = ""
    sent: bool = False
    request_bytes: int = 0
    reply_bytes: int = 0
    request_commitment: bytes = b""
    reply_commitment: bytes = b""
    gateway_us: int = 0
    provider_us: int = 0
    total_us: int = 0
    subject: str = ""
    subject_key: str = ""
    scope: str = ""
    count: int = 1


class Ledger(Protocol):
    """Where records are made durable. One writer per process; `append` may be called concurrently."""

    @property
    def writable(self) -> bool:
        """Whether the last commit succeeded; False: refuse before calling a provider."""
        ...

    async def append(self, record: Record, salt: bytes = b"") -> None:
        """Return when the record is durable, with its usage. Raises LedgerUnavailable; cancellation-safe."""
        ...
