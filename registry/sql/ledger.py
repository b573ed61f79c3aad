"""Opens the ledger: its writer on SQLite or PostgreSQL, and its readers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
from sqlalchemy import make_url

from registry.chains import Backend, close_left_open
from registry.errors import SlotTaken
from registry.signing import Signer
from registry.sql import ledger_sqlite
from registry.sql.evidence import Evidence, EvidencePage, EvidenceReader, Verified
from registry.sql.usage import Rebuilt, UsageReader
from registry.writer import LedgerWriter, log, now_us

__all__ = [
    "Evidence",
    "EvidencePage",
    "EvidenceReader",
    "Rebuilt",
    "UsageReader",
    "Verified",
    "open_ledger",
]

SLOTS = 64
PATIENCE_SECONDS = 1.0

MakeBackend = Callable[[str, int, float], Backend]


@asynccontextmanager
async def open_ledger(
    url: str,
    *,
    node: str,
    data_dir: Path,
    slot: int | None = 0,
    or_another: bool = False,
    signer: Signer | None = None,
) -> AsyncIterator[LedgerWriter]:
    """Yield the writer of chain `(node, slot)`, everything left open by a crash closed as `unknown`.

    `signer` signs every batch (`ledger_keys.open_signer`); without one the chain is hashed only. `slot` None takes the
    first free one, and so does a taken slot with `or_another`: the writer's `slot` says which it became. Chains that
    nobody writes any more get their open records closed too.
    At the end everything queued is written, also when the caller is cancelled.

    Raises:
        SlotTaken: another process writes this chain, or all of them.
        LedgerUnavailable: the database is not there.
    """
    make = _backends(url, data_dir)
    writer = await _start(make, node, slot, signer, or_another=or_another)
    try:
        await anyio.to_thread.run_sync(_close_abandoned, url, make, (node, writer.slot), signer)
        yield writer
    finally:
        with anyio.CancelScope(shield=True):
            await writer.close()


def _backends(url: str, data_dir: Path) -> MakeBackend:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        file = Path(parsed.database or "")
        return lambda node, slot, patience: ledger_sqlite.SQLiteBackend(
            file, node=node, slot=slot, data_dir=data_dir, patience=patience
        )
    # Imported here: a node on SQLite does without the driver.
    from registry.sql import ledger_postgres  # noqa: PLC0415

    return lambda node, slot, patience: ledger_postgres.PostgresBackend(
        url, node=node, slot=slot, patience=patience
    )


async def _start(
    make: MakeBackend, node: str, slot: int | None, signer: Signer | None, *, or_another: bool
) -> LedgerWriter:
    if slot is not None:
        try:
            return await _started(make(node, slot, PATIENCE_SECONDS), signer)
        except SlotTaken:
            if not or_another:
                raise
    for free in range(SLOTS):
        try:
            return await _started(make(node, free, 0), signer)
        except SlotTaken:
            continue
    raise SlotTaken(f"all {SLOTS} slots of {node} are taken")


async def _started(backend: Backend, signer: Signer | None) -> LedgerWriter:
    writer = LedgerWriter(backend, signer=signer)
    try:
        await writer.start()
    except BaseException:
        with anyio.CancelScope(shield=True):
            await writer.close()
        raise
    return writer


def _close_abandoned(url: str, make: MakeBackend, own: tuple[str, int], signer: Signer | None) -> None:
    """Close open records in chains whose slot nobody holds."""
    for node, slot in _abandoned(url):
        # A chain is signed with its node's keys: that of another node waits until that node starts again.
        if (node, slot) == own or (signer is not None and node != own[0]):
            continue
        backend = make(node, slot, 0)
        try:
            chain = backend.resume()
            chain.signer = signer
            closed = close_left_open(backend, chain, now_us())
            log.warning("ledger.recovered", extra={"chain": f"{node}/{slot}", "closed_as_unknown": closed})
        except SlotTaken:
            continue  # somebody writes it, and will close them
        finally:
            backend.close()


def _abandoned(url: str) -> list[tuple[str, int]]:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return ledger_sqlite.abandoned(Path(parsed.database or ""))
    from registry.sql import ledger_postgres  # noqa: PLC0415  (as above)

    return ledger_postgres.abandoned(url)
