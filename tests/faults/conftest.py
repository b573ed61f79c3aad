"""How long to go on."""

import os

import pytest


@pytest.fixture(scope="session")
def rounds() -> int:
    """How many rounds of a fault to run: a few in `make test`, LGSP_FAULT_ROUNDS in `make faults`."""
    return int(os.environ.get("LGSP_FAULT_ROUNDS", "2"))
