"""What a consumer's call meets, and what it gets, through a real node and real providers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.node import RunningNode, running_node
from tests.hostile import HostileServer, answering, hostile

JSON_OK = b'{"Status": 1, "NAME": "C\xc3\xb4ng ty gi\xe1\xba\xa3 l\xe1\xba\xadp"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(JSON_OK), JSON_OK)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[RunningNode]:
    async with running_node(tmp_path / "node") as running:
        yield running


@pytest.fixture
async def provider() -> AsyncIterator[HostileServer]:
    async with hostile(answering(OK)) as server:
        yield server


async def test_a_granted_call_reaches_the_provider_and_its_answer_comes_back(
    node: RunningNode, provider: HostileServer
) -> None:
    await node.offer(url=provider.address)
    await node.grant()
    caller = await node.client("một cửa", system="H99:mot-cua")

    answer = await caller.call("/DoanhNghiep/1.0/chiTietDoanhNghiep?msdn=0123456789")

    assert answer.status_code == 200, answer.text
    assert answer.json()["Status"] == 1
    assert answer.headers["lgsp-exchange-id"]
