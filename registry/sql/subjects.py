"""Finds the exchanges that were about a data subject, by the hashes under which records name it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from registry.errors import Flaw, Invalid
from registry.evidence import Record
from registry.ledger import decode
from registry.sql.database import translated
from registry.sql.ledger_tables import records

_FOREVER_US = 1 << 62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectPage:
    """Final records, the newest first; `next` is an opaque cursor, None on the last page."""

    items: Sequence[Record]
    next: str | None


class SubjectReader:
    """Reads evidence of data subjects. Raises StoreUnavailable when the database is not there."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def search(
        self,
        names: Sequence[str],
        *,
        systems: Collection[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> SubjectPage:
        """Return final records about whoever has one of these names, the newest first; `until` is exclusive.

        With `systems`, only those in which one of them took part. Raises Invalid for a bad cursor.
        """
        before = _parse_cursor(cursor)
        query = select(records.c.body, records.c.consumer, records.c.provider).where(
            records.c.subject.in_(names),
            records.c.at >= _microseconds(since, 0),
            records.c.at < _microseconds(until, _FOREVER_US),
            tuple_(records.c.at, records.c.exchange) < tuple_(*before),
        )
        query = query.order_by(records.c.at.desc(), records.c.exchange.desc())
        found: list[Record] = []
        with translated():
            async with (
                self._engine.connect() as connection,
                connection.stream(query.execution_options(yield_per=_ROWS_AT_ONCE)) as rows,
            ):
                async for body, consumer, provider in rows:
                    if systems is None or consumer in systems or provider in systems:
                        found.append(decode(body))
                    if len(found) > limit:
                        break
        more = len(found) > limit
        return SubjectPage(items=found[:limit], next=_cursor(found[limit - 1]) if more else None)


def _microseconds(instant: datetime | None, otherwise: int) -> int:
    return otherwise if instant is None else (instant - _EPOCH) // timedelta(microseconds=1)


def _cursor(record: Record) -> str:
    return f"{record.at}.{record.exchange}"


def _parse_cursor(cursor: str | None) -> tuple[int, str]:
    if cursor is None:
        return _FOREVER_US, ""
    at, _, exchange = cursor.partition(".")
    if not (at.isascii() and at.isdigit() and exchange and len(at) < len(str(_FOREVER_US))):
        raise Invalid([Flaw("/cursor", "cursor", "this is not a cursor that a look-up has given")])
    return int(at), exchange
