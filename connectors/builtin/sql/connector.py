"""Databases as providers: each operation is one declared statement, run in a transaction of its own."""

import asyncio
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import ClassVar

import anyio

from connectors.builtin.sql.answers import problem
from connectors.builtin.sql.driver import Driver, Session, Target, Work
from connectors.builtin.sql.failures import StatementFailed
from connectors.builtin.sql.parameters import ParameterWrong, Reader
from connectors.builtin.sql.pool import Kept, Pool
from connectors.builtin.sql.reading import Transaction, read
from connectors.builtin.sql.rows import RowWrong, Shape
from connectors.builtin.sql.settings import PORTS, SQLSettings, Statement
from connectors.builtin.sql.text import compile_text
from connectors.builtin.sql.way import check_way
from connectors.calls import Calls
from connectors.contract import (
    Busy,
    Call,
    Capabilities,
    CheckStep,
    ConnectorContext,
    ConnectorSettings,
    DescribedOperation,
    Rejected,
    Result,
    Unknown,
    Unreachable,
)
from connectors.errors import EgressDenied, NotSent, SettingsRefused

_EXTRA = "database_kind: this node lacks the extra `mysql`"


class Prepared:
    """A declared statement, ready for calls."""

    __slots__ = ("declared", "key", "reader", "shape", "text")

    def __init__(self, key: str, declared: Statement, settings: SQLSettings) -> None:
        self.key = key
        self.declared = declared
        self.reader = Reader(declared, settings.max_body)
        self.shape = Shape(declared.columns)
        self.text = compile_text(declared.text, settings.database_kind, writes=declared.writes)


