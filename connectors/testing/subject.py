"""What an author declares of a connector, and what its tests are handed."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from connectors.contract import Connector
from connectors.message import Message
from connectors.testing.host import Host
from connectors.testing.proxy import RUBBISH
from connectors.testing.stage import Address, Stage, stage_for


class ContractTests:
    """What the kit has to know of a connector. Set the attributes, and write the methods that do not fit it."""

    connector: ClassVar[type[Connector]]
    """The class under test."""
    secrets: ClassVar[Mapping[str, str]] = {}
    """The secrets that its settings name. The provider below has to refuse any other value."""
    wrong_secret_seen: ClassVar[bool] = True
    """Whether the provider below refuses a wrong secret. Without it nobody sees that `check` names credentials."""
    stored_settings: ClassVar[Sequence[Mapping[str, Any]]] = ()
    """Settings as nodes stored them with earlier versions of the connector: they have to stay readable."""
    entry_point: ClassVar[bool] = True
    """Whether the package that holds it is installed, with its entry point."""
    talks: ClassVar[bool] = True
    """Whether it talks to a provider at all; one that answers by itself has no faults on the way."""
    speaks_tls: ClassVar[bool] = False
    """Whether `settings` can be made for an address with `tls`."""
    handshake: ClassVar[bool] = False
    """Whether a new connection begins with a conversation of its own: a fault in that is told as Unreachable."""
    ends_answers: ClassVar[bool] = True
    """Whether an answer says where it ends, so that one that was cut off cannot pass for a whole one."""
    normalises: ClassVar[bool] = False
    """Whether it is declared to change the text that it carries."""
    rubbish: ClassVar[bytes] = RUBBISH
    """What the proxy says in the provider's place when it is to speak no protocol at all."""
    slow_settings: ClassVar[Mapping[str, Any]] = {}
    """Of one that talks to nobody: what makes its call take about 0.2 s."""
    method: ClassVar[str] = "POST"
    path: ClassVar[str] = "/thu"
    operation: ClassVar[str] = "thu"
    context: ClassVar[Mapping[str, str]] = {}
    """What the tests' calls say of themselves besides the message: `method`, `path`, `operation`, `context`."""

    def settings(self, address: Address) -> Mapping[str, Any]:
        """Return settings, as an endpoint stores them, for a provider at this address."""
        raise NotImplementedError(f"{type(self).__name__} has to say what settings its connector takes")

    async def provider(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be the provider on one connection: answer every question with the text that it carries, until its end."""
        raise NotImplementedError(f"{type(self).__name__} has to say what its provider answers")

    def message(self, text: str) -> Message:
        """Return a message that carries a text to the provider."""
        kind = "text/plain; charset=utf-8"
        return Message(text.encode(), kind, [(b"content-type", kind.encode())])

    def text_of(self, body: bytes) -> str:
        """Return the text that an answer's body brings back."""
        return body.decode()

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Connectors run on asyncio."""
        return "asyncio"

    @pytest.fixture
    def upstream(self) -> tuple[str, int] | None:
        """Return host and port of a provider that runs elsewhere, a database for instance, or None."""
        return None

    @pytest.fixture
    async def stage(self, connector_host: Host, upstream: tuple[str, int] | None) -> AsyncIterator[Stage]:
        """The connector's provider, the proxy before it, and its host."""
        async with stage_for(self, connector_host, upstream, talks=self.talks) as stage:
            yield stage

    def needs_a_provider(self) -> None:
        """Skip a test that is about a provider, for a connector that has none."""
        if not self.talks:
            pytest.skip("it talks to nobody")
