"""`lgsp serve` and `lgsp demo`: what runs until it is told to stop."""

from typing import Annotated, Literal

from cyclopts import Parameter

from gateway.commands.failures import Failed
from gateway.commands.node_settings import node_settings


def serve(
    *,
    role: Annotated[
        Literal["local", "hub"] | None, Parameter(help="`local` (LGSP) or `hub` (NGSP); else LGSP_ROLE.")
    ] = None,
    workers: Annotated[
        int | None, Parameter(help="Worker processes; more than one needs PostgreSQL. Else LGSP_WORKERS.")
    ] = None,
) -> int:
    """Run a node until it is told to stop (Ctrl+C, SIGTERM); requests under way are finished first.

    All other settings are in the environment (LGSP_…) and in the file that LGSP_SETTINGS_FILE names.
    """
    settings = node_settings(role=role, workers=workers)
    # Imported here: help and errors in the settings need none of the node.
    from gateway.serve import serve as run  # noqa: PLC0415
    from gateway.starting import CannotStart  # noqa: PLC0415

    try:
        return run(settings)
    except CannotStart as error:
        raise Failed(error.vi, error.en) from error


def demo(
    *,
    once: Annotated[
        bool, Parameter(help="Run in a temporary folder, print the figures, and end.", negative="")
    ] = False,
    as_json: Annotated[bool, Parameter(name="--json", help="Print JSON for programs.", negative="")] = False,
) -> int:
    """Run an invented province: a node, three sandbox national databases and real traffic.

    Prints what happened, the connectivity figure with its rule, and addresses to try; then stays up until Ctrl+C.
    """
    from gateway.demo import demo as run  # noqa: PLC0415  (as above)

    return run(once=once, as_json=as_json)
