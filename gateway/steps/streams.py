"""Streamed exchanges under way, so that they can be cut when their grant or client is revoked."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import time

from gateway.exchange import Exchange, Reason, Request
from gateway.views import Snapshot


class Streams:
    """Watches streamed exchanges; `recheck` cuts those that the new snapshot no longer allows."""

    def __init__(self) -> None:
        self._watched: dict[int, tuple[Exchange, asyncio.Task[object]]] = {}

    @contextmanager
    def watch(self, exchange: Exchange) -> Iterator[None]:
        """Watch an exchange while the current task carries its stream."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a stream is carried by a task")
        self._watched[id(exchange)] = (exchange, task)
        try:
            yield
        finally:
            self._watched.pop(id(exchange), None)

    def recheck(self, snapshot: Snapshot) -> None:
        """Cut the streams whose client or grant has been withdrawn; unrelated edits touch nothing."""
        for exchange, task in tuple(self._watched.values()):
            if exchange.cut is None and not still_allowed(exchange, snapshot, time()):
                exchange.cut = Reason.CUT_BY_REVOCATION
                exchange.request.cut = True
                task.cancel()


def still_allowed(exchange: Exchange, snapshot: Snapshot, now: float) -> bool:
    """Say whether a streamed exchange may go on under a later snapshot."""
    client = snapshot.clients.get(exchange.client.id)
    if client is None or not client.active or client.not_before > exchange.record.at / 1e6:
        return False
    if any(
        not is_active(system, snapshot) for system in (exchange.client.system or "", exchange.record.consumer)
    ):
        return False
    grants = snapshot.grants.get((exchange.record.consumer, exchange.record.service), ())
    grants += snapshot.grants.get((exchange.client.system or "", exchange.record.service), ())
    grant = next((g for g in grants if g.id == exchange.record.grant), None)
    if grant is None or grant.status != "approved" or now >= grant.valid_until:
        return False
    service = exchange.service and snapshot.services.get(exchange.service.name.lower())
    return (
        service is not None
        and service.blocked is None
        and exchange.record.consumer not in service.blocked_consumers
    )


def is_active(system: str, snapshot: Snapshot) -> bool:
    """Say whether a system is registered and may call."""
    view = snapshot.systems.get(system)
    return view is not None and view.active


def is_cut(request: Request) -> bool:
    """Say whether the cancellation that has come is our cut of this request's stream; it is then taken back."""
    task = asyncio.current_task()
    return request.cut and task is not None and task.uncancel() == 0
