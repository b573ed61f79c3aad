"""Health for whoever watches the node: is it alive, and can it take requests."""

from collections.abc import Callable
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold for the node to be ready."""

    name: str
    holds: Callable[[], bool]


def health_routes(checks: list[Check]) -> list[Route]:
    """Return `/health/live` (the process answers) and `/health/ready` (every check holds; else 503, naming them)."""

    async def live(_: Request) -> Response:
        return _answer(200, {"status": "live"})

    async def ready(_: Request) -> Response:
        found = {check.name: check.holds() for check in checks}
        status = 200 if all(found.values()) else 503
        return _answer(status, {"status": "ready" if status == 200 else "not-ready", "checks": found})  # noqa: PLR2004

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _answer(status: int, content: object) -> Response:
    return Response(
        orjson.dumps(content), status, media_type="application/json", headers={"cache-control": "no-store"}
    )
