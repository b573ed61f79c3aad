"""The fast client keeps every promise of the reference: the reference's own tests, over it."""

from collections.abc import AsyncIterator

import pytest

from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from gateway.http1 import HTTP1Transport
from tests.unit.gateway import test_aiohttp_transport as reference

_MAKES_ITS_OWN_CLIENT = {"test_a_denied_address_is_never_connected_to"}

globals().update(
    {
        name: test
        for name, test in vars(reference).items()
        if name.startswith("test_") and name not in _MAKES_ITS_OWN_CLIENT
    }
)


@pytest.fixture
async def http() -> AsyncIterator[HTTP1Transport]:
    egress = parse_egress(networks=["127.0.0.0/8"])
    async with HTTP1Transport(egress=egress, deadlines=Deadlines()) as transport:
        yield transport
