"""docs/reference/command-line.md, made from the commands: `python -m gateway.commands.reference > PAGE`."""

import re
import sys

from gateway.commands.table import make_app

HEAD = """\
# The command line

Made from the code by `python -m gateway.commands.reference`; do not edit it here.

Commands work through a node's admin API: `--node` and `--client-file`, or `LGSP_NODE_URL` and `LGSP_CLIENT_FILE` in the
environment. The file is what `lgsp client create --save FILE` writes: two lines, `LGSP_CLIENT_ID=…` and `LGSP_CLIENT_SECRET=…`, that
shells, systemd and containers read as well. Id and secret may be given apart (`LGSP_CLIENT_ID` with `LGSP_CLIENT_SECRET` or
`LGSP_CLIENT_SECRET_FILE`), and then go before the file. With `--local` commands work on the node's machine, through its own
databases and by the same rules, whether the node runs or not; the audit names them `lgsp --local`. The first administrator is made
that way: `lgsp client create --role node-admin --local`.

`--json` prints JSON for programs. `--language` or `LGSP_LANGUAGE` chooses Vietnamese (`vi`) or English (`en`). The exit code
is 0 when it was done, 1 when it was refused or failed, 2 for wrong usage.

"""


def reference() -> str:
    """Return the page."""
    page = make_app().generate_docs(output_format="markdown", recursive=True)
    # Its title and table of contents give way to our own head.
    commands = page[page.index("\n## lgsp ") + 1 :]
    return HEAD + re.sub(r"\n{3,}", "\n\n", commands).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
