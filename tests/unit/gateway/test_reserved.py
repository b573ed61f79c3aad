"""What is an address of the node itself, in the two places that know it."""

import pytest

from gateway.app import RESERVED_SEGMENTS
from registry.register import is_reserved


@pytest.mark.parametrize("segment", sorted(RESERVED_SEGMENTS))
def test_no_service_can_have_the_name_of_an_address_of_the_node(segment: str) -> None:
    assert is_reserved(segment)
