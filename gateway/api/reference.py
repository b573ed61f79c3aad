"""docs/reference/http-api.md, made from the table of routes: `python -m gateway.api.reference > PAGE`."""

import sys
from collections.abc import Iterable, Iterator

from auth.decide import RULES
from gateway.api.app import all_routes
from gateway.api.describe import TAGS
from gateway.api.labels import plain
from gateway.api.routes import ANY_CLIENT, ANY_ROLE, Route
from registry.entities import Role

HEAD = """\
# The admin API

Made from the code by `python -m gateway.api.reference`; do not edit it here. The whole description, with every
schema, is at `/admin/openapi.json` (OpenAPI 3.1).

## Signing in

`POST /token` with the credentials of a client that has a role, then `Authorization: Bearer TOKEN`. Every operation
names one action; `auth/decide.py` says which roles may take it, and for whose objects: an organisation's administrator
for its own, a service owner for what its organisation provides. What is refused is a 403 that says why.

## Lists

| parameter | what |
|---|---|
| `limit` | most items on a page, 1 to 200 (50 without it) |
| `cursor` | `next` of the page before; opaque |
| `q` | text in labels and names, without regard to case and accents |
| `sort` | `label`, `changed_at` or `id`; `-` in front reverses it |

Further parameters are filters by fields; a reference may be given by id or by code. An unknown parameter is a 422. A
page is `{"items": […], "next": …, "total": …}`; the order is total and stable, so pages neither repeat nor miss objects.

## Objects and their versions

An object is `{"kind", "id", "label", "version", "revision", "home_node", "changed_at", "changed_by", "document"}`;
`document` is what is kept, with ids for references. It is addressed by its id or its code. Needs, versions and grants
have codes of two segments, with the slash as it is: `/admin/v1/versions/DoanhNghiep/1.0`.

`ETag` is the object's version. Every change of an object needs it in `If-Match`: without it the answer is 428, with a
stale one 412 with `current` (the object as it is now) and `difference` (what changed since). `PUT` takes what a person may
write; the life cycle moves on by `POST …/actions/STEP`. `GET …/history` lists the revisions that touched an object.

## Errors

Every error is a problem (RFC 9457) with a stable `code`, texts in Vietnamese and English, whose `turn` it is to act, and
whether a `retry` helps; [problems.md](problems.md) lists the codes. `Accept-Language` chooses the language of `title` and
`detail`. `errors` lists every flaw with a `code`, a `message`, and the `pointer` (RFC 6901) into the body or the `parameter`
of the query. Bodies are at most 1 MB, 10 MB for `apply`, `import` and code lists; what is larger is refused before it is read on.

## The registry as a whole

`POST /admin/v1/apply?dry_run=true` answers a plan with the differences and the `versions` it was made from. Sent back as
`expected_versions`, they make sure that nothing has changed in between (412). One revision holds all changes, or none are made.
"""


def reference() -> str:
    """Return the page."""
    return HEAD + "".join(_lines(list(all_routes())))


def _lines(routes: Iterable[Route]) -> Iterator[str]:
    for tag in TAGS:
        shown = [route for route in routes if route.tag == tag["name"]]
        if not shown:
            continue
        yield f"\n## {tag['name']}\n\n{tag['description']}\n\n| operation | what | action | roles |\n|---|---|---|---|\n"
        for route in shown:
            path = plain(route.path)
            yield f"| `{route.method} {path}` | {route.summary} | `{route.action}` | {_roles(route)} |\n"
        yield from _filters(shown)


def _roles(route: Route) -> str:
    if route.action == ANY_CLIENT:
        return "every client"
    roles = [role.value for role in Role if route.action == ANY_ROLE or role in RULES[route.action]]
    return "all" if len(roles) == len(Role) else ", ".join(roles)


def _filters(routes: Iterable[Route]) -> Iterator[str]:
    for route in routes:
        if route.query is not None and not route.path.endswith("/history"):
            path = plain(route.path)
            names = ", ".join(f"`{name}`" for name in route.query.model_fields)
            yield f"\n`{route.method} {path}` takes {names}.\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
