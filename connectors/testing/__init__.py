"""The kit: the contract's tests, for every author of a connector. A pytest plugin, loaded only where it is asked for.

    # conftest.py
    pytest_plugins = ["connectors.testing"]

    # test_tickets.py
    from connectors.testing import Address, ConnectorContract

    class TestTickets(ConnectorContract):
        connector = TicketConnector

        def settings(self, address: Address): ...
        async def provider(self, reader, writer): ...

Each test runs in a host (`ReferenceHost`) with the provider behind a proxy that plays faults. A fixture
`connector_host` in your `conftest.py` puts another host in its place.
"""

from collections.abc import AsyncIterator

import pytest

from connectors.testing.calls import CallTests
from connectors.testing.checks import CheckTests
from connectors.testing.faults import FaultTests
from connectors.testing.host import Host, KeptLog, KnownSecrets, ReferenceHost
from connectors.testing.life import LifeTests
from connectors.testing.proxy import Fault, FaultProxy, fault_proxy
from connectors.testing.stage import Address, Stage
from connectors.testing.words import WordTests

__all__ = [
    "Address",
    "ConnectorContract",
    "Fault",
    "FaultProxy",
    "Host",
    "KeptLog",
    "KnownSecrets",
    "ReferenceHost",
    "Stage",
    "connector_host",
    "fault_proxy",
]


@pytest.mark.anyio
class ConnectorContract(LifeTests, CallTests, FaultTests, CheckTests, WordTests):
    """All tests of the contract. Derive a class whose name begins with `Test` and declare your connector in it."""


@pytest.fixture
async def connector_host() -> AsyncIterator[Host]:
    """The host that the kit's connectors run in."""
    host = ReferenceHost()
    yield host
    await host.close()
