"""All commands in one table: name, where it is, and what it does. Nothing of them is imported to list them."""

from collections.abc import Iterable
from typing import NamedTuple

from cyclopts import App


class Row(NamedTuple):
    """One command: its words, the function that does it, and its help in one line."""

    words: str
    target: str
    help: str


GROUPS: dict[str, str] = {
    "import": "Take over what is kept elsewhere.",
    "client": "Credentials by which systems and administrators get tokens.",
    "service": "What is done to a service while it runs.",
    "version": "What is done to a version of a service.",
    "grant": "Decisions on who may call what.",
    "evidence": "What is recorded of exchanges.",
    "usage": "Counts derived from evidence.",
    "keys": "The keys that sign access tokens, and those that name data subjects.",
    "transform": "Mappings, tried and tested without a node.",
    "database": "The node's databases.",
}

COMMANDS: tuple[Row, ...] = (
    Row("serve", "gateway.commands.serve:serve", "Run a node until it is told to stop."),
    Row(
        "demo",
        "gateway.commands.serve:demo",
        "Run an invented province with real traffic and honest figures.",
    ),
    Row("check", "gateway.commands.check:check", "Check that a node could run here, line by line."),
    Row("apply", "gateway.commands.registry:apply", "Bring the registry to what YAML files say."),
    Row("diff", "gateway.commands.registry:diff", "Show what `apply` would change."),
    Row("export", "gateway.commands.registry:export", "Print the registry as YAML that applies to nothing."),
    Row(
        "import inventory",
        "gateway.commands.registry:inventory",
        "Take over systems and needs from a CSV or XLSX file.",
    ),
    Row(
        "import openapi",
        "gateway.commands.import_description:openapi",
        "Make a draft of a version from an OpenAPI description.",
    ),
    Row(
        "import wsdl",
        "gateway.commands.import_description:wsdl",
        "Make a draft of a version from a WSDL description.",
    ),
    Row("client create", "gateway.commands.client:create", "Add a client; its secret is shown once."),
    Row("client rotate", "gateway.commands.client:rotate", "Give a client a new secret."),
    Row("client disable", "gateway.commands.client:disable", "Stop a client, with every token that it has."),
    Row("client list", "gateway.commands.client:search", "List the clients."),
    Row("step", "gateway.commands.steps:step", "Take one step of an object's life, or list the steps."),
    Row("service block", "gateway.commands.steps:block", "Switch a service off at once."),
    Row("service unblock", "gateway.commands.steps:unblock", "Switch a service on again."),
    Row(
        "service plan-maintenance",
        "gateway.commands.steps:plan_maintenance",
        "Announce when a service will not answer.",
    ),
    Row(
        "service cancel-maintenance",
        "gateway.commands.steps:cancel_maintenance",
        "Take an announced maintenance back.",
    ),
    Row(
        "compare",
        "gateway.commands.compare:compare",
        "Show what a version or a description changes, and for whom.",
    ),
    Row("version check", "gateway.commands.steps:check", "Test the connection to a version's endpoints."),
    Row(
        "grant list",
        "gateway.commands.steps:grants",
        "List grants, those that wait for a decision among them.",
    ),
    Row("grant approve", "gateway.commands.steps:approve", "Approve a requested grant."),
    Row("grant refuse", "gateway.commands.steps:refuse", "Turn a requested grant down."),
    Row("grant suspend", "gateway.commands.steps:suspend", "Stop a grant for a while."),
    Row("grant resume", "gateway.commands.steps:resume", "Let a suspended grant hold again."),
    Row("grant revoke", "gateway.commands.steps:revoke", "End a grant for good."),
    Row("call", "gateway.commands.call:call", "Get a token, call a service, explain what came of it."),
    Row(
        "connectors",
        "gateway.commands.connectors:connectors",
        "List the installed connectors: here, or on a node.",
    ),
    Row(
        "connectivity",
        "gateway.commands.figures:connectivity",
        "Print the connectivity figure with its rule.",
    ),
    Row(
        "evidence list",
        "gateway.commands.figures:evidence_list",
        "List recorded exchanges, the newest first.",
    ),
    Row(
        "evidence show",
        "gateway.commands.figures:evidence_show",
        "Show all that is recorded of one exchange.",
    ),
    Row(
        "evidence subject",
        "gateway.commands.subjects:look_up",
        "List who looked at a person, when and for what purpose.",
    ),
    Row(
        "evidence export",
        "gateway.commands.evidence:export",
        "Write records with what proves them into one file.",
    ),
    Row(
        "evidence verify",
        "gateway.commands.evidence:verify",
        "Check an exported file offline, or this machine's own ledger.",
    ),
    Row(
        "evidence archive",
        "gateway.commands.evidence_months:archive",
        "Write a month that is over into a signed file.",
    ),
    Row(
        "evidence drop",
        "gateway.commands.evidence_months:drop",
        "Drop a month's records that an archive file holds.",
    ),
    Row("evidence keys", "gateway.commands.evidence:keys", "List the keys that sign the ledger."),
    Row("evidence rotate", "gateway.commands.evidence:rotate", "Make a new key that signs the ledger."),
    Row("usage show", "gateway.commands.usage:show", "Print sums of exchanges."),
    Row("usage rebuild", "gateway.commands.figures:usage_rebuild", "Recompute usage from the evidence."),
    Row(
        "violations",
        "gateway.commands.violations:show",
        "List where messages break a service's contract.",
    ),
    Row(
        "reconcile",
        "gateway.commands.reconcile:reconcile",
        "Compare our counts per hour with a provider's own.",
    ),
    Row("keys rotate", "gateway.commands.figures:keys_rotate", "Make a new signing or subject key."),
    Row("keys list", "gateway.commands.subjects:keys_list", "List the subject keys by id and time."),
    Row("keys destroy", "gateway.commands.subjects:keys_destroy", "Destroy a subject key for ever."),
    Row(
        "transform test",
        "gateway.commands.transform:run_tests",
        "Run golden folders: a message, its transforms, and what must come out.",
    ),
    Row(
        "transform try",
        "gateway.commands.transform:try_",
        "Run transforms on a sample; show what is read, what comes out, or where it fails.",
    ),
    Row(
        "database upgrade",
        "gateway.commands.database:upgrade",
        "Bring the databases to this program's schema.",
    ),
    Row(
        "database check",
        "gateway.commands.database:check",
        "Check that the databases have this program's schema.",
    ),
)


def make_app(rows: Iterable[Row] = COMMANDS) -> App:
    """Return the application with every command."""
    app = App(
        name="lgsp",
        help="A data-sharing platform in two roles: a province's or ministry's node (LGSP) and the hub (NGSP).",
        version=_version,
        version_flags=["--version"],
    )
    groups = {name: App(name=name, help=text, version_flags=[]) for name, text in GROUPS.items()}
    for group in groups.values():
        app.command(group)
    for row in rows:
        first, _, rest = row.words.partition(" ")
        parent, name = (groups[first], rest) if rest else (app, first)
        parent.command(row.target, name=name, help=row.help)
    return app


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415  (only for --version)

    return version("lgsp")
