"""Errors and outcomes as told to callers (RFC 9457, or WSO2's fault): the only owner of status codes.

One table has a row for every reason an exchange can end early, one says what each error class is told as, and
`docs/reference/problems.md` is made from them.
"""

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from auth import errors as auth
from connectors import errors as connectors
from connectors.message import Headers
from gateway.exchange import Reason
from gateway.flaws import render_flaw
from gateway.notices import ADMIN, GUARD, TOKEN, Notice
from gateway.outcomes import FAULT_MESSAGES, OUTCOMES, ROWS, STATUS, Row
from gateway.texts import REASON_TEXTS, Language, Text, choose
from registry import errors as registry

if TYPE_CHECKING:
    from gateway.contracts.violations import Violation

__all__ = [
    "OUTCOMES",
    "PROBLEMS",
    "STATUS",
    "Problem",
    "notice",
    "problem_for",
    "problem_of",
    "reference",
    "render",
    "token_error",
]

REALM: Final = 'Bearer realm="lgsp"'
DETAIL_LENGTH: Final = 200


PROBLEMS: Final[dict[type[Exception], str]] = {
    Exception: Reason.INTERNAL,
    registry.RegistryError: Reason.INTERNAL,
    registry.NotFound: "not-found",
    registry.Invalid: "validation-failed",
    registry.Conflict: "conflict",
    registry.AlreadyThere: "validation-failed",
    registry.VersionStale: "version-stale",
    registry.WrongState: "wrong-state",
    registry.StoreUnavailable: "store-unavailable",
    registry.SchemaUnknown: "schema-unknown",
    registry.LedgerUnavailable: Reason.LEDGER_UNAVAILABLE,
    registry.SlotTaken: Reason.LEDGER_UNAVAILABLE,
    registry.ChainBroken: Reason.LEDGER_UNAVAILABLE,
    registry.KeysUnreadable: "key-missing",
    connectors.ConnectorError: Reason.PROVIDER_ERROR,
    connectors.ConnectorUnknown: "connector-unknown",
    connectors.SettingsRefused: "settings-refused",
    connectors.NotSent: Reason.PROVIDER_UNREACHABLE,
    connectors.EgressDenied: Reason.EGRESS_DENIED,
    connectors.NoAnswer: Reason.PROVIDER_CUT,
    connectors.BadAnswer: Reason.PROVIDER_RUBBISH,
    connectors.SecretUnknown: Reason.SECRET_MISSING,
    auth.AuthError: Reason.INTERNAL,
    auth.TokenError: Reason.TOKEN_MALFORMED,
    auth.TokenMalformed: Reason.TOKEN_MALFORMED,
    auth.TokenForged: Reason.TOKEN_FORGED,
    auth.TokenForeign: Reason.TOKEN_FOREIGN,
    auth.TokenExpired: Reason.TOKEN_EXPIRED,
    auth.ClientRefused: "client-refused",
    auth.AssertionRefused: "client-refused",
    auth.KeySetRefused: "validation-failed",
    auth.KeyMissing: "key-missing",
}
"""What each error is told as; the nearest class counts, and a test walks every tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem, ready to be rendered. `fault` is its WSO2 code; `headers` are without content type and length."""

    status: int
    body: dict[str, Any]  # Any: JSON
    headers: Headers = field(default_factory=list)
    fault: int = 900900

    @property
    def code(self) -> str:
        """The stable code, last segment of its `type`."""
        return str(self.body["code"])


def problem_for(
    reason: Reason,
    *,
    exchange: str = "",
    sent: bool = False,
    retry_after: float | None = None,
    details: Mapping[str, object] | None = None,
    violations: "Sequence[Violation]" = (),
    language: str | Sequence[str] = "",
) -> Problem:
    """Return the problem of a reason.

    `details` are shown as they are and fill in the text, `violations` are a member of their own; `language` is an `Accept-Language` value or a list of
    languages, the preferred one first. The body holds both languages in any case.
    """
    row = ROWS[reason]
    told = _clean(details) if details else {}
    body = _body(reason, row, REASON_TEXTS[reason], told, choose(language))
    body["sent"] = sent
    if violations:
        body["violations"] = [{"at": it.at, "pointer": it.pointer, "rule": it.rule} for it in violations]
    if exchange:
        body["instance"] = f"urn:uuid:{exchange}"
    headers = _headers(row.status, retry_after, told)
    if retry_after is not None:
        body["retry"] = {"helps": True, "after_seconds": math.ceil(retry_after)}
    if row.challenge is not None:
        headers.append((b"www-authenticate", _challenge(reason, row.challenge)))
    return Problem(status=row.status, body=body, headers=headers, fault=row.fault)


def notice(
    code: str,
    *,
    details: Mapping[str, object] | None = None,
    extra: Mapping[str, Any] | None = None,  # Any: JSON
    retry_after: float | None = None,
    language: str | Sequence[str] = "",
) -> Problem:
    """Return a problem of the guard or the admin API; `extra` are further members, e.g. `errors`."""
    row = NOTICES[code]
    told = _clean(details) if details else {}
    body = _body(code, row, row.text, told, choose(language))
    if retry_after is not None:
        body["retry"] = {"helps": True, "after_seconds": math.ceil(retry_after)}
    headers = _headers(row.status, retry_after, told)
    if row.status == 401:  # noqa: PLR2004  (RFC 9110, 15.5.2: a 401 names a way to authenticate)
        headers.append((b"www-authenticate", REALM.encode()))
    return Problem(status=row.status, body=body | dict(extra or {}), headers=headers, fault=row.status)


def problem_of(
    error: Exception,
    *,
    extra: Mapping[str, Any] | None = None,  # Any: JSON
    language: str | Sequence[str] = "",
) -> Problem:
    """Return the problem of the nearest class of `error` that has one, for the admin API."""
    code = next(PROBLEMS[cls] for cls in type(error).__mro__ if cls in PROBLEMS)
    details, members = _facts(error)
    if code not in NOTICES:
        problem = problem_for(Reason(code), details=details, language=language)
        return Problem(
            status=problem.status,
            body=problem.body | members | dict(extra or {}),
            headers=problem.headers,
            fault=problem.fault,
        )
    return notice(code, details=details, extra=members | dict(extra or {}), language=language)


def _facts(error: Exception) -> tuple[dict[str, object], dict[str, Any]]:
    """Return the safe parameters of an error, and the members that its problem has beyond the common ones."""
    match error:
        case registry.Invalid():
            return {}, {"errors": [render_flaw(flaw) for flaw in error.flaws]}
        case registry.NotFound():
            return {"kind": error.kind, "label": error.label}, {}
        case registry.AlreadyThere():
            return {}, {"errors": [render_flaw(registry.Flaw(error.pointer, "taken", f"{error}."))]}
        case registry.VersionStale():
            return {"current": error.current, "given": error.given}, {}
        case auth.KeySetRefused():
            return {}, {"errors": [render_flaw(registry.Flaw(error.pointer, "jwks", f"{error.why}."))]}
        case registry.Conflict() | auth.ClientRefused() | connectors.SettingsRefused():
            return {"why": str(error)}, {}
        case _:
            return {}, {}


def render(problem: Problem, style: str = "problem") -> tuple[int, Headers, bytes]:
    """Return status, headers (content type, no length) and body, as RFC 9457 or (`wso2`) as WSO2's fault."""
    if style == "wso2":
        fault = {
            "code": problem.fault,
            "message": FAULT_MESSAGES.get(problem.fault, problem.body["messages"]["en"]["title"]),
            "description": problem.body["detail"],
        }
        content = (b"content-type", b"application/json; charset=utf-8")
        return problem.status, [content, *problem.headers], _json({"fault": fault})
    content = (b"content-type", b"application/problem+json")
    return problem.status, [content, *problem.headers], _json(problem.body)


def token_error(
    error: str,
    *,
    description: str | None = None,
    basic: bool = False,
    retry_after: float | None = None,
) -> tuple[int, Headers, bytes]:
    """Return the answer of `/token` to a request that gets no token (RFC 6749, 5.2, with both languages beside).

    `basic` says that the client came with HTTP Basic and so is to be challenged with it.
    """
    row = TOKEN[error]
    english = description or row.text.detail_en.plain
    body: dict[str, object] = {
        "error": error,
        "error_description": _ascii(english),
        "messages": {"vi": row.text.detail_vi.plain, "en": english},
    }
    headers: Headers = [(b"content-type", b"application/json"), *_headers(row.status, retry_after, {})]
    headers.append((b"pragma", b"no-cache"))
    if row.status == 401:  # noqa: PLR2004  (RFC 6749, 5.2)
        scheme = b'Basic realm="lgsp", charset="UTF-8"' if basic else REALM.encode()
        headers.append((b"www-authenticate", scheme))
    return row.status, headers, _json(body)


NOTICES: Final[dict[str, Notice]] = GUARD | ADMIN


def _json(body: Mapping[str, Any]) -> bytes:  # Any: JSON
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:  # half a surrogate pair that came in with somebody's JSON
        return json.dumps(body).encode()


