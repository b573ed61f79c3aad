"""Our HTTP client and the reference agree on exchanges that nobody has seen before: each round has a seed of its own."""

from random import Random, SystemRandom

import pytest

from tests.e2e.test_transport_differential import a_flawed_exchange, an_exchange, compare

pytestmark = pytest.mark.faults

WELL_FORMED, FLAWED = 150, 100
"""Exchanges of a round."""


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def test_both_clients_agree_on_new_exchanges(rounds: int) -> None:
    for _ in range(rounds):
        seed = SystemRandom().randrange(2**32)
        random = Random(seed)  # noqa: S311 (a seed, so that a failure can be seen again)
        print(f"seed {seed}")  # noqa: T201 (shown when it fails)
        await compare([an_exchange(random) for _ in range(WELL_FORMED)])
        await compare([a_flawed_exchange(random) for _ in range(FLAWED)])
