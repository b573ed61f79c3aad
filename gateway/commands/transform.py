"""`lgsp transform test` and `lgsp transform try`: mappings, without a node."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gateway.commands.access import Access, AsJson
from gateway.commands.failures import Failed, WrongUsage
from gateway.commands.say import Out
from gateway.transforms.golden import FolderWrong, folders_in, read_declaration, run_folder
from gateway.transforms.guests import Guests
from gateway.transforms.trial import Fault, try_transforms

NOT_GIVEN = Access()
PLACES = {
    "settings": ("trong khai báo", "in the settings"),
    "mapping": ("trong ánh xạ", "in the mapping"),
    "document": ("trong thông điệp", "in the message"),
}


def run_tests(folder: Path, /, *, access: Access = NOT_GIVEN, as_json: AsJson = False) -> int:
    """Run every golden folder at and below FOLDER; exit code 1 when one gives something else.

    A golden folder holds transform.yaml, in.* and out.* (or error.yaml).
    """
    out = Out(access.settings().language, as_json=as_json)
    if not folder.is_dir():
        raise WrongUsage(f"Không có thư mục {folder}.", f"There is no folder {folder}.")
    verdicts = []
    with _guests() as guests, _told():
        for found in folders_in(folder):
            verdict = run_folder(found, guests)
            verdicts.append(verdict)
            sign = "ok    " if verdict.difference is None else "not ok"
            difference = "" if verdict.difference is None else f"\n        {verdict.difference}"
            out.say(f"{sign}  {found}{difference}", f"{sign}  {found}{difference}")
    if not verdicts:
        raise WrongUsage(
            f"Trong {folder} không có transform.yaml nào.", f"There is no transform.yaml in {folder}."
        )
    if as_json:
        out.result(
            [
                {"folder": str(v.folder), "ok": v.difference is None, "difference": v.difference}
                for v in verdicts
            ]
        )
    return 0 if all(verdict.difference is None for verdict in verdicts) else 1


def try_(
    file: Path,
    /,
    *,
    sample: Annotated[Path, Parameter(help="The message to run them on.")],
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Run the transforms of FILE (transform.yaml, or a mapping *.jsonata) on a sample; exit code 1 when they fail."""
    out = Out(access.settings().language, as_json=as_json)
    with _guests() as guests, _told():
        declared = read_declaration(file)
        trial = try_transforms(declared.specs, _sample(sample), declared.tables, guests)
    output = None if trial.output is None else trial.output.decode(errors="replace")
    if as_json:
        fault = None if trial.fault is None else asdict(trial.fault)
        out.result({"output": output, "media_type": trial.media_type, "reads": trial.reads, "fault": fault})
    else:
        if trial.reads is not None:
            fields = ", ".join(trial.reads) or "-"
            out.note(f"Đọc các trường: {fields}", f"Reads the fields: {fields}")
        if trial.fault is not None:
            out.note(*_told_fault(trial.fault))
        elif output is not None:
            out.text(output)
    return 0 if trial.fault is None else 1


def _told_fault(fault: Fault) -> tuple[str, str]:
    vi, en = PLACES[fault.at]
    where_vi = f", dòng {fault.line}, cột {fault.column}" if fault.line else ""
    where_en = f", line {fault.line}, column {fault.column}" if fault.line else ""
    return (
        f"Phép biến đổi {fault.transform}, {vi}{where_vi}: {fault.message} ({fault.code})",
        f"Transform {fault.transform}, {en}{where_en}: {fault.message} ({fault.code})",
    )


def _sample(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"Không đọc được {path}.", f"{path} cannot be read.") from error


@contextmanager
def _guests() -> Iterator[Guests]:
    guests = Guests()
    try:
        yield guests
    finally:
        guests.close()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except FolderWrong as error:
        raise Failed(f"Khai báo sai: {error}", str(error)) from error
