"""Testing the way to a database: name, connection, TLS, log-in, each said apart."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from connectors.builtin.sql.driver import Session
from connectors.builtin.sql.failures import StatementFailed
from connectors.contract import CheckStep, ConnectorContext
from connectors.errors import NotSent, SecretUnknown

SECONDS = 5.0


async def check_way(
    context: ConnectorContext, host: str, port: int, *, tls: bool, connect: Callable[[], Awaitable[Session]]
) -> list[CheckStep]:
    """Return the steps `dns`, `tcp`, `tls` and `credentials`; what lies behind a failed one was not tried."""
    authority = f"{host}:{port}"
    try:
        async with asyncio.timeout(SECONDS):
            addresses = await context.network.resolve(host, port)
    except (NotSent, TimeoutError) as error:
        return _steps(authority, "dns", str(error) or "timeout")
    if not await _reachable(addresses, port):
        return _steps(authority, "tcp", "no connection")
    started = context.clock.monotonic()
    try:
        session = await connect()
    except SecretUnknown as error:
        return _steps(authority, "credentials", str(error), tls=tls)
    except (NotSent, StatementFailed) as error:
        failed = {"tls": "tls", "credentials": "credentials", "database": "credentials"}.get(
            str(error), "tcp"
        )
        return _steps(authority, failed, str(error), tls=tls)
    milliseconds = round((context.clock.monotonic() - started) * 1000, 1)
    await session.close()
    return _steps(authority, "", tls=tls, milliseconds=milliseconds)


async def _reachable(addresses: Sequence[str], port: int) -> bool:
    for address in addresses:
        try:
            async with asyncio.timeout(SECONDS):
                _, writer = await asyncio.open_connection(address, port)
        except (OSError, TimeoutError):
            continue
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True
    return False


def _steps(
    authority: str, failed: str, detail: str = "", *, tls: bool = True, milliseconds: float | None = None
) -> list[CheckStep]:
    steps: list[CheckStep] = []
    reached = True
    for step in ("dns", "tcp", "tls", "credentials"):
        if not reached:
            steps.append(CheckStep(step=step, ok=None))
        elif step == failed:
            reached = False
            steps.append(CheckStep(step=step, ok=False, detail=f"{authority}: {detail}"))
        elif step == "tls" and not tls:
            steps.append(CheckStep(step="tls", ok=None, detail=f"{authority}: not used"))
        else:
            at_end = milliseconds if step == "credentials" else None
            steps.append(CheckStep(step=step, ok=True, detail=authority, milliseconds=at_end))
    return steps
