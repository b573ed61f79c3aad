"""Golden folders: a message, the transforms, and what must come out of them.

A folder holds `transform.yaml`, `in.*` and `out.*`; or, where the message must be refused, `error.yaml` with some
of the members of a fault. `transform.yaml` lists `transforms` as a version does, and may hold `code_lists` and
`organisations` as the registry does.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from gateway.transforms.code_tables import CodeTable, OrganisationCodes, Tables
from gateway.transforms.contract import TransformError
from gateway.transforms.flaws import first_flaw
from gateway.transforms.guests import Guests
from gateway.transforms.trial import Trial, try_transforms
from registry.entities import CodeList, Organisation, TransformSpec

DECLARATION = "transform.yaml"
_MOST_BYTES = 32 << 20
_SPECS = TypeAdapter(tuple[TransformSpec, ...])
_LISTS = TypeAdapter(tuple[CodeList, ...])
_ORGANISATIONS = TypeAdapter(tuple[Organisation, ...])


class FolderWrong(TransformError):
    """A golden folder, or a declaration, that is not as it should be."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a `transform.yaml` declares."""

    specs: tuple[TransformSpec, ...]
    tables: Tables


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one folder went; `difference` says what was expected and what came instead."""

    folder: Path
    difference: str | None


def folders_in(root: Path) -> Iterator[Path]:
    """Yield the golden folders at and below a folder, in order."""
    for declaration in sorted(root.rglob(DECLARATION)):
        yield declaration.parent


def read_declaration(path: Path) -> Declaration:
    """Read a file: YAML as in a golden folder, or a mapping alone in a file `*.jsonata`. Raises FolderWrong."""
    text = _text(path)
    if path.suffix == ".jsonata":
        return Declaration((TransformSpec(kind="jsonata", settings={"mapping": text}),), Tables())
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FolderWrong(f"{path.name} is not YAML: {error}") from error
    return parse_declaration(document, path.name)


def parse_declaration(document: object, name: str = DECLARATION) -> Declaration:
    """Read what a declaration says. Raises FolderWrong."""
    if not isinstance(document, Mapping) or set(document) - {"transforms", "code_lists", "organisations"}:
        raise FolderWrong(f"{name} holds `transforms`, and may hold `code_lists` and `organisations`.")
    try:
        lists = _LISTS.validate_python(document.get("code_lists") or ())
        known = _ORGANISATIONS.validate_python(document.get("organisations") or ())
        specs = _SPECS.validate_python(document.get("transforms") or ())
    except ValidationError as error:
        flaw = first_flaw(error)
        raise FolderWrong(f"{name}: {flaw}") from error
    codes = OrganisationCodes(known)
    return Declaration(specs, Tables({item.code: CodeTable(item) for item in lists}, lambda: codes))


def run_folder(folder: Path, guests: Guests) -> Verdict:
    """Run one golden folder. Raises FolderWrong."""
    declared = read_declaration(folder / DECLARATION)
    trial = try_transforms(declared.specs, _bytes(_one(folder, "in.*")), declared.tables, guests)
    return Verdict(folder, _difference(folder, trial))


def _difference(folder: Path, trial: Trial) -> str | None:
    wanted_error = folder / "error.yaml"
    if wanted_error.exists():
        wanted: dict[str, Any] = yaml.safe_load(_text(wanted_error)) or {}
        if trial.fault is None:
            return f"expected an error {wanted}, but got {_shown(trial.output)}"
        got = {name: value for name, value in asdict(trial.fault).items() if name in wanted}
        return None if got == wanted else f"expected the error {wanted}, but got {asdict(trial.fault)}"
    if trial.fault is not None:
        return f"failed: {asdict(trial.fault)}"
    out = _one(folder, "out.*")
    return (
        None
        if is_same(_bytes(out), trial.output or b"")
        else f"expected {_shown(_bytes(out))}, but got {_shown(trial.output)}"
    )


def is_same(expected: bytes, got: bytes) -> bool:
    """Say whether two documents are the same: JSON by its values, numbers to the last digit; anything else by its text."""
    try:
        return _exactly(expected) == _exactly(got)
    except ValueError:
        return expected.strip() == got.strip()


def _exactly(body: bytes) -> object:
    """Return a JSON document so that nothing in it equals what is not the same. Raises ValueError."""
    return json.loads(
        body,
        parse_int=lambda digits: ("number", Decimal(digits)),
        parse_float=lambda digits: ("number", Decimal(digits)),
        object_pairs_hook=lambda pairs: ("object", len(pairs), dict(pairs)),
    )


def _shown(body: bytes | None) -> str:
    return (body or b"").decode(errors="replace").strip()


def _one(folder: Path, pattern: str) -> Path:
    found: Sequence[Path] = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise FolderWrong(f"{folder} must hold one file {pattern}, and holds {len(found)}.")
    return found[0]


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise FolderWrong(f"{path} is too large.")
        return path.read_bytes()
    except OSError as error:
        raise FolderWrong(f"{path} cannot be read: {error.strerror}") from error


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode()
    except UnicodeDecodeError as error:
        raise FolderWrong(f"{path} is not UTF-8.") from error
