"""Run an `lgsp` command as a child that never outlives its parent: `python -m gateway.demo.child serve`.

When the pipe on standard input closes the process ends itself as if it had been asked to (SIGTERM).
"""

import os
import signal
import sys
import threading

from gateway.__main__ import main


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main())