class SQLConnector:
    """Runs declared statements. Values never become part of a statement's text."""

    kind: ClassVar[str] = "sql"
    version: ClassVar[str] = "1"
    capabilities: ClassVar[Capabilities] = Capabilities(streaming=True, idempotence="none")
    Settings: ClassVar[type[ConnectorSettings]] = SQLSettings

    def __init__(self, settings: SQLSettings, context: ConnectorContext) -> None:
        self._settings = settings
        self._context = context
        self._clock = context.clock
        self._port = settings.port or PORTS[settings.database_kind]
        self._driver = _driver(settings)
        self._tls = None
        if settings.tls:
            try:
                self._tls = context.network.tls(
                    settings.tls_name or settings.host, settings.tls_authority or ""
                )
            except ValueError as error:
                raise SettingsRefused(f"/tls_authority: {error}") from None
        self._pool = Pool(self._connect, size=settings.pool_size, clock=context.clock)
        self._statements = {
            operation: Prepared(operation, declared, settings)
            for operation, declared in settings.statements.items()
        }
        self._calls = Calls()

    async def open(self) -> None:
        """Nothing is taken up: connections are made when they are needed, and kept."""

    async def call(self, call: Call) -> Result:
        """Run the operation's statement. May raise EgressDenied, SecretUnknown, and what the body's stream raises."""
        if self._calls.closed:
            return Unreachable(reason="closed")
        statement = self._statements.get(call.operation)
        if statement is None:
            return Rejected(reason="operation-unknown")
        if statement.declared.writes and not call.writes:
            return Rejected(reason="write-not-declared")
        with self._calls:
            return await self._call(call, statement)

    async def _call(self, call: Call, statement: Prepared) -> Result:
        began = False
        try:
            async with asyncio.timeout(call.deadline - self._clock.monotonic()):
                work = await self._work(call, statement)
                transaction = await self._begin(work)
                began = True
                return await read(transaction, statement.declared, statement.shape, call.deadline)
        except ParameterWrong as wrong:
            code = "body-too-large" if wrong.rule == "size" else "parameter-invalid"
            return problem(code, parameter=wrong.parameter, rule=wrong.rule)
        except TimeoutError:
            return Unknown(reason="timeout") if began else Unreachable(reason="connect-timeout")
        except EgressDenied:
            raise
        except NotSent as error:
            return Unreachable(reason=str(error))
        except RowWrong:
            return Unknown(reason="result", rubbish=True)
        except StatementFailed as failed:
            return _result_of(failed)

    async def _work(self, call: Call, statement: Prepared) -> Work:
        declared = statement.declared
        values = await statement.reader.read(call)
        return Work(
            key=statement.key,
            text=statement.text,
            values=values,
            writes=declared.writes,
            most_rows=declared.max_rows if declared.result == "list" else 1,
            seconds=min(declared.seconds, max(call.deadline - self._clock.monotonic(), 0.001)),
        )

    async def _begin(self, work: Work) -> Transaction:
        """Begin a transaction; connections that ended while they were idle are passed over: nothing is sent yet."""
        while True:
            kept = await self._pool.take()
            try:
                await kept.session.begin(work)
            except StatementFailed as failed:
                self._pool.drop(kept)
                if failed.code == "cut" and kept.used:
                    continue
                if failed.code == "cut":
                    raise NotSent("cut") from failed
                raise
            except BaseException:
                self._pool.drop(kept)
                raise
            self._calls.begin()
            return Transaction(
                kept.session,
                work,
                self._clock,
                give=partial(self._give, kept),
                drop=partial(self._drop, kept),
            )

    def _give(self, kept: Kept) -> None:
        self._pool.give(kept)
        self._calls.end()

    def _drop(self, kept: Kept) -> None:
        self._pool.drop(kept)
        self._calls.end()

    async def _connect(self) -> Session:
        """Connect to the first address that can be reached."""
        settings, context = self._settings, self._context
        try:
            async with asyncio.timeout(settings.connect_seconds):
                addresses = await context.network.resolve(settings.host, self._port)
        except TimeoutError:
            raise NotSent("dns") from None
        password = context.secrets.get(settings.password, host=f"{settings.host}:{self._port}")
        failure = NotSent("unreachable")
        for address in addresses:
            target = Target(
                address=address,
                port=self._port,
                database=settings.database,
                user=settings.user,
                password=password,
                tls=self._tls,
            )
            try:
                async with asyncio.timeout(settings.connect_seconds):
                    return await self._driver.connect(target)
            except TimeoutError:
                failure = NotSent("connect-timeout")
            except NotSent as error:
                failure = error
        raise failure

    async def check(self) -> Sequence[CheckStep]:
        """Test the way step by step, then each statement, and that the role has no more rights than it needs."""
        settings = self._settings
        steps = await check_way(
            self._context, settings.host, self._port, tls=settings.tls, connect=self._connect
        )
        if any(step.ok is False for step in steps):
            return [*steps, CheckStep(step="contract", ok=None)]
        flaws = await self._flaws()
        return [*steps, CheckStep(step="contract", ok=not flaws, detail="; ".join(flaws)[:500])]

    async def _flaws(self) -> list[str]:
        """Say which statements the database does not take, and what the role may do that it should not."""
        flaws: list[str] = []
        try:
            session = await self._connect()
        except (NotSent, StatementFailed) as error:
            return [str(error)]
        try:
            for statement in self._statements.values():
                flaw = await _flaw(session, statement)
                if flaw:
                    flaws.append(f"{statement.key}: {flaw}")
            if not any(it.declared.writes for it in self._statements.values()):
                flaws += [f"the role may {right}" for right in await session.excess_rights()]
        except StatementFailed as failed:
            flaws.append(failed.code)
        finally:
            with anyio.CancelScope(shield=True):
                await session.close()
        return flaws

    async def describe(self) -> Sequence[DescribedOperation]:
        """A database knows no operations: the settings name them."""
        return ()

    async def drain(self) -> None:
        """Return when no call is under way and no answer is being read."""
        await self._calls.drain()

    async def close(self) -> None:
        """Close the idle connections; one in use is closed when its call ends. Idempotent."""
        self._calls.close()
        await self._pool.close()


async def _flaw(session: Session, statement: Prepared) -> str:
    work = Work(
        key=statement.key,
        text=statement.text,
        values={},
        writes=statement.declared.writes,
        most_rows=1,
        seconds=1.0,
    )
    try:
        names = await session.describe(work)
        if names is not None and statement.declared.columns:
            statement.shape.on(names)
    except StatementFailed as failed:
        return "not what the database takes" if failed.code != "result" else "lacks a declared column"
    return ""


def _result_of(failed: StatementFailed) -> Result:
    """Say what a failed statement means for the call."""
    match failed.code:
        case "conflict":
            return problem("conflict")
        case "invalid":
            return problem("values-refused")
        case "parameter":
            return problem("parameter-invalid", rule="type")
        case "timeout":
            return Unknown(reason="timeout")
        case "cut":
            return Unknown(reason="cut")
        case "result":
            return Unknown(reason="result", rubbish=True)
        case "busy":
            return Busy()
        case _:
            return Rejected(reason=failed.code)


def _driver(settings: SQLSettings) -> Driver:
    if settings.database_kind == "postgresql":
        from connectors.builtin.sql.postgresql import PostgreSQL  # noqa: PLC0415 (only what is used is loaded)

        return PostgreSQL()
    if find_spec("asyncmy") is None:
        raise SettingsRefused(_EXTRA)
    from connectors.builtin.sql.mysql import MySQL  # noqa: PLC0415 (an extra)

    return MySQL(settings.database_kind)
