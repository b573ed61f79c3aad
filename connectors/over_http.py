"""What connectors that speak HTTP share: what went wrong as a result of the contract, and `Retry-After`."""

from datetime import UTC
from email.utils import parsedate_to_datetime

from connectors.contract import Rejected, Result, Unknown, Unreachable
from connectors.credentials import CredentialsRefused
from connectors.errors import BadAnswer, ConnectorError, EgressDenied, NotSent, SecretUnknown
from connectors.message import Headers

LONGEST_BUSY_SECONDS = 86_400.0


def result_of(error: ConnectorError) -> Result:
    """Return what an error on the way means. Raises EgressDenied and SecretUnknown on."""
    match error:
        case EgressDenied() | SecretUnknown():
            raise error
        case NotSent():
            reason = str(error)
            return Rejected(reason=reason) if reason == "header-invalid" else Unreachable(reason=reason)
        case CredentialsRefused():
            return Rejected(reason="credentials")
        case BadAnswer():
            return Unknown(reason=str(error), rubbish=True)
        case _:
            return Unknown(reason=str(error))


def retry_after(headers: Headers, now: float) -> float | None:
    """Return the seconds that `Retry-After` names, as a number or a date; None without a usable one."""
    value = next((value for name, value in headers if name == b"retry-after"), b"").strip()
    if value.isdigit():
        return float(min(int(value), LONGEST_BUSY_SECONDS))
    try:
        at = parsedate_to_datetime(value.decode("latin-1"))
    except (ValueError, TypeError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at.timestamp() - now, 0.0), LONGEST_BUSY_SECONDS)
