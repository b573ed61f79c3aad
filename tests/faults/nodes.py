"""A node under load whose provider notes what it was asked, and the check of every promise at once."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from registry.entities import Kind
from registry.sql.database import open_engine
from registry.sql.ledger import EvidenceReader, UsageReader
from tests.e2e.node import RunningNode, ready, running_node, start
from tests.factories import a_service, a_version, an_operation
from tests.hostile import Conversation, fields_of, hostile
from tests.load import Answer, Load, request, until
from tests.records import seeded

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"Status": 1}'
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"y" * 300_000
OPERATIONS = [
    an_operation(),
    an_operation("ghi", "/ghi", method="POST", effect="write"),
    an_operation("lon", "/lon"),
]
READ, WRITE, STREAMED = "/DoanhNghiep/1.0/chiTietDoanhNghiep", "/DoanhNghiep/1.0/ghi", "/DoanhNghiep/1.0/lon"


@dataclass
class Provider:
    """Answers after a moment, and keeps the exchanges that it was asked in, writing ones apart."""

    address: str = ""
    seen: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    _rng: random.Random = field(default_factory=lambda: seeded(7))

    async def serve(self, talk: Conversation) -> None:
        while True:
            head, _ = await talk.read_request()
            if not head:
                return
            exchange = fields_of(head)["x-exchange"]
            self.seen.add(exchange)
            if head.startswith(b"POST"):
                self.written.add(exchange)
            await asyncio.sleep(self._rng.uniform(0.001, 0.02))
            await talk.send(LARGE if b"/lon" in head.split(b"\r\n")[0] else ANSWER)


@dataclass
class Scene:
    """A node, its provider, and the load on it."""

    node: RunningNode
    provider: Provider
    load: Load
    rng: random.Random
    outcomes: dict[str, str] = field(default_factory=dict)

    async def restart(self) -> None:
        """Start the node again after it was killed."""
        self.node.process = start(self.node.environment, self.node.log)
        await ready(self.node.http, self.node.process, self.node.log)

    async def pause(self, least: float = 0.2, most: float = 0.6) -> None:
        """Let the load go on for a while that nobody can foresee."""
        await asyncio.sleep(self.rng.uniform(least, most))

    async def until_answered(self, status: int = 200, seconds: float = 20.0) -> None:
        """Return when a call that was sent from now on is answered so."""
        known, broken = len(self.load.answers), self.load.broken
        try:
            await until(lambda: any(it.status == status for it in self.load.answers[known:]), seconds)
        except AssertionError as error:
            since = Counter(it.status for it in self.load.answers[known:])
            told = [it.body[:300] for it in self.load.answers[known:] if it.status != status][:2]
            log = self.node.log.read_text("utf-8")[-2000:]
            raise AssertionError(
                f"no {status} but {since}, {self.load.broken - broken} broken, {told}; the node's log: {log}"
            ) from error

    async def check(self) -> Counter[str]:
        """Check every promise of the evidence; returns how the exchanges ended.

        The ledger is read while the node runs, so an exchange that is under way may have no end yet.
        """
        engine = open_engine(self.node.location.ledger)
        try:
            reader = EvidenceReader(engine)
            answered = {it.exchange: it for it in self.load.answers if it.exchange}
            written = set(self.provider.written)
            if self.load.stopping:
                rebuilt = await UsageReader(engine).rebuild()
                assert rebuilt.corrected == 0
                assert await count_open(engine) == 0, "an exchange was left open"
            await reader.verify()
            outcomes = await outcomes_of(reader)
        finally:
            await engine.dispose()
        for exchange, answer in answered.items():
            assert exchange in outcomes, f"answered with {answer.status}, and not recorded"
            if answer.status == 200 or not self.is_doubtful(answer):
                assert (outcomes[exchange] == "success") == (answer.status == 200)
        self.outcomes = outcomes
        if self.load.stopping:
            assert written <= outcomes.keys(), "the provider was asked to write, and nothing is recorded"
        return Counter(outcomes.values())

    @staticmethod
    def is_doubtful(answer: Answer) -> bool:
        """Say whether the caller was told that its call was sent and its evidence is in doubt.

        When the connection breaks within COMMIT and the database stays away for longer than callers wait, the record
        may turn out to be there, and to say that all went well: the one window that the documentation names.
        """
        return answer.status == 503 and b'"sent":true' in answer.body


async def count_open(engine: AsyncEngine) -> int:
    """Return how many exchanges have begun and not ended, for all that the ledger knows."""
    async with engine.connect() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM opens"))).scalar_one())


async def outcomes_of(reader: EvidenceReader) -> dict[str, str]:
    """Return the outcome of every exchange, none of which ended twice."""
    outcomes: dict[str, str] = {}
    cursor = None
    while True:
        page = await reader.search(cursor=cursor, limit=1000)
        for each in page.items:
            assert each.record.exchange not in outcomes, "an exchange has two ends"
            outcomes[each.record.exchange] = str(each.record.outcome)
        cursor = page.next
        if cursor is None:
            return outcomes


@asynccontextmanager
async def scene(
    data_dir: Path, *, database: str | None = None, seed: int = 0, **settings: Any
) -> AsyncIterator[Scene]:
    """Yield a node with a provider that takes reads, writes and large replies; the load is not running yet."""
    provider = Provider()
    async with (
        hostile(provider.serve) as server,
        running_node(data_dir, database=database, **settings) as node,
    ):
        provider.address = server.address
        await node.add(Kind.SERVICE, a_service())
        endpoint = {
            "connector": "rest",
            "settings": {"url": server.address},
            "deadline_seconds": 5,
            "passes": {"exchange": "X-Exchange"},
        }
        await node.add(Kind.VERSION, a_version(operations=OPERATIONS, endpoints={"production": endpoint}))
        await node.step(Kind.VERSION, "DoanhNghiep/1.0", "publish")
        await node.grant(quota={"per_second": 100_000})
        caller = await node.client("một cửa", system="H99:mot-cua")
        token = await caller.fetch_token()
        calls = [
            request(READ, token),
            request(WRITE, token, method="POST", body=b"{}"),
            request(READ, token),
            request(STREAMED, token),
        ]
        load = Load(node.port, calls, per_second=150, connections=24)
        yield Scene(node, provider, load, seeded(seed))
