"""The secrets that connectors may use: bound by the node's administrator to a file or variable, and to hosts.

The TOML file names them by organisation:

    ["H26.12".DKDN_PASSWORD]
    file = "dkdn-password"             # in the folder `H26.12` beside this file
    hosts = ["api.dkdn.example:443"]

    ["H26.12".BHXH_SECRET]
    variable = "SECRET_H26_12__BHXH"   # only variables that begin with the organisation's own prefix
    hosts = ["bhxh.example"]

Values are read when they are asked for, and again when a file changes.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from connectors.errors import SecretUnknown

LOOK_AGAIN_SECONDS = 1.0
MAX_BYTES = 64 * 1024

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]{0,34}")
_PREFIX = "secret:"


class SecretsWrong(Exception):
    """The file of secrets is not usable; the text says where, and holds no value."""


class _Binding(BaseModel):
    """Where a secret's value is, and where it may go."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str | None = None
    variable: str | None = None
    hosts: Annotated[tuple[str, ...], Field(min_length=1)]


_BINDINGS = TypeAdapter(dict[str, dict[str, _Binding]])


@dataclass(slots=True)
class _Kept:
    """What was read of a file, and how the file looked then."""

    value: object
    looked: float
    state: tuple[int, ...]


class SecretBindings:
    """The file of secrets of a node; without one, nothing is bound."""

    def __init__(
        self,
        file: Path | None,
        *,
        variables: Mapping[str, str],
        monotonic: Callable[[], float] = monotonic,
    ) -> None:
        self._file = file
        self._variables = variables
        self._monotonic = monotonic
        self._kept: dict[Path, _Kept] = {}

    def __repr__(self) -> str:
        return f"SecretBindings({str(self._file)!r})"

    def of(self, organisation: str) -> "OrganisationSecrets":
        """Return the secrets of the organisation with this code."""
        return OrganisationSecrets(self, organisation)

    def check(self) -> None:
        """Read the file now. Raises SecretsWrong."""
        if self._file is not None:
            self._read(self._file, _parse)

    def names(self, organisation: str) -> frozenset[str]:
        """Return the names bound for an organisation. Raises SecretsWrong."""
        return frozenset(self._bindings().get(organisation, {}))

    def get(self, organisation: str, name: str, host: str) -> str:
        """Return a value. Raises SecretUnknown."""
        name = name.removeprefix(_PREFIX)
        try:
            binding = self._bindings().get(organisation, {}).get(name)
            if binding is None:
                raise SecretUnknown(f"{name} is not bound")
            if not _may_go(host, binding.hosts):
                raise SecretUnknown(f"{name} is not bound for this host")
            return self._value(organisation, name, binding)
        except SecretsWrong as error:
            raise SecretUnknown(str(error)) from None

    def _bindings(self) -> Mapping[str, Mapping[str, _Binding]]:
        if self._file is None:
            return {}
        found = self._read(self._file, _parse)
        if not isinstance(found, dict):
            raise TypeError("bindings are a dict")
        return found

    def _value(self, organisation: str, name: str, binding: _Binding) -> str:
        if binding.variable is not None:
            value = self._variables.get(binding.variable, "")
        else:
            value = str(self._read(self._inside(organisation, name, binding.file or ""), _parse_value))
        if not value:
            raise SecretUnknown(f"{name} has no value")
        return value

    def _inside(self, organisation: str, name: str, file: str) -> Path:
        """Return the real path of an organisation's file, links followed, if it lies in its own folder."""
        if self._file is None:
            raise SecretUnknown(f"{name} is not bound")
        folder = self._file.parent.resolve() / organisation
        try:
            path = (folder / file).resolve(strict=True)
        except OSError:
            raise SecretUnknown(f"the file of {name} cannot be read") from None
        if not path.is_relative_to(folder) or not path.is_file():
            raise SecretUnknown(f"the file of {name} is outside the organisation's folder")
        return path

    def _read(self, path: Path, parse: Callable[[bytes, Path], object]) -> object:
        """Return what `parse` makes of a file, read again when the file has changed."""
        now = self._monotonic()
        kept = self._kept.get(path)
        if kept is not None and now - kept.looked < LOOK_AGAIN_SECONDS:
            return kept.value
        try:
            stat = path.stat()
            state = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if kept is not None and kept.state == state:
                kept.looked = now
                return kept.value
            with path.open("rb") as file:
                value = parse(file.read(MAX_BYTES * 64), path)
        except OSError as error:
            self._kept.pop(path, None)
            raise SecretsWrong(f"{path.name} cannot be read ({type(error).__name__})") from None
        self._kept[path] = _Kept(value, now, state)
        return value


class OrganisationSecrets:
    """One organisation's secrets, as its connectors get them (`connectors.contract.Secrets`)."""

    __slots__ = ("_bindings", "_organisation")

    def __init__(self, bindings: SecretBindings, organisation: str) -> None:
        self._bindings = bindings
        self._organisation = organisation

    def __repr__(self) -> str:
        return f"OrganisationSecrets({self._organisation!r})"

    def get(self, name: str, *, host: str) -> str:
        """Return the secret bound to `name` (`secret:NAME` or `NAME`) if it may go to `host`, `name:port`.

        Raises:
            SecretUnknown: it is not bound, not for this host, or has no value.
        """
        return self._bindings.get(self._organisation, name, host)


def variable_prefix(organisation: str) -> str:
    """Return how the variables of an organisation begin: `H26.12` -> `SECRET_H26_12__`."""
    return "SECRET_" + re.sub(r"[^A-Za-z0-9]", "_", organisation).upper() + "__"


def _parse(text: bytes, path: Path) -> dict[str, dict[str, _Binding]]:
    try:
        bindings = _BINDINGS.validate_python(tomllib.loads(text.decode()))
    except ValidationError as error:
        where = "; ".join(".".join(map(str, flaw["loc"])) + ": " + flaw["msg"] for flaw in error.errors())
        raise SecretsWrong(f"{path.name}: {where}") from None
    except ValueError:
        # The parser's own text may quote the line, and so a value.
        raise SecretsWrong(f"{path.name} is not TOML") from None
    for organisation, secrets in bindings.items():
        for name, binding in secrets.items():
            _check(organisation, binding, f"{path.name}: {organisation}.{name}")
    return bindings


def _check(organisation: str, binding: _Binding, where: str) -> None:
    if not _CODE.fullmatch(organisation):
        raise SecretsWrong(f"{where}: not an organisation's code (quote a code with dots)")
    if (binding.file is None) == (binding.variable is None):
        raise SecretsWrong(f"{where}: either file or variable")
    if binding.file is not None and (Path(binding.file).is_absolute() or ".." in Path(binding.file).parts):
        raise SecretsWrong(f"{where}: file is a path inside the organisation's folder")
    prefix = variable_prefix(organisation)
    if binding.variable is not None and not re.fullmatch(
        prefix + "[A-Za-z0-9][A-Za-z0-9_]*", binding.variable
    ):
        raise SecretsWrong(f"{where}: variable begins with {prefix}")


def _parse_value(text: bytes, path: Path) -> str:
    if len(text) > MAX_BYTES:
        raise SecretsWrong(f"{path.name} is too large for a secret")
    try:
        return text.decode().rstrip("\r\n")
    except ValueError:
        raise SecretsWrong(f"{path.name} is not text") from None


def _may_go(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether `host` (`name:port`) is named, with its port or without."""
    host = host.lower()
    name = host.rpartition(":")[0] or host
    return any(allowed.lower() in (host, name) for allowed in hosts)