def _body(
    code: str, row: Row | Notice, text: Text, told: dict[str, object], language: Language
) -> dict[str, Any]:  # Any: JSON
    vi = {"title": text.title_vi, "detail": text.detail_vi.fill(told)}
    en = {"title": text.title_en, "detail": text.detail_en.fill(told)}
    chosen = en if language == "en" else vi
    body: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": chosen["title"],
        "status": row.status,
        "detail": chosen["detail"],
        "code": str(code),
        "turn": row.turn,
        "retry": {"helps": row.helps, "after_seconds": None},
        "sent": False,
        "messages": {"vi": vi, "en": en},
    }
    if told:
        body["details"] = told
    return body


def _headers(status: int, retry_after: float | None, told: Mapping[str, object]) -> Headers:
    headers: Headers = [(b"cache-control", b"no-store")]
    if retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(retry_after))))
    if status == 405 and "allow" in told:  # noqa: PLR2004  (RFC 9110, 15.5.6)
        headers.append((b"allow", str(told["allow"]).encode("ascii", "ignore")))
    return headers


@lru_cache(maxsize=64)
def _challenge(reason: Reason, error: str) -> bytes:
    """Return the Bearer challenge; without credentials in the request it names no error (RFC 6750, 3.1)."""
    if not error:
        return REALM.encode()
    description = _ascii(REASON_TEXTS[reason].title_en)
    return f'{REALM}, error="{error}", error_description="{description}"'.encode()


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _clean(details: Mapping[str, object]) -> dict[str, object]:
    """Keep what is known, short and printable."""
    told: dict[str, object] = {}
    for name, value in details.items():
        if isinstance(value, int):
            told[name] = value
        elif value is not None and (shown := _CONTROL.sub(" ", str(value))[:DETAIL_LENGTH]):
            told[name] = shown
    return told


def _ascii(sentence: str) -> str:
    """Return what may stand in `error_description`: printable ASCII without quotes and backslashes."""
    plain = sentence.translate({0x201C: "'", 0x201D: "'", 0x22: "'", 0x5C: "/"})
    return plain.encode("ascii", "ignore").decode()


def reference() -> str:
    """Return docs/reference/problems.md."""
    lines = [REFERENCE_HEAD]
    lines += ["## In an exchange, and before it", "", *_reason_table()]
    lines += ["## From the guard below HTTP", "", *_notice_table(GUARD)]
    lines += ["## From the admin API", "", *_notice_table(ADMIN)]
    lines += ["## From /token (`error`)", "", *_notice_table(TOKEN)]
    return "\n".join(lines).rstrip() + "\n"


def _reason_table() -> list[str]:
    rows = ["| code | status | outcome | whose turn | a retry helps | WSO2 code | vi | en |"]
    rows.append("|---|---|---|---|---|---|---|---|")
    for reason, row in ROWS.items():
        text = REASON_TEXTS[reason]
        helps = "yes" if row.helps else "no"
        rows.append(
            f"| `{reason}` | {row.status} | `{row.outcome}` | {row.turn} | {helps} | {row.fault} "
            f"| {text.title_vi}. {text.detail_vi.plain} | {text.title_en}. {text.detail_en.plain} |"
        )
    return [*rows, ""]


def _notice_table(notices: Mapping[str, Notice]) -> list[str]:
    rows = ["| code | status | whose turn | a retry helps | vi | en |", "|---|---|---|---|---|---|"]
    for code, row in notices.items():
        helps = "yes" if row.helps else "no"
        rows.append(
            f"| `{code}` | {row.status} | {row.turn} | {helps} "
            f"| {row.text.title_vi}. {row.text.detail_vi.plain} "
            f"| {row.text.title_en}. {row.text.detail_en.plain} |"
        )
    return [*rows, ""]


REFERENCE_HEAD: Final = """# Problems

Every error is a problem document (RFC 9457, `application/problem+json`) in Vietnamese and English; this page is
made from the tables in the code. Its members: `type` (`/problems/<code>`), `title` and `detail` (in the
language that `Accept-Language` prefers, Vietnamese by default), `status`, `code` (stable; compare this one),
`turn` (who has to act: `consumer`, `province`, `hub` or `provider`), `retry` (`helps`, and `after_seconds` when
known; it helps, too, when it takes a new token), `sent` (whether anything was sent to the provider), `messages` (both languages), `instance` (`urn:uuid:`
and the exchange id, inside an exchange), `details` (parameters), `violations` (of a message that breaks its contract: each with
`at`, `pointer` and `rule`). The admin API adds `errors` (each with
`pointer` or `parameter`, `code`, `message`, and `messages` in both languages) and, for a stale version, `difference`.

A client or service registered with `error_style: wso2` gets `{"fault": {"code", "message", "description"}}` with
the same status instead.
"""

if __name__ == "__main__":
    sys.stdout.write(reference())
