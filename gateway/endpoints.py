"""The connectors of the snapshot's endpoints: opened in the background, kept while nothing changes, drained, closed."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from random import uniform
from time import monotonic
from typing import Any

import anyio
import orjson

from connectors.catalogue import Catalogue
from connectors.contract import CheckStep, Connector, ConnectorContext, Logger
from connectors.errors import ConnectorError
from gateway.deadlines import Deadlines
from gateway.handle import EndpointHandle, HeldStream
from registry.entities import Endpoint

__all__ = ["EndpointHandle", "Endpoints", "HeldStream"]

GRACE_SECONDS = 30.0
"""How long a replaced endpoint still takes calls: requests keep the snapshot that they started with."""
CLOSE_SECONDS = 5.0
CHECK_SECONDS = 60.0
FIRST_DELAY_SECONDS = 0.5
LAST_DELAY_SECONDS = 30.0


class Endpoints:
    """Keeps the handles by key. `prepare` and `retain` may be called from any thread, `run` from the loop."""

    def __init__(
        self,
        catalogue: Catalogue,
        context_for: Callable[[str], ConnectorContext],
        *,
        deadlines: Deadlines,
        monotonic: Callable[[], float] = monotonic,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._catalogue = catalogue
        self._context_for = context_for
        self._monotonic = monotonic
        self._deadlines = deadlines
        self._grace_seconds = grace_seconds
        self._lock = threading.Lock()
        self._handles: dict[str, EndpointHandle] = {}
        self._logs: dict[EndpointHandle, Logger] = {}
        self._replaced: list[EndpointHandle] = []
        self._to_open: list[EndpointHandle] = []
        self._to_finish: list[EndpointHandle] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    def prepare(self, key: str, endpoint: Endpoint, organisation: str) -> EndpointHandle:
        """Return the handle of an endpoint, the same one as long as nothing in it changes. No I/O.

        Raises:
            ConnectorUnknown, SettingsRefused: it cannot be used as it is.
        """
        content = _hash(endpoint, organisation)
        with self._lock:
            before = self._handles.get(key)
        if before is not None and before.content == content:
            return before
        context = self._context_for(organisation)
        connector = self._catalogue.build(endpoint.connector, endpoint.settings, context)
        handle = EndpointHandle(key, content, endpoint, connector, self._deadlines, self._monotonic)
        with self._lock:
            if before is not None:
                self._replaced.append(before)
            self._handles[key] = handle
            self._logs[handle] = context.log
            self._to_open.append(handle)
        self._nudge()
        return handle

    def retain(self, keys: set[str]) -> None:
        """Let go of replaced handles and of those whose key is not in use; call it after a snapshot went live."""
        with self._lock:
            self._to_finish += self._replaced
            self._replaced.clear()
            for key in [key for key in self._handles if key not in keys]:
                self._to_finish.append(self._handles.pop(key))
        self._nudge()

    async def check(self, endpoint: Endpoint, organisation: str) -> Sequence[CheckStep]:
        """Test the connection of an endpoint, in use or not, with a connector of its own; it may take a minute.

        Raises:
            ConnectorUnknown, SettingsRefused: it cannot be used as it is.
        """
        context = self._context_for(organisation)
        connector = self._catalogue.build(endpoint.connector, endpoint.settings, context)
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await _tested(connector)
        except TimeoutError:
            return [CheckStep(step="contract", ok=False, detail=f"not tested within {CHECK_SECONDS:g} s")]
        except Exception as error:  # noqa: BLE001 (another author's connector may raise anything)
            context.log.warning("connector.not_tested", kind=connector.kind, error=type(error).__name__)
            return [
                CheckStep(step="contract", ok=False, detail=f"the connector failed: {type(error).__name__}")
            ]

    def describe(self) -> list[dict[str, Any]]:
        """Describe each endpoint's state, for operators."""
        with self._lock:
            handles = list(self._handles.values())
        return [
            {
                "key": handle.key,
                "kind": handle.connector.kind,
                "open": handle.is_open,
                "failure": handle.failure,
                "breaker_open": handle.breaker_open,
                "in_flight": handle.in_flight,
                "queued": handle.queued,
            }
            for handle in handles
        ]

    async def run(self) -> None:
        """Open and close connectors until cancelled; then close all of them."""
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._wake.clear()
                    self._start(tasks)
                    await self._wake.wait()
        finally:
            self._loop = None
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await self._close_all()

    def _start(self, tasks: asyncio.TaskGroup) -> None:
        with self._lock:
            to_open, self._to_open = self._to_open, []
            to_finish, self._to_finish = self._to_finish, []
        for handle in to_open:
            tasks.create_task(self._open(handle))
        for handle in to_finish:
            tasks.create_task(self._finish(handle))

    async def _open(self, handle: EndpointHandle) -> None:
        """Open a connector, however long it takes; give up when the handle is let go."""
        delay = FIRST_DELAY_SECONDS
        while True:
            try:
                await handle.open()
            except Exception as error:  # noqa: BLE001 (one endpoint's failure must not close the others)
                self._warn(handle, "connector.not_opened", error)
            else:
                return
            await asyncio.sleep(delay * uniform(0.5, 1.5))  # noqa: S311 (spreads load, guards nothing)
            delay = min(delay * 2, LAST_DELAY_SECONDS)

    async def _finish(self, handle: EndpointHandle) -> None:
        try:
            await handle.finish(self._grace_seconds)
        except Exception as error:  # noqa: BLE001 (one endpoint's failure must not close the others)
            self._warn(handle, "connector.not_closed", error)
        self._logs.pop(handle, None)

    def _warn(self, handle: EndpointHandle, event: str, error: Exception) -> None:
        log = self._logs.get(handle)
        if log is not None:
            log.warning(event, endpoint=handle.key, kind=handle.connector.kind, error=type(error).__name__)

    async def _close_all(self) -> None:
        for handle in list(self._logs):
            try:
                await handle.close()
            except Exception as error:  # noqa: BLE001 (one endpoint's failure must not keep the others open)
                self._warn(handle, "connector.not_closed", error)
        self._logs.clear()

    def _nudge(self) -> None:
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._wake.set)


async def _tested(connector: Connector) -> Sequence[CheckStep]:
    """Return the steps of a connection test, also when nothing can be opened: they say why."""
    try:
        with suppress(ConnectorError):
            await connector.open()
        return await connector.check()
    finally:
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            await connector.close()


def _hash(endpoint: Endpoint, organisation: str) -> bytes:
    return sha256(orjson.dumps([organisation, asdict(endpoint)], option=orjson.OPT_SORT_KEYS)).digest()
