"""docs/reference/http-api.md: all addresses of a node, those of the admin API from its table of routes."""

from collections.abc import Callable, Iterator, Mapping

from auth import decide
from gateway.api.app import all_routes
from gateway.api.describe import TAGS
from gateway.api.routes import ANY_CLIENT, ANY_ROLE, Route
from registry.entities import Role

HEAD = """# HTTP

Addresses are relative to a node's base address. With `LGSP_ADMIN_LISTEN` the admin API and `/metrics` answer on that
address only.

| address | what |
|---|---|
| `POST /token` | access tokens: [tokens and discovery](oauth.md) |
| `/{service}/{version}/{path}`, `/{service}/{path}` | the data plane, any method; without a version the service's default one |
| `/admin/v1/…` | the admin API, below |
| `GET /admin/openapi.json` | the admin API's description (OpenAPI 3.1) |
| `GET /.well-known/oauth-authorization-server`, `GET /.well-known/jwks.json` | discovery |
| `GET /metrics` | [metrics](metrics.md), for `LGSP_METRICS_NETWORKS` or with an observer's or node administrator's token |
| `GET /health/live`, `GET /health/ready` | whether the process answers; whether it can take requests (else 503, naming what is missing) |

Headers that the data plane reads: `Authorization: Bearer …`, `Lgsp-Purpose`, `Lgsp-Procedure`, `Lgsp-Officer`, `Lgsp-System` (for
whom a shared client calls), `Lgsp-Correlation-Id` (the caller's own, up to 64 safe characters, recorded). It answers with
`Lgsp-Exchange-Id`, which only the node makes, and for a deprecated version with `Deprecation` and `Sunset`.

## The admin API

Sign in as a client with a role. Errors are [problems](problems.md). Objects are addressed by id or label (`H26.12`,
`H26.12:mot-cua`, `traCuu/1.0`); what they hold is on [registry objects](registry.md). Lists come in pages: `limit`, and `cursor` with
the value of `next`; the order is total and stable. A change marked † needs `If-Match` with the `ETag` that was read: without
it 428, with a stale one 412 and the difference.
"""
ROLES_HEAD = """
## Who may

"""
RULE_WORDS: Mapping[Callable[..., object], str] = {
    decide.anyones: "yes",
    decide.own: "own organisation's",
    decide.own_without_role: "own systems' clients",
    decide.as_consumer: "as consumer",
    decide.as_provider: "as provider",
    decide.as_party: "as consumer or provider",
    decide.decides_as_provider: "as provider, not on own request",
    decide.decides_by_delegation: "under the provider's delegation, not on own request",
}
WORDS = {ANY_ROLE: "every role", ANY_CLIENT: "every client with a token"}


def admin_page() -> str:
    """Return docs/reference/http-api.md."""
    routes = list(all_routes())
    lines = [HEAD.rstrip("\n")]
    for tag in TAGS:
        own = [route for route in routes if route.tag == tag["name"]]
        if own:
            lines += ["", f"### {tag['name']}", "", *_table(own)]
    lines += [ROLES_HEAD.rstrip("\n"), "", *_roles()]
    return "\n".join(lines) + "\n"


def _table(routes: list[Route]) -> Iterator[str]:
    yield "| request | what | action | parameters |"
    yield "|---|---|---|---|"
    for route in routes:
        names = [] if route.query is None else sorted(route.query.model_fields)
        told = ", ".join(f"`{name}`" for name in names) or "-"
        mark = " †" if route.if_match else ""
        action = WORDS.get(route.action, f"`{route.action}`")
        yield f"| `{route.method} {_path(route.path)}`{mark} | {route.summary} | {action} | {told} |"


def _path(path: str) -> str:
    for suffix in (":pair}", ":one}"):
        path = path.replace(suffix, "}")
    return path


def _roles() -> Iterator[str]:
    yield "| action | " + " | ".join(f"`{role}`" for role in Role) + " |"
    yield "|---" * (len(Role) + 1) + "|"
    for action, rules in decide.RULES.items():
        cells = [RULE_WORDS[rules[role]] if role in rules else "-" for role in Role]
        yield f"| `{action}` | " + " | ".join(cells) + " |"
