"""A guest process: does work for the node whose end nobody can promise, or that would hold up all its threads.

That is mappings that are not plain, and whatever is done with large documents. It may be killed at any time.

Started as `python -I -m gateway.transforms.guest`; it speaks frames on its standard input and output, knows no
settings, environment or files of the node, and is limited in memory and processor time by the system.
"""

import os
import resource
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, BinaryIO, Final

from gateway.transforms.contract import BadSettings, OutOfTime, Unfit
from gateway.transforms.frames import read_frame, render_frame

MEMORY_BYTES = 1536 << 20
CPU_SECONDS = 60
RETIRE_AT_SECONDS = 40.0
NICE = 5
"""The node's own threads come first where they share a core."""
MOST_KEPT = 64

JOBS: Final = {
    "chain": "gateway.transforms.chain",
    "mapping": "gateway.transforms.jsonata",
    "minimise": "gateway.transforms.minimise.work",
    "contract": "gateway.contracts.work",
}
"""What a guest can do, by the modules that know how: each has `make_work`. They are loaded when first asked for."""

Work = Callable[[Mapping[str, Any], bytes], tuple[dict[str, Any], bytes]]  # Any: the headers of frames, JSON


class Guest:
    """The work that the guest knows how to do, what was done last."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Work] = OrderedDict()

    def answer(self, header: dict[str, Any], body: bytes) -> bytes:  # Any: JSON
        """Do a piece of work and return the frame to send."""
        try:
            work = self._work(header)
            return render_frame({"unknown": True}) if work is None else render_frame(*work(header, body))
        except Unfit as error:
            place = None if error.place is None else [error.place.line, error.place.column]
            return render_frame({
                "late": isinstance(error, OutOfTime), "code": error.code, "message": error.message, "place": place,
                "subject": error.subject,
            })  # fmt: skip
        except BadSettings as error:
            return render_frame({"code": "mapping-failed", "message": str(error), "subject": "mapping"})

    def _work(self, header: dict[str, Any]) -> Work | None:
        key = header["key"]
        if key in self._known:
            self._known.move_to_end(key)
        elif "job" not in header:
            return None
        else:
            self._known[key] = import_module(JOBS[header["job"]]).make_work(header["make"])
            if len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)
        return self._known[key]


def exactly(stream: BinaryIO, size: int) -> bytes:
    """Read so many bytes. Raises EOFError."""
    got = stream.read(size)
    if len(got) != size:
        raise EOFError
    return got


def main() -> None:
    """Answer until the node hangs up, or enough processor time is used that a fresh guest is better."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    os.nice(NICE)
    guest, source, sink = Guest(), sys.stdin.buffer, sys.stdout.buffer
    while resource.getrusage(resource.RUSAGE_SELF).ru_utime < RETIRE_AT_SECONDS:
        try:
            header, body = read_frame(lambda size: exactly(source, size))
        except EOFError:
            return
        sink.write(guest.answer(header, body))
        sink.flush()


if __name__ == "__main__":
    main()
