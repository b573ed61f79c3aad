"""Commands on the node's machine: archive a month, drop what is archived, verify this machine's own ledger."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import anyio
from cyclopts import Parameter

from gateway.commands.access import Access, AsJson
from gateway.commands.evidence import Output, written
from gateway.commands.failures import Failed, WrongUsage
from gateway.commands.node_settings import node_settings
from gateway.commands.say import Out

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from registry.sql.evidence import Verified
    from registry.sql.proofs import Proofs
    from registry.sql.segments import Dropped

NOT_GIVEN = Access()
R = TypeVar("R")

Month = Annotated[str, Parameter(help="A month that is over, in Vietnam's time: 2026-10.")]


def archive(
    month: Month,
    *,
    output: Output,
    salts: Annotated[
        bool, Parameter(help="With the salts of the commitments, which are dropped with the month.")
    ] = True,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Write a whole month, sealed records and all that proves them, into a signed file. Nothing is dropped."""
    out = _checked(month, access, as_json=as_json)

    async def work(proofs: "Proofs", _: "AsyncEngine") -> int:
        from registry.sql.proofs import Asked  # noqa: PLC0415  (SQLAlchemy is slow to import)

        lines = 0
        with written(output) as draft, out.progress("Đang lưu trữ", "Archiving"), draft.open("wb") as file:
            async for line in proofs.export(Asked(month=month), with_salts=salts):
                file.write(line)
                lines += 1
        return lines

    lines = _run(work)
    if as_json:
        out.result({"file": str(output), "month": month, "lines": lines})
    out.say(
        f"Đã lưu tháng {month} vào {output} ({lines} dòng). Hãy cất tệp ở nơi an toàn trước khi xóa.",
        f"The month {month} is in {output} ({lines} lines). Keep the file in a safe place before you drop the month.",
    )
    return 0


def drop(
    month: Month,
    *,
    archived: Annotated[Path, Parameter(help="The archive of this month; it is verified first.")],
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Drop a month's records that an archive holds. Heads, totals, checkpoints and usage stay."""
    out = _checked(month, access, as_json=as_json)

    async def work(proofs: "Proofs", engine: "AsyncEngine") -> "Dropped":
        from registry.sql.ledger_keys import now_us  # noqa: PLC0415  (as above)
        from registry.sql.segments import Archive, Segments  # noqa: PLC0415

        with out.progress("Đang kiểm tra và xóa", "Checking and dropping"):
            return await Segments(engine, proofs.keys).drop(Archive(archived, month, now=now_us()))

    done = _run(work)
    if as_json:
        out.result({"month": month, "chains": done.chains, "batches": done.batches, "records": done.records})
    out.say(
        f"Đã xóa {done.records} bản ghi của tháng {month}; giữ lại {archived}.",
        f"{done.records} records of {month} dropped; keep {archived}.",
    )
    return 0


def verify_own(archived: Sequence[Path], out: Out) -> int:
    """Check every chain, signature and checkpoint of this machine's ledger, across dropped months."""

    async def work(proofs: "Proofs", engine: "AsyncEngine") -> tuple["Verified", list[str]]:
        from registry.sql.evidence import EvidenceReader  # noqa: PLC0415  (as above)

        with out.progress("Đang kiểm tra sổ", "Checking the ledger"):
            return await EvidenceReader(engine).verify(), await _check_archives(engine, proofs.node, archived)

    found, months = _run(work)
    if out.as_json:
        out.result(
            {
                "holds": True,
                "chains": found.chains,
                "batches": found.batches,
                "records": found.records,
                "checkpoints": found.checkpoints,
                "dropped_batches": found.dropped,
                "archives": months,
            }
        )
    out.say(
        f"Sổ nguyên vẹn: {found.chains} chuỗi, {found.batches} lô, {found.records} bản ghi, {found.checkpoints} điểm "
        f"kiểm; {found.dropped} lô đã lưu trữ và xóa.",
        f"The ledger is whole: {found.chains} chains, {found.batches} batches, {found.records} records, "
        f"{found.checkpoints} checkpoints; {found.dropped} batches were archived and dropped.",
    )
    return 0


async def _check_archives(engine: "AsyncEngine", node: str, files: Sequence[Path]) -> list[str]:
    """Check that each file is an archive that the ledger knows, and proves itself; return their months."""
    from registry.errors import ChainBroken  # noqa: PLC0415  (as above)
    from registry.sql.ledger_keys import now_us  # noqa: PLC0415
    from registry.sql.segments import Archive, archives, sha256_of  # noqa: PLC0415

    known = await archives(engine, node) if files else {}
    months = []
    for file in files:
        segment = known.get(sha256_of(file))
        if segment is None:
            raise ChainBroken(f"{file} is not an archive that this ledger was dropped against")
        months.append(Archive(file, segment.month, now=now_us()).month)
    return months


def _checked(month: str, access: Access, *, as_json: bool) -> Out:
    from registry.months import bounds  # noqa: PLC0415  (only here)

    try:
        bounds(month)
    except ValueError as error:
        raise WrongUsage(f"Tháng viết như 2026-10, không phải {month!r}.", str(error)) from error
    return Out(access.settings().language, as_json=as_json)


def _run(work: Callable[["Proofs", "AsyncEngine"], Awaitable[R]]) -> R:
    from gateway.node_key import NodeKeyWrong  # noqa: PLC0415  (as above)
    from registry.errors import RegistryError  # noqa: PLC0415

    async def main() -> R:
        async with _opened() as (proofs, engine):
            return await work(proofs, engine)

    try:
        return anyio.run(main)
    except (RegistryError, NodeKeyWrong, ValueError, OSError) as error:
        raise Failed(f"Không làm được: {error}", f"This cannot be done: {error}") from error


@asynccontextmanager
async def _opened() -> AsyncIterator[tuple["Proofs", "AsyncEngine"]]:
    from gateway.node_key import read_node_key  # noqa: PLC0415  (as above)
    from registry.sql.database import check_schema, dispose, location, open_engine  # noqa: PLC0415
    from registry.sql.proofs import Proofs  # noqa: PLC0415

    settings = node_settings()
    database = settings.database.get_secret_value() if settings.database else None
    where = location(database, settings.data_dir)
    await check_schema(where)
    engine = open_engine(where.ledger)
    try:
        node_key = read_node_key(settings.node_key_file, settings.data_dir)
        yield Proofs(engine, node_key, node=settings.node), engine
    finally:
        await dispose(engine)
