"""A node with a provider and open books: what a call leaves behind is looked up in the ledger itself."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from time import time_ns
from typing import Any

import httpx2
from sqlalchemy import select

from gateway.exchange import Reason
from gateway.outcomes import OUTCOMES
from registry.entities import Kind
from registry.evidence import Delivered, Outcome, Record
from registry.sql.database import open_engine
from registry.sql.ledger import Evidence, EvidenceReader, UsageReader
from registry.sql.ledger_tables import records
from tests.e2e.node import Caller, RunningNode, running_node
from tests.factories import an_operation
from tests.hostile import Conversation, HostileServer, fields_of, hostile

WAYS = ({"door": "fast-lane", "transport": "http1"}, {"door": "asgi", "transport": "aiohttp"})
"""The usual way through a node, and the one through its references, by its settings: callers see no difference."""
MARK = "dieu-khong-duoc-lo"
"""Stands in paths, queries, headers and bodies of these tests, and nowhere else afterwards."""
JSON_OK = '{"Status": 1, "NAME": "Công ty giả lập"}'.encode()
EXCHANGE = "lgsp-exchange-id"

Behaviour = Callable[[Conversation, bytes], Awaitable[None]]


class HangUp(ConnectionError):
    """Ends a provider's connection."""


async def body_of(talk: Conversation, head: bytes) -> bytes:
    """Read the body that follows a head."""
    fields = fields_of(head)
    if "chunked" in fields.get("transfer-encoding", ""):
        return await talk._read_chunks()
    return await talk.reader.readexactly(int(fields.get("content-length", "0")))


@dataclass
class Provider:
    """A provider that behaves as the test in hand wants it to, and keeps what it was sent."""

    server: HostileServer
    behave: Behaviour
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.address

    def replies(self, status: str = "200 OK", body: bytes = JSON_OK, **headers: str) -> None:
        """Answer each request like this from now on."""
        given = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [
            f"HTTP/1.1 {status}",
            *(f"{name}: {value}" for name, value in given.items() if value),
            "",
            "",
        ]
        self.sends("\r\n".join(lines).encode() + body)

    def sends(self, *pieces: bytes, pause: float = 0.0, then: str = "keep") -> None:
        """Answer each request with these bytes; `then` keep, close or reset the connection."""

        async def behave(talk: Conversation, head: bytes) -> None:
            self.bodies.append(await body_of(talk, head))
            await talk.send(*pieces, pause=pause)
            if then == "reset":
                talk.reset()
            if then != "keep":
                raise HangUp

        self.behave = behave

    @property
    def head(self) -> dict[str, str]:
        """Return the fields of the last request."""
        return fields_of(self.heads[-1])

    @property
    def line(self) -> str:
        """Return the last request's line."""
        return self.heads[-1].split(b"\r\n")[0].decode("latin-1")


@asynccontextmanager
async def a_provider() -> AsyncIterator[Provider]:
    """Yield a provider that answers well until told otherwise."""

    async def script(talk: Conversation) -> None:
        while head := await talk.read_head():
            provider.heads.append(head)
            await provider.behave(talk, head)

    async with hostile(script) as server:
        provider = Provider(server, _nothing)
        provider.replies()
        yield provider


async def _nothing(talk: Conversation, head: bytes) -> None:
    """Stand in until `replies` has set the first behaviour."""


