"""The registry as a whole on the admin API: bring it to what YAML says, write it as YAML, take over an inventory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field
from starlette.responses import Response

from auth.decide import action_of
from gateway.api.answers import answer
from gateway.api.bodies import JSON, LARGE, parse_object, read_body
from gateway.api.decisions import check_role, demand, subject_of
from gateway.api.errors import PlanStale
from gateway.api.routes import Answer, Body, Route
from gateway.api.visit import Query, Visit
from gateway.flaws import render_flaw
from registry.documents import parse_as
from registry.entities import Entity, Kind
from registry.errors import Flaw, Invalid
from registry.export import export as export_yaml
from registry.inventory import import_inventory, read_inventory
from registry.plan import Plan, Planned, apply, parse_yaml, plan, render_plan
from registry.wanted import Wanted, parse_wanted

YAML = ("application/yaml", "application/x-yaml", "text/yaml")


TABLES = ("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")


class ApplyQuery(Query):
    """Whether to do it, or only to say what would be done."""

    dry_run: Annotated[bool, Field(description="Only answer the plan; change nothing.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRequest(Entity):
    """What the registry is to be: as YAML text or as objects, with the versions that a plan was made from."""

    yaml: str | None = None
    objects: dict[str, Any] | None = None  # Any: checked object by object
    expected_versions: dict[str, int | None] = field(default_factory=dict)


async def apply_wanted(visit: Visit) -> Response:
    """Plan, check that the caller may, and carry it out in one revision; or only answer the plan."""
    dry_run = visit.query(ApplyQuery).dry_run
    wanted, versions = await _wanted(visit)
    parts, author = visit.parts, visit.caller.author
    made = await plan(parts.registry, wanted, author=author)
    _check_versions(made, versions)
    for item in made.items:
        await _check_steps(visit, item)
    if dry_run:
        return answer({"applied": False} | render_plan(made))
    done = await apply(parts.register, made, author)
    return answer({"applied": True} | render_plan(made) | {"revision": done.number})


async def _wanted(visit: Visit) -> tuple[list[Wanted], Mapping[str, int | None]]:
    body, media_type = await read_body(visit.request, limit=visit.limit, accepted=(*YAML, JSON))
    if media_type != JSON:
        return parse_yaml(_text(body)), {}
    given = parse_as(ApplyRequest, parse_object(body))
    if (given.yaml is None) == (given.objects is None):
        raise Invalid([Flaw("", "choice", "Give `yaml` or `objects`, exactly one of the two.")])
    wanted = parse_wanted(given.objects) if given.yaml is None else parse_yaml(given.yaml)
    return wanted, given.expected_versions


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid([Flaw("", "yaml", f"This is not UTF-8, at byte {error.start}.")]) from error


def _check_versions(made: Plan, versions: Mapping[str, int | None]) -> None:
    """Refuse when what somebody was shown is no longer so."""
    if not versions:
        return
    changed = [item.label for item in made.items if versions.get(item.pointer) != item.expected_version]
    if changed:
        raise PlanStale(changed)


async def _check_steps(visit: Visit, item: Planned) -> None:
    """Decide on grants by the same rules as one by one: for a provider only under its delegation."""
    if item.kind is not Kind.GRANT or not item.steps or item.id is None:
        return
    stored = await visit.parts.registry.get(Kind.GRANT, item.id)
    subject = await subject_of(visit.parts.registry, Kind.GRANT, stored.document, visit.now())
    for step in item.steps:
        demand(visit, subject, action_of(Kind.GRANT, step))


async def export(visit: Visit) -> Response:
    """Answer the registry as YAML that, applied to it, changes nothing."""
    text = await export_yaml(visit.parts.registry)
    return Response(text, media_type="application/yaml", headers={"Cache-Control": "no-store"})


async def inventory(visit: Visit) -> Response:
    """Take over systems and needs from a table; rows that cannot be taken are answered with reasons."""
    dry_run = visit.query(ApplyQuery).dry_run
    body, _ = await read_body(visit.request, limit=visit.limit, accepted=TABLES)
    parts, author = visit.parts, visit.caller.author
    found = await read_inventory(parts.register, "inventory", body, author)
    revision = found.plan.revision
    if not dry_run:
        revision = (await import_inventory(parts.register, found, author)).number
    refused = [
        {"sheet": row.sheet, "row": row.row, "errors": [render_flaw(reason) for reason in row.reasons]}
        for row in found.refused
    ]
    told = {"applied": not dry_run, "revision": revision, "accepted": found.accepted, "refused": refused}
    return answer(told | {"plan": render_plan(found.plan)})


ROUTES = (
    Route(
        method="POST", path="/admin/v1/apply", action="registry.apply", tag="registry", check=check_role,
        run=apply_wanted, query=ApplyQuery, summary="Bring the registry to what YAML or JSON says",
        description=(
            "In one revision, or not at all. What is not named stays as it is. `versions` of a plan sent back as "
            "`expected_versions` make sure that nothing has changed in between: else 412."
        ),
        body=Body(
            types={JSON: "ApplyRequest"} | dict.fromkeys(YAML, "RegistryFile"),
            example={"yaml": "systems: []\n", "expected_versions": {}},
            limit=LARGE,
        ),
        answer=Answer(schema="Plan"), problems=(404, 409, 412, 413, 415, 422),
    ),
    Route(
        method="POST", path="/admin/v1/import/inventory", action="registry.import", tag="registry",
        check=check_role, run=inventory, query=ApplyQuery, summary="Take over systems and needs from a table",
        description=(
            "Two tables are understood, alone or on sheets of one workbook: systems, and their connections. Rows "
            "that cannot be taken are answered with reasons; the others are taken in one revision."
        ),
        body=Body(types=dict.fromkeys(TABLES, ""), limit=LARGE), answer=Answer(schema="ImportedInventory"),
        problems=(409, 412, 413, 415, 422),
    ),
    Route(
        method="GET", path="/admin/v1/export", action="registry.export", tag="registry", check=check_role,
        run=export, summary="The registry as YAML", answer=Answer(schema="RegistryFile", media_type="application/yaml"),
    ),
)  # fmt: skip
