"""npm's `soap` as a client: installed into a temporary folder, run by node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PACKAGE = "soap@1.13.0"
OLDEST_NODE = (20, 19)
INSTALL_SECONDS, CALL_SECONDS = 120, 30


def install(folder: Path) -> Path:
    """Install the client into a folder; skips the test, saying why, where that cannot be done."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed: npm's soap client is not tried")
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    if tuple(int(part) for part in said.strip().lstrip("v").split(".")[:2]) < OLDEST_NODE:
        pytest.skip(f"node {said.strip()} is older than npm's soap client takes (20.19)")
    (folder / "package.json").write_text('{"name": "khach", "version": "1.0.0", "private": true}')
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", PACKAGE]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
    )
    if done.returncode:
        pytest.skip(f"npm cannot install {PACKAGE} here: {done.stderr.strip()[-300:]}")
    shutil.copy(Path(__file__).with_name("npm_soap.js"), folder / "client.js")
    return folder


def run(folder: Path, **asked: Any) -> dict[str, Any]:
    """Have the client make its calls; returns what came of them."""
    done = subprocess.run(
        ["node", "client.js"],  # noqa: S607  (install has found it)
        cwd=folder, input=json.dumps(asked).encode(), capture_output=True, check=False, timeout=CALL_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered
