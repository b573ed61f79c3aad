"""What stands around the pipeline: addresses and proxies, slow bodies, a ledger that is away, and the tally."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import psutil
import pytest
from sqlalchemy import select

from gateway.exchange import Reason
from registry.evidence import Delivered, Outcome
from registry.ledger import decode
from registry.sql.ledger_tables import records
from tests.e2e.node import ready, start
from tests.e2e.plane import EXCHANGE, WAYS, Plane, connect, parse, raw, request_head, running_plane
from tests.factories import an_operation
from tests.hostile import Conversation

RATE = 40


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way["door"])
async def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Plane]:
    settings = {"address_rate": str(RATE), "body_seconds": "0.5", "trusted_proxies": "127.0.0.0/8"}
    folder = tmp_path_factory.mktemp("plane") / "node"
    async with running_plane(folder, trust=None, **settings, **request.param) as running:
        operations = [
            an_operation("doc", "/doc", method="ANY"),
            an_operation("ghi", "/ghi", method="POST", effect="write"),
        ]
        await running.offer("DoanhNghiep", operations=operations)
        await (await running.caller()).fetch_token()
        yield running


@pytest.fixture(autouse=True)
def _as_before(plane: Plane) -> None:
    plane.begin()


async def test_only_a_trusted_proxy_s_word_on_the_address_counts(plane: Plane) -> None:
    caller = await plane.caller("một nơi", allowed_networks=["198.51.100.0/24"])
    form = {"grant_type": "client_credentials", "client_id": caller.id, "client_secret": caller.secret}
    token = await plane.node.http.post("/token", data=form, headers={"X-Forwarded-For": "198.51.100.1"})
    caller.token = token.json()["access_token"]
    for forwarded, allowed in (
        ("198.51.100.7", True),
        ("203.0.113.9, 198.51.100.7", True),
        ("198.51.100.7, 203.0.113.9", False),
        ("198.51.100.7, khong-phai-dia-chi", False),
        ("", False),
    ):
        answer = await caller.call("/DoanhNghiep/1.0/doc", headers={"X-Forwarded-For": forwarded})
        if allowed:
            assert answer.status_code == 200, forwarded
        else:
            await plane.refused(answer, Reason.CLIENT_NETWORK, 403, "consumer")


async def test_an_address_that_asks_too_often_is_turned_away_before_anything_is_looked_at(
    plane: Plane,
) -> None:
    async def ask(address: str) -> int:
        headers = {"X-Forwarded-For": address}
        answer = await plane.node.http.get("/DoanhNghiep/1.0/doc", headers=headers)
        if answer.status_code == 429:
            await plane.stranger(answer, Reason.ADDRESS_LIMITED, 429)
            assert answer.headers["retry-after"] == "1"
        return answer.status_code

    statuses = await asyncio.gather(*(ask("192.0.2.50") for _ in range(3 * RATE)))
    assert statuses.count(429) >= RATE
    assert await ask("192.0.2.51") == 401


@pytest.mark.parametrize("declared", [1000, 300_000])
async def test_a_body_that_does_not_come_on_is_ended_and_recorded(plane: Plane, declared: int) -> None:
    async def patient(talk: Conversation, head: bytes) -> None:
        await talk.reader.read(-1)

    plane.provider.behave = patient
    reader, writer = await connect(plane.node)
    caller = plane.callers["một cửa"]
    writer.write(request_head(caller, "POST /DoanhNghiep/1.0/doc", f"Content-Length: {declared}"))
    writer.write(b"x" * (declared // 2))
    answer = parse(await asyncio.wait_for(reader.read(), 5))
    assert answer.status in (400, 408)
    writer.close()
    record = await plane.until(lambda it: it.reason == Reason.BODY_CUT)
    assert (record.outcome, record.delivered) == (Outcome.INVALID, Delivered.NO)


# --- the ledger is away ---------------------------------------------------------------------------------


@contextmanager
def full_disk(plane: Plane) -> Iterator[None]:
    """Let no file of the node grow, as on a disk that is full."""
    process = psutil.Process(plane.node.process.pid)
    process.rlimit(psutil.RLIMIT_FSIZE, (4096, psutil.RLIM_INFINITY))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))


async def test_no_evidence_no_answer(plane: Plane) -> None:
    caller = plane.callers["một cửa"]
    with full_disk(plane):
        before = len(plane.provider.heads)
        lost = await caller.call("/DoanhNghiep/1.0/doc")
        problem = lost.json()
        assert (lost.status_code, problem["code"]) == (503, Reason.LEDGER_LOST)
        assert (problem["sent"], problem["turn"]) == (True, "province")
        assert problem["instance"] == f"urn:uuid:{lost.headers[EXCHANGE]}"
        assert len(plane.provider.heads) == before + 1
        calls = [("doc", b""), ("ghi", b"{}"), ("doc", b"x" * 100_000), ("khong-co", b"")]
        refused = await asyncio.gather(
            *(caller.call(f"/DoanhNghiep/1.0/{path}", "POST", content=body) for path, body in calls)
        )
        for answer in refused:
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (503, Reason.LEDGER_UNAVAILABLE), answer.text
            assert problem["sent"] is False
        assert len(plane.provider.heads) == before + 1
        assert (await plane.node.http.get("/health/ready")).status_code == 503
    async with asyncio.timeout(5):
        while (await caller.call("/DoanhNghiep/1.0/doc")).status_code != 200:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.1)
    for answer in (lost, *refused):  # what could not be written then has been written since
        final = (await plane.records(answer.headers[EXCHANGE]))[-1].record
        assert (final.outcome, final.reason) == (Outcome.NODE_FAILURE, answer.json()["code"])


async def test_a_stream_that_cannot_be_sealed_is_cut(plane: Plane) -> None:
    released = asyncio.Event()

    async def in_two_parts(talk: Conversation, head: bytes) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 200_000)
        await released.wait()
        await talk.send(b"x" * 100_000)

    plane.provider.behave = in_two_parts
    asking = asyncio.ensure_future(
        raw(plane.node, request_head(plane.callers["một cửa"], "GET /DoanhNghiep/1.0/doc"))
    )
    await asyncio.sleep(0.3)
    with full_disk(plane):
        released.set()
        answer = await asking
    assert (answer.status, answer.whole) == (200, False)
    exchange = answer.headers[EXCHANGE]
    final = await plane.until(lambda it: it.exchange == exchange)
    assert (final.outcome, final.reason, final.sent) == (Outcome.NODE_FAILURE, Reason.LEDGER_LOST, True)


async def test_what_was_turned_away_is_sealed_as_a_tally(plane: Plane) -> None:
    node = plane.node
    for _ in range(3):
        await plane.stranger(await node.http.get("/DoanhNghiep/1.0/doc"), Reason.TOKEN_MISSING, 401)
    assert node.stop() == 0
    node.process = start(node.environment, node.log)
    await ready(node.http, node.process, node.log)
    async with plane.evidence._engine.connect() as connection:
        rows = (await connection.execute(select(records.c.body).where(records.c.kind == "tally"))).scalars()
        tallies = [decode(bytes(body)) for body in rows]
    counts = {record.reason: 0 for record in tallies}
    for record in tallies:
        counts[record.reason] += record.count
    assert counts[Reason.TOKEN_MISSING] >= 4
    assert counts[Reason.ADDRESS_LIMITED] >= RATE
    assert counts["body-timeout"] == 2
    assert all(record.client == record.consumer == "" for record in tallies)
