"""Which reference pages are generated, and by what: one table.

A page is made from what stood in it, because connectors' pages are written by hand but for one part.
"""

from collections.abc import Callable, Mapping

from connectors.catalogue import installed
from connectors.contract import Connector
from connectors.reference import render_reference
from gateway import metrics, problems
from gateway.api import reference as admin_api
from gateway.commands import reference as command_line
from gateway.reference.objects import objects_page
from gateway.reference.roles import roles_page
from gateway.reference.settings import settings_page
from gateway.transforms import reference as transforms

Make = Callable[[str], str]
BEGIN = "## Settings\n\n"
OURS = "connectors.builtin."


def whole(make: Callable[[], str]) -> Make:
    """Make a page of which nothing is written by hand."""
    return lambda before: make()


def connector(found: type[Connector]) -> Make:
    """Make the part of a connector's page that its settings say themselves; the rest stays as it is."""

    def make(before: str) -> str:
        head, begin, rest = (before or f"# The `{found.kind}` connector\n\n{BEGIN}").partition(BEGIN)
        if not begin:
            raise ValueError(f"the page of the connector {found.kind} has no part «Settings»")
        return head + begin + render_reference(found) + _by_hand(rest)

    return make


def _by_hand(rest: str) -> str:
    """Return what follows the last table of the part that is made."""
    lines = rest.splitlines(keepends=True)
    end = next((number for number, line in enumerate(lines) if line.startswith("## ")), len(lines))
    made = [number for number, line in enumerate(lines[:end]) if line.startswith("|")]
    return "".join(lines[made[-1] + 1 if made else end :])


def pages() -> Mapping[str, Make]:
    """Return the table: path below docs/reference -> what makes the page from what stood there."""
    ours = [one for one in installed() if one.__module__.startswith(OURS)]
    return {
        "settings.md": whole(settings_page),
        "command-line.md": whole(command_line.reference),
        "http-api.md": whole(admin_api.reference),
        "registry.md": whole(objects_page),
        "roles.md": whole(roles_page),
        "problems.md": whole(problems.reference),
        "metrics.md": whole(metrics.reference),
        "transforms.md": whole(transforms.reference),
        **{f"connectors/{one.kind}.md": connector(one) for one in ours},
    }
