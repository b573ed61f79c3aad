"""What is known so far about one request and its answer, and the reasons for which it can end early."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from registry.evidence import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from hashlib import _Hash as HASH  # the type of hashlib's objects has no public name

    from connectors.message import Body, Headers
    from gateway.contracts.violations import Violation
    from gateway.problems import Problem
    from gateway.views import ClientView, GrantView, OperationView, ServiceView, Snapshot, VersionView


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
    SUBJECT_UNREADABLE = "subject-unreadable"
    MESSAGE_UNFIT = "message-unfit"
    ENVELOPE_UNREADABLE = "envelope-unreadable"
    REQUEST_NOT_TRANSFORMED = "request-not-transformed"
    REQUEST_AGAINST_CONTRACT = "request-against-contract"
    # unavailable, for it was not tried
    MAINTENANCE = "maintenance"
    SERVICE_BLOCKED = "service-blocked"
    QUARANTINED = "quarantined"
    NO_ENDPOINT = "no-endpoint"
    BREAKER_OPEN = "breaker-open"
    CAPACITY = "capacity"
    CONNECTOR_UNAVAILABLE = "connector-unavailable"
    # unreachable (tried, nothing was sent)
    PROVIDER_UNREACHABLE = "provider-unreachable"
    EGRESS_DENIED = "egress-denied"
    # provider_failure
    PROVIDER_BUSY = "provider-busy"
    PROVIDER_ERROR = "provider-error"
    PROVIDER_RUBBISH = "provider-rubbish"
    PROVIDER_REDIRECT = "provider-redirect"
    PROVIDER_CREDENTIALS = "provider-credentials"
    PROVIDER_REJECTED = "provider-rejected"
    REPLY_UNREADABLE = "reply-unreadable"
    REPLY_NOT_LIMITED = "reply-not-limited"
    REPLY_NOT_TRANSFORMED = "reply-not-transformed"
    REPLY_AGAINST_CONTRACT = "reply-against-contract"
    # unknown (sent, no whole answer)
    PROVIDER_TIMEOUT = "provider-timeout"
    PROVIDER_CUT = "provider-cut"
    CUT_BY_REVOCATION = "cut-by-revocation"
    CALLER_GONE = "caller-gone"
    NODE_STOPPED = "node-stopped"
    # node_failure
    LEDGER_UNAVAILABLE = "ledger-unavailable"
    LEDGER_LOST = "ledger-lost"
    TRANSFORM_FAILED = "transform-failed"
    CONTRACT_NOT_CHECKED = "contract-not-checked"
    SECRET_MISSING = "secret-missing"  # noqa: S105
    INTERNAL = "internal"
    # business_failure
    PROVIDER_SAID_NO = "provider-said-no"


class Refusal(Exception):
    """Ends an exchange early. `details` are safe to show the caller; `retry_after` is in seconds.

    `violations` say where a message breaks its contract, and by which rule.
    """

    def __init__(
        self,
        reason: Reason,
        *,
        retry_after: float | None = None,
        sent: bool = False,
        violations: "Sequence[Violation]" = (),
        **details: str | int,
    ) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.retry_after = retry_after
        self.sent = sent
        self.violations = violations
        self.details = details


@dataclass(slots=True, kw_only=True)
class Request:
    """What a facade hands to the pipeline. `path` is normalised once; `headers` are the caller's, lower case.

    `length` is the declared length of the body, None when it is chunked. Nothing of the body is read until
    `read` (the next piece, b"" at the end; raises Refusal BODY_CUT) is called; `gone` says whether the caller
    has hung up; `cut` that we have cancelled the task which carries this request, to cut its stream. `unfit` is why a
    facade could not translate the message: it is told and recorded as soon as the version is known.
    """

    method: str
    path: str
    query: str
    headers: "Headers"
    read: "Callable[[], Awaitable[bytes]]"
    gone: "Callable[[], bool]"
    length: int | None = 0
    client_address: str = ""
    received_ns: int = 0
    cut: bool = False
    unfit: Refusal | None = None


@dataclass(slots=True, kw_only=True)
class Reply:
    """What the pipeline hands back to a facade: `problem` when it is one of ours; `outcome` is that of its exchange."""

    status: int
    headers: "Headers" = field(default_factory=list)
    body: "Body" = b""
    problem: "Problem | None" = None
    outcome: str = ""


@dataclass(slots=True)
class Exchange:
    """What is known so far about one request and its answer; the steps fill it in.

    `record` is what the ledger will get. `opened` says that an `open` record is in the ledger, `counted` that
    the exchange was taken off a quota, `body` is the request's body once it was read.
    """

    request: Request
    snapshot: "Snapshot"
    client: "ClientView"
    record: Record
    salt: bytes
    service: "ServiceView | None" = None
    version: "VersionView | None" = None
    operation: "OperationView | None" = None
    grant: "GrantView | None" = None
    body: "bytes | AsyncIterator[bytes]" = b""
    opened: bool = False
    counted: bool = False
    cut: Reason | None = None
    provider_ns: int = 0
    request_digest: "HASH | None" = None
    reply_digest: "HASH | None" = None
