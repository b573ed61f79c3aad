"""The contract's tests of `check` and `describe`: each thing that can be wrong is named by its own step."""

import json

import pytest

from connectors.contract import CheckStep
from connectors.testing.certificates import stranger_context
from connectors.testing.proxy import Fault, fault_proxy
from connectors.testing.stage import UNHEARD_NAME, Address, Stage
from connectors.testing.subject import ContractTests

ORDER = ["dns", "tcp", "tls", "credentials", "contract"]
WRONG = "kh0ng-ph41-m4t-kh4u"


class CheckTests(ContractTests):
    """A connection test says what is wrong, in a word of the contract."""

    async def test_a_good_provider_passes_every_step(self, stage: Stage) -> None:
        steps = await stage.steps(stage.make())

        assert list(steps) == ORDER, f"`check` has to return the steps {ORDER}, in this order"
        wrong = [step for step in steps.values() if step.ok is False]
        assert not wrong, f"the provider is good, and `check` says {wrong}"

    async def test_a_name_without_address_is_dns(self, stage: Stage) -> None:
        self.needs_a_provider()
        steps = await stage.steps(stage.make(address=Address(UNHEARD_NAME, stage.proxy.port)))

        _only(steps, "dns")

    async def test_a_closed_port_is_tcp(self, stage: Stage) -> None:
        self.needs_a_provider()
        await stage.proxy.refuse()

        _only(await stage.steps(stage.make()), "tcp")

    async def test_a_certificate_of_a_stranger_is_tls(self, stage: Stage) -> None:
        if not self.speaks_tls:
            pytest.skip("declared to speak no TLS")
        async with fault_proxy(("127.0.0.1", stage.proxy.port), tls=stranger_context()) as strange:
            steps = await stage.steps(stage.make(address=Address("127.0.0.1", strange.port, tls=True)))

        _only(steps, "tls")

    async def test_a_server_without_tls_is_tls(self, stage: Stage) -> None:
        if not self.speaks_tls:
            pytest.skip("declared to speak no TLS")
        stage.proxy.play(Fault(kind="cut", side="question"))
        steps = await stage.steps(stage.make(address=Address("127.0.0.1", stage.proxy.port, tls=True)))

        _only(steps, "tls")

    async def test_a_secret_that_is_not_bound_is_credentials(self, stage: Stage) -> None:
        self._needs_secrets()

        _only(await stage.steps(stage.make(secrets={})), "credentials")

    async def test_a_wrong_secret_is_credentials(self, stage: Stage) -> None:
        self._needs_secrets()
        if not self.wrong_secret_seen:
            pytest.skip("declared: the provider of these tests takes any secret")
        wrong = dict.fromkeys(self.secrets, WRONG)

        _only(await stage.steps(stage.make(secrets=wrong)), "credentials")

    async def test_a_provider_that_speaks_otherwise_is_contract(self, stage: Stage) -> None:
        self.needs_a_provider()
        if self.handshake:
            pytest.skip("a conversation that goes wrong from the start may be called by any later step")
        stage.proxy.play(Fault(kind="rubbish", instead=self.rubbish))

        _only(await stage.steps(stage.make()), "contract")

    async def test_what_is_described_can_be_shown(self, stage: Stage) -> None:
        async with stage.opened() as connector:
            described = await connector.describe()
        names = [operation.name for operation in described]

        assert len(names) == len(set(names)), f"an operation is described twice: {names}"
        json.dumps([[it.name, it.method, it.path, it.request_schema, it.reply_schema] for it in described])

    def _needs_secrets(self) -> None:
        self.needs_a_provider()
        if not self.secrets:
            pytest.skip("its settings name no secret")


def _only(steps: dict[str, CheckStep], failed: str) -> None:
    """See that this step failed, said why, that none before it did, and that none after it was tried."""
    told = {name: step.ok for name, step in steps.items()}
    assert list(steps) == ORDER, (
        f"`check` has to return the steps {ORDER}, in this order, and returned {told}"
    )
    wrong = [name for name, ok in told.items() if ok is False]
    assert wrong == [failed], f"{failed} is what is wrong, and `check` says {told}"
    assert steps[failed].detail, f"`check` says nothing on what is wrong with {failed}"
    later = ORDER[ORDER.index(failed) + 1 :]
    assert all(told[name] is None for name in later), f"steps behind {failed} were not tried: {told}"
