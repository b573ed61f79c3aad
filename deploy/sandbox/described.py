"""A database that is nothing but a description: the `mock` connector behind a real socket, with credentials in front.

The description says under which path it is served (`servers`), how a caller proves itself (`securitySchemes`) and what it answers to one
that does not (`401`). The faults and delays of the mock (`mock-fault`, `mock-delay`, `mock-example`) work here for every caller.
"""

import time
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, cast

import yaml
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.builtin.mock.connector import MockConnector
from connectors.builtin.mock.settings import MockSettings
from connectors.contract import Busy, Call, ConnectorContext, Done, Result
from connectors.message import Message
from deploy.sandbox.credentials import Basic, Credentials, OAuthTokens, StaticHeader
from deploy.sandbox.faults import CUT
from deploy.sandbox.world import HOUSEHOLDS, SEED

NAMES = ("dkdn", "bhxh", "hotich", "lltp", "datdai")
MOST_SECONDS = 60.0
Description = Mapping[str, Any]  # Any: a description


def read_description(name: str) -> Description:
    """Return a database's description."""
    text = files("deploy.sandbox").joinpath("descriptions", f"{name}.yaml").read_text("utf-8")
    read: Description = yaml.safe_load(text)
    return read


def base_of(description: Description) -> str:
    """Return the path under which a described database is served."""
    return str(description["servers"][0]["url"])


def create_app(description: Description, secret: str) -> Starlette:
    """Return the database; `secret` is the secret of the user or client `lgsp`, or the value of its header."""
    credentials, routes = _credentials(description, secret)
    database = DescribedDatabase(description, credentials)
    path = base_of(description) + "/{rest:path}"
    return Starlette(routes=[*routes, Route(path, database.answer, methods=["GET", "POST", "PUT", "DELETE"])])


def _credentials(description: Description, secret: str) -> tuple[Credentials, Iterable[Route]]:
    """Return what the description's first security scheme asks for, with the token endpoint where there is one."""
    scheme = next(iter(description["components"]["securitySchemes"].values()))
    match scheme["type"]:
        case "http":
            return Basic(secret), ()
        case "apiKey":
            return StaticHeader(scheme["name"], secret), ()
        case _:
            (flow,) = scheme["flows"].values()
            tokens = OAuthTokens(secret)
            return tokens, [Route(flow["tokenUrl"], tokens.answer_token, methods=["POST"])]


class DescribedDatabase:
    """Answers by its description."""

    def __init__(self, description: Description, credentials: Credentials) -> None:
        self._base = base_of(description)
        self._credentials = credentials
        refused = description["components"]["responses"]["KhongCoQuyen"]
        self._refused = refused["content"]["application/json"]["example"]
        settings = MockSettings.model_validate(
            {"description": description, "seed": SEED, "households": HOUSEHOLDS}
        )
        # A mock reaches nobody and knows no secrets: of its host it needs the clock.
        nothing = cast(Any, None)
        context = ConnectorContext(http=nothing, network=nothing, clock=time, secrets=nothing, log=nothing)
        self._mock = MockConnector(settings, context)

    async def answer(self, request: Request) -> Response:
        """Answer one call."""
        if not self._credentials.hold_for(request):
            return JSONResponse(self._refused, 401, {"WWW-Authenticate": "Basic"})
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)  # who asked is gone
        return _response(await self._mock.call(self._call(request, body)))

    def _call(self, request: Request, body: bytes) -> Call:
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        return Call(
            exchange="",
            operation="",
            method=request.method,
            path=request.url.path.removeprefix(self._base),
            query=request.url.query,
            message=Message(body, request.headers.get("content-type", ""), headers),
            deadline=time.monotonic() + MOST_SECONDS,
            sandbox=True,
        )


def _response(result: Result) -> Response:
    """Return what a result looks like on the wire."""
    match result:
        case Done(status=status, reply=reply):
            headers = {name.decode(): value.decode("latin-1") for name, value in reply.headers}
            return Response(cast(bytes, reply.body), status, headers)
        case Busy(after=after):
            return Response(status_code=503, headers={"Retry-After": f"{after or 1:.0f}"})
        case _ if getattr(result, "rubbish", False):
            return Response(b"\x00<rubbish", media_type="application/json")
        case _:
            # A server that hears a call cannot be unreachable any more: it hangs up in the middle.
            return Response(b"{" + b" " * 100, headers={CUT: "1"}, media_type="application/json")
