import pytest

from auth.clients import is_in, parse_networks


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("2001:db8::7%eth0", True),
        ("192.0.2.9", True),
        ("192.0.2.8", False),
        ("", False),
        ("10.1.2", False),
        ("unix:", False),
    ],
)
def test_an_address_is_in_the_networks_or_not(address: str, inside: bool) -> None:  # noqa: FBT001
    networks = parse_networks(["10.1.0.0/16", "2001:db8::/32", "192.0.2.9"])

    assert is_in(address, networks) is inside
