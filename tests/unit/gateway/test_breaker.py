"""The breaker's rule, without a clock or a network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.breaker import Breaker
from gateway.exchange import Reason, Refusal


def an_open_breaker() -> Breaker:
    breaker = Breaker(failures=2, open_seconds=10.0)
    for _ in range(2):
        breaker.end(0.0, ok=False)
    return breaker


def is_let_through(breaker: Breaker, now: float) -> bool:
    try:
        breaker.admit(now)
    except Refusal:
        return False
    return True


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker(failures=3, open_seconds=10.0)
    for ok in (False, False, True, False, None, False):
        breaker.end(0.0, ok=ok)
    open_before = breaker.is_open
    breaker.end(0.0, ok=False)

    assert [open_before, breaker.is_open] == [False, True]
    with pytest.raises(Refusal) as caught:
        breaker.admit(4.0)
    assert (caught.value.reason, caught.value.retry_after) == (Reason.BREAKER_OPEN, 6.0)


def test_exactly_one_probe_goes_through() -> None:
    breaker = an_open_breaker()

    assert [is_let_through(breaker, 10.0) for _ in range(20)] == [True] + [False] * 19


@pytest.mark.parametrize("ok", [False, None])
def test_a_probe_that_does_not_succeed_opens_it_again(ok: bool | None) -> None:  # noqa: FBT001 (a parameter's value)
    breaker = an_open_breaker()
    probe = breaker.admit(10.0)
    breaker.end(12.0, ok=ok, probe=probe)

    assert [is_let_through(breaker, now) for now in (12.0, 21.9, 22.0, 22.0)] == [False, False, True, False]


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker = an_open_breaker()
    breaker.end(10.0, ok=True, probe=breaker.admit(10.0))

    assert not breaker.is_open
    assert all(is_let_through(breaker, 10.0) for _ in range(20))


def test_calls_from_before_it_opened_do_not_close_it() -> None:
    breaker = an_open_breaker()
    breaker.end(1.0, ok=True)

    assert breaker.is_open


@given(st.lists(st.tuples(st.sampled_from(["admit", "ok", "fail", "gone"]), st.floats(0, 5)), max_size=60))
def test_never_more_than_one_probe_is_under_way(steps: list[tuple[str, float]]) -> None:
    breaker = an_open_breaker()
    now, probes = 0.0, 0
    for what, seconds in steps:
        now += seconds
        if what == "admit":
            if is_let_through(breaker, now) and breaker.is_open:
                probes += 1
        elif probes:
            breaker.end(now, ok={"ok": True, "fail": False, "gone": None}[what], probe=True)
            probes -= 1
        assert probes <= 1
