"""Outcome and status of every reason an exchange can end early, and whose turn it is then."""

from typing import Final, NamedTuple

from gateway.exchange import Reason
from gateway.notices import Turn
from registry.evidence import Outcome


class Row(NamedTuple):
    """What a reason is told as. `fault` is the code that WSO2's gateway would give, `challenge` RFC 6750's."""

    status: int
    outcome: Outcome
    turn: Turn
    helps: bool
    fault: int
    challenge: str | None = None


def _refused(fault: int, *, status: int = 403, helps: bool = False, challenge: str | None = None) -> Row:
    return Row(status, Outcome.REFUSED, "consumer", helps, fault, challenge)


def _token(fault: int, challenge: str, *, helps: bool = False) -> Row:
    return _refused(fault, status=401, helps=helps, challenge=challenge)


def _invalid(status: int, *, helps: bool = False) -> Row:
    return Row(status, Outcome.INVALID, "consumer", helps, status)


def _unavailable(turn: Turn, fault: int, *, helps: bool = True) -> Row:
    return Row(503, Outcome.UNAVAILABLE, turn, helps, fault)


def _failed(turn: Turn, fault: int, *, helps: bool) -> Row:
    return Row(502, Outcome.PROVIDER_FAILURE, turn, helps, fault)


def _unknown(turn: Turn, fault: int, *, helps: bool) -> Row:
    return Row(504, Outcome.UNKNOWN, turn, helps, fault)


