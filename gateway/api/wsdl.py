"""A service version's WSDL on the admin API, drafts included: what its consumers will get at `/soap/…?wsdl`."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from anyio import to_thread
from pydantic import Field
from starlette.responses import Response

from gateway.api.decisions import check_object
from gateway.api.labels import label_path
from gateway.api.routes import Answer, Route
from gateway.api.visit import Query, Visit
from gateway.soap.offer import Offer
from gateway.soap.wsdl import MEDIA_TYPE, address_of, render
from registry.documents import parse
from registry.entities import Kind, Service, Version
from registry.errors import NotFound
from registry.stores import Stored

LIVE = frozenset({"published", "deprecated"})


class WSDLQuery(Query):
    """Which version."""

    version: Annotated[
        str | None,
        Field(max_length=20, description="Its number; without it the default version, else the newest."),
    ] = None


async def wsdl(visit: Visit) -> Response:
    """Answer the WSDL of a version that is offered as SOAP."""
    stored, query = await visit.stored(Kind.SERVICE), visit.query(WSDLQuery)
    service = parse(Kind.SERVICE, stored.document)
    assert isinstance(service, Service)  # noqa: S101  (what parse returns for this kind)
    page = await visit.parts.registry.search(Kind.VERSION, where={"service": stored.id}, limit=200)
    chosen = choose(page.items, query.version or service.default_version)
    version = None if chosen is None else parse(Kind.VERSION, chosen.document)
    if not isinstance(version, Version) or version.soap is None:
        raise NotFound("wsdl", f"{service.name}/{query.version or ''}".rstrip("/"))
    text = await to_thread.run_sync(partial(_described, version, service, visit.parts.issuer))
    return Response(text, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})


def choose(versions: Sequence[Stored], number: str | None) -> Stored | None:
    """Return the version of this number; without one the newest that can be called, else the newest."""
    if number is not None:
        return next((one for one in versions if number_of(one) == _parts(number)), None)
    return max(versions, key=lambda one: (one.document["status"] in LIVE, number_of(one)), default=None)


def number_of(stored: Stored) -> tuple[int, ...]:
    """Return a version's number, in an order in which 1.10 comes after 1.9."""
    return _parts(stored.document["version"])


def _parts(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.removeprefix("v").split(".") if part.isdigit())


def _described(version: Version, service: Service, issuer: str) -> str:
    offer = Offer(version, service.name)
    address = address_of(issuer, service.name, version.version.removeprefix("v"))
    return render(offer, service=service.name, title=service.title_vi, address=address)


ROUTES = (
    Route(
        method="GET",
        path=f"{label_path(Kind.SERVICE)}/wsdl",
        action="service.read",
        tag=Kind.SERVICE.value,
        check=partial(check_object, kind=Kind.SERVICE),
        run=wsdl,
        query=WSDLQuery,
        summary="The WSDL of a version that is offered as SOAP",
        description="Its documentation lists what XML Schema cannot say of the version's schemas, item by item. 404 also where the version has no `soap`.",
        answer=Answer(media_type="text/xml"),
        problems=(404, 422),
    ),
)
