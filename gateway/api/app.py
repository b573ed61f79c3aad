"""The admin API as an application: every table of routes, mounted under the paths that it is known by."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Served

from gateway.api import (
    apply,
    clients,
    code_lists,
    comparison,
    delegations,
    descriptions,
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
    scopes,
    services,
    subject_keys,
    subjects,
    systems,
    transforms,
    versions,
    violations,
    wsdl,
)
from gateway.api.bodies import SMALL
from gateway.api.identify import identify
from gateway.api.labels import register_convertors
from gateway.api.nouns import Noun, routes_of
from gateway.api.parts import AdminParts
from gateway.api.refusals import ERRORS, refuse
from gateway.api.routes import Route
from gateway.api.visit import Caller, Visit
from registry.errors import StoreUnavailable

if TYPE_CHECKING:
    from fastapi import FastAPI

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
    yield from scopes.ROUTES
    yield from comparison.ROUTES
    yield from wsdl.ROUTES
    yield from violations.ROUTES
    yield from descriptions.ROUTES
    yield from transforms.ROUTES
    yield from clients.ROUTES
    for noun in NOUNS:
        yield from routes_of(noun)


def create_admin(parts: AdminParts) -> "FastAPI":
    """Return the admin API. Its paths are whole (`/admin/v1/…`): hand it requests as they come, not mounted."""
    from gateway.api.described import add_route, described_app  # noqa: PLC0415  (commands do without FastAPI)

    register_convertors()
    app = described_app()
    for route in all_routes():
        add_route(app, route, _endpoint(parts, route, None))
    return app


def create_local(parts: AdminParts, caller: Caller) -> Starlette:
    """Return the same API for commands: no token is asked for, and no description is made.

    Whoever works on the node's machine, through its own files, is `caller`.
    """
    register_convertors()
    routes = [
        Served(route.path, _endpoint(parts, route, caller), methods=[route.method]) for route in all_routes()
    ]
    return Starlette(routes=routes, exception_handlers=dict.fromkeys(ERRORS, refuse))


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
