"""Random bytes from the operating system, fetched in pieces: a system call for each id costs more than the id."""

import os
import threading

PIECE = 4096


class Randomness:
    """Hands out bytes of `os.urandom`, each once. Safe for threads; not to be carried over a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._piece = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """Return `size` random bytes, at most 4096."""
        with self._lock:
            end = self._at + size
            if end > len(self._piece):
                self._piece = os.urandom(PIECE)
                self._at, end = 0, size
            taken = self._piece[self._at : end]
            self._at = end
        return taken
