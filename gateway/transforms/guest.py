"""A guest process: runs mappings that are not plain for the node, and may be killed at any time.

Started as `python -I -m gateway.transforms.guest`; it speaks frames on its standard input and output, knows no
settings, environment or files of the node, and is limited in memory and processor time by the system.
"""

import resource
import sys
from collections import OrderedDict
from typing import Any, BinaryIO

from gateway.transforms.code_tables import Tables
from gateway.transforms.contract import BadSettings, Document, OutOfTime, Unfit
from gateway.transforms.engine import Mapping, Settings
from gateway.transforms.frames import read_frame, render_frame

MEMORY_BYTES = 1536 << 20
CPU_SECONDS = 60
RETIRE_AT_SECONDS = 40.0
MOST_MAPPINGS = 64


class Guest:
    """The mappings that the guest has compiled, the last used ones."""

    def __init__(self) -> None:
        self._mappings: OrderedDict[str, Mapping] = OrderedDict()

    def answer(self, header: dict[str, Any], body: bytes) -> bytes:  # Any: JSON
        """Run a mapping and return the frame to send."""
        try:
            mapping = self._mapping(header)
            if mapping is None:
                return render_frame({"unknown": True})
            return render_frame({}, mapping(Document(body)).body)
        except Unfit as error:
            place = None if error.place is None else [error.place.line, error.place.column]
            return render_frame({
                "late": isinstance(error, OutOfTime), "code": error.code, "message": error.message, "place": place,
                "subject": error.subject,
            })  # fmt: skip
        except BadSettings as error:
            return render_frame({"code": "mapping-failed", "message": str(error), "subject": "mapping"})

    def _mapping(self, header: dict[str, Any]) -> Mapping | None:
        key = header["key"]
        if key in self._mappings:
            self._mappings.move_to_end(key)
        elif "settings" not in header:
            return None
        else:
            tables = Tables.parse(header["tables"])
            self._mappings[key] = Mapping(Settings.model_validate(header["settings"]), tables)
            if len(self._mappings) > MOST_MAPPINGS:
                self._mappings.popitem(last=False)
        return self._mappings[key]


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
