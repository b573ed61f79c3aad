"""One of several workers: takes its task from the supervisor over standard input, and ends with it.

On standard output it says one line of JSON: `"ready"`, or why it cannot start.
"""

import json
import os
import socket
import sys
from contextlib import suppress

from gateway.logs import configure, get_logger
from gateway.serve import run_worker
from gateway.settings import Settings
from gateway.starting import CannotStart


def main() -> int:
    """Read the task and run the worker."""
    line = sys.stdin.buffer.readline()
    if not line:
        return 0  # the supervisor has gone already
    task = json.loads(line)
    settings, slot = Settings.model_validate(task["settings"]), task["slot"]
    configure(level=settings.log_level, form=settings.log_format)
    log = get_logger("worker")

    def ready() -> None:
        log.info("worker.started", slot=slot, pid=os.getpid())
        _say("ready")

    try:
        sockets = [socket.socket(fileno=number) for number in task["sockets"]]
        run_worker(settings, slot, sockets, ready=ready, tied=True)
    except CannotStart as error:
        _say({"vi": error.vi, "en": error.en, "may_pass": error.may_pass})
        return 1
    log.info("worker.stopped", slot=slot, pid=os.getpid())
    return 0


def _say(what: object) -> None:
    # Without a supervisor nobody listens; the end of standard input then ends us.
    with suppress(BrokenPipeError):
        os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
