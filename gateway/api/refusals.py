"""What callers of the admin API are told when something goes wrong: each error as its problem."""

from collections.abc import Mapping

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from auth.errors import AuthError
from connectors.errors import ConnectorError
from gateway.api.answers import etag, render_object
from gateway.api.errors import (
    AdminError,
    BodyTooLarge,
    Forbidden,
    MediaTypeWrong,
    PlanStale,
    PreconditionBroken,
    PreconditionMissing,
    QueryWrong,
    Stale,
    TokenWrong,
)
from gateway.exchange import Reason
from gateway.flaws import render_flaw, state_in_vietnamese
from gateway.problems import Problem, notice, problem_for, problem_of, render
from gateway.texts import choose
from registry.errors import Invalid, RegistryError, WrongState

ERRORS: tuple[type[Exception], ...] = (
    AdminError,
    RegistryError,
    AuthError,
    ConnectorError,
    HTTPException,
    Exception,
)
"""The roots of what routes raise; the application hands each to `refuse`."""

LINGER_SECONDS = 2.0
LINGER_BYTES = 64 * 1024 * 1024

WHY: Mapping[str, tuple[str, str]] = {
    "role": ("vai trò này không làm việc đó", "this role does not do that"),
    "no-role": (
        "ứng dụng này không có vai trò quản trị",
        "this client has no role on the admin API; it is for the data plane",
    ),
    "organisation": (
        "đối tượng thuộc cơ quan khác",
        "the object belongs to another organisation",
    ),
    "own-request": (
        "không ai được duyệt yêu cầu do chính mình gửi",
        "nobody decides on a grant that they requested themselves",
    ),
    "no-delegation": (
        "bên cung cấp chưa ủy quyền cho quản trị nút quyết định thay",
        "the provider has recorded no delegation that lets the node decide for it",
    ),
    "name-your-system": (
        "hãy nêu hệ thống của cơ quan mình trong «consumer» hoặc «provider»",
        "name a system of your own organisation as `consumer` or `provider`",
    ),
}
"""Why something is not allowed, in Vietnamese and English."""


async def refuse(request: Request, error: Exception) -> Response:
    """Answer an error as its problem."""
    language = request.headers.get("accept-language", "")
    problem = problem_from(error, request, language)
    status, headers, body = render(problem)
    answer = LingeringResponse if isinstance(error, BodyTooLarge) else Response
    return answer(body, status, {name.decode("latin-1"): value.decode("latin-1") for name, value in headers})


class LingeringResponse(Response):
    """Answers at once, then reads on for a moment and throws away what it reads.

    A caller in the middle of sending would else see a broken connection instead of the answer.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with anyio.move_on_after(LINGER_SECONDS):
            left = LINGER_BYTES
            while left > 0:
                event = await receive()
                if not event.get("more_body", False):
                    break
                left -= len(event["body"])
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def problem_from(error: Exception, request: Request, language: str) -> Problem:
    """Return the problem that an error is told as."""
    match error:
        case HTTPException():
            return _unknown_address(error, request, language)
        case QueryWrong():
            return _invalid(error, language, place="parameter")
        case AdminError():
            return _ours(error, language)
        case Invalid():
            return _invalid(error, language)
        case WrongState():
            return _wrong_state(error, language)
        case _:
            return problem_of(error, language=language)


def _ours(error: AdminError, language: str) -> Problem:
    match error:
        case TokenWrong():
            return problem_for(error.reason, language=language)
        case Forbidden():
            return _forbidden(error, language)
        case Stale():
            return _stale(error, language)
        case PlanStale():
            return notice("version-stale", extra={"labels": list(error.labels)}, language=language)
        case BodyTooLarge():
            return _too_large(error, language)
        case MediaTypeWrong():
            return notice("media-type", details={"expected": ", ".join(error.accepted)}, language=language)
        case PreconditionMissing() | PreconditionBroken():
            return notice("precondition-required", language=language)
        case _:
            return notice("not-ready", language=language)


def _too_large(error: BodyTooLarge, language: str) -> Problem:
    problem = problem_for(Reason.BODY_TOO_LARGE, details={"limit": error.limit}, language=language)
    # The rest of the body is not waited for, so the connection is not used again.
    problem.headers.append((b"connection", b"close"))
    return problem


def _invalid(error: Invalid, language: str, place: str = "pointer") -> Problem:
    flaws = [render_flaw(flaw, place) for flaw in error.flaws]
    return problem_of(error, extra={"errors": flaws}, language=language)


def _forbidden(error: Forbidden, language: str) -> Problem:
    problem = notice("forbidden", language=language, extra={"action": error.action, "why": error.why})
    for code, why in zip(("vi", "en"), WHY.get(error.why, (error.why, error.why)), strict=True):
        told = problem.body["messages"][code]
        told["detail"] = f"{told['detail'].removesuffix('.')}: {why}."
    problem.body["detail"] = problem.body["messages"][choose(language)]["detail"]
    return problem


def _wrong_state(error: WrongState, language: str) -> Problem:
    """The registry says in English why; the Vietnamese text says it in Vietnamese."""
    problem, why = problem_of(error, language=language), str(error)
    told = problem.body["messages"]["vi"]
    told["detail"] = told["detail"].replace(why, state_in_vietnamese(why))
    problem.body["detail"] = problem.body["messages"][choose(language)]["detail"]
    return problem


def _stale(error: Stale, language: str) -> Problem:
    current = render_object(error.current)
    problem = notice(
        "version-stale",
        details={"current": error.current.version, "given": error.given},
        extra={"current": current, "difference": list(error.difference)},
        language=language,
    )
    problem.headers.append((b"etag", etag(error.current.version).encode()))
    return problem


def _unknown_address(error: HTTPException, request: Request, language: str) -> Problem:
    if error.status_code == 405:  # noqa: PLR2004  (Method Not Allowed)
        return notice("method-unsupported", details={"allow": allowed_methods(request)}, language=language)
    return notice("not-found", language=language)


def allowed_methods(request: Request) -> str:
    """Return the methods of an address: several routes share it, each with its own method."""
    methods: set[str] = set()
    for route in request.app.router.routes:
        pattern = getattr(route, "path_regex", None)
        if pattern is not None and pattern.match(request.url.path):
            methods |= getattr(route, "methods", None) or set()
    return ", ".join(sorted(methods))
