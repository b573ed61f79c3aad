"""What is known so far about one request and its answer, and the reasons for which it can end early."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.message import Body, Headers


class Reason(StrEnum):
    """Why an exchange did not simply succeed: stable codes, the last segment of a problem's `type`."""

    # before a client is known: answered, counted, tallied; no exchange
    TOKEN_MISSING = "token-missing"  # noqa: S105
    TOKEN_MALFORMED = "token-malformed"  # noqa: S105
    TOKEN_FORGED = "token-forged"  # noqa: S105
    TOKEN_FOREIGN = "token-foreign"  # noqa: S105
    ADDRESS_LIMITED = "address-limited"
    PATH_AMBIGUOUS = "path-ambiguous"
    # refused
    TOKEN_EXPIRED = "token-expired"  # noqa: S105
    TOKEN_REVOKED = "token-revoked"  # noqa: S105
    CLIENT_DISABLED = "client-disabled"
    CLIENT_NETWORK = "client-network"
    SCOPE_MISSING = "scope-missing"
    SYSTEM_INACTIVE = "system-inactive"
    SYSTEM_NOT_ALLOWED = "system-not-allowed"
    GRANT_MISSING = "grant-missing"
    GRANT_REQUESTED = "grant-requested"
    GRANT_REFUSED = "grant-refused"
    GRANT_SUSPENDED = "grant-suspended"
    GRANT_REVOKED = "grant-revoked"
    GRANT_NOT_YET_VALID = "grant-not-yet-valid"
    GRANT_EXPIRED = "grant-expired"
    GRANT_QUARANTINED = "grant-quarantined"
    ENVIRONMENT_NOT_GRANTED = "environment-not-granted"
    OPERATION_NOT_GRANTED = "operation-not-granted"
    PURPOSE_MISSING = "purpose-missing"
    PURPOSE_NOT_ALLOWED = "purpose-not-allowed"
    PROCEDURE_MISSING = "procedure-missing"
    PROCEDURE_NOT_ALLOWED = "procedure-not-allowed"
    OFFICER_MISSING = "officer-missing"
    OFFICER_UNKNOWN = "officer-unknown"
    IDENTITY_CONFLICT = "identity-conflict"
    CONSUMER_BLOCKED = "consumer-blocked"
    QUOTA_PER_SECOND = "quota-per-second"
    QUOTA_PER_DAY = "quota-per-day"
    # invalid
    ROUTE_UNKNOWN = "route-unknown"
    VERSION_UNKNOWN = "version-unknown"
    VERSION_RETIRED = "version-retired"
    OPERATION_UNKNOWN = "operation-unknown"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    BODY_TOO_LARGE = "body-too-large"
    BODY_CUT = "body-cut"
    HEADER_INVALID = "header-invalid"
    # unavailable: not tried
    MAINTENANCE = "maintenance"
    SERVICE_BLOCKED = "service-blocked"
    QUARANTINED = "quarantined"
    NO_ENDPOINT = "no-endpoint"
    BREAKER_OPEN = "breaker-open"
    CAPACITY = "capacity"
    CONNECTOR_UNAVAILABLE = "connector-unavailable"
    NODE_STOPPING = "node-stopping"
    # unreachable: tried, nothing was sent
    PROVIDER_UNREACHABLE = "provider-unreachable"
    EGRESS_DENIED = "egress-denied"
    # provider_failure
    PROVIDER_BUSY = "provider-busy"
    PROVIDER_ERROR = "provider-error"
    PROVIDER_RUBBISH = "provider-rubbish"
    PROVIDER_REDIRECT = "provider-redirect"
    PROVIDER_CREDENTIALS = "provider-credentials"
    PROVIDER_REJECTED = "provider-rejected"
    # unknown: sent, no whole answer
    PROVIDER_TIMEOUT = "provider-timeout"
    PROVIDER_CUT = "provider-cut"
    CUT_BY_REVOCATION = "cut-by-revocation"
    CALLER_GONE = "caller-gone"
    NODE_STOPPED = "node-stopped"
    # node_failure
    LEDGER_UNAVAILABLE = "ledger-unavailable"
    LEDGER_LOST = "ledger-lost"
    SECRET_MISSING = "secret-missing"  # noqa: S105
    INTERNAL = "internal"
    # business_failure
    PROVIDER_SAID_NO = "provider-said-no"


class Refusal(Exception):
    """Ends an exchange early. `details` are safe to show the caller; `retry_after` is in seconds."""

    def __init__(
        self, reason: Reason, *, retry_after: float | None = None, sent: bool = False, **details: str | int
    ) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.retry_after = retry_after
        self.sent = sent
        self.details = details


@dataclass(slots=True, kw_only=True)
class Request:
    """What a facade hands to the pipeline. `path` is normalised once; `headers` are the caller's, lower case.

    `body` is whole up to 64 KiB, else a stream. `length` is the declared length, None when chunked.
    """

    method: str
    path: str
    query: str
    headers: "Headers"
    body: "Body" = b""
    length: int | None = None
    client_address: str = ""
    received_ns: int = 0


@dataclass(slots=True, kw_only=True)
class Reply:
    """What the pipeline hands back to a facade."""

    status: int
    headers: "Headers" = field(default_factory=list)
    body: "Body" = b""
