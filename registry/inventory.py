"""Taking in what a province already keeps: tables of its systems, and of what they need of national databases.

Two tables are understood, on sheets of one workbook or alone: systems (as the sheet `DM_DOITUONG`; a column with
the national databases needed may stand beside them) and connections (as `QH_KETNOI`: from which system to
which database, through what). Headers may be Vietnamese or English, in any order, with or without accents.
Nothing is guessed silently: a row that cannot be taken in is refused with its reasons, the others are not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from registry.documents import parse
from registry.entities import Kind
from registry.errors import Flaw, Invalid
from registry.inventory_tables import Row, read_rows
from registry.inventory_words import (
    KINDS,
    MODES,
    NO_WORDS,
    STATUSES,
    level_of,
    slug,
    split_list,
    word,
)
from registry.labels import fold, today
from registry.plan import Plan, apply, plan
from registry.register.directory import Directory
from registry.register.use_cases import Register
from registry.stores import Author, Document, Revision, Stored
from registry.wanted import Wanted

_DEFAULT_BASIS = "Danh mục hệ thống thông tin của đơn vị (nhập từ tệp kiểm kê)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row that was not taken in: where it stands (rows count from 1, as in a spreadsheet) and why."""

    sheet: str
    row: int
    reasons: tuple[Flaw, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a file would bring: the plan of the rows that are fit, and the rows that are not."""

    plan: Plan
    accepted: int
    refused: tuple[Refused, ...]


@dataclass(slots=True)
class _Reading:
    """What is known while rows are read."""

    directory: Directory
    wanted: dict[tuple[Kind, str], Wanted] = field(default_factory=dict)
    systems: dict[str, str] = field(default_factory=dict)
    connections: set[str] = field(default_factory=set)
    refused: list[Refused] = field(default_factory=list)
    accepted: int = 0


async def read_inventory(register: Register, name: str, content: bytes, author: Author) -> Inventory:
    """Return what the file (`.csv` or `.xlsx`) would change; nothing is changed yet.

    Raises:
        Invalid: the file as a whole cannot be read; a bad row is no reason.
    """
    _, directory = await Directory.load(register.registry)
    reading = _Reading(directory)
    tables = list(read_rows(name, content))
    # Systems first: connections name them, on whatever sheet they stand.
    for row in sorted(tables, key=_is_connection):
        _take(reading, row)
    wanted = list(reading.wanted.values())
    return Inventory(
        plan=await plan(register.registry, wanted, author=author),
        accepted=reading.accepted,
        refused=tuple(sorted(reading.refused, key=lambda one: (one.sheet, one.row))),
    )


async def import_inventory(register: Register, inventory: Inventory, author: Author) -> Revision:
    """Take the accepted rows in, as one revision. Raises as `registry.plan.apply` does."""
    return await apply(register, inventory.plan, author)


def _is_connection(row: Row) -> bool:
    return "source" in row.cells and "target" in row.cells


def _take(reading: _Reading, row: Row) -> None:
    explicit = _is_connection(row)
    try:
        made = list(_connection(reading, row) if explicit else _system(reading, row))
        for wanted in made:
            _check_same(reading, wanted, explicit=explicit)
    except Invalid as error:
        reading.refused.append(Refused(sheet=row.sheet, row=row.number, reasons=error.flaws))
        return
    reading.accepted += 1
    for wanted in made:
        _keep(reading, wanted, explicit=explicit)


def _keep(reading: _Reading, wanted: Wanted, *, explicit: bool) -> None:
    """A row of connections says more of a need than a list beside a system does."""
    name = (wanted.kind, fold(wanted.label))
    if explicit:
        reading.wanted[name] = wanted
        reading.connections.add(wanted.label)
    else:
        reading.wanted.setdefault(name, wanted)
    if wanted.kind is Kind.SYSTEM:
        reading.systems.setdefault(fold(wanted.document["name_vi"]), wanted.label)
        reading.systems.setdefault(fold(wanted.label), wanted.label)


def _check_same(reading: _Reading, wanted: Wanted, *, explicit: bool) -> None:
    """The same object may stand in several rows, if they say the same of it."""
    other = reading.wanted.get((wanted.kind, fold(wanted.label)))
    binding = wanted.kind is Kind.SYSTEM or (explicit and wanted.label in reading.connections)
    if other is not None and binding and other.document != wanted.document:
        raise Invalid([Flaw("/code", "duplicate", f"Another row says something else of {wanted.label!r}.")])


# --- systems --------------------------------------------------------------------------------------------


def _system(reading: _Reading, row: Row) -> Iterator[Wanted]:
    """Read a row of a table of systems, with the needs in it."""
    cells = row.cells
    organisation = _organisation(reading, cells)
    name = cells.get("name_vi", "")
    flaws = [] if name else [Flaw("/name_vi", "missing", "The system's name is missing.")]
    code = _system_code(cells.get("code", ""), organisation, name)
    existing = reading.directory.get(Kind.SYSTEM, code) or _by_name(reading.directory, organisation, name)
    document: Document = _spec(existing) | {"code": existing.label if existing else code, "name_vi": name}
    document["organisation"] = organisation
    if cells.get("name_en"):
        document["name_en"] = cells["name_en"]
    flaws += _translate(document, "kind", cells, KINDS) + _translate(document, "status", cells, STATUSES)
    flaws += _level(document, cells)
    if flaws:
        raise Invalid(flaws)
    document = _checked(Kind.SYSTEM, document)
    yield _wanted(row, Kind.SYSTEM, document["code"], document)
    for database in _needed(reading, cells):
        yield _need(reading, row, document["code"], database)


def _organisation(reading: _Reading, cells: Mapping[str, str]) -> str:
    """Return the code of the row's organisation: said, or the front of the system's code."""
    said = cells.get("organisation") or cells.get("code", "").partition(":")[0]
    if not said:
        raise Invalid([Flaw("/organisation", "missing", "The organisation is missing.")])
    found = reading.directory.get(Kind.ORGANISATION, said) or _one_by_name(
        reading.directory, Kind.ORGANISATION, said
    )
    if found is None:
        raise Invalid([Flaw("/organisation", "reference-unknown", f"No organisation is known as {said!r}.")])
    return found.label


def _system_code(said: str, organisation: str, name: str) -> str:
    if ":" in said:
        return said
    return f"{organisation}:{slug(said or name)}"


def _by_name(directory: Directory, organisation: str, name: str) -> Stored | None:
    owner = directory.get(Kind.ORGANISATION, organisation)
    return next(
        (
            item
            for item in directory.search(Kind.SYSTEM)
            if owner is not None
            and item.document["organisation"] == owner.id
            and fold(item.document["name_vi"]) == fold(name)
        ),
        None,
    )


def _spec(existing: Stored | None) -> Document:
    """What the file does not say of a known system stays."""
    return dict(existing.document) if existing else {}


def _translate(
    document: Document, name: str, cells: Mapping[str, str], words: Mapping[str, str]
) -> list[Flaw]:
    said = cells.get(name, "")
    if not said:
        return []
    found = words.get(word(said))
    if found is None:
        return [
            Flaw(f"/{name}", "choice", f"{said!r} is not one of: {', '.join(sorted(set(words.values())))}.")
        ]
    document[name] = found
    return []


def _level(document: Document, cells: Mapping[str, str]) -> list[Flaw]:
    said = cells.get("security_level", "")
    if not said:
        return []
    document["security_level"] = level_of(said)
    if document["security_level"] is None:
        return [Flaw("/security_level", "range", f"{said!r} is not a security level from 1 to 5.")]
    return []


# --- needs ----------------------------------------------------------------------------------------------


def _connection(reading: _Reading, row: Row) -> Iterator[Wanted]:
    """Read a row of a table of connections (QH_KETNOI): the need of a national database, by a mode."""
    source, target = row.cells["source"], row.cells["target"]
    system = _known_system(reading, source)
    database = _database(reading, target)
    if system is None:
        raise Invalid([Flaw("/source", "reference-unknown", f"No system is known as {source!r}.")])
    if database is None:
        message = f"{target!r} is not a registered national database: only needs of those are taken in."
        raise Invalid([Flaw("/target", "reference-unknown", message)])
    yield _need(reading, row, system, database)


def _known_system(reading: _Reading, said: str) -> str | None:
    if fold(said) in reading.systems:
        return reading.systems[fold(said)]
    found = reading.directory.get(Kind.SYSTEM, said) or _one_by_name(reading.directory, Kind.SYSTEM, said)
    return found.label if found else None


def _database(reading: _Reading, said: str) -> str | None:
    found = reading.directory.get(Kind.NATIONAL_DATABASE, said) or _one_by_name(
        reading.directory, Kind.NATIONAL_DATABASE, said
    )
    return found.label if found else None


def _needed(reading: _Reading, cells: Mapping[str, str]) -> Iterator[str]:
    """Yield the databases that a system's row says it needs."""
    flaws = []
    for said in split_list(cells.get("national_databases", "")):
        if word(said) in NO_WORDS:
            continue
        database = _database(reading, said)
        if database is None:
            message = f"No national database is known as {said!r}."
            flaws.append(Flaw("/national_databases", "reference-unknown", message))
        else:
            yield database
    if flaws:
        raise Invalid(flaws)


def _need(reading: _Reading, row: Row, system: str, database: str) -> Wanted:
    label = f"{system}/{database}"
    existing = reading.directory.get(Kind.NEED, label)
    if existing is not None and existing.document.get("withdrawn"):
        raise Invalid(
            [Flaw("/target", "state", f"The need {label!r} was withdrawn; declare it anew by hand.")]
        )
    document: Document = {"legal_basis": _DEFAULT_BASIS, "declared_on": today().isoformat()}
    if existing is not None:
        document = {name: existing.document[name] for name in ("legal_basis", "mode", "declared_on")}
    document |= {"system": system, "national_database": database}
    if row.cells.get("legal_basis"):
        document["legal_basis"] = row.cells["legal_basis"]
    flaws = _translate(document, "mode", row.cells, MODES)
    if flaws:
        raise Invalid(flaws)
    return _wanted(row, Kind.NEED, label, _checked(Kind.NEED, document))


# --- shared ---------------------------------------------------------------------------------------------


def _one_by_name(directory: Directory, kind: Kind, name: str) -> Stored | None:
    """Return the object with this name, when there is just one."""
    wanted = fold(name)
    found = [
        item
        for item in directory.search(kind)
        if wanted in {fold(item.document["name_vi"]), fold(item.document.get("name_en") or "")}
    ]
    return found[0] if len(found) == 1 else None


def _checked(kind: Kind, document: Document) -> Document:
    """Return the document when its form is right. Raises Invalid."""
    parse(kind, document, spec=True)
    return document


def _wanted(row: Row, kind: Kind, label: str, document: Document) -> Wanted:
    pointer = f"/{row.sheet}/{row.number}/{kind.value}/{label.replace('~', '~0').replace('/', '~1')}"
    return Wanted(kind=kind, label=label, pointer=pointer, document=document)
