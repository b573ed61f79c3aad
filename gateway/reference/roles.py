"""docs/reference/roles.md: who may do what on the admin API, from the table of decisions."""

from collections.abc import Callable, Iterator, Mapping

from auth import decide
from registry.entities import Role

HEAD = """# Roles

What each role may do on the [admin API](http-api.md). What is not in the table is denied. An action is a noun and a verb, as each
operation of the API names it. Two rules stand above roles: nobody decides on a grant that they requested, and a node administrator
decides for a provider only under that provider's recorded delegation. Work with `--local` on the node's machine is bound by who may
read its files, not by roles; the history names it `local`.
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


def roles_page() -> str:
    """Return docs/reference/roles.md."""
    return "\n".join([HEAD, *_table()]) + "\n"


def _table() -> Iterator[str]:
    yield "| action | " + " | ".join(f"`{role}`" for role in Role) + " |"
    yield "|---" * (len(Role) + 1) + "|"
    for action, rules in decide.RULES.items():
        cells = [RULE_WORDS[rules[role]] if role in rules else "-" for role in Role]
        yield f"| `{action}` | " + " | ".join(cells) + " |"
