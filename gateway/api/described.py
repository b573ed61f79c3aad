"""The admin API with its description: FastAPI, told by the table of routes what it would else guess."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.describe import DESCRIPTION, TAGS, components, operation
from gateway.api.labels import plain
from gateway.api.refusals import ERRORS, refuse
from gateway.api.routes import Route


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


def described_app() -> AdminApp:
    """Return the application, without routes yet."""
    return AdminApp(
        title="lgsp admin API",
        version="1",
        openapi_url="/admin/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=dict.fromkeys(ERRORS, refuse),
    )


def add_route(app: AdminApp, route: Route, endpoint: Callable[[Request], Awaitable[Response]]) -> None:
    """Add one route with its description."""
    app.add_api_route(
        route.path,
        endpoint,
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


def _name(route: Route) -> str:
    """Name an operation after its method and path: stable, and unique because those are."""
    words = plain(route.path).removeprefix("/admin/v1/").replace("{", "").replace("}", "")
    return "_".join([route.method.lower(), *words.replace("-", "_").split("/")])
