"""The sandbox national databases as the demonstration runs them: each a child with a secret of its own."""

import json
import secrets
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx2

from gateway.demo.processes import Child

MODULE = "deploy.sandbox"
DATABASES = {"dkdn": "DEMO.G91", "bhxh": "DEMO.G92", "dmdc": "DEMO.G93"}
"""The databases, with the organisation that each belongs to."""
SECONDS = 10.0


class Sandbox:
    """One database: its process, and the file with its secret, which the node reads as well."""

    def __init__(self, database: str, folder: Path) -> None:
        self.database = database
        self.secret_file = folder / DATABASES[database] / database
        self.address = ""
        self.base = ""
        self.examples: dict[str, str] = {}
        self._log = folder / f"{database}.log"
        self._port = 0
        self._child: Child | None = None
        self.secret_file.parent.mkdir()
        self.secret_file.touch(0o600)
        self.secret_file.write_text(_secret_for(database), "utf-8")

    def start(self) -> None:
        """Start the process; at the same address as before, when it ran before."""
        arguments = (self.database, "--port", str(self._port), "--secret-file", str(self.secret_file))
        self._child = Child(MODULE, *arguments, log=self._log)

    def wait(self) -> None:
        """Wait until the database is ready. Raises ChildFailed."""
        if self._child is None:
            raise ValueError("the database was not started")
        ready: dict[str, Any] = self._child.hear()
        self.address, self.base, self.examples = ready["address"], ready["base"], ready["examples"]
        self._port = int(self.address.rpartition(":")[2])

    def binding(self) -> str:
        """Say to the node where the secret is and where it may go: a table of its file of secrets."""
        host = self.address.partition("://")[2]
        owner = DATABASES[self.database]
        return f'["{owner}".{self.database}]\nfile = "{self.database}"\nhosts = ["{host}"]\n'

    def spoil(self, mode: str, times: int = 1) -> None:
        """Make the next answers go wrong."""
        wanted = {"mode": mode, "times": times}
        httpx2.post(f"{self.address}/_faults", json=wanted, timeout=SECONDS).raise_for_status()

    def kill(self) -> None:
        """Take the database down, as a machine that fails does."""
        if self._child is not None:
            self._child.kill()

    def stop(self) -> None:
        """End the process. Idempotent."""
        if self._child is not None:
            self._child.stop()
            self._child = None


def _secret_for(database: str) -> str:
    """Make a secret; that of BHXH looks as the header `lgspaccesstoken` of provincial platforms does."""
    if database != "bhxh":
        return secrets.token_urlsafe(24)
    keys = {"AccessKey": secrets.token_hex(8), "SecretKey": secrets.token_hex(16), "AppName": "LGSP-DEMO"}
    return b64encode(json.dumps(keys, separators=(",", ":")).encode()).decode()
