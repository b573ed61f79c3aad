"""The admin API as an application: every table of routes, mounted under the paths that it is known by."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi

from gateway.api import (
    apply,
    clients,
    code_lists,
    delegations,
    evidence,
    figures,
    grants,
    national_databases,
    needs,
    node,
    officers,
    organisations,
    proofs,
    reconcile,
    services,
    subject_keys,
    subjects,
    systems,
    versions,
)
from gateway.api.bodies import SMALL
from gateway.api.describe import DESCRIPTION, TAGS, components, operation
from gateway.api.identify import identify
from gateway.api.labels import register_convertors
from gateway.api.nouns import Noun, routes_of
from gateway.api.parts import AdminParts
from gateway.api.refusals import ERRORS, refuse
from gateway.api.routes import Route
from gateway.api.visit import Caller, Visit
from registry.errors import StoreUnavailable

NOUNS: Sequence[Noun] = (
    organisations.NOUN,
    national_databases.NOUN,
    systems.NOUN,
    needs.NOUN,
    services.NOUN,
    versions.NOUN,
    grants.NOUN,
    clients.NOUN,
    officers.NOUN,
    delegations.NOUN,
    code_lists.NOUN,
)


def all_routes() -> Iterator[Route]:
    """Yield every route of the admin API."""
    yield from node.ROUTES
    yield from apply.ROUTES
    yield from figures.ROUTES
    yield from reconcile.ROUTES
    yield from subjects.ROUTES
    yield from evidence.ROUTES
    yield from proofs.ROUTES
    yield from subject_keys.ROUTES
    yield from services.ROUTES
    yield from versions.ROUTES
    yield from clients.ROUTES
    for noun in NOUNS:
        yield from routes_of(noun)


class AdminApp(FastAPI):
    """FastAPI with our description in place of the one it would guess."""

    def openapi(self) -> dict[str, Any]:  # Any: the description is JSON
        """Return the description, made once."""
        if self.openapi_schema is None:
            described = get_openapi(
                title=self.title,
                version=self.version,
                description=DESCRIPTION,
                routes=self.routes,
                tags=list(TAGS),
            )
            described["components"] = {
                "schemas": components(),
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            }
            described["security"] = [{"token": []}]
            self.openapi_schema = described
        return self.openapi_schema


def create_admin(parts: AdminParts, *, local: Caller | None = None) -> FastAPI:
    """Return the admin API. Its paths are whole (`/admin/v1/…`): hand it requests as they come, not mounted.

    With `local` no token is asked for: whoever works on the node's machine, through its own files, is this
    caller.
    """
    register_convertors()
    app = AdminApp(
        title="lgsp admin API",
        version="1",
        openapi_url="/admin/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=dict.fromkeys(ERRORS, refuse),
    )
    for route in all_routes():
        app.add_api_route(
            route.path,
            _endpoint(parts, route, local),
            methods=[route.method],
            status_code=route.answer.status,
            response_class=Response,
            response_model=None,
            name=_name(route),
            operation_id=_name(route),
            summary=route.summary,
            description=route.description,
            tags=[route.tag],
            openapi_extra=operation(route),
        )
    return app


def _name(route: Route) -> str:
    """Name an operation after its method and path: stable, and unique because those are."""
    words = route.path.removeprefix("/admin/v1/").replace("{", "").replace("}", "").replace(":pair", "")
    return "_".join([route.method.lower(), *words.replace(":one", "").replace("-", "_").split("/")])


def _endpoint(
    parts: AdminParts, route: Route, local: Caller | None
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        caller = local or identify(parts, request, needs_role=not route.any_client)
        limit = route.body.limit if route.body else SMALL
        visit = Visit(parts, request, route.action, caller, limit=limit)
        await route.check(visit)
        response = await route.run(visit)
        if route.method != "GET":
            # The change stands whatever comes of this; workers look for it by themselves too.
            with suppress(StoreUnavailable):
                await parts.snapshots.refresh()
        return response

    return endpoint
