"""Services on the admin API, with their kill switch and maintenance windows."""

from starlette.responses import Response

from gateway.api.answers import answer
from gateway.api.decisions import check_any_role
from gateway.api.nouns import Filter, Noun, SearchQuery
from gateway.api.routes import ANY_CLIENT, Answer, Route
from gateway.api.visit import Visit
from gateway.soap.wsdl import address_of
from registry.entities import Kind
from registry.stores import Stored


class ServiceQuery(SearchQuery):
    """Filters of services."""

    provider: Filter = None
    error_style: Filter = None


NOUN = Noun(
    kind=Kind.SERVICE,
    name="service",
    query=ServiceQuery,
    example={
        "name": "ViDuDoanhNghiep",
        "title_vi": "Tra cứu doanh nghiệp (ví dụ)",
        "title_en": "Look up an enterprise (example)",
        "provider": "G99:csdl",
    },
)


async def catalogue(visit: Visit) -> Response:
    """Answer what callers may know of a service: its callable versions and their operations."""
    registry, stored = visit.parts.registry, await visit.stored(Kind.SERVICE)
    page = await registry.search(Kind.VERSION, where={"service": stored.id}, limit=200)
    versions = [
        {
            "version": version.document["version"],
            "status": version.document["status"],
            "environments": list(version.document["endpoints"]),
            "soap": soap_address(visit, stored, version),
            "operations": [
                {
                    name: operation[name]
                    for name in ("name", "method", "path", "title_vi", "title_en", "effect")
                }
                for operation in version.document["operations"]
            ],
        }
        for version in page.items
        if version.document["status"] in CALLABLE
    ]
    known = {name: stored.document[name] for name in ("name", "title_vi", "title_en", "default_version")}
    address = visit.parts.issuer if visit.parts.settings.admin_listen is not None else None
    return answer({"id": stored.id} | known | {"address": address, "versions": versions})


def soap_address(visit: Visit, service: Stored, version: Stored) -> str | None:
    """Return where a version is offered as SOAP, None when it is not."""
    if version.document.get("soap") is None:
        return None
    number = version.document["version"].removeprefix("v")
    return address_of(visit.parts.issuer, service.document["name"], number)


CALLABLE = frozenset({"published", "deprecated"})

ROUTES = (
    Route(
        method="GET",
        path="/admin/v1/catalogue/{label:one}",
        action=ANY_CLIENT,
        tag=Kind.SERVICE.value,
        check=check_any_role,
        run=catalogue,
        summary="What callers may know of a service",
        description=(
            "For every client with a token, those of the data plane too. `address` is where services are called, "
            "when that is another address than this one."
        ),
        answer=Answer(schema="CatalogueEntry"),
        problems=(404,),
    ),
)
