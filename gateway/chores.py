"""What a worker does beside requests: look for new revisions, refresh quotas, say what it runs, seal tallies."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connectors.contract import Logger
from registry.errors import RegistryError

FAULT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """Something to do every so often; `name` stands in the log when it fails.

    `bell` rings for it in between; `at_once` says that it is done at the start too.
    """

    name: str
    seconds: float
    work: Callable[[], Awaitable[object]]
    bell: asyncio.Event | None = None
    at_once: bool = False


async def repeat(chore: Chore, log: Logger) -> None:
    """Do a chore for ever. A database that is away is logged once, and again when it is back."""
    failing = False
    waits = not chore.at_once
    while True:
        if waits:
            await pause(chore.seconds, chore.bell)
        waits = True
        try:
            await chore.work()
        except RegistryError as error:
            if not failing:
                log.warning("chore.failed", chore=chore.name, error=str(error))
            failing = True
        else:
            if failing:
                log.info("chore.recovered", chore=chore.name)
            failing = False


async def persist(name: str, work: Callable[[], Awaitable[None]], log: Logger) -> None:
    """Do what never ends. A fault of ours in it is told and it is begun again: calls go on with what there is."""
    while True:
        try:
            await work()
        except Exception as error:
            log.warning("background.fault", work=name, error=type(error).__name__, exc_info=error)
        await asyncio.sleep(FAULT_SECONDS)


async def pause(seconds: float, bell: asyncio.Event | None) -> None:
    """Return after so long, earlier when the bell rings."""
    if bell is None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return
    bell.clear()