@dataclass
class Plane:
    """The node, its provider, and readers of its books. `callers` are made once and kept by name."""

    node: RunningNode
    provider: Provider
    evidence: EvidenceReader
    usage: UsageReader
    callers: dict[str, Caller] = field(default_factory=dict)
    since: int = 0

    def begin(self) -> None:
        """Begin a test: the provider answers well, and only records from now on are looked at by `until`."""
        self.provider.replies()
        self.since = time_ns() // 1000

    async def caller(self, name: str = "một cửa", **given: Any) -> Caller:
        """Return a client of this name; by default of the one-stop shop."""
        if name not in self.callers:
            self.callers[name] = await self.node.client(name, **({"system": "H99:mot-cua"} | given))
        return self.callers[name]

    async def offer(self, name: str, *, granted: bool = True, **given: Any) -> None:
        """Publish a service with one operation for everything, granted to the one-stop shop."""
        endpoint = {"breaker": {"failures": 1000}} | given.pop("endpoint", {})
        operations = given.pop("operations", [an_operation("bat-ky", "/{duong*}", method="ANY")])
        url = given.pop("url", self.provider.url)
        await self.node.offer(name, url=url, endpoint=endpoint, operations=operations, **given)
        if granted:
            await self.node.grant(name)
        await self.node.settled()

    async def records(self, exchange: str) -> list[Evidence]:
        """Return an exchange's records: at most one that opens it, and exactly one that ends it."""
        found = list(await self.evidence.get(exchange))
        kinds = [it.record.kind for it in found]
        assert kinds in (["final"], ["open", "final"]), kinds
        return found

    async def final(self, answer: httpx2.Response, *, request: bytes = b"") -> Record:
        """Return the final record of an answered exchange, its commitments and sizes checked."""
        evidence = (await self.records(answer.headers[EXCHANGE]))[-1]
        await self.prove(evidence, request, answer.content)
        assert evidence.record.status == answer.status_code
        return evidence.record

    async def prove(self, evidence: Evidence, request: bytes, reply: bytes) -> None:
        """Check that a record commits to these bodies."""
        salt = await self.evidence.salt(evidence)
        record = evidence.record
        assert salt is not None
        assert record.request_commitment == sha256(salt + request).digest()
        assert record.reply_commitment == sha256(salt + reply).digest()
        assert (record.request_bytes, record.reply_bytes) == (len(request), len(reply))

    async def refused(
        self,
        answer: httpx2.Response,
        reason: Reason,
        status: int,
        turn: str,
        *,
        sent: bool = False,
        request: bytes = b"",
    ) -> Record:
        """Check a problem and its evidence against each other; returns the final record."""
        problem = answer.json()
        assert answer.status_code == status, answer.text
        assert problem["code"] == reason, answer.text
        assert (problem["status"], problem["turn"], problem["sent"]) == (status, turn, sent), answer.text
        assert problem["instance"] == f"urn:uuid:{answer.headers[EXCHANGE]}"
        assert set(problem["messages"]) == {"vi", "en"}
        assert answer.headers["content-type"] == "application/problem+json"
        assert MARK not in answer.text
        record = await self.final(answer, request=request)
        assert (record.outcome, record.reason, record.sent) == (OUTCOMES[reason], reason, sent)
        assert record.delivered == Delivered.YES
        return record

    async def stranger(self, answer: httpx2.Response, reason: Reason, status: int) -> None:
        """Check a problem for which no exchange began."""
        assert (answer.status_code, answer.json()["code"]) == (status, reason), answer.text
        assert EXCHANGE not in answer.headers
        assert MARK not in answer.text

    async def newest(self, count: int = 1) -> list[Record]:
        """Return the newest final records, the oldest of them first."""
        page = await self.evidence.search(limit=count)
        return [it.record for it in reversed(page.items)]

    async def until(self, holds: Callable[[Record], bool], seconds: float = 5.0) -> Record:
        """Return a final record, newer than `since`, once there is one that is as it should be."""
        found: list[Record] = []
        for _ in range(int(seconds / 0.05)):
            found = [record for record in await self.newest(5) if record.at >= self.since]
            for record in found:
                if holds(record):
                    return record
            await asyncio.sleep(0.05)
        raise AssertionError(f"no such record: {found}")

    async def id_of(self, kind: Kind, label: str) -> str:
        return (await self.node.registry.get(kind, label)).id

    async def check_books(self) -> None:
        """Check that each exchange has one final record, that usage agrees, and that nothing leaked."""
        engine = self.evidence._engine
        finals: Counter[str] = Counter()
        opened: set[str] = set()
        for _ in range(60):
            async with engine.connect() as connection:
                rows = (await connection.execute(select(records.c.exchange, records.c.kind))).all()
            finals = Counter(row.exchange for row in rows if row.kind == "final")
            opened = {row.exchange for row in rows if row.kind == "open"}
            if opened <= finals.keys():
                break
            await asyncio.sleep(0.05)
        assert opened <= finals.keys()
        assert set(finals.values()) <= {1}
        assert (await self.usage.totals())[0].count == len(finals)
        assert (await self.usage.rebuild()).corrected == 0
        assert (await self.evidence.verify()).chains == 1
        await self.check_silence()

    async def check_silence(self) -> None:
        """Check that log, metrics and ledger hold no mark, token or secret."""
        secrets = [MARK, *(caller.secret for caller in self.callers.values())]
        secrets += [caller.token.rpartition(".")[2] for caller in self.callers.values() if caller.token]
        places = {path.name: path.read_bytes() for path in self.node.data_dir.glob("ledger*")}
        places["log"] = self.node.log.read_bytes()
        places["metrics"] = (await self.node.http.get("/metrics")).content
        for name, text in places.items():
            found = [secret for secret in secrets if secret.encode() in text]
            assert not found, (name, found)
        assert b"Traceback" not in places["log"], places["log"].decode()[-3000:]


@asynccontextmanager
async def running_plane(
    folder: Path, *, trust: ssl.SSLContext | None = None, **settings: str
) -> AsyncIterator[Plane]:
    """Yield a node with a provider behind it; its books are checked at the end. `trust`: it speaks TLS."""
    async with (
        running_node(folder, database=None, empty=False, trust=trust, **settings) as node,
        a_provider() as provider,
    ):
        engine = open_engine(node.location.ledger)
        try:
            plane = Plane(node, provider, EvidenceReader(engine), UsageReader(engine))
            yield plane
            await plane.check_books()
        finally:
            await engine.dispose()


@dataclass
class RawAnswer:
    """An answer as it came over the wire, its chunks joined; `whole` says that it ended as it should."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool


async def raw(node: RunningNode, *pieces: bytes, pause: float = 0.0) -> RawAnswer:
    """Send these bytes on a connection of their own and read until the node closes it."""
    reader, writer = await connect(node)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        return parse(await asyncio.wait_for(reader.read(), 20))
    finally:
        writer.close()


async def connect(
    node: RunningNode, trust: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = node.base.partition("://")[2].partition(":")
    return await asyncio.open_connection(host, int(port), ssl=trust)


def request_head(caller: Caller, line: str, *fields: str) -> bytes:
    """Return a head with the caller's token that asks for the connection to be closed."""
    lines = [f"{line} HTTP/1.1", "Host: node", f"Authorization: Bearer {caller.token}", *fields]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")


def parse(data: bytes) -> RawAnswer:
    """Read an answer from the bytes of a whole connection."""
    head, _, rest = data.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, rest = rest.partition(b"\r\n\r\n")
    fields = fields_of(head + b"\r\n")
    status = int(head.split()[1])
    if "chunked" in fields.get("transfer-encoding", ""):
        body, whole = _joined(rest)
    else:
        body, whole = rest, len(rest) == int(fields.get("content-length", len(rest)))
    return RawAnswer(status, fields, body, whole)


def _joined(data: bytes) -> tuple[bytes, bool]:
    body = b""
    while data:
        line, _, data = data.partition(b"\r\n")
        size = int(line or b"0", 16)
        if not size:
            return body, data == b"\r\n"
        body += data[:size]
        data = data[size + 2 :]
    return body, False


SUCCESS = Outcome.SUCCESS
