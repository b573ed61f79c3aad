import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limiter import AddressLimiter, Buckets, address_key, client_address, is_within, parse_networks

TRUSTED = parse_networks(["10.0.0.0/8", "2001:db8:1::/48"])


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_holds_a_seconds_worth_and_says_how_long_to_wait() -> None:
    clock = Clock()
    buckets = Buckets(clock=clock)

    taken = [buckets.spend("a", 5) for _ in range(7)]

    assert taken[:5] == [0.0] * 5
    assert taken[5] == pytest.approx(0.2)
    assert taken[6] == pytest.approx(0.2)
    clock.now += 0.2
    assert buckets.spend("a", 5) == 0.0
    assert buckets.spend("a", 5) > 0


def test_each_key_has_its_own_bucket() -> None:
    buckets = Buckets(clock=Clock())

    assert buckets.spend("a", 1) == 0.0
    assert buckets.spend("b", 1) == 0.0
    assert buckets.spend("a", 1) == pytest.approx(1.0)


def test_a_worker_gives_out_its_share_only_but_never_nothing() -> None:
    clock = Clock()
    half, quarter = Buckets(share=0.5, clock=clock), Buckets(share=0.25, clock=clock)

    assert [half.spend("a", 10) == 0.0 for _ in range(6)] == [True] * 5 + [False]
    assert quarter.spend("a", 1) == 0.0
    assert quarter.spend("a", 1) == pytest.approx(4.0)


def test_the_key_unused_longest_is_forgotten_first() -> None:
    buckets = Buckets(capacity=2, clock=Clock())

    for key in ("a", "b", "a", "c"):
        buckets.spend(key, 2)

    assert len(buckets) == 2
    assert buckets.spend("a", 2) > 0
    assert buckets.spend("b", 2) == 0.0


@given(
    st.lists(st.floats(min_value=0, max_value=0.5), min_size=1, max_size=200),
    st.integers(min_value=1, max_value=50),
)
def test_no_window_gets_more_than_its_burst_and_rate(gaps: list[float], rate: int) -> None:
    clock = Clock()
    buckets = Buckets(clock=clock)
    for gap in gaps:
        clock.now += gap
        granted = sum(buckets.spend("a", rate) == 0.0 for _ in range(3))
        assert granted <= 3

    clock.now += 10
    assert sum(buckets.spend("a", rate) == 0.0 for _ in range(rate + 5)) == rate


def test_an_ipv6_caller_counts_with_its_whole_network() -> None:
    limiter = AddressLimiter(1, clock=Clock())

    assert limiter.spend("2001:db8::1") == 0.0
    assert limiter.spend("2001:db8::ffff") > 0
    assert limiter.spend("2001:db8:0:1::1") == 0.0
    assert limiter.spend("192.0.2.1") == 0.0
    assert limiter.spend("192.0.2.2") == 0.0
    assert len(limiter) == 4


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("no address", "no address"),
        ("", ""),
    ],
)
def test_an_address_is_counted_under_its_key(address: str, key: str) -> None:
    assert address_key(address) == key


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        pytest.param("192.0.2.9", "198.51.100.1", "192.0.2.9", id="a stranger's word is not believed"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="a proxy that says nothing"),
        pytest.param("10.0.0.1", "198.51.100.1", "198.51.100.1", id="a trusted proxy's word"),
        pytest.param("10.0.0.1", "203.0.113.7, 198.51.100.1", "198.51.100.1", id="what the caller made up"),
        pytest.param("10.0.0.1", "198.51.100.1, 10.9.9.9", "198.51.100.1", id="two proxies"),
        pytest.param("10.0.0.1", "10.1.1.1,10.2.2.2", "10.1.1.1", id="all trusted: the left-most"),
        pytest.param("10.0.0.1", "198.51.100.1, rubbish", "10.0.0.1", id="rubbish ends the reading"),
        pytest.param("10.0.0.1", "198.51.100.1:5678", "198.51.100.1", id="with a port"),
        pytest.param("10.0.0.1", "[2001:db8:9::1]:443", "2001:db8:9::1", id="IPv6 with a port"),
        pytest.param("2001:db8:1::5", "2001:db8:9::1", "2001:db8:9::1", id="a proxy on IPv6"),
        pytest.param("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1", id="a mapped proxy"),
        pytest.param("", "198.51.100.1", "", id="no peer address"),
    ],
)
def test_a_forwarded_address_is_believed_from_trusted_proxies_only(
    peer: str, forwarded: str, address: str
) -> None:
    assert client_address(peer, forwarded, TRUSTED) == address


def test_nobody_is_trusted_by_default() -> None:
    assert client_address("10.0.0.1", "198.51.100.1", ()) == "10.0.0.1"


def test_what_is_no_address_lies_in_no_network() -> None:
    assert is_within("10.2.3.4", TRUSTED)
    assert not is_within("11.2.3.4", TRUSTED)
    assert not is_within("localhost", TRUSTED)
