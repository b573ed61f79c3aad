"""Where outgoing calls may go."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import EgressDenied
from gateway.egress import SPECIAL, Egress, EgressWrong, parse_egress, parse_host, resolve


def is_allowed(egress: Egress, host: str, port: int = 443) -> bool:
    try:
        egress.check_host(host, port)
    except EgressDenied:
        return False
    return True


ORDINARY = ["203.0.113.7", "10.1.2.3", "192.168.1.9", "[2001:db8::1]", "[fd12::1]", "dkdn.example"]
DENIED = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "100.100.100.200",
    "224.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[fe80::1]",
    "[ff02::1]",
    "[fd00:ec2::254]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
]
ODD = [
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "127.1",
    "0177.0.0.1",
    "127.0.0.01",
    "1.2.3.4.",
    "[fe80::1%eth0]",
    "0",
    "a.0x1",
]


@pytest.mark.parametrize("host", ORDINARY)
def test_private_and_public_networks_are_allowed_by_default(host: str) -> None:
    assert is_allowed(parse_egress(), host)


@pytest.mark.parametrize("host", DENIED)
def test_loopback_link_local_and_metadata_are_denied_by_default(host: str) -> None:
    assert not is_allowed(parse_egress(), host)
    assert not is_allowed(parse_egress(networks=["0.0.0.0/0", "::/0"]), host)


@pytest.mark.parametrize("host", ODD)
def test_an_odd_spelling_of_an_address_is_denied_whatever_is_allowed(host: str) -> None:
    assert not is_allowed(parse_egress(networks=["0.0.0.0/0", "127.0.0.0/8", "::/0"]), host)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]"])
def test_a_special_network_can_be_named(host: str) -> None:
    egress = parse_egress(networks=["127.0.0.0/8"])

    assert is_allowed(egress, host)
    assert not is_allowed(egress, "10.1.2.3")
    assert not is_allowed(egress, "[::1]")


def test_the_nodes_own_listeners_are_denied_even_where_loopback_is_named() -> None:
    egress = parse_egress(
        networks=["127.0.0.0/8"], own=[("127.0.0.1", 8080), ("0.0.0.0", 9090), ("localhost", 7070)]
    )

    assert [is_allowed(egress, "127.0.0.1", port) for port in (8080, 9090, 7070, 8081)] == [
        False,
        False,
        False,
        True,
    ]
    assert is_allowed(egress, "127.0.0.2", 8080)


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("dkdn.example", 443, True),
        ("DKDN.example.", 443, True),
        ("a.bhxh.example", 8443, True),
        ("bhxh.example", 8443, False),
        ("evil-bhxh.example", 443, False),
        ("dmdc.example", 8080, True),
        ("dmdc.example", 443, False),
        ("dkdn.example", 22, False),
        ("203.0.113.7", 443, False),
    ],
)
def test_hosts_and_ports_can_be_listed(host: str, port: int, allowed: object) -> None:
    egress = parse_egress(
        hosts=["dkdn.example", "*.bhxh.example", "dmdc.example:8080"], ports=["443", "8000-8999"]
    )

    assert is_allowed(egress, host, port) is allowed


@given(
    own=st.lists(st.sampled_from(["10.0.0.0/8", "127.0.0.0/8", "0.0.0.0/0", "203.0.113.0/24"]), max_size=3),
    narrow=st.lists(st.sampled_from(["10.1.0.0/16", "127.0.0.1/32", "0.0.0.0/0"]), min_size=1, max_size=2),
    host=st.sampled_from(["10.1.2.3", "10.2.2.3", "127.0.0.1", "203.0.113.7", "169.254.169.254"]),
)
def test_a_narrowed_rule_never_allows_more(own: list[str], narrow: list[str], host: str) -> None:
    wide = parse_egress(networks=own)

    assert is_allowed(wide, host) or not is_allowed(wide.narrowed(narrow), host)


@given(number=st.integers(0, 2**32 - 1))
def test_no_address_in_a_special_network_is_allowed_by_default(number: int) -> None:
    address = ip_address(number)
    special = any(address in network for network in SPECIAL if network.version == 4)

    assert is_allowed(parse_egress(), str(address)) is not special
    assert is_allowed(parse_egress(), f"[::ffff:{address}]") is not special


@pytest.mark.parametrize(
    ("networks", "ports"), [(["x"], []), (["10.0.0.1/8"], []), ([], ["0"]), ([], ["9-3"]), ([], ["http"])]
)
def test_a_wrong_rule_is_refused(networks: list[str], ports: list[str]) -> None:
    with pytest.raises(EgressWrong):
        parse_egress(networks=networks, ports=ports)


async def test_a_name_gives_checked_addresses_only() -> None:
    with pytest.raises(EgressDenied):
        await resolve(parse_egress(), "localhost", 80)

    found = await resolve(parse_egress(networks=["127.0.0.0/8"]), "localhost", 80)
    assert {address for _, address in found} == {"127.0.0.1"}


def test_a_name_is_not_an_address() -> None:
    assert parse_host("dkdn.example") is None
    assert str(parse_host("[2001:DB8::1]")) == "2001:db8::1"