ROWS: Final[dict[Reason, Row]] = {
    Reason.TOKEN_MISSING: _token(900902, ""),
    Reason.TOKEN_MALFORMED: _token(900901, "invalid_token"),
    Reason.TOKEN_FORGED: _token(900901, "invalid_token"),
    Reason.TOKEN_FOREIGN: _token(900901, "invalid_token"),
    Reason.ADDRESS_LIMITED: _refused(900806, status=429, helps=True),
    Reason.PATH_AMBIGUOUS: _invalid(400),
    # The request is good; with a new token, which its sender can get at once, repeating it helps.
    Reason.TOKEN_EXPIRED: _token(900901, "invalid_token", helps=True),
    Reason.TOKEN_REVOKED: _token(900901, "invalid_token", helps=True),
    Reason.CLIENT_DISABLED: _token(900909, "invalid_token"),
    Reason.CLIENT_NETWORK: _refused(900908),
    Reason.SCOPE_MISSING: _refused(900910, challenge="insufficient_scope"),
    Reason.SYSTEM_INACTIVE: _refused(900908),
    Reason.SYSTEM_NOT_ALLOWED: _refused(900908),
    Reason.GRANT_MISSING: _refused(900908),
    Reason.GRANT_REQUESTED: Row(403, Outcome.REFUSED, "provider", helps=True, fault=900908),
    Reason.GRANT_REFUSED: _refused(900908),
    Reason.GRANT_SUSPENDED: Row(403, Outcome.REFUSED, "provider", helps=False, fault=900908),
    Reason.GRANT_REVOKED: _refused(900908),
    Reason.GRANT_NOT_YET_VALID: _refused(900908, helps=True),
    Reason.GRANT_EXPIRED: _refused(900908),
    Reason.GRANT_QUARANTINED: Row(403, Outcome.REFUSED, "province", helps=True, fault=900908),
    Reason.ENVIRONMENT_NOT_GRANTED: _refused(900908),
    Reason.OPERATION_NOT_GRANTED: _refused(900906),
    Reason.PURPOSE_MISSING: _refused(900908),
    Reason.PURPOSE_NOT_ALLOWED: _refused(900908),
    Reason.PROCEDURE_MISSING: _refused(900908),
    Reason.PROCEDURE_NOT_ALLOWED: _refused(900908),
    Reason.OFFICER_MISSING: _refused(900908),
    Reason.OFFICER_UNKNOWN: _refused(900908),
    Reason.IDENTITY_CONFLICT: _refused(900908),
    Reason.CONSUMER_BLOCKED: Row(403, Outcome.REFUSED, "provider", helps=False, fault=900908),
    Reason.QUOTA_PER_SECOND: _refused(900804, status=429, helps=True),
    Reason.QUOTA_PER_DAY: _refused(900804, status=429, helps=True),
    Reason.ROUTE_UNKNOWN: _invalid(404),
    Reason.VERSION_UNKNOWN: _invalid(404),
    Reason.VERSION_RETIRED: _invalid(404),
    Reason.OPERATION_UNKNOWN: _invalid(404),
    Reason.METHOD_NOT_ALLOWED: _invalid(405),
    Reason.BODY_TOO_LARGE: _invalid(413),
    Reason.BODY_CUT: _invalid(400, helps=True),
    Reason.HEADER_INVALID: _invalid(422),
    Reason.SUBJECT_UNREADABLE: _invalid(422),
    Reason.MESSAGE_UNFIT: _invalid(422),
    Reason.ENVELOPE_UNREADABLE: _invalid(400),
    Reason.REQUEST_NOT_TRANSFORMED: _invalid(422),
    Reason.REQUEST_AGAINST_CONTRACT: _invalid(422),
    Reason.MAINTENANCE: _unavailable("provider", 700700),
    Reason.SERVICE_BLOCKED: _unavailable("provider", 700700, helps=False),
    Reason.QUARANTINED: _unavailable("province", 700700),
    Reason.NO_ENDPOINT: _unavailable("provider", 700700, helps=False),
    Reason.BREAKER_OPEN: _unavailable("provider", 101503),
    Reason.CAPACITY: _unavailable("consumer", 900801),
    Reason.CONNECTOR_UNAVAILABLE: _unavailable("province", 101503),
    Reason.PROVIDER_UNREACHABLE: Row(502, Outcome.UNREACHABLE, "provider", helps=True, fault=101503),
    Reason.EGRESS_DENIED: Row(502, Outcome.UNREACHABLE, "province", helps=False, fault=101503),
    Reason.PROVIDER_BUSY: _failed("provider", 101503, helps=True),
    Reason.PROVIDER_ERROR: _failed("provider", 101503, helps=True),
    Reason.PROVIDER_RUBBISH: _failed("provider", 101503, helps=False),
    Reason.PROVIDER_REDIRECT: _failed("province", 101503, helps=False),
    Reason.PROVIDER_CREDENTIALS: _failed("province", 101503, helps=False),
    Reason.PROVIDER_REJECTED: _failed("consumer", 101503, helps=False),
    Reason.REPLY_UNREADABLE: _failed("provider", 101503, helps=False),
    Reason.REPLY_NOT_LIMITED: _failed("province", 101503, helps=False),
    Reason.REPLY_NOT_TRANSFORMED: _failed("province", 101503, helps=False),
    Reason.REPLY_AGAINST_CONTRACT: _failed("provider", 101503, helps=False),
    Reason.PROVIDER_TIMEOUT: _unknown("provider", 101504, helps=True),
    Reason.PROVIDER_CUT: _unknown("provider", 101504, helps=True),
    Reason.CUT_BY_REVOCATION: _unknown("consumer", 101504, helps=False),
    Reason.CALLER_GONE: _unknown("consumer", 101504, helps=True),
    Reason.NODE_STOPPED: _unknown("province", 101504, helps=True),
    Reason.LEDGER_UNAVAILABLE: Row(503, Outcome.NODE_FAILURE, "province", helps=True, fault=700700),
    Reason.LEDGER_LOST: Row(503, Outcome.NODE_FAILURE, "province", helps=True, fault=700700),
    Reason.TRANSFORM_FAILED: Row(500, Outcome.NODE_FAILURE, "province", helps=False, fault=900900),
    Reason.CONTRACT_NOT_CHECKED: Row(503, Outcome.NODE_FAILURE, "province", helps=True, fault=700700),
    Reason.SECRET_MISSING: Row(500, Outcome.NODE_FAILURE, "province", helps=False, fault=900900),
    Reason.INTERNAL: Row(500, Outcome.NODE_FAILURE, "province", helps=True, fault=900900),
    Reason.PROVIDER_SAID_NO: Row(422, Outcome.BUSINESS_FAILURE, "consumer", helps=False, fault=102511),
}
"""By reason. `PROVIDER_SAID_NO` is told in the provider's own words wherever it has any."""

OUTCOMES: Final[dict[Reason, Outcome]] = {reason: row.outcome for reason, row in ROWS.items()}
STATUS: Final[dict[Reason, int]] = {reason: row.status for reason, row in ROWS.items()}

FAULT_MESSAGES: Final[dict[int, str]] = {
    101503: "Error connecting to the back end",
    101504: "Timeout waiting for the back end",
    102511: "Incomplete payload",
    700700: "API blocked",
    900800: "Message throttled out",
    900801: "API Limit Reached",
    900804: "Subscription Limit Reached",
    900806: "Message throttled out",
    900900: "Unclassified Authentication Failure",
    900901: "Invalid Credentials",
    900902: "Missing Credentials",
    900906: "No matching resource found in the API for the given request",
    900908: "Resource forbidden",
    900909: "The subscription to the API is inactive",
    900910: "The access token does not allow you to access the requested resource",
    400: "Bad Request",
    404: "Not Found",
    405: "Method not allowed for given API resource",
    413: "Request Entity Too Large",
    422: "Unprocessable Content",
}
"""What WSO2's gateway says with its codes, word for word where client software is known to compare it."""
