"""One of several workers: takes its task from the supervisor over standard input, and ends with it."""

import json
import socket
import sys

from gateway.serve import run_worker
from gateway.settings import Settings


def main() -> int:
    """Read the task and run the worker."""
    task = json.loads(sys.stdin.buffer.readline())
    sockets = [socket.socket(fileno=number) for number in task["sockets"]]
    return run_worker(Settings.model_validate(task["settings"]), task["slot"], sockets, tied=True)


if __name__ == "__main__":
    sys.exit(main())
