"""The sandbox national databases as the demonstration runs them: each with an address and a secret of its own."""

import json
import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2

from gateway.demo.processes import Child

MODULE = "deploy.sandbox"
OWNERS = {
    "dkdn": "DEMO.G91",
    "bhxh": "DEMO.G92",
    "dmdc": "DEMO.G93",
    "hotich": "DEMO.G94",
    "lltp": "DEMO.G94",
    "datdai": "DEMO.G95",
    "dancu": "DEMO.G96",
}
"""The databases, with the organisation that each belongs to."""
PROCESSES = (("dkdn", "bhxh", "hotich", "lltp", "datdai", "dancu"), ("dmdc",))
"""Which databases share a process: one is taken down by itself, as a machine that fails."""
SECONDS = 10.0


class Sandbox:
    """One database: its address, and the file with its secret, which the node reads as well."""

    def __init__(self, database: str, folder: Path) -> None:
        self.database = database
        self.owner = OWNERS[database]
        self.folder = folder / self.owner
        self.secret_file = self.folder / database
        self.address = ""
        self.base = ""
        self.examples: Mapping[str, str] = {}
        self.folder.mkdir(exist_ok=True)
        self._write(database, _secret_for(database))

    def ready(self, said: Mapping[str, object]) -> None:
        """Take down what the database says of itself."""
        examples = said["examples"]
        self.address, self.base = str(said["address"]), str(said["base"])
        self.examples = examples if isinstance(examples, dict) else {}
        if "apiKey" in self.examples:
            self._write(f"{self.database}-khoa", self.examples["apiKey"])

    def bindings(self) -> str:
        """Say to the node where the secrets are and where they may go: tables of its file of secrets."""
        host = self.address.partition("://")[2]
        names = sorted(path.name for path in self.folder.glob(f"{self.database}*"))
        return "".join(f'["{self.owner}".{name}]\nfile = "{name}"\nhosts = ["{host}"]\n' for name in names)

    def spoil(self, mode: str, times: int = 1) -> None:
        """Make the next answers go wrong."""
        wanted = {"mode": mode, "times": times}
        httpx2.post(f"{self.address}/_faults", json=wanted, timeout=SECONDS).raise_for_status()

    def _write(self, name: str, secret: str) -> None:
        file = self.folder / name
        file.touch(0o600)
        file.write_text(secret, "utf-8")


class SandboxProcess:
    """A process with one or several databases in it."""

    def __init__(self, sandboxes: Sequence[Sandbox], folder: Path) -> None:
        self.sandboxes = sandboxes
        self._log = folder / f"{sandboxes[0].database}.log"
        self._child: Child | None = None

    def start(self) -> None:
        """Start the process; its first database at the same address as before, when it ran before."""
        port = self.sandboxes[0].address.rpartition(":")[2] or "0"
        names = [f"{one.database}={one.secret_file}" for one in self.sandboxes]
        self._child = Child(MODULE, *names, "--port", port, log=self._log)

    def wait(self) -> None:
        """Wait until the databases are ready. Raises ChildFailed."""
        if self._child is None:
            raise ValueError("the process was not started")
        said = self._child.hear()
        for sandbox in self.sandboxes:
            sandbox.ready(said[sandbox.database])

    def kill(self) -> None:
        """Take the databases down, as a machine that fails does."""
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
